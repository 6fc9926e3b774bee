import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseExact, stringifyExact } from './exact-json.ts'
import { parseLongIntegers } from './long-integers.ts'

const integerText = /^-?\d+$/
type Reviver = (key: string, value: unknown, context: { readonly source?: string }) => unknown
const revive: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && integerText.test(source!) ? BigInt(source!) : value

/** What a reviver, which sees each number's text, makes of it. */
const expected = (text: string): unknown => JSON.parse(text, revive as Parameters<typeof JSON.parse>[1])

const nasty = fc.constantFrom('', '"', '\\', '\\"', '\n', '": 12345678901234567,', ', 12345678901234567 ', '–', '😀')
const texts = fc.array(fc.oneof(nasty, fc.string({ maxLength: 20 })), { maxLength: 4 }).map((parts) => parts.join(''))
const json = fc.anything({
  key: texts,
  values: [
    texts,
    fc.double({ noDefaultInfinity: true, noNaN: true }),
    fc.maxSafeInteger(),
    fc.bigInt(-(2n ** 66n), 2n ** 66n),
    fc.boolean(),
    fc.constant(null),
  ],
  maxDepth: 4,
})

test('any JSON is read as a reviver reads it, however it is laid out', () => {
  fc.assert(
    fc.property(json, fc.boolean(), (value, spaced) => {
      let text = stringifyExact(value)
      if (spaced) text = ` ${text.replaceAll(/(?<="):|,(?=")/g, (char) => ` ${char}\n\t`)}\r\n`
      let known: unknown
      try {
        known = expected(text)
      } catch {
        // Laid out in the midst of a string.
        expect(parseLongIntegers(text)).toBeUndefined()
        return
      }
      expect(parseLongIntegers(text)).toStrictEqual(known)
    }),
    { numRuns: 2000 },
  )
})

test.each([
  '12345678901234567',
  '-12345678901234567',
  ' [ 12345678901234567 , -9007199254740992 ] ',
  '[9007199254740991,9007199254740992,9007199254740993]',
  '[12345678901234567.5,1.12345678901234567,1e12345678901234567,12345678901234567e2,12345678901234567E+2]',
  '{"__proto__":12345678901234567,"a":{"__proto__":[12345678901234567]}}',
  '{"12345678901234567":"12345678901234567"}',
  '{"a\\"":12345678901234567,"\\\\":12345678901234567}',
  '123456789012345678901234567890123456789012345678901234567890',
])('%s', (text) => {
  expect(parseLongIntegers(text)).toStrictEqual(expected(text))
})

test.each(['{"a":"\ue000123","b":12345678901234567}', '{"a":"\\uE0005","b":12345678901234567}'])(
  'a text with the mark in it is read in the other way: %s',
  (text) => {
    expect(parseLongIntegers(text)).toBeUndefined()
    expect(parseExact(text, 'integers')).toStrictEqual(expected(text))
  },
)

test.each([
  '{12345678901234567:1}',
  '{12345678901234567}',
  '{"a":1,12345678901234567 :1}',
  '[12345678901234567 1]',
  '[012345678901234567]',
  '[--12345678901234567]',
  '[+12345678901234567]',
  '[-]',
  '["12345678901234567]',
  '12345678901234567"',
  '12345678901234567,',
  '[12345678901234567true]',
])('what is no JSON stays none: %s', (text) => {
  expect(() => expected(text)).toThrow(SyntaxError)
  expect(parseLongIntegers(text)).toBeUndefined()
  expect(() => parseExact(text, 'integers')).toThrow(SyntaxError)
})
