import { setTimeout as sleep } from 'node:timers/promises'
import type { Logger } from '../logging/logger.ts'
import { encodeWorker, workerKey, type WorkerRecord } from './assignment-records.ts'
import type { TopicLog } from './topic-log.ts'

export interface OwnRecordOptions {
  readonly log: TopicLog
  readonly groupId: string
  readonly workerId: string
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** What this worker says of itself in the assignments topic. Written until it is there; what changes meanwhile goes with the next write. */
export class OwnRecord {
  readonly #options: OwnRecordOptions
  #value: WorkerRecord
  #unsaid = false
  #writing: Promise<void> | undefined

  constructor(options: OwnRecordOptions, value: WorkerRecord) {
    this.#options = options
    this.#value = value
  }

  get value(): WorkerRecord {
    return this.#value
  }

  /** Resolves when it is on the log, or the signal was aborted. */
  async say(changes: Partial<WorkerRecord> = {}): Promise<void> {
    this.#value = { ...this.#value, ...changes }
    this.#unsaid = true
    this.#writing ??= this.#write()
    await this.#writing
  }

  async #write(): Promise<void> {
    const { log, groupId, workerId, logger, signal } = this.#options
    for (let failures = 0; this.#unsaid && !signal.aborted;) {
      this.#unsaid = false
      try {
        await log.write([{ key: workerKey(groupId, workerId), value: encodeWorker(groupId, workerId, this.#value) }])
        failures = 0
      } catch (error) {
        this.#unsaid = true
        if (++failures === 1) logger.warn('writing to the assignments topic: trying again', { error: String(error) })
        await sleep(Math.min(50 * 2 ** failures, 2000), undefined, { signal }).catch(() => undefined)
      }
    }
    // At once, and not in a later turn: what is said from now on needs a write of its own.
    this.#writing = undefined
  }
}
