/**
 * The last step of a source task, in which at least once and exactly once differ: how records and offsets get into the
 * log, and when a batch is durable. The runner is handed one of two: at-least-once-commit.ts, exactly-once-commit.ts.
 */
import type { Producer } from '../client/client.ts'
import type { DeliveryTracker, TrackedBatch } from './delivery.ts'
import type { SourceOffsets } from './offset-store.ts'
import type { TaskActivity } from './task-activity.ts'
import type { Wait } from './waits.ts'
import type { ConvertedBatch, SourceConversion } from './source-conversion.ts'

export interface CommitStep {
  /** Before the first batch, and before offsets are read: fences an earlier copy of the task, where that is possible. */
  open(): Promise<void>
  /** Takes the next batch in yield order, and returns at once. */
  send(batch: TrackedBatch, converted: ConvertedBatch): void
  /**
   * Resolves when all that was sent is acknowledged, its offsets are stored and its `durable` calls have returned. With
   * `complete`, a transaction that the connector has to end, and has not, is left as it is.
   * Rejects where the step has failed.
   */
  flush(what: 'all' | 'complete'): Promise<void>
  /** A transaction is open that is the connector's to end. Whoever reads on from the stored offsets has to abort it. */
  readonly isIncomplete: boolean
  /** What is under way and does not get on, except for the task's own `durable`. */
  waitsFor(): Wait | undefined
  /** Lets go of what is under way; nothing is written any more. */
  close(): Promise<void>
}

/** What both kinds work with. */
export interface CommitContext {
  readonly connector: string
  readonly activity: TaskActivity
  readonly producer: Producer
  readonly offsets: SourceOffsets
  readonly tracker: DeliveryTracker
  readonly conversion: SourceConversion
  /** Something was acknowledged: there may be room for the next batch. */
  readonly onProgress: () => void
  /** The step cannot go on: the task fails. */
  readonly onFailure: (error: unknown) => void
}

/** Calls `durable` of batches one after the other, in their order, each once the one before has returned. */
export class DurableCalls {
  readonly #activity: TaskActivity
  readonly #queue: TrackedBatch[] = []
  #draining = false
  #drained: Promise<void> = Promise.resolve()

  constructor(activity: TaskActivity) {
    this.#activity = activity
  }

  /** Calls are under way: what else waits, waits for them. */
  get areUnderWay(): boolean {
    return this.#draining
  }

  /** Resolves when these, and all before them, have been called. Rejects when one throws; no other is called then. */
  async call(batches: readonly TrackedBatch[]): Promise<void> {
    this.#queue.push(...batches)
    if (!this.#draining) this.#drained = this.#drain()
    return this.#drained
  }

  async #drain(): Promise<void> {
    this.#draining = true
    for (let batch = this.#queue.shift(); batch !== undefined; batch = this.#queue.shift()) {
      const { durable } = batch
      const answer = this.#activity.call('durable', () => durable!())
      if (answer instanceof Promise) await answer
    }
    // Not after a throw.
    this.#draining = false
  }
}
