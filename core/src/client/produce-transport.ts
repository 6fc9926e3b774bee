import { produce } from '../protocol/messages/produce.ts'
import type { ResponseOf } from '../protocol/message.ts'
import { backoffMs, monotonicMs, retryBackoff, sleep } from './backoff.ts'
import type { Cluster } from './cluster.ts'
import { addressText, type Address, type Connection } from './connection.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { ProduceChannel, ProduceTransport, Shipment } from './sender.ts'

/** Last version of Produce before transactions of version 2, where the broker adds partitions by itself (KIP-890). */
const LAST_WITHOUT_TRANSACTION_V2 = 11
/** Last version that names topics rather than giving their ids. */
const LAST_WITH_NAMES = 12

export interface ProduceRequestOptions {
  readonly acks: 1 | -1
  readonly transactionalId: string | null
  readonly requestTimeoutMs: number
  /** Whether the transaction at hand is one of version 2. */
  readonly transactionV2: () => boolean
}

/** The way of the {@link Sender} to the brokers. */
export class ClusterTransport implements ProduceTransport {
  readonly #cluster: Cluster
  readonly #pool: ConnectionPool
  readonly #options: ProduceRequestOptions
  readonly #wake: () => void
  readonly #closing: AbortSignal
  readonly #addresses = new Map<string, Address>()
  readonly #channels = new WeakMap<Connection, ProduceChannel>()
  readonly #connecting = new Set<string>()
  /** Could not be reached since metadata was last refreshed. */
  readonly #unreachable = new Set<string>()
  #refreshing = false
  #refreshes = 0
  #lastRefresh = -Infinity

  constructor(
    cluster: Cluster,
    pool: ConnectionPool,
    options: ProduceRequestOptions,
    closing: AbortSignal,
    wake: () => void,
  ) {
    this.#cluster = cluster
    this.#pool = pool
    this.#options = options
    this.#closing = closing
    this.#wake = wake
  }

  leader(topic: string, partition: number): string | undefined {
    const address = this.#cluster.leader(topic, partition)
    if (address === undefined) return undefined
    const name = addressText(address)
    if (this.#unreachable.has(name)) return undefined
    this.#addresses.set(name, address)
    return name
  }

  channel(leader: string): ProduceChannel | undefined {
    const address = this.#addresses.get(leader)!
    const connection = this.#pool.current(address)
    if (connection === undefined) {
      this.#open(leader, address)
      return undefined
    }
    let channel = this.#channels.get(connection)
    if (channel === undefined) {
      channel = { send: (shipments) => this.#send(connection, shipments) }
      this.#channels.set(connection, channel)
    }
    return channel
  }

  refresh(topics: ReadonlySet<string>): void {
    if (this.#refreshing) return
    this.#refreshing = true
    void this.#refresh(topics).finally(() => {
      this.#refreshing = false
      this.#wake()
    })
  }

  async #refresh(topics: ReadonlySet<string>): Promise<void> {
    // Asked for again soon after the last: it did not help, so wait a little longer each time.
    this.#refreshes = monotonicMs() - this.#lastRefresh < 2 * retryBackoff.maxMs ? this.#refreshes + 1 : 0
    if (this.#refreshes > 0) await sleep(backoffMs(this.#refreshes, retryBackoff), this.#closing)
    if (this.#closing.aborted) return
    await this.#cluster.refresh(topics).catch((error: unknown) => {
      this.#cluster.logger.debug('metadata refresh failed', { error: String(error) })
    })
    this.#unreachable.clear()
    this.#lastRefresh = monotonicMs()
  }

  #open(leader: string, address: Address): void {
    if (this.#connecting.has(leader)) return
    this.#connecting.add(leader)
    this.#pool
      .get(address)
      .catch((error: unknown) => {
        this.#unreachable.add(leader)
        this.#cluster.logger.debug('broker cannot be reached', { broker: leader, error: String(error) })
      })
      .finally(() => {
        this.#connecting.delete(leader)
        this.#wake()
      })
  }

  #send(connection: Connection, shipments: readonly Shipment[]): Promise<ResponseOf<typeof produce>> {
    const { acks, transactionalId, requestTimeoutMs, transactionV2 } = this.#options
    const v1 = transactionalId !== null && !transactionV2()
    const version = connection.version(produce, v1 ? LAST_WITHOUT_TRANSACTION_V2 : LAST_WITH_NAMES)
    const topics = new Map<string, { name: string; partitionData: { index: number; records: Buffer }[] }>()
    for (const { topic, partition, records } of shipments) {
      let data = topics.get(topic)
      if (data === undefined) topics.set(topic, (data = { name: topic, partitionData: [] }))
      data.partitionData.push({ index: partition, records })
    }
    const topicData = [...topics.values()]
    return connection.request(produce, { transactionalId, acks, timeoutMs: requestTimeoutMs, topicData }, { version })
  }
}
