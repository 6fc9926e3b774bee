import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { formatLsn, parseLsn, readLsn, writeLsn } from './lsn.ts'

const lsns = fc.maxSafeNat()

describe('positions in the write-ahead log', () => {
  test.each([
    ['0/0', 0],
    ['0/16B3748', 23_803_720],
    ['1/0', 2 ** 32],
    ['16/b374d848', 97_500_059_720],
    ['1FFFFF/FFFFFFFF', Number.MAX_SAFE_INTEGER],
  ])('%s is %d', (text, lsn) => {
    expect(parseLsn(text)).toBe(lsn)
    expect(formatLsn(lsn)).toBe(text.toUpperCase())
  })

  test.each(['', '0', '0/', '/1', '0/1/2', 'x/1', '0/123456789', '-1/0', ' 0/1', '200000/0', 'FFFFFFFF/FFFFFFFF'])(
    '"%s" is refused',
    (text) => {
      expect(() => parseLsn(text)).toThrow()
    },
  )

  test('text and bytes keep each of them', () => {
    fc.assert(
      fc.property(lsns, (lsn) => {
        const bytes = Buffer.alloc(10)
        writeLsn(bytes, 1, lsn)
        expect(readLsn(bytes, 1)).toBe(lsn)
        expect(bytes.readBigUInt64BE(1)).toBe(BigInt(lsn))
        expect(parseLsn(formatLsn(lsn))).toBe(lsn)
      }),
    )
  })

  test('bytes beyond 2^53 are read without a crash', () => {
    expect(readLsn(Buffer.alloc(8, 0xff), 0)).toBeGreaterThan(Number.MAX_SAFE_INTEGER)
  })
})
