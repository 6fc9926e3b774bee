import { setTimeout as sleep } from 'node:timers/promises'

/** How soon a task sees that the lease was renewed. */
export const leasePollMs = 50

/**
 * Until when this worker certainly counts as a member of its cluster: until then no other runs its tasks. Tasks look at it
 * here; the main thread writes the time into shared memory (cluster/lease.ts). A look costs no message and no lock.
 */
export class Lease {
  readonly #until: Float64Array

  /** @param buffer one Float64: ms of `process.hrtime`, which is the same clock in every thread */
  constructor(buffer: SharedArrayBuffer) {
    this.#until = new Float64Array(buffer)
  }

  isHeld(): boolean {
    const [seconds, nanoseconds] = process.hrtime()
    return seconds * 1000 + nanoseconds / 1e6 < this.#until[0]!
  }

  /** Resolves with true when it is held, with false when the signal is aborted before. */
  async held(signal: AbortSignal): Promise<boolean> {
    while (!this.isHeld()) {
      if (signal.aborted) return false
      await sleep(leasePollMs, undefined, { signal }).catch(() => undefined)
    }
    return true
  }
}

/** For tasks that belong to no cluster: a preview, tests. */
export function endlessLease(): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  new Float64Array(buffer)[0] = Infinity
  return buffer
}
