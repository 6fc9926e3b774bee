import { schema, type Schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { plainKeyEncoder } from './plain-key.ts'

function plain(type: string, value: string, of?: Schema, isDeterministic = true): string | undefined {
  const column = { type: { name: type, delimiter: ',' }, isDeterministic }
  return plainKeyEncoder(() => value, of, column)?.('')
}

describe('keys of one text for each value', () => {
  test.each([
    ['007', '7'],
    [' +7 ', '7'],
    ['-0', '0'],
    ['9223372036854775807', '9223372036854775807'],
    ['', ''],
    ['x', 'x'],
  ])('integers of texts: %j', (text, one) => {
    expect(plain('int8', text)).toBe(one)
    expect(plain('int8', text, schema.string())).toBe(one)
  })

  test.each(['A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11', '{a0eebc999c0b4ef8bb6d6bb9bd380a11}'])('%s', (text) => {
    expect(plain('uuid', text, schema.string())).toBe('a0eebc999c0b4ef8bb6d6bb9bd380a11')
  })

  test('texts, where the collation tells all of them apart', () => {
    expect(plain('text', 'A ', schema.string())).toBe('A ')
    expect(plain('text', 'A', schema.string(), false)).toBeUndefined()
  })

  test.each([
    ['numeric', schema.string()],
    ['citext', schema.string()],
    ['timestamptz', schema.string()],
    ['date', schema.string()],
    ['bool', undefined],
    ['float8', schema.float64()],
  ] as const)('%s does not tell', (type, of) => {
    expect(plain(type, '1', of)).toBeUndefined()
  })
})
