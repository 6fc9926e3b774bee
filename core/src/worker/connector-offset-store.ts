/**
 * Offsets of a source that has a topic of its own for them (`offsets.storage.topic`, KIP-618), so that who may write its
 * topics need not be allowed to write the worker's. Its own topic is the truth; the worker's is read for what the own one
 * lacks, and gets a copy afterwards, so that the connector finds its place when the setting is taken away again.
 */
import type { SourceOffset, SourcePartition } from '@tidewire/sdk'
import type { OutRecord, Producer } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { OffsetStore, SourceOffsets, StoredOffset } from './offset-store.ts'
import { partitionKey } from './source-partition.ts'

export interface ConnectorOffsetStoreOptions {
  /** Over the connector's own topic. */
  readonly own: OffsetStore
  /** Over the worker's, which all tasks of the thread share. */
  readonly workers: OffsetStore
  /** Makes the producer of the copy: outside of the task's transactions. */
  readonly makeProducer: () => Producer
  /** Makes and checks the connector's own topic; called before it is first read. */
  readonly prepare: () => Promise<void>
  readonly logger: Logger
}

/** See the head of the file. */
export class ConnectorOffsetStore implements SourceOffsets {
  readonly #options: ConnectorOffsetStoreOptions
  #isPrepared = false
  #producer: Producer | undefined
  /** To be copied: of each partition the newest. */
  readonly #uncopied = new Map<string, StoredOffset>()
  #copying: Promise<void> | undefined

  constructor(options: ConnectorOffsetStoreOptions) {
    this.#options = options
  }

  async refresh(): Promise<void> {
    const { own, workers, prepare } = this.#options
    if (!this.#isPrepared) await prepare()
    this.#isPrepared = true
    await Promise.all([own.refresh(), workers.refresh()])
  }

  get(connector: string, partition: SourcePartition): SourceOffset | undefined {
    const { own, workers } = this.#options
    return own.get(connector, partition) ?? workers.get(connector, partition)
  }

  records(connector: string, offsets: readonly StoredOffset[]): OutRecord[] {
    return this.#options.own.records(connector, offsets)
  }

  remember(connector: string, offsets: readonly StoredOffset[]): void {
    this.#options.own.remember(connector, offsets)
    this.#copy(connector, offsets)
  }

  async write(producer: Producer, connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    await this.#options.own.write(producer, connector, offsets)
    this.#copy(connector, offsets)
  }

  /** Waits for the copy under way; the stores themselves belong to others, save for the own one. */
  async close(): Promise<void> {
    await this.#copying
    await Promise.all([this.#options.own.close(), this.#producer?.close()])
  }

  #copy(connector: string, offsets: readonly StoredOffset[]): void {
    for (const each of offsets) this.#uncopied.set(partitionKey(each.partition), each)
    this.#copying ??= this.#copyAll(connector)
  }

  async #copyAll(connector: string): Promise<void> {
    const { workers, makeProducer, logger } = this.#options
    while (this.#uncopied.size > 0) {
      const offsets = [...this.#uncopied.values()]
      this.#uncopied.clear()
      try {
        this.#producer ??= makeProducer()
        await workers.write(this.#producer, connector, offsets)
      } catch (error) {
        // The own topic has them: a copy that is missing is no loss.
        logger.warn('offsets could not be copied to the worker’s offset topic', { error: messageOf(error) })
      }
    }
    // At once, and not in a later turn: whoever comes from now on must begin anew.
    this.#copying = undefined
  }
}
