/**
 * Source offsets, in the compacted topic that Kafka Connect keeps them in (`connect-offsets`): key
 * `["connector",{partition}]`, value `{offset}`, null to delete, both plain JSON.
 *
 * Kafka Connect compares keys as bytes, so that one partition written with its fields in two orders is two there. Here
 * they are compared by contents; and a partition that has been written before is written again with the very key that was
 * found, so that compaction sees one key, and a worker of Kafka Connect on the same topic the one it knows.
 *
 * Reading is on demand: {@link OffsetStore.refresh} reads what came since the last time up to the end. Nothing is read in
 * between, since a task's own offsets are known, and no other's are of interest.
 */
import { DataError, type SourceOffset, type SourcePartition, type TopicPartitionOffset } from '@tidewire/sdk'
import { LogError, type LogClient, type OutRecord, type Producer, type Reader } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { canonicalJson, partitionKey } from './source-partition.ts'

export interface OffsetStoreOptions {
  readonly client: LogClient
  /** `offset.storage.topic`. */
  readonly topic: string
  readonly logger: Logger
  /** Longest time that reading to the end may take. Default 60 000. */
  readonly timeoutMs?: number
}

export interface StoredOffset {
  readonly partition: SourcePartition
  /** Null: deleted, or to be. */
  readonly offset: SourceOffset | null
}

/** What a source task needs of the offset store. */
export interface SourceOffsets {
  /** Reads up to the end that the log has now. @throws LogError */
  refresh(): Promise<void>
  /** As of the last {@link refresh}, and with what was {@link remember}ed since. */
  get(connector: string, partition: SourcePartition): SourceOffset | undefined
  /** The records that store these offsets, for the caller to produce and then to {@link remember}. */
  records(connector: string, offsets: readonly StoredOffset[]): OutRecord[]
  /** Takes over offsets that are in the log now, without reading them back. */
  remember(connector: string, offsets: readonly StoredOffset[]): void
  /** Stores offsets outside of any transaction, and remembers them. @throws LogError */
  write(producer: Producer, connector: string, offsets: readonly StoredOffset[]): Promise<void>
}

interface Entry {
  readonly recordKey: string
  readonly partition: SourcePartition
  readonly offset: SourceOffset
}

const maxWaitMs = 500

/** See the head of the file. */
export class OffsetStore implements SourceOffsets {
  readonly #options: OffsetStoreOptions
  /** By connector, then by the partition's canonical form. */
  readonly #offsets = new Map<string, Map<string, Entry>>()
  /** Next offset to read of each partition of the topic. */
  readonly #positions = new Map<number, number>()
  #reader: Reader | undefined
  #refreshing: Promise<void> | undefined
  #next: Promise<void> | undefined

  constructor(options: OffsetStoreOptions) {
    this.#options = options
  }

  /**
   * Reads up to the end that the topic has now. What was committed before the call is known after it.
   * @throws LogError when that takes longer than the time limit
   */
  async refresh(): Promise<void> {
    // A read under way may have taken its end before this call; the one after it has not, and serves all who wait.
    if (this.#refreshing === undefined) {
      this.#refreshing = this.#readToEnd().finally(() => (this.#refreshing = undefined))
      return this.#refreshing
    }
    this.#next ??= this.#refreshing
      .catch(() => undefined)
      .then(async () => {
        this.#next = undefined
        return this.refresh()
      })
    return this.#next
  }

  /** As of the last {@link refresh}, and with what was {@link remember}ed since. */
  get(connector: string, partition: SourcePartition): SourceOffset | undefined {
    return this.#offsets.get(connector)?.get(partitionKey(partition))?.offset
  }

  /** All stored offsets of a connector. */
  all(connector: string): StoredOffset[] {
    return [...(this.#offsets.get(connector)?.values() ?? [])].map(({ partition, offset }) => ({ partition, offset }))
  }

  /**
   * The records that store these offsets. The caller produces them (in its transaction, if it has one) and then calls
   * {@link remember}.
   */
  records(connector: string, offsets: readonly StoredOffset[]): OutRecord[] {
    return offsets.map(({ partition, offset }) => ({
      topic: this.#options.topic,
      key: this.#recordKey(connector, partition),
      value: offset === null ? null : JSON.stringify(offset),
    }))
  }

  /** Takes over offsets that are in the topic now, without reading them back. */
  remember(connector: string, offsets: readonly StoredOffset[]): void {
    for (const { partition, offset } of offsets) {
      this.#set(connector, partition, offset, this.#recordKey(connector, partition))
    }
  }

  /**
   * Stores offsets outside of any transaction, and remembers them.
   * @throws LogError when the log does not take them
   */
  async write(producer: Producer, connector: string, offsets: readonly StoredOffset[]): Promise<void> {
    const { failures } = await producer.produce(this.records(connector, offsets))
    if (failures.length > 0) throw failures[0]!.error
    this.remember(connector, offsets)
  }

  async close(): Promise<void> {
    await this.#reader?.close()
  }

  #recordKey(connector: string, partition: SourcePartition): string {
    const known = this.#offsets.get(connector)?.get(partitionKey(partition))
    return known?.recordKey ?? `[${JSON.stringify(connector)},${canonicalJson(partition)}]`
  }

  async #readToEnd(): Promise<void> {
    const { client, topic, timeoutMs = 60_000 } = this.#options
    const deadline = performance.now() + timeoutMs
    const [description] = await client.admin.topics([topic])
    if (description === undefined) return
    const partitions = Array.from({ length: description.partitions }, (_, partition) => ({ topic, partition }))
    const ends = await client.admin.offsets(partitions, 'latest')
    const behind = (): TopicPartitionOffset[] =>
      ends.filter(({ partition, offset }) => (this.#positions.get(partition) ?? 0) < offset)
    if (behind().length === 0) return

    this.#reader ??= client.reader({ isolation: 'read_committed' })
    this.#reader.assign(
      behind().map(({ partition }) => ({ topic, partition, offset: this.#positions.get(partition) ?? 'earliest' })),
    )
    while (behind().length > 0) {
      if (performance.now() > deadline) {
        const waiting = behind().map(({ partition }) => `${topic}-${partition}`)
        throw new LogError('TIMEOUT', `stored offsets: the end of ${waiting.join(', ')} was not reached in time`, {
          retriable: true,
        })
      }
      for (const fetched of await this.#reader.poll({ maxWaitMs })) {
        for (const { key, value } of fetched.records) this.#apply(key, value)
        this.#positions.set(fetched.partition, fetched.nextOffset)
      }
    }
    // Nothing is fetched until the next refresh.
    this.#reader.assign([])
  }

  #apply(key: Buffer | null, value: Buffer | null): void {
    try {
      const recordKey = key === null ? '' : key.toString()
      const { connector, partition } = parseKey(recordKey)
      const offset = value === null ? null : (JSON.parse(value.toString()) as SourceOffset | null)
      if (offset !== null && !isFlat(offset)) throw new DataError(`not an offset: ${value!.toString()}`)
      this.#set(connector, partition, offset, recordKey)
    } catch (error) {
      this.#options.logger.warn('a record of the offset topic is not understood, and passed over', {
        topic: this.#options.topic,
        key: key?.toString().slice(0, 200),
        reason: (error as Error).message,
      })
    }
  }

  #set(connector: string, partition: SourcePartition, offset: SourceOffset | null, recordKey: string): void {
    const key = partitionKey(partition)
    let ofConnector = this.#offsets.get(connector)
    if (offset === null) {
      ofConnector?.delete(key)
      return
    }
    if (ofConnector === undefined) this.#offsets.set(connector, (ofConnector = new Map<string, Entry>()))
    ofConnector.set(key, { recordKey, partition, offset })
  }
}

function parseKey(text: string): { connector: string; partition: SourcePartition } {
  const json = JSON.parse(text) as unknown
  if (!Array.isArray(json) || json.length !== 2 || typeof json[0] !== 'string' || !isFlat(json[1])) {
    throw new DataError('not a key of the form ["connector",{partition}]')
  }
  return { connector: json[0], partition: json[1] }
}

function isFlat(json: unknown): json is SourcePartition {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return false
  return Object.values(json).every((value) => value === null || typeof value !== 'object')
}
