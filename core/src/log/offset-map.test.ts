import { expect, test } from 'vitest'
import { OffsetMap } from './offset-map.ts'

const key = (i: number) => Buffer.from(`key ${i}`)

test('has the last offset of each key', () => {
  const map = new OffsetMap(1000, 1_000_000)
  for (let i = 0; i < 1000; i++) map.put(key(i % 300), i)
  expect(map.size).toBe(300)
  for (let i = 0; i < 300; i++) expect(map.get(key(i))).toBe(i < 100 ? 900 + i : 600 + i)
  expect(map.get(key(300))).toBe(-1)
})

test('takes no more memory than it is given, whatever is asked for, and says when it is full', () => {
  const maxBytes = 24 * 1000
  const before = process.memoryUsage().arrayBuffers
  const map = new OffsetMap(2 ** 40, maxBytes)
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThanOrEqual(maxBytes)
  let entries = 0
  while (!map.full) map.put(key(entries), entries++)
  expect(entries).toBe(750)
  for (let i = 0; i < entries; i++) expect(map.get(key(i))).toBe(i)
})
