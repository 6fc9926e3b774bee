/** Bearer tokens (RFC 6750): JSON Web Tokens that an OpenID Connect provider has signed. Loaded where it is configured. */
import { errors, jwtVerify } from 'jose'
import type { RestConfig } from '../config/rest-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { isLoopback } from './client-address.ts'
import { fetchJson, IssuerKeys, keysOfFile, keysOfUrl, type KeySource } from './issuer-keys.ts'
import { roleOf, type Principal, type RoleNames } from './principal.ts'
import { RestError } from './rest-error.ts'

type Settings = Pick<RestConfig, Extract<keyof RestConfig, `rest.bearer.${string}`>>

/** Signatures with a pair of keys; with a shared secret, whoever can verify a token could make one. */
const algorithms = [
  ...['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  ...['ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519'],
]
const clockToleranceS = 30

/** What is wrong with the token, and not with the keys or the way to them. */
const tokenErrors: ReadonlySet<string> = new Set([
  errors.JWTInvalid.code,
  errors.JWTExpired.code,
  errors.JWTClaimValidationFailed.code,
  errors.JWSInvalid.code,
  errors.JWSSignatureVerificationFailed.code,
  errors.JWKSNoMatchingKey.code,
  errors.JWKSMultipleMatchingKeys.code,
  errors.JOSEAlgNotAllowed.code,
  errors.JOSENotSupported.code,
])

export class BearerLogin {
  readonly #settings: Settings
  readonly #issuer: string
  readonly #roles: RoleNames
  readonly #warning: RareWarning
  readonly #keys: IssuerKeys

  /**
   * Asks nobody for anything yet: the provider may be away while the worker starts.
   * @param now in milliseconds
   * @throws Error that names the setting at fault
   */
  constructor(settings: Settings, logger: Logger, now?: () => number) {
    const issuer = settings['rest.bearer.issuer']
    if (issuer === undefined) throw new Error('rest.bearer.issuer: needed for bearer tokens')
    if (settings['rest.bearer.audience'].length === 0) {
      throw new Error(
        'rest.bearer.audience: needed with rest.bearer.issuer, or tokens made for others would be good here',
      )
    }
    this.#settings = settings
    this.#issuer = issuer
    this.#roles = {
      view: settings['rest.bearer.view'],
      operate: settings['rest.bearer.operate'],
      admin: settings['rest.bearer.admin'],
    }
    this.#warning = new RareWarning(logger)
    this.#keys = new IssuerKeys(keySource(issuer, settings['rest.bearer.jwks']), now)
  }

  /**
   * @returns undefined where the token is not good here
   * @throws RestError 503 where there are no keys to verify it with
   */
  async of(token: string, address: string): Promise<Principal | undefined> {
    try {
      const { payload } = await jwtVerify(token, this.#keys.find, {
        issuer: this.#issuer,
        audience: [...this.#settings['rest.bearer.audience']],
        algorithms,
        clockTolerance: clockToleranceS,
        requiredClaims: ['exp'],
      })
      const name = claimOf(payload, this.#settings['rest.bearer.name.claim'])
      if (typeof name !== 'string' || name === '') return undefined
      const values = wordsOf(claimOf(payload, this.#settings['rest.bearer.roles.claim']))
      return { name, login: 'bearer', role: roleOf(values, this.#roles), rolesBy: 'rest.bearer.*' }
    } catch (error) {
      if (error instanceof errors.JOSEError && tokenErrors.has(error.code)) {
        this.#warning.tell('A log-in to REST failed', { client: address, login: 'bearer', reason: error.code })
        return undefined
      }
      this.#warning.tell('A bearer token cannot be verified', { issuer: this.#issuer, error: messageOf(error) })
      throw new RestError(503, 'The key of the token’s issuer cannot be had: see the log of the worker', {
        'retry-after': '5',
      })
    }
  }
}

/** @throws Error that names the setting at fault */
function keySource(issuer: string, jwks: string | undefined): KeySource {
  if (jwks === undefined) {
    trustedUrl('rest.bearer.issuer', issuer)
    return keysOfUrl(() => discover(issuer))
  }
  if (!isUrl(jwks)) return keysOfFile(jwks)
  const url = trustedUrl('rest.bearer.jwks', jwks)
  return keysOfUrl(() => Promise.resolve(url))
}

/** OpenID Connect Discovery 1.0 */
async function discover(expected: string): Promise<URL> {
  const url = new URL(`${expected.replace(/\/$/, '')}/.well-known/openid-configuration`)
  const { issuer, jwks_uri } = (await fetchJson(url)) as { issuer?: unknown; jwks_uri?: unknown }
  if (issuer !== expected) throw new Error(`${url.href} is of another issuer: ${JSON.stringify(issuer)}`)
  if (typeof jwks_uri !== 'string') throw new Error(`${url.href} has no jwks_uri`)
  return trustedUrl('jwks_uri', jwks_uri)
}

const isUrl = (text: string): boolean => /^\w+:\/\//.test(text)

/** Keys that came over a network in the clear could be anybody's. */
function trustedUrl(setting: string, text: string): URL {
  const url = URL.parse(text)
  if (url === null) throw new Error(`${setting}: ${text} is no URL`)
  if (url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname.replaceAll(/[[\]]/g, ''))))
    return url
  throw new Error(`${setting}: ${text} must be https, or http on this machine`)
}

/** By its name as it stands, which may have dots in it; else dots lead into objects. */
function claimOf(payload: Readonly<Record<string, unknown>>, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name]
  return name.split('.').reduce<unknown>((value, key) => {
    const isObject = typeof value === 'object' && value !== null && Object.hasOwn(value, key)
    return isObject ? (value as Record<string, unknown>)[key] : undefined
  }, payload)
}

function wordsOf(claim: unknown): string[] {
  if (typeof claim === 'string') return claim.split(/\s+/).filter((word) => word !== '')
  return Array.isArray(claim) ? claim.filter((value) => typeof value === 'string') : []
}
