import { ConfigError, type SourceBatch, type SourceTaskContext } from '@tidewire/sdk'
import type { MqttClient } from 'mqtt'
import mqtt from 'mqtt'
import type { MqttSensorsConfig } from './config.ts'
import { pause } from './pause.ts'
import { Device, metrics, type Reading } from './readings.ts'

type Context = SourceTaskContext<MqttSensorsConfig>

/** How often the sequence numbers are stored. After a crash, what was published since is published again. */
const storeEveryMs = 500

/**
 * How long a stopping task waits for acknowledgements: a reading that the broker took, unknown to us, is published
 * once more after the restart.
 */
const lastWordMs = 1000
const firstRetryMs = 100
/** So many in a row: after about three seconds. */
const failuresToReport = 5
const longestRetryMs = 5000

/** A device with its connection and the number of its next reading. */
interface Sensor {
  readonly device: Device
  readonly client: MqttClient
  next: number
  stored: number
}

/**
 * Publishes the readings of all devices; gives no records, only the sequence numbers to go on from: those of
 * readings that the broker has acknowledged.
 */
export async function* simulate(context: Context): AsyncGenerator<SourceBatch> {
  const { config, signal, preview } = context
  if (preview) {
    throw new ConfigError('the simulated devices give no records: what they do is publish, which a preview must not')
  }
  const devices = Array.from({ length: config.devices }, (_, index) => new Device(config['random.seed'], index))
  const stored = await context.offsets.getAll(devices.map(({ id }) => ({ device: id })))
  const sensors = devices.map((device, index) => {
    const seq = stored[index]?.['seq']
    const next = typeof seq === 'number' ? seq + 1 : 0
    return { device, next, stored: next, client: connect(device.id, context) }
  })
  // A reading that fails while the task runs is fatal; the wait below must hear of it at once.
  const failure = new AbortController()
  const either = AbortSignal.any([signal, failure.signal])
  // While the runtime asks for no more, as when the connector is paused, no readings are taken.
  const asked = { now: Promise.resolve() }
  const giveUp = new AbortController()
  signal.addEventListener('abort', () => {
    const connected = sensors.some(({ client }) => client.connected)
    setTimeout(() => giveUp.abort(), connected ? lastWordMs : 0)
  })
  const publishing = Promise.all(
    sensors.map((sensor, index) => publishReadings(sensor, index, context, asked, giveUp.signal)),
  )
  publishing.catch(() => failure.abort())
  try {
    while (await pause(storeEveryMs, either)) {
      const batch = positions(sensors)
      if (batch === undefined) continue
      const next = Promise.withResolvers<void>()
      asked.now = next.promise
      yield batch
      next.resolve()
    }
    await publishing
    const last = positions(sensors)
    if (last !== undefined) yield last
  } finally {
    await Promise.all(sensors.map(({ client }) => client.endAsync(true)))
  }
}

/** A connection of its own for the device, which mqtt.js makes anew whenever it breaks. */
function connect(id: string, { config, connector, log }: Context): MqttClient {
  const options: mqtt.IClientOptions = {
    clientId: `${connector}-${id}`,
    reconnectPeriod: firstRetryMs,
    resubscribe: false,
    ...(config['mqtt.username'] !== undefined && { username: config['mqtt.username'] }),
    ...(config['mqtt.password'] !== undefined && { password: config['mqtt.password'] }),
  }
  const client = mqtt.connect(config['mqtt.server.uri'], options)
  let failures = 0
  client.on('connect', () => {
    failures = 0
    client.options.reconnectPeriod = firstRetryMs
  })
  client.on('close', () => {
    client.options.reconnectPeriod = Math.min(2 * (client.options.reconnectPeriod ?? firstRetryMs), longestRetryMs)
  })
  // Without a listener an error would end the process. It is passing: the client tries again by itself. A broker that
  // is started together with the sensors may be a moment late; what lasts is said once.
  client.on('error', (error) => {
    if (++failures !== failuresToReport) return
    log.warn('no connection to the MQTT broker; trying again', { device: id, reason: error.message })
  })
  return client
}

/** Takes a reading each interval and publishes it, the next one only when this one is acknowledged. */
async function publishReadings(
  sensor: Sensor,
  index: number,
  context: Context,
  asked: { readonly now: Promise<void> },
  giveUp: AbortSignal,
): Promise<void> {
  const { client, device } = sensor
  const { config, signal } = context
  const interval = config['interval.ms']
  // Spread over the interval, as sensors are that were not all switched on at the same moment.
  let due = performance.now() + (interval * index) / config.devices
  while (await pause(due - performance.now(), signal)) {
    await asked.now
    const reading = device.reading(sensor.next, Date.now())
    const acknowledged = Promise.all(
      messages(config['mqtt.topic'], reading).map(({ topic, payload }) =>
        client.publishAsync(topic, payload, { qos: config['mqtt.qos'] as 0 | 1 | 2 }),
      ),
    )
    if (!(await settledBefore(acknowledged, giveUp))) return
    sensor.next++
    due = Math.max(due + interval, performance.now() - interval) // no burst after a time without connection
  }
}

/** @returns false when the signal was aborted first */
async function settledBefore(promise: Promise<unknown>, signal: AbortSignal): Promise<boolean> {
  let onAbort: () => void = () => undefined
  const aborted = new Promise<false>((resolve) => {
    onAbort = () => resolve(false)
    signal.addEventListener('abort', onAbort)
  })
  try {
    return await Promise.race([promise.then(() => true), aborted])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

/** A reading as one message, or as one for each metric where the topic asks for it. */
export function messages(template: string, reading: Reading): { topic: string; payload: string }[] {
  const topic = template.replaceAll('{device}', reading.deviceId)
  if (!topic.includes('{metric}')) return [{ topic, payload: JSON.stringify(reading) }]
  const { deviceId, seq, ts } = reading
  return Object.entries(metrics).map(([metric, unit]) => ({
    topic: topic.replaceAll('{metric}', metric),
    payload: JSON.stringify({ deviceId, seq, ts, metric, value: reading[metric as keyof typeof metrics], unit }),
  }))
}

/** The sequence numbers that moved since the last time, as a batch without records. */
function positions(sensors: Sensor[]): SourceBatch | undefined {
  const moved = sensors.filter(({ next, stored }) => next > stored)
  if (moved.length === 0) return undefined
  return {
    records: [],
    offsets: moved.map((sensor) => {
      sensor.stored = sensor.next
      return { partition: { device: sensor.device.id }, offset: { seq: sensor.next - 1 } }
    }),
  }
}
