/**
 * pgbench on one database, change data capture into topics, and the sink into a replica, while worker, log and database are
 * killed at random: at the end the replica equals the origin, the table without a key too, where nothing could hide a row
 * that came twice. Short here; TIDEWIRE_SOAK_SECONDS makes it longer.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { askRest } from '../support/ask-rest.ts'
import { endWithTest } from '../support/end-with-test.ts'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'
import { seededRandom, seedOfRun } from '../support/random.ts'
import { newPlace, startTidewire, type Place, type Running } from '../support/tidewire.ts'
import { until } from '../support/until.ts'

const seconds = Number(process.env['TIDEWIRE_SOAK_SECONDS'] ?? 30)
/** For the end of what was written meanwhile to come through. */
const settleMs = 120_000 + seconds * 200
const seed = seedOfRun()
const missing = await postgresMissing()

const keyed = ['pgbench_accounts', 'pgbench_branches', 'pgbench_tellers'] as const
const tables = [...keyed, 'pgbench_history'] as const

describe.skipIf(missing !== undefined)(`with seed ${seed}${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let place: Place & { remove: () => Promise<void> }
  let log: Running
  let worker: Running
  let isOver = false

  const startLog = () =>
    startTidewire(['log', '--data-dir', place.dataDir, '--log-port', String(place.logPort), '--log-level', 'error'])
  const startWorker = () =>
    startTidewire([
      ...['worker', 'config/worker.properties', '--log-level', 'error'],
      ...['--set', `bootstrap.servers=127.0.0.1:${place.logPort}`, `listeners=http://127.0.0.1:${place.restPort}`],
      ...['offset.flush.interval.ms=500'],
    ])

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    await pgbench(['-i', '-s', '1', '-q'])
    await postgres.createDatabase('replica')
    await postgres.sql(
      `CREATE TABLE pgbench_accounts (aid int PRIMARY KEY, bid int, abalance int, filler char(84));
       CREATE TABLE pgbench_branches (bid int PRIMARY KEY, bbalance int, filler char(88));
       CREATE TABLE pgbench_tellers (tid int PRIMARY KEY, bid int, tbalance int, filler char(84));
       CREATE TABLE pgbench_history (tid int, bid int, aid int, delta int, mtime timestamp, filler char(22))`,
      'replica',
    )
    place = await newPlace()
    log = await startLog()
    worker = await startWorker()
  })
  afterAll(async () => {
    isOver = true
    await worker.stop()
    await log.stop()
    await place.remove()
    await postgres.close()
  })

  function runPgbench(args: readonly string[]): ChildProcess {
    const connection = ['-h', postgres.host, '-p', String(postgres.port), '-U', postgres.user]
    const child = spawn('pgbench', [...connection, ...args, postgres.database], { stdio: 'ignore' })
    endWithTest(child)
    return child
  }

  async function pgbench(args: readonly string[]): Promise<void> {
    const child = runPgbench(args)
    const [code] = (await once(child, 'exit')) as [number | null]
    if (code !== 0) throw new Error(`pgbench ${args.join(' ')} ended with ${code}`)
  }

  /** Transactions at a rate that leaves the machine room, through every end of the server. */
  async function load(): Promise<void> {
    while (!isOver) {
      const child = runPgbench(['-n', '-c', '4', '-R', '200', '-T', '3600'])
      await Promise.race([once(child, 'exit'), until('the end', () => isOver, 3_600_000)])
      child.kill('SIGKILL')
    }
  }

  const rest = () => `http://127.0.0.1:${place.restPort}`

  const put = async (name: string, config: Record<string, string>): Promise<void> => {
    const { status, body } = await askRest(rest(), 'PUT', `/connectors/${name}/config`, {
      body: config,
    })
    expect(status, JSON.stringify(body)).toBe(201)
  }

  const sinkOf = (topics: readonly string[], more: Record<string, string>) =>
    put(`replica-${more['insert.mode']!}`, {
      'connector.class': 'postgres-sink',
      topics: topics.map((table) => `bank.public.${table}`).join(','),
      'connection.url': `jdbc:postgresql://${postgres.host}:${postgres.port}/replica`,
      'connection.user': postgres.user,
      'table.name.format': '${source.table}',
      'exactly.once': 'true',
      ...more,
    })

  const checksum = async (table: string, database: string): Promise<unknown> => {
    const [row] = await postgres.sql(
      `SELECT count(*)::int AS rows, md5(string_agg(t::text, '|' ORDER BY t::text)) AS sum FROM ${table} t`,
      database,
    )
    return row
  }

  test('the replica equals the origin', { timeout: 300_000 + seconds * 1000 + settleMs }, async () => {
    const random = seededRandom(seed)
    await put('origin', {
      'connector.class': 'postgres-cdc',
      'database.hostname': postgres.host,
      'database.port': String(postgres.port),
      'database.user': postgres.user,
      'database.dbname': postgres.database,
      'topic.prefix': 'bank',
      'slot.name': 'bank',
      'table.include.list': 'public\\.pgbench_.*',
      'heartbeat.interval.ms': '1000',
    })
    await until(
      'the topics to be there',
      async () => {
        const { body } = await askRest(rest(), 'GET', '/connectors/origin/topics')
        const { topics } = (body as { origin: { topics: string[] } }).origin
        return keyed.every((table) => topics.includes(`bank.public.${table}`))
      },
      120_000,
    ).catch(async (error: unknown) => {
      throw new Error(JSON.stringify(await askRest(rest(), 'GET', '/connectors/origin/status')), { cause: error })
    })
    await sinkOf(keyed, { 'insert.mode': 'upsert', 'pk.mode': 'record_key', 'delete.enabled': 'true' })
    await sinkOf(['pgbench_history'], { 'insert.mode': 'insert', 'pk.mode': 'none' })
    const loading = load()
    const end = performance.now() + seconds * 1000
    let kills = 0
    // On a slow machine a start takes long: three all the same.
    while (kills < 3 || performance.now() < end) {
      await new Promise((resolve) => setTimeout(resolve, random.between(1000, 6000)))
      const whom = random.below(10)
      if (whom < 4) {
        await worker.stop('SIGKILL')
        worker = await startWorker()
      } else if (whom < 7) {
        await log.stop('SIGKILL')
        log = await startLog()
      } else {
        await postgres.kill()
        await postgres.start()
      }
      kills++
    }
    isOver = true
    await loading
    await postgres.sql("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgbench'")
    const origin = await Promise.all(tables.map((table) => checksum(table, 'postgres')))
    expect((origin.at(-1) as { rows: number }).rows).toBeGreaterThan(100)
    let replica: unknown
    await until(
      'the replica to be as the origin',
      async () => {
        replica = await Promise.all(tables.map((table) => checksum(table, 'replica')))
        return JSON.stringify(replica) === JSON.stringify(origin)
      },
      settleMs,
    ).catch(async () => {
      const { body } = await askRest(rest(), 'GET', '/connectors?expand=status')
      expect({ replica, states: body }).toEqual({ replica: origin, states: undefined })
    })
  })
})
