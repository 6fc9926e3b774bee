import { Decimal, isErrorKind } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { moneyMapping, numericMapping, rescale, twosComplement } from './decimal.ts'
import type { Mapping } from './mapping.ts'

const read = (mapping: Mapping, text: string): unknown => {
  const bytes = Buffer.from(`1${text}1`)
  return mapping.read(bytes, 1, bytes.length - 1)
}

/** As numeric_in makes it. */
const modifier = (precision: number, scale: number): number => ((precision << 16) | (scale & 0x7ff)) + 4

describe('numeric', () => {
  test('with a scale: an exact decimal of that scale', () => {
    const mapping = numericMapping(modifier(10, 2), 'precise')
    expect(mapping.schema).toEqual({
      type: 'bytes',
      name: 'org.apache.kafka.connect.data.Decimal',
      version: 1,
      parameters: { scale: '2', 'connect.decimal.precision': '10' },
    })
    expect(read(mapping, '-99999999.99')).toEqual(new Decimal(-9999999999n, 2))
    expect(read(mapping, '12345678901234567890.12')).toEqual(new Decimal(1234567890123456789012n, 2))
    expect(mapping.empty).toEqual(new Decimal(0n, 2))
  })

  test('every number and scale comes back', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.nat(40), (unscaled, scale) => {
        const decimal = new Decimal(unscaled, scale)
        expect(read(numericMapping(modifier(100, scale), 'precise'), decimal.toString())).toEqual(decimal)
      }),
    )
  })

  test('numeric(5,-2) has zeros before the point', () => {
    const mapping = numericMapping(modifier(5, -2), 'precise')
    expect(mapping.schema.parameters).toEqual({ scale: '-2', 'connect.decimal.precision': '5' })
    expect(read(mapping, '12300')).toEqual(new Decimal(123n, -2))
  })

  test('without a scale each value brings its own, trailing zeros cut', () => {
    const mapping = numericMapping(-1, 'precise')
    expect(mapping.schema.name).toBe('io.debezium.data.VariableScaleDecimal')
    expect(read(mapping, '1.500')).toEqual({ scale: 1, value: Buffer.of(15) })
    expect(read(mapping, '100')).toEqual({ scale: 0, value: Buffer.of(100) })
    expect(read(mapping, '0.00')).toEqual({ scale: 0, value: Buffer.of(0) })
    expect(read(mapping, '-12345678901234567890.123456789')).toEqual({
      scale: 9,
      value: Buffer.from('2BvkzblBNk6Rxn7r', 'base64'),
    })
  })

  test('what is no number has no place in a Decimal, and one in the other modes', () => {
    for (const text of ['NaN', 'Infinity', '-Infinity']) {
      for (const typeModifier of [-1, modifier(10, 2)]) {
        expect(() => read(numericMapping(typeModifier, 'precise'), text)).toThrow(/decimal\.handling\.mode/)
      }
    }
    const texts = ['NaN', 'Infinity', '-Infinity']
    expect(texts.map((text) => read(numericMapping(-1, 'double'), text))).toEqual([NaN, Infinity, -Infinity])
    expect(texts.map((text) => read(numericMapping(-1, 'string'), text))).toEqual([
      'NAN',
      'POSITIVE_INFINITY',
      'NEGATIVE_INFINITY',
    ])
  })

  test('as text it has the digits of its column', () => {
    expect(read(numericMapping(modifier(10, 2), 'string'), '1.50')).toBe('1.50')
    // As a default expression may be.
    expect(read(numericMapping(modifier(10, 2), 'string'), '1.5')).toBe('1.50')
    expect(read(numericMapping(modifier(10, 2), 'string'), '-7')).toBe('-7.00')
    expect(read(numericMapping(-1, 'string'), '1.500')).toBe('1.500')
    expect(read(numericMapping(modifier(5, -2), 'string'), '12300')).toBe('12300')
  })
})

test('digits are never cut off', () => {
  expect(rescale(new Decimal(15n, 1), 3)).toEqual(new Decimal(1500n, 3))
  expect(rescale(new Decimal(1500n, 3), 1)).toEqual(new Decimal(15n, 1))
  const cut = (): unknown => rescale(new Decimal(1505n, 3), 2)
  expect(cut).toThrow(/1\.505/)
  try {
    cut()
  } catch (error) {
    expect(isErrorKind(error, 'DataError')).toBe(true)
  }
})

test("two's complement has the fewest bytes", () => {
  fc.assert(
    fc.property(fc.bigInt(), (value) => {
      const bytes = twosComplement(value)
      expect(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`))).toBe(value)
      const bits = BigInt(bytes.length - 1) * 8n
      const fitsInLess = bits > 0n && BigInt.asIntN(Number(bits), value) === value
      expect(fitsInLess).toBe(false)
    }),
  )
  expect([0n, 127n, 128n, -128n, -129n, 255n].map((value) => twosComplement(value).toString('hex'))).toEqual([
    '00',
    '7f',
    '0080',
    '80',
    'ff7f',
    '00ff',
  ])
})

test('money, by the digits it is to have', () => {
  const text = '-$1,234,567.89'
  expect(read(moneyMapping(2, 'precise'), text)).toEqual(new Decimal(-123456789n, 2))
  expect(read(moneyMapping(4, 'precise'), text)).toEqual(new Decimal(-12345678900n, 4))
  expect(read(moneyMapping(1, 'precise'), '$0.05')).toEqual(new Decimal(1n, 1))
  expect(read(moneyMapping(2, 'double'), text)).toBe(-1234567.89)
  expect(read(moneyMapping(2, 'string'), '$92,233,720,368,547,758.07')).toBe('92233720368547758.07')
})
