import { DataError } from '@tidewire/sdk'
import type { Admin } from '../client/client.ts'

export interface SourceTopicsOptions {
  readonly admin: Admin
  /** The worker's own topics, which no record may go to; so may none to names that begin with `__`. */
  readonly internalTopics: readonly string[]
  /** `topic.creation.enable`. */
  readonly create: boolean
}

const legalName = /^[a-zA-Z0-9._-]{1,249}$/

/** The topics that a source task writes to: which it may, and that they exist. */
export class SourceTopics {
  readonly #options: SourceTopicsOptions
  readonly #allowed = new Set<string>()
  #missing: string[] = []

  constructor(options: SourceTopicsOptions) {
    this.#options = options
  }

  /** Whether topics came up that are not known to exist: {@link create} them before their records are sent. */
  get hasNew(): boolean {
    return this.#missing.length > 0
  }

  /**
   * Called for each change of topic.
   * @throws DataError where the record must not go there
   */
  check(topic: string | undefined): void {
    if (topic !== undefined && this.#allowed.has(topic)) return
    if (topic === undefined || topic === '') throw new DataError('the record has no topic')
    if (!legalName.test(topic) || topic === '.' || topic === '..') {
      throw new DataError(
        `${JSON.stringify(topic)} is not a topic name: letters, digits, '.', '_' and '-', at most 249`,
      )
    }
    if (topic.startsWith('__') || this.#options.internalTopics.includes(topic)) {
      throw new DataError(`topic ${topic} is internal: connectors cannot write to it`)
    }
    this.#allowed.add(topic)
    this.#missing.push(topic)
  }

  /**
   * Makes the new topics that do not exist, with one partition and the broker's default of replicas.
   * @throws LogError
   */
  async create(): Promise<void> {
    const names = this.#missing
    if (this.#options.create) {
      const existing = new Set((await this.#options.admin.topics(names)).map(({ topic }) => topic))
      const missing = names.filter((name) => !existing.has(name))
      if (missing.length > 0) {
        await this.#options.admin.createTopics(
          missing.map((topic) => ({ topic, partitions: 1, replicationFactor: -1 })),
        )
      }
    }
    this.#missing = this.#missing.filter((name) => !names.includes(name))
  }
}
