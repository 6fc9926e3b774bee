import { Decimal, schema } from '../schema.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { headerText, parseHeaderText } from './header-text.ts'

describe('parseHeaderText', () => {
  test.each([
    ['', schema.string(), ''],
    ['abc', schema.string(), 'abc'],
    [' abc ', schema.string(), ' abc '],
    ['true', schema.boolean(), true],
    ['truex', schema.string(), 'truex'],
    ['7', schema.int8(), 7],
    ['-300', schema.int16(), -300],
    ['70000', schema.int32(), 70000],
    ['3000000000', schema.int64(), 3000000000],
    ['9223372036854775807', schema.int64(), 9223372036854775807n],
    ['9223372036854775808', schema.decimal(0), new Decimal(9223372036854775808n, 0)],
    ['1.0', schema.int8(), 1],
    ['3.14', schema.float32(), Math.fround(3.14)],
    ['3.14159265358979', schema.float64(), 3.14159265358979],
    ['2026-11-21', schema.date(), 20778],
    ['00:00:01.500Z', schema.time(), 1500],
    ['1970-01-01T00:00:01.500Z', schema.timestamp(), 1500],
    ['2026-13-41', schema.string(), '2026-13-41'],
    ['1:2', schema.string(), '1:2'],
    ['1 2', schema.string(), '1 2'],
    ['[1, 200]', schema.array(schema.int16()), [1, 200]],
    ['["a\\"b", null]', schema.array(schema.string()), ['a"b', null]],
    ['[a]', schema.string(), '[a]'],
    ['[1,]', schema.string(), '[1,]'],
    [
      '{"a": [1], "b": []}',
      schema.map(schema.string(), schema.array(schema.int8())),
      new Map([
        ['a', [1]],
        ['b', []],
      ]),
    ],
    ['{"a": 1} x', schema.string(), '{"a": 1} x'],
    ['[00:00:01.500Z]', schema.array(schema.time()), [1500]],
  ])('%j', (text, of, value) => {
    expect(parseHeaderText(text)).toEqual({ schema: of, value })
  })

  test.each(['['.repeat(100_000), '[{1:'.repeat(50_000)])('nested too deep: %#', (text) => {
    expect(parseHeaderText(text)).toEqual({ schema: schema.string(), value: text })
  })

  test('null is null', () => {
    expect(parseHeaderText('null')).toEqual({ value: null })
  })

  test('never throws, and what it does not understand is the text', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.stringMatching(/^[[\]{},:"\\0-9a-zTZ. +-]{0,30}$/)), (text) => {
        const { schema: of, value } = parseHeaderText(text)
        if (of?.type === 'string' && !text.trim().startsWith('"')) expect(value).toBe(text)
      }),
    )
  })
})

test('headerText is read back as the same value', () => {
  for (const text of ['1.5', 'x y', '[1,2]', '{"a":true}', '2026-11-21', '00:00:01.500Z', '12345678901234567890']) {
    const parsed = parseHeaderText(text)
    expect(headerText(parsed.schema, parsed.value)).toBe(text)
  }
  expect(headerText(undefined, { a: ['x', 1n, null], b: Buffer.from('hi') })).toBe('{"a":["x",1,null],"b":"aGk="}')
})
