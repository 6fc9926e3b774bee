import { Decimal } from '../schema.ts'
import { expect, test } from 'vitest'
import { rescale } from './decimal-bytes.ts'

test('rescale keeps the number, or refuses', () => {
  expect(rescale(new Decimal(125n, 1), 3)).toEqual(new Decimal(12500n, 3))
  expect(rescale(new Decimal(12500n, 3), 1)).toEqual(new Decimal(125n, 1))
  expect(() => rescale(new Decimal(125n, 2), 1)).toThrow('1.25 has more than 1 decimals')
  expect(() => rescale(new Decimal(1n, -999_999_999), 2)).toThrow('a number of scale -999999999 is out of reach')
  expect(() => rescale(new Decimal(1n, 999_999_999), 2)).toThrow('out of reach')
})
