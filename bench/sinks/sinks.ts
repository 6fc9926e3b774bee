/**
 * From a topic to S3 and to Elasticsearch, each sink on a worker of its own beside a bare loop that does the same job with
 * the store's SDK (bare-loop.ts), in turn, on the same log and the same store:
 *
 *     npm run bench:sinks -- [--records 1000000] [--rounds 3] [--only s3-json,s3-parquet,elasticsearch,s3-hourly] [--write]
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { createClient } from '../../core/src/client/log-client.ts'
import { newPlace, startTidewire } from '../../test/support/tidewire.ts'
import { until } from '../../test/support/until.ts'
import { restClient } from '../../test/support/worker.ts'
import { cpuSeconds, processTree } from '../support/process-tree.ts'
import { median, report, table } from '../support/report.ts'
import type { BareJob } from './bare-loop.ts'
import { Targets, type Target, type Topic } from './targets.ts'

const { values: options } = parseArgs({
  options: {
    records: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    only: { type: 'string', default: 's3-json,s3-parquet,elasticsearch,s3-hourly' },
    write: { type: 'boolean' },
  },
})
const rounds = Number(options.rounds)
const partitions = 4
const hourlyPartitions = 100
/** So that each partition is a whole number of objects. */
const objectsAPartition = 5
const step = partitions * objectsAPartition * hourlyPartitions
const records = Math.max(step, Math.floor(Number(options.records) / step) * step)
const recordsAnObject = records / partitions / objectsAPartition

interface Measured {
  readonly seconds: number
  readonly cpuSeconds: number
  readonly peakMiB: number
}

const place = await newPlace()
const log = await startTidewire([
  ...['log', '--data-dir', place.dataDir, '--log-port', String(place.logPort), '--log-level', 'error'],
])
const address = `127.0.0.1:${place.logPort}`
const client = createClient({ bootstrapServers: [address], clientId: 'bench' })
let runs = 0
try {
  await using targets = new Targets(client, address, { records, partitions, recordsAnObject, hourlyPartitions })
  const rows: (readonly string[])[] = []
  for (const name of options.only.split(',')) rows.push(await measureTarget(await targets.make(name)))
  const head = ['topic into', 'loop, records/s', 'sink, records/s', 'sink to loop', 'sink, MB/s']
  const rest = ['CPU µs/record, loop', 'sink', 'peak RSS MiB, loop', 'sink']
  await report(
    'sinks',
    `npm run bench:sinks -- --records ${records} --rounds ${rounds}`,
    `${records.toLocaleString('en')} records of about 200 bytes of JSON (for Parquet the same in Avro), ${partitions} topic partitions, one task, ${recordsAnObject.toLocaleString('en')} records an object, bulks of 2,000 documents; ` +
      `median of ${rounds} rounds, loop and sink in turn. MB are of values as they lie in the topic. The time of both begins when they are ready, and ends when the last record is stored, for the sink when its group has committed all offsets; the sink's process is the whole worker. ` +
      `Hourly: ${hourlyPartitions} topic partitions, records of 24 hours by turns, so that ${(24 * hourlyPartitions).toLocaleString('en')} objects are open.\n\n` +
      table([...head, ...rest], rows),
  )
} finally {
  await client.close()
  await log.stop('SIGKILL')
  await place.remove()
}

async function measureTarget(target: Target): Promise<readonly string[]> {
  const loops: Measured[] = []
  const sinks: Measured[] = []
  for (let round = 0; round < rounds; round++) {
    const first = await target.run()
    if (first.bare !== undefined) {
      loops.push(await runBare(target.topic, first.bare))
      await first.check()
    }
    const second = await target.run()
    sinks.push(await runSink(target.topic, second.config))
    await second.check()
  }
  const rate = (all: readonly Measured[]): number => median(all.map(({ seconds }) => records / seconds))
  const shown = (all: readonly Measured[], text: (of: readonly Measured[]) => string): string =>
    all.length === 0 ? '' : text(all)
  const cpu = (all: readonly Measured[]): string =>
    median(all.map((one) => (one.cpuSeconds * 1e6) / records)).toFixed(2)
  const peak = (all: readonly Measured[]): string => Math.max(...all.map(({ peakMiB }) => peakMiB)).toFixed(0)
  const grouped = (all: readonly Measured[]): string => Math.round(rate(all)).toLocaleString('en')
  return [
    target.name,
    shown(loops, grouped),
    grouped(sinks),
    shown(loops, () => (rate(sinks) / rate(loops)).toFixed(2)),
    ((rate(sinks) * target.topic.valueBytes) / records / 1e6).toFixed(1),
    shown(loops, cpu),
    cpu(sinks),
    shown(loops, peak),
    peak(sinks),
  ]
}

/** Runs work, and looks at a process meanwhile. */
async function watched(pid: number, work: () => Promise<void>): Promise<Measured> {
  let peakMiB = 0
  const look = (): void => {
    peakMiB = Math.max(
      peakMiB,
      processTree(pid).reduce((sum, { rssMiB }) => sum + rssMiB, 0),
    )
  }
  const cpu = cpuSeconds(pid)
  const timer = setInterval(look, 100)
  const begun = performance.now()
  try {
    await work()
    return { seconds: (performance.now() - begun) / 1000, cpuSeconds: cpuSeconds(pid) - cpu, peakMiB }
  } finally {
    clearInterval(timer)
  }
}

async function runBare(topic: Topic, store: Readonly<Record<string, unknown>>): Promise<Measured> {
  const job = { address, topic: topic.name, partitions: topic.partitions, records, ...store } as BareJob
  const program = join(import.meta.dirname, 'bare-loop.ts')
  const child = spawn(process.execPath, [program, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'inherit'] })
  const exited = once(child, 'exit')
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text))
  const says = (word: string): Promise<true> =>
    until(
      `the bare loop to be ${word}`,
      () => {
        if (child.exitCode !== null && child.exitCode > 0) throw new Error('the bare loop failed')
        return output.includes(word)
      },
      3_600_000,
    )
  try {
    await says('ready')
    return await watched(child.pid!, async () => {
      child.stdin.write('go\n')
      await says('done')
    })
  } finally {
    child.stdin.end()
    await exited
  }
}

async function runSink(topic: Topic, config: Readonly<Record<string, string>>): Promise<Measured> {
  const name = `bench-${++runs}`
  const { restPort, remove } = await newPlace()
  const worker = await startTidewire([
    ...['worker', 'config/worker.properties', '--log-level', 'warn'],
    ...['--set', `bootstrap.servers=${address}`, `listeners=http://127.0.0.1:${restPort}`],
    ...[`group.id=${name}`, 'offset.flush.interval.ms=1000'],
    ...['config', 'offset', 'status', 'assignment'].map((what) => `${what}.storage.topic=${name}-${what}`),
  ])
  const rest = restClient(`http://127.0.0.1:${restPort}`)
  try {
    const all = { 'tasks.max': '1', topics: topic.name, ...config }
    const made = await rest.ask('POST', '/connectors', { name, config: all, initial_state: 'PAUSED' })
    if (made.status !== 201) throw new Error(`${name}: ${JSON.stringify(made)}`)
    await rest.reaches(name, 'PAUSED', 1)
    return await watched(worker.pid, async () => {
      await rest.ask('PUT', `/connectors/${name}/resume`)
      let looks = 0
      await until(
        `${name} to have stored all`,
        async () => {
          if (++looks % 50 === 0) await stillRuns(rest, name)
          const offsets = await client.admin.groupOffsets(`connect-${name}`)
          return offsets.reduce((sum, { offset }) => sum + offset, 0) === records
        },
        3_600_000,
      )
    })
  } finally {
    await worker.stop()
    await remove()
  }
}

async function stillRuns(rest: ReturnType<typeof restClient>, name: string): Promise<void> {
  const failed = (await rest.status(name)).tasks.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) throw new Error(`${name}: ${failed.trace}`)
}
