import { DataError } from '@tidewire/sdk'
import { LogError, type Admin, type NewTopic } from '../client/client.ts'
import type { TopicCreation } from '../config/topic-creation.ts'
import { ActiveTopics } from './active-topics.ts'

export interface SourceTopicsOptions {
  readonly admin: Admin
  /** The worker's own topics, which no record may go to; so may none to names that begin with `__`, but for Debezium's. */
  readonly internalTopics: readonly string[]
  /** `topic.creation.enable`. */
  readonly create: boolean
  /** `topic.creation.*` of the connector. */
  readonly creation: TopicCreation
  /** Is told of the topics in use. Left out: nobody is. */
  readonly active?: ActiveTopics | undefined
}

/** Names of the log itself begin so; those of change data capture's heartbeats, as Debezium has them, do too. */
const reserved = /^__(?!debezium-)/
const legalName = /^[a-zA-Z0-9._-]{1,249}$/

/** Why a connector has nothing to do with a topic of this name, if it has not. */
export function illegalTopic(topic: string, internalTopics: readonly string[]): string | undefined {
  if (!legalName.test(topic) || topic === '.' || topic === '..') {
    return `${JSON.stringify(topic)} is not a topic name: letters, digits, '.', '_' and '-', at most 249`
  }
  if (reserved.test(topic) || internalTopics.includes(topic)) {
    return `topic ${topic} is internal: connectors cannot write to it`
  }
  return undefined
}

/** The topics that a source task writes to: which it may, and that they exist. */
export class SourceTopics {
  readonly #options: SourceTopicsOptions
  readonly #active: ActiveTopics
  readonly #allowed = new Set<string>()
  #missing: string[] = []

  constructor(options: SourceTopicsOptions) {
    this.#options = options
    this.#active = options.active ?? new ActiveTopics()
  }

  /** Whether topics came up that are not known to exist: {@link create} them before their records are sent. */
  get hasNew(): boolean {
    return this.#missing.length > 0
  }

  /**
   * Called for each change of topic, and with the first of each batch.
   * @throws DataError where the record must not go there
   */
  check(topic: string | undefined): void {
    if (topic !== undefined && this.#allowed.has(topic)) {
      this.#active.note(topic)
      return
    }
    if (topic === undefined || topic === '') throw new DataError('the record has no topic')
    const problem = illegalTopic(topic, this.#options.internalTopics)
    if (problem !== undefined) throw new DataError(problem)
    this.#allowed.add(topic)
    this.#missing.push(topic)
  }

  /**
   * Makes the new topics that do not exist, as the connector's `topic.creation.*` says.
   * @throws LogError; one that the broker will not take back names the group whose settings it refused, and the topic
   */
  async create(): Promise<void> {
    const names = this.#missing
    if (this.#options.create) {
      const existing = new Set((await this.#options.admin.topics(names)).map(({ topic }) => topic))
      const missing = names
        .filter((name) => !existing.has(name))
        .map((topic) => ({ topic, ...this.#options.creation(topic) }))
      const byGroup = Map.groupBy(missing, ({ group }) => group)
      await Promise.all(byGroup.entries().map(async ([group, topics]) => this.#make(group, topics)))
    }
    this.#missing = this.#missing.filter((name) => !names.includes(name))
    for (const name of names) this.#active.note(name)
  }

  async #make(group: string, topics: readonly NewTopic[]): Promise<void> {
    try {
      await this.#options.admin.createTopics(topics)
    } catch (error) {
      if (!(error instanceof LogError) || error.retriable) throw error
      const message = `topic.creation.${group}.* cannot be carried out: ${error.message}`
      throw new LogError(error.code, message, { retriable: false, cause: error })
    }
  }
}
