import { expect, test } from 'vitest'
import { BoundedCache } from './bounded-cache.ts'

const keysOf = (cache: BoundedCache<string, number>): string =>
  'abcdef'
    .split('')
    .filter((key) => cache.get(key) !== undefined)
    .join('')

test('what was used longest ago is forgotten, by number and by bytes', () => {
  const cache = new BoundedCache<string, number>(3, 100)
  for (const key of 'abc') cache.set(key, 1, 10)
  cache.get('a')
  cache.set('d', 1, 10)
  expect(keysOf(cache)).toBe('acd')
  cache.set('e', 1, 85)
  expect(keysOf(cache)).toBe('de')
})

test('an entry that is set anew counts once', () => {
  const cache = new BoundedCache<string, number>(3, 100)
  cache.set('a', 1, 40)
  for (let time = 0; time < 5; time++) cache.set('b', time, 60)
  expect(keysOf(cache)).toBe('ab')
})

test('the last one stays, however large', () => {
  const cache = new BoundedCache<string, number>(3, 100)
  cache.set('a', 1, 10)
  cache.set('b', 1, 1_000)
  expect(keysOf(cache)).toBe('b')
  cache.set('c', 1, 10)
  expect(keysOf(cache)).toBe('c')
})

test('times end, and what they end counts no more', () => {
  let now = 0
  const cache = new BoundedCache<string, number>(3, 100, () => now)
  cache.set('a', 1, 10)
  cache.set('b', 1, 90, 5)
  cache.set('c', 1, 10, 0)
  expect(keysOf(cache)).toBe('ab')
  now = 5
  expect(keysOf(cache)).toBe('a')
  cache.set('d', 1, 90)
  expect(keysOf(cache)).toBe('ad')
})
