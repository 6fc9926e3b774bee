/**
 * MQTT QoS 1 into the gateway: messages a second, processor time a message, time from PUBLISH to PUBACK.
 *
 *   node bench/mqtt/mqtt.ts                         the gateway alone, and the same on aedes
 *   node bench/mqtt/mqtt.ts --source                mosquitto → mqtt-source, with MQTT 5 and 3.1.1
 *   node bench/mqtt/mqtt.ts --port 1883 --pid PID   a platform that runs already, by the process that holds it
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { parseArgs } from 'node:util'
import { cpuSeconds, processTree } from '../support/process-tree.ts'
import { report, table } from '../support/report.ts'
import { type Mosquitto, startMosquitto } from '../../test/support/mosquitto.ts'
import { until } from '../../test/support/until.ts'
import type { PublisherOptions, PublisherResult } from './publisher.ts'

const { values: options } = parseArgs({
  options: {
    port: { type: 'string' },
    pid: { type: 'string' },
    source: { type: 'boolean', default: false },
    messages: { type: 'string', default: '400000' },
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

async function measureGateway(): Promise<void> {
  const rows: (string | number)[][] = []
  if (options.port !== undefined) {
    rows.push(...(await measure('platform', Number(options.pid), Number(options.port))))
  } else {
    for (const commitMs of [0, 2]) {
      for (const kind of ['own', 'aedes'] as const) rows.push(...(await withServer(kind, commitMs, 21_883)))
    }
  }
  const head = ['server', 'load', 'msg/s', 'CPU µs/msg', 'PUBACK p50 ms', 'p99 ms', 'RSS MiB']
  await report('mqtt', `node bench/mqtt/mqtt.ts --payload ${payloadBytes}`, table(head, rows))
}

await (options.source ? measureSource() : measureGateway())
