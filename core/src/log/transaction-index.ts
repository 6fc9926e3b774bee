import { isNotFound } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { PooledFile } from './file-pool.ts'
import { readInt64, writeInt64 } from './int64.ts'

const ENTRY_BYTES = 34
const VERSION = 0

export interface AbortedTransactionEntry {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of the abort marker. */
  readonly lastOffset: number
  /** The last stable offset when the marker was written: what lies below is decided. */
  readonly lastStableOffset: number
}

/**
 * Kafka's `.txnindex`: the aborted transactions whose markers are in a segment: version (int16), producer id, first offset,
 * last offset, last stable offset (int64 each). The file exists only where there are some. New entries are in memory until
 * {@link flush}; a crash loses them, and recovery makes them anew from the log.
 */
export class TransactionIndex {
  readonly file: PooledFile
  /** Whether the file has changed since it was synced, which is for its user to note. */
  dirty = false
  readonly #fs: FileSystem
  /** undefined: not read yet. */
  #entries: AbortedTransactionEntry[] | undefined
  #written = 0

  constructor(fs: FileSystem, file: PooledFile) {
    this.#fs = fs
    this.file = file
  }

  entries(): readonly AbortedTransactionEntry[] {
    return this.#loaded()
  }

  append(entry: AbortedTransactionEntry): void {
    this.#loaded().push(entry)
  }

  /** Writes what waits. Does not sync. */
  flush(): void {
    const waiting = this.#entries?.slice(this.#written) ?? []
    if (waiting.length === 0) return
    const buffer = Buffer.concat(waiting.map(encodeEntry))
    const at = this.#written * ENTRY_BYTES
    this.file.use((fd) => {
      for (let done = 0; done < buffer.length;) {
        done += this.#fs.writeSync(fd, buffer, done, buffer.length - done, at + done)
      }
    }, true)
    this.#written += waiting.length
    this.dirty = true
  }

  /** Drops the transactions whose markers are at or above an offset. */
  truncateTo(offset: number): void {
    const entries = this.#loaded()
    const kept = entries.findIndex((entry) => entry.lastOffset >= offset)
    if (kept === -1) return
    entries.length = kept
    if (kept >= this.#written) return
    this.file.use((fd) => this.#fs.ftruncateSync(fd, kept * ENTRY_BYTES))
    this.#written = kept
    this.dirty = true
  }

  #loaded(): AbortedTransactionEntry[] {
    if (this.#entries === undefined) {
      this.#entries = this.#load()
      this.#written = this.#entries.length
    }
    return this.#entries
  }

  #load(): AbortedTransactionEntry[] {
    let bytes: Buffer
    try {
      bytes = this.#fs.readFileSync(this.file.path)
    } catch (error) {
      if (isNotFound(error)) return []
      throw error
    }
    const entries: AbortedTransactionEntry[] = []
    for (let at = 0; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) {
      entries.push({
        producerId: readInt64(bytes, at + 2),
        firstOffset: readInt64(bytes, at + 10),
        lastOffset: readInt64(bytes, at + 18),
        lastStableOffset: readInt64(bytes, at + 26),
      })
    }
    return entries
  }
}

function encodeEntry(entry: AbortedTransactionEntry): Buffer {
  const buffer = Buffer.allocUnsafe(ENTRY_BYTES)
  buffer.writeInt16BE(VERSION, 0)
  writeInt64(buffer, entry.producerId, 2)
  writeInt64(buffer, entry.firstOffset, 10)
  writeInt64(buffer, entry.lastOffset, 18)
  writeInt64(buffer, entry.lastStableOffset, 26)
  return buffer
}
