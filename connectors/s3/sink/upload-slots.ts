/** Bounds what is uploaded at a time, by requests and by bytes. First come, first served. */
export class UploadSlots {
  readonly #maxRequests: number
  readonly #maxBytes: number
  #waiting: { readonly bytes: number; readonly go: () => void }[] = []
  #requests = 0
  #bytes = 0

  constructor(maxRequests: number, maxBytes: number) {
    this.#maxRequests = maxRequests
    this.#maxBytes = maxBytes
  }

  /**
   * Runs when there is room; one that is larger than all the room runs alone.
   * @param signal ends the wait
   */
  async run<T>(bytes: number, signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    if (this.#waiting.length > 0 || !this.#hasRoom(bytes)) await this.#turn(bytes, signal)
    else this.#take(bytes)
    try {
      return await work()
    } finally {
      this.#requests--
      this.#bytes -= bytes
      this.#next()
    }
  }

  #turn(bytes: number, signal: AbortSignal): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const give = (): void => {
        this.#waiting = this.#waiting.filter((other) => other !== waiting)
        reject(signal.reason as Error)
        this.#next()
      }
      const waiting = {
        bytes,
        go: () => {
          signal.removeEventListener('abort', give)
          resolve()
        },
      }
      if (signal.aborted) {
        reject(signal.reason as Error)
        return
      }
      signal.addEventListener('abort', give, { once: true })
      this.#waiting.push(waiting)
    })
  }

  #hasRoom(bytes: number): boolean {
    return this.#requests === 0 || (this.#requests < this.#maxRequests && this.#bytes + bytes <= this.#maxBytes)
  }

  #take(bytes: number): void {
    this.#requests++
    this.#bytes += bytes
  }

  #next(): void {
    for (let first = this.#waiting[0]; first !== undefined && this.#hasRoom(first.bytes); first = this.#waiting[0]) {
      this.#waiting.shift()
      this.#take(first.bytes)
      first.go()
    }
  }
}
