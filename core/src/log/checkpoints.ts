import { join } from 'node:path'
import { writeFileAtomically } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { formatOffsetCheckpoint, readOffsetCheckpoint } from './offset-checkpoint.ts'
import type { PartitionOffsets } from './offset-checkpoint.ts'
import type { PartitionLog } from './partition-log.ts'

const RECOVERY_FILE = 'recovery-point-offset-checkpoint'
const START_FILE = 'log-start-offset-checkpoint'

/**
 * Where each partition starts, and up to where it is known to be on disk, in Kafka's two files. They know topics by name: a topic that
 * is made must not find what was noted of an earlier one, whose start offset would hide its records.
 */
export class Checkpoints {
  readonly #fs: FileSystem
  readonly #dir: string
  readonly #startOffsets: PartitionOffsets
  readonly #recoveryPoints: PartitionOffsets
  /** Whether the files still speak of topics that are forgotten. */
  #stale = false

  /** @param exists whether there is a topic of a name */
  constructor(fs: FileSystem, dir: string, exists: (topic: string) => boolean) {
    this.#fs = fs
    this.#dir = dir
    this.#startOffsets = readOffsetCheckpoint(fs, join(dir, START_FILE)) ?? emptyOffsets()
    this.#recoveryPoints = readOffsetCheckpoint(fs, join(dir, RECOVERY_FILE)) ?? emptyOffsets()
    const named = [...this.#startOffsets.keys(), ...this.#recoveryPoints.keys()]
    for (const topic of named) if (!exists(topic)) this.#drop(topic)
  }

  startOffset(topic: string, partition: number): number {
    return this.#startOffsets.get(topic)?.get(partition) ?? 0
  }

  recoveryPoint(topic: string, partition: number): number {
    return this.#recoveryPoints.get(topic)?.get(partition) ?? 0
  }

  /** The files say nothing of the topic, nor of others that are forgotten, when it returns. Throws where that cannot be written. */
  forget(topic: string): void {
    this.#drop(topic)
    if (!this.#stale) return
    this.#save(START_FILE, this.#startOffsets)
    this.#save(RECOVERY_FILE, this.#recoveryPoints)
    this.#stale = false
  }

  /** Durable when it returns. */
  saveRecoveryPoints(open: Iterable<PartitionLog>): void {
    for (const log of open) setOffset(this.#recoveryPoints, log, log.recoveryPoint)
    this.#save(RECOVERY_FILE, this.#recoveryPoints)
  }

  /** Durable when it returns. */
  saveStartOffsets(open: Iterable<PartitionLog>): void {
    for (const log of open) if (log.logStartOffset > 0) setOffset(this.#startOffsets, log, log.logStartOffset)
    this.#save(START_FILE, this.#startOffsets)
  }

  #drop(topic: string): void {
    if (this.#startOffsets.delete(topic)) this.#stale = true
    if (this.#recoveryPoints.delete(topic)) this.#stale = true
  }

  #save(file: string, offsets: PartitionOffsets): void {
    writeFileAtomically(this.#fs, this.#dir, file, formatOffsetCheckpoint(offsets))
  }
}

function emptyOffsets(): PartitionOffsets {
  return new Map()
}

function setOffset(offsets: PartitionOffsets, log: PartitionLog, offset: number): void {
  const byPartition = offsets.get(log.topic) ?? new Map<number, number>()
  offsets.set(log.topic, byPartition.set(log.partition, offset))
}
