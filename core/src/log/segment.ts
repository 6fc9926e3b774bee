import { join } from 'node:path'
import type { BatchHeader } from '../protocol/record-batch.ts'
import type { FilePool, PooledFile } from './file-pool.ts'
import type { FileSystem } from './file-system.ts'
import { OffsetIndex } from './offset-index.ts'
import { TimeIndex } from './time-index.ts'
import type { TopicConfig } from './topic-config.ts'
import { TransactionIndex } from './transaction-index.ts'

/** Name of a segment's file without its suffix: the base offset in 20 digits. */
export function segmentName(baseOffset: number): string {
  return baseOffset.toString().padStart(20, '0')
}

/** Positions in a segment are int32 in its index. */
const MAX_SEGMENT_BYTES = 0x7fffffff

/** What of a batch the segment's indexes and bounds depend on. */
export interface BatchSummary {
  readonly lastOffset: number
  readonly maxTimestamp: number
  readonly size: number
}

export function summaryOf(header: BatchHeader, size: number): BatchSummary {
  return { lastOffset: header.baseOffset + header.lastOffsetDelta, maxTimestamp: header.maxTimestamp, size }
}

export interface TimestampOffset {
  readonly timestamp: number
  readonly offset: number
}

/** One `.log` file and its indexes. Only the last segment of a partition is appended to. */
export class Segment {
  readonly baseOffset: number
  readonly log: PooledFile
  readonly offsetIndex: OffsetIndex
  readonly timeIndex: TimeIndex
  readonly transactionIndex: TransactionIndex
  /** Bytes of whole batches in the file. */
  size: number
  /** Largest timestamp of the first batch, from which segment.ms counts; undefined: not read yet. */
  firstTimestamp: number | undefined
  readonly #jitter = Math.random()
  /** undefined: what the time index says last. */
  #maxTimestamp: TimestampOffset | undefined
  #bytesSinceIndexEntry = 0

  /** @param suffix of its files while it is made by compaction */
  constructor(fs: FileSystem, pool: FilePool, dir: string, baseOffset: number, size: number, suffix = '') {
    const path = join(dir, segmentName(baseOffset))
    this.baseOffset = baseOffset
    this.size = size
    this.log = pool.file(`${path}.log${suffix}`)
    this.offsetIndex = new OffsetIndex(fs, pool.file(`${path}.index${suffix}`), baseOffset)
    this.timeIndex = new TimeIndex(fs, pool.file(`${path}.timeindex${suffix}`), baseOffset)
    this.transactionIndex = new TransactionIndex(fs, pool.file(`${path}.txnindex${suffix}`))
  }

  /** The log first. */
  files(): PooledFile[] {
    return [this.log, this.offsetIndex.file, this.timeIndex.file, this.transactionIndex.file]
  }

  /** Largest timestamp, and the last offset of the first batch that has it; -1 in an empty segment. */
  get maxTimestamp(): TimestampOffset {
    return (this.#maxTimestamp ??= this.timeIndex.last())
  }

  /** Counts a batch that was written at the end, and indexes it where that is due. */
  append(batch: BatchSummary, indexIntervalBytes: number): void {
    this.noteBatch(batch, this.size, indexIntervalBytes)
    this.size += batch.size
  }

  /** Indexes the batch at a position where that is due; called in order of positions. */
  noteBatch(batch: BatchSummary, position: number, indexIntervalBytes: number): void {
    if (position === 0) this.firstTimestamp = batch.maxTimestamp
    if (batch.maxTimestamp > this.maxTimestamp.timestamp) {
      this.#maxTimestamp = { timestamp: batch.maxTimestamp, offset: batch.lastOffset }
    }
    if (this.#bytesSinceIndexEntry > indexIntervalBytes) {
      this.offsetIndex.append(batch.lastOffset, position)
      this.timeIndex.maybeAppend(this.maxTimestamp.timestamp, this.maxTimestamp.offset)
      this.#bytesSinceIndexEntry = 0
    }
    this.#bytesSinceIndexEntry += batch.size
  }

  /** Whether a batch with this last offset and size does not fit any more. */
  isFull(lastOffset: number, size: number, maxBytes: number, maxIndexBytes: number): boolean {
    return (
      this.size + size > Math.min(maxBytes, MAX_SEGMENT_BYTES) ||
      lastOffset - this.baseOffset > 0x7fffffff ||
      this.offsetIndex.sizeBytes + 8 > maxIndexBytes ||
      this.timeIndex.sizeBytes + 24 > maxIndexBytes
    )
  }

  /** How much earlier than segment.ms this one is closed, so that many do not close together. */
  rollJitterMs(config: TopicConfig): number {
    return this.#jitter * Math.min(config.segmentJitterMs, config.segmentMs)
  }

  /** Forgets what the indexes say from an offset on, before its batches are noted again. */
  truncateIndexes(offset: number): void {
    this.offsetIndex.truncateTo(offset)
    this.timeIndex.truncateTo(offset)
    this.transactionIndex.truncateTo(offset)
    this.#forgetBatches()
  }

  /** Empties the indexes that can be made anew from the batches alone. The transaction index needs what came before them, too. */
  clearSparseIndexes(): void {
    this.offsetIndex.truncateToEntries(0)
    this.timeIndex.truncateToEntries(0)
    this.#forgetBatches()
  }

  #forgetBatches(): void {
    this.#maxTimestamp = undefined
    this.#bytesSinceIndexEntry = 0
  }

  /**
   * Leaves the files as Kafka leaves those of a closed segment: the largest timestamp last in the time index, and both indexes there
   * even where they are empty, since a missing one is made anew at the next start.
   */
  seal(): void {
    this.timeIndex.maybeAppend(this.maxTimestamp.timestamp, this.maxTimestamp.offset)
    this.flushIndexes()
    this.offsetIndex.file.use(() => undefined, true)
    this.timeIndex.file.use(() => undefined, true)
  }

  markIndexesSynced(): void {
    this.offsetIndex.dirty = false
    this.timeIndex.dirty = false
    this.transactionIndex.dirty = false
  }

  flushIndexes(): void {
    this.offsetIndex.flush()
    this.timeIndex.flush()
    this.transactionIndex.flush()
  }

  /** Its names may belong to other files from now on: who still reads it may use what is open, and opens nothing. */
  retire(): void {
    for (const file of this.files()) file.retire()
  }

  /** Gives the descriptors back. */
  close(): void {
    for (const file of this.files()) file.close()
  }
}
