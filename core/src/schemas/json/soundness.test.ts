import { Ajv } from 'ajv'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { jsonFormat } from './json-format.ts'

// Of the keywords of which the rules are exact: where we say BACKWARD, what was valid is valid.

const scalar = fc.oneof(
  fc.record({ type: fc.constant('string') }),
  fc.record({ type: fc.constant('string'), maxLength: fc.integer({ min: 1, max: 3 }) }),
  fc.record({ type: fc.constantFrom('integer', 'number') }),
  fc.record({ type: fc.constantFrom('integer', 'number'), minimum: fc.integer({ min: -2, max: 2 }) }),
  fc.record({ enum: fc.uniqueArray(fc.constantFrom('a', 'ab', 1, 2, null), { minLength: 1 }) }),
  fc.record({ type: fc.constantFrom('boolean', 'null') }),
)

const schemas: fc.Arbitrary<object> = fc.letrec<{ schema: object }>((tie) => ({
  schema: fc.oneof(
    { maxDepth: 2 },
    scalar,
    fc.record({
      type: fc.constant('object'),
      properties: fc.dictionary(fc.constantFrom('a', 'b', 'c'), tie('schema')),
      required: fc.uniqueArray(fc.constantFrom('a', 'b', 'c')),
      additionalProperties: fc.oneof(fc.boolean(), tie('schema')),
    }),
    fc.record({ type: fc.constant('array'), items: tie('schema'), minItems: fc.integer({ min: 0, max: 2 }) }),
    fc.record({ anyOf: fc.array(tie('schema'), { minLength: 1, maxLength: 3 }) }),
  ),
})).schema

/** With properties that the schema requires declared: others it requires are not compared, here as in the reference. */
function declared(schema: object): object {
  const inner = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, part(value)]))
  if (!('required' in inner) || !('properties' in inner)) return inner
  const names = Object.keys(inner['properties'] as object)
  return { ...inner, required: (inner['required'] as string[]).filter((name) => names.includes(name)) }
}

function part(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(part)
  return typeof value === 'object' && value !== null ? declared(value) : value
}

const values: fc.Arbitrary<unknown> = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 2 },
    fc.constantFrom('', 'a', 'ab', 'abcd', 0, 1, 2, -3, 1.5, true, null),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value')),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
})).value

/** Half of them such that the second allows more. */
const pairs = fc.tuple(schemas, schemas, fc.boolean()).map(([one, two, isWider]): readonly [object, object] => {
  const [old, next] = [declared(one), declared(two)]
  return [old, isWider ? { anyOf: [next, old] } : next]
})

test('what was valid by a schema is valid by one that is compatible with it', () => {
  const ajv = new Ajv({ strict: false })
  const parse = (schema: object) => jsonFormat.parse(JSON.stringify(schema), [])
  let compatible = 0
  fc.assert(
    fc.property(pairs, fc.array(values, { minLength: 20, maxLength: 40 }), ([old, next], some) => {
      expect(parse(old).compatibility(parse(old))).toEqual([])
      if (parse(next).compatibility(parse(old)).length > 0) return
      compatible++
      const [wasValid, isValid] = [ajv.compile(old), ajv.compile(next)]
      for (const value of some) if (wasValid(value)) expect([value, isValid(value)]).toEqual([value, true])
    }),
    { numRuns: 120 },
  )
  expect(compatible).toBeGreaterThan(20)
})
