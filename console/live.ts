/** Keeps the state of the cluster up by its events; nothing is asked for over and over. */
import type { RestClient } from '../core/src/rest-client/rest-client.ts'
import { RestClientError } from '../core/src/rest-client/rest-client.ts'
import type { ConnectorStatus } from '../core/src/rest-client/operations.ts'
import { ClusterState, type Change, type Expanded } from './cluster-state.ts'
import { describeError } from './notices.ts'

export interface LiveOptions {
  readonly client: RestClient
  /** Names of the connectors that changed; undefined: anything may have. */
  readonly onChange: (connector: string | undefined) => void
  /** Undefined: what is shown is what is; else why it may not be. */
  readonly onAway: (reason: string | undefined) => void
  /** A log-in is needed, or has come to its end; nothing more comes. */
  readonly onLogIn: (error: RestClientError) => void
}

const leastPauseMs = 500
const mostPauseMs = 10_000

export class Live {
  readonly state = new ClusterState()
  readonly #options: LiveOptions
  readonly #over = new AbortController()
  /** Connectors to be read anew, while one is. */
  readonly #stale = new Set<string>()
  #workersAreStale = false
  #reading = false

  constructor(options: LiveOptions) {
    this.#options = options
    void this.#follow()
  }

  close(): void {
    this.#over.abort()
  }

  async #follow(): Promise<void> {
    const { signal } = this.#over
    const { client, onAway, onLogIn } = this.#options
    let lastEventId: string | undefined
    let pauseMs = leastPauseMs
    while (!signal.aborted) {
      try {
        const asked = { signal, ...(lastEventId === undefined ? {} : { lastEventId }) }
        for await (const event of client.events('GET /events', asked)) {
          // What comes while this reads waits in the connection: nothing is missed, and what is told twice does no harm.
          if (event.event === 'reset' || (event.event === 'ready' && lastEventId === undefined)) await this.#readAll()
          else this.#take(this.state.apply(event))
          lastEventId = event.id
          pauseMs = leastPauseMs
          onAway(undefined)
        }
      } catch (error) {
        if (this.#over.signal.aborted) return
        if (error instanceof RestClientError && error.status === 401) {
          onLogIn(error)
          return
        }
        onAway(describeError(error))
      }
      // Apart, so that a hundred pages do not come back in one moment.
      await new Promise((again) => setTimeout(again, pauseMs * (0.5 + Math.random())))
      pauseMs = Math.min(2 * pauseMs, mostPauseMs)
    }
  }

  async #readAll(): Promise<void> {
    const { client, onChange } = this.#options
    const { signal } = this.#over
    const [all] = await Promise.all([
      client.call('GET /connectors', { query: { expand: ['status', 'info'] }, signal }),
      this.#readWorkers(),
    ])
    this.state.replaceAll(all as Expanded)
    onChange(undefined)
  }

  async #readWorkers(): Promise<void> {
    try {
      this.state.workers = await this.#options.client.call('GET /admin/workers', { signal: this.#over.signal })
    } catch (error) {
      this.#workersAreStale = !isNotFound(error)
      if (!isNotFound(error)) throw error
      this.state.workers = undefined
    }
  }

  #take({ connector, isStale, workers }: Change): void {
    if (workers === true) this.#workersAreStale = true
    if (connector !== undefined) this.#options.onChange(connector)
    if (connector !== undefined && isStale === true) this.#stale.add(connector)
    // Also what could not be read before.
    void this.#readStale()
  }

  async #readStale(): Promise<void> {
    if (this.#reading) return
    this.#reading = true
    try {
      while (this.#workersAreStale) {
        this.#workersAreStale = false
        await this.#readWorkers()
        this.#options.onChange(undefined)
      }
      for (const name of this.#stale) {
        this.#stale.delete(name)
        await this.#read(name)
        this.#options.onChange(name)
      }
    } catch {
      // The next event brings it here again, and a stream that is away is told.
    } finally {
      this.#reading = false
    }
  }

  async #read(name: string): Promise<void> {
    const asked = { path: { name }, signal: this.#over.signal }
    const { client } = this.#options
    try {
      const info = await client.call('GET /connectors/{name}', asked)
      const status: ConnectorStatus = await client.call('GET /connectors/{name}/status', asked)
      this.state.replace(name, info, status)
    } catch (error) {
      if (!isNotFound(error)) {
        this.#stale.add(name)
        throw error
      }
      this.state.replace(name, undefined, undefined)
    }
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof RestClientError && error.status === 404
}
