import { schema } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { arrayMapping } from './array.ts'
import type { Mapping } from './mapping.ts'
import { readInteger } from './numbers.ts'
import { readText } from './text.ts'

const text: Mapping = { schema: schema.string(), read: readText, empty: '' }
const integer: Mapping = { schema: schema.int32(), read: readInteger, empty: 0 }

const read = (element: Mapping, literal: string, delimiter = ','): unknown => {
  const bytes = Buffer.from(`{"${literal}"}`)
  return arrayMapping(element, delimiter).read(bytes, 2, bytes.length - 2)
}

describe('arrays', () => {
  test('of any texts', () => {
    const element = fc.oneof(fc.constant(null), fc.string({ unit: 'grapheme' }), fc.constantFrom('NULL', '', '{}', ','))
    fc.assert(
      fc.property(fc.array(element), (values) => {
        const elements = values.map((value) =>
          value === null ? 'NULL' : `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`,
        )
        expect(read(text, `{${elements.join(',')}}`)).toEqual(values)
      }),
    )
  })

  test('of numbers', () => {
    expect(read(integer, '{1,NULL,-3}')).toEqual([1, null, -3])
    expect(read(integer, '{}')).toEqual([])
  })

  test('whose first index is another', () => expect(read(integer, '[0:1]={5,6}')).toEqual([5, 6]))

  test('with the delimiter of their type', () => {
    expect(read(text, '{(3,4),(1,2);(5,6),(3,4)}', ';')).toEqual(['(3,4),(1,2)', '(5,6),(3,4)'])
  })

  test('an array in an array is null, or its text where elements are text', () => {
    expect(read(integer, '{{1,2},{3,4}}')).toEqual([null, null])
    expect(read(text, '[1:2][0:1]={{a,"}"},{"\\"",d}}')).toEqual(['{a,"}"}', '{"\\"",d}'])
  })

  test('elements may be null', () => {
    expect(arrayMapping(integer, ',').schema).toEqual({ type: 'array', values: { type: 'int32', optional: true } })
  })
})
