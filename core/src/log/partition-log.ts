import { join } from 'node:path'
import { LEADER_EPOCH } from './append-group.ts'
import type { AppendOptions, AppendResult } from './append-group.ts'
import { LogStorageError, storageError } from './errors.ts'
import { loadPartition } from './partition-loader.ts'
import type { LoadOptions } from './partition-loader.ts'
import { compactionState } from './compaction-state.ts'
import type { CompactionState } from './compaction-state.ts'
import { GroupCopy, groupSegments, mapDirtyKeys, removeCleaned } from './compactor.ts'
import type { CompactionPlan } from './compactor.ts'
import { PartitionReader } from './partition-reader.ts'
import { PartitionWriter } from './partition-writer.ts'
import { ProducerSnapshots } from './producer-snapshots.ts'
import type { ProducerStates } from './producer-state.ts'
import { expiredSegments } from './retention.ts'
import type { Segment, TimestampOffset } from './segment.ts'
import { SegmentSet } from './segment-set.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'

export type { Acks, AppendOptions, AppendResult } from './append-group.ts'
export type { TimestampOffset } from './segment.ts'

export type IsolationLevel = 'read_uncommitted' | 'read_committed'

interface AbortedTransaction {
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
  /** To be called at most once, when nobody looks at `records` any more; their memory is used again then. May be left out. */
  readonly release?: () => void
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
  /** See {@link LoadOptions.recoveryPoint}. */
  readonly recoveryPoint: number
  /** Makes a new log start offset durable. */
  readonly saveStartOffset: () => Promise<void>
}

/** A snapshot of producers is not worth its file below this. */
const SNAPSHOT_INTERVAL_BYTES = 1024 * 1024

/** One partition: a list of segments of which the last is appended to. */
export class PartitionLog {
  readonly topic: string
  readonly partition: number
  readonly leaderEpoch = LEADER_EPOCH
  readonly #options: PartitionOptions
  readonly #context: StorageContext
  readonly #dir: string
  readonly #segments: SegmentSet
  readonly #reader: PartitionReader
  readonly #writer: PartitionWriter
  readonly #snapshots: ProducerSnapshots
  #config: TopicConfig
  #logStartOffset: number
  #recoveryPoint: number
  #listeners: Set<() => void> | undefined

  /** Opens the partition's files; see {@link loadPartition}. */
  constructor(options: PartitionOptions) {
    const { context, topic, partition, recoveryPoint } = options
    this.#options = options
    this.#context = context
    this.topic = topic
    this.partition = partition
    this.#dir = join(options.dataDir, `${topic}-${partition}`)
    this.#config = options.config
    const loaded = loadPartition(this.#loadOptions(options.logStartOffset, recoveryPoint))
    this.#recoveryPoint = recoveryPoint === Infinity ? loaded.nextOffset : recoveryPoint
    this.#logStartOffset = loaded.logStartOffset
    this.#segments = new SegmentSet(context, this.#dir, options.topicId, loaded.segments, loaded.exists)
    this.#snapshots = new ProducerSnapshots(context, this.#dir, loaded.snapshots)
    this.#reader = new PartitionReader(context, this.#segments)
    // What a killed process had written may be in the page cache only; it is about to be readable.
    if (loaded.nextOffset > recoveryPoint) this.#segments.syncNow(recoveryPoint)
    const host = {
      context,
      name: `${topic}-${partition}`,
      segments: this.#segments,
      snapshots: this.#snapshots,
      config: () => this.#config,
      reload: (cutAt: number) => this.#reload(cutAt),
      advanced: () => this.#notify(),
    }
    this.#writer = new PartitionWriter(host, loaded.states, loaded.nextOffset)
  }

  /** First offset that can be read. */
  get logStartOffset(): number {
    return this.#logStartOffset
  }

  /** Offset that the next record will get. */
  get logEndOffset(): number {
    return this.#writer.logEndOffset
  }

  /** End of what may be read; with flush=commit, of what is on disk. */
  get highWatermark(): number {
    return this.#writer.highWatermark
  }

  /** End of what read_committed may read. */
  get lastStableOffset(): number {
    return this.#writer.lastStableOffset
  }

  /** Bytes of all segments. */
  get sizeBytes(): number {
    return this.#segments.sizeBytes
  }

  /** Whether the log is shutting down, or the topic deleted. */
  get closed(): boolean {
    return this.#writer.closed !== undefined
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
    return this.#writer.append(records, options)
  }

  /**
   * Reads whole batches from the one that holds `offset`, up to `maxBytes`; the first batch is returned even when it
   * is larger, unless `minOneBatch` is false.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE, KAFKA_STORAGE_ERROR
   */
  async read(offset: number, maxBytes: number, isolation: IsolationLevel, minOneBatch = true): Promise<ReadResult> {
    const committed = isolation === 'read_committed'
    for (let attempt = 1; ; attempt++) {
      if (!(offset >= this.#logStartOffset && offset <= this.logEndOffset)) {
        throw new LogStorageError(
          'OFFSET_OUT_OF_RANGE',
          `Offset ${offset} is not within ${this.#logStartOffset} to ${this.logEndOffset}.`,
        )
      }
      const { list } = this.#segments
      try {
        const read = await this.#reader.read(offset, this.#limit(isolation), maxBytes, minOneBatch)
        return {
          records: read.records,
          bytes: read.bytes,
          highWatermark: this.highWatermark,
          lastStableOffset: this.lastStableOffset,
          logStartOffset: this.#logStartOffset,
          abortedTransactions: committed ? this.#reader.abortedTransactions(offset, read.nextOffset) : null,
          ...(read.release === undefined ? {} : { release: read.release }),
        }
      } catch (error) {
        // Retention or compaction took the segment away meanwhile.
        if (this.#segments.list !== list && attempt < 4) continue
        if (this.#writer.closed !== undefined) throw this.#writer.closed
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
    return this.#reader.maxTimestamp(this.#logStartOffset, this.highWatermark)
  }

  /**
   * Moves the log start offset up (DeleteRecords); -1 means the high watermark. Returns the new log start offset, which is
   * durable then.
   * @throws LogStorageError OFFSET_OUT_OF_RANGE beyond the high watermark, POLICY_VIOLATION where the topic is only compacted
   */
  async deleteRecordsBefore(offset: number): Promise<number> {
    if (this.#writer.closed !== undefined) throw this.#writer.closed
    if (!this.#config.cleanupPolicy.delete) {
      throw new LogStorageError(
        'POLICY_VIOLATION',
        `The topic ${this.topic} is compacted; its records are not deleted.`,
      )
    }
    const start = offset === -1 ? this.highWatermark : offset
    if (!(start >= 0 && start <= this.highWatermark)) {
      throw new LogStorageError('OFFSET_OUT_OF_RANGE', `Offset ${offset} is beyond ${this.highWatermark}.`)
    }
    if (start > this.#logStartOffset) {
      const before = this.#logStartOffset
      this.#logStartOffset = start
      try {
        await this.#options.saveStartOffset()
      } catch (error) {
        this.#logStartOffset = before
        throw storageError('The log start offset could not be written', error)
      }
      this.#removeSegments(this.#segments.endingBelow(start))
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
    return [...this.#writer.states.entries()].map((entry) => ({
      producerId: entry.producerId,
      producerEpoch: entry.producerEpoch,
      lastSequence: entry.batches.at(-1)?.lastSequence ?? -1,
      lastTimestamp: entry.lastTimestamp,
      coordinatorEpoch: entry.coordinatorEpoch,
      currentTransactionStartOffset: entry.currentTransactionFirstOffset,
    }))
  }

  // ---- for the manager

  /** Forgets idle producers. */
  expireProducers(olderThan: number): void {
    if (this.#writer.idle) this.#writer.states.expire(olderThan)
  }

  /** With flush=interval: forces to disk what was written. */
  flush(): Promise<void> {
    return this.#writer.flush()
  }

  /** Deletes the segments that retention.ms and retention.bytes no longer keep. */
  async applyRetention(): Promise<void> {
    if (!this.#config.cleanupPolicy.delete || !this.#writer.usable()) return
    const expired = expiredSegments(this.#segments.list, this.#config, this.#context, this.highWatermark)
    if (expired.includes(this.#segments.active)) {
      if (!this.#writer.idle || this.highWatermark < this.logEndOffset) return
      this.#writer.roll()
    }
    this.#removeSegments(expired)
  }

  /** How much there is to compact, given the offset up to which that was done before. */
  compactionState(compactedTo: number): CompactionState {
    return compactionState(this.#segments, this.#config, {
      compactedTo: compactedTo > this.logEndOffset ? 0 : Math.max(compactedTo, this.#logStartOffset),
      lastStableOffset: this.lastStableOffset,
      now: this.#context.clock(),
    })
  }

  /**
   * Compacts the closed segments while appends and reads go on. Returns the offset up to which it is done. Not at the same time as
   * {@link applyRetention}.
   */
  async compact(compactedTo: number, maxMapBytes: number): Promise<number> {
    const state = this.compactionState(compactedTo)
    if (state.dirtyBytes === 0 || !this.#writer.usable()) return compactedTo
    const plan: CompactionPlan = {
      context: this.#context,
      dir: this.#dir,
      config: this.#config,
      segments: state.segments,
      firstDirtyOffset: state.firstDirtyOffset,
      endOffset: state.endOffset,
      aborted: this.#reader.abortedTransactions(this.#segments.list[0]!.baseOffset, state.endOffset),
      states: this.#writer.states,
      maxMapBytes,
      checkGoOn: () => {
        if (this.#writer.closed !== undefined) throw this.#writer.closed
      },
    }
    const map = await mapDirtyKeys(plan)
    if (map.latestOffset < state.firstDirtyOffset) return compactedTo
    const copy = new GroupCopy(plan, map)
    const below = state.segments.filter((segment) => segment.baseOffset <= map.latestOffset)
    for (const group of groupSegments(below, this.#config)) {
      const cleaned = await copy.copy(group)
      if (!this.#writer.usable()) {
        removeCleaned(this.#context, cleaned)
        return compactedTo
      }
      if (!(await this.#segments.swap(group, cleaned, this.#config.fileDeleteDelayMs))) return compactedTo
    }
    return map.latestOffset + 1
  }

  /**
   * Makes all that was written until now durable, indexes included, so that recovery need not look at it again.
   * Returns the new recovery point.
   */
  async checkpoint(): Promise<number> {
    const end = this.logEndOffset
    if (end === this.#recoveryPoint || !this.#writer.usable()) return this.#recoveryPoint
    if (this.#writer.idle && this.#snapshots.bytesBehind >= SNAPSHOT_INTERVAL_BYTES) {
      this.#snapshots.take(end, this.#writer.states)
    }
    await this.#writer.flush()
    await this.#segments.syncIndexes()
    if (this.#writer.usable()) {
      this.#recoveryPoint = Math.max(this.#recoveryPoint, Math.min(end, this.highWatermark))
      this.#snapshots.dropOld(this.#recoveryPoint)
    }
    return this.#recoveryPoint
  }

  /** Waits for what is under way. True where it leaves files that need no check. */
  async close(): Promise<boolean> {
    await this.#writer.close(new LogStorageError('KAFKA_STORAGE_ERROR', 'The log is shutting down.'))
    const { sound } = this.#writer
    if (sound && (this.#recoveryPoint < this.logEndOffset || this.#snapshots.bytesBehind > 0)) {
      if (this.#segments.active.size > 0) this.#segments.active.seal()
      if (this.#snapshots.bytesBehind > 0) this.#snapshots.take(this.logEndOffset, this.#writer.states)
      await this.#segments.sync()
      await this.#segments.syncIndexes()
      this.#recoveryPoint = this.logEndOffset
    }
    this.#segments.close()
    return sound
  }

  /** The topic is deleted; its files may go away under what is under way. */
  abandon(): void {
    this.#writer.abandon(new LogStorageError('UNKNOWN_TOPIC_OR_PARTITION', `The topic ${this.topic} was deleted.`))
    this.#segments.retire()
  }

  #limit(isolation: IsolationLevel): number {
    return isolation === 'read_committed' ? this.lastStableOffset : this.highWatermark
  }

  #notify(): void {
    if (this.#listeners !== undefined) for (const listener of this.#listeners) listener()
  }

  #loadOptions(logStartOffset: number, recoveryPoint: number): LoadOptions {
    return { context: this.#context, dir: this.#dir, config: this.#config, logStartOffset, recoveryPoint }
  }

  #reload(cutAt: number): { states: ProducerStates; nextOffset: number } {
    this.#segments.close()
    const loaded = loadPartition({ ...this.#loadOptions(this.#logStartOffset, this.#recoveryPoint), cutAt })
    this.#segments.reset(loaded.segments, loaded.exists)
    this.#snapshots.reset(loaded.snapshots)
    // Acknowledged records may be in memory only then, and a failed sync must not take them away.
    if (this.#context.flush !== 'commit') this.#segments.rewrite(this.#recoveryPoint)
    this.#segments.syncNow(this.#recoveryPoint)
    return loaded
  }

  /** Takes the oldest segments out of the log, and their files away in time. */
  #removeSegments(segments: readonly Segment[]): void {
    if (segments.length === 0) return
    this.#segments.replace(segments)
    this.#logStartOffset = Math.max(this.#logStartOffset, this.#segments.list[0]!.baseOffset)
    this.#segments.removeFiles(segments, this.#config.fileDeleteDelayMs)
  }
}
