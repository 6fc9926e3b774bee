import { Decimal } from '../schema.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeUnscaled, encodeUnscaled } from './decimal-bytes.ts'
import { doubleText, floatText } from './java-number-text.ts'
import { decimalText } from './java-text.ts'

test.each([
  [0, '0.0'],
  [-0, '-0.0'],
  [100, '100.0'],
  [9999999, '9999999.0'],
  [1e7, '1.0E7'],
  [1.25e21, '1.25E21'],
  [1e-3, '0.001'],
  [9.99e-4, '9.99E-4'],
  [123456789012, '1.23456789012E11'],
  [5e-324, '4.9E-324'],
  [Number.MAX_VALUE, '1.7976931348623157E308'],
  [-Infinity, '-Infinity'],
])('doubleText(%d)', (value, text) => {
  expect(doubleText(value)).toBe(text)
})

test('every double and float is read back from its text', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Number(doubleText(value))).toBe(value)
    }),
  )
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
      expect(Math.fround(Number(floatText(value)))).toBe(value)
    }),
  )
})

test('decimalText is BigDecimal.toString', () => {
  expect(decimalText(new Decimal(0n, 0))).toBe('0')
  expect(decimalText(new Decimal(-123n, 2))).toBe('-1.23')
  expect(decimalText(new Decimal(1n, 6))).toBe('0.000001')
  expect(decimalText(new Decimal(1n, 7))).toBe('1E-7')
  expect(decimalText(new Decimal(-15n, -3))).toBe('-1.5E+4')
})

test.each([
  [0n, '00'],
  [127n, '7f'],
  [128n, '0080'],
  [-128n, '80'],
  [-129n, 'ff7f'],
  [255n, '00ff'],
  [256n, '0100'],
  [-256n, 'ff00'],
  [32767n, '7fff'],
  [32768n, '008000'],
  [-32768n, '8000'],
])('the unscaled value %d', (value, hex) => {
  expect(encodeUnscaled(value).toString('hex')).toBe(hex)
})

test('unscaled values round trip', () => {
  fc.assert(
    fc.property(fc.bigInt(), (value) => {
      expect(decodeUnscaled(encodeUnscaled(value))).toBe(value)
    }),
  )
})
