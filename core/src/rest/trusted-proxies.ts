import { BlockList, isIP } from 'node:net'

/** Proxies whose `X-Forwarded-For` is believed. The header is anybody's to send: what others say in it is nothing. */
export class TrustedProxies {
  readonly #addresses = new BlockList()

  /**
   * @param given addresses, and networks with the length of their prefix
   * @throws Error that names the setting
   */
  constructor(given: readonly string[]) {
    for (const text of given) {
      const [address = '', bits, ...rest] = text.split('/')
      const version = isIP(address)
      const most = version === 4 ? 32 : 128
      const isWrong = version === 0 || rest.length > 0 || (bits !== undefined && !/^\d{1,3}$/.test(bits))
      if (isWrong || Number(bits ?? 0) > most) {
        throw new Error(
          `rest.trusted.proxies: expected an address or a network such as 10.0.0.0/24 or 2001:db8::/64, not ${text}`,
        )
      }
      this.#addresses.addSubnet(address, bits === undefined ? most : Number(bits), familyOf(version))
    }
  }

  has(address: string): boolean {
    const version = isIP(address)
    return version !== 0 && this.#addresses.check(address, familyOf(version))
  }
}

const familyOf = (version: number) => (version === 4 ? 'ipv4' : 'ipv6')
