import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../../logging/logger.ts'
import { messageOf } from '../../logging/message-of.ts'
import type { ErrorName } from '../../protocol/errors.ts'
import { ScramError } from '../../protocol/scram.ts'
import type { RareWarning } from '../../logging/rare-warning.ts'
import type { SaslMechanism } from '../security-settings.ts'
import type { Credentials } from './credentials.ts'
import { saslExchange, SaslRefusal, type SaslExchange } from './exchange.ts'

export interface SaslOptions {
  /** `sasl.enabled.mechanisms` */
  readonly mechanisms: readonly SaslMechanism[]
  readonly credentials: Credentials
  /** `connections.max.reauth.ms`; 0: once is for ever. */
  readonly maxSessionMs: number
  /** `connection.failed.authentication.delay.ms` */
  readonly failureDelayMs: number
  readonly logger: Logger
  /** For failures that clients bring about. */
  readonly warning: Pick<RareWarning, 'tell'>
  /** Of the client, for the log. */
  readonly client: string
}

/** What became of one token. After an error the connection must end, once that is told. */
export type Authentication =
  | { readonly error: 'NONE'; readonly token: Buffer; readonly sessionLifetimeMs: number }
  | { readonly error: 'SASL_AUTHENTICATION_FAILED' | 'ILLEGAL_SASL_STATE'; readonly message: string }

/** Who is at the other end of one connection (KIP-43, KIP-152; anew on the same connection: KIP-368). */
export class SaslSession {
  readonly #options: SaslOptions
  #exchange: SaslExchange | undefined
  #user: string | undefined
  #mechanism: SaslMechanism | undefined
  #expires = Infinity

  constructor(options: SaslOptions) {
    this.#options = options
  }

  get mechanisms(): readonly SaslMechanism[] {
    return this.#options.mechanisms
  }

  /** Whether the client has ever shown who it is. */
  get authenticated(): boolean {
    return this.#user !== undefined
  }

  /** Whether requests may pass: the client has shown who it is, is not about to do so anew, and it was not long ago. */
  mayRequest(): boolean {
    return this.#user !== undefined && this.#exchange === undefined && performance.now() < this.#expires
  }

  /** Begins an exchange. */
  begin(mechanism: string): Extract<ErrorName, 'NONE' | 'UNSUPPORTED_SASL_MECHANISM' | 'ILLEGAL_SASL_STATE'> {
    const { mechanisms, credentials, maxSessionMs } = this.#options
    if (this.#exchange !== undefined || (this.#user !== undefined && maxSessionMs === 0)) return 'ILLEGAL_SASL_STATE'
    const chosen = mechanisms.find((each) => each === mechanism)
    if (chosen === undefined) return 'UNSUPPORTED_SASL_MECHANISM'
    if (this.#mechanism !== undefined && this.#mechanism !== chosen) return 'ILLEGAL_SASL_STATE'
    this.#exchange = saslExchange(chosen, credentials)
    return 'NONE'
  }

  /** Takes a token of the client. A failure is answered late, which makes guessing slow. */
  async step(token: Buffer): Promise<Authentication> {
    const exchange = this.#exchange
    if (exchange === undefined) {
      return { error: 'ILLEGAL_SASL_STATE', message: 'SaslAuthenticate comes after SaslHandshake' }
    }
    try {
      const { token: answer, user } = await exchange.step(token)
      if (user === undefined) return { error: 'NONE', token: answer, sessionLifetimeMs: 0 }
      if (this.#user !== undefined && this.#user !== user) throw new SaslRefusal('a connection keeps its user')
      this.#complete(exchange.mechanism, user)
      return { error: 'NONE', token: answer, sessionLifetimeMs: this.#options.maxSessionMs }
    } catch (error) {
      this.#refused(exchange.mechanism, error)
      await sleep(this.#options.failureDelayMs, undefined, { ref: false })
      const message = `Authentication failed: invalid credentials with SASL mechanism ${exchange.mechanism}`
      return { error: 'SASL_AUTHENTICATION_FAILED', message }
    }
  }

  #complete(mechanism: SaslMechanism, user: string): void {
    const { maxSessionMs } = this.#options
    this.#exchange = undefined
    this.#user = user
    this.#mechanism = mechanism
    if (maxSessionMs > 0) this.#expires = performance.now() + maxSessionMs
  }

  #refused(mechanism: SaslMechanism, error: unknown): void {
    const { logger, warning, client } = this.#options
    const foreseen = error instanceof SaslRefusal || error instanceof ScramError
    const reason = messageOf(error)
    if (foreseen) warning.tell(`Authentication of ${client} failed`, { mechanism, reason })
    else logger.error(`Authentication of ${client} could not be done`, { mechanism, reason })
  }
}
