/**
 * The bundled log beside Apache Kafka: Kafka's own load generators on either in turn, on one disk, in one run.
 *
 *   npm run bench:log -- [--small 1000000] [--large 200000] [--rounds 1] [--only 1024] [--servers tidewire,kafka] [--write]
 *
 * `small` and `large` are how many records of 100 B and 1 KiB. Needs java and, the first time, mvn.
 */
import { parseArgs } from 'node:util'
import { createClient } from '../../core/src/client/log-client.ts'
import { cpuSeconds } from '../support/process-tree.ts'
import { median, report, table } from '../support/report.ts'
import { consume, produce } from './perf-tools.ts'
import { residentMiB, startKafka, startTidewire, type Server } from './servers.ts'

const { values } = parseArgs({
  options: {
    small: { type: 'string', default: '1000000' },
    large: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string' },
    servers: { type: 'string', default: 'tidewire,kafka' },
    partitions: { type: 'string', default: '1,12' },
    write: { type: 'boolean', default: false },
  },
})
const IDLE_MS = 5_000
const WARM_UP_RECORDS = 100_000

interface Figure {
  readonly recordsPerSecond: number
  readonly p99Ms?: number
  /** Processor time of the server, in microseconds a record. */
  readonly cpuMicros: number
}

/** Figures of all rounds by what was measured, then by server. */
type Results = Map<string, Map<Server, Figure[]>>

async function measured(server: Server, records: number, run: () => Promise<Omit<Figure, 'cpuMicros'>>) {
  const before = cpuSeconds(server.pid())
  const figures = await run()
  return { ...figures, cpuMicros: ((cpuSeconds(server.pid()) - before) / records) * 1e6 }
}

async function round(servers: readonly Server[], results: Results, bytes: number, partitions: number, records: number) {
  const label = `${bytes === 1024 ? '1 KiB' : `${bytes} B`}, ${partitions} partition${partitions > 1 ? 's' : ''}`
  const note = (server: Server, what: string, figure: Figure) => {
    const byServer = results.get(`${what} ${label}`) ?? new Map<Server, Figure[]>()
    results.set(`${what} ${label}`, byServer)
    byServer.set(server, [...(byServer.get(server) ?? []), figure])
    console.error(`${what} ${label}, ${server.name}: ${JSON.stringify(figure)}`)
  }
  const topic = `bench-${bytes}-${partitions}-${Date.now()}`
  for (const acks of ['1', 'all']) {
    for (const server of servers) {
      const load = { address: server.address, topic: `${topic}-${acks}`, records }
      await withAdmin(server, (admin) => admin.createTopics([{ topic: load.topic, partitions, replicationFactor: 1 }]))
      const figure = await measured(server, records, () => produce(load, bytes, acks))
      note(server, `produce acks=${acks}`, figure)
    }
  }
  for (const server of servers) {
    const load = { address: server.address, topic: `${topic}-all`, records }
    note(server, 'consume', await measured(server, records, async () => ({ recordsPerSecond: await consume(load) })))
  }
  for (const server of servers) {
    await withAdmin(server, (admin) => admin.deleteTopics([`${topic}-1`, `${topic}-all`]))
  }
}

async function withAdmin(
  { address }: Server,
  call: (admin: ReturnType<typeof createClient>['admin']) => Promise<unknown>,
): Promise<void> {
  const client = createClient({ bootstrapServers: [address], clientId: 'bench' })
  await call(client.admin)
  await client.close()
}

/** The first load finds code that nobody has compiled yet, on either side. */
async function warmUp(server: Server): Promise<void> {
  const load = { address: server.address, topic: 'warm-up', records: WARM_UP_RECORDS }
  await withAdmin(server, (admin) => admin.createTopics([{ topic: 'warm-up', partitions: 1, replicationFactor: 1 }]))
  await produce(load, 100, 'all')
  await consume(load)
  await withAdmin(server, (admin) => admin.deleteTopics(['warm-up']))
}

function speeds(servers: readonly Server[], results: Results): string {
  const names = servers.map(({ name }) => name)
  const ratio = servers.length === 2
  const head = [
    'median',
    ...names.map((name) => `${name}, records/s`),
    ...(ratio ? ['ratio'] : []),
    ...names.map((name) => `${name}, p99 ms`),
    ...names.map((name) => `${name}, server CPU µs/record`),
  ]
  const rows = [...results].map(([what, byServer]) => {
    const of = (pick: (figure: Figure) => number) => servers.map((server) => median(byServer.get(server)!.map(pick)))
    const rates = of(({ recordsPerSecond }) => recordsPerSecond)
    const p99 = of(({ p99Ms }) => p99Ms ?? Number.NaN)
    return [
      what,
      ...rates.map((rate) => Math.round(rate).toLocaleString('en')),
      ...(ratio ? [(rates[0]! / rates[1]!).toFixed(2)] : []),
      ...p99.map((ms) => (Number.isNaN(ms) ? '' : String(ms))),
      ...of(({ cpuMicros }) => cpuMicros).map((micros) => micros.toFixed(2)),
    ]
  })
  return table(head, rows)
}

interface Footprint {
  readonly startMs: readonly number[]
  readonly idleMiB: number
  readonly peakMiB: number
}

/** Start, and memory with nothing to do: before any load, so that there is nothing to recover. */
async function footprint(server: Server): Promise<Omit<Footprint, 'peakMiB'>> {
  const startMs: number[] = []
  for (let i = 0; i < 3; i++) startMs.push(await server.restartMs())
  await new Promise((done) => setTimeout(done, IDLE_MS))
  return { startMs, idleMiB: residentMiB(server.pid()).now }
}

const servers: Server[] = []
try {
  if (values.servers.includes('tidewire')) servers.push(await startTidewire())
  if (values.servers.includes('kafka')) servers.push(await startKafka())
  const idle = new Map<Server, Omit<Footprint, 'peakMiB'>>()
  for (const server of servers) idle.set(server, await footprint(server))
  for (const server of servers) await warmUp(server)
  const results: Results = new Map()
  for (let i = 0; i < Number(values.rounds); i++) {
    for (const [bytes, records] of [
      [100, Number(values.small)],
      [1024, Number(values.large)],
    ] as const) {
      if (values.only !== undefined && Number(values.only) !== bytes) continue
      for (const partitions of values.partitions.split(',').map(Number)) {
        // Whoever goes first may find a quieter machine.
        const order = i % 2 === 0 ? servers : [...servers].reverse()
        await round(order, results, bytes, partitions, records)
      }
    }
  }
  const memory = table(
    ['', 'start to first answer, median ms', 'idle, MiB', 'most under load, MiB'],
    servers.map((server) => {
      const { startMs, idleMiB } = idle.get(server)!
      const peak = residentMiB(server.pid()).peak
      return [server.name, median(startMs).toFixed(0), idleMiB.toFixed(0), peak.toFixed(0)]
    }),
  )
  const size = `${values.small} records of 100 B, ${values.large} of 1 KiB, ${values.rounds} round(s)`
  await report('log', 'npm run bench:log', `${size}.\n\n${speeds(servers, results)}\n\n${memory}`)
} finally {
  for (const server of servers) await server.close()
}
