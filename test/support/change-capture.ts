/**
 * Runs a script of SQL against a database that connectors capture, each into a log of its own: a snapshot of what is
 * there first, then step by step, each step when all have delivered the one before.
 */
import { countRecords, readChangeEvents, type ChangeEvent } from './change-events.ts'
import { debeziumPlugins } from './debezium.ts'
import { testKafka } from './kafka.ts'
import type { TestPostgres } from './postgres.ts'
import { newPlace, startPlatform } from './tidewire.ts'
import { until } from './until.ts'
import { connectWorkers } from './worker-processes.ts'
import { restClient } from './worker.ts'

/** A worker with its log. */
export interface CaptureStack {
  /** Also the name of its slots' beginnings: small letters. */
  readonly name: string
  /** Of the log. */
  readonly address: string
  /** Of the worker. */
  readonly url: string
  readonly close: () => Promise<void>
}

export interface CaptureScript {
  /** In the names of the database, the slots and the topics: small letters, digits and `_`. */
  readonly name: string
  readonly config?: Readonly<Record<string, string>>
  /** Statements before the connectors are there. */
  readonly before: readonly string[]
  /**
   * Statements while they stream. All readers have got a step's changes before the next one begins. Left out: they end
   * with the snapshot.
   */
  readonly steps?: readonly (readonly string[])[]
}

/** Written to after each step; captured like the tables of the script. */
const markerTable = 'script_step'

export async function debeziumStack(): Promise<CaptureStack> {
  const kafka = await testKafka()
  const worker = await connectWorkers.start({
    address: kafka.address,
    groupId: 'debezium',
    settings: { 'plugin.path': await debeziumPlugins() },
  })
  return {
    name: 'debezium',
    address: kafka.address,
    url: worker.url,
    close: async () => {
      await worker.kill()
      await kafka.close()
    },
  }
}

export async function tidewireStack(): Promise<CaptureStack> {
  const place = await newPlace()
  const platform = await startPlatform(place, { args: ['--empty'] })
  return {
    name: 'tidewire',
    address: `127.0.0.1:${place.logPort}`,
    url: platform.rest,
    close: async () => {
      await platform.stop('SIGKILL')
      await place.remove()
    },
  }
}

async function runSteps(
  postgres: TestPostgres,
  stacks: readonly CaptureStack[],
  connector: string,
  database: string,
  steps: NonNullable<CaptureScript['steps']>,
): Promise<void> {
  for (const [step, statements] of steps.entries()) {
    await runAll(postgres, database, [...statements, `INSERT INTO ${markerTable} VALUES (${step})`])
    const marked = (stack: CaptureStack) => async () =>
      (await countRecords(stack.address, `${connector}.public.${markerTable}`)) > step ||
      (await taskRuns(stack, connector), false)
    await Promise.all(stacks.map((stack) => until(`${stack.name} to deliver step ${step}`, marked(stack), 110_000)))
  }
  const [{ lsn }] = (await postgres.sql(currentLsn, database)) as [{ lsn: number }]
  await runAll(postgres, database, [`INSERT INTO ${markerTable} VALUES (${steps.length})`])
  const settled = (stack: CaptureStack) => async () => (await committedLsn(stack, connector)) >= lsn
  await Promise.all(stacks.map((stack) => until(`${stack.name} to have delivered all`, settled(stack), 110_000)))
}

const currentLsn = `SELECT (pg_current_wal_lsn() - '0/0')::float8 AS lsn`

interface StoredOffset {
  readonly partition: Readonly<Record<string, unknown>>
  readonly offset: { readonly lsn?: number; readonly snapshot?: string; readonly last_snapshot_record?: boolean } | null
}

/** Up to where all is in the log: records of one topic may overtake those of another, offsets overtake none. */
async function committedLsn(stack: CaptureStack, connector: string): Promise<number> {
  return (await storedOffset(stack, connector))?.lsn ?? 0
}

async function storedOffset(stack: CaptureStack, connector: string): Promise<StoredOffset['offset'] | undefined> {
  const { body } = await restClient(stack.url).ask('GET', `/connectors/${connector}/offsets`)
  const { offsets } = body as { readonly offsets: readonly StoredOffset[] }
  // Ours also keeps how far the snapshot came with each table, and where it reads signals.
  return offsets.find(({ partition }) => Object.keys(partition).join() === 'server')?.offset
}

/** @returns the events of each stack in its order, by topic */
export async function capture(
  postgres: TestPostgres,
  stacks: readonly CaptureStack[],
  script: CaptureScript,
): Promise<Map<string, ChangeEvent[]>[]> {
  const database = `capture_${script.name}`
  await postgres.createDatabase(database)
  await runAll(postgres, database, [`CREATE TABLE ${markerTable} (step integer PRIMARY KEY)`, ...script.before])
  await Promise.all(stacks.map((stack) => begin(postgres, stack, script, database)))
  if (script.steps !== undefined) await runSteps(postgres, stacks, script.name, database, script.steps)
  const events = await Promise.all(stacks.map(({ address }) => readChangeEvents(address, `${script.name}.`)))
  await Promise.all(stacks.map((stack) => end(postgres, stack, script.name)))
  await postgres.sql(`DROP DATABASE ${database} WITH (FORCE)`)
  return events
}

/** Deploys the connector and waits until it streams, or all of its snapshot is in the log. */
async function begin(postgres: TestPostgres, stack: CaptureStack, script: CaptureScript, database: string) {
  const slot = slotOf(stack, script.name)
  await restClient(stack.url).deploy(script.name, {
    'connector.class': 'io.debezium.connector.postgresql.PostgresConnector',
    'tasks.max': '1',
    'database.hostname': postgres.host,
    'database.port': String(postgres.port),
    'database.user': postgres.user,
    'database.password': 'any',
    'database.dbname': database,
    'plugin.name': 'pgoutput',
    'slot.name': slot,
    'publication.name': slot,
    'topic.prefix': script.name,
    'poll.interval.ms': '20',
    'topic.creation.default.partitions': '1',
    'topic.creation.default.replication.factor': '1',
    'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
    'key.converter.schemas.enable': 'true',
    'value.converter.schemas.enable': 'true',
    ...script.config,
  })
  const hasSnapshot = async (): Promise<boolean> => {
    const offset = await storedOffset(stack, script.name)
    return (
      typeof offset === 'object' &&
      offset !== null &&
      (offset.snapshot === undefined || offset.last_snapshot_record === true)
    )
  }
  const streams = `SELECT 1 FROM pg_stat_replication r JOIN pg_replication_slots s ON s.active_pid = r.pid
    WHERE r.state = 'streaming' AND s.slot_name = '${slot}'`
  const isThere = async (): Promise<boolean> =>
    script.steps === undefined ? hasSnapshot() : (await postgres.sql(streams)).length === 1
  await until(
    `${stack.name} to ${script.steps === undefined ? 'have delivered the snapshot' : 'stream'}`,
    async () => (await isThere()) || (await taskRuns(stack, script.name), false),
    110_000,
  )
}

const slotOf = (stack: CaptureStack, script: string): string => `${stack.name}_${script}`

/** @throws Error with the trace of its failure */
async function taskRuns(stack: CaptureStack, connector: string): Promise<void> {
  const answer = await restClient(stack.url).ask('GET', `/connectors/${connector}/status`)
  // 404: a new connector is not known to all at once.
  const { tasks = [] } = answer.body as {
    readonly tasks?: readonly { readonly state: string; readonly trace?: string }[]
  }
  const failed = tasks.find(({ state }) => state === 'FAILED')
  if (failed !== undefined) throw new Error(`${stack.name} failed: ${failed.trace}`)
}

async function end(postgres: TestPostgres, stack: CaptureStack, script: string): Promise<void> {
  await restClient(stack.url).ask('DELETE', `/connectors/${script}`)
  const slot = slotOf(stack, script)
  const drop = `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = '${slot}'`
  await until(`${stack.name} to let go of its slot`, () =>
    postgres.sql(drop).then(
      () => true,
      () => false,
    ),
  )
}

/** Each statement is a transaction of its own, unless the script says otherwise. */
async function runAll(postgres: TestPostgres, database: string, statements: readonly string[]): Promise<void> {
  const client = await postgres.connect({ database })
  try {
    for (const statement of statements) {
      await client.query(statement).catch((error: unknown) => {
        throw new Error(`${statement}: ${String(error)}`, { cause: error })
      })
    }
  } finally {
    await client.end()
  }
}
