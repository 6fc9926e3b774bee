/** postgres-query on a real server: its modes, late commits, types, tables that come and go. */
import { Decimal, type SourceBatch, type SourceRecord } from '@tidewire/sdk'
import { runSource, sourceConformance, type OffsetStore, type SourceRun } from '@tidewire/sdk/testing'
import type pg from 'pg'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { postgresMissing, startPostgres, type TestPostgres } from '../../../test/support/postgres.ts'
import { until } from '../../../test/support/until.ts'
import { querySettings } from '../query/config.ts'
import { postgresQuery } from '../query/source.ts'

type Row = Record<string, unknown>
type Config = Record<string, string | number | boolean>

const missing = await postgresMissing('debian')

describe.skipIf(missing !== undefined)(`postgres-query${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let database: string
  let count = 0
  const runs: SourceRun[] = []
  const clients: pg.Client[] = []

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
  })
  afterAll(() => postgres.close())
  beforeEach(async () => {
    database = `db${count++}`
    await postgres.createDatabase(database)
  })
  afterEach(async () => {
    for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
    for (const client of clients.splice(0)) await client.end().catch(() => undefined)
  })

  const sql = (text: string) => postgres.sql(text, database)
  const configOf = (config: Config): Config => ({
    'connection.url': `jdbc:postgresql://${postgres.host}:${postgres.port}/${database}`,
    'connection.user': postgres.user,
    'topic.prefix': 'shop-',
    'poll.interval.ms': 10,
    ...config,
  })
  function start(config: Config, offsets?: OffsetStore | { partition: Row; offset: Row }[]): SourceRun {
    const run = runSource(postgresQuery, configOf(config), {
      timeoutMs: 20_000,
      ...(offsets === undefined ? {} : { offsets: offsets as OffsetStore }),
    })
    runs.push(run)
    return run
  }
  async function session(): Promise<pg.Client> {
    const client = await postgres.connect({ database })
    clients.push(client)
    return client
  }
  const rowOf = ({ value }: SourceRecord) => value as Row
  const ids = (records: readonly SourceRecord[]) => records.map((record) => rowOf(record)['id'])

  describe('incrementing', () => {
    const config = { mode: 'incrementing', 'incrementing.column.name': 'id' }

    test('new rows come in order, with Confluent’s partition and offset, and none twice after a restart', async () => {
      await sql(`CREATE TABLE orders (id bigserial, note text); INSERT INTO orders (note) VALUES ('a'), ('b'), ('c')`)
      const run = start(config)
      const [first, ...others] = await run.take(3)
      expect(first).toMatchObject({
        topic: 'shop-orders',
        value: { id: 1, note: 'a' },
        sourcePartition: { protocol: '1', table: `${database}.public.orders` },
        sourceOffset: { incrementing: 1 },
      })
      expect(first!.key).toBeUndefined()
      expect(first!.valueSchema).toMatchObject({ type: 'struct', name: 'orders' })
      expect(ids(others)).toEqual([2, 3])
      await run.acknowledge(2)
      await run.stop()
      await sql(`INSERT INTO orders (note) VALUES ('d')`)
      expect(ids(await start(config, run.offsets).take(2))).toEqual([3, 4])
    })

    test('a transaction is not left open for a connector that takes no more rows', async () => {
      await sql(
        `CREATE TABLE t (id serial, note text); INSERT INTO t (note) SELECT repeat('x', 100) FROM generate_series(1, 5000)`,
      )
      const open = async () =>
        (
          await sql(
            'SELECT FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND xact_start IS NOT NULL',
          )
        ).length
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
      const run = start(config)
      let taken: SourceRecord[]
      try {
        taken = await run.take()
        await run.acknowledge()
        expect(await open()).toBe(1)
        vi.advanceTimersByTime(5 * 60_000)
      } finally {
        vi.useRealTimers()
      }
      await until('the transaction to be over', async () => (await open()) === 0)
      await expect(run.take()).rejects.toMatchObject({ retriable: true, message: expect.stringContaining('public.t') })
      const rest = await start(config, run.offsets).take(5000 - taken.length)
      expect(ids([...taken, ...rest])).toEqual(Array.from({ length: 5000 }, (_, n) => n + 1))
    })

    test('numbers beyond 2^53 are exact in offsets', async () => {
      await sql(
        `CREATE TABLE t (id bigint NOT NULL); INSERT INTO t VALUES (1750000000000000001), (1750000000000000002)`,
      )
      const run = start(config)
      expect((await run.take(2))[0]!.sourceOffset).toEqual({ incrementing: '1750000000000000001' })
      await run.acknowledge(1)
      await run.stop()
      expect(ids(await start(config, run.offsets).take(1))).toEqual([1750000000000000002n])
    })

    test.each([[{ protocol: '1', table: 'public.t' }], [{ table: 't' }]])(
      'goes on from another version’s partition %j, and in it',
      async (partition) => {
        await sql(`CREATE TABLE t (id serial); INSERT INTO t SELECT FROM generate_series(1, 5)`)
        const records = await start(config, [{ partition, offset: { incrementing: 3 } }]).take(2)
        expect(ids(records)).toEqual([4, 5])
        expect(records[0]!.sourcePartition).toEqual(partition)
      },
    )

    test('a row committed after one with a greater number is not lost', async () => {
      await sql(`CREATE TABLE t (id serial, note text)`)
      const run = start({ ...config, 'incrementing.column.name': '' })
      const late = await session()
      await late.query(`BEGIN; INSERT INTO t (note) VALUES ('late')`)
      await sql(`INSERT INTO t (note) VALUES ('early')`)
      const taking = run.take(2)
      await until('the reader to wait', () => run.progress?.figures['tables_waiting'] === 1)
      await late.query('COMMIT')
      expect(ids(await taking)).toEqual([1, 2])
    })

    test('writers are seen through views, queries and partitions', async () => {
      await sql(
        `CREATE TABLE p (id serial, note text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (1000)`,
      )
      await sql(`CREATE VIEW v AS SELECT * FROM p`)
      const run = start({ ...config, query: 'SELECT v.id, v.note FROM v WHERE v.id > 0' })
      const late = await session()
      await late.query(`BEGIN; INSERT INTO p1 (id, note) VALUES (nextval('p_id_seq'), 'late')`)
      await sql(`INSERT INTO p (note) VALUES ('early')`)
      const taking = run.take(2)
      await until('the reader to wait', () => run.progress?.figures['tables_waiting'] === 1)
      await late.query('COMMIT')
      const records = await taking
      expect(ids(records)).toEqual([1, 2])
      expect(records[0]).toMatchObject({ topic: 'shop-', sourcePartition: { query: 'query' } })
    })

    test('a partition: a writer that so far has locked its parent’s parent only is seen', async () => {
      await sql(`CREATE TABLE p (id serial, note text) PARTITION BY RANGE (id);
        CREATE TABLE q PARTITION OF p FOR VALUES FROM (1) TO (2000) PARTITION BY RANGE (id);
        CREATE TABLE q1 PARTITION OF q FOR VALUES FROM (1) TO (1000)`)
      const late = await session()
      // As an INSERT does before it knows the partition.
      await late.query('BEGIN; LOCK TABLE ONLY p IN ROW EXCLUSIVE MODE')
      const { rows } = await late.query<{ id: string }>(`SELECT nextval('p_id_seq') AS id`)
      await sql(`INSERT INTO q1 (note) VALUES ('early')`)
      const run = start({ ...config, 'table.whitelist': 'q1' })
      const taking = run.take(2)
      await until('the reader to wait', () => run.progress?.figures['tables_waiting'] === 1)
      await late.query(`INSERT INTO p VALUES (${rows[0]!.id}, 'late'); COMMIT`)
      expect(ids(await taking)).toEqual([1, 2])
    })

    test('late.commits=ignore waits for nobody', async () => {
      await sql(`CREATE TABLE t (id serial, note text)`)
      const late = await session()
      await late.query(`BEGIN; INSERT INTO t (note) VALUES ('late')`)
      await sql(`INSERT INTO t (note) VALUES ('early')`)
      expect(ids(await start({ ...config, 'late.commits': 'ignore' }).take(1))).toEqual([2])
    })

    test('under concurrent writers nothing is lost or doubled', async () => {
      await sql(`CREATE TABLE t (id serial PRIMARY KEY, worker int)`)
      const run = start(config)
      const read: SourceRecord[] = []
      const reading = (async () => {
        while (!read.some((record) => rowOf(record)['worker'] === -1)) read.push(...(await run.take()))
      })()
      const workers = await Promise.all([0, 1, 2, 3].map(() => session()))
      const writing = workers.map(async (client, worker) => {
        for (let round = 0; round < 40; round++) {
          await client.query('BEGIN')
          await client.query(`INSERT INTO t (worker) VALUES (${worker}), (${worker})`)
          await client.query(`SELECT pg_sleep(${(worker * round) % 5} * 0.002)`)
          await client.query(round % 7 === 6 ? 'ROLLBACK' : 'COMMIT')
        }
      })
      await Promise.all(writing)
      await sql(`INSERT INTO t (worker) VALUES (-1)`)
      await reading
      expect(ids(read)).toEqual((await sql('SELECT id FROM t ORDER BY id')).map((row) => row['id']))
    })

    test('a column that may be null, or has no order, is refused', async () => {
      await sql(`CREATE TABLE t (id int, note text NOT NULL)`)
      await expect(start(config).take(1)).rejects.toThrow('may be null')
      await expect(start({ ...config, 'incrementing.column.name': 'note' }).take(1)).rejects.toThrow('neither smallint')
      await expect(start({ ...config, 'incrementing.column.name': 'ID' }).take(1)).rejects.toThrow('it has "id"')
      await expect(start({ ...config, 'incrementing.column.name': '' }).take(1)).rejects.toThrow(
        'no column with an identity',
      )
      await sql(`INSERT INTO t VALUES (1, 'a')`)
      const relaxed = { 'validate.non.null': false, 'incrementing.column.name': 'ID', 'quote.sql.identifiers': 'never' }
      expect(ids(await start({ ...config, ...relaxed }).take(1))).toEqual([1])
    })
  })

  describe('timestamp', () => {
    const config = { mode: 'timestamp', 'timestamp.column.name': 'updated' }

    test('rows of one time are read whole: only the last one has that time as its offset', async () => {
      await sql(`CREATE TABLE t (id int, updated timestamptz NOT NULL);
        INSERT INTO t VALUES (1, '2020-01-01 00:00:00.123456+00'), (2, '2020-01-01 00:00:00.123457+00'), (3, '2020-01-01 00:00:00.123457+00')`)
      const run = start(config)
      const records = await run.take(3)
      expect(records.map(({ sourceOffset }) => sourceOffset)).toEqual([
        { timestamp: 1577836800123, timestamp_nanos: 123456000 },
        { timestamp: 1577836800123, timestamp_nanos: 123456000 },
        { timestamp: 1577836800123, timestamp_nanos: 123457000 },
      ])
      await run.acknowledge(2)
      await run.stop()
      expect(ids(await start(config, run.offsets).take(2)).toSorted()).toEqual([2, 3])
    })

    test('transactions end where a time ends; batches do if that does not take too long', async () => {
      await sql(`CREATE TABLE t (id int, updated timestamptz NOT NULL);
        INSERT INTO t SELECT i, '2020-01-01+00'::timestamptz + (i / 150) * interval '1 s' FROM generate_series(0, 449) i;
        INSERT INTO t SELECT i, '2021-01-01+00' FROM generate_series(1, 1000) i`)
      const batches: SourceBatch[] = []
      const watched: typeof postgresQuery = {
        ...postgresQuery,
        read: async function* (context) {
          for await (const batch of await postgresQuery.read(context)) {
            batches.push(batch as SourceBatch)
            yield batch
          }
        },
      }
      const run = runSource(watched, configOf({ ...config, 'batch.max.rows': 100 }), { timeoutMs: 20_000 })
      runs.push(run)
      await run.take(1450)
      expect(batches.map(({ records, transaction }) => [records.length, transaction])).toEqual([
        ...[0, 1, 2].map(() => [150, 'commit']),
        ...[400, 400].map((rows) => [rows, undefined]),
        [200, 'commit'],
      ])
      for (const { records, transaction } of batches) {
        const last = records.at(-1)!
        const isWhole = last.sourceOffset!['timestamp'] === rowOf(last)['updated']
        expect(isWhole).toBe(transaction === 'commit')
      }
    })

    test('changed rows come again, and a transaction that writes is waited for', async () => {
      await sql(`CREATE TABLE t (id int, created timestamptz, updated timestamptz NOT NULL DEFAULT clock_timestamp())`)
      await sql(`INSERT INTO t VALUES (1), (2)`)
      const run = start({ ...config, 'timestamp.column.name': 'created,updated' })
      expect(ids(await run.take(2)).toSorted()).toEqual([1, 2])
      const late = await session()
      await late.query(`BEGIN; UPDATE t SET created = clock_timestamp() WHERE id = 1`)
      await sql(`UPDATE t SET created = clock_timestamp() WHERE id = 2`)
      const taking = run.take(2)
      await until('the reader to wait', () => run.progress?.figures['tables_waiting'] === 1)
      await late.query('COMMIT')
      expect(ids(await taking)).toEqual([1, 2])
    })

    test('db.timezone: columns without a zone are in it, and offsets are in UTC', async () => {
      await sql(
        `CREATE TABLE t (id int, updated timestamp NOT NULL); INSERT INTO t VALUES (1, '2020-07-01 12:00:00.000001')`,
      )
      const zone = { ...config, 'db.timezone': 'Europe/Berlin' }
      const run = start(zone)
      const [record] = await run.take(1)
      expect(rowOf(record!)['updated']).toBe(Date.UTC(2020, 6, 1, 10))
      expect(record!.sourceOffset).toEqual({ timestamp: Date.UTC(2020, 6, 1, 10), timestamp_nanos: 1000 })
      await run.acknowledge()
      await run.stop()
      await sql(`INSERT INTO t VALUES (2, '2020-07-01 12:00:00.000002')`)
      const texts = start({ ...zone, 'timestamp.granularity': 'micros_iso_datetime_string' }, run.offsets)
      expect((await texts.take(1)).map(rowOf)).toEqual([{ id: 2, updated: '2020-07-01T12:00:00.000002' }])
    })

    test('timestamp.initial, and the delay', async () => {
      await sql(`CREATE TABLE t (id int, updated timestamptz NOT NULL);
        INSERT INTO t VALUES (1, '2020-01-01+00'), (2, '2021-01-01+00'), (3, now() - interval '1 minute'), (4, now() + interval '1 hour')`)
      const initial = { 'timestamp.initial': Date.UTC(2020, 5) }
      expect(ids(await start({ ...config, ...initial }).take(2))).toEqual([2, 3])
      const delayed = start({ ...config, ...initial, 'timestamp.delay.interval.ms': 3_600_000 })
      expect(ids(await delayed.take())).toEqual([2])
    })

    test('timestamp.initial=-1 is the time of the first start, whatever comes until the next', async () => {
      await sql(`CREATE TABLE t (id int, updated timestamptz NOT NULL); INSERT INTO t VALUES (1, now())`)
      const run = start({ ...config, 'timestamp.initial': -1 })
      expect(await run.take()).toEqual([])
      await run.acknowledge()
      await run.stop()
      await sql(`INSERT INTO t VALUES (2, clock_timestamp())`)
      expect(ids(await start({ ...config, 'timestamp.initial': -1 }, run.offsets).take(1))).toEqual([2])
    })

    test('times before Christ', async () => {
      await sql(`CREATE TABLE t (id int, updated timestamptz NOT NULL);
        INSERT INTO t VALUES (1, '0044-03-15 12:00:00.5+00 BC'), (2, '0044-03-16+00 BC')`)
      const run = start(config)
      await run.take(2)
      await run.acknowledge(1)
      await run.stop()
      expect(ids(await start(config, run.offsets).take(1))).toEqual([2])
    })
  })

  describe('timestamp+incrementing', () => {
    const config = {
      mode: 'timestamp+incrementing',
      'timestamp.column.name': 'updated',
      'incrementing.column.name': 'id',
    }

    test('goes on in the middle of one time', async () => {
      await sql(`CREATE TABLE t (id int NOT NULL, updated timestamptz NOT NULL);
        INSERT INTO t SELECT i, '2020-01-01 00:00:00+00' FROM generate_series(1, 5) i; INSERT INTO t VALUES (0, '2020-01-02+00')`)
      const run = start(config)
      expect(ids(await run.take(6))).toEqual([1, 2, 3, 4, 5, 0])
      await run.acknowledge(3)
      await run.stop()
      expect(ids(await start(config, run.offsets).take(3))).toEqual([4, 5, 0])
    })
  })

  test('bulk: everything, at each poll, with no position; one transaction each', async () => {
    await sql(`CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)`)
    const run = start({ mode: 'bulk', 'key.mode': 'primary_key' })
    const records = await run.take(4)
    expect(ids(records)).toEqual([1, 2, 1, 2])
    expect(records[0]).toMatchObject({ key: { id: 1 }, keySchema: { name: 't.Key' } })
    expect(records[0]!.sourceOffset).toBeUndefined()
  })

  test('bulk: a query as it is, with its order, a comment at its end and a suffix', async () => {
    await sql(`CREATE TABLE t (id int); INSERT INTO t VALUES (1), (2), (3)`)
    const run = start({ mode: 'bulk', query: 'SELECT id FROM t ORDER BY id DESC -- newest', 'query.suffix': 'LIMIT 2' })
    expect(ids(await run.take())).toEqual([3, 2])
  })

  test('tables: lists, new ones, dropped ones', async () => {
    await sql(`CREATE TABLE a (id serial); CREATE TABLE b (id serial); CREATE SCHEMA x; CREATE TABLE x.c (id serial)`)
    await sql(`INSERT INTO a SELECT; INSERT INTO b SELECT; INSERT INTO x.c SELECT`)
    const run = start({
      ...{ mode: 'incrementing', 'table.poll.interval.ms': 50 },
      'table.include.list': `.*\\.public\\..*,x\\.c`,
      'table.exclude.list': 'b',
    })
    expect((await run.take(2)).map(({ topic }) => topic).toSorted()).toEqual(['shop-a', 'shop-c'])
    await sql(`DROP TABLE a; CREATE TABLE d (id serial); INSERT INTO d SELECT`)
    expect((await run.take(1)).map(({ topic }) => topic)).toEqual(['shop-d'])
  })

  test('two tables of one name are refused', async () => {
    await sql(`CREATE SCHEMA x; CREATE TABLE t (id serial); CREATE TABLE x.t (id serial)`)
    await expect(start({ mode: 'bulk' }).take(1)).rejects.toThrow('would both go to topic shop-t')
    await sql(`INSERT INTO x.t SELECT`)
    expect(ids(await start({ mode: 'bulk', 'schema.pattern': 'x' }).take(1))).toEqual([1])
  })

  test('the tables are divided among tasks, and each is read by one', async () => {
    const names = ['a', 'b', 'c', 'd', 'e']
    await sql(names.map((name) => `CREATE TABLE ${name} (id serial); INSERT INTO ${name} SELECT`).join(';'))
    const parsed = (await import('@tidewire/sdk/testing')).parseConfig(
      postgresQuery,
      configOf({ mode: 'incrementing' }),
    )
    const plan = await postgresQuery.tasks!(parsed, 2, { signal: new AbortController().signal, log: console })
    expect(plan).toHaveLength(2)
    const tasks = plan.map((task) => start({ mode: 'incrementing', 'table.poll.interval.ms': 50, ...task }))
    const topics = [await tasks[0]!.take(3), await tasks[1]!.take(2)].flat().map(({ topic }) => topic)
    expect(topics.toSorted()).toEqual(names.map((name) => `shop-${name}`))
    // One that comes later goes to one of them.
    await sql(`CREATE TABLE later (id serial); INSERT INTO later SELECT`)
    const got = await Promise.race(tasks.map((task) => task.take(1)))
    expect(got[0]!.topic).toBe('shop-later')
  })

  test('columns that come and go while it runs', async () => {
    await sql(`CREATE TABLE t (id serial, a text); INSERT INTO t (a) VALUES ('x')`)
    const run = start({ mode: 'incrementing' })
    const [before] = await run.take(1)
    await sql(`ALTER TABLE t ADD b int, DROP a; INSERT INTO t (b) VALUES (7)`)
    expect((await run.take(1)).map(rowOf)).toEqual([{ id: 2, b: 7 }])
    await sql(`INSERT INTO t (b) VALUES (8)`)
    await sql(`INSERT INTO t (b) VALUES (9)`)
    const after = await run.take(2)
    expect(after[0]!.valueSchema).toBe(after[1]!.valueSchema)
    expect(after[0]!.valueSchema).not.toBe(before!.valueSchema)
  })

  describe('values', () => {
    const types = `CREATE TABLE t (id serial, s smallint, i int, b bigint, r real, d double precision, ok boolean, n numeric(10,2),
      w numeric(12,0), free numeric, m money, c char(3), v text, bin bytea, day date, clock time, stamp timestamp, zoned timestamptz,
      u uuid, j jsonb, tags text[], mood mood, gap interval, pair pair)`
    const values = `INSERT INTO t VALUES (1, -1, 2, 9007199254740993, 1.5, 0.1, true, 12.50, 123456789012, 1.2345678901234567890,
      '$1,234.56', 'ab', E'tab\\tback\\\\slash\\nline', '\\x00ff', '2020-02-29', '12:34:56.789', '2020-02-29 12:34:56.123456',
      '2020-02-29 12:34:56.123456+02', '00000000-0000-0000-0000-000000000001', '{"a": 1}', '{x,NULL}', 'glad', '1 day 2 hours', '(1,z)')`
    const prepare = async () => {
      await sql(`CREATE TYPE mood AS ENUM ('glad', 'sad'); CREATE TYPE pair AS (a int, b text)`)
      await sql(types)
      await sql(values)
    }

    test('become Connect’s types, and keep all their digits', async () => {
      await prepare()
      const [record] = await start({ mode: 'incrementing' }).take(1)
      const value = rowOf(record!)
      expect(value).toMatchObject({
        ...{ id: 1, s: -1, i: 2, b: 9007199254740993n, r: 1.5, d: 0.1, ok: true },
        ...{ n: new Decimal(1250n, 2), w: new Decimal(123456789012n, 0), m: new Decimal(123456n, 2) },
        ...{ c: 'ab ', v: 'tab\tback\\slash\nline', day: 18321, clock: 45296789 },
        ...{ stamp: Date.UTC(2020, 1, 29, 12, 34, 56, 123), zoned: Date.UTC(2020, 1, 29, 10, 34, 56, 123) },
        ...{ u: '00000000-0000-0000-0000-000000000001', j: '{"a": 1}', tags: ['x', null], mood: 'glad', pair: '(1,z)' },
      })
      expect(value['free']).toMatchObject({ scale: 18 })
      expect(Buffer.from(value['bin'] as Uint8Array).toString('hex')).toBe('00ff')
      const fields = new Map(record!.valueSchema!.fields!.map(({ name, schema }) => [name, schema]))
      expect(fields.get('id')).toEqual({ type: 'int32' })
      expect(fields.get('u')).toEqual({ type: 'string', optional: true })
      expect(fields.get('stamp')).toMatchObject({ name: 'org.apache.kafka.connect.data.Timestamp', optional: true })
      expect(fields.get('n')).toMatchObject({
        name: 'org.apache.kafka.connect.data.Decimal',
        parameters: { scale: '2' },
      })
    })

    test.each([
      ['best_fit', { n: 12.5, w: 123456789012, m: 1234.56 }],
      ['best_fit_eager_double', { n: 12.5, free: 1.2345678901234567 }],
      ['precision_only', { n: new Decimal(1250n, 2), w: 123456789012 }],
    ])('numeric.mapping=%s', async (mapping, expected) => {
      await prepare()
      const [record] = await start({ mode: 'incrementing', 'numeric.mapping': mapping }).take(1)
      expect(rowOf(record!)).toMatchObject(expected)
    })

    test.each([
      ['micros_long', 1582979696123456],
      ['micros_string', '1582979696123456'],
      ['nanos_long', 1582979696123456000n],
      ['nanos_iso_datetime_string', '2020-02-29T12:34:56.123456000'],
    ])('timestamp.granularity=%s', async (granularity, expected) => {
      await prepare()
      const [record] = await start({ mode: 'incrementing', 'timestamp.granularity': granularity }).take(1)
      expect(rowOf(record!)['stamp']).toBe(expected)
    })

    test('one that has no place in its field makes a bad record, and the next is read', async () => {
      await sql(`CREATE TABLE t (id serial, n numeric(5,2)); INSERT INTO t (n) VALUES ('NaN'), (1)`)
      const [bad, good] = await start({ mode: 'incrementing' }).take(2)
      expect(bad!.error?.message).toContain('column n: the numeric value NaN has no place')
      expect(bad!.sourceOffset).toEqual({ incrementing: 1 })
      expect(rowOf(good!)).toMatchObject({ id: 2 })
    })
  })

  test('a big table comes in batches, and a stop in its middle is quick and clean', async () => {
    await sql(
      `CREATE TABLE t (id serial, pad text DEFAULT repeat('x', 200)); INSERT INTO t (id) SELECT generate_series(1, 50000)`,
    )
    const run = start({ mode: 'incrementing' })
    expect((await run.take()).length).toBeLessThanOrEqual(1_400)
    await run.stop()
    await until('the session to end', async () => {
      const [row] = await sql(`SELECT count(*)::int AS n FROM pg_stat_activity WHERE application_name LIKE 'tidewire%'`)
      return row!['n'] === 0
    })
    expect(run.logs.filter(({ level }) => level === 'error')).toEqual([])
  })

  test('a server that goes away is a passing fault, and reading goes on where it was', async () => {
    await sql(`CREATE TABLE t (id serial); INSERT INTO t SELECT`)
    const run = start({ mode: 'incrementing' })
    await run.take(1)
    await run.acknowledge()
    await sql(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'tidewire%'`)
    await expect(run.take(1)).rejects.toMatchObject({ retriable: true })
    await sql(`INSERT INTO t SELECT`)
    expect(ids(await start({ mode: 'incrementing' }, run.offsets).take(1))).toEqual([2])
  })

  test('offsetsFrom: newest, a number, a time', async () => {
    await sql(
      `CREATE TABLE t (id serial, updated timestamptz NOT NULL DEFAULT now()); INSERT INTO t SELECT FROM generate_series(1, 9)`,
    )
    const { parseConfig } = await import('@tidewire/sdk/testing')
    const context = { connector: 'c', signal: new AbortController().signal, log: console, stored: [] }
    const partition = { protocol: '1', table: `${database}.public.t` }
    const byNumber = parseConfig(postgresQuery, configOf({ mode: 'incrementing' }))
    expect(await postgresQuery.offsetsFrom!(byNumber, 'latest', context)).toEqual([
      { partition, offset: { incrementing: 9 } },
    ])
    expect(await postgresQuery.offsetsFrom!(byNumber, { offset: 4 }, context)).toEqual([
      { partition, offset: { incrementing: 3 } },
    ])
    const byTime = parseConfig(postgresQuery, configOf({ mode: 'timestamp', 'timestamp.column.name': 'updated' }))
    expect(await postgresQuery.offsetsFrom!(byTime, { timestamp: 1000 }, context)).toEqual([
      { partition, offset: { timestamp: 999, timestamp_nanos: 999_999_000 } },
    ])
    await expect(async () => postgresQuery.offsetsFrom!(byNumber, { timestamp: 1 }, context)).rejects.toThrow(
      'begins from',
    )
    expect(() =>
      postgresQuery.alterOffsets!(byNumber, [{ partition, offset: { incrementing: 2 ** 60 } }], context),
    ).toThrow('not exact')
  })

  test('tryOut tells what is wrong, by setting', async () => {
    const { parseConfig } = await import('@tidewire/sdk/testing')
    const attempt = (config: Config) =>
      postgresQuery.tryOut!(parseConfig(postgresQuery, configOf(config)), {
        signal: new AbortController().signal,
        log: console,
      })
    expect(await attempt({ mode: 'bulk' })).toMatchObject({ 'table.whitelist': expect.stringContaining('no table') })
    await sql('CREATE TABLE t (id int)')
    expect(await attempt({ mode: 'bulk' })).toEqual({})
    expect(await attempt({ mode: 'incrementing', 'incrementing.column.name': 'x' })).toMatchObject({
      'incrementing.column.name': expect.stringContaining('no column "x"'),
    })
    expect(await attempt({ mode: 'bulk', query: 'SELECT nothing' })).toMatchObject({
      query: expect.stringContaining('nothing'),
    })
    expect(await attempt({ mode: 'bulk', 'connection.url': 'jdbc:postgresql://127.0.0.1:1/x' })).toHaveProperty([
      'connection.url',
    ])
  })

  const cases = sourceConformance<typeof querySettings>({
    source: postgresQuery,
    identify: (record) => String(rowOf(record)['id']),
    timeoutMs: 20_000,
    system: async () => {
      await sql('CREATE TABLE entries (id serial PRIMARY KEY, note text)')
      return {
        config: configOf({ mode: 'incrementing' }),
        add: async (entries) => {
          const rows = await sql(
            `INSERT INTO entries (note) SELECT 'n' FROM generate_series(1, ${entries}) RETURNING id`,
          )
          return rows.map((row) => String(row['id']))
        },
      }
    },
  })
  describe('conformance', () => {
    for (const { name, run } of cases) test(name, run)
  })
})
