import { once } from 'node:events'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { OffsetStore, runSource, type SourceRun } from '@tidewire/sdk/testing'
import { Aedes } from 'aedes'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { mqttSensors } from './sensors.ts'

interface Message {
  topic: string
  value: { deviceId: string; seq: number }
}

let broker: Aedes
let server: Server
let received: Message[]
let config: Record<string, string>

async function startBroker(port: number): Promise<void> {
  broker = await Aedes.createBroker()
  broker.on('publish', ({ topic, payload }, client) => {
    if (client !== null) received.push({ topic, value: JSON.parse(payload.toString()) as Message['value'] })
  })
  server = createServer(broker.handle)
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
}

async function stopBroker(): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  broker.close()
  await closed
}

beforeEach(async () => {
  received = []
  await startBroker(0)
  const { port } = server.address() as AddressInfo
  config = { 'mqtt.server.uri': `mqtt://127.0.0.1:${port}`, devices: '3', 'interval.ms': '5' }
})
afterEach(stopBroker)

const sequences = () => Map.groupBy(received, ({ value }) => value.deviceId)

/** Takes and acknowledges for as long as the task runs, as the worker does. */
async function keepTaking(run: SourceRun): Promise<void> {
  try {
    for (;;) {
      await run.take()
      await run.acknowledge()
    }
  } catch (error) {
    expect(String(error)).toContain('has ended')
  }
}

test('publishes each device on its own topic and goes on counting after a restart', async () => {
  let offsets = new OffsetStore()
  for (const enough of [100, 200]) {
    const run = runSource(mqttSensors, config, { offsets })
    const taking = keepTaking(run)
    await expect.poll(() => received.length).toBeGreaterThan(enough)
    await run.stop()
    await taking
    offsets = run.offsets
  }
  expect([...sequences().keys()].sort()).toEqual(['sensor-1', 'sensor-2', 'sensor-3'])
  for (const [device, messages] of sequences()) {
    expect(new Set(messages.map(({ topic }) => topic))).toEqual(new Set([`sensors/${device}`]))
    // Neither gaps nor repetitions: a clean stop waits for the acknowledgements.
    expect(messages.map(({ value }) => value.seq)).toEqual(Array.from({ length: messages.length }, (_, n) => n))
  }
})

test('takes no readings while none are asked for', async () => {
  const run = runSource(mqttSensors, config)
  await run.take()
  const { offsets } = run
  await run.acknowledge()
  // What was under way when the batch was given may still arrive; then nothing does for ten intervals.
  await expect
    .poll(async () => {
      const before = received.length
      await new Promise((resolve) => setTimeout(resolve, 50))
      return received.length - before
    })
    .toBe(0)
  expect([...offsets]).toHaveLength(3)
  await run.take()
  await run.stop()
})

test('publishes each metric by itself where the topic says so', async () => {
  const run = runSource(mqttSensors, { ...config, 'mqtt.topic': 'home/{device}/{metric}', devices: '1' })
  await run.take()
  await run.stop()
  expect(received.slice(0, 4).map(({ topic }) => topic)).toEqual(
    ['temperature', 'humidity', 'pressure', 'battery'].map((metric) => `home/sensor-1/${metric}`),
  )
  expect(received[0]!.value).toMatchObject({ deviceId: 'sensor-1', seq: 0, metric: 'temperature', unit: '°C' })
})

test('connects again when the broker was away, and leaves no gap', async () => {
  const { port } = server.address() as AddressInfo
  const run = runSource(mqttSensors, { ...config, devices: '1' })
  const taking = keepTaking(run)
  await expect.poll(() => received.length).toBeGreaterThan(5)
  await stopBroker()
  const before = received.length
  await startBroker(port)
  await expect.poll(() => received.length).toBeGreaterThan(before + 5)
  await run.stop()
  await taking
  const numbers = [...new Set(received.map(({ value }) => value.seq))]
  expect(numbers).toEqual(Array.from({ length: numbers.length }, (_, n) => n))
})

test('stops while the broker is away', async () => {
  const run = runSource(mqttSensors, { ...config, 'mqtt.server.uri': 'mqtt://127.0.0.1:1' })
  const taken = run.take()
  await Promise.all([run.stop(), expect(taken).rejects.toThrow('has ended')])
})
