import { encodeWorker, workerKey, type WorkerRecord } from './assignment-records.ts'
import { LatestWrites, type LatestWritesOptions } from './latest-writes.ts'

export interface OwnRecordOptions extends LatestWritesOptions {
  readonly groupId: string
  readonly workerId: string
}

/** What this worker says of itself in the assignments topic. */
export class OwnRecord {
  readonly #options: OwnRecordOptions
  readonly #writes: LatestWrites
  #value: WorkerRecord

  constructor(options: OwnRecordOptions, value: WorkerRecord) {
    this.#options = options
    this.#writes = new LatestWrites(options)
    this.#value = value
  }

  get value(): WorkerRecord {
    return this.#value
  }

  /** Resolves when it is on the log, or the signal was aborted. */
  async say(changes: Partial<WorkerRecord> = {}): Promise<void> {
    const { groupId, workerId } = this.#options
    this.#value = { ...this.#value, ...changes }
    await this.#writes.tell({ key: workerKey(groupId, workerId), value: encodeWorker(groupId, workerId, this.#value) })
  }
}
