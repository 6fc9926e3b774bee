/**
 * Our client beside kafkajs and @platformatic/kafka: records a second and CPU a record, producing and consuming, each in
 * a process of its own, in turns, on one broker.
 *
 *   node bench/client/client.ts [--records 500000] [--rounds 3] [--partitions 1] [--write]
 *
 * The broker: the bundled one in a process of its own, and Apache Kafka where BOOTSTRAP says where one is.
 */
import { execFile } from 'node:child_process'
import { rm } from 'node:fs/promises'
import { parseArgs, promisify } from 'node:util'
import { createClient } from '../../core/src/client/log-client.ts'
import { brokerProcess, temporaryFolder } from '../../test/support/broker.ts'
import { median, report, table } from '../support/report.ts'
import { contenders, type ConsumeTask, type Measured, type ProduceTask } from './contenders.ts'

const run = promisify(execFile)

const { values } = parseArgs({
  options: {
    records: { type: 'string', default: '500000' },
    rounds: { type: 'string', default: '3' },
    partitions: { type: 'string', default: '1' },
    write: { type: 'boolean', default: false },
  },
})
const records = Number(values.records)
const rounds = Number(values.rounds)
const partitions = Number(values.partitions)

async function measure(name: string, what: 'produce' | 'consume', task: ProduceTask | ConsumeTask): Promise<Measured> {
  const main = new URL('contender-process.ts', import.meta.url).pathname
  const { stdout } = await run(process.execPath, [main, name, what, JSON.stringify(task)], { timeout: 300_000 })
  return JSON.parse(stdout.trim().split('\n').at(-1)!) as Measured
}

async function compare(bootstrap: string): Promise<string> {
  const rows: (string | number)[][] = []
  for (const valueBytes of [100, 1024]) {
    const count = valueBytes === 100 ? records : Math.ceil(records / 4)
    const results = await alternate(bootstrap, valueBytes, count)
    for (const [name, { produce, consume }] of results) {
      rows.push([valueBytes, name, ...figures(produce), ...figures(consume)])
    }
  }
  return table(['value bytes', 'client', 'produce records/s', 'CPU µs', 'consume records/s', 'CPU µs'], rows)
}

interface Rounds {
  readonly produce: Measured[]
  readonly consume: Measured[]
}

async function alternate(bootstrap: string, valueBytes: number, count: number): Promise<Map<string, Rounds>> {
  const client = createClient({ bootstrapServers: [bootstrap], clientId: 'bench' })
  const results = new Map<string, Rounds>(Object.keys(contenders).map((name) => [name, { produce: [], consume: [] }]))
  for (let round = 0; round < rounds; round++) {
    const topics: string[] = []
    for (const [name, result] of results) {
      const topic = `bench-${valueBytes}-${round}-${topics.length}-${Date.now()}`
      topics.push(topic)
      await client.admin.createTopics([{ topic, partitions, replicationFactor: 1 }])
      const task: ProduceTask = { bootstrap, topic, valueBytes, records: count, batch: 1_000, overlap: 5 }
      result.produce.push(await measure(name, 'produce', task))
    }
    // All read the same topic, which our producer filled.
    for (const [name, result] of results) {
      result.consume.push(await measure(name, 'consume', { bootstrap, topic: topics[0]!, records: count }))
    }
    await client.admin.deleteTopics(topics)
  }
  await client.close()
  return results
}

function figures(measured: readonly Measured[]): [string, string] {
  const perSecond = median(measured.map((each) => (each.records / each.wallMs) * 1_000))
  const cpu = median(measured.map((each) => (each.cpuMs * 1_000) / each.records))
  return [`${Math.round(perSecond / 1_000)} k`, cpu.toFixed(2)]
}

const parts: string[] = []
const folder = await temporaryFolder()
const broker = await brokerProcess(folder)
parts.push(`Bundled log, ${partitions} partition(s):\n\n${await compare(broker.address)}`)
await broker.stop()
await rm(folder, { recursive: true, force: true })
const kafka = process.env['BOOTSTRAP']
if (kafka !== undefined) parts.push(`Apache Kafka, ${partitions} partition(s):\n\n${await compare(kafka)}`)
await report('client', 'node bench/client/client.ts', parts.join('\n\n'))
