/**
 * A topic into a PostgreSQL table, by ours and by Debezium's JDBC sink on Kafka Connect with Kafka, with the same config:
 *
 *     npm run bench:postgres-sink -- [--rows 200000] [--only tidewire|debezium] [--write]
 *
 * Plain records inserted; the same upserted over rows that are there; change events with updates and deletes. JSON with schemas,
 * which needs nothing beside either stack, one partition, one task. Debezium's as it comes, and tuned as its documentation has it.
 */
import { parseArgs } from 'node:util'
import type { OutRecord } from '../../core/src/client/client.ts'
import { startPostgres, type TestPostgres } from '../../test/support/postgres.ts'
import { until } from '../../test/support/until.ts'
import { restClient } from '../../test/support/worker.ts'
import { cpuSeconds, processTree } from '../support/process-tree.ts'
import { report, table } from '../support/report.ts'
import { changeEvent, plainRecord, type TopicRecord } from './sink-records.ts'
import { startDebeziumJdbcStack, startTidewireStack, type Stack, type StartStack } from './stacks.ts'

const { values: options } = parseArgs({
  options: {
    rows: { type: 'string', default: '200000' },
    only: { type: 'string' },
    write: { type: 'boolean' },
  },
})
const rows = Number(options.rows)

type Config = Readonly<Record<string, string>>

interface Contender {
  readonly name: string
  readonly start: StartStack
  /** Configs beside what all have, by what to call them. */
  readonly configs: readonly (readonly [string, Config])[]
}

const contenders: readonly Contender[] = [
  {
    name: 'tidewire',
    start: startTidewireStack,
    configs: [
      ['', {}],
      [', exactly once', { 'exactly.once': 'true' }],
    ],
  },
  {
    name: 'debezium',
    start: startDebeziumJdbcStack,
    configs: [
      ['', {}],
      [
        ', tuned',
        {
          'batch.size': '4000',
          'consumer.override.max.poll.records': '4000',
          'consumer.override.fetch.max.wait.ms': '100',
          'use.reduction.buffer': 'true',
          'dialect.postgres.unnest.insert.enabled': 'true',
        },
      ],
    ],
  },
]

const upsert = { 'insert.mode': 'upsert', 'primary.key.mode': 'record_key' }

interface Load {
  readonly what: string
  readonly topic: string
  readonly record: (index: number) => TopicRecord
  readonly config: Config
  /** Whether the table has all rows before. */
  readonly isFilled: boolean
}

const loads: readonly Load[] = [
  {
    what: 'plain records, insert',
    topic: 'orders',
    record: plainRecord,
    config: { 'insert.mode': 'insert', 'primary.key.mode': 'record_key' },
    isFilled: false,
  },
  { what: 'plain records, upsert of rows there', topic: 'orders', record: plainRecord, config: upsert, isFilled: true },
  {
    what: 'change events, upsert and delete',
    topic: 'shop.public.orders',
    record: changeEvent,
    config: { ...upsert, 'delete.enabled': 'true' },
    isFilled: false,
  },
]

type Column = ReadonlyMap<string, string>

const columns: (readonly [string, Column])[] = []
for (const contender of contenders) {
  if (options.only !== undefined && options.only !== contender.name) continue
  const postgres = await startPostgres({
    version: 'debian',
    settings: { shared_buffers: '512MB', max_wal_size: '8GB' },
  })
  try {
    columns.push(...(await measure(postgres, contender)))
  } finally {
    await postgres.close()
  }
}
const lines = [...columns[0]![1].keys()]
await report(
  'postgres-sink',
  `npm run bench:postgres-sink -- --rows ${rows}`,
  `A topic of ${rows.toLocaleString('en')} records, JSON with schemas, into a table with rows of about 200 bytes; one partition, one task. Change events: six inserts, three updates, one delete in ten. CPU: of worker and log, and of PostgreSQL.\n\n` +
    table(
      ['', ...columns.map(([name]) => name)],
      lines.map((line) => [line, ...columns.map(([, values]) => values.get(line) ?? '')]),
    ),
)

async function measure(postgres: TestPostgres, { start, configs }: Contender): Promise<[string, Column][]> {
  const stack = await start()
  try {
    for (const topic of new Set(loads.map((load) => load.topic))) await fill(stack, topic)
    const found: [string, Column][] = []
    for (const [what, config] of configs) {
      const values = new Map<string, string>()
      for (const load of loads) {
        const name = `sink-${found.length}-${loads.indexOf(load)}`
        const { perSecond, cpuMicros, databaseMicros } = await run(stack, postgres, load, name, config)
        values.set(`${load.what}, rows/s`, Math.round(perSecond).toLocaleString('en'))
        values.set(`${load.what}, CPU µs/row`, `${cpuMicros.toFixed(1)} + ${databaseMicros.toFixed(1)}`)
      }
      values.set('memory after these, MiB', stack.rssMiB().toFixed(0))
      found.push([stack.name + what, values])
    }
    return found
  } finally {
    await stack.client.close()
    await stack.close()
  }
}

async function fill(stack: Stack, topic: string): Promise<void> {
  const { record } = loads.find((load) => load.topic === topic)!
  await stack.client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
  const producer = stack.client.producer()
  const perCall = 1_000
  for (let from = 0; from < rows; from += perCall) {
    const records: OutRecord[] = []
    for (let index = from; index < Math.min(rows, from + perCall); index++) {
      records.push({ topic, partition: 0, ...record(index) })
    }
    await producer.produce(records)
  }
  await producer.close()
}

/** From the first row that is seen in the table to the last. */
async function run(
  stack: Stack,
  postgres: TestPostgres,
  load: Load,
  name: string,
  config: Config,
): Promise<{ perSecond: number; cpuMicros: number; databaseMicros: number }> {
  await postgres.sql(`DROP TABLE IF EXISTS orders;
    CREATE TABLE orders (id bigint PRIMARY KEY, customer text, status text, amount float8, quantity int, created_at timestamptz, note text)`)
  if (load.isFilled) {
    await postgres.sql(`INSERT INTO orders SELECT i, 'customer-' || i, 'OLD', 1, 1, now(), repeat('x', 70)
      FROM generate_series(0, ${rows - 1}) i`)
    await postgres.sql('VACUUM ANALYZE orders')
  }
  await postgres.sql('CHECKPOINT')
  const { ask, deploy } = restClient(stack.url)
  const client = await postgres.connect()
  try {
    /** Whether the row of a record is there. The first and the last of a topic have rows that stay. */
    const written = async (id: number): Promise<boolean> =>
      (await client.query("SELECT FROM orders WHERE id = $1 AND status <> 'OLD'", [id])).rowCount === 1
    await deploy(name, {
      'connector.class': 'io.debezium.connector.jdbc.JdbcSinkConnector',
      'tasks.max': '1',
      topics: load.topic,
      'connection.url': `jdbc:postgresql://${postgres.host}:${postgres.port}/${postgres.database}`,
      'connection.username': postgres.user,
      'connection.password': 'any',
      'collection.name.format': 'orders',
      'key.converter': 'org.apache.kafka.connect.json.JsonConverter',
      'value.converter': 'org.apache.kafka.connect.json.JsonConverter',
      ...load.config,
      ...config,
    })
    await waitFor(stack, 'the first row', () => written(0))
    const [cpu, database, begun] = [stack.cpuSeconds(), cpuOf(postgres), performance.now()]
    const before = await rowsWritten(client, load)
    await waitFor(stack, 'the last row', () => written(rows - 1))
    const seconds = (performance.now() - begun) / 1000
    const count = Math.max(1, rows - before)
    return {
      perSecond: count / seconds,
      cpuMicros: ((stack.cpuSeconds() - cpu) * 1e6) / count,
      databaseMicros: ((cpuOf(postgres) - database) * 1e6) / count,
    }
  } finally {
    await ask('DELETE', `/connectors/${name}`)
    await client.end()
  }
}

/** How far the sink was when the first row was seen: records that one commit brought. */
async function rowsWritten(client: Awaited<ReturnType<TestPostgres['connect']>>, { isFilled }: Load): Promise<number> {
  const where = isFilled ? "WHERE status <> 'OLD'" : ''
  const { rows: found } = await client.query<{ next: number }>(
    `SELECT coalesce(max(id)::int + 1, 0) AS next FROM orders ${where}`,
  )
  return found[0]!.next
}

function cpuOf(postgres: TestPostgres): number {
  return processTree(postgres.pid()).reduce((sum, { pid }) => sum + cpuSeconds(pid), 0)
}

async function waitFor(stack: Stack, what: string, isDone: () => Promise<boolean>): Promise<void> {
  let looks = 0
  await until(
    `${what} by ${stack.name}`,
    async () => {
      if (++looks % 50 === 0) await stillRuns(stack)
      return isDone()
    },
    3_600_000,
  )
}

async function stillRuns(stack: Stack): Promise<void> {
  const { body } = await restClient(stack.url).ask('GET', '/connectors?expand=status')
  const failed = /"trace":"(.*?)(?:\\n\\tat|")/.exec(JSON.stringify(body))
  if (failed === null) return
  const causes = [...JSON.stringify(body).matchAll(/Caused by: [^\\]*/g)].map(([cause]) => cause)
  throw new Error([`${stack.name}: ${failed[1]}`, ...causes].join('\n'))
}
