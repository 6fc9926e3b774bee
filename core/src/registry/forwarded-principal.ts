/**
 * Who asked the registry that passes a request on: told by that registry, and signed. So a log-in is checked once, where the
 * client is; a certificate could not be shown again by anybody else, and passwords and tokens need not be.
 *
 * Each registry makes a pair of keys when it starts. The public ones go around in the group of the registries, with the
 * assignments: who may join that group may lead it, and so may speak for whom it likes anyway. Nothing secret leaves a process.
 */
import { createHash, createPublicKey, generateKeyPairSync, sign, verify, type KeyObject } from 'node:crypto'
import type { FastifyRequest } from 'fastify'
import { roles } from '../rest/access-rules.ts'
import type { Principal } from '../rest/principal.ts'
import { RestError } from '../rest/rest-error.ts'
import { errors } from './registry-error.ts'

const principalHeader = 'x-tidewire-principal'
const proofHeader = 'x-tidewire-principal-signature'
/** For how long what is signed holds, and by how much the clocks of registries may differ. */
const MAX_AGE_MS = 60_000

/** What is signed, beside method and path of the one request that it holds for. */
interface Told extends Pick<Principal, 'name' | 'login' | 'role'> {
  readonly key: string
  readonly bodyDigest: string
  /** When it was signed, in milliseconds since 1970: who overhears a request cannot send it again later. */
  readonly signedAt: number
}

interface Passed {
  readonly method: string
  /** Path and query. */
  readonly path: string
  readonly body: string
}

/** A request's, where another registry has told it. */
export interface ForwardedPrincipal {
  readonly principal: Principal
  /** The body, which has not been read yet, must have it. */
  readonly bodyDigest: string
}

/** The key of this registry, with which it speaks for who has asked it. */
export class PrincipalSigner {
  /** As others are told it: the DER in base64url. */
  readonly publicKey: string
  readonly #privateKey: KeyObject

  constructor() {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    this.publicKey = publicKey.export({ type: 'spki', format: 'der' }).toString('base64url')
    this.#privateKey = privateKey
  }

  /** To be asked for anew when the request is sent again: it holds for a minute. */
  headersFor({ name, login, role }: Principal, { method, path, body }: Passed): Record<string, string> {
    const told: Told = { name, login, role, key: this.publicKey, bodyDigest: digestOf(body), signedAt: Date.now() }
    const text = Buffer.from(JSON.stringify(told)).toString('base64url')
    const proof = sign(null, statement(method, path, text), this.#privateKey)
    return { [principalHeader]: text, [proofHeader]: proof.toString('base64url') }
  }
}

/**
 * Undefined where no registry says so.
 * @param keys of the registries in the group
 * @throws RegistryError 50004 where it is one that is not known to be in the group, or not yet: it will ask again
 * @throws RestError 403 where it was said too long ago
 */
export function forwardedPrincipal(
  { method, url, headers }: Pick<FastifyRequest, 'method' | 'url' | 'headers'>,
  keys: ReadonlySet<string>,
): ForwardedPrincipal | undefined {
  const { [principalHeader]: text, [proofHeader]: proof } = headers
  if (typeof text !== 'string' || typeof proof !== 'string') return undefined
  const told = parseTold(text)
  if (told === undefined) return undefined
  if (!keys.has(told.key)) throw errors.leaderUnknown()
  const key = createPublicKey({ key: Buffer.from(told.key, 'base64url'), type: 'spki', format: 'der' })
  if (!verify(null, statement(method, url, text), key, Buffer.from(proof, 'base64url'))) return undefined
  const { name, login, role, bodyDigest, signedAt } = told
  const ageMs = Date.now() - signedAt
  if (Math.abs(ageMs) > MAX_AGE_MS) {
    const where = `${Math.round(Math.abs(ageMs) / 1000)} s ${ageMs > 0 ? 'before' : 'after'} the time here`
    throw new RestError(
      403,
      `The registry that passes this request on signed it ${where}; ${MAX_AGE_MS / 1000} s are allowed. Set the clocks of the registries right, or ask the leader itself`,
    )
  }
  return { principal: { name, login, role: roles.find((known) => known === role) }, bodyDigest }
}

export function digestOf(body: string): string {
  return createHash('sha256').update(body).digest('base64url')
}

function parseTold(text: string): Told | undefined {
  try {
    const told = JSON.parse(Buffer.from(text, 'base64url').toString()) as Told | null
    return typeof told?.key === 'string' && typeof told.signedAt === 'number' ? told : undefined
  } catch {
    return undefined
  }
}

function statement(method: string, path: string, told: string): Buffer {
  return Buffer.from(['tidewire registry principal', method, path, told].join('\n'))
}
