/** Time as the coordinators see it, so that tests turn it by hand. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number
  /** Milliseconds since some time or other, which the machine's clock being set does not move: for how long things take. */
  elapsed(): number
  /** Runs once after `ms`. Does not keep the process alive. */
  after(ms: number, run: () => void): Timer
}

export interface Timer {
  /** Harmless after it has run. */
  cancel(): void
}

/** Longest delay that `setTimeout` keeps; longer ones would fire at once. */
const longestDelayMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: Date.now,
  elapsed: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(ms, longestDelayMs))
    timer.unref()
    return { cancel: () => clearTimeout(timer) }
  },
}

/** A clock that moves only when told to. For tests. */
export class ManualClock implements Clock {
  #now: number
  #waiting: { at: number; run: () => void }[] = []

  constructor(start = 1_700_000_000_000) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  elapsed(): number {
    return this.#now
  }

  after(ms: number, run: () => void): Timer {
    const entry = { at: this.#now + ms, run }
    this.#waiting.push(entry)
    return { cancel: () => (this.#waiting = this.#waiting.filter((other) => other !== entry)) }
  }

  /** Lets `ms` pass: what falls due runs in the order of its time, and sees that time. */
  advance(ms: number): void {
    const end = this.#now + ms
    for (;;) {
      const next = this.#waiting.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0]
      if (next === undefined) break
      this.#waiting = this.#waiting.filter((other) => other !== next)
      this.#now = Math.max(this.#now, next.at)
      next.run()
    }
    this.#now = end
  }
}
