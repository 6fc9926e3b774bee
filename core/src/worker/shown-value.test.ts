import { Decimal, schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { stringifyExact } from '@tidewire/sdk/exact-json'
import { plainSchema, plainValue, shownBytes } from './shown-value.ts'

test.each<[unknown, string]>([
  [2n ** 63n, '9223372036854775808'],
  [undefined, 'null'],
  [NaN, '"NaN"'],
  [-Infinity, '"-Infinity"'],
  [new Decimal(1250n, 2), '"12.50"'],
  [Buffer.from([1, 2, 3]), '"AQID"'],
  [new Date(0), '"1970-01-01T00:00:00.000Z"'],
  [new Map([['a', 1n]]), '{"a":1}'],
  [new Map([[1, new Uint8Array([0])]]), '[[1,"AA=="]]'],
  [{ a: [{ b: undefined }], f: () => 1 }, '{"a":[{"b":null}],"f":"() => 1"}'],
])('plainValue %o', (value, json) => {
  expect(stringifyExact(plainValue(value))).toBe(json)
  // It crosses threads.
  structuredClone(plainValue(value))
})

test('plainSchema: as the JSON converter has it', () => {
  expect(plainSchema(schema.int64({ optional: true, name: 'n' }))).toEqual({ type: 'int64', optional: true, name: 'n' })
  expect(plainSchema(undefined)).toBeNull()
  expect(plainSchema({ ...schema.decimal(2), default: 3 })).toBeNull()
})

describe('shownBytes', () => {
  test.each<[Uint8Array | string | null, number, unknown]>([
    [null, 9, null],
    ['text', 9, { encoding: 'utf-8', data: 'text', size: 4 }],
    [Buffer.from([0xff, 0xfe]), 9, { encoding: 'base64', data: '//4=', size: 2 }],
    ['aéé', 4, { encoding: 'utf-8', data: 'aé', size: 5, truncated: true }],
    [Buffer.from([0xff, 1, 2, 3]), 3, { encoding: 'base64', data: '/wEC', size: 4, truncated: true }],
  ])('%o cut to %i', (bytes, maxBytes, shown) => {
    expect(shownBytes(bytes, maxBytes)).toEqual(shown)
  })

  test('of a view into a larger buffer: the view alone', () => {
    const view = Buffer.from([1, 0xff, 0xfe, 2]).subarray(1, 3)
    expect(shownBytes(view, 9)).toEqual({ encoding: 'base64', data: '//4=', size: 2 })
  })
})
