/**
 * MQTT QoS 1 → topic: messages a second, processor time a message, time from PUBLISH to PUBACK and to readable.
 *
 *   node bench/mqtt/mqtt.ts             the whole platform, with all defaults, and a reader of the topic
 *   node bench/mqtt/mqtt.ts --alone     the gateway without a log, and the same on aedes
 *   node bench/mqtt/mqtt.ts --source    mosquitto → mqtt-source, with MQTT 5 and 3.1.1
 */
import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { cpuSeconds, processTree } from '../support/process-tree.ts'
import { report, table } from '../support/report.ts'
import { type Mosquitto, startMosquitto } from '../../test/support/mosquitto.ts'
import { until } from '../../test/support/until.ts'
import { newPlace, startPlatform } from '../../test/support/tidewire.ts'
import type { PublisherOptions, PublisherResult } from './publisher.ts'
import type { ReaderReport } from './reader.ts'

const { values: options } = parseArgs({
  options: {
    alone: { type: 'boolean', default: false },
    source: { type: 'boolean', default: false },
    messages: { type: 'string', default: '200000' },
    payload: { type: 'string', default: '200' },
    write: { type: 'boolean', default: false },
  },
})
const payloadBytes = Number(options.payload)
const messages = Number(options.messages)

const loads = [
  { name: '1 device, 100 on their way', connections: 1, window: 100, rate: 0 },
  { name: '50 devices, 20 each', connections: 50, window: 20, rate: 0 },
  { name: '1,000 devices, 1 each', connections: 1000, window: 1, rate: 0 },
  { name: '100 devices, 5,000 msg/s', connections: 100, window: 1, rate: 5000 },
] as const

async function publish(load: PublisherOptions): Promise<PublisherResult> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/publisher.ts`, JSON.stringify(load)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => (output += chunk.toString()))
  await once(child, 'close')
  return JSON.parse(output) as PublisherResult
}

function treeCpu(pid: number): number {
  return processTree(pid).reduce((sum, { pid: each }) => sum + cpuSeconds(each), 0)
}

async function measure(name: string, pid: number, port: number): Promise<(string | number)[][]> {
  const rows: (string | number)[][] = []
  await publish({ port, connections: 10, window: 50, payloadBytes, messages: messages / 8, rate: 0 })
  for (const load of loads) {
    const before = treeCpu(pid)
    const count = load.rate > 0 ? load.rate * 5 : messages
    const result = await publish({ ...load, port, payloadBytes, messages: count })
    const cpu = treeCpu(pid) - before
    rows.push([
      name,
      load.name,
      Math.round(result.messages / result.seconds),
      ((cpu / result.messages) * 1e6).toFixed(1),
      result.p50.toFixed(2),
      result.p99.toFixed(2),
      Math.round(processTree(pid).reduce((sum, { rssMiB }) => sum + rssMiB, 0)),
    ])
  }
  return rows
}

/** A server of our own making, for as long as it takes. */
async function withServer(kind: 'own' | 'aedes', commitMs: number, port: number): Promise<(string | number)[][]> {
  const child = spawn(process.execPath, [`${import.meta.dirname}/server.ts`, kind, String(port), String(commitMs)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  await once(child.stdout, 'data')
  try {
    return await measure(`${kind === 'own' ? 'gateway' : 'aedes'}, commit ${commitMs} ms`, child.pid!, port)
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}

/** From PUBLISH at the broker to the record: how fast a backlog-free source follows. */
async function followBroker(broker: Mosquitto, version: '5' | '3.1.1', commitMs: number): Promise<(string | number)[]> {
  const args = [`${import.meta.dirname}/server.ts`, 'source', String(broker.port), String(commitMs), version]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let records = 0
  child.stdout.on('data', (chunk: Buffer) => {
    records = Number(/records (\d+)\s*$/.exec(chunk.toString())?.[1] ?? records)
  })
  await until('the source to have subscribed', () => records === 0 && cpuSeconds(child.pid!) > 0.2)
  try {
    const before = cpuSeconds(child.pid!)
    const start = performance.now()
    await publish({ port: broker.port, connections: 20, window: 50, payloadBytes, messages, rate: 0 })
    await until('all records', () => records >= messages, 300_000)
    const seconds = (performance.now() - start) / 1000
    const cpu = cpuSeconds(child.pid!) - before
    return [version, commitMs, Math.round(messages / seconds), ((cpu / messages) * 1e6).toFixed(1)]
  } finally {
    child.kill('SIGKILL')
    await once(child, 'close')
  }
}

async function measureSource(): Promise<void> {
  const rows: (string | number)[][] = []
  for (const version of ['5', '3.1.1'] as const) {
    for (const commitMs of [0, 2]) {
      const broker = await startMosquitto()
      rows.push(await followBroker(broker, version, commitMs).finally(() => broker.stop()))
    }
  }
  console.log(table(['MQTT', 'commit ms', 'msg/s', 'CPU µs/msg of the source'], rows))
}

async function measureAlone(): Promise<void> {
  const rows: (string | number)[][] = []
  for (const commitMs of [0, 2]) {
    for (const kind of ['own', 'aedes'] as const) rows.push(...(await withServer(kind, commitMs, 21_883)))
  }
  console.log(table(['server', 'load', 'msg/s', 'CPU µs/msg', 'PUBACK p50 ms', 'p99 ms', 'RSS MiB'], rows))
}

/** Whole: publishers, the platform with all defaults but its ports, and a reader that follows the topic. */
async function measurePlatform(): Promise<void> {
  const place = await newPlace()
  const platform = await startPlatform(place, { args: ['--empty'] })
  const reader = fork(`${import.meta.dirname}/reader.ts`, [`127.0.0.1:${place.logPort}`])
  const ask = async (message: 'reset' | 'report'): Promise<unknown> => {
    const answer = once(reader, 'message')
    reader.send(message)
    return ((await answer) as unknown[])[0]
  }
  await once(reader, 'message')
  const rows: (string | number)[][] = []
  try {
    const port = place.mqttPort
    await publish({ port, connections: 10, window: 50, payloadBytes, messages: messages / 4, rate: 0 })
    for (const load of loads) {
      const count = load.rate > 0 ? load.rate * 10 : messages
      await ask('reset')
      const before = cpuSeconds(platform.pid)
      const result = await publish({ ...load, port, payloadBytes, messages: count })
      const cpu = cpuSeconds(platform.pid) - before
      const read = await until('all to be read', async () => {
        const seen = (await ask('report')) as ReaderReport
        return seen.messages >= count && seen
      })
      rows.push([
        load.name,
        Math.round(result.messages / result.seconds),
        ((cpu / result.messages) * 1e6).toFixed(1),
        `${result.p50.toFixed(1)} / ${result.p99.toFixed(1)}`,
        `${read.p50.toFixed(1)} / ${read.p99.toFixed(1)}`,
        Math.round(processTree(platform.pid)[0]!.rssMiB),
      ])
    }
  } finally {
    reader.kill()
    await platform.stop()
    await place.remove()
  }
  const head = ['devices', 'msg/s', 'CPU µs/msg', 'PUBACK p50 / p99 ms', 'readable p50 / p99 ms', 'RSS MiB']
  await report('mqtt', `npm run bench:mqtt -- --messages ${messages} --payload ${payloadBytes}`, table(head, rows))
}

if (options.source) await measureSource()
else if (options.alone) await measureAlone()
else await measurePlatform()
