import type { Compress } from './compression.ts'

const firstBytes = 4 * 1024

/** Of a chunk: enough for a compression to do well, and little beside a part of an upload. */
const chunkBytes = 1024 * 1024

/** Bytes written one after the other, given in chunks of about 1 MiB, each compressed by itself. */
export class ByteChunks {
  readonly #compress: Compress | undefined
  /** Ended, and not yet taken. */
  #full: Buffer[] = []
  #fullBytes = 0
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0

  constructor(compress?: Compress) {
    this.#compress = compress
  }

  /** Of memory. */
  get heldBytes(): number {
    return this.#fullBytes + this.#chunk.length
  }

  /** Adds bytes and others behind them; a chunk ends after them, never between. */
  add(bytes: Uint8Array, behind: Uint8Array): void {
    const length = bytes.length + behind.length
    const chunk = this.reserve(length)
    chunk.set(bytes, this.#at)
    chunk.set(behind, this.#at + bytes.length)
    this.advance(length)
  }

  /**
   * Room for that many bytes, for a writer that puts them there itself, from `at` on, and then calls `advance`.
   * @returns the buffer
   */
  reserve(length: number): Buffer {
    const needed = this.#at + length
    if (needed > this.#chunk.length) {
      const grown = Buffer.allocUnsafeSlow(Math.max(firstBytes, needed, Math.min(2 * this.#chunk.length, chunkBytes)))
      this.#chunk.copy(grown, 0, 0, this.#at)
      this.#chunk = grown
    }
    return this.#chunk
  }

  /** Where in the reserved buffer the next byte goes. */
  get at(): number {
    return this.#at
  }

  advance(length: number): void {
    this.#at += length
    if (this.#at >= chunkBytes) this.endChunk()
  }

  endChunk(): void {
    if (this.#at === 0) return
    const bytes = this.#chunk.subarray(0, this.#at)
    // One that ends early does not hold the memory that it had yet to fill.
    const kept = 2 * this.#at < this.#chunk.length ? Buffer.from(bytes) : bytes
    this.#full.push(kept)
    this.#fullBytes += kept === bytes ? this.#chunk.length : kept.length
    this.#chunk = Buffer.alloc(0)
    this.#at = 0
  }

  /** The chunks that have ended, in order. */
  async take(): Promise<readonly Uint8Array[]> {
    const chunks = this.#full
    if (chunks.length === 0) return chunks
    this.#full = []
    const bytes = this.#fullBytes
    try {
      if (this.#compress === undefined) return chunks
      return await Promise.all(chunks.map(this.#compress))
    } finally {
      this.#fullBytes -= bytes
    }
  }

  end(): Promise<readonly Uint8Array[]> {
    this.endChunk()
    return this.take()
  }
}
