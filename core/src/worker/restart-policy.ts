import { isErrorKind } from '@tidewire/sdk'
import { backoffMs } from './time-limit.ts'

export interface RestartLimits {
  readonly firstDelayMs: number
  readonly maxDelayMs: number
  /** Restarts allowed within the window; one more, and the task stays failed. */
  readonly maxRestarts: number
  readonly windowMs: number
}

export const defaultRestartLimits: RestartLimits = {
  firstDelayMs: 1000,
  maxDelayMs: 60_000,
  maxRestarts: 10,
  windowMs: 30 * 60_000,
}

/** Whether a failure would only come again: restarts are for what may pass. */
export function isPermanent(error: unknown): boolean {
  return isErrorKind(error, 'ConfigError') || isErrorKind(error, 'DataError')
}

/** Decides when a failed task is started again: with growing pauses, and not without end. One for each task. */
export class RestartPolicy {
  readonly #limits: RestartLimits
  readonly #now: () => number
  readonly #random: () => number
  /** Times of the restarts within the window. */
  #restarts: number[] = []

  constructor(limits = defaultRestartLimits, now = (): number => performance.now(), random = Math.random) {
    this.#limits = limits
    this.#now = now
    this.#random = random
  }

  /** The pause before the restart, in milliseconds; undefined: no restart. */
  next(permanent: boolean): number | undefined {
    if (permanent) return undefined
    const now = this.#now()
    this.#restarts = this.#restarts.filter((at) => now - at < this.#limits.windowMs)
    if (this.#restarts.length >= this.#limits.maxRestarts) return undefined
    this.#restarts.push(now)
    return backoffMs(this.#restarts.length, this.#limits.firstDelayMs, this.#limits.maxDelayMs, this.#random)
  }

  /** A restart by hand starts afresh. */
  reset(): void {
    this.#restarts = []
  }
}
