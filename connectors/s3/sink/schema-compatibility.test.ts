import { schema, type Schema } from '@tidewire/sdk'
import { sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { needsNewObject, projected, type Compatibility } from './schema-compatibility.ts'
import { sameSchema } from './schema-equality.ts'

const first = schema.struct({ id: schema.int32(), name: schema.string() }, { name: 'User', version: 1 })
const second = schema.struct(
  { id: schema.int64(), name: schema.string(), mail: schema.string({ optional: true }) },
  { name: 'User', version: 2 },
)

test('schemas that say the same are the same, whoever made them', () => {
  const again = (): Schema =>
    schema.struct({ a: schema.decimal(2), b: schema.array(schema.map(schema.string(), schema.int64({ default: 1n }))) })
  expect(sameSchema(again(), again())).toBe(true)
  for (const other of [
    schema.struct({ a: schema.decimal(3), b: again().fields![1]!.schema }),
    { ...again(), version: 1 },
    { ...again(), doc: 'x' },
    { ...again(), optional: true },
    undefined,
  ]) {
    expect(sameSchema(again(), other)).toBe(false)
  }
})

describe('whether a record needs a new object', () => {
  const cases: [Compatibility, Schema | undefined, Schema | undefined, boolean][] = [
    ['NONE', { ...first }, first, false],
    ['NONE', second, first, true],
    ['NONE', undefined, first, true],
    ['NONE', undefined, undefined, false],
    ['BACKWARD', second, first, true],
    ['BACKWARD', first, second, false],
    ['FORWARD', first, second, true],
    // The required field of the new version has no place in the old one.
    ['FORWARD', second, first, true],
    ['FULL', first, second, false],
    ['FULL', second, first, true],
    ['BACKWARD', undefined, second, true],
  ]
  test.each(cases)('%s', (compatibility, record, open, needed) => {
    expect(needsNewObject(compatibility, record, open)).toBe(needed)
  })

  test('a newer version that only leaves out goes into the older object, with FORWARD', () => {
    const open = schema.struct(
      { id: schema.int32(), note: schema.string({ optional: true }) },
      { name: 'User', version: 1 },
    )
    const newer = schema.struct({ id: schema.int32() }, { name: 'User', version: 2 })
    expect(needsNewObject('FORWARD', newer, open)).toBe(false)
    expect(projected(sinkRecord({ value: { id: 1 }, valueSchema: newer }), open)).toMatchObject({
      value: { id: 1, note: null },
      valueSchema: open,
    })
  })

  test('versions are needed, but with NONE', () => {
    const unversioned = schema.struct({ id: schema.int32(), name: schema.string() }, { name: 'User' })
    expect(() => needsNewObject('BACKWARD', unversioned, second)).toThrow(/versions/)
  })
})

test('values are brought to the object’s schema, within as well', () => {
  const open = schema.struct({
    user: second,
    numbers: schema.array(schema.float64()),
    map: schema.map(schema.string(), schema.int64()),
    kind: schema.string({ default: 'none' }),
  })
  const source = schema.struct({
    user: first,
    numbers: schema.array(schema.int64()),
    map: schema.map(schema.string(), schema.int8()),
  })
  const value = { user: { id: 1, name: 'a' }, numbers: [1, 2n ** 60n], map: new Map([['x', 1]]) }
  expect(projected(sinkRecord({ value, valueSchema: source }), open).value).toEqual({
    user: { id: 1, name: 'a', mail: null },
    numbers: [1, 2 ** 60],
    map: new Map([['x', 1]]),
    kind: 'none',
  })
})
