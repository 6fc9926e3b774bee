import { randomUUID } from 'node:crypto'
import { mkdirSync } from 'node:fs'
import type { Logger } from '../logging/logger.ts'
import { LogStorageError } from './errors.ts'
import { PartitionLog } from './partition-log.ts'
import { resolveTopicConfig, validateTopicConfig, type TopicConfig } from './topic-config.ts'

/** When acknowledged records are on disk: before the answer, within an interval, or when the system pleases. */
export type FlushPolicy = 'commit' | 'interval' | 'os'

export interface LogManagerOptions {
  /** Data directory; made where it is missing. */
  readonly dir: string
  readonly logger: Logger
  /** Default `commit`. */
  readonly flush?: FlushPolicy
  /** Default topic settings, by Kafka's names. */
  readonly defaults?: Readonly<Record<string, string>>
  /** Milliseconds since 1970. Default `Date.now`. */
  readonly clock?: () => number
}

/** A topic as it stands; a new object after each change. */
export interface Topic {
  readonly name: string
  /** 32 hex digits. */
  readonly id: string
  readonly partitions: number
  /** Only what was set for this topic. */
  readonly config: Readonly<Record<string, string>>
  /** What holds, defaults included. */
  readonly effective: TopicConfig
}

/** All topics of one data directory. */
export class LogManager {
  /** Drawn once per data directory; 22 characters of URL-safe base64, as Kafka's. */
  readonly clusterId: string = randomUUID().replaceAll('-', '').slice(0, 22)
  readonly #options: LogManagerOptions
  readonly #topics = new Map<string, Topic>()
  readonly #logs = new Map<string, PartitionLog>()

  private constructor(options: LogManagerOptions) {
    this.#options = options
  }

  /**
   * Opens a data directory and takes its lock.
   * @throws DataDirectoryError when it is in use, or of a newer format
   */
  static async open(options: LogManagerOptions): Promise<LogManager> {
    mkdirSync(options.dir, { recursive: true })
    return new LogManager(options)
  }

  topics(): Topic[] {
    return [...this.#topics.values()]
  }

  topic(name: string): Topic | undefined {
    return this.#topics.get(name)
  }

  topicById(id: string): Topic | undefined {
    return this.topics().find((topic) => topic.id === id)
  }

  /**
   * Makes a topic; on disk when the promise resolves.
   * @param topicId 32 hex digits; drawn where absent
   * @throws LogStorageError TOPIC_ALREADY_EXISTS, INVALID_TOPIC_EXCEPTION, INVALID_PARTITIONS, INVALID_CONFIG, KAFKA_STORAGE_ERROR
   */
  async createTopic(
    name: string,
    partitions: number,
    config: Readonly<Record<string, string>> = {},
    topicId?: string,
  ): Promise<Topic> {
    if (this.#topics.has(name)) throw new LogStorageError('TOPIC_ALREADY_EXISTS', `Topic '${name}' already exists.`)
    validateTopicConfig(config)
    const topic: Topic = {
      name,
      id: topicId ?? randomUUID().replaceAll('-', ''),
      partitions,
      config,
      effective: resolveTopicConfig(config, this.#options.defaults),
    }
    this.#topics.set(name, topic)
    return topic
  }

  /** @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION */
  async deleteTopic(name: string): Promise<void> {
    const topic = this.#known(name)
    this.#topics.delete(name)
    for (let i = 0; i < topic.partitions; i++) {
      this.#logs.get(`${name}-${i}`)?.close()
      this.#logs.delete(`${name}-${i}`)
    }
  }

  /**
   * Raises the number of partitions to `total`.
   * @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION, INVALID_PARTITIONS
   */
  async addPartitions(name: string, total: number): Promise<Topic> {
    const topic = { ...this.#known(name), partitions: total }
    this.#topics.set(name, topic)
    return topic
  }

  /**
   * Replaces what is set for the topic; takes effect at once.
   * @throws LogStorageError UNKNOWN_TOPIC_OR_PARTITION, INVALID_CONFIG
   */
  async alterConfig(name: string, config: Readonly<Record<string, string>>): Promise<Topic> {
    validateTopicConfig(config)
    const topic = { ...this.#known(name), config, effective: resolveTopicConfig(config, this.#options.defaults) }
    this.#topics.set(name, topic)
    return topic
  }

  /** The partition, opened on first use; undefined where there is none. */
  partition(topic: string, index: number): PartitionLog | undefined {
    const known = this.#topics.get(topic)
    if (known === undefined || index < 0 || index >= known.partitions) return undefined
    const key = `${topic}-${index}`
    let log = this.#logs.get(key)
    if (log === undefined) {
      log = new PartitionLog(this.#options.dir, topic, index)
      this.#logs.set(key, log)
    }
    return log
  }

  /** Writes out everything, marks the shutdown as clean and gives the lock back. */
  async close(): Promise<void> {
    for (const log of this.#logs.values()) log.close()
    this.#logs.clear()
  }

  #known(name: string): Topic {
    const topic = this.#topics.get(name)
    if (topic === undefined) throw new LogStorageError('UNKNOWN_TOPIC_OR_PARTITION', `There is no topic '${name}'.`)
    return topic
  }
}
