import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Decimal, schema } from './schema.ts'

describe('Decimal', () => {
  test.each([
    ['12.50', 1250n, 2, '12.50'],
    ['-0.05', -5n, 2, '-0.05'],
    ['+7', 7n, 0, '7'],
    ['.5', 5n, 1, '0.5'],
    ['5.', 5n, 0, '5'],
    ['1e3', 1n, -3, '1000'],
    ['1.5E+3', 15n, -2, '1500'],
    ['12e-4', 12n, 4, '0.0012'],
    ['0.000', 0n, 3, '0.000'],
    ['0e5', 0n, -5, '0'],
    ['-0', 0n, 0, '0'],
    [' 1 ', 1n, 0, '1'],
  ])('parse(%s)', (text, unscaled, scale, plain) => {
    const decimal = Decimal.parse(text)
    expect([decimal.unscaled, decimal.scale]).toEqual([unscaled, scale])
    expect(decimal.toString()).toBe(plain)
  })

  test.each(['', ' ', '.', '-', 'e5', '1e', '1.2.3', '0x10', 'NaN', 'Infinity', '1,5', '1e9999999999'])(
    'parse(%j) is no number',
    (text) => {
      expect(() => Decimal.parse(text)).toThrow(RangeError)
    },
  )

  test('an error shows the beginning of a long text', () => {
    expect(() => Decimal.parse('x'.repeat(100_000))).toThrow(/^not a decimal number: x{50}…$/)
  })

  test('a text of very many zeros is not made', () => {
    for (const [text, scale] of [
      ['1E+999999999', -999999999],
      ['-1.25E+500000000', -499999998],
      ['1.5E-999999998', 999999999],
      ['0E-999999999', 999999999],
    ] as const) {
      expect(Decimal.parse(text)).toMatchObject({ scale })
      expect(Decimal.parse(text).toString()).toBe(text)
    }
    expect(Decimal.parse('1e1000').toString()).toBe(`1${'0'.repeat(1000)}`)
  })

  test('text and back is the same number', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.integer({ min: 0, max: 60 }), (unscaled, scale) => {
        expect(Decimal.parse(new Decimal(unscaled, scale).toString())).toEqual(new Decimal(unscaled, scale))
      }),
    )
  })
})

test('schema.struct keeps its fields in order, and options', () => {
  const built = schema.struct({ b: schema.int64(), a: schema.string({ optional: true }) }, { name: 'ab' })
  expect(built).toEqual({
    type: 'struct',
    name: 'ab',
    fields: [
      { name: 'b', schema: { type: 'int64' } },
      { name: 'a', schema: { type: 'string', optional: true } },
    ],
  })
})

test('schema.decimal has its scale as a parameter, beside others', () => {
  expect(schema.decimal(2, { optional: true, parameters: { precision: '9' } })).toEqual({
    type: 'bytes',
    name: 'org.apache.kafka.connect.data.Decimal',
    version: 1,
    optional: true,
    parameters: { scale: '2', precision: '9' },
  })
})

test('the logical types are numbers with a name', () => {
  expect([schema.date(), schema.time(), schema.timestamp()].map(({ type }) => type)).toEqual([
    'int32',
    'int32',
    'int64',
  ])
  expect(schema.timestamp().name).toBe('org.apache.kafka.connect.data.Timestamp')
})
