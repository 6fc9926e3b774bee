/**
 * The stored offsets of a source, changed from outside while it is stopped. Where the connector has a topic of its own for
 * them (`offsets.storage.topic`), that is the truth, above the worker's; what is forgotten is taken out of the worker's
 * first, so that it does not come back from there where the second write fails (KAFKA-15018).
 */
import { ConfigError, type Source, type SourceOffsetChange, type SourceStart } from '@tidewire/sdk'
import type { OutRecord, Producer } from '../client/client.ts'
import { messageOf } from '../logging/message-of.ts'
import { parseSource } from './build-task.ts'
import { requireValid } from './connector-config.ts'
import type { ErrandSurroundings, ErrandTask } from './errand-task.ts'
import { ensureInternalTopics } from './internal-topics.ts'
import { OffsetStore } from './offset-store.ts'
import { askConnector } from './offsets-hook.ts'
import type { OffsetsChanged } from './errand-messages.ts'
import { inOrder } from './shown-offsets.ts'
import { partitionKey } from './source-partition.ts'
import type { TaskSpec } from './task-spec.ts'
import { taskTransactionalId } from './transactional-ids.ts'

const writeLimitMs = 30_000

/** See the head of the file. */
export class StoredSourceOffsets {
  readonly #definition: Source
  readonly #task: ErrandTask
  readonly #spec: TaskSpec
  readonly #around: ErrandSurroundings
  readonly #workers: OffsetStore
  readonly #own: OffsetStore | undefined
  readonly #ownTopic: string | undefined

  constructor(definition: Source, task: ErrandTask, spec: TaskSpec, around: ErrandSurroundings) {
    const { settings, logger } = around
    const { config, errors } = parseSource(spec.config)
    requireValid(errors)
    this.#definition = definition
    this.#task = task
    this.#spec = spec
    this.#around = around
    this.#workers = new OffsetStore({ client: task.client, topic: settings.offsetTopic, logger })
    const topic = config['offsets.storage.topic']
    this.#ownTopic = topic === settings.offsetTopic ? undefined : topic
    this.#own =
      this.#ownTopic === undefined
        ? undefined
        : new OffsetStore({ client: task.clients.consumer, topic: this.#ownTopic, logger })
  }

  /** All there are now. @throws LogError */
  async read(): Promise<SourceOffsetChange[]> {
    const stores = this.#own === undefined ? [this.#workers] : [this.#workers, this.#own]
    await Promise.all(stores.map((store) => store.refresh()))
    const all = new Map<string, SourceOffsetChange>()
    for (const store of stores) {
      for (const each of store.all(this.#spec.connector)) all.set(partitionKey(each.partition), each)
    }
    return inOrder([...all.values()])
  }

  /** @throws ConfigError where the connector refuses them; LogError */
  async alter(offsets: readonly SourceOffsetChange[]): Promise<OffsetsChanged> {
    // The keys that are there already are used again.
    await this.read()
    return this.#change(offsets)
  }

  /** Forgets all: the source begins anew. @throws ConfigError where the connector refuses that; LogError */
  async reset(): Promise<OffsetsChanged> {
    const stored = await this.read()
    return this.#change(stored.map(({ partition }) => ({ partition, offset: null })))
  }

  /** @throws ConfigError where the connector cannot begin there; LogError */
  async startFrom(from: SourceStart): Promise<OffsetsChanged> {
    const { offsetsFrom, name } = this.#definition
    if (offsetsFrom === undefined) {
      throw new ConfigError(
        `${name} can be started from "earliest", which forgets its offsets; any other place has to be given in its own offsets`,
      )
    }
    const stored = await this.read()
    const offsets = await askConnector(() => offsetsFrom(this.#task.config, from, { ...this.#context, stored }))
    return this.#change(offsets)
  }

  get #context() {
    const { logger, signal } = this.#around
    return { connector: this.#spec.connector, log: logger, signal }
  }

  async #change(offsets: readonly SourceOffsetChange[]): Promise<OffsetsChanged> {
    const { alterOffsets } = this.#definition
    const isAll = await askConnector(() => alterOffsets?.(this.#task.config, offsets, this.#context) ?? false)
    if (offsets.length > 0) await this.#write(offsets)
    return { offsets, isAll, warnings: [] }
  }

  async #write(offsets: readonly SourceOffsetChange[]): Promise<void> {
    const { connector } = this.#spec
    const own = this.#own
    if (own === undefined) return this.#writeAsTask(this.#workers.records(connector, offsets))
    const workers = this.#task.client.producer({ deliveryTimeoutMs: writeLimitMs })
    try {
      const forgotten = offsets.filter(({ offset }) => offset === null)
      if (forgotten.length > 0) await this.#workers.write(workers, connector, forgotten)
      const { admin } = this.#task.clients.admin
      const topic = { topic: this.#ownTopic!, ...this.#around.settings.offsetTopicShape }
      await ensureInternalTopics(admin, [{ ...topic, setting: 'offsets.storage.topic' }], this.#around.signal)
      await this.#writeAsTask(own.records(connector, offsets))
      await this.#copy(
        workers,
        offsets.filter(({ offset }) => offset !== null),
      )
    } finally {
      await workers.close()
    }
  }

  async #copy(producer: Producer, offsets: readonly SourceOffsetChange[]): Promise<void> {
    if (offsets.length === 0) return
    try {
      await this.#workers.write(producer, this.#spec.connector, offsets)
    } catch (error) {
      // The own topic has them: a copy that is missing is no loss.
      this.#around.logger.warn('offsets could not be copied to the worker’s offset topic', { error: messageOf(error) })
    }
  }

  /** As the connector's first task would, which this fences, and which fences this when it starts. */
  async #writeAsTask(records: readonly OutRecord[]): Promise<void> {
    const { clients } = this.#task
    const { groupId, exactlyOnce } = this.#around.settings
    const { connector } = this.#spec
    const isTransactional = exactlyOnce && this.#definition.exactlyOnce === true
    const producer = clients.producer.producer({
      deliveryTimeoutMs: writeLimitMs,
      ...clients.producerOptions,
      acks: 'all',
      clientId: `connector-offset-producer-${connector}`,
      ...(isTransactional ? { transactionalId: taskTransactionalId(groupId, { connector, task: 0 }) } : {}),
    })
    try {
      if (isTransactional) {
        await producer.initTransactions()
        producer.begin()
      }
      const { failures } = await producer.produce(records)
      if (failures.length > 0) throw failures[0]!.error
      if (isTransactional) await producer.commit()
    } finally {
      await producer.close()
    }
  }
}
