/**
 * SCRAM (RFC 5802, with SHA-256 by RFC 7677; SHA-512 as Kafka adds it): its keys and the form of its messages, for both
 * sides. As in Kafka's own clients, passwords are taken as their UTF-8 bytes, with no SASLprep.
 */
import { createHash, createHmac, pbkdf2, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'

export const scramMechanisms = ['SCRAM-SHA-256', 'SCRAM-SHA-512'] as const
export type ScramMechanism = (typeof scramMechanisms)[number]

/**
 * Fewer make a stolen credential too cheap to guess (RFC 7677 names 4096); more let the one who sends the number keep
 * the other side's processor busy.
 */
export const scramIterations = { minimum: 4096, default: 16_384, maximum: 1_000_000 } as const

/** What a server keeps of a password: enough to verify it, not enough to log in with. */
export interface ScramCredential {
  readonly salt: Buffer
  readonly iterations: number
  readonly storedKey: Buffer
  readonly serverKey: Buffer
}

/** The form of a message is wrong. Its text holds nothing of the message. */
export class ScramError extends Error {
  override readonly name = 'ScramError'
}

type Digest = 'sha256' | 'sha512'

const digestOf = (mechanism: ScramMechanism): Digest => (mechanism === 'SCRAM-SHA-256' ? 'sha256' : 'sha512')
const digestBytes = { sha256: 32, sha512: 64 } as const
const derive = promisify(pbkdf2)

const hmac = (digest: Digest, key: Buffer, text: string): Buffer => createHmac(digest, key).update(text).digest()
const hash = (digest: Digest, bytes: Buffer): Buffer => createHash(digest).update(bytes).digest()

/** Length of every key and proof of the mechanism, in bytes. */
export const scramKeyBytes = (mechanism: ScramMechanism): number => digestBytes[digestOf(mechanism)]

/** SaltedPassword; takes milliseconds, in a thread of Node's pool. */
export async function saltPassword(
  mechanism: ScramMechanism,
  password: string,
  { salt, iterations }: Pick<ScramCredential, 'salt' | 'iterations'>,
): Promise<Buffer> {
  const digest = digestOf(mechanism)
  return derive(Buffer.from(password, 'utf8'), salt, iterations, digestBytes[digest], digest)
}

export async function scramCredential(
  mechanism: ScramMechanism,
  password: string,
  salt: Buffer,
  iterations: number = scramIterations.default,
): Promise<ScramCredential> {
  return saltedCredential(mechanism, await saltPassword(mechanism, password, { salt, iterations }), salt, iterations)
}

/** Of a password that somebody else has salted. */
export function saltedCredential(
  mechanism: ScramMechanism,
  saltedPassword: Buffer,
  salt: Buffer,
  iterations: number,
): ScramCredential {
  const digest = digestOf(mechanism)
  const storedKey = hash(digest, hmac(digest, saltedPassword, 'Client Key'))
  return { salt, iterations, storedKey, serverKey: hmac(digest, saltedPassword, 'Server Key') }
}

/** Whether the password is the one that the credential was made of. */
export async function verifyPassword(
  mechanism: ScramMechanism,
  credential: ScramCredential,
  password: string,
): Promise<boolean> {
  const given = await scramCredential(mechanism, password, credential.salt, credential.iterations)
  return timingSafeEqual(given.storedKey, credential.storedKey)
}

/** What the client sends to show that it knows the password. */
export function clientProof(mechanism: ScramMechanism, saltedPassword: Buffer, authMessage: string): Buffer {
  const digest = digestOf(mechanism)
  const clientKey = hmac(digest, saltedPassword, 'Client Key')
  return xor(clientKey, hmac(digest, hash(digest, clientKey), authMessage))
}

export function verifyProof(
  mechanism: ScramMechanism,
  credential: ScramCredential,
  authMessage: string,
  proof: Buffer,
): boolean {
  const digest = digestOf(mechanism)
  if (proof.length !== digestBytes[digest]) return false
  const clientKey = xor(proof, hmac(digest, credential.storedKey, authMessage))
  return timingSafeEqual(hash(digest, clientKey), credential.storedKey)
}

/** What the server answers to show that it knows the credential. */
export function serverSignature(mechanism: ScramMechanism, serverKey: Buffer, authMessage: string): Buffer {
  return hmac(digestOf(mechanism), serverKey, authMessage)
}

/** On the client's side, from what it has derived. */
export function verifyServerSignature(
  mechanism: ScramMechanism,
  saltedPassword: Buffer,
  authMessage: string,
  signature: Buffer,
): boolean {
  const serverKey = hmac(digestOf(mechanism), saltedPassword, 'Server Key')
  const expected = serverSignature(mechanism, serverKey, authMessage)
  return signature.length === expected.length && timingSafeEqual(signature, expected)
}

function xor(a: Buffer, b: Buffer): Buffer {
  return Buffer.from(a.map((byte, i) => byte ^ b[i]!))
}

/** A saslname: comma and equals sign are escaped. */
export const escapeName = (name: string): string => name.replaceAll('=', '=3D').replaceAll(',', '=2C')

/** @throws ScramError */
export function unescapeName(text: string): string {
  return text.replaceAll(/=(..)?/g, (_, code: string | undefined) => {
    if (code === '2C') return ','
    if (code === '3D') return '='
    throw new ScramError('a user name that is not escaped as it must be')
  })
}

/**
 * The attributes of a message, `a=…,b=…`, which must begin with those of `order`; what follows them is let pass, as
 * RFC 5802 has it for extensions.
 * @throws ScramError for another order, and for a mandatory extension (`m`), which nobody knows
 */
export function scramAttributes<const K extends string>(message: string, order: readonly K[]): Record<K, string> {
  const parts = message.split(',')
  const found = order.map((name, i) => {
    const part = parts[i]
    if (part?.startsWith(`${name}=`) !== true) throw new ScramError(`attribute ${name} is not where it must be`)
    return [name, part.slice(2)] as const
  })
  return Object.fromEntries(found) as Record<K, string>
}

/** A nonce: printable ASCII without the comma. */
export function isNonce(text: string): boolean {
  return /^[\x21-\x2b\x2d-\x7e]+$/.test(text)
}

/** @throws ScramError for what is not the number of iterations, or more or fewer than are taken */
export function parseIterations(text: string): number {
  const iterations = /^\d{1,9}$/.test(text) ? Number(text) : NaN
  const { minimum, maximum } = scramIterations
  if (iterations >= minimum && iterations <= maximum) return iterations
  throw new ScramError(`the number of iterations must be from ${minimum} to ${maximum}`)
}

/** @throws ScramError for what is not base64, or not of the length wanted */
export function parseBase64(text: string, bytes?: number): Buffer {
  const decoded = Buffer.from(text, 'base64')
  if (
    decoded.length === 0 ||
    decoded.toString('base64') !== text ||
    (bytes !== undefined && decoded.length !== bytes)
  ) {
    throw new ScramError('what should be base64 is not, or is of the wrong length')
  }
  return decoded
}
