/**
 * Each type of PostgreSQL, in each mode: what our readers make of a real server's texts against what the real Debezium
 * made of the same values (test/vectors/debezium-postgres).
 */
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { isErrorKind, schema, type Schema } from '@tidewire/sdk'
import type pg from 'pg'
import { to as copyTo } from 'pg-copy-streams'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { connect, disconnect } from '../../connectors/postgres/link/connect.ts'
import { columnReader, type PgColumn, type TypeOptions } from '../../connectors/postgres/types/column-reader.ts'
import { TypeCatalog } from '../../connectors/postgres/types/type-catalog.ts'
import { jsonConverter } from '../../core/src/convert/json-converter.ts'
import { parseExact } from '@tidewire/sdk/exact-json'
import { postgresMissing, startPostgres, type TestPostgres } from '../support/postgres.ts'

type Row = Readonly<Record<string, unknown>>

interface Vector {
  readonly name: string
  readonly type: string
  readonly sql: readonly string[]
  readonly fields: readonly (Row & { readonly field: string })[] | null
  readonly rows: readonly { readonly sql: string; readonly snapshot: Row | null; readonly stream: Row | null }[]
}

interface Vectors {
  readonly config: Readonly<Record<string, string>>
  readonly tables: readonly Vector[]
}

interface Difference {
  readonly tables: RegExp
  readonly modes?: RegExp
  /** Left out: both may differ. */
  readonly only?: 'fields' | 'values'
  readonly reason: string
}

/** Where ours is another, and why. Each is met at least once. */
const differences: readonly Difference[] = [
  {
    tables: /^numeric_5_minus2$/,
    reason: 'pgjdbc takes the scale −2 for 2046: Debezium gives the number 2046 digits after the point',
  },
  { tables: /^name$/, only: 'values', reason: 'Debezium has null for name in the stream' },
  { tables: /^(int4multirange|ownrange)$/, reason: 'a text as of the other ranges; Debezium does not know them' },
  {
    tables: /^array_text$/,
    only: 'values',
    modes: /default|texts/,
    reason: 'an array in an array of texts is its text; Debezium shows what Java prints for an object',
  },
  {
    tables: /^array_time$/,
    only: 'values',
    reason: 'all digits; Debezium has milliseconds, since pgjdbc makes java.sql.Time of the elements',
  },
  { tables: /^array_bit$/, reason: 'an array of Bits; Debezium has a schema that is none, and so null' },
  {
    tables: /^array_(enum|composite)$/,
    reason: 'elements may be null, as in the database: Debezium cannot show an array with a NULL',
  },
  {
    tables: /^array_(interval|money|varbit|point|xml|name|domain)$/,
    reason: 'arrays of these are shown as those of other types; Debezium leaves them out',
  },
  { tables: /hstore$/, only: 'values', reason: 'keys are in the order of the database, not in that of a Java hash' },
  {
    tables: /^time(_\d)?$/,
    modes: /texts|structured/,
    only: 'values',
    reason: '24:00:00 stays; Debezium makes 00:00:00 of it, or null',
  },
  {
    tables: /^interval_day$/,
    modes: /structured/,
    only: 'values',
    reason: 'six digits; Debezium takes 65535 for what is not told',
  },
]

const folder = join(import.meta.dirname, '../vectors/debezium-postgres')
const modes = ['default', 'texts', 'numbers', 'adaptive-us', 'us', 'ns', 'structured']
const vectors = new Map(
  modes.map((mode) => [
    mode,
    parseExact(readFileSync(join(folder, `types-${mode}.json`), 'utf8'), 'integers') as Vectors,
  ]),
)
const missing = await postgresMissing('debian')

const converter = jsonConverter.create(
  {
    'schemas.enable': true,
    'schemas.cache.size': 10,
    'decimal.format': 'BASE64',
    'replace.null.with.default': true,
    'schema.content': undefined,
  },
  'value',
)

describe.skipIf(missing !== undefined)(`types${missing === undefined ? '' : ` (${missing})`}`, () => {
  let postgres: TestPostgres
  let client: pg.Client
  let catalog: TypeCatalog

  beforeAll(async () => {
    postgres = await startPostgres({ version: 'debian' })
    const { tables } = vectors.get('default')!
    for (const extension of ['citext', 'hstore', 'ltree', 'isn', 'cube']) {
      await postgres.sql(`CREATE EXTENSION ${extension}`)
    }
    await postgres.sql(tables.flatMap(({ sql, rows }) => [...sql, ...rows.map((row) => row.sql)]).join('; '))
    client = await connect(
      {
        ...{ host: postgres.host, port: postgres.port, user: postgres.user, password: '', database: postgres.database },
        ...{ ssl: { mode: 'disable' }, tcpKeepAlive: true, applicationName: 'test', initialStatements: [] },
        queryTimeoutMs: 0,
      },
      { signal: AbortSignal.timeout(60_000) },
    )
    catalog = await TypeCatalog.load(client)
  })
  afterAll(async () => {
    await disconnect(client)
    await postgres.close()
  })

  for (const [mode, { config, tables }] of vectors) {
    describe(mode, () => {
      for (const table of tables) {
        test(table.name, async () => {
          const ours = await oursOf(table, config)
          const theirs = table.rows.map(({ snapshot, stream }) => stream ?? snapshot)
          if (table.fields !== null) judge(mode, table.name, 'fields', ours.fields, table.fields.map(withoutSource))
          judge(mode, table.name, 'values', ours.rows, theirs.map(withoutKey))
        })
      }
    })
  }

  test('each difference is there', () => {
    expect(differences.filter((difference) => !met.has(difference))).toEqual([])
  })

  test('what is made after the catalog was read comes with a refresh', async () => {
    await postgres.sql(
      `CREATE TYPE late AS ENUM ('a'); CREATE DOMAIN later AS late; CREATE TABLE late_table (v later[])`,
    )
    await postgres.sql(`CREATE TABLE of_rows (v late_table)`)
    const [array] = await columnsOf(client, 'late_table')
    const [row] = await columnsOf(client, 'of_rows')
    expect(catalog.get(array!.typeOid)).toBeUndefined()
    await catalog.refresh(client, [array!.typeOid, row!.typeOid])
    const elements = catalog.get(array!.typeOid)!.elementOid
    expect(catalog.rootOf(elements, -1)?.type).toMatchObject({ name: 'late', kind: 'enum', labels: ['a'] })
    expect(catalog.get(row!.typeOid)).toMatchObject({ name: 'late_table', kind: 'composite', elementOid: 0 })

    await postgres.sql(`ALTER TYPE late ADD VALUE 'before' BEFORE 'a'`)
    await catalog.refresh(client, [elements])
    expect(catalog.rootOf(elements, -1)?.type.labels).toEqual(['before', 'a'])
  })

  async function oursOf(table: Vector, config: Vectors['config']): Promise<{ fields: unknown; rows: unknown[] }> {
    const columns = await columnsOf(client, `t_${table.name}`)
    const readers = columns.map((column) => columnReader(column, catalog, optionsOf(config)))
    const fields: Record<string, Schema> = {}
    readers.forEach((reader, at) => {
      if (reader !== undefined) fields[columns[at]!.name] = reader.schema
    })
    const of = schema.struct(fields)
    let written: unknown
    const rows = (await textsOf(client, table.name)).map((texts) => {
      const row: Record<string, unknown> = {}
      readers.forEach((reader, at) => {
        const text = texts[at]
        if (reader === undefined || text === undefined) return
        row[columns[at]!.name] = text === null ? null : readOr(reader.absent, () => reader.read(text, 0, text.length))
      })
      const bytes = converter.fromConnect('t', of, row) as Buffer
      const message = parseExact(bytes.toString(), 'integers') as { schema: { fields: unknown }; payload: Row }
      written = message.schema.fields
      return withoutKey(message.payload)
    })
    return { fields: written, rows }
  }
})

/** What has no place in the schema is as if it were not there: `event.converting.failure.handling.mode=warn`. */
function readOr(absent: unknown, read: () => unknown): unknown {
  try {
    return read()
  } catch (error) {
    if (isErrorKind(error, 'DataError')) return absent
    throw error
  }
}

const met = new Set<Difference>()

function judge(mode: string, table: string, what: 'fields' | 'values', ours: unknown, theirs: unknown): void {
  const difference = differences.find(
    ({ tables, modes = /./, only = what }) => tables.test(table) && modes.test(mode) && only === what,
  )
  if (difference === undefined) expect(asTheirs(ours, theirs)).toEqual(theirs)
  else if (!isDeepStrictEqual(asTheirs(ours, theirs), theirs)) met.add(difference)
}

/** From the vectors' JSON a double of many digits is read as a bigint, and −0 as 0. */
function asTheirs(ours: unknown, theirs: unknown): unknown {
  if (ours === 0 && theirs === 0) return theirs
  if (typeof ours === 'number' && typeof theirs === 'bigint' && Number(theirs) === ours) return theirs
  if (Array.isArray(ours) && Array.isArray(theirs)) return ours.map((value, i) => asTheirs(value, theirs[i]))
  if (!isPlain(ours) || !isPlain(theirs)) return ours
  return Object.fromEntries(Object.entries(ours).map(([name, value]) => [name, asTheirs(value, theirs[name])]))
}

function isPlain(value: unknown): value is Row {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function withoutKey(row: Row | null): Row | null {
  return row && Object.fromEntries(Object.entries(row).filter(([name]) => name !== 'pk'))
}

/** Parameters of `column.propagate.source.type` are no matter of types. */
function withoutSource(field: Row): Row {
  const { parameters, ...rest } = field
  const own = Object.entries((parameters ?? {}) as Row).filter(([name]) => !name.startsWith('__debezium.'))
  return own.length === 0 ? rest : { ...rest, parameters: Object.fromEntries(own) }
}

function optionsOf(config: Readonly<Record<string, string>>): TypeOptions {
  return {
    decimal: (config['decimal.handling.mode'] ?? 'precise') as TypeOptions['decimal'],
    time: (config['time.precision.mode'] ?? 'adaptive') as TypeOptions['time'],
    interval: (config['interval.handling.mode'] ?? 'numeric') as TypeOptions['interval'],
    hstore: (config['hstore.handling.mode'] ?? 'json') as TypeOptions['hstore'],
    binary: (config['binary.handling.mode'] ?? 'bytes') as TypeOptions['binary'],
    moneyFractionDigits: Number(config['money.fraction.digits'] ?? 2),
    unavailable: config['unavailable.value.placeholder'] ?? '__debezium_unavailable_value',
    includeUnknown: config['include.unknown.datatypes'] === 'true',
  }
}

async function columnsOf(client: pg.Client, table: string): Promise<PgColumn[]> {
  const { rows } = await client.query<{
    name: string
    oid: string
    modifier: number
    nullable: boolean
    sql: string | null
  }>(
    `SELECT a.attname AS name, a.atttypid::text AS oid, a.atttypmod AS modifier, NOT a.attnotnull AS nullable,
            pg_get_expr(d.adbin, d.adrelid) AS sql
     FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
     WHERE a.attrelid = $1::regclass AND a.attnum > 0 ORDER BY a.attnum`,
    [table],
  )
  return rows.map(({ name, oid, modifier, nullable, sql }) => ({
    ...{ name, typeOid: Number(oid), typeModifier: modifier, nullable },
    ...(sql === null ? {} : { defaultSql: sql }),
  }))
}

/** The texts of COPY, and that a query gives the same. */
async function textsOf(client: pg.Client, table: string): Promise<(Buffer | null)[][]> {
  const stream = client.query(copyTo(`COPY (SELECT * FROM t_${table} ORDER BY pk) TO STDOUT`))
  const chunks: Buffer[] = []
  stream.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(stream, 'end')
  const lines = Buffer.concat(chunks).toString('latin1').split('\n').slice(0, -1)
  const copied = lines.map((line) => line.split('\t').map((field) => (field === '\\N' ? null : unescaped(field))))
  const selected = await client.query<(string | null)[]>({
    text: `SELECT * FROM t_${table} ORDER BY pk`,
    rowMode: 'array',
    types: { getTypeParser: () => (text: string) => text },
  })
  expect(copied.map((row) => row.map((field) => field?.toString() ?? null))).toEqual(selected.rows)
  return copied
}

const escapes: Readonly<Record<string, string>> = { b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v' }

function unescaped(field: string): Buffer {
  return Buffer.from(
    field.replaceAll(/\\(.)/gs, (_, letter: string) => escapes[letter] ?? letter),
    'latin1',
  )
}
