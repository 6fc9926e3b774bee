/** The main thread's end of errands: starts their threads, hands on what they say, and ends them in time. */
import { Worker } from 'node:worker_threads'
import { ConnectError } from '@tidewire/sdk'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { rethrowable, type HostSettings } from './host-messages.ts'
import type { ErrandKind, ErrandMessage, Errands } from './errand-messages.ts'
import type { LoggedLine } from './thread-logger.ts'

export interface ErrandCalls<K extends ErrandKind> {
  onItem(item: Errands[K]['item']): void
  onLog?(line: LoggedLine): void
  /** Aborted when nobody waits for it any more. */
  readonly signal: AbortSignal
}

/** Too many at a time. Retriable. */
class ErrandsBusyError extends Error {
  override readonly name = 'ErrandsBusyError'
  readonly retriable = true
}

/** Each costs a thread. */
const maxErrands = 4
/** For a thread to load, before the time of its errand begins. */
const loadLimitMs = 15_000
/** For it to give back what it holds when its time is over, or nobody waits for it any more. */
const graceMs = 5000
/** The same where nothing is held, and somebody waits for the answer. */
const tryGraceMs = 1000
const heapMb = 256

/** See the head of the file. */
export class ErrandRunner {
  readonly #settings: HostSettings
  readonly #logger: Logger
  readonly #running = new Set<Worker>()
  #closed = false

  constructor(settings: HostSettings, logger: Logger) {
    this.#settings = settings
    this.#logger = logger
  }

  /**
   * Runs an errand to its end, which is when its time is over at the latest.
   * @throws what it throws; ConnectError where its thread died or had to be ended; ErrandsBusyError
   */
  async run<K extends ErrandKind>(
    kind: K,
    errand: Errands[K]['errand'],
    calls: ErrandCalls<K>,
  ): Promise<Errands[K]['end']> {
    if (this.#closed) throw new ConnectError('the worker is stopping')
    if (this.#running.size >= maxErrands) {
      throw new ErrandsBusyError(
        `${maxErrands} previews, re-drives and changes of offsets are under way on this worker: try again later`,
      )
    }
    const thread = new Worker(new URL('./errand-thread.ts', import.meta.url), {
      name: kind,
      workerData: { settings: this.#settings, kind, errand },
      resourceLimits: { maxOldGenerationSizeMb: heapMb },
    })
    this.#running.add(thread)
    const { signal } = calls
    let reason = 'its thread ended by itself'
    let deadline: NodeJS.Timeout | undefined
    const endIn = (ms: number, why: string): void => {
      clearTimeout(deadline)
      deadline = setTimeout(() => {
        reason = why
        void thread.terminate()
      }, ms)
    }
    endIn(loadLimitMs, `its thread was not ready within ${loadLimitMs / 1000} s`)
    const begun = (): void => {
      const grace = kind === 'try' ? tryGraceMs : graceMs
      // Its own clock would have ended it, if anything in it were heard.
      const why = `it did not end within ${errand.timeoutMs / 1000} s, and blocks its thread`
      if (!signal.aborted) endIn(errand.timeoutMs + grace, why)
    }
    const abort = (): void => {
      thread.postMessage('abort')
      endIn(graceMs, 'nobody waits for it any more')
    }
    signal.addEventListener('abort', abort, { once: true })
    if (signal.aborted) abort()
    try {
      return await new Promise<Errands[K]['end']>((resolve, reject) => {
        thread.on('message', (message: ErrandMessage<K>) => {
          if (message.kind === 'begun') begun()
          else if (message.kind === 'item') calls.onItem(message.item)
          else if (message.kind === 'log') this.#log(message, calls)
          else if (message.kind === 'end') resolve(message.end)
          else reject(rethrowable(message.error))
        })
        thread.on('error', (error) => (reason = messageOf(error)))
        thread.on('exit', () => reject(new ConnectError(`the ${kind} was cut off: ${reason}`)))
      })
    } finally {
      clearTimeout(deadline)
      signal.removeEventListener('abort', abort)
      this.#running.delete(thread)
      await thread.terminate()
    }
  }

  /** Ends all that is under way. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running].map((thread) => thread.terminate()))
  }

  #log<K extends ErrandKind>({ level, message, details }: LoggedLine, calls: ErrandCalls<K>): void {
    this.#logger[level](message, details)
    calls.onLog?.({ level, message, details })
  }
}
