import { connect as connectTcp, type OnReadOpts, type Socket } from 'node:net'
import { decodeResponse, encodeRequest } from '../protocol/codec.ts'
import { errorByCode, errorCodes } from '../protocol/errors.ts'
import type { Api, RequestInput, ResponseOf } from '../protocol/message.ts'
import { apiVersions } from '../protocol/messages/api-versions.ts'
import { saslAuthenticate } from '../protocol/messages/sasl-authenticate.ts'
import { saslHandshake } from '../protocol/messages/sasl-handshake.ts'
import { messageOf } from '../logging/message-of.ts'
import { monotonicMs } from './backoff.ts'
import { LogError, type ClientSecurity, type SaslOptions } from './client.ts'
import { FrameReader } from './frame-reader.ts'
import { runSasl } from './sasl.ts'
import { connectTls, isTlsFailure, speaksTls } from './tls.ts'

export interface Address {
  readonly host: string
  readonly port: number
}

/** Opens the byte stream. The socket must read into `onread`. */
type Connect = (address: Address, onread: OnReadOpts) => Socket

export interface ConnectionOptions extends ClientSecurity {
  readonly clientId: string
  /** `request.timeout.ms`: how long an answer may take. A connection that misses it is given up. */
  readonly requestTimeoutMs: number
  /** `socket.connection.setup.timeout.ms`. */
  readonly connectTimeoutMs?: number
  /** The largest answer taken. */
  readonly maxFrameBytes?: number
  /** In place of TCP or TLS. */
  readonly connect?: Connect
}

export const addressText = ({ host, port }: Address): string => (host.includes(':') ? `[${host}]` : host) + `:${port}`

const SOFTWARE = { clientSoftwareName: 'tidewire', clientSoftwareVersion: '0.1.0' }
const CONNECT_TIMEOUT_MS = 10_000
const MAX_FRAME_BYTES = 512 * 1024 * 1024
/** The part of a session's lifetime after which it is renewed; the rest is for requests that take their time (KIP-368). */
const RENEWAL = 0.85

interface Pending {
  readonly deadline: number
  readonly name: string
  readonly settle: (frame: Buffer) => void
  readonly reject: (error: LogError) => void
}

/**
 * One connection to one broker. Requests are pipelined; the broker answers them in order, so a request that the broker
 * holds back (a fetch that waits for data, a join) holds back all behind it: whoever sends such has a connection of
 * their own.
 *
 * Once closed it stays closed; {@link ConnectionPool} makes the next one.
 */
export class Connection {
  readonly address: Address
  readonly #socket: Socket
  readonly #options: ConnectionOptions
  readonly #pending = new Map<number, Pending>()
  #correlationId = 0
  #timer: NodeJS.Timeout | undefined
  #timerDeadline = Infinity
  #closed: LogError | undefined
  /** Connected, with TLS the handshake done. */
  #isOpen = false
  #versions = new Map<number, readonly [number, number]>()
  #features: ReadonlyMap<string, number> = new Map()
  /** Set while who we are is shown anew: the broker takes no other requests meanwhile. */
  #renewing: Promise<void> | undefined
  #renewal: NodeJS.Timeout | undefined
  readonly #onClose: (() => void)[] = []

  /**
   * Resolves when the broker has said which versions it speaks and knows who we are.
   * @throws LogError `NETWORK` or `TIMEOUT` (retriable); `UNSUPPORTED_VERSION`, `TLS`, `SASL_AUTHENTICATION_FAILED`,
   *   `UNSUPPORTED_SASL_MECHANISM`, `ILLEGAL_SASL_STATE` (not retriable)
   */
  static async open(address: Address, options: ConnectionOptions): Promise<Connection> {
    const connection = new Connection(address, options)
    try {
      await connection.#opened()
      await connection.#negotiate().catch((error: unknown) => connection.#explain(error))
      if (options.sasl !== undefined) await connection.#authenticate(options.sasl)
    } catch (error) {
      const failure = error instanceof LogError ? error : connection.#networkError('failed', error)
      connection.#fail(failure)
      throw failure
    }
    return connection
  }

  private constructor(address: Address, options: ConnectionOptions) {
    this.address = address
    this.#options = options
    const reader = new FrameReader((frame) => this.#settle(frame), options.maxFrameBytes ?? MAX_FRAME_BYTES)
    const onread: OnReadOpts = {
      buffer: () => reader.buffer(),
      callback: (count) => {
        try {
          reader.advance(count)
        } catch (error) {
          this.#fail(this.#protocolError(error))
        }
        return this.#closed === undefined
      },
    }
    const { tls, connect = tls === undefined ? connectPlain : connectTls.bind(undefined, tls) } = options
    this.#socket = connect(address, onread)
    this.#socket.setNoDelay(true)
    this.#socket.setKeepAlive(true, 60_000)
    this.#socket.on('error', (error) => this.#fail(this.#socketError(error)))
    this.#socket.on('close', () => this.#fail(this.#endedError()))
    // Nothing comes here (onread takes the bytes), but without it the end of the stream would go unseen.
    this.#socket.on('end', () => this.#fail(this.#endedError()))
  }

  get closed(): boolean {
    return this.#closed !== undefined
  }

  /** How many requests wait for their answers. */
  get inFlight(): number {
    return this.#pending.size
  }

  /** Called once, when the connection is no more. */
  onClose(listener: () => void): void {
    if (this.#closed === undefined) this.#onClose.push(listener)
    else listener()
  }

  /** Level of a feature that the cluster has finalised (KIP-584); 0 where it has not. */
  featureLevel(name: string): number {
    return this.#features.get(name) ?? 0
  }

  /**
   * The highest version that both sides speak, up to `atMost`.
   * @throws LogError UNSUPPORTED_VERSION where there is none
   */
  version(api: Api, atMost = Infinity): number {
    const theirs = this.#versions.get(api.key)
    const version = Math.min(api.versions[1], theirs?.[1] ?? -1, atMost)
    if (theirs === undefined || version < Math.max(api.versions[0], theirs[0])) {
      const offer = theirs === undefined ? 'does not know it' : `has versions ${theirs[0]} to ${theirs[1]}`
      const message = `${api.name}: broker ${addressText(this.address)} ${offer}, needed is ${api.versions[0]} to ${Math.min(api.versions[1], atMost)}`
      throw new LogError('UNSUPPORTED_VERSION', message, { retriable: false })
    }
    return version
  }

  /** Whether the broker speaks this version of the API or a later one. */
  speaks(api: Api, version: number): boolean {
    const theirs = this.#versions.get(api.key)
    return theirs !== undefined && theirs[1] >= version
  }

  /**
   * Sends in the highest common version, or in the one given.
   * @throws LogError `NETWORK`, `TIMEOUT` (retriable: whether the broker has seen the request is unknown),
   *   `UNSUPPORTED_VERSION`, `PROTOCOL`
   */
  async request<A extends Api>(
    api: A,
    body: RequestInput<A>,
    options: { readonly version?: number; readonly timeoutMs?: number } = {},
  ): Promise<ResponseOf<A>> {
    const version = options.version ?? this.version(api)
    // In a loop: all that wait go on in their order, and the first may find the next renewal begun.
    while (this.#renewing !== undefined) await this.#renewing
    const frame = await this.#exchange(api, version, body, options.timeoutMs ?? this.#options.requestTimeoutMs)
    try {
      return decodeResponse(api, version, frame).body
    } catch (error) {
      throw this.#protocolError(error)
    }
  }

  /** What waits fails with `CLOSED`. */
  close(): void {
    this.#fail(new LogError('CLOSED', `connection to ${addressText(this.address)} was closed`, { retriable: false }))
  }

  #opened(): Promise<void> {
    return new Promise((resolve, reject) => {
      const timeoutMs = this.#options.connectTimeoutMs ?? CONNECT_TIMEOUT_MS
      const timer = setTimeout(() => {
        reject(new LogError('TIMEOUT', `no connection to ${addressText(this.address)} in ${timeoutMs} ms`, retriable))
      }, timeoutMs)
      this.#socket.once(this.#options.tls === undefined ? 'connect' : 'secureConnect', () => {
        clearTimeout(timer)
        this.#isOpen = true
        resolve()
      })
      this.#socket.once('close', () => {
        clearTimeout(timer)
        reject(this.#closed ?? this.#networkError('was closed'))
      })
    })
  }

  /**
   * A broker older than the version asked in answers in version 0, with its own range (KIP-511); the second try is in
   * the newest that it names.
   */
  async #negotiate(): Promise<void> {
    let version = apiVersions.versions[1]
    for (let tries = 0; tries < 2; tries++) {
      const body = version >= 3 ? SOFTWARE : {}
      const frame = await this.#exchange(apiVersions, version, body, this.#options.requestTimeoutMs)
      const errorCode = frame.readInt16BE(4)
      if (errorCode === errorCodes.UNSUPPORTED_VERSION && version > 0) {
        const { apiKeys } = decodeResponse(apiVersions, 0, frame).body
        version = Math.min(version - 1, apiKeys.find((each) => each.apiKey === apiVersions.key)?.maxVersion ?? 0)
        continue
      }
      if (errorCode !== 0) break
      const spoken = decodeResponse(apiVersions, version, frame).body
      this.#versions = new Map(spoken.apiKeys.map((each) => [each.apiKey, [each.minVersion, each.maxVersion]]))
      this.#features = new Map(spoken.finalizedFeatures.map((each) => [each.name, each.maxVersionLevel]))
      return
    }
    const message = `broker ${addressText(this.address)} did not say which API versions it speaks`
    throw new LogError('UNSUPPORTED_VERSION', message, { retriable: false })
  }

  /**
   * A broker that expects TLS ends a connection in plain text without a word, and so does one that is about to stop, or
   * a proxy whose broker is away. Only the first is there to stay.
   */
  async #explain(error: unknown): Promise<never> {
    const { tls, connect } = this.#options
    const wasEnded = error instanceof LogError && error.code === 'NETWORK'
    if (!wasEnded || tls !== undefined || connect !== undefined || !(await speaksTls(this.address))) throw error
    const message = `broker ${addressText(this.address)} speaks TLS only: set security.protocol to SSL, or SASL_SSL where it has users`
    throw new LogError('TLS', message, { retriable: false, cause: error })
  }

  /** Says who we are (KIP-43, KIP-152), and again before the broker's patience with it ends (KIP-368). */
  async #authenticate(sasl: SaslOptions): Promise<void> {
    const who = `broker ${addressText(this.address)}, user ${sasl.username} (${sasl.mechanism})`
    const { requestTimeoutMs } = this.#options
    const handshake = await this.#exchange(saslHandshake, 1, { mechanism: sasl.mechanism }, requestTimeoutMs)
    const { errorCode, mechanisms } = decodeResponse(saslHandshake, 1, handshake).body
    const offer = mechanisms.length === 0 ? undefined : `enabled there: ${mechanisms.join(', ')}`
    throwBrokerError(errorCode, who, offer)
    const version = this.version(saslAuthenticate)
    let lifetimeMs = 0
    try {
      await runSasl(sasl, async (authBytes) => {
        const frame = await this.#exchange(saslAuthenticate, version, { authBytes }, requestTimeoutMs)
        const answer = decodeResponse(saslAuthenticate, version, frame).body
        throwBrokerError(answer.errorCode, who, answer.errorMessage)
        lifetimeMs = answer.sessionLifetimeMs
        return answer.authBytes
      })
    } catch (error) {
      if (error instanceof LogError) throw error
      const reason = messageOf(error)
      throw new LogError('SASL_AUTHENTICATION_FAILED', `${who}: ${reason}`, { retriable: false, cause: error })
    }
    if (lifetimeMs > 0) this.#renewIn(Math.min(lifetimeMs * RENEWAL, 2 ** 31 - 1), sasl)
  }

  #renewIn(delayMs: number, sasl: SaslOptions): void {
    this.#renewal = setTimeout(() => {
      if (this.#closed !== undefined) return
      this.#renewing = this.#authenticate(sasl)
        .catch((error: unknown) => this.#fail(error instanceof LogError ? error : this.#protocolError(error)))
        .finally(() => (this.#renewing = undefined))
    }, delayMs).unref()
  }

  /** Sends a request; resolves with the frame of its answer. */
  #exchange<A extends Api>(api: A, version: number, body: RequestInput<A>, timeoutMs: number): Promise<Buffer> {
    if (this.#closed !== undefined) return Promise.reject(this.#closed)
    const correlationId = this.#correlationId
    this.#correlationId = (correlationId + 1) & 0x7fffffff
    const chunks = encodeRequest(api, version, correlationId, this.#options.clientId, body)
    return new Promise((settle, reject) => {
      const deadline = monotonicMs() + timeoutMs
      this.#pending.set(correlationId, { deadline, name: api.name, settle, reject })
      this.#watch(deadline)
      this.#write(chunks)
    })
  }

  #write(chunks: readonly Buffer[]): void {
    this.#socket.cork()
    for (const chunk of chunks) this.#socket.write(chunk)
    this.#socket.uncork()
  }

  #settle(frame: Buffer): void {
    const correlationId = frame.readInt32BE(0)
    const pending = this.#pending.get(correlationId)
    if (pending === undefined) {
      this.#fail(this.#protocolError(new Error(`an answer to a request never sent (${correlationId})`)))
      return
    }
    this.#pending.delete(correlationId)
    pending.settle(frame)
  }

  /** One timer a connection, at the earliest deadline it has heard of. */
  #watch(deadline: number): void {
    if (deadline >= this.#timerDeadline) return
    clearTimeout(this.#timer)
    this.#timerDeadline = deadline
    this.#timer = setTimeout(() => this.#expire(), Math.max(1, deadline - monotonicMs())).unref()
  }

  #expire(): void {
    this.#timerDeadline = Infinity
    const now = monotonicMs()
    let next = Infinity
    for (const pending of this.#pending.values()) {
      if (pending.deadline <= now) {
        const message = `${pending.name}: no answer from ${addressText(this.address)} in time`
        this.#fail(new LogError('TIMEOUT', message, retriable))
        return
      }
      next = Math.min(next, pending.deadline)
    }
    if (next < Infinity) this.#watch(next)
  }

  #fail(error: LogError): void {
    if (this.#closed !== undefined) return
    this.#closed = error
    clearTimeout(this.#timer)
    clearTimeout(this.#renewal)
    this.#socket.destroy()
    const pending = [...this.#pending.values()]
    this.#pending.clear()
    for (const each of pending) each.reject(error)
    for (const listener of this.#onClose) listener()
  }

  #endedError(): LogError {
    const inHandshake = this.#options.tls !== undefined && !this.#isOpen
    const hint = inHandshake ? ' within the TLS handshake, as one does that has no TLS on that port' : ''
    return this.#networkError(`was closed by the broker${hint}`)
  }

  #socketError(error: Error): LogError {
    if (this.#options.tls === undefined || !isTlsFailure(error)) return this.#networkError('failed', error)
    const message = `no TLS connection to ${addressText(this.address)}: ${error.message}`
    return new LogError('TLS', message, { retriable: false, cause: error })
  }

  #networkError(what: string, cause?: unknown): LogError {
    const reason = cause instanceof Error ? `: ${cause.message}` : ''
    const message = `connection to ${addressText(this.address)} ${what}${reason}`
    return new LogError('NETWORK', message, { retriable: true, cause })
  }

  #protocolError(cause: unknown): LogError {
    const message = `broker ${addressText(this.address)} sent what is not Kafka's protocol: ${String(cause)}`
    return new LogError('PROTOCOL', message, { retriable: false, cause })
  }
}

const retriable = { retriable: true } as const

const connectPlain: Connect = ({ host, port }, onread) => connectTcp({ host, port, onread })

/**
 * The error that a broker answered with; undefined for none. `what` says what was asked, naming topic, partition or
 * group.
 */
export function brokerError(code: number, what: string, detail?: string | null): LogError | undefined {
  if (code === 0) return undefined
  const known = errorByCode(code)
  return new LogError(known.name, `${what}: ${detail ?? known.message} (${known.name})`, { retriable: known.retriable })
}

/** @throws LogError where `code` is not 0 */
export function throwBrokerError(code: number, what: string, detail?: string | null): void {
  const error = brokerError(code, what, detail)
  if (error !== undefined) throw error
}
