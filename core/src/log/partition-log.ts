import { join } from 'node:path'
import {
  BATCH_HEADER_BYTES,
  decodeControl,
  decodeRecords,
  parseBatchHeader,
  setBaseOffset,
  setLeaderEpoch,
  setLogAppendTime,
} from '../protocol/record-batch.ts'
import type { BatchHeader } from '../protocol/record-batch.ts'
import { checkBatches } from './append-validation.ts'
import type { BatchToAppend } from './append-validation.ts'
import { LogStorageError } from './errors.ts'
import { writeFileAtomicallyUnsynced } from './file-system.ts'
import { loadPartition, snapshotName } from './partition-loader.ts'
import type { LoadOptions } from './partition-loader.ts'
import { PartitionReader } from './partition-reader.ts'
import { encodeProducerSnapshot } from './producer-snapshot.ts'
import { ProducerStates } from './producer-state.ts'
import type { AppendOrigin, CompletedTransaction } from './producer-state.ts'
import { summaryOf } from './segment.ts'
import type { BatchSummary, Segment, TimestampOffset } from './segment.ts'
import { SegmentSet } from './segment-set.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'

export type { AppendOrigin } from './producer-state.ts'
export type { TimestampOffset } from './segment.ts'

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

export interface PartitionOptions {
  readonly context: StorageContext
  readonly topic: string
  readonly topicId: string
  readonly partition: number
  /** Data directory; the partition has its own in it. */
  readonly dataDir: string
  readonly config: TopicConfig
  readonly logStartOffset: number
  readonly recoveryPoint: number
  /** Makes a new log start offset durable. */
  readonly saveStartOffset: () => Promise<void>
}

/** Up to here a write is cheaper on the spot than in another thread (10 µs against 70 µs for 16 KiB; docs/decisions). */
const WRITE_NOW_BYTES = 128 * 1024
/** Most bytes of appends that are written together. */
const MAX_GROUP_BYTES = 8 * 1024 * 1024
const MAX_GROUP_APPENDS = 512
/** How long a partition that could not be mended waits until it tries again. */
const MEND_INTERVAL_MS = 1000
/** A snapshot of producers is not worth its file below this. */
const SNAPSHOT_INTERVAL_BYTES = 1024 * 1024

interface PendingAppend {
  readonly records: Buffer
  readonly batches: readonly BatchToAppend[]
  readonly options: AppendOptions
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: LogStorageError) => void
}

interface PreparedAppend {
  readonly pending: PendingAppend
  readonly result: AppendResult
  /** Offset that must be durable before an acks=all append is answered. */
  readonly end: number
}

/** Appends that are written together. */
interface AppendGroup {
  readonly appends: PreparedAppend[]
  readonly buffers: Buffer[]
  readonly batches: BatchSummary[]
  readonly completed: CompletedTransaction[]
  bytes: number
  /** Offset after the last record. */
  end: number
}

/**
 * One partition: a list of segments of which the last is appended to.
 *
 * An append is checked, waits for the end of the current turn of the event loop (so that all that a turn brings is written at once),
 * gets its offsets, and is written. With flush=commit one sync runs at a time; what was written before it starts is durable when
 * it ends, and only then moves the high watermark, wakes readers and answers acks=all. So nobody reads what a crash could take back.
 */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  /** One broker, one epoch. */
  readonly leaderEpoch = 0
  readonly #options: PartitionOptions
  readonly #context: StorageContext
  readonly #dir: string
  #config: TopicConfig
  #segments: SegmentSet
  #reader: PartitionReader
  #states: ProducerStates
  #logStartOffset: number
  #logEndOffset: number
  #highWatermark: number
  #lastStableOffset: number
  #recoveryPoint: number
  /** Offsets of the producer snapshots on disk, ascending. */
  #snapshots: number[]
  #bytesSinceSnapshot = 0
  #queue: PendingAppend[] = []
  #draining: Promise<void> | undefined
  #syncing: Promise<void> | undefined
  /** Written acks=all appends that wait for a sync, in order. */
  #waiting: PreparedAppend[] = []
  /** Transactions whose markers are not below the high watermark yet. */
  #completed: CompletedTransaction[] = []
  #listeners: Set<() => void> | undefined
  /** Why appends are refused for good. */
  #closed: LogStorageError | undefined
  /** What went wrong so that the files have to be looked at again before anything is appended. */
  #broken: { readonly error: unknown; triedAt: number } | undefined

  constructor(options: PartitionOptions) {
    this.#options = options
    this.#context = options.context
    this.topic = options.topic
    this.partition = options.partition
    this.#dir = join(options.dataDir, `${options.topic}-${options.partition}`)
    this.#config = options.config
    this.#recoveryPoint = options.recoveryPoint
    const loaded = loadPartition(this.#loadOptions(options.logStartOffset))
    this.#segments = new SegmentSet(this.#context, this.#dir, options.topicId, loaded.segments, loaded.exists)
    this.#reader = new PartitionReader(this.#context, this.#segments)
    this.#states = loaded.states
    this.#snapshots = loaded.snapshots
    this.#logStartOffset = loaded.logStartOffset
    this.#logEndOffset = loaded.nextOffset
    // What a killed process had written may be in the page cache only; it is about to be readable.
    if (options.recoveryPoint !== Infinity) this.#syncFrom(options.recoveryPoint)
    this.#highWatermark = loaded.nextOffset
    this.#lastStableOffset = Math.min(this.#highWatermark, this.#states.firstUndecidedOffset)
    if (options.recoveryPoint === Infinity) this.#recoveryPoint = loaded.nextOffset
  }

  /** First offset that can be read. */
  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** Offset that the next record will get. */
  get logEndOffset(): number {
    return this.#logEndOffset
  }

  /** End of what may be read; with flush=commit, of what is on disk. */
  get highWatermark(): number {
    return this.#highWatermark
  }

  /** End of what read_committed may read. */
  get lastStableOffset(): number {
    return this.#lastStableOffset
  }

  /** Bytes of all segments. */
  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  /** What lies below this is on disk, indexes included. */
  get recoveryPoint(): number {
    return this.#recoveryPoint
  }

  get config(): TopicConfig {
    return this.#config
  }

  /** For the manager: takes effect at the next append. */
  setConfig(config: TopicConfig): void {
    this.#config = config
  }

  /**
   * Appends the batches as one unit, whole or not at all. Calls may overlap; order is that of the calls.
   * The buffer is changed in place (base offset, leader epoch) and must not be touched until the promise settles.
   * @throws LogStorageError with the Kafka error to answer with
   */
  append(records: Buffer, options: AppendOptions): Promise<AppendResult> {
    return new Promise((resolve, reject) => {
      if (this.#closed !== undefined) throw this.#closed
      const batches = checkBatches(records, this.#config, options.origin, this.#context.clock())
      this.#queue.push({ records, batches, options, resolve, reject })
      this.#draining ??= new Promise((drained) => setImmediate(() => void this.#drain().finally(drained)))
    })
  }

  /**
   * Reads whole batches from the one that holds `offset`, up to `maxBytes`; the first batch is returned even when it
   * is larger, unless `minOneBatch` is false.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR
   */
  async read(offset: number, maxBytes: number, isolation: IsolationLevel, minOneBatch = true): Promise<ReadResult> {
    const committed = isolation === 'read_committed'
    for (let attempt = 1; ; attempt++) {
      if (offset < this.#logStartOffset || offset > this.#logEndOffset) {
        throw new LogStorageError(
          'OFFSET_OUT_OF_RANGE',
          `Offset ${offset} is not within ${this.#logStartOffset} to ${this.#logEndOffset}.`,
        )
      }
      const limit = committed ? this.#lastStableOffset : this.#highWatermark
      const { list } = this.#segments
      try {
        const read = await this.#reader.read(offset, limit, maxBytes, minOneBatch)
        return {
          records: read.records,
          bytes: read.bytes,
          highWatermark: this.#highWatermark,
          lastStableOffset: this.#lastStableOffset,
          logStartOffset: this.#logStartOffset,
          abortedTransactions: committed ? this.#reader.abortedTransactions(offset, read.nextOffset) : null,
        }
      } catch (error) {
        // Retention or compaction took the segment away meanwhile.
        if (this.#segments.list !== list && attempt < 4) continue
        throw storageError(`Reading ${this.topic}-${this.partition} at offset ${offset} failed`, error)
      }
    }
  }

  /** The first record that is not earlier than the time; null where there is none. */
  offsetForTimestamp(
    timestamp: number,
    isolation: IsolationLevel = 'read_uncommitted',
  ): Promise<TimestampOffset | null> {
    return this.#reader.offsetForTimestamp(timestamp, this.#logStartOffset, this.#limit(isolation))
  }

  /** The record with the largest timestamp; null in an empty log. */
  maxTimestamp(): Promise<TimestampOffset | null> {
    return this.#reader.maxTimestamp(this.#logStartOffset, this.#highWatermark)
  }

  /**
   * Moves the log start offset up (DeleteRecords); -1 means the high watermark. Returns the new log start offset, which is
   * durable then.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION where the topic is only compacted
   */
  async deleteRecordsBefore(offset: number): Promise<number> {
    if (this.#closed !== undefined) throw this.#closed
    if (!this.#config.cleanupPolicy.delete) {
      throw new LogStorageError(
        'POLICY_VIOLATION',
        `The topic ${this.topic} is compacted; its records are not deleted.`,
      )
    }
    const start = offset === -1 ? this.#highWatermark : offset
    if (start < 0 || start > this.#highWatermark) {
      throw new LogStorageError('OFFSET_OUT_OF_RANGE', `Offset ${offset} is beyond ${this.#highWatermark}.`)
    }
    if (start > this.#logStartOffset) {
      this.#logStartOffset = start
      await this.#options.saveStartOffset()
      this.#removeSegmentsBelowStart()
    }
    return this.#logStartOffset
  }

  /** Calls the listener whenever more may be read. Returns what ends that. */
  onAppend(listener: () => void): () => void {
    const listeners = (this.#listeners ??= new Set())
    listeners.add(listener)
    return () => listeners.delete(listener)
  }

  /** Producers with state in this partition. */
  producers(): ProducerDescription[] {
    return [...this.#states.entries()].map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.currentTransactionFirstOffset,
    }))
  }

  /** For the manager: forgets idle producers. */
  expireProducers(olderThan: number): void {
    if (this.#draining === undefined) this.#states.expire(olderThan)
  }

  /** For the manager, with flush=interval: forces to disk what was written. */
  async flush(): Promise<void> {
    if (this.#broken !== undefined) return
    try {
      await this.#segments.sync()
    } catch (error) {
      this.#break(error)
    }
  }

  /**
   * For the manager: makes all that was written until now durable, indexes included, so that recovery need not look at it again.
   * Returns the new recovery point.
   */
  async checkpoint(): Promise<number> {
    const end = this.#logEndOffset
    if (end === this.#recoveryPoint || this.#broken !== undefined) return this.#recoveryPoint
    if (this.#draining === undefined && this.#bytesSinceSnapshot >= SNAPSHOT_INTERVAL_BYTES) this.#takeSnapshot()
    if (this.#context.flush === 'commit') while (this.#highWatermark < end && this.#syncing) await this.#syncing
    else await this.flush()
    await this.#segments.syncIndexes()
    if (this.#usable()) {
      this.#recoveryPoint = Math.max(this.#recoveryPoint, Math.min(end, this.#highWatermark))
      this.#dropOldSnapshots()
    }
    return this.#recoveryPoint
  }

  /** For the manager: waits for what is under way, and leaves files that need no check. */
  async close(): Promise<void> {
    this.#closed ??= new LogStorageError('KAFKA_STORAGE_ERROR', 'The log is shutting down.')
    while (this.#draining ?? this.#syncing) await (this.#draining ?? this.#syncing)
    if (this.#broken === undefined) {
      this.#segments.active.sealTimeIndex()
      if (this.#bytesSinceSnapshot > 0) this.#takeSnapshot()
      await this.#segments.sync()
      await this.#segments.syncIndexes()
      this.#recoveryPoint = this.#logEndOffset
    }
    this.#segments.close()
  }

  /** For the manager: the topic is deleted; its files may go away under what is under way. */
  abandon(): void {
    this.#closed = new LogStorageError('UNKNOWN_TOPIC_OR_PARTITION', `The topic ${this.topic} was deleted.`)
    this.#rejectAll(this.#closed)
    this.#segments.close()
    this.#notify()
  }

  #usable(): boolean {
    return this.#broken === undefined && this.#closed === undefined
  }

  #limit(isolation: IsolationLevel): number {
    return isolation === 'read_committed' ? this.#lastStableOffset : this.#highWatermark
  }

  #loadOptions(logStartOffset: number): LoadOptions {
    return {
      context: this.#context,
      dir: this.#dir,
      config: this.#config,
      logStartOffset,
      recoveryPoint: this.#recoveryPoint,
    }
  }

  // ---- appending

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0 && this.#closed === undefined && this.#mended()) {
        const group = this.#prepareGroup()
        if (group.bytes > 0 && !(await this.#writeGroup(group))) continue
        for (const append of group.appends) this.#answerOrWait(append)
      }
    } finally {
      this.#draining = undefined
    }
    if (this.#queue.length > 0) {
      this.#rejectQueue(this.#closed ?? storageError(`${this.topic}-${this.partition} is offline`, this.#broken?.error))
    }
  }

  /** Takes from the queue what fits into the active segment, in order, and gives it its offsets. */
  #prepareGroup(): AppendGroup {
    const group: AppendGroup = {
      appends: [],
      buffers: [],
      batches: [],
      completed: [],
      bytes: 0,
      end: this.#logEndOffset,
    }
    let taken = 0
    for (const pending of this.#queue) {
      if (taken === MAX_GROUP_APPENDS || group.bytes + pending.records.length > MAX_GROUP_BYTES) {
        if (group.bytes > 0) break
      }
      if (this.#needsRoll(pending, group)) {
        if (group.bytes > 0) break
        try {
          this.#roll()
        } catch (error) {
          taken++
          pending.reject(storageError('A new segment could not be made', error))
          continue
        }
      }
      taken++
      try {
        group.appends.push(this.#prepare(pending, group))
      } catch (error) {
        pending.reject(error instanceof LogStorageError ? error : storageError('The append failed', error))
      }
    }
    this.#queue = this.#queue.slice(taken)
    return group
  }

  #prepare(pending: PendingAppend, group: AppendGroup): PreparedAppend {
    const { records, batches, options } = pending
    const { origin } = options
    const first = batches[0]!
    const duplicate = first.header.isControl ? undefined : this.#states.findDuplicate(first.header)
    if (duplicate !== undefined && origin === 'client') {
      const { lastOffset, offsetDelta } = duplicate
      const result = { baseOffset: lastOffset - offsetDelta, lastOffset, logAppendTime: -1, duplicate: true }
      return { pending, result, end: lastOffset + 1 }
    }
    const logAppendTime = this.#config.messageTimestampType === 'LogAppendTime' ? this.#context.clock() : -1
    const baseOffset = origin === 'replay' ? Math.max(first.header.baseOffset, group.end) : group.end
    let end = baseOffset
    for (const { at, size, header: given } of batches) {
      const header: BatchHeader = {
        ...given,
        baseOffset: end,
        maxTimestamp: logAppendTime === -1 ? given.maxTimestamp : logAppendTime,
      }
      if (header.producerId >= 0) this.#noteProducer(header, records, at, origin, group)
      setBaseOffset(records, at, end)
      setLeaderEpoch(records, at, this.leaderEpoch)
      if (logAppendTime !== -1) setLogAppendTime(records, at, logAppendTime)
      group.batches.push(summaryOf(header, size))
      end += header.lastOffsetDelta + 1
    }
    group.buffers.push(records)
    group.bytes += records.length
    group.end = end
    return { pending, result: { baseOffset, lastOffset: end - 1, logAppendTime, duplicate: false }, end }
  }

  #noteProducer(header: BatchHeader, records: Buffer, at: number, origin: AppendOrigin, group: AppendGroup): void {
    if (!header.isControl) {
      this.#states.addBatch(header, origin)
      return
    }
    const record = decodeRecords(records, at)[0]
    const marker = record === undefined ? null : decodeControl(record)
    if (marker === null) return
    const completed = this.#states.addMarker(header, marker, origin)
    if (completed === undefined) return
    // Holds the last stable offset back until the marker itself is durable.
    this.#completed.push(completed)
    group.completed.push(completed)
  }

  #needsRoll(pending: PendingAppend, group: AppendGroup): boolean {
    const { active } = this.#segments
    const { segmentBytes, segmentMs, segmentJitterMs, segmentIndexBytes } = this.#config
    if (active.size + group.bytes === 0) return false
    let offsets = 0
    let maxTimestamp = -1
    for (const { header } of pending.batches) {
      offsets += header.lastOffsetDelta + 1
      maxTimestamp = Math.max(maxTimestamp, header.maxTimestamp)
    }
    const bytes = group.bytes + pending.records.length
    if (active.isFull(group.end + offsets, bytes, segmentBytes, segmentIndexBytes)) return true
    if (active.size === 0) return false
    active.firstTimestamp ??= this.#readFirstTimestamp(active)
    if (active.firstTimestamp < 0) return false
    const now = this.#config.messageTimestampType === 'LogAppendTime' ? this.#context.clock() : maxTimestamp
    return now - active.firstTimestamp > segmentMs - Math.min(segmentJitterMs, segmentMs)
  }

  #readFirstTimestamp(segment: Segment): number {
    const header = Buffer.allocUnsafe(BATCH_HEADER_BYTES)
    segment.log.use((fd) => this.#context.fs.readSync(fd, header, 0, header.length, 0))
    return parseBatchHeader(header).maxTimestamp
  }

  #roll(): void {
    this.#segments.roll(this.#logEndOffset)
    this.#takeSnapshot()
  }

  /** False where the write failed; its appends are rejected then, and nothing of them is left. */
  async #writeGroup(group: AppendGroup): Promise<boolean> {
    try {
      if (group.bytes <= WRITE_NOW_BYTES) this.#segments.writeNow(group.buffers, group.bytes)
      else await this.#segments.write(group.buffers, group.bytes)
    } catch (error) {
      this.#undo(group, error)
      return false
    }
    if (this.#closed !== undefined || this.#broken !== undefined) {
      this.#undo(group, this.#closed ?? this.#broken?.error)
      return false
    }
    const { active } = this.#segments
    for (const batch of group.batches) active.append(batch, this.#config.indexIntervalBytes)
    for (const completed of group.completed) if (completed.aborted) active.transactionIndex.append(completed)
    this.#states.commit()
    this.#logEndOffset = group.end
    this.#bytesSinceSnapshot += group.bytes
    if (this.#context.flush === 'commit') this.#syncing ??= this.#sync()
    else this.#advance(group.end)
    return true
  }

  #undo(group: AppendGroup, error: unknown): void {
    this.#states.rollback()
    this.#completed = this.#completed.filter((completed) => !group.completed.includes(completed))
    if (this.#closed === undefined && this.#broken === undefined) {
      try {
        this.#segments.cutActive()
      } catch (cutError) {
        this.#break(cutError)
      }
    }
    const failure = this.#closed ?? storageError(`Writing to ${this.topic}-${this.partition} failed`, error)
    for (const { pending } of group.appends) pending.reject(failure)
  }

  #answerOrWait(append: PreparedAppend): void {
    const { pending, result, end } = append
    const wait = pending.options.acks === -1 && this.#context.flush === 'commit' && end > this.#highWatermark
    if (!wait) pending.resolve(result)
    else if (this.#broken === undefined) this.#waiting.push(append)
    else pending.reject(storageError(`${this.topic}-${this.partition} is offline`, this.#broken.error))
  }

  /** Syncs until all that was written is durable. */
  async #sync(): Promise<void> {
    try {
      while (this.#highWatermark < this.#logEndOffset && this.#broken === undefined) {
        const end = this.#logEndOffset
        await this.#segments.sync()
        if (this.#closed?.code === 'UNKNOWN_TOPIC_OR_PARTITION') break
        this.#advance(end)
      }
    } catch (error) {
      this.#break(error)
    } finally {
      this.#syncing = undefined
    }
  }

  #advance(highWatermark: number): void {
    this.#highWatermark = highWatermark
    if (this.#completed.length > 0) {
      this.#completed = this.#completed.filter((completed) => completed.lastOffset >= highWatermark)
    }
    let stable = Math.min(highWatermark, this.#states.firstUndecidedOffset)
    for (const completed of this.#completed) stable = Math.min(stable, completed.firstOffset)
    this.#lastStableOffset = stable
    let answered = 0
    while (answered < this.#waiting.length && this.#waiting[answered]!.end <= highWatermark) {
      const { pending, result } = this.#waiting[answered++]!
      pending.resolve(result)
    }
    if (answered > 0) this.#waiting = this.#waiting.slice(answered)
    this.#notify()
  }

  #notify(): void {
    if (this.#listeners !== undefined) for (const listener of this.#listeners) listener()
  }

  // ---- bad days

  /**
   * After a failed sync the system may have dropped what it could not write and call it clean: what was written since the last
   * good sync counts as lost, is not answered, and is cut off when the partition is mended.
   */
  #break(error: unknown): void {
    this.#broken ??= { error, triedAt: this.#context.clock() }
    this.#context.logger.error('A partition is offline for writing until its files are mended', {
      topic: this.topic,
      partition: this.partition,
      error: String(error),
    })
    this.#rejectAll(storageError(`Forcing ${this.topic}-${this.partition} to disk failed`, error))
  }

  /** Whether appends can go on; tries to mend a broken partition now and then. */
  #mended(): boolean {
    const broken = this.#broken
    if (broken === undefined) return true
    const now = this.#context.clock()
    if (now - broken.triedAt < MEND_INTERVAL_MS || this.#syncing !== undefined) return false
    broken.triedAt = now
    try {
      this.#reload()
    } catch (error) {
      this.#context.logger.warn('A partition could not be mended yet', {
        topic: this.topic,
        partition: this.partition,
        error: String(error),
      })
      return false
    }
    this.#broken = undefined
    this.#context.logger.info('A partition is back', { topic: this.topic, partition: this.partition })
    return true
  }

  /** Opens the files again as after a crash, without what lies above the high watermark. */
  #reload(): void {
    this.#segments.close()
    this.#completed = []
    const loaded = loadPartition({ ...this.#loadOptions(this.#logStartOffset), cutAt: this.#highWatermark })
    this.#segments = new SegmentSet(this.#context, this.#dir, this.#options.topicId, loaded.segments, loaded.exists)
    this.#reader = new PartitionReader(this.#context, this.#segments)
    this.#states = loaded.states
    this.#snapshots = loaded.snapshots
    this.#logEndOffset = loaded.nextOffset
    if (this.#context.flush !== 'commit') this.#rewriteFrom(this.#recoveryPoint)
    this.#syncFrom(this.#recoveryPoint)
    if (loaded.nextOffset < this.#highWatermark) {
      this.#context.logger.error('Durable records are damaged', {
        topic: this.topic,
        partition: this.partition,
        highWatermark: this.#highWatermark,
        logEndOffset: loaded.nextOffset,
      })
    }
    this.#advance(loaded.nextOffset)
  }

  #syncFrom(offset: number): void {
    const { list } = this.#segments
    for (const segment of list.slice(this.#segments.indexOf(offset))) {
      if (segment.size > 0) segment.log.use((fd) => this.#context.fs.fdatasyncSync(fd))
    }
  }

  /**
   * Where acknowledged records may be in memory only, a failed sync must not take them away: the pages that the system holds are
   * written once more, so that the next sync has to deal with them.
   */
  #rewriteFrom(offset: number): void {
    const { fs } = this.#context
    const { list } = this.#segments
    const chunk = Buffer.allocUnsafe(1024 * 1024)
    for (const segment of list.slice(this.#segments.indexOf(offset))) {
      const from = segment.baseOffset >= offset ? 0 : segment.offsetIndex.lookup(offset).position
      segment.log.use((fd) => {
        for (let at = from; at < segment.size;) {
          const bytes = fs.readSync(fd, chunk, 0, Math.min(chunk.length, segment.size - at), at)
          for (let done = 0; done < bytes;) done += fs.writeSync(fd, chunk, done, bytes - done, at + done)
          at += bytes
        }
      })
    }
  }

  #rejectAll(error: LogStorageError): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const { pending } of waiting) pending.reject(error)
    this.#rejectQueue(error)
  }

  #rejectQueue(error: LogStorageError): void {
    const queue = this.#queue
    this.#queue = []
    for (const pending of queue) pending.reject(error)
  }

  // ---- housekeeping

  /** Writes what is known of producers at the log end offset. A missing snapshot costs time at recovery, nothing else. */
  #takeSnapshot(): void {
    const offset = this.#logEndOffset
    if (offset === this.#snapshots.at(-1)) return
    try {
      const snapshot = encodeProducerSnapshot(this.#states.entries())
      writeFileAtomicallyUnsynced(this.#context.fs, join(this.#dir, snapshotName(offset)), snapshot)
      this.#snapshots.push(offset)
      this.#bytesSinceSnapshot = 0
    } catch (error) {
      this.#context.logger.warn('A producer snapshot could not be written', { dir: this.#dir, error: String(error) })
    }
  }

  /** Of the snapshots up to the recovery point only the last is of use. */
  #dropOldSnapshots(): void {
    const last = this.#snapshots.findLastIndex((offset) => offset <= this.#recoveryPoint)
    for (const offset of this.#snapshots.splice(0, Math.max(last, 0))) {
      this.#context.fs.unlink(join(this.#dir, snapshotName(offset)), () => undefined)
    }
  }

  #removeSegmentsBelowStart(): void {
    const { list } = this.#segments
    const removed = list.filter((_, i) => i + 1 < list.length && list[i + 1]!.baseOffset <= this.#logStartOffset)
    this.#remove(removed)
  }

  #remove(segments: readonly Segment[]): void {
    if (segments.length === 0) return
    this.#segments.replace(segments)
    for (const segment of segments) {
      segment.close()
      for (const file of segment.files()) this.#context.fs.unlink(file.path, () => undefined)
    }
  }
}

function storageError(what: string, cause: unknown): LogStorageError {
  if (cause instanceof LogStorageError) return cause
  const why = cause instanceof Error ? cause.message : String(cause)
  return new LogStorageError('KAFKA_STORAGE_ERROR', `${what}: ${why}`, { cause })
}
