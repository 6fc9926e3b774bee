/** A log in memory behind the client's interface, for tests of what keeps its state in topics. */
import {
  LogError,
  type Admin,
  type FetchedRecords,
  type InRecord,
  type LogClient,
  type NewTopic,
  type OutRecord,
  type PollOptions,
  type Producer,
  type Reader,
} from '../../client/client.ts'
import type { StateRecord } from '../../cluster/cluster.ts'
import { outRecord } from '../../cluster/topic-log.ts'

interface MemoryTopic {
  readonly partitions: InRecord[][]
  config: Record<string, string>
}

export class MemoryLog {
  readonly #topics = new Map<string, MemoryTopic>()
  readonly #wakes = new Set<() => void>()
  /** Thrown by each write for as long as it is set. */
  writeError: LogError | undefined
  /** Refuses the records that it returns an error for. */
  refuse: (record: OutRecord) => LogError | undefined = () => undefined
  brokers = 1
  /** Transactional ids that were fenced, call after call. */
  readonly fenced: string[][] = []
  writes = 0

  /** A client of its own, as each worker has one. */
  client(): LogClient {
    const unsupported = (): never => {
      throw new Error('not in the memory log')
    }
    return {
      producer: () => this.#producer(),
      reader: () => this.#reader(),
      groupConsumer: unsupported,
      groupMember: unsupported,
      admin: this.#admin(unsupported),
      close: async () => undefined,
    }
  }

  /** Makes the topic as an operator would, with whatever settings. */
  create(topic: string, partitions: number, config: Record<string, string>): void {
    this.#topics.set(topic, { partitions: Array.from({ length: partitions }, () => []), config })
  }

  /** All that is in the topic, as text, partition after partition. */
  records(topic: string): { key: string; value: string | null }[] {
    return (this.#topics.get(topic)?.partitions ?? [])
      .flat()
      .map(({ key, value }) => ({ key: key!.toString(), value: value?.toString() ?? null }))
  }

  /** All records or, where one is refused, none. Returns the offset of the first. */
  async writeAtomically(topic: string, records: readonly StateRecord[]): Promise<number> {
    await Promise.resolve()
    if (this.writeError !== undefined) throw this.writeError
    const refused = records.map((record) => this.refuse(outRecord(topic, record))).find((error) => error !== undefined)
    if (refused !== undefined) throw refused
    this.writes++
    const first = this.#end(topic, 0)
    for (const { key, value, request } of records) this.append(topic, key, value, request)
    return first
  }

  append(topic: string, key: string, value: string | null, request?: string): void {
    const { partitions } = this.#topics.get(topic)!
    const partition = partitions[Buffer.from(key).reduce((sum, byte) => sum + byte, 0) % partitions.length]!
    partition.push({
      offset: partition.length,
      timestamp: Date.now(),
      key: Buffer.from(key),
      value: value === null ? null : Buffer.from(value),
      headers:
        outRecord(topic, { key, value, ...(request === undefined ? {} : { request }) }).headers?.map(
          ({ key: name, value: text }) => ({ key: name, value: Buffer.from(text!) }),
        ) ?? [],
    })
    for (const wake of this.#wakes) wake()
  }

  /** What compaction leaves: the last record of each key, tombstones gone. Offsets stay. */
  compact(topic: string): void {
    for (const partition of this.#topics.get(topic)!.partitions) {
      const last = new Map(partition.map((record) => [record.key!.toString(), record.offset]))
      const kept = partition.filter(({ key, offset, value }) => value !== null && last.get(key!.toString()) === offset)
      partition.splice(0, partition.length, ...kept)
    }
  }

  #producer(): Producer {
    const unsupported = async (): Promise<never> => Promise.reject(new Error('not in the memory log'))
    return {
      produce: async (records) => {
        await Promise.resolve()
        if (this.writeError !== undefined) throw this.writeError
        this.writes++
        const failures: { index: number; error: LogError }[] = []
        const firsts = new Map<string, number>()
        for (const [index, record] of records.entries()) {
          const error = this.refuse(record)
          if (error !== undefined) {
            failures.push({ index, error })
            continue
          }
          if (!firsts.has(record.topic)) firsts.set(record.topic, this.#end(record.topic, 0))
          this.append(record.topic, String(record.key), record.value === null ? null : String(record.value))
        }
        return { failures, offsets: [...firsts].map(([topic, offset]) => ({ topic, partition: 0, offset })) }
      },
      initTransactions: unsupported,
      begin: () => undefined,
      sendOffsets: unsupported,
      commit: unsupported,
      abort: unsupported,
      close: async () => undefined,
    }
  }

  #reader(): Reader {
    let positions: { topic: string; partition: number; offset: number }[] = []
    const fetched = (): FetchedRecords[] =>
      positions.flatMap((position) => {
        const { topic, partition, offset } = position
        const records = this.#topics.get(topic)!.partitions[partition]!.filter((record) => record.offset >= offset)
        if (records.length === 0) return []
        const nextOffset = records.at(-1)!.offset + 1
        position.offset = nextOffset
        return [{ topic, partition, records, nextOffset, highWatermark: nextOffset, bytes: 0 }]
      })
    return {
      assign: (assigned) => {
        positions = assigned.map(({ topic, partition, offset }) => ({
          topic,
          partition,
          offset: offset === 'earliest' ? 0 : offset === 'latest' ? this.#end(topic, partition) : offset,
        }))
      },
      poll: async ({ maxWaitMs, signal }: PollOptions) => {
        const found = fetched()
        if (found.length > 0 || signal?.aborted === true) return found
        await new Promise<void>((resolve) => {
          const timer = setTimeout(done, maxWaitMs)
          const wakes = this.#wakes
          function done(): void {
            clearTimeout(timer)
            wakes.delete(done)
            signal?.removeEventListener('abort', done)
            resolve()
          }
          this.#wakes.add(done)
          signal?.addEventListener('abort', done)
        })
        return fetched()
      },
      close: async () => undefined,
    }
  }

  #admin(unsupported: () => never): Admin {
    return {
      clusterId: async () => 'memory',
      topics: async (names) =>
        [...this.#topics]
          .filter(([topic]) => names === undefined || names.includes(topic))
          .map(([topic, { partitions }]) => ({ topic, partitions: partitions.length, internal: false })),
      createTopics: async (topics) => this.#createTopics(topics),
      topicConfig: async (topic) => this.#topics.get(topic)!.config,
      offsets: async (partitions) =>
        partitions.map(({ topic, partition }) => ({ topic, partition, offset: this.#end(topic, partition) })),
      fenceProducers: async (ids) => void this.fenced.push([...ids]),
      deleteTopics: unsupported,
      groups: unsupported,
      group: unsupported,
      groupOffsets: unsupported,
      alterGroupOffsets: unsupported,
      deleteGroupOffsets: unsupported,
      deleteGroup: unsupported,
    }
  }

  #createTopics(topics: readonly NewTopic[]): string[] {
    for (const { replicationFactor } of topics) {
      if (replicationFactor > this.brokers) {
        throw new LogError('INVALID_REPLICATION_FACTOR', `only ${this.brokers} broker(s)`, { retriable: false })
      }
    }
    return topics.flatMap(({ topic, partitions, config }) => {
      if (this.#topics.has(topic)) return []
      this.create(topic, partitions, { ...config })
      return [topic]
    })
  }

  #end(topic: string, partition: number): number {
    return (this.#topics.get(topic)!.partitions[partition]!.at(-1)?.offset ?? -1) + 1
  }
}
