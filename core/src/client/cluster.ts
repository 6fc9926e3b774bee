import type { Logger } from '../logging/logger.ts'
import { findCoordinator } from '../protocol/messages/find-coordinator.ts'
import { metadata } from '../protocol/messages/metadata.ts'
import type { ResponseOf } from '../protocol/message.ts'
import { closedError } from './backoff.ts'
import { LogError, type OwnConnections } from './client.ts'
import {
  addressText,
  brokerError,
  throwBrokerError,
  type Address,
  type Connection,
  type ConnectionOptions,
} from './connection.ts'
import { ConnectionPool } from './connection-pool.ts'

interface PartitionMetadata {
  /** Broker id; -1 while there is none. */
  readonly leader: number
  readonly leaderEpoch: number
}

export interface TopicMetadata {
  readonly name: string
  /** In Kafka's notation; {@link ZERO_UUID} from brokers that have none. */
  readonly id: string
  readonly internal: boolean
  /** By partition number. */
  readonly partitions: readonly PartitionMetadata[]
}

export interface ClusterOptions extends ConnectionOptions {
  readonly bootstrap: readonly Address[]
  readonly logger: Logger
  /** `metadata.max.age.ms`: known topics are looked at again this often, so that new partitions are found. */
  readonly metadataMaxAgeMs?: number
}

const METADATA_MAX_AGE_MS = 300_000

export type CoordinatorKind = 'group' | 'transaction'

const keyTypes = { group: 0, transaction: 1 } as const

/**
 * What is known of the cluster: its brokers, who leads which partition, where the coordinators are. A cache; whoever
 * meets an error that shows it to be stale (`NOT_LEADER_OR_FOLLOWER`, `NOT_COORDINATOR`) asks for a refresh.
 */
export class Cluster {
  readonly #options: ClusterOptions
  readonly #ageing: NodeJS.Timeout
  readonly #members = new Set<{ close(): Promise<void> }>()
  readonly #pools = new Set<ConnectionPool>()
  /** For requests that are answered at once: metadata, coordinators, admin. */
  readonly pool: ConnectionPool
  readonly #brokers = new Map<number, Address>()
  readonly #topics = new Map<string, TopicMetadata>()
  readonly #topicNames = new Map<string, string>()
  /** Why a topic asked for is not among the known: authorization, an impossible name. */
  readonly #topicErrors = new Map<string, LogError>()
  readonly #coordinators = new Map<string, Address>()
  #closed = false
  #controllerId = -1
  #clusterId: string | null = null
  #refreshing: Promise<void> | undefined
  #next: { names: Set<string>; create: boolean; done: Promise<void> } | undefined

  constructor(options: ClusterOptions) {
    this.#options = options
    this.pool = this.newPool()
    this.#ageing = setInterval(() => this.#refreshAll(), options.metadataMaxAgeMs ?? METADATA_MAX_AGE_MS).unref()
  }

  get logger(): Logger {
    return this.#options.logger
  }

  get requestTimeoutMs(): number {
    return this.#options.requestTimeoutMs
  }

  get clusterId(): string | null {
    return this.#clusterId
  }

  newPool({ clientId, requestTimeoutMs }: OwnConnections = {}): ConnectionPool {
    const pool = new ConnectionPool({
      ...this.#options,
      ...(clientId === undefined ? {} : { clientId }),
      ...(requestTimeoutMs === undefined ? {} : { requestTimeoutMs }),
    })
    this.#pools.add(pool)
    return pool
  }

  closePool(pool: ConnectionPool): void {
    pool.close()
    this.#pools.delete(pool)
  }

  /** To be closed with the client. */
  register(member: { close(): Promise<void> }): void {
    if (this.#closed) throw closedError('client')
    this.#members.add(member)
  }

  unregister(member: { close(): Promise<void> }): void {
    this.#members.delete(member)
  }

  /** Closes what was made of it, and every connection. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.allSettled([...this.#members].map((member) => member.close()))
    clearInterval(this.#ageing)
    for (const pool of this.#pools) pool.close()
    this.#pools.clear()
  }

  /** As of the last refresh. */
  topic(name: string): TopicMetadata | undefined {
    return this.#topics.get(name)
  }

  /** Why the last refresh did not find the topic. */
  topicError(name: string): LogError {
    return this.#topicErrors.get(name) ?? unknownTopic(name)
  }

  topicNameOf(id: string): string | undefined {
    return this.#topicNames.get(id)
  }

  /** All brokers, as of the last refresh. */
  brokers(): Address[] {
    return [...this.#brokers.values()]
  }

  broker(id: number): Address | undefined {
    return this.#brokers.get(id)
  }

  /** Where the partition is led, as of the last refresh; undefined where that is not known. */
  leader(topic: string, partition: number): Address | undefined {
    const leader = this.#topics.get(topic)?.partitions[partition]?.leader
    return leader === undefined ? undefined : this.#brokers.get(leader)
  }

  controller(): Address | undefined {
    return this.#brokers.get(this.#controllerId)
  }

  /**
   * Learns anew of these topics. Those that do not exist are forgotten. Calls that come while one is under way share
   * the next.
   * @param create lets the broker create what is missing, if it is set up so (`auto.create.topics.enable`)
   */
  async refresh(names: Iterable<string>, create = false): Promise<void> {
    if (this.#next === undefined) {
      const next = { names: new Set<string>(), create: false, done: Promise.resolve() }
      this.#next = next
      const previous = this.#refreshing ?? Promise.resolve()
      next.done = previous
        .catch(() => undefined)
        .then(async () => {
          this.#next = undefined
          this.#refreshing = next.done
          await this.#fetchTopics([...next.names], next.create)
        })
    }
    for (const name of names) this.#next.names.add(name)
    this.#next.create ||= create
    await this.#next.done
  }

  /** Refreshes where one of these topics is not known. */
  async learn(names: readonly string[]): Promise<void> {
    const unknown = names.filter((name) => !this.#topics.has(name))
    if (unknown.length > 0) await this.refresh(unknown)
  }

  /** All topics there are, at this moment. */
  async allTopics(): Promise<readonly TopicMetadata[]> {
    const known = new Set(this.#topics.keys())
    const response = await this.#ask(null, false)
    for (const topic of response.topics) if (topic.name !== null) known.delete(topic.name)
    for (const gone of known) this.#forget(gone)
    return response.topics.flatMap((topic) => this.#topics.get(topic.name ?? '') ?? [])
  }

  /**
   * A connection to any broker: an open one where there is one, else known brokers, else the bootstrap servers.
   * @throws LogError NETWORK (retriable) where none can be reached
   */
  async any(pool: ConnectionPool = this.pool): Promise<Connection> {
    const addresses = new Map<string, Address>()
    for (const broker of this.#brokers.values()) addresses.set(addressText(broker), broker)
    for (const server of this.#options.bootstrap) addresses.set(addressText(server), server)
    const candidates = [...addresses.values()]
    for (const address of candidates) {
      const connection = pool.current(address)
      if (connection !== undefined) return connection
    }
    const first = Math.floor(Math.random() * candidates.length)
    let failure: unknown
    for (let i = 0; i < candidates.length; i++) {
      try {
        return await pool.get(candidates[(first + i) % candidates.length]!)
      } catch (error) {
        if (error instanceof LogError && !error.retriable) throw error
        failure = error
      }
    }
    const message = `no broker of ${this.#options.bootstrap.map(addressText).join(', ')} can be reached`
    throw new LogError('NETWORK', `${message}: ${String(failure)}`, { retriable: true, cause: failure })
  }

  /**
   * One exchange with the coordinator of a group or transaction. Where it fails in a way that says that the coordinator
   * has moved or died, the next call looks for it again.
   * @param use sends the request over the connection, and throws a LogError for an error in the answer
   */
  async withCoordinator<T>(
    kind: CoordinatorKind,
    key: string,
    pool: ConnectionPool,
    use: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const slot = `${kind} ${key}`
    try {
      let address = this.#coordinators.get(slot)
      if (address === undefined) this.#coordinators.set(slot, (address = await this.#findCoordinator(kind, key)))
      return await use(await pool.get(address))
    } catch (error) {
      if (error instanceof LogError && coordinatorLost.has(error.code)) this.#coordinators.delete(slot)
      throw error
    }
  }

  /**
   * Looks for the coordinators of these that are not known, in one request where the broker can (KIP-699). One that has
   * none at the moment is looked for again by {@link withCoordinator}, and its error met there.
   * @throws LogError where no broker can be asked
   */
  async learnCoordinators(kind: CoordinatorKind, keys: readonly string[]): Promise<void> {
    const unknown = keys.filter((key) => !this.#coordinators.has(`${kind} ${key}`))
    const connection = await this.any()
    if (unknown.length === 0 || !connection.speaks(findCoordinator, 4)) return
    const response = await connection.request(findCoordinator, { keyType: keyTypes[kind], coordinatorKeys: unknown })
    for (const { key, errorCode, host, port } of response.coordinators) {
      if (errorCode === 0) this.#coordinators.set(`${kind} ${key}`, { host, port })
    }
  }

  async #findCoordinator(kind: CoordinatorKind, key: string): Promise<Address> {
    const connection = await this.any()
    const keyType = keyTypes[kind]
    const version = connection.version(findCoordinator)
    const body = version < 4 ? { key, keyType } : { keyType, coordinatorKeys: [key] }
    const response = await connection.request(findCoordinator, body, { version })
    const found = version < 4 ? response : response.coordinators[0]
    if (found === undefined) {
      throw new LogError('PROTOCOL', `coordinator of ${kind} ${key}: empty answer`, { retriable: false })
    }
    throwBrokerError(found.errorCode, `coordinator of ${kind} ${key}`, found.errorMessage)
    return { host: found.host, port: found.port }
  }

  #refreshAll(): void {
    this.refresh(this.#topics.keys()).catch((error: unknown) => {
      this.logger.debug('metadata refresh failed', { error: String(error) })
    })
  }

  async #fetchTopics(names: readonly string[], create: boolean): Promise<void> {
    const response = await this.#ask(names, create)
    const seen = new Set(response.topics.map((topic) => topic.name))
    for (const name of names) if (!seen.has(name)) this.#forget(name)
  }

  async #ask(names: readonly string[] | null, create: boolean): Promise<ResponseOf<typeof metadata>> {
    const connection = await this.any()
    const version = connection.version(metadata)
    // Before version 1 an empty list stood for all topics; null since then.
    const topics = names === null ? (version === 0 ? [] : null) : names.map((name) => ({ name }))
    const response = await connection.request(metadata, { topics, allowAutoTopicCreation: create }, { version })
    throwBrokerError(response.errorCode, 'metadata')
    this.#learn(response)
    return response
  }

  #learn(response: ResponseOf<typeof metadata>): void {
    this.#clusterId = response.clusterId
    this.#controllerId = response.controllerId
    // A broker that is just starting may answer with none; what was known is better than that.
    if (response.brokers.length > 0) this.#brokers.clear()
    for (const broker of response.brokers) this.#brokers.set(broker.nodeId, { host: broker.host, port: broker.port })
    for (const topic of response.topics) {
      if (topic.name === null) continue
      if (topic.errorCode !== 0) {
        this.#forget(topic.name)
        this.#topicErrors.set(topic.name, brokerError(topic.errorCode, `topic ${topic.name}`)!)
        continue
      }
      const partitions: PartitionMetadata[] = Array.from({ length: topic.partitions.length }, () => nowhere)
      for (const { partitionIndex, leaderId, leaderEpoch } of topic.partitions) {
        if (partitionIndex < partitions.length) partitions[partitionIndex] = { leader: leaderId, leaderEpoch }
      }
      this.#forget(topic.name)
      this.#topicErrors.delete(topic.name)
      this.#topics.set(topic.name, { name: topic.name, id: topic.topicId, internal: topic.isInternal, partitions })
      this.#topicNames.set(topic.topicId, topic.name)
    }
  }

  #forget(name: string): void {
    const topic = this.#topics.get(name)
    if (topic === undefined) return
    this.#topics.delete(name)
    this.#topicNames.delete(topic.id)
  }
}

const nowhere: PartitionMetadata = { leader: -1, leaderEpoch: -1 }

const coordinatorLost = new Set(['NOT_COORDINATOR', 'COORDINATOR_NOT_AVAILABLE', 'NETWORK', 'TIMEOUT'])

/** Errors that say that what is known of a partition's place is stale. */
export const staleMetadata: ReadonlySet<string> = new Set([
  'NOT_LEADER_OR_FOLLOWER',
  'LEADER_NOT_AVAILABLE',
  'FENCED_LEADER_EPOCH',
  'UNKNOWN_LEADER_EPOCH',
  'UNKNOWN_TOPIC_OR_PARTITION',
  'UNKNOWN_TOPIC_ID',
  'INCONSISTENT_TOPIC_ID',
  'KAFKA_STORAGE_ERROR',
  'REPLICA_NOT_AVAILABLE',
  'NETWORK',
  'TIMEOUT',
])

/** A topic's errors that mean: it is not there. */
function unknownTopic(name: string): LogError {
  return new LogError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${name}: there is no such topic`, { retriable: true })
}
