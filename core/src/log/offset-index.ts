import type { PooledFile } from './file-pool.ts'
import type { FileSystem } from './file-system.ts'
import { SparseIndex } from './sparse-index.ts'

const ENTRY_BYTES = 8

export interface OffsetPosition {
  /** Last offset of the batch at `position`. */
  readonly offset: number
  readonly position: number
}

/**
 * Kafka's `.index`: now and then the last offset of a batch, relative to the segment (int32), and where the batch starts in
 * the file (int32).
 */
export class OffsetIndex extends SparseIndex {
  readonly #baseOffset: number

  constructor(fs: FileSystem, file: PooledFile, baseOffset: number) {
    super(fs, file, ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  append(offset: number, position: number): void {
    const { buffer, at } = this.reserve()
    buffer.writeInt32BE(offset - this.#baseOffset, at)
    buffer.writeInt32BE(position, at + 4)
  }

  /** Where to start reading for an offset: the entry with the largest offset not above it, else the start of the segment. */
  lookup(offset: number): OffsetPosition {
    const index = this.lastNotAbove(offset - this.#baseOffset, keyAt)
    return index === -1 ? { offset: this.#baseOffset, position: 0 } : this.entry(index)
  }

  entry(index: number): OffsetPosition {
    const { buffer, at } = this.entryBytesAt(index)
    return { offset: this.#baseOffset + buffer.readInt32BE(at), position: buffer.readInt32BE(at + 4) }
  }

  last(): OffsetPosition | undefined {
    const { entries } = this
    return entries === 0 ? undefined : this.entry(entries - 1)
  }

  /** Drops the entries at and above an offset. */
  truncateTo(offset: number): void {
    this.truncateToEntries(this.lastNotAbove(offset - this.#baseOffset - 1, keyAt) + 1)
  }
}

function keyAt(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at)
}
