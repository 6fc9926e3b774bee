import { closeSync, fdatasync, fstatSync, mkdirSync, openSync, read, writeSync } from 'node:fs'
import { join } from 'node:path'
import { LogStorageError } from './errors.ts'

/** Who appends: a client, the transaction coordinator (markers), or a tool that replays batches as they were. */
export type AppendOrigin = 'client' | 'coordinator' | 'replay'

/** -1: answered once durable by the flush policy; 1 and 0: once written. */
export type Acks = -1 | 0 | 1

export type IsolationLevel = 'read_uncommitted' | 'read_committed'

export interface AppendOptions {
  readonly acks: Acks
  readonly origin: AppendOrigin
}

export interface AppendResult {
  /** Offset of the first record; of the original one for a duplicate. */
  readonly baseOffset: number
  /** Offset of the last record. */
  readonly lastOffset: number
  /** The log's time where message.timestamp.type is LogAppendTime, else -1. */
  readonly logAppendTime: number
  /** An idempotent producer sent a batch again that is in the log already; nothing was appended. */
  readonly duplicate: boolean
}

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface ReadResult {
  /** Whole batches, the first one holding the asked offset; empty at the end of what may be read. Not to be changed. */
  readonly records: readonly Buffer[]
  /** Sum of the lengths of `records`. */
  readonly bytes: number
  readonly highWatermark: number
  readonly lastStableOffset: number
  readonly logStartOffset: number
  /** For read_committed: those that overlap what is returned; null otherwise. */
  readonly abortedTransactions: readonly AbortedTransaction[] | null
}

export interface TimestampOffset {
  readonly offset: number
  readonly timestamp: number
}

/** An idempotent or transactional producer as this partition knows it (DescribeProducers). */
export interface ProducerDescription {
  readonly producerId: number
  readonly producerEpoch: number
  readonly lastSequence: number
  readonly lastTimestamp: number
  readonly coordinatorEpoch: number
  /** First offset of its ongoing transaction; -1 where it has none. */
  readonly currentTransactionStartOffset: number
}

interface BatchPlace {
  readonly offset: number
  readonly lastOffset: number
  readonly position: number
  readonly size: number
}

/** One partition. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch = 0
  readonly #fd: number
  readonly #batches: BatchPlace[] = []
  readonly #listeners = new Set<() => void>()
  #end = 0
  #size = 0
  #durable = 0

  constructor(dir: string, topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
    const folder = join(dir, `${topic}-${partition}`)
    mkdirSync(folder, { recursive: true })
    this.#fd = openSync(join(folder, '00000000000000000000.log'), 'a+')
    this.#size = fstatSync(this.#fd).size
  }

  /** First offset that can be read. */
  get logStartOffset(): number {
    return 0
  }

  /** Offset that the next record will get. */
  get logEndOffset(): number {
    return this.#end
  }

  /** End of what may be read; with flush=commit, of what is on disk. */
  get highWatermark(): number {
    return this.#durable
  }

  /** End of what read_committed may read. */
  get lastStableOffset(): number {
    return this.#durable
  }

  /** Bytes of all segments. */
  get sizeBytes(): number {
    return this.#size
  }

  /**
   * Appends the batches as one unit, whole or not at all. Calls may overlap; order is that of the calls.
   * The buffer is changed in place (base offset, leader epoch) and must not be touched until the promise settles.
   * @throws LogStorageError with the Kafka error to answer with
   */
  async append(records: Buffer, options: AppendOptions): Promise<AppendResult> {
    const baseOffset = this.#end
    for (let at = 0; at < records.length;) {
      if (records.length - at < 61) throw new LogStorageError('CORRUPT_MESSAGE', 'The batch is cut short')
      const size = 12 + records.readInt32BE(at + 8)
      if (size < 61 || at + size > records.length) throw new LogStorageError('CORRUPT_MESSAGE', 'Bad batch length')
      records.writeBigInt64BE(BigInt(this.#end), at)
      records.writeInt32BE(this.leaderEpoch, at + 12)
      const lastOffset = this.#end + records.readInt32BE(at + 23)
      this.#batches.push({ offset: this.#end, lastOffset, position: this.#size + at, size })
      this.#end = lastOffset + 1
      at += size
    }
    const end = this.#end
    writeSync(this.#fd, records)
    this.#size += records.length
    const synced = new Promise<void>((resolve, reject) => {
      fdatasync(this.#fd, (error) => {
        if (error) return reject(error)
        this.#durable = Math.max(this.#durable, end)
        for (const listener of this.#listeners) listener()
        resolve()
      })
    })
    if (options.acks === -1) await synced
    return { baseOffset, lastOffset: end - 1, logAppendTime: -1, duplicate: false }
  }

  /**
   * Reads whole batches from the one that holds `offset`, up to `maxBytes`; the first batch is returned even when it
   * is larger, unless `minOneBatch` is false.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE
   */
  async read(offset: number, maxBytes: number, isolation: IsolationLevel, minOneBatch = true): Promise<ReadResult> {
    if (offset < 0 || offset > this.#end) {
      throw new LogStorageError('OFFSET_OUT_OF_RANGE', `Offset ${offset} is not within 0 to ${this.#end}`)
    }
    const from = this.#batches.findIndex((batch) => batch.lastOffset >= offset)
    let bytes = 0
    for (let i = from; i >= 0 && i < this.#batches.length; i++) {
      const batch = this.#batches[i]!
      if (batch.lastOffset >= this.#durable) break
      if (bytes + batch.size > maxBytes && (bytes > 0 || !minOneBatch)) break
      bytes += batch.size
    }
    const records: Buffer[] = []
    if (bytes > 0) {
      const buffer = Buffer.allocUnsafe(bytes)
      await new Promise<void>((resolve, reject) => {
        read(this.#fd, buffer, 0, bytes, this.#batches[from]!.position, (error) => (error ? reject(error) : resolve()))
      })
      records.push(buffer)
    }
    return {
      records,
      bytes,
      highWatermark: this.highWatermark,
      lastStableOffset: this.lastStableOffset,
      logStartOffset: this.logStartOffset,
      abortedTransactions: isolation === 'read_committed' ? [] : null,
    }
  }

  /** The first record at or after the time; null where there is none. */
  async offsetForTimestamp(_timestamp: number): Promise<TimestampOffset | null> {
    return null
  }

  /** The record with the largest timestamp; null in an empty log. */
  async maxTimestamp(): Promise<TimestampOffset | null> {
    return null
  }

  /**
   * Moves the log start offset up (DeleteRecords); -1 means the high watermark. Returns the new log start offset.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION where the topic is only compacted
   */
  async deleteRecordsBefore(_offset: number): Promise<number> {
    return this.logStartOffset
  }

  /** Calls the listener whenever more may be read. Returns what ends that. */
  onAppend(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Producers with state in this partition. */
  producers(): ProducerDescription[] {
    return []
  }

  close(): void {
    closeSync(this.#fd)
  }
}
