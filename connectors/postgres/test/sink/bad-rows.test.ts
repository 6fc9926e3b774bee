import type { SinkRecord } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { postgresMissing } from '../../../../test/support/postgres.ts'
import { until } from '../../../../test/support/until.ts'
import { customer, customerRecord } from './fixtures.ts'
import { sinkServer } from './sink-database.ts'

const missing = await postgresMissing()
const table =
  'CREATE TABLE customers (id bigint PRIMARY KEY, name varchar(10) NOT NULL, note text, score int CHECK (score < 100))'

describe.skipIf(missing !== undefined)(`rows that are refused, and what passes by ${missing ?? ''}`, () => {
  const { server, database } = sinkServer('debian')

  describe.each([
    { 'insert.mode': 'insert', 'exactly.once': true },
    { 'insert.mode': 'insert', 'exactly.once': false },
    { 'insert.mode': 'upsert', 'pk.mode': 'record_key', 'exactly.once': false },
  ])('%o', (mode) => {
    test('a bad row here and there: all others are written, and each is told with its reason', async () => {
      const { run, sql } = await database(table)
      const bad = new Map<number, readonly [object, RegExp]>([
        [0, [{ name: 'much too long' }, /too long/]],
        [17, [{ name: null }, /null value/]],
        [18, [{ name: 'nul \0' }, /0x00/]],
        [250, [{ name: 'x', score: 100 }, /check constraint/]],
        [499, [{ name: 'x', score: 1e12 }, /out of range/]],
      ])
      const sink = run(mode)
      await sink.put(Array.from({ length: 500 }, (_, n) => customerRecord(n, n, bad.get(n)?.[0] ?? { name: 'ok' })))
      expect(sink.reported.map(({ record }) => record.offset).toSorted((a, b) => a - b)).toEqual([...bad.keys()])
      for (const { record, error } of sink.reported) {
        expect(error.message).toMatch(bad.get(record.offset)![1])
        // The detail of the server quotes the whole row.
        expect(error.message).not.toContain('Failing row')
      }
      expect(await sql('SELECT count(*)::int FROM customers')).toEqual([{ count: 495 }])
      await sink.put([customerRecord(500, 500, { name: 'next' })])
      expect(await sql('SELECT count(*)::int FROM customers')).toEqual([{ count: 496 }])
    })
  })

  test('where errors are not tolerated, nothing of the batch is written', async () => {
    const { run, sql } = await database(table)
    const sink = run({ 'exactly.once': true })
    const intolerant = sink as unknown as { readonly reported: { push: () => never } }
    intolerant.reported.push = () => {
      throw new Error('not tolerated')
    }
    await expect(sink.put([customerRecord(0, 1, { name: 'a' }), customerRecord(1, 2, { name: null })])).rejects.toThrow(
      'not tolerated',
    )
    expect(await sql('SELECT * FROM customers')).toEqual([])
    expect(await sql('SELECT next_offset FROM _tidewire_offsets')).toEqual([{ next_offset: null }])
  })

  test('a constraint that is checked at the commit, and rows whose order it allows', async () => {
    const { run, sql } = await database(
      table,
      `CREATE TABLE orders (id bigint PRIMARY KEY, name text, note text, score int,
         FOREIGN KEY (score) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)`,
    )
    const sink = run({ 'table.name.format': 'orders', 'exactly.once': true })
    await sink.put([
      customerRecord(0, 1, { name: 'child', score: 2 }),
      customerRecord(1, 2, { name: 'parent', score: null }),
    ])
    expect(sink.reported).toEqual([])
    await sink.put([
      customerRecord(2, 3, { name: 'orphan', score: 99 }),
      customerRecord(3, 4, { name: 'ok', score: 1 }),
    ])
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([2])
    expect(await sql('SELECT id::int FROM orders ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 4 }])
  })

  const orders = `CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(10), note text, score int,
    FOREIGN KEY (score) REFERENCES orders (id) DEFERRABLE INITIALLY DEFERRED)`

  test('a constraint that is checked at the commit: without positions, too', async () => {
    const { run, sql } = await database(orders)
    const sink = run({ 'table.name.format': 'orders' })
    await sink.put([customerRecord(0, 1, { name: 'orphan', score: 99 }), customerRecord(1, 2, { name: 'ok' })])
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([0])
    expect(await sql('SELECT id::int FROM orders ORDER BY id')).toEqual([{ id: 2 }])
  })

  test('a constraint that is checked at the commit, and bad rows beside: each is told once, good ones are written', async () => {
    const { run, sql } = await database(orders)
    const sink = run({ 'table.name.format': 'orders', 'exactly.once': true, 'batch.size': 1 })
    await sink.put([
      customerRecord(0, 1, { name: 'child', score: 3 }),
      customerRecord(1, 2, { name: 'much too long' }),
      customerRecord(2, 3, { name: 'parent' }),
      customerRecord(3, 4, { name: 'orphan', score: 99 }),
      customerRecord(4, 5, null, { value: 'no struct' }),
    ])
    expect(sink.reported.map(({ record }) => record.offset).toSorted((a, b) => a - b)).toEqual([1, 3, 4])
    expect(await sql('SELECT id::int FROM orders ORDER BY id')).toEqual([{ id: 1 }, { id: 3 }])
  })

  test('rows that refer to each other in any order get in, whatever is refused beside them', async () => {
    const { run, sql } = await database(
      `CREATE TABLE orders (id bigint PRIMARY KEY, name varchar(10), note text, score int REFERENCES orders (id))`,
    )
    const sink = run({ 'table.name.format': 'orders', 'batch.size': 1, 'exactly.once': true })
    // Of the refused, 2 goes in first the other way round, then 1, and 3 only after that.
    await sink.put([
      customerRecord(0, 1, { name: 'of 2', score: 2 }),
      customerRecord(1, 3, { name: 'of 1', score: 1 }),
      customerRecord(2, 2, { name: 'of 4', score: 4 }),
      customerRecord(3, 5, { name: 'orphan', score: 99 }),
      customerRecord(4, 4, { name: 'root' }),
    ])
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([3])
    expect(await sql('SELECT id::int FROM orders ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }, { id: 4 }])
    expect(sink.progress).toEqual({
      text: '4 rows written to 1 table, 1 refused',
      figures: { rows_written: 4, rows_refused: 1, batches: 1, retries: 0, tables: 1 },
    })
  })

  test('a key that is none, after records with one, is a bad record', async () => {
    const { run, sql } = await database(table)
    const sink = run({ 'insert.mode': 'upsert', 'pk.mode': 'record_key' })
    await sink.put([
      customerRecord(0, 1, { name: 'a' }),
      customerRecord(1, 2, { name: 'b' }, { key: null }),
      customerRecord(2, 3, { name: 'c' }, { key: 'three', keySchema: undefined }),
    ])
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([1, 2])
    expect(await sql('SELECT id::int FROM customers')).toEqual([{ id: 1 }])
  })

  test('a policy of row security that does not take a row', async () => {
    const { run, sql } = await database(
      table,
      'CREATE ROLE tenant LOGIN',
      'GRANT ALL ON customers TO tenant',
      'ALTER TABLE customers ENABLE ROW LEVEL SECURITY',
      'CREATE POLICY p ON customers TO tenant USING (true) WITH CHECK (id < 10)',
    )
    const sink = run({ 'connection.user': 'tenant' })
    await sink.put([customerRecord(0, 10, { name: 'a' }), customerRecord(1, 1, { name: 'b' })])
    await sink.stop()
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([0])
    expect(await sql('SELECT id::int FROM customers')).toEqual([{ id: 1 }])
    await sql('DROP OWNED BY tenant; DROP ROLE tenant')
  })

  test('a trigger’s own exception refuses the row', async () => {
    const { run, sql } = await database(
      table,
      `CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
         IF NEW.name = 'no' THEN RAISE EXCEPTION 'no such name'; END IF; RETURN NEW; END $$`,
      'CREATE TRIGGER t BEFORE INSERT ON customers FOR EACH ROW EXECUTE FUNCTION refuse()',
    )
    const sink = run({})
    await sink.put([customerRecord(0, 1, { name: 'no' }), customerRecord(1, 2, { name: 'yes' })])
    expect(sink.reported.map(({ error }) => error.message)).toEqual([expect.stringContaining('no such name')])
    expect(await sql('SELECT id::int FROM customers')).toEqual([{ id: 2 }])
  })

  test('a session that is ended between two batches is made anew', async () => {
    const { run, sql } = await database(table)
    const sink = run({ 'exactly.once': true })
    await sink.put([customerRecord(0, 1, { name: 'a' })])
    await sql(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'tidewire postgres-sink'",
    )
    await putUntilTaken(sink, [customerRecord(1, 2, { name: 'b' })])
    expect(await sql('SELECT id::int FROM customers ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }])
  })

  test('a server that is down is waited for; with max.retries not for ever', async () => {
    const { run, sql } = await database(table)
    const sink = run({})
    const limited = run({ 'max.retries': 1 })
    await sink.put([customerRecord(0, 1, { name: 'a' })])
    await limited.put([customerRecord(1, 2, { name: 'b' })])
    await server().stop()
    const next = [customerRecord(2, 3, { name: 'c' })]
    await expect(sink.put(next)).rejects.toMatchObject({ retriable: true })
    await expect(limited.put(next)).rejects.toMatchObject({ retriable: true })
    await expect(limited.put(next)).rejects.toMatchObject({
      retriable: false,
      message: expect.stringContaining('max.retries'),
    })
    await server().start()
    await putUntilTaken(sink, next)
    expect(await sql('SELECT id::int FROM customers ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }, { id: 3 }])
    expect(sink.progress!.figures['retries']).toBeGreaterThan(0)
  })

  test('a task that waits for a lock ends when it is told to', async () => {
    const { run, name } = await database(table)
    const other = await server().connect({ database: name })
    try {
      await other.query('BEGIN; LOCK TABLE customers')
      const sink = run({})
      const putting = sink.put([customerRecord(0, 1, { name: 'a' })]).catch((error: unknown) => error)
      await until('the sink to wait', async () => {
        const { rowCount } = await other.query('SELECT 1 FROM pg_locks WHERE NOT granted')
        return (rowCount ?? 0) > 0
      })
      await sink.stop()
      expect(await putting).toMatchObject({ retriable: true })
    } finally {
      await other.end()
    }
  })

  test('so does one that waits for a lock when it starts, or opens partitions', async () => {
    const [start, open] = [await database(table), await database(table)]
    await open.run({ 'exactly.once': true }).put([customerRecord(0, 1, { name: 'a' })])
    const others = await Promise.all([start, open].map(({ name }) => server().connect({ database: name })))
    try {
      await others[0]!.query('BEGIN; CREATE TABLE _tidewire_offsets (id int)')
      await others[1]!.query('BEGIN; LOCK TABLE _tidewire_offsets')
      const sinks = [start, open].map(({ run }) => run({ 'exactly.once': true }))
      const opening = sinks.map((sink) =>
        sink.open([{ topic: 'customers', partition: 0 }]).catch((error: unknown) => error),
      )
      for (const other of others) {
        await until('the sink to wait', async () => {
          // A transaction looks at the sessions but once.
          await other.query('SELECT pg_stat_clear_snapshot()')
          const { rowCount } = await other.query(
            'SELECT FROM pg_stat_activity WHERE datname = current_database() AND cardinality(pg_blocking_pids(pid)) > 0',
          )
          return rowCount === 1
        })
      }
      await Promise.all(sinks.map((sink) => sink.stop()))
      for (const error of await Promise.all(opening)) expect(error).toMatchObject({ retriable: true })
    } finally {
      await Promise.all(others.map((other) => other.end()))
    }
  })

  test('without the right to write, the error says what to grant', async () => {
    const { run, sql } = await database(table, 'CREATE ROLE guest LOGIN')
    const sink = run({ 'connection.user': 'guest' })
    await expect(sink.put([customerRecord(0, 1, { name: 'a' }, { valueSchema: customer })])).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('INSERT'),
    })
    await sql('DROP ROLE guest')
  })

  async function putUntilTaken(sink: { put: (records: SinkRecord[]) => Promise<unknown> }, records: SinkRecord[]) {
    await until('the batch to be taken', async () => {
      const failure = await sink.put(records).then(
        () => undefined,
        (error: unknown) => error as { retriable?: boolean },
      )
      if (failure !== undefined && failure.retriable !== true) throw failure as Error
      return failure === undefined
    })
  }
})
