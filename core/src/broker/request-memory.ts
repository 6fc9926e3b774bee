/**
 * The bytes of requests that all connections together may hold (`queued.max.request.bytes`). Small requests are free,
 * so that heartbeats and metadata pass while large produce requests wait.
 */
export class RequestMemory {
  readonly #limit: number
  #used = 0
  #waiting: (() => void)[] = []

  constructor(limit: number) {
    this.#limit = limit
  }

  get used(): number {
    return this.#used
  }

  /**
   * Takes the bytes, or has `retry` called when some have been given back. A request larger than all there is may pass
   * when it is alone.
   */
  reserve(bytes: number, retry: () => void): boolean {
    if (bytes > smallRequestBytes && this.#used > 0 && this.#used + bytes > this.#limit) {
      this.#waiting.push(retry)
      return false
    }
    this.#used += bytes
    return true
  }

  release(bytes: number): void {
    this.#used -= bytes
    if (this.#waiting.length === 0) return
    const waiting = this.#waiting
    this.#waiting = []
    for (const retry of waiting) retry()
  }
}

const smallRequestBytes = 64 * 1024
