/** Whether an address, or the host of a listener, is this machine alone. */
export function isLoopback(host: string): boolean {
  const address = host.startsWith('::ffff:') ? host.slice('::ffff:'.length) : host
  return address === 'localhost' || address === '::1' || /^127\./.test(address)
}

/**
 * What limits of one client go by: an IPv4 address, or the 64 bits of an IPv6 address that a client cannot choose.
 * @param told an address, by some proxies with a port
 */
export function clientOf(told: string): string {
  const address = /^\[([^\]]*)\]/.exec(told)?.[1] ?? /^([\d.]+):\d+$/.exec(told)?.[1] ?? told
  if (address.startsWith('::ffff:')) return address.slice('::ffff:'.length)
  if (!address.includes(':')) return address
  const [head = '', tail] = address.split('%')[0]!.split('::')
  const groups = head === '' ? [] : head.split(':')
  const missing = tail === undefined ? 0 : 8 - groups.length - (tail === '' ? 0 : tail.split(':').length)
  const all = [
    ...groups,
    ...Array<string>(missing).fill('0'),
    ...(tail === undefined || tail === '' ? [] : tail.split(':')),
  ]
  return `${all.slice(0, 4).join(':')}::/64`
}
