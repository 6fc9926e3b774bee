/**
 * Until when a worker certainly counts as a member of its group, for all threads to see: no other can have got what it
 * runs before then. This is the side that writes it; that of the tasks, which look at it, is worker/lease.ts.
 *
 * Each answered request tells until when. Once the membership has been lost, nothing counts until the worker is a member
 * again, knows what is still its own, and has stopped the rest: {@link release}.
 */
export class Lease {
  /** One Float64, in ms of `process.hrtime`. */
  readonly buffer = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  readonly #shared = new Float64Array(this.buffer)
  readonly #sessionTimeoutMs: number
  #until = 0
  #frozen = true

  constructor(sessionTimeoutMs: number) {
    this.#sessionTimeoutMs = sessionTimeoutMs
  }

  /** @param sentAtMs of `performance.now()` in this thread: when a request was sent that the coordinator answered */
  renew(sentAtMs: number): void {
    // The same clock from another start: each thread has its own.
    const sentAt = hrtimeMs() - (performance.now() - sentAtMs)
    this.#until = Math.max(this.#until, sentAt + this.#sessionTimeoutMs)
    if (!this.#frozen) this.#shared[0] = this.#until
  }

  freeze(): void {
    this.#frozen = true
    this.#until = 0
    this.#shared[0] = 0
  }

  release(): void {
    this.#frozen = false
    this.#shared[0] = this.#until
  }
}

/** The machine's monotonic clock, the same in every thread. */
export function hrtimeMs(): number {
  const [seconds, nanoseconds] = process.hrtime()
  return seconds * 1000 + nanoseconds / 1e6
}
