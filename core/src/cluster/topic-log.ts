import { setTimeout as sleep } from 'node:timers/promises'
import {
  LogError,
  type InRecord,
  type LogClient,
  type OutRecord,
  type Producer,
  type Reader,
} from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import type { StateRecord } from './cluster.ts'

/** A record of an internal topic. Keys are text, values text (JSON) or null for "deleted". */
export type TopicLogRecord = StateRecord

/** Header of a record that names the request it was written for. */
const requestHeader = 'tidewire.request'

export interface TopicLogOptions {
  readonly client: LogClient
  readonly topic: string
  /**
   * Called in log order within a partition, for every record since the start of the topic. Must not throw.
   * @param timestamp in ms since the epoch
   */
  readonly onRecord: (record: TopicLogRecord, timestamp: number) => void
  /** Called after the last of the records that came together. */
  readonly onBatch?: () => void
  readonly logger: Logger
}

interface Waiter {
  /** By partition: the offset that must be passed. */
  readonly targets: ReadonlyMap<number, number>
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * A small internal topic as a log that is read from its start and then followed for ever, and written so that a write
 * counts once it has been read back: then everyone who reads the topic agrees on it.
 */
export class TopicLog {
  readonly #options: TopicLogOptions
  readonly #producer: Producer
  readonly #stop = new AbortController()
  /** By partition: the next offset to read. */
  readonly #positions = new Map<number, number>()
  readonly #waiters = new Set<Waiter>()
  #lastEnds: Promise<ReadonlyMap<number, number>> | undefined
  #nextEnds: Promise<ReadonlyMap<number, number>> | undefined
  #reader: Reader | undefined
  #following: Promise<void> | undefined

  constructor(options: TopicLogOptions) {
    this.#options = options
    this.#producer = options.client.producer({ acks: 'all', idempotent: true })
  }

  /**
   * Reads the topic from its start to its present end; then goes on following it. May be called again after an error.
   */
  async start(): Promise<void> {
    const { client, topic } = this.#options
    const [description] = await client.admin.topics([topic])
    if (description === undefined)
      throw new LogError('UNKNOWN_TOPIC_OR_PARTITION', `no topic '${topic}'`, { retriable: true })
    if (this.#reader === undefined) {
      for (let partition = 0; partition < description.partitions; partition++) this.#positions.set(partition, 0)
      this.#reader = client.reader()
      this.#assign('earliest')
      this.#following = this.#follow(this.#reader)
    }
    await this.readToEnd()
  }

  /** Resolves when everything that is in the topic now has been given to `onRecord`. */
  async readToEnd(): Promise<void> {
    await this.#passed(await this.#ends())
  }

  /** Of a topic with one partition: resolves when the record at this offset has been given to `onRecord`. */
  async readPast(offset: number): Promise<void> {
    await this.#passed(new Map([[0, offset + 1]]))
  }

  /**
   * Writes, in this order within a partition, and resolves when all is on the log. See {@link writeAndRead}.
   * @throws LogError where a record was refused; those before it may have been written
   */
  async write(records: readonly TopicLogRecord[]): Promise<ReadonlyMap<number, number>> {
    const { topic } = this.#options
    const { failures, offsets } = await this.#producer.produce(records.map((record) => outRecord(topic, record)))
    if (failures[0] !== undefined) throw failures[0].error
    return new Map(offsets.map(({ partition, offset }) => [partition, offset]))
  }

  /** Writes, and resolves when the written records have come back. */
  async writeAndRead(records: readonly TopicLogRecord[]): Promise<void> {
    const firsts = await this.write(records)
    // With one partition the last offset follows from the first; otherwise, or where the log did not say, ask for the end.
    const first = firsts.get(0)
    if (this.#positions.size === 1 && first !== undefined) await this.#passed(new Map([[0, first + records.length]]))
    else await this.readToEnd()
  }

  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
    const closed = new LogError('CLOSED', `the worker is stopping`, { retriable: false })
    for (const waiter of this.#waiters) waiter.reject(closed)
    this.#waiters.clear()
    await Promise.all([this.#reader?.close(), this.#producer.close()])
  }

  /** As they are now, or a little later: all who ask while the log is being asked share the next answer. */
  #ends(): Promise<ReadonlyMap<number, number>> {
    this.#nextEnds ??= (async () => {
      await this.#lastEnds?.catch(() => undefined)
      this.#nextEnds = undefined
      this.#lastEnds = this.#askForEnds()
      return this.#lastEnds
    })()
    return this.#nextEnds
  }

  async #askForEnds(): Promise<ReadonlyMap<number, number>> {
    const { client, topic } = this.#options
    const partitions = [...this.#positions.keys()].map((partition) => ({ topic, partition }))
    const ends = await client.admin.offsets(partitions, 'latest')
    return new Map(ends.map(({ partition, offset }) => [partition, offset]))
  }

  async #follow(reader: Reader): Promise<void> {
    const { signal } = this.#stop
    let failures = 0
    while (!signal.aborted) {
      try {
        for (const { partition, records, nextOffset } of await reader.poll({ maxWaitMs: 30_000, signal })) {
          for (const record of records) {
            if (record.key !== null) this.#options.onRecord(textOf(record, record.key), record.timestamp)
          }
          this.#positions.set(partition, nextOffset)
        }
        failures = 0
        this.#options.onBatch?.()
        this.#wakeWaiters()
      } catch (error) {
        // The client was closed, and all that it made.
        if (error instanceof LogError && error.code === 'CLOSED') return
        failures++
        await this.#recover(error as Error, failures)
      }
    }
  }

  async #recover(error: Error, failures: number): Promise<void> {
    const { topic, logger } = this.#options
    if (this.#stop.signal.aborted) return
    if (failures === 1) logger.warn('cannot read an internal topic; trying again', { topic, error: error.message })
    // The topic was cut off at its start, or made anew: records that are read twice do no harm.
    this.#assign(error instanceof LogError && error.code === 'OFFSET_OUT_OF_RANGE' ? 'earliest' : 'position')
    await sleep(Math.min(100 * 2 ** failures, 5000), undefined, { signal: this.#stop.signal }).catch(() => undefined)
  }

  #assign(from: 'earliest' | 'position'): void {
    const { topic } = this.#options
    this.#reader?.assign(
      [...this.#positions].map(([partition, position]) => ({
        topic,
        partition,
        offset: from === 'earliest' || position === 0 ? 'earliest' : position,
      })),
    )
  }

  async #passed(targets: ReadonlyMap<number, number>): Promise<void> {
    if (this.#isPast(targets)) return
    await new Promise<void>((resolve, reject) => this.#waiters.add({ targets, resolve, reject }))
  }

  #isPast(targets: ReadonlyMap<number, number>): boolean {
    return targets.entries().every(([partition, offset]) => (this.#positions.get(partition) ?? 0) >= offset)
  }

  #wakeWaiters(): void {
    for (const waiter of this.#waiters) {
      if (!this.#isPast(waiter.targets)) continue
      this.#waiters.delete(waiter)
      waiter.resolve()
    }
  }
}

/** As it goes into the topic. */
export function outRecord(topic: string, { key, value, request }: StateRecord): OutRecord {
  return { topic, key, value, ...(request === undefined ? {} : { headers: [{ key: requestHeader, value: request }] }) }
}

function textOf({ value, headers }: InRecord, key: Buffer): TopicLogRecord {
  const request = headers.find((header) => header.key === requestHeader)?.value
  return { key: key.toString(), value: value?.toString() ?? null, ...(request ? { request: request.toString() } : {}) }
}
