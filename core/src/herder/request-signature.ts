/** How workers sign what they ask of one another: Kafka Connect's headers, over the body. */
import { createHmac, timingSafeEqual } from 'node:crypto'
import type { SessionKey } from './config-records.ts'

const signatureHeader = 'x-connect-authorization'
const algorithmHeader = 'x-connect-request-signature-algorithm'

export interface RequestSignature {
  /** As Java names it: HmacSHA256. */
  readonly algorithm: string
  readonly mac: Buffer
}

export function signatureHeaders({ key }: SessionKey, algorithm: string, body: string): Record<string, string> {
  return { [signatureHeader]: macOf(key, algorithm, body).toString('base64'), [algorithmHeader]: algorithm }
}

/** Undefined: the request is not signed. */
export function signatureOf(headers: Readonly<Record<string, unknown>>): RequestSignature | undefined {
  const { [signatureHeader]: mac, [algorithmHeader]: algorithm } = headers
  if (typeof mac !== 'string' || typeof algorithm !== 'string') return undefined
  return { algorithm, mac: Buffer.from(mac, 'base64') }
}

/** The algorithm must be one of the settings': any other is not known here. */
export function isSignedWith({ key }: SessionKey, { algorithm, mac }: RequestSignature, body: string): boolean {
  const right = macOf(key, algorithm, body)
  return right.length === mac.length && timingSafeEqual(right, mac)
}

/** `HmacSHA256` → `sha256`. */
export function hashOf(algorithm: string): string {
  return algorithm.slice('Hmac'.length).toLowerCase()
}

function macOf(key: Buffer, algorithm: string, body: string): Buffer {
  return createHmac(hashOf(algorithm), key).update(body).digest()
}
