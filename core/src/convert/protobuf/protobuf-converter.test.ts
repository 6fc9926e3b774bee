import { Decimal, schema, type Converter, type Schema } from '@tidewire/sdk'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { compileSettings } from '../../config/settings.ts'
import { FakeRegistry } from '../../registry-client/testing/fake-registry.ts'
import { protobufConverter } from './protobuf-converter.ts'

let registry: FakeRegistry
beforeAll(async () => {
  registry = await FakeRegistry.start()
})
afterAll(() => registry[Symbol.asyncDispose]())

let topics = 0

function converter(settings: Record<string, unknown> = {}): Converter {
  const { config, errors } = compileSettings(protobufConverter.config)({
    'schema.registry.url': registry.url,
    ...settings,
  })
  expect(errors).toEqual({})
  return protobufConverter.create(config, 'value')
}

/** Reads a message of a schema that someone else registered. @param content in hex, after the schema's id */
async function read(text: string, content: string, settings: Record<string, unknown> = {}) {
  const id = Buffer.alloc(5)
  id.writeInt32BE(registry.add(`t${topics++}-value`, text, 'PROTOBUF'), 1)
  return converter(settings).toConnect('t', Buffer.concat([id, Buffer.from(content.replaceAll(' ', ''), 'hex')]))
}

const optional = { optional: true } as const
const everything = schema.struct(
  {
    i8: schema.int8(optional),
    i16: schema.int16(optional),
    i32: schema.int32(optional),
    i64: schema.int64(optional),
    f32: schema.float32(optional),
    f64: schema.float64(optional),
    b: schema.boolean(optional),
    s: schema.string(optional),
    y: schema.bytes(optional),
    dec: schema.decimal(3, optional),
    day: schema.date(optional),
    time: schema.time(optional),
    at: schema.timestamp(optional),
    list: schema.array(schema.int64()),
    texts: schema.array(schema.string()),
    map: schema.map(schema.string(), schema.float64()),
    byNumber: schema.map(schema.int64(), schema.string()),
    inner: schema.struct({ x: schema.int32(), y: schema.string(optional) }, { name: 'Inner', optional: true }),
    inners: schema.array(schema.struct({ z: schema.int64() }, { name: 'Item' })),
  },
  { name: 'com.acme.Everything' },
)

const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
})
const int64s = fc.oneof(int64, fc.maxSafeInteger(), fc.integer(), fc.constant(0))
const integer = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })
const nullable = <T>(of: fc.Arbitrary<T>) => fc.option(of)
const text = fc.string({ unit: 'binary' })

const records = fc.record({
  i8: nullable(integer(8)),
  i16: nullable(integer(16)),
  i32: nullable(integer(32)),
  i64: nullable(int64s),
  f32: nullable(fc.float()),
  f64: nullable(fc.double()),
  b: nullable(fc.boolean()),
  s: nullable(text),
  y: nullable(fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes))),
  dec: nullable(fc.bigInt().map((unscaled) => new Decimal(unscaled, 3))),
  day: nullable(fc.integer({ min: -719_162, max: 2_932_896 })),
  time: nullable(fc.integer({ min: 0, max: 86_399_999 })),
  at: nullable(fc.integer({ min: -62_135_596_800_000, max: 253_402_300_799_999 })),
  list: fc.array(int64s, { maxLength: 200 }),
  texts: fc.array(text),
  map: fc.array(fc.tuple(text, fc.double())).map((entries) => new Map(entries)),
  byNumber: fc.array(fc.tuple(int64s, text)).map((entries) => new Map(entries)),
  inner: nullable(fc.record({ x: integer(32), y: nullable(text) })),
  inners: fc.array(fc.record({ z: int64s }), { maxLength: 50 }),
})

test('any record is read as it was written, nulls told from zeros', async () => {
  const both = converter({ 'optional.for.nullables': true })
  // Once, so that what follows is answered at once.
  const first = (await both.fromConnect('any', everything, { list: [] })) as Uint8Array
  await both.toConnect('any', first)
  fc.assert(
    fc.property(records, (value) => {
      const bytes = both.fromConnect('any', everything, value) as Uint8Array
      const back = both.toConnect('any', bytes) as { value: unknown }
      expect(back.value).toEqual(value)
    }),
    { numRuns: 300 },
  )
})

test.each<[string, Schema, unknown]>([
  ['int8', schema.int8(), -5],
  ['int32', schema.int32(), 0],
  ['int64', schema.int64(), 2n ** 63n - 1n],
  ['float32', schema.float32(), 0.5],
  ['float64', schema.float64(), -0],
  ['boolean', schema.boolean(), true],
  ['string', schema.string(), 'söme'],
  ['bytes', schema.bytes(), Buffer.of(1, 2)],
])('a primitive by itself is written in a wrapper message: %s', async (_name, of, value) => {
  const topic = `t${topics++}`
  const bytes = (await converter().fromConnect(topic, of, value)) as Uint8Array
  expect(registry.textOf(`${topic}-value`)).toContain('package google.protobuf;')
  expect((await converter().toConnect(topic, bytes)).value).toEqual(value)
})

test('null is no message, whatever the schema', async () => {
  expect(await converter().fromConnect('t', everything, null)).toBeNull()
  expect(await converter().fromConnect('t', undefined, null)).toBeNull()
  expect(await converter().toConnect('t', null)).toEqual({ value: null })
})

describe('what cannot be written says where and why', () => {
  const one = (of: Schema) => schema.struct({ a: of }, { name: 'One' })
  test.each<[string, Schema | undefined, unknown, RegExp]>([
    ['no schema', undefined, {}, /without a schema/],
    ['an array by itself', schema.array(schema.int32()), [1], /not array by itself/],
    ['a date by itself', schema.date(), 1, /by itself/],
    ['text for a number', one(schema.int32()), { a: '1' }, /value\.a is string, not an int32/],
    ['a number beyond its type', one(schema.int8()), { a: 128 }, /value\.a is 128, not an int8/],
    ['a fraction', one(schema.int64()), { a: 1.5 }, /value\.a is 1\.5/],
    ['more than 64 bits', one(schema.int64()), { a: 2n ** 63n }, /not an int64/],
    ['a null in a list', one(schema.array(schema.string())), { a: ['x', null] }, /value\.a\[\] is null/],
    ['a list of lists', one(schema.array(schema.array(schema.int32()))), { a: [[1]] }, /cannot hold several/],
    [
      'digits that the scale has no place for',
      one(schema.decimal(1)),
      { a: new Decimal(123n, 2) },
      /value\.a: .*decimals/,
    ],
    ['a day before year 1', one(schema.date()), { a: -800_000 }, /value\.a is -800000/],
    ['a time of tomorrow', one(schema.time()), { a: 86_400_000 }, /value\.a is 86400000/],
    ['a schema that contains itself', recursive(), { next: { next: null } }, /contains itself/],
    [
      'a name that Protobuf does not take',
      schema.struct({ 'a-b': schema.int32() }, { name: 'N' }),
      { 'a-b': 1 },
      /a-b is no name .*scrub\.invalid\.names/,
    ],
  ])('%s', async (_name, of, value, message) => {
    const attempt = async () => converter().fromConnect('t', of, value)
    await expect(attempt()).rejects.toThrow(message)
    await expect(attempt()).rejects.toMatchObject({ name: 'DataError' })
  })
})

function recursive(): Schema {
  const fields: { name: string; schema: Schema }[] = []
  const node: Schema = { type: 'struct', name: 'Node', optional: true, fields }
  fields.push({ name: 'next', schema: node })
  return node
}

const person = `syntax = "proto3"; package p; message Other { int32 x = 1; } message Person { string name = 1; repeated int32 n = 2; Person.Inner inner = 4; oneof u { int32 a = 5; Inner b = 6; } message Inner { int32 q = 1; int32 r = 2; } }`

describe('messages of others', () => {
  test('the message is found by its indexes', async () => {
    expect((await read(person, '02 02 0a 01 41')).value).toMatchObject({ name: 'A' })
    expect((await read(person, '00 08 05')).value).toEqual({ x: 5 })
    expect((await read(person, '02 00 08 05')).value).toEqual({ x: 5 })
    expect((await read(person, '04 02 00 08 05')).value).toEqual({ q: 5, r: 0 })
    await expect((async () => read(person, '02 08'))()).rejects.toThrow(/no message at 4/)
  })

  test('unknown fields and groups are passed over', async () => {
    // A varint, 64 bits, bytes, a group with a group in it, 32 bits; then the name.
    const unknown = '78 ffffffffffffffffff01 79 0102030405060708 7a 02 0102 7b 08 01 83 01 08 02 84 01 7c 7d 01020304'
    expect((await read(person, `02 02 ${unknown} 0a 01 41`)).value).toMatchObject({ name: 'A' })
  })

  test('lists come packed, one by one, or both; a field of another wire type is unknown', async () => {
    expect((await read(person, '02 02 12 02 01 02 10 03 12 01 04')).value).toMatchObject({ n: [1, 2, 3, 4] })
    expect((await read(person, '02 02 08 01 15 01020304')).value).toMatchObject({ name: '', n: [] })
  })

  test('what comes last counts, but messages that come in parts are one', async () => {
    expect((await read(person, '02 02 0a 01 41 0a 01 42')).value).toMatchObject({ name: 'B' })
    expect((await read(person, '02 02 22 02 08 01 22 02 10 02')).value).toMatchObject({ inner: { q: 1, r: 2 } })
    expect((await read(person, '02 02 28 01 32 02 08 07 32 02 10 08')).value).toMatchObject({
      u_0: { a: null, b: { q: 7, r: 8 } },
    })
    expect((await read(person, '02 02 32 02 08 07 28 01')).value).toMatchObject({ u_0: { a: 1, b: null } })
  })

  test.each([
    ['', 'in the middle of a field'],
    ['02 02 0a 05 41', 'in the middle of a field'],
    ['02 02 0a', 'in the middle of a field'],
    ['02 02 22 02 0a 05', 'in the middle of a field'],
    ['02 02 22 01 08 05', 'goes on after'],
    ['02 02 0f', 'wire type 7'],
    ['02 02 7b 08 01', 'in the middle of a field'],
    ['02 02 02 01 41', 'no number'],
    ['02 02 0a 01 ff', 'not in UTF-8'],
    ['02 02 10 ffffffffffffffffffff01', 'in the middle of a field'],
  ])('bytes that are no message: %s', async (content, reason) => {
    const attempt = async () => read(person, content)
    await expect(attempt()).rejects.toThrow(reason)
    await expect(attempt()).rejects.toMatchObject({ name: 'DataError' })
  })

  test('whatever the bytes, there is a value or a DataError', async () => {
    const reader = converter()
    const header = Buffer.alloc(6)
    header.writeInt32BE(registry.add('any-value', person, 'PROTOBUF'), 1)
    await reader.toConnect('any', header)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          void reader.toConnect('any', Buffer.concat([header.subarray(0, 5), bytes]))
        } catch (error) {
          expect(error).toMatchObject({ name: 'DataError' })
        }
      }),
      { numRuns: 2_000 },
    )
  })

  test('a field whose name every object has is a field like others', async () => {
    const text = 'syntax = "proto3"; message M { string __proto__ = 1; int32 constructor = 2; string toString = 3; }'
    const { value } = await read(text, '00 0a 01 41')
    expect(Object.entries(value as object)).toEqual([
      ['__proto__', 'A'],
      ['constructor', 0],
      ['toString', ''],
    ])
  })

  test('a message that contains itself is refused', async () => {
    const text = 'syntax = "proto3"; message Node { int32 v = 1; Node next = 2; }'
    await expect((async () => read(text, '00 08 01'))()).rejects.toThrow(/message Node contains itself/)
  })
})

test("use.latest.version: values have the form of their own schema, the id and the indexes are the latest one's", async () => {
  const settings = { 'auto.register.schemas': false, 'use.latest.version': true }
  const latest =
    'syntax = "proto3"; package a; message Before { int32 x = 1; } message One { int32 a = 1; string more = 2; }'
  const id = registry.add('latest-value', latest, 'PROTOBUF')
  const one = schema.struct({ a: schema.int32() }, { name: 'a.One' })
  const bytes = (await converter({ ...settings, 'latest.compatibility.strict': false }).fromConnect('latest', one, {
    a: 7,
  })) as Uint8Array
  expect(Buffer.from(bytes).toString('hex')).toBe(`00${id.toString(16).padStart(8, '0')}02020807`)
  registry.add('wrong-value', 'syntax = "proto3"; package a; message Before { int32 x = 1; }', 'PROTOBUF')
  const wrong = async () =>
    converter({ ...settings, 'latest.compatibility.strict': false }).fromConnect('wrong', one, { a: 7 })
  await expect(wrong()).rejects.toThrow(/no message a\.One/)
  await expect((async () => converter(settings).fromConnect('wrong', one, { a: 7 }))()).rejects.toThrow(/cannot read/)
})

test('oneofs of other formats have no numbers: members get those that are free', async () => {
  const union = schema.struct(
    { connect_union_field_0: schema.string(optional), connect_union_field_1: schema.int64(optional) },
    { name: 'u', optional: true, parameters: { 'org.apache.kafka.connect.data.Union': 'u' } },
  )
  const of = schema.struct({ id: schema.int32(), either: union, last: schema.string() }, { name: 'R' })
  const settings = { 'generalized.sum.type.support': true }
  const value = { id: 1, either: { connect_union_field_1: 0 }, last: 'x' }
  const bytes = (await converter(settings).fromConnect('oneofs', of, value)) as Uint8Array
  const back = await converter(settings).toConnect('oneofs', bytes)
  expect(back.value).toEqual({ id: 1, u_0: { connect_union_field_0: null, connect_union_field_1: 0 }, last: 'x' })
})
