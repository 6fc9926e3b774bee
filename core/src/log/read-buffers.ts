/** A read smaller than this gets a buffer of its own, of its own size. */
const SMALLEST_BYTES = 256 * 1024
/** What clients ask of a partition unless told otherwise (`max.partition.fetch.bytes`). */
const BUFFER_BYTES = 1024 * 1024
const MAX_IDLE = 8

/**
 * Buffers for large reads, used again and again. A fresh one of 1 MiB costs three times the read itself in page faults, and the
 * garbage collector runs every dozen of them.
 */
export class ReadBuffers {
  readonly #idle: Buffer[] = []

  /** A buffer with old content for a read of so many bytes; undefined where that is not the right size. */
  take(bytes: number): Buffer | undefined {
    if (bytes < SMALLEST_BYTES || bytes > BUFFER_BYTES) return undefined
    return this.#idle.pop() ?? Buffer.allocUnsafeSlow(BUFFER_BYTES)
  }

  /** Gives a buffer back that nobody looks at any more. One that is never given back is collected like any other. */
  release(buffer: Buffer): void {
    if (this.#idle.length < MAX_IDLE) this.#idle.push(buffer)
  }
}
