import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { TopicLog, TopicLogRecord } from './topic-log.ts'

export interface LatestWritesOptions {
  readonly log: Pick<TopicLog, 'write'>
  readonly topic: string
  readonly logger: Logger
  /** Aborted: nothing more is written. */
  readonly signal: AbortSignal
}

/**
 * Writes to an internal topic in the background, one write at a time: what is told meanwhile goes with the next, the
 * latest of each key. What cannot be written is tried again, ever later, until it is there.
 */
export class LatestWrites {
  readonly #options: LatestWritesOptions
  /** By key. */
  #unwritten = new Map<string, string | null>()
  #writing: Promise<void> | undefined

  constructor(options: LatestWritesOptions) {
    this.#options = options
  }

  /** Resolves when what was told is written, or the signal was aborted; undefined where nothing waits. */
  get underWay(): Promise<void> | undefined {
    return this.#writing
  }

  /** Resolves when it is on the log, or the signal was aborted. */
  tell({ key, value }: TopicLogRecord): Promise<void> {
    if (this.#options.signal.aborted) return Promise.resolve()
    this.#unwritten.set(key, value)
    this.#writing ??= this.#write()
    return this.#writing
  }

  async #write(): Promise<void> {
    const { log, topic, logger, signal } = this.#options
    for (let failures = 0; this.#unwritten.size > 0 && !signal.aborted;) {
      const batch = this.#unwritten
      this.#unwritten = new Map()
      try {
        await log.write([...batch].map(([key, value]) => ({ key, value })))
        failures = 0
      } catch (error) {
        // What was told meanwhile is newer and stays.
        this.#unwritten = new Map([...batch, ...this.#unwritten])
        if (++failures === 1) {
          logger.warn('cannot write to an internal topic; trying again', { topic, error: messageOf(error) })
        }
        await sleep(Math.min(50 * 2 ** failures, 2000), undefined, { signal }).catch(() => undefined)
      }
    }
    // At once, and not in a later turn: what is told from now on needs a write of its own.
    this.#writing = undefined
  }
}
