import { schema } from '@tidewire/sdk'
import { sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { postgresMissing, type PostgresVersion } from '../../../../test/support/postgres.ts'
import { customer, customerEvent, customerKey, customerRecord, envelopeOf } from './fixtures.ts'
import { sinkServer } from './sink-database.ts'

const table = 'CREATE TABLE customers (id bigint PRIMARY KEY, name text NOT NULL, note text, score int)'
const all = 'SELECT id::int, name, note, score FROM customers ORDER BY id, name'
const upsert = { 'insert.mode': 'upsert', 'pk.mode': 'record_key' }

for (const version of ['debian', 'npm'] satisfies PostgresVersion[]) {
  const missing = await postgresMissing(version)
  describe.skipIf(missing !== undefined)(`what is written to PostgreSQL (${version}) ${missing ?? ''}`, () => {
    suite(version)
  })
}

function suite(version: PostgresVersion): void {
  const { database } = sinkServer(version)

  test('insert: a row for each record, by few statements and by COPY', async () => {
    const { run, sql } = await database('CREATE TABLE customers (id bigint, name text NOT NULL, note text, score int)')
    const sink = run({})
    await sink.put([customerRecord(0, 1, { name: 'a' }), customerRecord(1, 1, { name: 'b\t\\N\n"{}' })])
    expect(await sql(all)).toEqual([
      { id: 1, name: 'a', note: null, score: null },
      { id: 1, name: 'b\t\\N\n"{}', note: null, score: null },
    ])
    const names = [
      'tab\there',
      'back\\slash',
      'line\r\nbreak',
      '\\.',
      '\\N',
      '',
      'é😀',
      '"quoted"',
      '{braces,}',
      'NULL',
    ]
    await sink.put(
      Array.from({ length: 500 }, (_, n) =>
        customerRecord(n + 2, n + 10, { name: names[n % names.length], note: null }),
      ),
    )
    const rows = await sql('SELECT name, count(*)::int FROM customers WHERE id >= 10 GROUP BY name')
    expect(new Map(rows.map((row) => [row['name'], row['count']]))).toEqual(new Map(names.map((name) => [name, 50])))
  })

  test('upsert: the last of a key wins, within a batch and from batch to batch', async () => {
    const { run, sql } = await database(table)
    const sink = run(upsert)
    await sink.put([
      customerRecord(0, 1, { name: 'a', note: 'x' }),
      customerRecord(1, 2, { name: 'b' }),
      customerRecord(2, 1, { name: 'c', score: 5 }),
    ])
    await sink.put([customerRecord(3, 2, { name: 'd' })])
    expect(await sql(all)).toEqual([
      { id: 1, name: 'c', note: null, score: 5 },
      { id: 2, name: 'd', note: null, score: null },
    ])
  })

  test('update: rows that are there are changed, and no others made', async () => {
    const { run, sql } = await database(table, "INSERT INTO customers VALUES (1, 'a', 'x', 1)")
    const sink = run({ 'insert.mode': 'update', 'pk.mode': 'record_key' })
    await sink.put([customerRecord(0, 1, { name: 'b' }), customerRecord(1, 2, { name: 'c' })])
    expect(await sql(all)).toEqual([{ id: 1, name: 'b', note: null, score: null }])
  })

  test('deletes and rows of one key keep their order', async () => {
    const { run, sql } = await database(table, "INSERT INTO customers VALUES (1, 'a'), (2, 'b'), (3, 'c')")
    const sink = run({ ...upsert, 'delete.enabled': true })
    await sink.put([
      customerRecord(0, 1, null),
      customerRecord(1, 2, { name: 'b2' }),
      customerRecord(2, 2, null),
      customerRecord(3, 1, { name: 'a3' }),
      customerRecord(4, 3, null),
      customerRecord(5, 4, { name: 'd' }),
    ])
    expect(await sql(all)).toMatchObject([
      { id: 1, name: 'a3' },
      { id: 4, name: 'd' },
    ])
  })

  test('without delete.enabled a tombstone is passed over', async () => {
    const { run, sql } = await database(table, "INSERT INTO customers VALUES (1, 'a')")
    const sink = run(upsert)
    await sink.put([customerRecord(0, 1, null)])
    expect(await sql(all)).toHaveLength(1)
    expect(sink.reported).toEqual([])
  })

  test('a row that takes what another gives up (a unique column) is right in the order of the log', async () => {
    const { run, sql } = await database(
      'CREATE TABLE customers (id bigint PRIMARY KEY, name text UNIQUE, note text, score int)',
    )
    const sink = run({ ...upsert, 'delete.enabled': true })
    await sink.put([customerRecord(0, 1, { name: 'a' }), customerRecord(1, 2, { name: 'b' })])
    await sink.put([
      customerRecord(2, 1, null),
      customerRecord(3, 3, { name: 'a' }),
      customerRecord(4, 2, { name: 'c' }),
    ])
    expect(sink.reported).toEqual([])
    expect(await sql('SELECT id::int, name FROM customers ORDER BY id')).toEqual([
      { id: 2, name: 'c' },
      { id: 3, name: 'a' },
    ])
  })

  test('keys of which the server takes several texts for one keep their order', async () => {
    const { run, sql } = await database('CREATE TABLE t (id numeric PRIMARY KEY, name text)')
    const more = { 'pk.mode': 'record_key', 'pk.fields': 'id', 'delete.enabled': true, 'table.name.format': 't' }
    const change = (offset: number, id: string, name: string | null) =>
      customerRecord(offset, 0, null, {
        key: { id },
        keySchema: schema.struct({ id: schema.string() }),
        value: name === null ? null : { name },
        valueSchema: name === null ? undefined : schema.struct({ name: schema.string() }),
      })
    const sink = run({ ...more, 'insert.mode': 'upsert' })
    await sink.put([
      change(0, '1', 'a'),
      change(1, '2', 'b'),
      change(2, '2.0', null),
      change(3, '1.0', null),
      change(4, '2.00', 'c'),
    ])
    await run({ ...more, 'insert.mode': 'update' }).put([change(5, '2', 'd'), change(6, '2.0', 'e')])
    expect(sink.reported).toEqual([])
    expect(await sql('SELECT id::text, name FROM t')).toEqual([{ id: expect.stringContaining('2'), name: 'e' }])
  })

  test('keys: of the log, of the value, a single value', async () => {
    const { run, sql } = await database()
    const more = { 'insert.mode': 'upsert', 'auto.create': true }
    const record = customerRecord(7, 1, { name: 'a' })
    await run({ ...more, 'pk.mode': 'kafka', 'table.name.format': 'by_log' }).put([record])
    expect(
      await sql('SELECT __connect_topic t, __connect_partition p, __connect_offset::int o, name FROM by_log'),
    ).toEqual([{ t: 'customers', p: 0, o: 7, name: 'a' }])
    await run({ ...more, 'pk.mode': 'record_value', 'pk.fields': 'name', 'table.name.format': 'by_value' }).put([
      record,
    ])
    await run({ ...more, 'pk.mode': 'record_key', 'pk.fields': 'number', 'table.name.format': 'by_key' }).put([
      sinkRecord({ key: 5, keySchema: schema.int32(), value: { name: 'a', id: 1 }, valueSchema: customer }),
    ])
    expect(await sql('SELECT number, id::int, name FROM by_key')).toEqual([{ number: 5, id: 1, name: 'a' }])
    const keys = await sql(
      `SELECT c.relname AS name, string_agg(a.attname, ',' ORDER BY a.attnum) AS key FROM pg_index i
       JOIN pg_class c ON c.oid = i.indrelid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = ANY (i.indkey)
       WHERE i.indisprimary AND c.relname LIKE 'by%' GROUP BY 1 ORDER BY 1`,
    )
    expect(keys).toEqual([
      { name: 'by_key', key: 'number' },
      { name: 'by_log', key: '__connect_topic,__connect_partition,__connect_offset' },
      { name: 'by_value', key: 'name' },
    ])
  })

  test('fields.whitelist, names in another case, and computed columns', async () => {
    const { run, sql } = await database(
      `CREATE TABLE customers ("ID" bigint PRIMARY KEY, name text, score int, loud text GENERATED ALWAYS AS (upper(name)) STORED)`,
    )
    const valueSchema = schema.struct({
      id: schema.int64(),
      Name: schema.string(),
      loud: schema.string(),
      secret: schema.string(),
    })
    const sink = run({ ...upsert, 'pk.fields': 'id', 'fields.whitelist': 'Name,loud' })
    await sink.put([customerRecord(0, 1, {}, { value: { id: 1, Name: 'a', loud: 'wrong', secret: 'x' }, valueSchema })])
    expect(await sql('SELECT "ID"::int AS id, name, loud FROM customers')).toEqual([{ id: 1, name: 'a', loud: 'A' }])
  })

  test('an identity that is always the server’s takes the record’s value, and no update tries to set it', async () => {
    const { run, sql } = await database(
      `CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text, note text, score int)`,
    )
    const sink = run(upsert)
    await sink.put([customerRecord(0, 5, { name: 'a' })])
    await sink.put([customerRecord(1, 5, { name: 'b' })])
    expect(await sql(all)).toMatchObject([{ id: 5, name: 'b' }])
  })

  test('a table with a rewrite rule is written as the rule says, by however many rows', async () => {
    const { run, sql } = await database(
      'CREATE TABLE customers (id bigint, name text, note text, score int)',
      'CREATE TABLE elsewhere (id bigint, name text, note text, score int)',
      'CREATE RULE away AS ON INSERT TO customers DO INSTEAD INSERT INTO elsewhere VALUES (NEW.*)',
    )
    await run({}).put(Array.from({ length: 300 }, (_, n) => customerRecord(n, n, { name: 'a' })))
    expect(await sql('SELECT count(*)::int FROM customers')).toEqual([{ count: 0 }])
    expect(await sql('SELECT count(*)::int FROM elsewhere')).toEqual([{ count: 300 }])
  })

  test('views and partitioned tables', async () => {
    const { run, sql } = await database(
      table,
      'CREATE VIEW seen AS SELECT * FROM customers',
      'CREATE TABLE parted (LIKE customers) PARTITION BY RANGE (id)',
      'CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (1000)',
    )
    const records = Array.from({ length: 150 }, (_, n) => customerRecord(n, n, { name: 'a' }))
    await run({ 'table.name.format': 'seen', 'table.types': 'VIEW' }).put(records)
    await run({ 'table.name.format': 'parted' }).put(records)
    expect(await sql('SELECT (SELECT count(*) FROM customers)::int a, (SELECT count(*) FROM parted)::int b')).toEqual([
      { a: 150, b: 150 },
    ])
    await expect(run({ 'table.name.format': 'seen' }).put(records)).rejects.toThrow('table.types')
  })

  test('Debezium’s change events: rows, deletes with their tombstones, truncates, unavailable values', async () => {
    const { run, sql } = await database(table.replace('note text', "note text NOT NULL DEFAULT 'none'"))
    const sink = run({
      ...upsert,
      'table.name.format': '${source.schema}.${source.table}',
      'delete.enabled': true,
      'truncate.enabled': true,
    })
    await sink.put([
      customerEvent(0, 'r', 1, { name: 'a', note: 'long' }),
      customerEvent(1, 'c', 2, { name: 'b', note: 'n' }),
      customerEvent(2, 'u', 1, { name: 'a2', note: '__debezium_unavailable_value' }),
      customerEvent(3, 'd', 2, null),
      { ...customerEvent(4, 'd', 2, null), value: null, valueSchema: undefined },
      customerEvent(5, 'm', null, null),
    ])
    expect(sink.reported).toEqual([])
    expect(await sql(all)).toEqual([{ id: 1, name: 'a2', note: 'long', score: null }])
    await sink.put([customerEvent(6, 't', null, null), customerEvent(7, 'c', 3, { name: 'c', note: 'x' })])
    expect(await sql(all)).toEqual([{ id: 3, name: 'c', note: 'x', score: null }])
  })

  test('Debezium’s settings, and events without a schema', async () => {
    const { run, sql } = await database(
      'CREATE TABLE server_public_customers (id int PRIMARY KEY, name text, doc jsonb)',
    )
    const sink = run({
      'insert.mode': 'upsert',
      'primary.key.mode': 'record_key',
      'primary.key.fields': 'id',
      'collection.name.format': '${topic}',
      'delete.enabled': true,
    })
    const event = (offset: number, op: string, id: number, after: object | null) => ({
      ...customerEvent(offset, op, id, after),
      keySchema: undefined,
      valueSchema: undefined,
    })
    await sink.put([
      event(0, 'c', 1, { name: 'a', doc: { n: 12345678901234567890n, list: [1, 'x'] } }),
      event(1, 'c', 2, { name: 'b', doc: 'text' }),
    ])
    await sink.put([event(2, 'd', 2, null)])
    expect(await sql('SELECT id, name, doc::text FROM server_public_customers')).toEqual([
      { id: 1, name: 'a', doc: '{"n": 12345678901234567890, "list": [1, "x"]}' },
    ])
  })

  test('nulls become defaults of the schema, but not those of change events', async () => {
    const valueSchema = schema.struct({ id: schema.int64(), name: schema.string({ optional: true, default: 'none' }) })
    const { run, sql } = await database('CREATE TABLE customers (id bigint PRIMARY KEY, name text)')
    const record = customerRecord(0, 1, {}, { value: { id: 1, name: null }, valueSchema })
    await run(upsert).put([record])
    expect(await sql('SELECT name FROM customers')).toEqual([{ name: 'none' }])
    await run({ ...upsert, 'replace.null.with.default': false }).put([record])
    expect(await sql('SELECT name FROM customers')).toEqual([{ name: null }])
    await sql("UPDATE customers SET name = 'x'")
    const event = { op: 'u', after: { id: 1, name: null }, source: {}, before: null, ts_ms: null }
    await run({ ...upsert, 'table.name.format': 'customers' }).put([
      customerRecord(1, 1, {}, { value: event, valueSchema: envelopeOf(valueSchema) }),
    ])
    expect(await sql('SELECT name FROM customers')).toEqual([{ name: null }])
  })

  test('records without a schema are written by the types of the columns', async () => {
    const { run, sql } = await database(
      'CREATE TABLE topic (id int PRIMARY KEY, tags text[], flag boolean, price numeric, doc json, at timestamptz)',
    )
    const sink = run({ 'insert.mode': 'upsert', 'pk.mode': 'record_value', 'pk.fields': 'id' })
    await sink.put([
      sinkRecord({
        value: { id: 1, tags: ['a', 'b"c'], flag: true, price: 1.5, doc: { a: [null] }, at: '2024-01-02T03:04:05Z' },
      }),
      sinkRecord({ offset: 1, value: { id: 2, unknown: 1 } }),
      sinkRecord({ offset: 2, value: 'text' }),
    ])
    expect(await sql('SELECT id, tags, flag, price::text, doc::text, at::text FROM topic')).toEqual([
      {
        id: 1,
        tags: ['a', 'b"c'],
        flag: true,
        price: '1.5',
        doc: '{"a":[null]}',
        at: expect.stringContaining('03:04:05'),
      },
    ])
    expect(sink.reported.map(({ record, error }) => [record.offset, error.message])).toEqual([
      [1, expect.stringContaining('has no column "unknown"')],
      [2, expect.stringContaining('no fields for a primary key')],
    ])
  })

  test('a key of the kafka position is of the log, whatever a router made of the topic', async () => {
    const { run, sql } = await database()
    const sink = run({ 'insert.mode': 'upsert', 'pk.mode': 'kafka', 'auto.create': true })
    await sink.put(
      ['a', 'b'].map((topic) =>
        sinkRecord({
          topic: 'routed',
          originalTopic: topic,
          originalKafkaPartition: 0,
          value: { id: 1, name: topic },
          valueSchema: customer,
        }),
      ),
    )
    expect(await sql('SELECT __connect_topic AS t FROM routed ORDER BY 1')).toEqual([{ t: 'a' }, { t: 'b' }])
  })

  test('a key that is missing, and a table that is', async () => {
    const { run } = await database(table)
    const sink = run(upsert)
    await sink.put([customerRecord(0, 1, { name: 'a' }, { key: null, keySchema: undefined })])
    expect(sink.reported.map(({ error }) => error.message)).toEqual([expect.stringContaining('no key')])
    await expect(
      run({ ...upsert, 'table.name.format': 'x.y' }).put([customerRecord(0, 1, { name: 'a' })]),
    ).rejects.toThrow(
      'CREATE TABLE "x"."y" ("id" bigint NOT NULL, "name" text NOT NULL, "note" text, "score" integer, PRIMARY KEY ("id"))',
    )
    expect(customerKey.fields).toHaveLength(1)
  })
}
