/** Between frames, and for small ones, the socket reads into one buffer that is used again and again. */
const SCRATCH_BYTES = 64 * 1024
/** A frame's buffer starts at most this big: a broker that announces more has to send it before we allocate it. */
const FIRST_ALLOCATION_BYTES = 16 * 1024 * 1024
/** From here on, the rest of a frame is read straight into its place. */
const DIRECT_READ_BYTES = 32 * 1024

/**
 * Cuts a byte stream into frames, each with a size of four bytes in front. Made for `net.connect({ onread })`: the
 * socket asks for a {@link buffer} to read into and reports how much came with {@link advance}. The bytes of a large
 * frame go from the kernel to their final place; nothing is concatenated.
 */
export class FrameReader {
  readonly #onFrame: (frame: Buffer) => void
  readonly #maxFrameBytes: number
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  /** Of the size that stands in front of the frame: bytes that have come. */
  #sizeBytes = 0
  #size = 0
  #frame: Buffer | undefined
  #filled = 0
  /** The last buffer given out is a part of the frame. */
  #direct = false

  constructor(onFrame: (frame: Buffer) => void, maxFrameBytes: number) {
    this.#onFrame = onFrame
    this.#maxFrameBytes = maxFrameBytes
  }

  /** Where the next bytes are to be put. */
  buffer(): Buffer {
    const frame = this.#frame
    this.#direct = frame !== undefined && this.#size - this.#filled >= DIRECT_READ_BYTES
    if (frame === undefined || !this.#direct) return this.#scratch
    return this.#grown(frame, this.#filled + 1).subarray(this.#filled)
  }

  /**
   * `count` bytes have been put at the start of the last {@link buffer}.
   * @throws RangeError when the frame announced is larger than allowed; the stream is of no use afterwards
   */
  advance(count: number): void {
    if (this.#direct) {
      this.#filled += count
      this.#finishFrame()
    } else {
      this.push(this.#scratch.subarray(0, count))
    }
  }

  /** The same for a chunk that the caller owns; it is copied. */
  push(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#frame === undefined) {
        this.#size = (this.#size << 8) | chunk[at++]!
        if (++this.#sizeBytes === 4) this.#startFrame()
        continue
      }
      const take = Math.min(this.#size - this.#filled, chunk.length - at)
      chunk.copy(this.#grown(this.#frame, this.#filled + take), this.#filled, at, at + take)
      this.#filled += take
      at += take
      this.#finishFrame()
    }
  }

  #startFrame(): void {
    if (this.#size < 4 || this.#size > this.#maxFrameBytes) {
      throw new RangeError(`a frame of ${this.#size} bytes; allowed are 4 to ${this.#maxFrameBytes}`)
    }
    this.#frame = Buffer.allocUnsafe(Math.min(this.#size, FIRST_ALLOCATION_BYTES))
    this.#filled = 0
  }

  #grown(frame: Buffer, needed: number): Buffer {
    if (needed <= frame.length) return frame
    const larger = Buffer.allocUnsafe(Math.min(this.#size, Math.max(needed, frame.length * 2)))
    frame.copy(larger, 0, 0, this.#filled)
    this.#frame = larger
    return larger
  }

  #finishFrame(): void {
    const frame = this.#frame
    if (frame === undefined || this.#filled < this.#size) return
    this.#frame = undefined
    this.#sizeBytes = 0
    this.#size = 0
    this.#onFrame(frame)
  }
}
