import { Decimal } from '../schema.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { stringifyExact } from './exact-json.ts'
import { JsonOutput } from './json-output.ts'
import { schemalessWriter } from './json-schemaless.ts'
import { asJackson } from './json-text.ts'

const output = new JsonOutput()
const write = schemalessWriter()

function written(value: unknown): string {
  output.begin()
  write(output, value)
  return output.take().toString()
}

/** Lone surrogates apart: their escapes are in capital letters where all of a text is written here, as in Kafka Connect. */
const text = fc.string({ unit: 'grapheme', maxLength: 200 })

const any = fc.anything({
  key: text.filter((name) => name !== 'toJSON'),
  values: [
    text,
    fc.double(),
    fc.integer(),
    fc.maxSafeInteger(),
    fc.bigInt(),
    fc.boolean(),
    fc.constantFrom(null, undefined, NaN, Infinity, -0),
    fc.uint8Array(),
    fc.date({ noInvalidDate: true }),
    fc.bigInt().map((unscaled) => new Decimal(unscaled, 2)),
    fc.constantFrom(Object.create({ inherited: 1 }), new Error('x'), () => 1, Object(5)),
  ],
  withMap: true,
  withNullPrototype: true,
  withSparseArray: true,
  maxDepth: 4,
})

test('any value is written as stringifyExact has it', () => {
  fc.assert(
    fc.property(any, (value) => {
      // With a bigint beside, JSON.stringify is of no use; twice, since what the last value was decides about the next.
      for (const given of [value ?? null, [1n, value], [value, value], { a: value }]) {
        let expected: string | undefined
        try {
          expected = asJackson(stringifyExact(given))
        } catch {
          expect(() => written(given)).toThrow(TypeError)
          continue
        }
        expect(written(given)).toBe(expected)
      }
    }),
    { numRuns: 500 },
  )
})

test.each<[string, unknown, string]>([
  ['a class that says how it is written', [1n, { at: new Date(0) }], '[1,{"at":"1970-01-01T00:00:00.000Z"}]'],
  ['an own toJSON', [1n, { toJSON: () => 'x' }], '[1,"x"]'],
  ['lone surrogates', [1n, '\ud800'], '[1,"\\uD800"]'],
  ['what is left out', [1n, { a: undefined, b: () => 1, c: Symbol('x') }, undefined], '[1,{},null]'],
])('%s', (_title, value, expected) => {
  expect(written(value)).toBe(expected)
})

test('what contains itself is refused, however often', () => {
  const round: unknown[] = [1n]
  round.push({ round, again: round })
  for (let time = 0; time < 2; time++) expect(() => written(round)).toThrow(/circular/)
})

test('deep values are written', () => {
  let value: unknown = 2n ** 60n
  for (let depth = 0; depth < 1000; depth++) value = [value]
  expect(written(value)).toBe('['.repeat(1000) + String(2n ** 60n) + ']'.repeat(1000))
})
