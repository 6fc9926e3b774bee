import { createHmac, randomBytes } from 'node:crypto'
import { messageOf } from '../logging/message-of.ts'
import type { Logger } from '../logging/logger.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { clientOf } from './client-address.ts'
import { roleOf, type Principal, type RoleNames } from './principal.ts'
import { tooMany } from './request-rates.ts'
import { RestError } from './rest-error.ts'
import { TokenBuckets } from './token-buckets.ts'

/** The users and their passwords. */
export interface Passwords {
  /** The same object until the users change. @throws Error where they cannot be read */
  users(): Promise<object>
  /** Takes its time, on purpose. @throws Error where the users cannot be read */
  verify(user: string, password: string): Promise<boolean>
}

/** Wrong passwords of one client: so many at once, and one more every six seconds. */
const failures = { burst: 10, perSecond: 1 / 6 }
/** Passwords that wait to be verified, one after the other. */
const maxWaiting = 50
const maxRemembered = 1000

/**
 * Names and passwords (RFC 7617). To verify a password takes long, so that a stolen file is of little use: one that was
 * right is remembered, as a hash that only this process can make, until the users change.
 */
export class BasicLogin {
  readonly #passwords: Passwords
  readonly #roles: RoleNames
  readonly #logger: Logger
  readonly #warning: RareWarning
  readonly #secret = randomBytes(32)
  readonly #failures = new TokenBuckets(failures.perSecond, failures.burst)
  readonly #right = new Set<string>()
  #users: object | undefined
  #waiting = 0

  constructor(passwords: Passwords, roles: RoleNames, logger: Logger) {
    this.#passwords = passwords
    this.#roles = roles
    this.#logger = logger
    this.#warning = new RareWarning(logger)
  }

  /**
   * @param credentials what follows `Basic` in the header
   * @returns undefined where they are wrong
   * @throws RestError 429 after too many wrong ones, 503
   */
  async of(credentials: string, address: string): Promise<Principal | undefined> {
    const text = Buffer.from(credentials, 'base64').toString('utf8')
    const colon = text.indexOf(':')
    if (colon < 1) return undefined
    const name = text.slice(0, colon)
    if (!(await this.#isRight(text, name, text.slice(colon + 1), address))) return undefined
    return { name, login: 'basic', role: roleOf([name], this.#roles), rolesBy: 'rest.users.*' }
  }

  async #isRight(text: string, name: string, password: string, address: string): Promise<boolean> {
    const users = await this.#read(() => this.#passwords.users())
    if (users !== this.#users) this.#right.clear()
    this.#users = users
    const hash = createHmac('sha256', this.#secret).update(text).digest('base64')
    if (this.#right.has(hash)) return true
    const client = clientOf(address)
    const waitMs = this.#failures.look(client)
    if (waitMs > 0) throw tooMany('Too many failed log-ins from this address', waitMs)
    if (this.#waiting >= maxWaiting) throw tooMany('Too many log-ins at a time', 1000)
    this.#waiting++
    try {
      if (await this.#read(() => this.#passwords.verify(name, password))) {
        if (this.#users === users) this.#remember(hash)
        return true
      }
    } finally {
      this.#waiting--
    }
    this.#failures.take(client)
    this.#warning.tell('A log-in to REST failed', { client: address, login: 'basic' })
    return false
  }

  async #read<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work()
    } catch (error) {
      this.#logger.error('nobody can log in to REST by password', { error: messageOf(error) })
      throw new RestError(503, 'The users cannot be read: see the log of the worker', { 'retry-after': '5' })
    }
  }

  #remember(hash: string): void {
    if (this.#right.size >= maxRemembered) this.#right.clear()
    this.#right.add(hash)
  }
}
