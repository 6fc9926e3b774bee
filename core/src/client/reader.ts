import type { TopicPartition } from '@tidewire/sdk'
import { closedError } from './backoff.ts'
import type { FetchedRecords, PollOptions, Reader, ReadOptions } from './client.ts'
import type { Cluster } from './cluster.ts'
import { Fetcher, type FetcherOptions } from './fetcher.ts'

/** Kafka's defaults, except for more bytes at a time. */
export function fetcherOptions(options: ReadOptions, offsetReset: FetcherOptions['offsetReset']): FetcherOptions {
  const { isolation = 'read_committed', maxBytes = 8 * 1024 * 1024, maxPartitionBytes = 1024 * 1024 } = options
  const { minBytes = 1, fetchMaxWaitMs = 500, clientId, requestTimeoutMs } = options
  const { memory } = options
  const connections = { ...(clientId && { clientId }), ...(requestTimeoutMs && { requestTimeoutMs }) }
  return {
    isolation,
    maxBytes,
    memory,
    maxPartitionBytes,
    minBytes,
    maxWaitMs: fetchMaxWaitMs,
    offsetReset,
    connections,
  }
}

export class LogReader implements Reader {
  readonly #cluster: Cluster
  readonly #fetcher: Fetcher
  #closed = false

  constructor(cluster: Cluster, options: ReadOptions) {
    this.#cluster = cluster
    this.#fetcher = new Fetcher(cluster, fetcherOptions(options, options.offsetReset ?? 'none'))
    cluster.register(this)
  }

  assign(positions: readonly (TopicPartition & { readonly offset: number | 'earliest' | 'latest' })[]): void {
    if (this.#closed) throw closedError('reader')
    this.#fetcher.clear()
    for (const position of positions) this.#fetcher.seek(position, position.offset)
  }

  async poll(options: PollOptions): Promise<readonly FetchedRecords[]> {
    if (this.#closed) throw closedError('reader')
    return this.#fetcher.poll(options)
  }

  async close(): Promise<void> {
    this.#closed = true
    this.#fetcher.close()
    this.#cluster.unregister(this)
  }
}
