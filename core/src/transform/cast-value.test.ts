import { Decimal, schema } from '@tidewire/sdk'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { compileCast } from './cast-value.ts'

const toInt64 = compileCast(schema.decimal(0), 'int64')

test('a decimal is cut to 64 bits, whatever its scale', () => {
  const exact = ({ unscaled, scale }: Decimal): bigint =>
    BigInt.asIntN(64, scale > 0 ? unscaled / 10n ** BigInt(scale) : unscaled * 10n ** BigInt(-scale))
  fc.assert(
    fc.property(
      fc.bigInt({ min: -(10n ** 80n), max: 10n ** 80n }),
      fc.integer({ min: -90, max: 90 }),
      (unscaled, scale) => {
        const decimal = new Decimal(unscaled, scale)
        expect(BigInt(toInt64(decimal) as number | bigint)).toBe(exact(decimal))
      },
    ),
  )
  expect(toInt64(new Decimal(1n, -999_999_999))).toBe(0)
  expect(toInt64(new Decimal(1n, 999_999_999))).toBe(0)
})
