import { setTimeout as delay } from 'node:timers/promises'
import type pg from 'pg'
import { connect, disconnect, socketOf } from '../link/connect.ts'
import type { Address } from '../link/connection-settings.ts'
import { problemOf } from '../link/errors.ts'
import type { BatchReader } from './batch-reader.ts'

/** How long a statement may go on after the task was told to stop; one that waits for a lock may wait for ever. */
const stopGraceMs = 3_000

interface Session {
  readonly client: pg.Client
  readonly reader: BatchReader
}

/** The one connection of a task, made again when it broke. */
export class SinkLink {
  readonly #address: Address
  readonly #signal: AbortSignal
  readonly #prepare: (client: pg.Client) => Promise<BatchReader>
  #session: Session | undefined
  #connected: pg.Client | undefined

  /** @param prepare what is known of the database in a new session */
  constructor(address: Address, signal: AbortSignal, prepare: (client: pg.Client) => Promise<BatchReader>) {
    this.#address = address
    this.#signal = signal
    this.#prepare = prepare
  }

  /** Connects for the first time; `first` runs before anything is read. */
  async open(first: (client: pg.Client) => Promise<void>): Promise<void> {
    await this.#connect(first)
  }

  /** @throws RetriableError while the server cannot be reached */
  async session(): Promise<Session> {
    return this.#session ?? (await this.#connect())
  }

  /** To be called around a piece of work: stopped meanwhile, it has a little time left. */
  begin(): () => void {
    const done = new AbortController()
    const cutOff = (): void => {
      void delay(stopGraceMs, undefined, { signal: done.signal }).then(
        () => this.#connected && socketOf(this.#connected).destroy(),
        () => undefined,
      )
    }
    if (this.#signal.aborted) cutOff()
    else this.#signal.addEventListener('abort', cutOff)
    return () => {
      this.#signal.removeEventListener('abort', cutOff)
      done.abort()
    }
  }

  /** Ends the session, whatever state it is in. */
  drop(): void {
    const client = this.#connected
    this.#session = undefined
    this.#connected = undefined
    // Not by the protocol's good-bye: it would wait for what the server is doing.
    if (client !== undefined) socketOf(client).destroy()
  }

  async close(): Promise<void> {
    const client = this.#connected
    this.#session = undefined
    this.#connected = undefined
    if (client !== undefined) await disconnect(client)
  }

  async #connect(first?: (client: pg.Client) => Promise<void>): Promise<Session> {
    const client = await connect(this.#address, { signal: this.#signal })
    this.#connected = client
    client.on('end', () => {
      if (this.#session?.client === client) this.#session = undefined
    })
    try {
      await first?.(client)
      const session = { client, reader: await this.#prepare(client) }
      this.#session = session
      return session
    } catch (error) {
      this.drop()
      throw problemOf(error, 'looking at the database')
    }
  }
}
