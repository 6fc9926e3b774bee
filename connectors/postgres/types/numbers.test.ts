import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBoolean, readDouble, readInteger, readSingle } from './numbers.ts'

/** With other bytes on both sides, as in a row. */
function within<T>(text: string, read: (bytes: Buffer, start: number, end: number) => T): T {
  const bytes = Buffer.from(`9-${text}.9`)
  return read(bytes, 2, bytes.length - 2)
}

describe('numbers from their texts', () => {
  test('an int64 is a number where that is exact, else a bigint', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (value) => {
        const read = within(String(value), readInteger)
        expect(BigInt(read)).toBe(value)
        expect(typeof read).toBe(Number.isSafeInteger(Number(value)) ? 'number' : 'bigint')
      }),
    )
  })

  test('integers of every length', () => {
    fc.assert(
      fc.property(fc.maxSafeInteger(), (value) => {
        expect(within(String(value), readInteger)).toBe(value)
      }),
    )
  })

  test('a double keeps every bit', () => {
    fc.assert(
      fc.property(fc.double({ noNaN: true }), (value) => {
        const text = Object.is(value, -0) ? '-0' : String(value)
        expect(Object.is(within(text, readDouble), value)).toBe(true)
      }),
    )
    expect(within('NaN', readDouble)).toBeNaN()
  })

  test('a double of few digits is the nearest to them', () => {
    fc.assert(
      fc.property(fc.integer({ min: -9_999_999, max: 9_999_999 }), fc.nat(6), (digits, places) => {
        const text = (digits / 10 ** places).toFixed(places)
        expect(within(text, readDouble)).toBe(Number(text))
      }),
    )
  })

  test('a single is the nearest to its text', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(within(String(value === 0 ? 0 : value), readSingle)).toBe(value === 0 ? 0 : value)
      }),
    )
    expect(within('1.1', readSingle)).toBe(Math.fround(1.1))
    expect(within('-Infinity', readSingle)).toBe(-Infinity)
  })

  test('booleans', () => {
    expect([within('t', readBoolean), within('f', readBoolean)]).toEqual([true, false])
  })
})
