import type { Schema } from '@tidewire/sdk'
import { schema } from '@tidewire/sdk'
import { sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { postgresMissing } from '../../../../test/support/postgres.ts'
import { columnReader, type TypeOptions } from '../../types/column-reader.ts'
import { TypeCatalog } from '../../types/type-catalog.ts'
import { connect, disconnect } from '../../link/connect.ts'
import { addressOfServer } from '../address.ts'
import { typeOptions } from '../event-fixtures.ts'
import { sinkServer } from './sink-database.ts'

/** Columns, each with values in the text form that PostgreSQL gives them. */
const columns: Readonly<Record<string, readonly string[]>> = {
  boolean: ['true', 'false'],
  smallint: ['-32768', '32767'],
  integer: ['-2147483648', '0'],
  bigint: ['9223372036854775807', '-9223372036854775808', '42'],
  oid: ['4294967295'],
  real: ['1.5', 'NaN', '-Infinity', '-0'],
  'double precision': ['0.1', 'Infinity', '1e-300', '-0'],
  numeric: ['123456789012345678901234567890.123', '0.000001', '-5'],
  'numeric(10,2)': ['12345678.90', '-0.01'],
  money: ['$1,234.56', '-$0.01'],
  text: ['', 'é😀\t\n\\N', '"{}"'],
  'varchar(5)': ['abcde'],
  'char(4)': ['ab  '],
  '"char"': ['x'],
  name: ['a name'],
  citext: ['MiXed'],
  bytea: [String.raw`\x00ff5c`, String.raw`\x`],
  date: ['2024-02-29', '0044-03-15 BC', '10000-01-01', 'infinity', '-infinity'],
  time: ['23:59:59.999999', '24:00:00', '00:00:00'],
  'time(3)': ['12:34:56.789'],
  timetz: ['12:34:56.5+00'],
  timestamp: [
    '2024-02-29 12:34:56.123456',
    '0001-01-01 00:00:00 BC',
    '1969-12-31 23:59:59.999999',
    'infinity',
    '-infinity',
  ],
  'timestamp(3)': ['2024-02-29 12:34:56.789'],
  timestamptz: ['2024-02-29 12:34:56.123456+00', '10000-01-01 00:00:00+00', 'infinity', '-infinity'],
  interval: ['3 days 04:05:06.789', '-00:00:00.000001'],
  json: ['{"a":  [1, 2.50]}'],
  jsonb: ['{"a": [1, 2.50]}'],
  xml: ['<a>b</a>'],
  uuid: ['a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'],
  inet: ['10.0.0.1/8'],
  cidr: ['10.0.0.0/8'],
  macaddr: ['08:00:2b:01:02:03'],
  macaddr8: ['08:00:2b:01:02:03:04:05'],
  'bit(1)': ['1', '0'],
  'bit(10)': ['0000000011'],
  'varbit(20)': ['1010'],
  tsvector: ["'a':1 'b':2"],
  int4range: ['[1,5)', 'empty'],
  tstzrange: ['["2024-01-01 00:00:00+00",)'],
  hstore: ['"a b"=>"c\\"d", "n"=>NULL', ''],
  ltree: ['a.b.c'],
  mood: ['happy'],
  small: ['7'],
  point: ['(1.5,-2)'],
  box: ['(3,4),(1,2)'],
  lseg: ['[(1,2),(3,4)]'],
  path: ['((1,2),(3,4))', '[(1,2),(3,4)]'],
  polygon: ['((0,0),(1,0),(1,1))'],
  circle: ['<(1,2),3>'],
  line: ['{1,2,3}'],
  'integer[]': ['{1,NULL,3}', '{}'],
  'text[]': ['{a,"b c","q\\"\\\\",NULL,"NULL",""}'],
  'numeric(6,2)[]': ['{1.50,-2.00}'],
  'timestamp[]': ['{"2024-01-01 00:00:00","0001-01-01 00:00:00 BC"}'],
  'uuid[]': ['{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}'],
  'bytea[]': ['{"\\\\x00ff"}'],
  'boolean[]': ['{t,f}'],
  'jsonb[]': ['{"{\\"a\\": 1}"}'],
}

const modes: readonly Partial<TypeOptions>[] = [
  {},
  { decimal: 'string', time: 'isostring', interval: 'string', hstore: 'map', binary: 'hex' },
  { time: 'microseconds' },
  { time: 'structured' },
]

/** What a mode cannot tell, so that it does not come back. */
const lost: readonly ((mode: Partial<TypeOptions>, type: string, text: string) => boolean)[] = [
  // The text of hex does not say that it is one.
  ({ binary }, type) => binary === 'hex' && type.startsWith('bytea'),
  // Days are hours.
  ({ interval, time }, type, text) =>
    interval !== 'string' && time !== 'structured' && type === 'interval' && text.includes('day'),
  // A scale of its own for each value, without trailing zeros.
  ({ decimal }, type, text) => decimal !== 'string' && type === 'numeric' && text.endsWith('0'),
]

const missing = await postgresMissing()

describe.skipIf(missing !== undefined).each(modes)(`the way from table to table ${missing ?? ''}: %j`, (mode) => {
  const { server, database } = sinkServer('debian')

  test('every value of every type comes back as it was', async () => {
    const definitions = Object.keys(columns).map((type, at) => `c${at} ${type}`)
    const prepare = [
      'CREATE EXTENSION hstore; CREATE EXTENSION ltree; CREATE EXTENSION citext',
      "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN small AS int CHECK (VALUE < 10)",
      `CREATE TABLE replica (id int PRIMARY KEY, ${definitions.join(', ')})`,
    ]
    const { run, sql, name } = await database(...prepare)
    const { valueSchema, rows, expected } = await readAsEvents(mode, name)
    const records = rows.map((value, offset) => sinkRecord({ topic: 'replica', offset, value, valueSchema }))
    const sink = run({
      'insert.mode': 'upsert',
      'pk.mode': 'record_value',
      'pk.fields': 'id',
      'replace.null.with.default': false,
    })
    await sink.put(records)
    expect(sink.reported.map(({ error }) => error.message)).toEqual([])
    // By COPY too.
    await sql('CREATE TABLE copied (LIKE replica)')
    const many = Array.from({ length: 40 }, () => records).flat()
    await run({ 'table.name.format': 'copied', 'replace.null.with.default': false }).put(many)
    for (const table of ['replica', 'copied']) {
      for (const [at, type] of Object.keys(columns).entries()) {
        const found = await sql(
          `SET TimeZone = 'UTC'; SET lc_monetary = 'C'; SELECT DISTINCT id, c${at}::${type}::text AS text FROM ${table} WHERE c${at} IS NOT NULL ORDER BY id`,
        )
        const texts = found.map(({ text }) => text)
        expect([table, type, texts]).toEqual([table, type, expected.get(type)])
      }
    }
  })

  /** One row for the first value of each column, one for the second, and so on, as our source reads them. */
  async function readAsEvents(mode: Partial<TypeOptions>, database: string) {
    const client = await connect(addressOfServer(server(), { database }), { signal: new AbortController().signal })
    try {
      const catalog = await TypeCatalog.load(client)
      const { rows: attributes } = await client.query<{ name: string; type: number; modifier: number }>(
        `SELECT attname AS name, atttypid::int8::float8 AS type, atttypmod AS modifier FROM pg_attribute
         WHERE attrelid = 'replica'::regclass AND attnum > 1 ORDER BY attnum`,
      )
      const fields: Record<string, Schema> = { id: schema.int32() }
      const rows = Array.from({ length: 5 }, (_, id): Record<string, unknown> => ({ id }))
      const expected = new Map<string, string[]>()
      for (const [at, [type, texts]] of Object.entries(columns).entries()) {
        const { name, type: typeOid, modifier: typeModifier } = attributes[at]!
        const reader = columnReader({ name, typeOid, typeModifier, nullable: true }, catalog, {
          ...typeOptions,
          ...mode,
        })
        expected.set(type, [])
        if (reader === undefined) continue
        fields[name] = reader.schema
        for (const [row, text] of texts.entries()) {
          if (lost.some((isLost) => isLost(mode, type, text))) continue
          // As the server writes it, in a session with the settings of the source's.
          const { rows: written } = await client.query<{ text: string }>(`SELECT $1::${type}::text AS text`, [text])
          const bytes = Buffer.from(written[0]!.text)
          rows[row]![name] = reader.read(bytes, 0, bytes.length)
          expected.get(type)!.push(written[0]!.text)
        }
      }
      return { valueSchema: schema.struct(fields), rows, expected }
    } finally {
      await disconnect(client)
    }
  }
})
