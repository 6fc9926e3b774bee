import type { LogManager, Topic } from '../log/log-manager.ts'
import type { PartitionLog } from '../log/partition-log.ts'
import { ZERO_UUID } from '../protocol/message.ts'
import type { BrokerConfig } from './config.ts'
import { RequestError } from './kafka-error.ts'

export const offsetsTopic = '__consumer_offsets'
export const transactionTopic = '__transaction_state'

/** Topics that only the coordinators write. */
export function isInternalTopic(name: string): boolean {
  return name === offsetsTopic || name === transactionTopic
}

const longestName = 249

/** What is wrong with a topic name, or null (Kafka's rules; the name becomes part of a folder's). */
export function topicNameProblem(name: string): string | null {
  if (name === '') return 'Topic name is invalid: it is empty'
  if (name === '.' || name === '..') return `Topic name is invalid: '${name}' is not allowed`
  if (name.length > longestName) return `Topic name is invalid: longer than ${longestName} characters`
  if (!/^[a-zA-Z0-9._-]+$/.test(name)) {
    return `Topic name is invalid: '${name}' contains characters other than ASCII letters, digits, '.', '_' and '-'`
  }
  return null
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
  readonly #creating = new Map<string, Promise<Topic>>()
  readonly #onDeleted: ((name: string) => void)[] = []

  constructor(log: LogManager, config: BrokerConfig) {
    this.#log = log
    this.#config = config
  }

  all(): Topic[] {
    return this.#log.topics()
  }

  get(name: string): Topic | undefined {
    return this.#log.topic(name)
  }

  /** By the id as it is on the wire. */
  byId(wireId: string): Topic | undefined {
    return this.#log.topicById(Buffer.from(wireId, 'base64url').toString('hex'))
  }

  /** The topic that a request names, by id where the version has ids. */
  find(name: string, wireId: string): Topic | undefined {
    return wireId === ZERO_UUID ? this.#log.topic(name) : this.byId(wireId)
  }

  partition(topic: string, index: number): PartitionLog | undefined {
    return this.#log.partition(topic, index)
  }

  /**
   * Checks what could not be created.
   * @throws RequestError, LogStorageError
   */
  check(topic: NewTopic): { partitions: number } {
    const problem = topicNameProblem(topic.name)
    if (problem !== null) throw new RequestError('INVALID_TOPIC_EXCEPTION', problem)
    if (this.#log.topic(topic.name) !== undefined) {
      throw new RequestError('TOPIC_ALREADY_EXISTS', `Topic '${topic.name}' already exists.`)
    }
    const clash = this.#log.topics().find(({ name }) => metricName(name) === metricName(topic.name))
    if (clash !== undefined) {
      const reason = `Topic '${topic.name}' collides with existing topic: ${clash.name}`
      throw new RequestError('INVALID_TOPIC_EXCEPTION', reason)
    }
    if (topic.replicationFactor !== -1 && topic.replicationFactor !== 1) {
      const reason = `Replication factor: ${topic.replicationFactor} cannot be served: there is one broker.`
      throw new RequestError('INVALID_REPLICATION_FACTOR', reason)
    }
    const partitions = topic.partitions === -1 ? this.#config['num.partitions'] : topic.partitions
    const most = this.#config['max.partitions.per.topic']
    if (partitions < 1) throw new RequestError('INVALID_PARTITIONS', 'Number of partitions must be larger than 0.')
    if (partitions > most) throw new RequestError('INVALID_PARTITIONS', `Number of partitions must be at most ${most}.`)
    return { partitions }
  }

  /** @throws RequestError, LogStorageError */
  async create(topic: NewTopic): Promise<Topic> {
    const underWay = this.#creating.get(topic.name)
    if (underWay !== undefined) {
      await underWay.catch(() => undefined)
      return this.create(topic)
    }
    const { partitions } = this.check(topic)
    const creating = this.#log.createTopic(topic.name, partitions, topic.config)
    this.#creating.set(topic.name, creating)
    try {
      return await creating
    } finally {
      this.#creating.delete(topic.name)
    }
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

  /** @throws LogStorageError */
  async delete(name: string): Promise<void> {
    await this.#log.deleteTopic(name)
    for (const listener of this.#onDeleted) listener(name)
  }

  onDeleted(listener: (name: string) => void): void {
    this.#onDeleted.push(listener)
  }
}

/** A topic's id as it is on the wire: 22 characters of base64url. */
export function wireTopicId(topic: Topic): string {
  return Buffer.from(topic.id, 'hex').toString('base64url')
}

/** Kafka's metrics do not tell '.' and '_' apart, so neither do names. */
function metricName(name: string): string {
  return name.replaceAll('.', '_')
}
