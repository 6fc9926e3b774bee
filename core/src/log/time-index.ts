import type { PooledFile } from './file-pool.ts'
import type { FileSystem } from './file-system.ts'
import { readInt64, writeInt64 } from './int64.ts'
import { SparseIndex } from './sparse-index.ts'

const ENTRY_BYTES = 12

export interface TimeIndexEntry {
  readonly timestamp: number
  /** Last offset of the batch that has the timestamp. */
  readonly offset: number
}

/**
 * Kafka's `.timeindex`: now and then the largest timestamp so far (int64) and the offset that has it, relative to the
 * segment (int32). Up to that offset no record is later.
 */
export class TimeIndex extends SparseIndex {
  readonly #baseOffset: number
  /** undefined: not read yet. */
  #last: TimeIndexEntry | undefined

  constructor(fs: FileSystem, file: PooledFile, baseOffset: number) {
    super(fs, file, ENTRY_BYTES)
    this.#baseOffset = baseOffset
  }

  /** Adds an entry where it is later than the last one. */
  maybeAppend(timestamp: number, offset: number): void {
    if (timestamp <= this.last().timestamp) return
    const { buffer, at } = this.reserve()
    writeInt64(buffer, timestamp, at)
    buffer.writeInt32BE(offset - this.#baseOffset, at + 8)
    this.#last = { timestamp, offset }
  }

  /** The last entry; timestamp -1 where there is none. */
  last(): TimeIndexEntry {
    if (this.#last === undefined) {
      const { entries } = this
      this.#last = entries === 0 ? { timestamp: -1, offset: this.#baseOffset } : this.entry(entries - 1)
    }
    return this.#last
  }

  /** The last entry whose timestamp is not above the given one; timestamp -1 at the segment's start where there is none. */
  lookup(timestamp: number): TimeIndexEntry {
    const index = this.lastNotAbove(timestamp, readInt64)
    return index === -1 ? { timestamp: -1, offset: this.#baseOffset } : this.entry(index)
  }

  /** The last entry below an offset; timestamp -1 at the segment's start where there is none. */
  before(offset: number): TimeIndexEntry {
    const index = this.lastNotAbove(offset - this.#baseOffset - 1, offsetAt)
    return index === -1 ? { timestamp: -1, offset: this.#baseOffset } : this.entry(index)
  }

  entry(index: number): TimeIndexEntry {
    const { buffer, at } = this.entryBytesAt(index)
    return { timestamp: readInt64(buffer, at), offset: this.#baseOffset + buffer.readInt32BE(at + 8) }
  }

  /** Drops the entries at and above an offset. */
  truncateTo(offset: number): void {
    const index = this.lastNotAbove(offset - this.#baseOffset - 1, offsetAt)
    this.truncateToEntries(index + 1)
  }

  override truncateToEntries(entries: number): void {
    super.truncateToEntries(entries)
    this.#last = undefined
  }
}

function offsetAt(buffer: Buffer, at: number): number {
  return buffer.readInt32BE(at + 8)
}
