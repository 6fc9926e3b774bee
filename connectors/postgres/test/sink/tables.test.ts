import { schema, type Schema } from '@tidewire/sdk'
import { sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { postgresMissing } from '../../../../test/support/postgres.ts'
import { postgresSink } from '../../sink/sink.ts'
import { customer, customerKey, customerRecord } from './fixtures.ts'
import { sinkServer, type SinkDatabase } from './sink-database.ts'

const missing = await postgresMissing()
const upsert = { 'insert.mode': 'upsert', 'pk.mode': 'record_key' }

const wider = schema.struct({
  ...Object.fromEntries(customer.fields!.map((field) => [field.name, field.schema])),
  city: schema.string(),
  level: schema.int16({ default: 3 }),
})

describe.skipIf(missing !== undefined)(`tables that follow the records ${missing ?? ''}`, () => {
  const { server, database } = sinkServer('debian')

  const columnsOf = async ({ sql }: SinkDatabase, table: string) =>
    (
      await sql(
        `SELECT attname AS name, format_type(atttypid, atttypmod) AS type, attnotnull AS required,
                pg_get_expr(adbin, adrelid) AS default
         FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
         WHERE attrelid = '${table}'::regclass AND attnum > 0 ORDER BY attnum`,
      )
    ).map(({ name, type, required, default: byDefault }) =>
      [name, type, required === true ? 'NOT NULL' : '', byDefault ?? ''].join(' ').trim(),
    )

  test('a table is made with types for what the schemas say', async () => {
    const types: readonly (readonly [Schema, string])[] = [
      [schema.int8(), 'smallint NOT NULL'],
      [schema.int64({ optional: true }), 'bigint'],
      [schema.float32(), 'real NOT NULL'],
      [schema.boolean({ default: true }), 'boolean NOT NULL true'],
      [schema.string({ optional: true, default: "it's" }), "text  'it''s'::text"],
      [schema.bytes(), 'bytea NOT NULL'],
      [schema.decimal(2), 'numeric NOT NULL'],
      [schema.decimal(2, { parameters: { 'connect.decimal.precision': '9' } }), 'numeric(9,2) NOT NULL'],
      [schema.date(), 'date NOT NULL'],
      [
        schema.timestamp({ default: 0 }),
        "timestamp without time zone NOT NULL '1970-01-01 00:00:00'::timestamp without time zone",
      ],
      [schema.array(schema.int32({ optional: true })), 'integer[] NOT NULL'],
      [schema.map(schema.string(), schema.string()), 'jsonb NOT NULL'],
      [schema.struct({ a: schema.int32() }), 'jsonb NOT NULL'],
      [schema.string({ name: 'io.debezium.data.Uuid' }), 'uuid NOT NULL'],
      [schema.string({ name: 'io.debezium.time.ZonedTimestamp' }), 'timestamp with time zone NOT NULL'],
      [schema.int64({ name: 'io.debezium.time.MicroTimestamp' }), 'timestamp without time zone NOT NULL'],
      [schema.bytes({ name: 'io.debezium.data.Bits', parameters: { length: '9' } }), 'bit(9) NOT NULL'],
      [schema.string({ parameters: propagated('VARCHAR', '20') }), 'character varying(20) NOT NULL'],
      [schema.string({ parameters: propagated('INET') }), 'inet NOT NULL'],
      [schema.array(schema.string(), { parameters: propagated('_MACADDR') }), 'macaddr[] NOT NULL'],
      [schema.string({ parameters: propagated('NO SUCH TYPE') }), 'text NOT NULL'],
    ]
    const made = await database()
    const valueSchema = schema.struct(Object.fromEntries(types.map(([one], at) => [`c${at}`, one])))
    const sink = made.run({ 'auto.create': true })
    await sink.put([sinkRecord({ value: {}, valueSchema })])
    expect(await columnsOf(made, 'topic')).toEqual(types.map(([, type], at) => `c${at} ${type}`))
    // All but the first row are missing what is required, and so is it.
    expect(sink.reported).toHaveLength(1)
  })

  test('columns are added, for rows that are there too', async () => {
    const made = await database()
    const sink = made.run({ ...upsert, 'auto.create': true, 'auto.evolve': true })
    await sink.put([
      customerRecord(0, 1, { name: 'a' }),
      customerRecord(1, 1, { name: 'b', city: 'x', level: 5 }, { valueSchema: wider }),
      customerRecord(2, 1, { name: 'c' }),
    ])
    expect(await columnsOf(made, 'customers')).toEqual([
      'id bigint NOT NULL',
      'name text NOT NULL',
      'note text',
      'score integer',
      'city text',
      "level smallint NOT NULL '3'::smallint",
    ])
    expect(await made.sql('SELECT name, city, level FROM customers')).toEqual([{ name: 'c', city: 'x', level: 5 }])
  })

  test('without auto.evolve the error names table, column and statement', async () => {
    const { run, sql } = await database(
      'CREATE TABLE customers (id bigint PRIMARY KEY, name text, note text, score int)',
    )
    const sink = run(upsert)
    const record = customerRecord(0, 1, { name: 'b', city: 'x', level: 5 }, { valueSchema: wider })
    await expect(sink.put([record])).rejects.toThrow(
      'the table "customers" has no column "city", "level", and auto.evolve is off. To add it: ' +
        `ALTER TABLE "customers" ADD COLUMN "city" text, ADD COLUMN "level" smallint DEFAULT '3' NOT NULL`,
    )
    // Somebody does.
    await sql(`ALTER TABLE "customers" ADD COLUMN "city" text, ADD COLUMN "level" smallint DEFAULT '3' NOT NULL`)
    await sink.put([record])
    expect(await sql('SELECT city FROM customers')).toEqual([{ city: 'x' }])
  })

  test('many tasks make the same table and the same columns', async () => {
    const made = await database()
    const tasks = Array.from({ length: 6 }, () => made.run({ ...upsert, 'auto.create': true, 'auto.evolve': true }))
    await Promise.all(tasks.map((task, n) => task.put([customerRecord(0, n, { name: 'a' })])))
    await Promise.all(
      tasks.map((task, n) =>
        task.put([customerRecord(1, n, { name: 'b', city: 'x', level: 1 }, { valueSchema: wider })]),
      ),
    )
    expect(await made.sql('SELECT count(*)::int, min(name) AS name, min(city) AS city FROM customers')).toEqual([
      { count: 6, name: 'b', city: 'x' },
    ])
  })

  test('a column that was given another type, and one that is gone, while the task runs', async () => {
    const { run, sql } = await database(
      'CREATE TABLE customers (id bigint PRIMARY KEY, name text, note text, score int)',
    )
    const sink = run(upsert)
    await sink.put([customerRecord(0, 1, { name: 'a', score: 1 })])
    await sql('ALTER TABLE customers ALTER score TYPE text, ALTER name TYPE varchar(3)')
    await sink.put([customerRecord(1, 1, { name: 'abc', score: 2 })])
    expect(await sql('SELECT name, score FROM customers')).toEqual([{ name: 'abc', score: '2' }])
    await sql('ALTER TABLE customers DROP score')
    await expect(sink.put([customerRecord(2, 1, { name: 'b' })])).rejects.toThrow('has no column "score"')
  })

  test('an upsert without a unique index says which', async () => {
    const { run } = await database('CREATE TABLE customers (id bigint, name text, note text, score int)')
    await expect(run(upsert).put([customerRecord(0, 1, { name: 'a' })])).rejects.toThrow('needs a unique index')
  })

  test('nothing is made for a delete alone', async () => {
    const { run, sql } = await database()
    const sink = run({ ...upsert, 'delete.enabled': true, 'auto.create': true })
    await sink.put([sinkRecord({ topic: 'customers', key: { id: 1 }, keySchema: customerKey })])
    await sink.put([customerRecord(1, 1, { name: 'a' })])
    await sink.put([customerRecord(2, 1, null)])
    expect(await sql('SELECT * FROM customers')).toEqual([])
  })

  test('a config is tried out on the database', async () => {
    const { url, sql } = await database(
      'CREATE TABLE customers (id bigint PRIMARY KEY)',
      'CREATE ROLE reader LOGIN; GRANT SELECT ON customers TO reader; REVOKE CREATE ON SCHEMA public FROM PUBLIC',
    )
    const tried = (config: Record<string, unknown>) => {
      const defaults = Object.fromEntries(
        Object.entries(postgresSink.config).flatMap(([name, setting]) =>
          'default' in setting ? [[name, setting.default]] : [],
        ),
      )
      const full = { ...defaults, 'connection.url': url, 'connection.user': server().user, ...config }
      const log = { debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined }
      return postgresSink.tryOut!(full as never, { signal: new AbortController().signal, log })
    }
    expect(await tried({ 'exactly.once': true })).toEqual({})
    expect(await tried({ 'table.name.format': 'customers', 'pk.fields': ['id'] })).toEqual({})
    expect(await tried({ 'table.name.format': 'customers', 'pk.fields': ['key'] })).toHaveProperty(['pk.fields'])
    expect(await tried({ 'table.name.format': 'nowhere' })).toHaveProperty(['table.name.format'])
    const asReader = { 'connection.user': 'reader' }
    expect(await tried({ ...asReader, 'table.name.format': 'customers', 'insert.mode': 'upsert' })).toEqual({
      'connection.user': expect.stringContaining('GRANT INSERT, UPDATE ON "customers"'),
    })
    expect(await tried({ ...asReader, 'auto.create': true, 'exactly.once': true })).toEqual({
      'auto.create': expect.any(String),
      'offsets.table.name': expect.any(String),
    })
    expect(await tried({ 'connection.url': url.replace(/\/d\d+$/, '/nowhere') })).toEqual({
      'connection.url': expect.stringContaining('does not exist'),
    })
    await sql('DROP OWNED BY reader; DROP ROLE reader')
  })
})

function propagated(type: string, length?: string): Record<string, string> {
  return {
    '__debezium.source.column.type': type,
    ...(length === undefined ? {} : { '__debezium.source.column.length': length }),
  }
}
