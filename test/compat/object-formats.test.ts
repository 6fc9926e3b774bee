/** Objects of s3-sink and s3-source beside the readers and writers that others use: pyarrow, fastavro, zcat, zstd. */
import { execFile } from 'node:child_process'
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { Decimal, logicalNames, schema, type Schema, type SinkRecord } from '@tidewire/sdk'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { objectOf, read, sinkRecord, write } from '../../connectors/s3/formats/testing/objects.ts'
import { missingProgram } from '../support/programs.ts'
import { pythonClients, pythonMissing, type Scenario } from '../support/python-clients.ts'

const missing = await pythonMissing()
const packages = ['pyarrow==26.0.1', 'fastavro==1.13.1', 'cramjam==2.14.0', 'backports.zstd==1.8.0']
const script = 'object_formats.py'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-objects-'))
})
afterAll(() => rm(folder, { recursive: true, force: true }))

const optional = { optional: true } as const
const row = schema.struct(
  {
    id: schema.int64(),
    small: schema.int8(optional),
    number: schema.int32(optional),
    single: schema.float32(optional),
    double: schema.float64(),
    flag: schema.boolean(optional),
    text: schema.string(optional),
    bytes: schema.bytes(optional),
    price: schema.decimal(2, optional),
    day: schema.date(optional),
    time: schema.time(optional),
    at: schema.timestamp(),
    list: schema.array(schema.int32(optional), optional),
    lists: schema.array(schema.array(schema.string())),
    map: schema.map(schema.string(), schema.int64(optional), optional),
    byNumber: schema.map(schema.int32(), schema.string()),
    part: schema.struct(
      {
        name: schema.string(optional),
        items: schema.array(schema.struct({ x: schema.int32(), y: schema.string(optional) }), optional),
      },
      { ...optional, name: 'com.acme.Part' },
    ),
  },
  { name: 'com.acme.Row' },
)

const values = Array.from({ length: 600 }, (_, index) => ({
  id: index % 3 > 0 ? index : 2n ** 62n + BigInt(index),
  small: index % 4 > 0 ? (index % 256) - 128 : null,
  number: index % 5 > 0 ? index : null,
  single: index % 2 > 0 ? index / 8 : null,
  double: index / 3,
  flag: index % 3 > 0 ? index % 2 === 0 : null,
  text: index % 4 > 0 ? `téxt ${index % 20} 𝄞` : null,
  bytes: index % 2 > 0 ? Buffer.from([index % 256, 0, 255]) : null,
  price: index % 3 > 0 ? new Decimal(BigInt(index - 300) * 10n ** 20n, 2) : null,
  day: index % 7 > 0 ? index - 300 : null,
  time: index % 7 > 0 ? index * 1000 : null,
  at: 1_700_000_000_000 + index,
  list: index % 4 === 0 ? null : index % 4 === 1 ? [] : [index, null, 3],
  lists: index % 3 > 0 ? [['a'], [], ['b', 'c']] : [],
  map: index % 3 > 0 ? new Map([['k', index], ['z', null]]) : null, // prettier-ignore
  byNumber: new Map([[5, 'five'], [1, 'one']]), // prettier-ignore
  part:
    index % 3 === 0
      ? null
      : { name: index % 2 > 0 ? 'q' : null, items: index % 5 > 0 ? [{ x: index, y: null }] : null },
}))
const records: readonly SinkRecord[] = values.map((value, offset) => sinkRecord(offset, value, row))

/** A value as the script prints it. */
function plain(value: unknown, type: Schema, mapsAre: 'pairs' | 'objects'): unknown {
  if (value === null) return null
  if (value instanceof Decimal) return { decimal: value.toString() }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (type.type === 'float32' || type.type === 'float64') return value
  if (type.name === logicalNames.date) return { date: value }
  if (type.name === logicalNames.time) return { time: value }
  if (type.name === logicalNames.timestamp) return { timestamp: value }
  if (typeof value === 'number' || typeof value === 'bigint') return String(value)
  if (value instanceof Map) {
    const entries = [...value].map(([key, part]) => [
      plain(key, type.keys!, mapsAre),
      plain(part, type.values!, mapsAre),
    ])
    if (type.keys!.type !== 'string') return entries.map(([key, part]) => ({ key, value: part }))
    return mapsAre === 'pairs' ? entries : Object.fromEntries(entries as [string, unknown][])
  }
  if (Array.isArray(value)) return value.map((part) => plain(part, type.values!, mapsAre))
  if (typeof value !== 'object') return value
  return Object.fromEntries(
    type.fields!.map((field) => [
      field.name,
      plain((value as Record<string, unknown>)[field.name], field.schema, mapsAre),
    ]),
  )
}

/** Floats as Python prints them exactly, to numbers. */
function floatsRead(_key: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !('float' in value)) return value
  const match = /^(-?)0x(\d)(?:\.([0-9a-f]*))?p([+-]\d+)$/.exec(String(value.float))!
  const digits = match[3] ?? ''
  const magnitude = (Number.parseInt(match[2]! + digits, 16) / 16 ** digits.length) * 2 ** Number(match[4])
  return match[1] === '-' ? -magnitude : magnitude
}

describe.skipIf(missing !== undefined)(`pyarrow and fastavro${missing === undefined ? '' : ` (${missing})`}`, () => {
  let python: Scenario
  beforeAll(async () => {
    python = await pythonClients(packages)
  })

  test('read what is written', async () => {
    const work = await mkdtemp(join(folder, 'ours-'))
    const files = {
      ...Object.fromEntries(
        ['none', 'gzip', 'snappy', 'zstd', 'brotli'].map((codec) => [
          `${codec}.parquet`,
          { 'format.class': 'parquet', 'parquet.codec': codec },
        ]),
      ),
      ...Object.fromEntries(
        ['null', 'deflate', 'snappy', 'zstandard'].map((codec) => [
          `${codec}.avro`,
          { 'format.class': 'avro', 'avro.codec': codec },
        ]),
      ),
    }
    for (const [name, settings] of Object.entries(files)) {
      await writeFile(join(work, name), (await write(settings, records, { takeEvery: 200 })).bytes)
    }
    const rowsFile = (await python(script, 'read', work)) as string
    const result = JSON.parse(await readFile(rowsFile, 'utf8'), floatsRead) as Record<
      string,
      { rows: unknown; groups?: number }
    >
    expect(Object.keys(result).sort()).toEqual(Object.keys(files).sort())
    for (const [name, { rows, groups }] of Object.entries(result)) {
      const isParquet = name.endsWith('.parquet')
      expect(rows, name).toEqual(values.map((value) => plain(value, row, isParquet ? 'pairs' : 'objects')))
      if (isParquet) expect(groups).toBe(3)
    }
  })

  describe('what they write is read', () => {
    let work: string
    let names: string[]
    beforeAll(async () => {
      work = await mkdtemp(join(folder, 'theirs-'))
      names = (await python(script, 'write', work)) as string[]
    })

    const readFileOf = async (name: string, from = 0): ReturnType<typeof read> =>
      read(name.endsWith('.avro') ? 'avro' : 'parquet', objectOf(name, await readFile(join(work, name)), 65_536), {
        from,
      })

    test('Parquet of all types, by all writers’ ways', async () => {
      const variants = names.filter((name) => !/^(?:many|int96|nanoseconds)|\.avro$/.test(name))
      expect(variants).toHaveLength(11)
      for (const name of variants) {
        const rows = await readFileOf(name)
        expect(
          rows.map(({ value }) => value),
          name,
        ).toEqual(theirRows)
        expect(fieldTypes(rows[0]!.schema!), name).toEqual(theirTypes)
      }
    })

    test.each(['int96.parquet', 'nanoseconds.parquet'])('times in nanoseconds: %s', async (name) => {
      const rows = await readFileOf(name)
      expect(rows.map(({ value }) => value)).toEqual([{ ns: 1700000000123456789n }, { ns: null }, { ns: -1 }])
      expect(fieldTypes(rows[0]!.schema!)).toEqual({ ns: 'int64 io.debezium.time.NanoTimestamp' })
    })

    test('Parquet of several row groups and many pages, from any row on', async () => {
      for (const from of [0, 29_999, 30_000, 75_001, 99_999, 100_000]) {
        const rows = await readFileOf('many.parquet', from)
        expect(rows).toHaveLength(100_000 - from)
        expect(rows.every(({ value }, index) => (value as { id: number }).id === from + index)).toBe(true)
        if (rows.length > 0) expect(rows.at(-1)?.value).toEqual({ id: 99_999, text: 'text 999' })
      }
    })

    test.each(['null', 'deflate', 'snappy', 'zstandard'])('Avro, %s', async (codec) => {
      const rows = await readFileOf(`${codec}.avro`, 4990)
      expect(rows).toHaveLength(10)
      expect(rows[0]?.value).toEqual({
        ...{ id: 2n ** 62n + 4990n, text: 'text 4990', at: 4990, price: new Decimal(4990n, 2), kind: 'A' },
        ...{ tags: new Map([['n', 4990]]), parts: [2495] },
      })
      expect(rows[0]?.schema?.name).toBe('com.acme.Row')
    })

    test('a codec that is not read is named', async () => {
      await expect(readFileOf('bzip2.avro')).rejects.toThrow(/codec bzip2 is not read/)
    })
  })
})

const column = (name: string, ...three: readonly unknown[]): readonly [string, readonly unknown[]] => [name, three]
const theirColumns = [
  column('flag', true, null, false),
  column('i8', -128, null, 127),
  column('i16', -32_768, null, 32_767),
  column('i32', -(2 ** 31), null, 2 ** 31 - 1),
  column('i64', -(2n ** 63n), null, 2n ** 63n - 1n),
  column('u8', 0, null, 255),
  column('u16', 0, null, 65_535),
  column('u32', 0, null, 2 ** 32 - 1),
  column('half', 0.5, null, -2),
  column('single', 0.5, null, -2.25),
  column('double', 0.1, null, 1e300),
  column('text', 'é', null, 'x'.repeat(100)),
  column('large', 'a', null, 'b'),
  column('bytes', Buffer.from([0, 255]), null, Buffer.alloc(0)),
  column('fixed', Buffer.from('abcd'), null, Buffer.from('efgh')),
  column('small', new Decimal(125n, 2), null, new Decimal(-125n, 2)),
  column('decimal', new Decimal(1234567890123456789012n, 2), null, new Decimal(0n, 2)),
  column('day', 19_782, null, -1),
  column('time_ms', 3_723_004, null, 0),
  column('time_us', 3_723_000_004, null, 0),
  column('ms', 1_700_000_000_123, null, -1),
  column('us', 1_700_000_000_123_456, null, -1),
  column('local_us', 1_700_000_000_123_456, null, -1),
  column('uuid', '00000000-0000-0000-0000-000000000001', null, '00000000-0000-0000-0000-000000000002'),
  column('list', [1, null], null, []),
  column('lists', [['a'], [], null], null, []),
  column('struct', { a: 1, b: ['x'] }, null, { a: null, b: null }),
  column('structs', [{ a: 1, b: [] }, null], null, []),
  column('map', new Map([['k', 1], ['l', null]]), null, new Map()), // prettier-ignore
  column('by_number', new Map([[2, 'two'], [1, 'one']]), null, new Map()), // prettier-ignore
  column('nothing', null, null, null),
  column('category', 'a', null, 'a'),
]
const theirRows = [0, 1, 2].map((at) => Object.fromEntries(theirColumns.map(([name, three]) => [name, three[at]])))
const theirTypes = {
  ...{ flag: 'boolean', i8: 'int8', i16: 'int16', i32: 'int32', i64: 'int64', u8: 'int16', u16: 'int32', u32: 'int64' },
  ...{
    half: 'float32',
    single: 'float32',
    double: 'float64',
    text: 'string',
    large: 'string',
    bytes: 'bytes',
    fixed: 'bytes',
  },
  ...{
    small: `bytes ${logicalNames.decimal}`,
    decimal: `bytes ${logicalNames.decimal}`,
    day: `int32 ${logicalNames.date}`,
  },
  ...{
    time_ms: `int32 ${logicalNames.time}`,
    time_us: 'int64 io.debezium.time.MicroTime',
    ms: `int64 ${logicalNames.timestamp}`,
  },
  ...{ us: 'int64 io.debezium.time.MicroTimestamp', local_us: 'int64 io.debezium.time.MicroTimestamp' },
  ...{
    uuid: 'string io.debezium.data.Uuid',
    list: 'array',
    lists: 'array',
    struct: 'struct',
    structs: 'array',
    map: 'map',
  },
  ...{ by_number: 'map', nothing: 'int32', category: 'string' },
}

function fieldTypes({ fields = [] }: Schema): Record<string, string> {
  return Object.fromEntries(
    fields.map(({ name, schema: { type, name: logical } }) => [
      name,
      logical === undefined ? type : `${type} ${logical}`,
    ]),
  )
}

const withoutTools = await missingProgram(['zcat', '--version'], ['zstd', '--version'])
test.skipIf(withoutTools !== undefined).each([
  ['gzip', 'gzip', ['-dc']],
  ['zstd', 'zstd', ['-dc']],
] as const)(
  `lines of JSON are unpacked by %s${withoutTools === undefined ? '' : ` (${withoutTools})`}`,
  async (compression, program, options) => {
    const plainLines = await write({ 'format.class': 'json' }, records)
    const settings = { 'format.class': 'json', 's3.compression.type': compression, 's3.compression.level': '1' }
    const packed = await write(settings, records, { takeEvery: 170 })
    const file = join(folder, `lines${packed.extension}`)
    await writeFile(file, packed.bytes)
    const { stdout } = await promisify(execFile)(program, [...options, file], { maxBuffer: 64 * 1024 * 1024 })
    expect(stdout).toBe(plainLines.bytes.toString())
  },
)
