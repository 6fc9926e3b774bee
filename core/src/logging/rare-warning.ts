import type { Logger } from './logger.ts'

const mostAMinute = 10

/** Warns of what strangers can bring about as often as they like: ten times a minute; the rest is for debugging. */
export class RareWarning {
  readonly #logger: Pick<Logger, 'warn' | 'debug'>
  #begun = -Infinity
  #told = 0

  constructor(logger: Pick<Logger, 'warn' | 'debug'>) {
    this.#logger = logger
  }

  tell(message: string, details: Readonly<Record<string, unknown>> = {}): void {
    const now = performance.now()
    if (now - this.#begun >= 60_000) {
      this.#begun = now
      this.#told = 0
    }
    if (this.#told++ < mostAMinute) this.#logger.warn(message, details)
    else this.#logger.debug(message, details)
  }
}
