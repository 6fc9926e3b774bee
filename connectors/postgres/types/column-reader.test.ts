import type { Schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { columnReader, type ColumnReader, type PgColumn, type TypeOptions } from './column-reader.ts'
import { oids } from './oids.ts'
import { TypeCatalog, type PgType } from './type-catalog.ts'

const plain = { schema: 'pg_catalog', elementOid: 0, delimiter: ',', baseOid: 0, baseModifier: -1, labels: [] }
const base = (oid: number, name: string): PgType => ({ ...plain, oid, name, kind: 'base' })
const array = (oid: number, of: number): PgType => ({ ...plain, oid, name: `_${of}`, kind: 'array', elementOid: of })
const domain = (oid: number, of: number, baseModifier = -1): PgType => ({
  ...plain,
  ...{ oid, name: `d${oid}`, kind: 'domain', baseOid: of, baseModifier },
})

const own = { mood: 20_000, moods: 20_001, price: 20_002, dearPrice: 20_003, composite: 20_004, composites: 20_005 }
const more = { vector: 20_006, geometry: 20_007, hstore: 20_008, intervals: 20_009, prices: 20_010, geometries: 20_011 }

const catalog = TypeCatalog.of([
  ...Object.entries(oids).map(([name, oid]) => base(oid, name)),
  ...[array(1007, oids.int4), array(1016, oids.int8), array(1009, oids.text), array(1001, oids.bytea)],
  ...[array(2951, oids.uuid), array(1231, oids.numeric), array(1022, oids.float8), array(1115, oids.timestamp)],
  { ...base(own.mood, 'mood'), kind: 'enum', labels: ['sad', 'very happy'] },
  ...[
    array(own.moods, own.mood),
    domain(own.price, oids.numeric, ((8 << 16) | 3) + 4),
    domain(own.dearPrice, own.price),
  ],
  ...[{ ...base(own.composite, 'complex'), kind: 'composite' as const }, array(own.composites, own.composite)],
  ...[base(more.vector, 'vector'), base(more.geometry, 'geometry'), base(more.hstore, 'hstore')],
  ...[array(more.intervals, oids.interval), array(more.prices, own.price), array(more.geometries, more.geometry)],
])

const defaults: TypeOptions = {
  ...{ decimal: 'precise', time: 'adaptive', interval: 'numeric', hstore: 'json', binary: 'bytes' },
  ...{ moneyFractionDigits: 2, unavailable: '__debezium_unavailable_value', includeUnknown: false },
}

function readerOf(typeOid: number, column: Partial<PgColumn> = {}, options: Partial<TypeOptions> = {}) {
  const whole = { name: 'c', typeOid, typeModifier: -1, nullable: true, ...column }
  return columnReader(whole, catalog, { ...defaults, ...options })
}

const read = (reader: ColumnReader | undefined, text: string): unknown => {
  const bytes = Buffer.from(text)
  return reader!.read(bytes, 0, bytes.length)
}

describe('schemas', () => {
  test('say whether there may be a null', () => {
    expect(readerOf(oids.int4)?.schema).toEqual({ type: 'int32', optional: true })
    expect(readerOf(oids.int4, { nullable: false })?.schema).toEqual({ type: 'int32' })
  })

  test('of an enum have its labels', () => {
    const mood: Schema = {
      ...{ type: 'string', name: 'io.debezium.data.Enum', version: 1, optional: true },
      parameters: { allowed: 'sad,very happy' },
    }
    expect(readerOf(own.mood)?.schema).toEqual(mood)
    expect(readerOf(own.moods)?.schema).toEqual({ type: 'array', optional: true, values: mood })
  })

  test('of a domain are those of the type below, with the modifier that it gives', () => {
    for (const oid of [own.price, own.dearPrice]) {
      expect(readerOf(oid)?.schema.parameters).toEqual({ scale: '3', 'connect.decimal.precision': '8' })
    }
  })
})

test('arrays of every type that is shown, also where Debezium has none', () => {
  expect(readerOf(more.intervals)?.schema.values).toEqual({
    ...{ type: 'int64', name: 'io.debezium.time.MicroDuration', version: 1, optional: true },
  })
  expect(read(readerOf(more.intervals), '{"1 day",NULL}')).toEqual([86_400_000_000, null])
  expect(readerOf(more.prices)?.schema.values?.parameters).toEqual({ scale: '3', 'connect.decimal.precision': '8' })
})

describe('types that Debezium does not show', () => {
  test('are left out', () => {
    for (const oid of [own.composite, own.composites, 99_999]) {
      expect(readerOf(oid)).toBeUndefined()
    }
  })

  test('are bytes of their text where include.unknown.datatypes asks for them', () => {
    const reader = readerOf(own.composite, {}, { includeUnknown: true })
    expect(reader?.schema).toEqual({ type: 'bytes', optional: true })
    expect(read(reader, '(1,ü)')).toEqual(Buffer.from('(1,ü)'))
    expect(read(readerOf(own.composite, {}, { includeUnknown: true, binary: 'hex' }), '(1,)')).toBe('28312c29')
    const elements = readerOf(own.composites, {}, { includeUnknown: true, binary: 'base64' })
    expect(read(elements, '{"(1,a)",NULL}')).toEqual(['KDEsYSk=', null])
  })

  test('a type that is not known even to the catalog is left out in any case', () => {
    expect(readerOf(99_999, {}, { includeUnknown: true })).toBeUndefined()
  })
})

test('bytea, in each mode', () => {
  const text = '\\xfbff10'
  const of = (binary: TypeOptions['binary']): unknown => read(readerOf(oids.bytea, {}, { binary }), text)
  expect(of('bytes')).toEqual(Buffer.of(0xfb, 0xff, 0x10))
  expect([of('base64'), of('base64-url-safe'), of('hex')]).toEqual(['+/8Q', '-_8Q', 'fbff10'])
  expect(read(readerOf(oids.bytea, {}, { binary: 'base64-url-safe' }), '\\xff')).toBe('_w==')
})

test('bits, the last one first', () => {
  expect(read(readerOf(oids.bit, { typeModifier: 1 }), '1')).toBe(true)
  const bits = (text: string, typeModifier: number): unknown => read(readerOf(oids.varbit, { typeModifier }), text)
  expect(bits('0000000100000011', 16)).toEqual(Buffer.of(3, 1))
  expect(bits('000', 3)).toEqual(Buffer.alloc(0))
  expect(bits('100000000', -1)).toEqual(Buffer.of(0, 1))
  expect(readerOf(oids.varbit)?.schema.parameters).toEqual({ length: '2147483647' })
})

test('hstore, as JSON and as a map', () => {
  const text = '"a"=>"1", "b c"=>NULL, "q\\"x"=>"y\\\\z", "1"=>"NULL"'
  expect(read(readerOf(more.hstore), text)).toBe('{"a":"1","b c":null,"q\\"x":"y\\\\z","1":"NULL"}')
  expect(read(readerOf(more.hstore, {}, { hstore: 'map' }), text)).toEqual(
    new Map([
      ['a', '1'],
      ['b c', null],
      ['q"x', 'y\\z'],
      ['1', 'NULL'],
    ]),
  )
  expect(read(readerOf(more.hstore), '')).toBe('{}')
})

describe('what stands for a value that is not there', () => {
  const placeholder = '__debezium_unavailable_value'
  const unavailable = (oid: number, options: Partial<TypeOptions> = {}, nullable = true): unknown =>
    readerOf(oid, { nullable }, options)?.unavailable

  test('a TOASTed value that was not sent: the placeholder in the form of the type', () => {
    const bytes = Buffer.from(placeholder)
    for (const oid of [oids.text, oids.varchar, oids.bpchar, oids.json, oids.jsonb, oids.xml, oids.tsvector]) {
      expect(unavailable(oid)).toBe(placeholder)
    }
    expect(unavailable(oids.bytea)).toEqual(bytes)
    expect(unavailable(oids.bytea, { binary: 'hex' })).toBe(placeholder)
    expect(unavailable(1009)).toEqual([placeholder])
    expect(unavailable(1001)).toEqual([bytes])
    expect(unavailable(1007)).toEqual([...bytes])
    expect(unavailable(1016)).toEqual([...bytes])
    expect(unavailable(2951)).toEqual(['b68a35a7-17ad-35b3-af2a-ae46edb4545a'])
    expect(unavailable(more.hstore)).toBe(`{"${placeholder}":"${placeholder}"}`)
    expect(unavailable(more.hstore, { hstore: 'map' })).toEqual(new Map([[placeholder, placeholder]]))
    expect(unavailable(oids.text, { unavailable: '?' })).toBe('?')
  })

  test('a type that cannot say so has null, or its zero in a column without NULL', () => {
    expect(unavailable(oids.numeric)).toBeNull()
    expect(unavailable(oids.numeric, {}, false)).toEqual({ scale: 0, value: Buffer.of(0) })
    expect(unavailable(oids.numeric, { decimal: 'string' }, false)).toBe(placeholder)
    expect([unavailable(1231), unavailable(1022), unavailable(more.vector)]).toEqual([null, null, null])
    expect([unavailable(1231, {}, false), unavailable(more.vector, {}, false)]).toEqual([[], []])
    // Their schema has a null even so.
    expect([unavailable(oids.path, {}, false), unavailable(more.geometry, {}, false)]).toEqual([null, null])
  })

  test('a column of an old row of which the key alone was sent', () => {
    const absent = (oid: number, column: Partial<PgColumn> = {}): unknown =>
      readerOf(oid, { nullable: false, ...column })?.absent
    expect(absent(oids.text, { nullable: true })).toBeNull()
    expect([oids.text, oids.int8, oids.bool, oids.uuid, own.mood].map((oid) => absent(oid))).toEqual([
      ...['', 0, false, '', ''],
    ])
    expect(absent(oids.timestamptz)).toBe('1970-01-01T00:00:00Z')
    expect(absent(oids.int4, { defaultSql: '42' })).toBe(42)
    expect(absent(oids.int4, { defaultSql: '42', nullable: true })).toBeNull()
    expect(absent(more.geometry)).toEqual({ wkb: Buffer.from('010700000000000000', 'hex') })
  })
})
