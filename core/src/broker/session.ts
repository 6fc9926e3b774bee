import type { Clock, Timer } from './clock.ts'

/** Calls back when somebody has not been heard of for as long as was agreed. */
export class Session {
  readonly #clock: Clock
  readonly #onExpired: () => void
  #expiresAt = 0
  #timer: Timer | undefined
  #timerAt = 0

  constructor(clock: Clock, onExpired: () => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  get hasExpired(): boolean {
    return this.#clock.elapsed() >= this.#expiresAt
  }

  /** Starts it anew: a sign of life. */
  renew(timeoutMs: number): void {
    this.#expiresAt = this.#clock.elapsed() + timeoutMs
    // The one timer is left running and set again when it fires, so that a sign of life costs nothing. A shorter session than
    // the timer's needs a new one.
    if (this.#timer === undefined || this.#expiresAt < this.#timerAt) this.#arm()
  }

  /** Ends it without a word. */
  end(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #arm(): void {
    this.#timer?.cancel()
    this.#timerAt = this.#expiresAt
    this.#timer = this.#clock.after(Math.max(0, this.#expiresAt - this.#clock.elapsed()), () => {
      this.#timer = undefined
      if (this.hasExpired) this.#onExpired()
      else this.#arm()
    })
  }
}
