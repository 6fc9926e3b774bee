import { expect, test } from 'vitest'
import { TrustedProxies } from './trusted-proxies.ts'

test('addresses and networks, of both families', () => {
  const proxies = new TrustedProxies(['192.0.2.1', '10.1.0.0/16', '2001:db8::/32'])
  for (const address of ['192.0.2.1', '::ffff:192.0.2.1', '10.1.255.3', '2001:db8:1::9']) {
    expect([address, proxies.has(address)]).toEqual([address, true])
  }
  for (const address of ['192.0.2.2', '10.2.0.1', '2001:db9::1', '', 'x', '192.0.2.1:80', '10.1']) {
    expect([address, proxies.has(address)]).toEqual([address, false])
  }
  expect(new TrustedProxies([]).has('127.0.0.1')).toBe(false)
})

test('what is neither is refused by name', () => {
  for (const wrong of ['proxy', '10.0.0.0/33', '10.0.0.0/', '10.0.0.0/8/8', '2001:db8::/129', '10.0.0.0/-1', '/8']) {
    expect(() => new TrustedProxies([wrong]), wrong).toThrow(`rest.trusted.proxies: expected an address`)
  }
})
