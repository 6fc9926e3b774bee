import { isNotFound } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { PooledFile } from './file-pool.ts'

/** Entries that wait in memory before they are written together; bounds what a partition under load keeps. */
const MAX_PENDING_BYTES = 4096
/** A search ends in one read of this size. */
const BLOCK_BYTES = 4096

/**
 * Entries of fixed size in ascending order: what the offset and the time index share. New entries wait in memory until there
 * are enough for a write, or until {@link flush}; a crash loses them, and recovery makes them anew from the log.
 */
export abstract class SparseIndex {
  readonly file: PooledFile
  /** Whether the file has changed since it was synced, which is for its user to note. */
  dirty = false
  protected readonly fs: FileSystem
  readonly #entryBytes: number
  /** Entries in the file; -1: not looked yet. */
  #written = -1
  #pending: Buffer | null = null
  #pendingBytes = 0

  constructor(fs: FileSystem, file: PooledFile, entryBytes: number) {
    this.fs = fs
    this.file = file
    this.#entryBytes = entryBytes
  }

  get entries(): number {
    return this.#entriesInFile() + this.#pendingBytes / this.#entryBytes
  }

  get sizeBytes(): number {
    return this.entries * this.#entryBytes
  }

  /** Writes what waits. Does not sync. */
  flush(): void {
    const pending = this.#pending
    if (pending === null) return
    const at = this.#entriesInFile() * this.#entryBytes
    const bytes = this.#pendingBytes
    this.file.use((fd) => {
      for (let done = 0; done < bytes;) done += this.fs.writeSync(fd, pending, done, bytes - done, at + done)
    }, true)
    this.#written += bytes / this.#entryBytes
    this.#pending = null
    this.#pendingBytes = 0
    this.dirty = true
  }

  /** Drops all entries from the given one on. */
  truncateToEntries(entries: number): void {
    const inFile = this.#entriesInFile()
    if (entries >= inFile) {
      this.#pendingBytes = Math.min(this.#pendingBytes, (entries - inFile) * this.#entryBytes)
      if (this.#pendingBytes === 0) this.#pending = null
      return
    }
    this.#pending = null
    this.#pendingBytes = 0
    this.file.use((fd) => this.fs.ftruncateSync(fd, entries * this.#entryBytes), true)
    this.#written = entries
    this.dirty = true
  }

  /** Space for one more entry, to be filled by the caller. */
  protected reserve(): { readonly buffer: Buffer; readonly at: number } {
    if (this.#pendingBytes + this.#entryBytes > MAX_PENDING_BYTES) this.#tryFlush()
    const needed = this.#pendingBytes + this.#entryBytes
    if (this.#pending === null || this.#pending.length < needed) {
      const grown = Buffer.allocUnsafeSlow(Math.max(needed * 2, 64))
      this.#pending?.copy(grown, 0, 0, this.#pendingBytes)
      this.#pending = grown
    }
    const at = this.#pendingBytes
    this.#pendingBytes = needed
    return { buffer: this.#pending, at }
  }

  /** The bytes of one entry. */
  protected entryBytesAt(index: number): { readonly buffer: Buffer; readonly at: number } {
    const inFile = this.#entriesInFile()
    if (index >= inFile) return { buffer: this.#pending!, at: (index - inFile) * this.#entryBytes }
    const buffer = Buffer.allocUnsafe(this.#entryBytes)
    this.#read(buffer, index)
    return { buffer, at: 0 }
  }

  /** Index of the last entry that is not above the target by `keyAt`; -1 where all are. */
  protected lastNotAbove(target: number, keyAt: (buffer: Buffer, at: number) => number): number {
    const size = this.#entryBytes
    const inFile = this.#entriesInFile()
    if (this.#pending !== null && keyAt(this.#pending, 0) <= target) {
      return inFile + searchBlock(this.#pending, this.#pendingBytes / size, size, target, keyAt)
    }
    let low = 0
    let high = inFile
    const one = Buffer.allocUnsafe(size)
    const blockEntries = Math.floor(BLOCK_BYTES / size)
    while (high - low > blockEntries) {
      const middle = (low + high) >>> 1
      this.#read(one, middle)
      if (keyAt(one, 0) <= target) low = middle
      else high = middle
    }
    if (high === low) return -1
    const block = Buffer.allocUnsafe((high - low) * size)
    this.#read(block, low)
    const found = searchBlock(block, high - low, size, target, keyAt)
    return found === -1 ? -1 : low + found
  }

  /** On a full disk the entries stay in memory: the log's own write is what has to fail then. */
  #tryFlush(): void {
    try {
      this.flush()
    } catch {
      // The next flush tries again and tells.
    }
  }

  #entriesInFile(): number {
    if (this.#written === -1) {
      try {
        this.#written = Math.floor(this.fs.statSync(this.file.path).size / this.#entryBytes)
      } catch (error) {
        if (!isNotFound(error)) throw error
        this.#written = 0
      }
    }
    return this.#written
  }

  #read(into: Buffer, firstEntry: number): void {
    const at = firstEntry * this.#entryBytes
    this.file.use((fd) => {
      for (let done = 0; done < into.length;) {
        const bytes = this.fs.readSync(fd, into, done, into.length - done, at + done)
        if (bytes === 0) throw new Error(`${this.file.path} is shorter than it was`)
        done += bytes
      }
    })
  }
}

function searchBlock(
  block: Buffer,
  entries: number,
  size: number,
  target: number,
  keyAt: (buffer: Buffer, at: number) => number,
): number {
  let low = -1
  let high = entries
  while (high - low > 1) {
    const middle = (low + high) >>> 1
    if (keyAt(block, middle * size) <= target) low = middle
    else high = middle
  }
  return low
}
