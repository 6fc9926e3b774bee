import { setTimeout as delay } from 'node:timers/promises'
import { isRetriable, type Logger } from '@tidewire/sdk'
import type { SpillFolder } from './spill.ts'
import type { ObjectStore } from './store.ts'
import type { UploadSlots } from './upload-slots.ts'

export interface UploadsOptions {
  readonly store: ObjectStore
  readonly slots: UploadSlots
  readonly spill: SpillFolder
  /** Of a part of a multipart upload. */
  readonly partBytes: number
  /** Whether nothing of an object may reach the store before it is complete. */
  readonly deferred: boolean
  /** Before what failed in passing is tried again. */
  readonly retryBackoffMs: number
  /** Aborted when the task is over. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** What the objects of a task have in common: the way to the store, and how much of them is where. */
export class Uploads {
  readonly options: UploadsOptions
  /** Of all objects, in memory: being encoded, encoded, being sent. */
  heldBytes = 0
  /** Of all objects, on disk. */
  spilledBytes = 0
  /** Objects that get no more records, and are not all in the store. */
  completing = 0
  /** Why nothing could be put on disk when that was tried last. */
  diskTrouble: string | undefined
  written = 0
  lastKey: string | undefined
  /** Uploads that are under way, by their ids: none of them is an orphan. */
  readonly ids = new Set<string>()
  /** Names of objects whose uploads are about to begin. */
  readonly beginning = new Set<string>()
  readonly #troubles = new Map<symbol, string>()
  #waiting: (() => void)[] = []

  constructor(options: UploadsOptions) {
    this.options = options
  }

  /** One object of those {@link completing} is in the store, or has failed. */
  ended(): void {
    this.completing--
    this.#wake()
  }

  /** What keeps an upload from getting on; undefined: nothing. */
  get trouble(): string | undefined {
    return this.#troubles.values().next().value
  }

  held(change: number): void {
    this.heldBytes += change
    if (change < 0) this.#wake()
  }

  /**
   * Does something until it succeeds, with pauses: what fails in passing.
   * @throws ConnectError that does not pass; the signal's reason
   */
  async persist<T>(signal: AbortSignal, work: () => Promise<T>): Promise<T> {
    const id = Symbol('work')
    try {
      for (;;) {
        try {
          return await work()
        } catch (error) {
          if (signal.aborted || !isRetriable(error)) throw error
          const message = (error as Error).message
          if (!this.#troubles.has(id)) this.options.log.warn('an upload failed in passing', { error: message })
          this.#troubles.set(id, message)
          this.#wake()
          await delay(this.options.retryBackoffMs, undefined, { signal })
        }
      }
    } finally {
      if (this.#troubles.delete(id)) this.#wake()
    }
  }

  /** Resolves when memory was given back, an upload has got into trouble or out of it, or after that time. */
  async change(withinMs: number): Promise<void> {
    const timer = new AbortController()
    await Promise.race([
      new Promise<void>((resolve) => this.#waiting.push(resolve)),
      delay(withinMs, undefined, { signal: AbortSignal.any([timer.signal, this.options.signal]) }).catch(
        () => undefined,
      ),
    ])
    timer.abort()
  }

  #wake(): void {
    const waiting = this.#waiting
    this.#waiting = []
    for (const resolve of waiting) resolve()
  }
}
