import { join } from 'node:path'
import { writeFileAtomically } from './file-system.ts'
import { formatOffsetCheckpoint, readOffsetCheckpoint } from './offset-checkpoint.ts'
import type { PartitionOffsets } from './offset-checkpoint.ts'
import type { PartitionLog } from './partition-log.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'

const CHECKPOINT_FILE = 'cleaner-offset-checkpoint'

export interface CleanerHost {
  readonly context: StorageContext
  readonly dir: string
  /** Partitions that have files, of topics that are of interest, one after the other; opens what is not open. */
  partitions(wanted: (config: TopicConfig) => boolean): AsyncIterable<PartitionLog>
}

/**
 * Deletes and compacts, one partition at a time: `log.retention.check.interval.ms` and the log cleaner in one, so that the two are
 * never at the same partition together.
 */
export class LogCleaner {
  readonly #host: CleanerHost
  readonly #maxMapBytes: number
  /** Up to where each partition is compacted. */
  readonly #compactedTo: PartitionOffsets
  #last: Promise<void> = Promise.resolve()

  constructor(host: CleanerHost, maxMapBytes: number) {
    this.#host = host
    this.#maxMapBytes = maxMapBytes
    this.#compactedTo = readOffsetCheckpoint(host.context.fs, join(host.dir, CHECKPOINT_FILE)) ?? emptyOffsets()
  }

  /** Deletes segments that retention no longer keeps. */
  applyRetention(): Promise<void> {
    return this.#afterOthers(async () => {
      for await (const log of this.#host.partitions((config) => config.cleanupPolicy.delete)) {
        await this.#attempt(log, 'Old segments could not be deleted', () => log.applyRetention())
      }
    })
  }

  /** Compacts the partitions that are dirty enough, the dirtiest first. */
  compact(): Promise<void> {
    return this.#afterOthers(async () => {
      const dirty: { log: PartitionLog; ratio: number }[] = []
      for await (const log of this.#host.partitions((config) => config.cleanupPolicy.compact)) {
        const { dirtyRatio, dirtyBytes, overdue } = log.compactionState(this.#compactedToOf(log))
        if (dirtyBytes > 0 && (overdue || dirtyRatio > log.config.minCleanableDirtyRatio)) {
          dirty.push({ log, ratio: dirtyRatio })
        }
      }
      dirty.sort((a, b) => b.ratio - a.ratio)
      for (const { log } of dirty) await this.#attempt(log, 'Compaction failed', () => this.#compactOne(log))
    })
  }

  /** Waits for what is under way. */
  async idle(): Promise<void> {
    await this.#last
  }

  /** Of a deleted topic. Throws where that cannot be written, and may be called again then. */
  forget(topic: string): void {
    const byPartition = this.#compactedTo.get(topic)
    if (byPartition === undefined) return
    this.#compactedTo.delete(topic)
    try {
      this.#save()
    } catch (error) {
      this.#compactedTo.set(topic, byPartition)
      throw error
    }
  }

  async #compactOne(log: PartitionLog): Promise<void> {
    const { context } = this.#host
    const started = performance.now()
    const before = log.sizeBytes
    const compactedTo = await log.compact(this.#compactedToOf(log), this.#maxMapBytes)
    // Its topic was deleted meanwhile, and another may have the name.
    if (log.closed) return
    const byPartition = this.#compactedTo.get(log.topic) ?? new Map<number, number>()
    this.#compactedTo.set(log.topic, byPartition.set(log.partition, compactedTo))
    this.#save()
    context.logger.debug('Compacted a partition', {
      topic: log.topic,
      partition: log.partition,
      to: compactedTo,
      bytesBefore: before,
      bytesAfter: log.sizeBytes,
      ms: Math.round(performance.now() - started),
    })
  }

  #save(): void {
    const { context, dir } = this.#host
    writeFileAtomically(context.fs, dir, CHECKPOINT_FILE, formatOffsetCheckpoint(this.#compactedTo))
  }

  #compactedToOf(log: PartitionLog): number {
    return this.#compactedTo.get(log.topic)?.get(log.partition) ?? 0
  }

  #afterOthers(run: () => Promise<void>): Promise<void> {
    this.#last = this.#last.then(run).catch((error: unknown) => {
      this.#host.context.logger.warn('Retention or compaction ended early', { error: String(error) })
    })
    return this.#last
  }

  /** One partition that fails holds up no other. */
  async #attempt(log: PartitionLog, what: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      if (log.closed) return
      this.#host.context.logger.warn(what, { topic: log.topic, partition: log.partition, error: String(error) })
    }
  }
}

function emptyOffsets(): PartitionOffsets {
  return new Map()
}
