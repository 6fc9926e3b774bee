/**
 * The two main paths through a worker: file source → topic and topic → file sink, lines of 100 bytes, one task and one
 * topic partition each, at least once and exactly once. The log is a process of its own, as is usual.
 *
 *     node bench/paths/file.ts [lines] [--write] [--peer]
 *
 * `--peer` measures whole workers instead, ours and Kafka Connect's side by side.
 *
 * With `--cpu-prof` the host thread writes a profile of its own.
 */
import { rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createClient } from '../../core/src/client/log-client.ts'
import { parseWorkerConfig } from '../../core/src/config/worker-settings.ts'
import { createProcessLogger } from '../../core/src/logging/logger.ts'
import { TaskHosts } from '../../core/src/worker/task-hosts.ts'
import type { TaskSpec } from '../../core/src/worker/task-spec.ts'
import { brokerProcess, temporaryFolder } from '../../test/support/broker.ts'
import { digest } from '../support/digest.ts'
import { cpuSeconds } from '../support/process-tree.ts'
import { report, table } from '../support/report.ts'
import { comparePaths } from './peers.ts'

const count = Number(process.argv.slice(2).find((argument) => /^\d+$/.test(argument)) ?? 1_000_000)
const folder = await temporaryFolder()
const input = join(folder, 'in.txt')
await writeFile(input, Array.from({ length: count }, (_, i) => `${i} `.padEnd(99, 'x') + '\n').join(''))
if (process.argv.includes('--peer')) {
  await comparePaths(input, count, folder)
  await rm(folder, { recursive: true })
  process.exit(0)
}
const broker = await brokerProcess(join(folder, 'log'))
const client = createClient({ bootstrapServers: [broker.address], clientId: 'bench' })
await client.admin.createTopics([
  { topic: 'connect-offsets', partitions: 1, replicationFactor: 1, config: { 'cleanup.policy': 'compact' } },
])

const url = (path: string): string => new URL(`../../${path}`, import.meta.url).href
const converter = (name: string): TaskSpec['keyConverter'] => ({
  ref: { module: url('core/src/convert/plugin.ts'), name, version: '0' },
  config: {},
})

function spec(name: string, connector: 'file-source' | 'file-sink', config: Record<string, string>): TaskSpec {
  return {
    connector: name,
    task: 0,
    type: connector === 'file-source' ? 'source' : 'sink',
    plugin: { module: url('connectors/file/index.ts'), name: connector, version: '0' },
    config: { name, 'connector.class': connector, ...config },
    keyConverter: converter('string'),
    valueConverter: converter('string'),
    headerConverter: converter('simple'),
    transforms: [],
    targetState: 'STARTED',
    generation: 1,
  }
}

async function measure(name: string, task: TaskSpec, support: string, done: () => Promise<boolean>): Promise<string[]> {
  const { config } = parseWorkerConfig({
    'bootstrap.servers': broker.address,
    'exactly.once.source.support': support,
    'offset.flush.interval.ms': '1000',
  })
  let running: (() => void) | undefined
  const started = new Promise<void>((resolve) => (running = resolve))
  const hosts = new TaskHosts({
    config,
    workerId: 'bench',
    logger: createProcessLogger('warn'),
    onStatus: ({ state, trace }) => {
      if (state === 'RUNNING') running?.()
      else if (trace !== undefined) throw new Error(trace)
    },
  })
  hosts.warmUp()
  await new Promise((resolve) => setTimeout(resolve, 1500))
  const cpu = process.cpuUsage()
  const brokerCpu = cpuSeconds(broker.pid)
  const begun = performance.now()
  await hosts.startTask(task)
  await started
  while (!(await done())) await new Promise((resolve) => setTimeout(resolve, 5))
  const seconds = (performance.now() - begun) / 1000
  const { user, system } = process.cpuUsage(cpu)
  const log = cpuSeconds(broker.pid) - brokerCpu
  await hosts.close()
  return [
    name,
    Math.round(count / seconds).toLocaleString('en'),
    ((user + system) / count).toFixed(2),
    ((log * 1e6) / count).toFixed(2),
  ]
}

const endOf = async (topic: string): Promise<number> => {
  if ((await client.admin.topics([topic])).length === 0) return 0
  return (await client.admin.offsets([{ topic, partition: 0 }], 'latest'))[0]!.offset
}
const sizeOf = async (file: string): Promise<number> => (await stat(file).catch(() => ({ size: 0 }))).size
const size = await sizeOf(input)

const rows: string[][] = []
for (const [support, topic] of [
  ['disabled', 'lines'],
  ['enabled', 'lines-once'],
] as const) {
  const source = spec(`source-${topic}`, 'file-source', { file: input, topic })
  const name = `file → topic, ${support === 'enabled' ? 'exactly' : 'at least'} once`
  rows.push(await measure(name, source, support, async () => (await endOf(topic)) >= count))
}
for (const once of ['false', 'true']) {
  const output = join(folder, `out-${once}.txt`)
  const sink = spec(`sink-${once}`, 'file-sink', { file: output, topics: 'lines', 'exactly.once': once })
  const name = `topic → file, ${once === 'true' ? 'exactly' : 'at least'} once`
  rows.push(await measure(name, sink, 'disabled', async () => (await sizeOf(output)) >= size))
  if ((await digest(output)) !== (await digest(input))) throw new Error(`${output} is not what went in`)
}
await client.close()
await broker.stop()
await rm(folder, { recursive: true })
await report(
  'paths-file',
  `node bench/paths/file.ts ${count}`,
  `${count.toLocaleString('en')} lines of 100 bytes, one task, one topic partition; start of the task included.\n\n` +
    table(['path', 'records/s', 'worker, CPU µs/record', 'log, CPU µs/record'], rows),
)
