import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { murmur2, partitionOfKey, StickyPartitioner } from './partitioner.ts'

describe('murmur2', () => {
  // From the test of Kafka's own Utils.murmur2.
  test.each([
    ['21', -973932308],
    ['foobar', -790332482],
    ['a-little-bit-long-string', -985981536],
    ['a-little-bit-longer-string', -1486304829],
    ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
    ['abc', 479470107],
  ])('of %s is what Kafka has', (text, expected) => {
    expect(murmur2(Buffer.from(text))).toBe(expected)
    expect(murmur2(text)).toBe(expected)
  })

  test('of a string is that of its UTF-8 bytes', () => {
    fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => murmur2(text) === murmur2(Buffer.from(text))))
  })

  test('chooses partitions as Kafka does', () => {
    expect(['foobar', 'abc', '21'].map((key) => partitionOfKey(key, 10))).toEqual(
      [-790332482, 479470107, -973932308].map((hash) => (hash & 0x7fffffff) % 10),
    )
  })
})

describe('records without a key', () => {
  test('stay together for a batch, then go elsewhere', () => {
    const sticky = new StickyPartitioner()
    const first = sticky.next(3, 10_000)
    expect(sticky.next(3, 10_000)).toBe(first)
    expect(sticky.next(3, 10_000)).not.toBe(first)
  })

  test('reach every partition', () => {
    const sticky = new StickyPartitioner()
    const seen = new Set(Array.from({ length: 500 }, () => sticky.next(5, 20_000)))
    expect([...seen].sort()).toEqual([0, 1, 2, 3, 4])
  })

  test('leave a partition that is no more', () => {
    const sticky = new StickyPartitioner(() => 0.99)
    expect(sticky.next(8, 1)).toBe(7)
    expect(sticky.next(4, 1)).toBe(3)
    expect(new StickyPartitioner().next(1, 1)).toBe(0)
  })
})
