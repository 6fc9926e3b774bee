import { expect, test } from 'vitest'
import { clientOf, isLoopback } from './client-address.ts'
import { TokenBuckets } from './token-buckets.ts'

test('so many at once, and then one whenever its time has come', () => {
  let now = 0
  const buckets = new TokenBuckets(2, 3, () => now)
  expect([1, 2, 3].map(() => buckets.take('a'))).toEqual([0, 0, 0])
  expect(buckets.take('a')).toBe(500)
  expect(buckets.take('b')).toBe(0)
  now = 250
  expect(buckets.take('a')).toBe(250)
  now = 500
  expect(buckets.look('a')).toBe(0)
  expect([buckets.take('a'), buckets.take('a')]).toEqual([0, 500])
  now = 1_000_000
  expect([1, 2, 3, 4].map(() => buckets.take('a') > 0)).toEqual([false, false, false, true])
})

test('clients without number are forgotten, those not seen for longest first', () => {
  const buckets = new TokenBuckets(1, 1, () => 0)
  expect([buckets.take('old'), buckets.take('kept')]).toEqual([0, 0])
  for (let i = 0; i < 9998; i++) buckets.take(`x${i}`)
  expect(buckets.take('kept')).toBeGreaterThan(0)
  buckets.take('one more')
  expect(buckets.look('kept')).toBeGreaterThan(0)
  expect(buckets.look('old')).toBe(0)
})

test.each([
  ['10.1.2.3', '10.1.2.3', false],
  ['::ffff:10.1.2.3', '10.1.2.3', false],
  ['::ffff:127.0.0.1', '127.0.0.1', true],
  ['127.9.9.9', '127.9.9.9', true],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64', false],
  ['2001:db8:1:2::6', '2001:db8:1:2::/64', false],
  ['2001:db8::6', '2001:db8:0:0::/64', false],
  ['fe80::1%eth0', 'fe80:0:0:0::/64', false],
  ['::1', '0:0:0:0::/64', true],
])('%s is of client %s, loopback: %s', (address, client, loopback) => {
  expect([clientOf(address), isLoopback(address)]).toEqual([client, loopback])
})
