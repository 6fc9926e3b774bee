import { ConfigError, NotFoundError, RetriableError } from '@tidewire/sdk'
import { LogError, type Admin } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { taskTransactionalId } from '../worker/transactional-ids.ts'
import type { ConfigStore, StoredConnector } from './config-store.ts'

export interface ZombieFencingOptions {
  readonly store: ConfigStore
  readonly admin: Admin
  readonly groupId: string
  readonly logger: Logger
  readonly isSink: (stored: StoredConnector) => boolean
  /** Runs it alone among the writes for the connector. @throws NotLeaderError */
  readonly alone: (connector: string, work: () => Promise<void>) => Promise<void>
}

/** The first tasks have no predecessors; and a single one fences its single predecessor by its own id. */
export function hasOthersToFence(producers: number | undefined, tasks: number): boolean {
  return producers !== undefined && !(producers === 1 && tasks === 1)
}

/**
 * The leader's part in starting tasks that write in transactions (KIP-618): the producers of all earlier tasks are fenced
 * before one of the new may read its offsets, since a task that was cut off could still commit records behind them.
 * One round for each commit of tasks, however many workers ask for it.
 */
export class ZombieFencing {
  readonly #options: ZombieFencingOptions
  readonly #rounds = new Map<string, { readonly tasks: StoredConnector['tasks']; readonly done: Promise<void> }>()

  constructor(options: ZombieFencingOptions) {
    this.#options = options
  }

  /**
   * Resolves when the tasks that are committed now may start.
   * @throws NotFoundError, ConfigError for a sink, NotLeaderError; RetriableError where newer tasks came meanwhile
   */
  async fence(connector: string): Promise<void> {
    const { store, isSink } = this.#options
    await store.refresh()
    const stored = store.get(connector)
    if (stored === undefined) throw new NotFoundError(`Connector ${connector} not found`)
    if (isSink(stored)) throw new ConfigError(`Connector ${connector} is not a source connector`)
    if (stored.fenced) return
    const underWay = this.#rounds.get(connector)
    if (underWay?.tasks === stored.tasks) return underWay.done
    const round = { tasks: stored.tasks, done: this.#round(connector, stored) }
    this.#rounds.set(connector, round)
    try {
      await round.done
    } finally {
      if (this.#rounds.get(connector) === round) this.#rounds.delete(connector)
    }
  }

  async #round(connector: string, { tasks, producers }: StoredConnector): Promise<void> {
    const { store, alone } = this.#options
    if (producers !== undefined && hasOthersToFence(producers, tasks.length)) {
      await this.#fenceProducers(connector, producers)
    }
    await alone(connector, async () => {
      const now = store.get(connector)
      if (now?.tasks !== tasks) throw new RetriableError(`connector ${connector} has other tasks by now`)
      if (!now.fenced) await store.putFenced(connector, tasks.length)
    })
  }

  async #fenceProducers(connector: string, count: number): Promise<void> {
    const { admin, groupId, logger } = this.#options
    logger.info('fencing the producers of earlier tasks', { connector, count })
    try {
      await admin.fenceProducers(
        Array.from({ length: count }, (_, task) => taskTransactionalId(groupId, { connector, task })),
      )
    } catch (error) {
      if (!(error instanceof LogError)) throw error
      const text = `Could not fence the earlier tasks of connector ${connector}: ${error.message}`
      throw new LogError(error.code, text, { retriable: error.retriable, cause: error })
    }
  }
}
