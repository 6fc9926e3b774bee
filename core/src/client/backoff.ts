import { setTimeout as delay } from 'node:timers/promises'
import { LogError } from './client.ts'

export interface BackoffRange {
  readonly baseMs: number
  readonly maxMs: number
}

/** `reconnect.backoff.ms` and `reconnect.backoff.max.ms`. */
export const reconnectBackoff: BackoffRange = { baseMs: 50, maxMs: 1_000 }
/** `retry.backoff.ms` and `retry.backoff.max.ms`. */
export const retryBackoff: BackoffRange = { baseMs: 100, maxMs: 1_000 }

/**
 * How long to wait after the `failures`-th failure in a row (from 1): doubling from the base to the maximum, ± 20 %, so
 * that clients which failed together do not come back together.
 */
export function backoffMs(failures: number, range: BackoffRange, random: () => number = Math.random): number {
  const exponential = Math.min(range.maxMs, range.baseMs * 2 ** Math.min(failures - 1, 30))
  return exponential * (0.8 + 0.4 * random())
}

/** Milliseconds that only go forward. */
export const monotonicMs = (): number => performance.now()

export interface RetryOptions {
  /** What is tried, for the message of a time-out. */
  readonly what: string
  /** Total time allowed; Infinity for no limit. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  readonly backoff?: BackoffRange
}

/**
 * Repeats `attempt` through retriable errors, with backoff.
 * @throws LogError the first one that is not retriable; the last one when the time is up; `CLOSED` when aborted
 */
export async function retry<T>(attempt: () => Promise<T>, options: RetryOptions): Promise<T> {
  const deadline = monotonicMs() + options.timeoutMs
  for (let failures = 1; ; failures++) {
    try {
      throwIfAborted(options)
      return await attempt()
    } catch (error) {
      if (!(error instanceof LogError) || !error.retriable || options.signal?.aborted === true) throw error
      const waitMs = backoffMs(failures, options.backoff ?? retryBackoff)
      if (monotonicMs() + waitMs >= deadline) {
        throw new LogError(error.code, `${options.what}: gave up after ${options.timeoutMs} ms: ${error.message}`, {
          retriable: true,
          cause: error,
        })
      }
      await sleep(waitMs, options.signal)
    }
  }
}

function throwIfAborted(options: RetryOptions): void {
  if (options.signal?.aborted === true) throw closedError(options.what)
}

/** Resolves early, without an error, when the signal is aborted. */
export async function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  await delay(ms, undefined, signal === undefined ? {} : { signal }).catch(() => undefined)
}

export function closedError(what: string): LogError {
  return new LogError('CLOSED', `${what}: closed`, { retriable: false })
}
