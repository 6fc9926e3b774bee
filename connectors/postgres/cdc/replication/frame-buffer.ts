/**
 * Cuts what a socket gives into the server's messages (a type, a length, a body) without copying: a message is a range
 * of the chunk it came in. Only one that goes over the end of a chunk is put together in a buffer of its own.
 */
export class FrameBuffer {
  /** Of the message that {@link FrameBuffer.next} found: its type, and its body from `start` to `end` of `bytes`. */
  type = 0
  bytes: Buffer = Buffer.alloc(0)
  start = 0
  end = 0

  readonly #chunks: Buffer[] = []
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  /** A message that is not all there, and how much of it is. */
  #partial: Buffer | undefined
  #filled = 0
  #waitingBytes = 0

  /** Bytes not yet asked for. A message that still lacks its end is not among them: to wait for it must not be to hold it up. */
  get waitingBytes(): number {
    return this.#waitingBytes
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#waitingBytes += chunk.length
  }

  /** Whether there is a whole message; it is then in the fields of above, until the next call. */
  next(): boolean {
    while (true) {
      if (this.#partial !== undefined) {
        if (!this.#fill(this.#partial)) return false
        this.#give(this.#partial, 0, this.#partial.length)
        this.#partial = undefined
        return true
      }
      const left = this.#chunk.length - this.#at
      if (left < headerBytes) {
        if (!this.#takeChunk(left)) return false
        continue
      }
      const length = 1 + this.#chunk.readUInt32BE(this.#at + 1)
      if (length <= left) {
        this.#give(this.#chunk, this.#at, this.#at + length)
        this.#at += length
        this.#waitingBytes -= length
        return true
      }
      this.#partial = Buffer.allocUnsafe(length)
      this.#filled = 0
    }
  }

  #give(bytes: Buffer, at: number, end: number): void {
    this.type = bytes[at]!
    this.bytes = bytes
    this.start = at + headerBytes
    this.end = end
  }

  /** Goes on to the next chunk, before which the rest of this one goes, too short to say how long its message is. */
  #takeChunk(left: number): boolean {
    const next = this.#chunks.shift()
    if (next === undefined) return false
    this.#chunk = left === 0 ? next : Buffer.concat([this.#chunk.subarray(this.#at), next])
    this.#at = 0
    return true
  }

  /** Whether the message is complete now. */
  #fill(partial: Buffer): boolean {
    while (true) {
      const copied = this.#chunk.copy(partial, this.#filled, this.#at)
      this.#at += copied
      this.#filled += copied
      this.#waitingBytes -= copied
      if (this.#filled === partial.length) return true
      if (!this.#takeChunk(0)) return false
    }
  }
}

const headerBytes = 5
