import type { LogManager, Topic } from '../log/log-manager.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import type { BrokerConfig } from './config.ts'
import { RequestError } from './kafka-error.ts'

export const offsetsTopic = '__consumer_offsets'
export const transactionTopic = '__transaction_state'

/** Topics that only the coordinators write. */
export function isInternalTopic(name: string): boolean {
  return name === offsetsTopic || name === transactionTopic
}

export interface NewTopic {
  readonly name: string
  /** -1: `num.partitions`. */
  readonly partitions: number
  /** -1 and 1 are all that one broker can do. */
  readonly replicationFactor: number
  readonly config: Readonly<Record<string, string>>
}

/** The topics as clients see them: their rules, their ids on the wire, and making those that are asked for. */
export class TopicCatalog {
  readonly #log: LogManager
  readonly #config: BrokerConfig
  readonly #onDeleted: ((name: string) => void)[] = []
  #version = 0

  constructor(log: LogManager, config: BrokerConfig) {
    this.#log = log
    this.#config = config
  }

  /** Changes whenever a topic comes, goes or grows; not with the internal topics. */
  get version(): number {
    return this.#version
  }

  all(): Topic[] {
    return this.#log.topics()
  }

  get(name: string): Topic | undefined {
    return this.#log.topic(name)
  }

  byId(id: string): Topic | undefined {
    return this.#log.topicById(id)
  }

  /** Whether there is such a partition; does not open it. */
  hasPartition(topic: string, index: number): boolean {
    return index >= 0 && index < (this.#log.topic(topic)?.partitions ?? 0)
  }

  /**
   * The partition, open.
   * @throws RequestError where there is none, LogStorageError where it cannot be opened
   */
  partition(topic: string, index: number): PartitionLog {
    const partition = this.#log.partition(topic, index)
    if (partition !== undefined) return partition
    throw new RequestError('UNKNOWN_TOPIC_OR_PARTITION', `This server does not host the partition ${topic}-${index}.`)
  }

  /**
   * Checks what could not be created.
   * @throws RequestError, LogStorageError
   */
  check(topic: NewTopic): { partitions: number } {
    if (topic.replicationFactor !== -1 && topic.replicationFactor !== 1) {
      const reason = `Replication factor: ${topic.replicationFactor} cannot be served: there is one broker.`
      throw new RequestError('INVALID_REPLICATION_FACTOR', reason)
    }
    const partitions = topic.partitions === -1 ? this.#config['num.partitions'] : topic.partitions
    const most = this.#config['max.partitions.per.topic']
    if (partitions > most) throw new RequestError('INVALID_PARTITIONS', `Number of partitions must be at most ${most}.`)
    this.#log.checkNewTopic(topic.name, partitions, topic.config)
    return { partitions }
  }

  /** @throws RequestError, LogStorageError */
  async create(topic: NewTopic): Promise<Topic> {
    const { partitions } = this.check(topic)
    const created = await this.#log.createTopic(topic.name, partitions, topic.config)
    this.#version++
    return created
  }

  /** For a client that names a topic that is not there. Two that come at once get the same topic. */
  async createImplicitly(name: string): Promise<Topic> {
    try {
      return await this.create({ name, partitions: -1, replicationFactor: -1, config: {} })
    } catch (error) {
      const existing = this.#log.topic(name)
      if (existing === undefined) throw error
      return existing
    }
  }

  /**
   * Raises the number of partitions.
   * @throws LogStorageError
   */
  async grow(name: string, partitions: number): Promise<void> {
    await this.#log.addPartitions(name, partitions)
    this.#version++
  }

  /** @throws LogStorageError */
  async delete(name: string): Promise<void> {
    await this.#log.deleteTopic(name)
    this.#version++
    for (const listener of this.#onDeleted) listener(name)
  }

  onDeleted(listener: (name: string) => void): void {
    this.#onDeleted.push(listener)
  }
}
