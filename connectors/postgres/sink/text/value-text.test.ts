import { Decimal, schema, type Schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { unavailableTest } from '../unavailable.ts'
import { copyText, columnText } from './row-text.ts'
import type { TargetType } from './target-type.ts'
import { encoderOf } from './value-text.ts'

const type = (name: string, elements?: TargetType): TargetType => ({
  name,
  delimiter: ',',
  ...(elements && { elements }),
})
const textOf = (value: unknown, from: Schema | undefined, to: TargetType, timeZone = 'UTC') =>
  encoderOf(from, to, { timeZone })(value)

describe('values as texts', () => {
  const time = 1_719_792_000_123 // 2024-07-01T00:00:00.123Z

  test.each<[string, unknown, Schema | undefined, TargetType, string]>([
    ['an instant', time, schema.timestamp(), type('timestamptz'), '2024-07-01 00:00:00.123000+00'],
    ['an instant as a count', time, schema.timestamp(), type('int8'), String(time)],
    ['before 1970', -1, schema.timestamp(), type('timestamp'), '1969-12-31 23:59:59.999000'],
    ['a date before Christ', -719_528, schema.date(), type('date'), '0001-01-01 BC'],
    ['a time', 86_399_999, schema.time(), type('time'), '23:59:59.999000'],
    ['a decimal', new Decimal(-150n, 2), schema.decimal(2), type('numeric'), '-1.50'],
    ['a truth as a number', true, schema.boolean(), type('int2'), '1'],
    ['bytes', new Uint8Array([0, 255]), schema.bytes(), type('bytea'), String.raw`\x00ff`],
    ['a negative zero', -0, schema.float64(), type('float8'), '-0'],
    [
      'a struct',
      { a: 2n ** 60n, b: new Decimal(15n, 1), c: new Uint8Array([1]) },
      schema.struct({}),
      type('jsonb'),
      '{"a":1152921504606846976,"b":1.5,"c":"AQ=="}',
    ],
    ['a map', new Map([['a', null]]), schema.map(schema.string(), schema.string()), type('jsonb'), '{"a":null}'],
    [
      'a map as hstore',
      new Map([['a"', null]]),
      schema.map(schema.string(), schema.string()),
      type('hstore'),
      String.raw`"a\""=>NULL`,
    ],
    [
      'an array of arrays',
      [
        [1, 2],
        [3, null],
      ],
      schema.array(schema.array(schema.int32())),
      type('_int4', type('int4')),
      '{{"1","2"},{"3",NULL}}',
    ],
    ['an array in a column of JSON', [1, 'x'], schema.array(schema.string()), type('jsonb'), '[1,"x"]'],
    [
      'a vector',
      [1, 2.5],
      schema.array(schema.float64(), { name: 'io.debezium.data.DoubleVector' }),
      type('vector'),
      '[1,2.5]',
    ],
    ['a text in JSON, without a schema', 'x', undefined, type('jsonb'), '"x"'],
    ['a text of JSON, with a schema', '{"a":1}', schema.string(), type('jsonb'), '{"a":1}'],
    ['an array without a schema', ['a', null], undefined, type('_text', type('text')), '{"a",NULL}'],
    ['an object without a schema', { a: [1] }, undefined, type('text'), '{"a":[1]}'],
  ])('%s', (_, value, from, to, expected) => {
    expect(textOf(value, from, to)).toBe(expected)
  })

  test('db.timezone: what the wall clock shows, summer and winter, where the column has no zone', () => {
    const berlin = (millis: number) => textOf(millis, schema.timestamp(), type('timestamp'), 'Europe/Berlin')
    expect(berlin(time)).toBe('2024-07-01 02:00:00.123000')
    expect(berlin(Date.UTC(2024, 0, 1))).toBe('2024-01-01 01:00:00')
    expect(berlin(Date.UTC(2024, 2, 31, 0, 59, 59))).toBe('2024-03-31 01:59:59')
    expect(berlin(Date.UTC(2024, 2, 31, 1))).toBe('2024-03-31 03:00:00')
    expect(textOf(time, schema.timestamp(), type('timestamptz'), 'Europe/Berlin')).toBe('2024-07-01 00:00:00.123000+00')
  })

  test('EWKB has the SRID that stands beside the WKB', () => {
    const wkb = Buffer.from('0101000000000000000000f03f0000000000000040', 'hex')
    const geometry = schema.struct({}, { name: 'io.debezium.data.geometry.Geometry' })
    const expected = '0101000020e6100000000000000000f03f0000000000000040'
    expect(textOf({ wkb, srid: 4326 }, geometry, type('geometry'))).toBe(expected)
    expect(textOf({ wkb: Buffer.from(expected, 'hex'), srid: 4326 }, geometry, type('geometry'))).toBe(expected)
    expect(textOf({ wkb }, geometry, type('geometry'))).toBe(wkb.toString('hex'))
  })
})

test('rows as COPY and as arrays take them', () => {
  const rows = [
    ['a\tb', null],
    ['\\N', '"'],
  ]
  expect(copyText(rows)).toBe('a\\tb\t\\N\n\\\\N\t"\n')
  expect(columnText(rows, 0)).toBe('{"a\tb","\\\\N"}')
  expect(columnText(rows, 1)).toBe('{NULL,"\\""}')
})

test('values that were not sent', () => {
  const is = (from: Schema, value: unknown) => unavailableTest(from, '__x')?.(value)
  expect(is(schema.string(), '__x')).toBe(true)
  expect(is(schema.string(), '__x ')).toBe(false)
  expect(is(schema.bytes(), Buffer.from('__x'))).toBe(true)
  expect(is(schema.array(schema.string()), ['__x'])).toBe(true)
  expect(is(schema.array(schema.string()), ['__x', 'y'])).toBe(false)
  expect(is(schema.array(schema.int32()), [...Buffer.from('__x')])).toBe(true)
  expect(is(schema.map(schema.string(), schema.string()), new Map([['__x', '__x']]))).toBe(true)
  expect(is(schema.string({ name: 'io.debezium.data.Json' }), '{"__x":"__x"}')).toBe(true)
  expect(is(schema.int32(), 1)).toBeUndefined()
})
