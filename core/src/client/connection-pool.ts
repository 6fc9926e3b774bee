import { AsyncLocalStorage } from 'node:async_hooks'
import { backoffMs, closedError, monotonicMs, reconnectBackoff, sleep } from './backoff.ts'
import { addressText, Connection, type Address, type ConnectionOptions } from './connection.ts'

interface Slot {
  connection: Connection | undefined
  opening: Promise<Connection> | undefined
  failures: number
  /** No new attempt before this moment. */
  notBefore: number
}

/**
 * At most one connection to each broker. Whoever sends requests that the broker may hold back (fetches, joins) has a
 * pool of its own, as Kafka's clients do, so that they delay nobody else's.
 */
export class ConnectionPool {
  readonly #options: ConnectionOptions
  readonly #slots = new Map<string, Slot>()
  readonly #closing = new AbortController()
  /** A connection belongs to whoever made the pool, and not to whoever happens to need it first. */
  readonly #asMaker = AsyncLocalStorage.snapshot()

  constructor(options: ConnectionOptions) {
    this.#options = options
  }

  /** The open connection, where there is one at this moment. */
  current(address: Address): Connection | undefined {
    const connection = this.#slots.get(addressText(address))?.connection
    return connection === undefined || connection.closed ? undefined : connection
  }

  /**
   * The connection to a broker, opened if need be. After a failed attempt the next one waits, ever longer; all who ask
   * meanwhile share it.
   * @throws LogError
   */
  async get(address: Address): Promise<Connection> {
    this.#throwIfClosed()
    const key = addressText(address)
    let slot = this.#slots.get(key)
    if (slot === undefined) this.#slots.set(key, (slot = newSlot()))
    if (slot.connection !== undefined && !slot.connection.closed) return slot.connection
    slot.opening ??= this.#asMaker(() => this.#open(address, slot))
    return slot.opening
  }

  close(): void {
    this.#closing.abort()
    for (const slot of this.#slots.values()) slot.connection?.close()
    this.#slots.clear()
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw closedError('client')
  }

  async #open(address: Address, slot: Slot): Promise<Connection> {
    let connection: Connection | undefined
    try {
      const waitMs = slot.notBefore - monotonicMs()
      if (waitMs > 0) await sleep(waitMs, this.#closing.signal)
      this.#throwIfClosed()
      connection = await Connection.open(address, this.#options)
      this.#throwIfClosed()
      slot.failures = 0
      slot.connection = connection
      return connection
    } catch (error) {
      connection?.close()
      slot.failures++
      slot.notBefore = monotonicMs() + backoffMs(slot.failures, reconnectBackoff)
      throw error
    } finally {
      slot.opening = undefined
    }
  }
}

const newSlot = (): Slot => ({ connection: undefined, opening: undefined, failures: 0, notBefore: 0 })
