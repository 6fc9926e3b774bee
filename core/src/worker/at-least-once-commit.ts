/**
 * Records are produced as they come, several batches in flight; offsets follow once their records are acknowledged: every
 * `offset.flush.interval.ms`, or at once where a `durable` call waits for them.
 */
import { DurableCalls, type CommitContext, type CommitStep } from './commit-step.ts'
import type { TrackedBatch } from './delivery.ts'
import { batchesText, longest, type Wait } from './waits.ts'
import type { ConvertedBatch } from './source-conversion.ts'

/** See the head of the file. */
export class AtLeastOnceCommit implements CommitStep {
  readonly isIncomplete = false
  readonly #context: CommitContext
  readonly #flushIntervalMs: number
  readonly #durable: DurableCalls
  /** Since when none of what is under way has been acknowledged. */
  #waitingSince = 0
  #storingSince = 0
  #timer: NodeJS.Timeout | undefined
  #storing: Promise<void> | undefined
  /** Batches sent and not acknowledged. */
  #underWay = 0
  readonly #allAcknowledged: (() => void)[] = []
  #failed = false
  #failure: unknown

  constructor(context: CommitContext, flushIntervalMs: number) {
    this.#context = context
    this.#durable = new DurableCalls(context.activity)
    this.#flushIntervalMs = flushIntervalMs
  }

  async open(): Promise<void> {
    this.#timer = setInterval(() => this.#inBackground(this.#store()), this.#flushIntervalMs)
    await Promise.resolve()
  }

  send(batch: TrackedBatch, converted: ConvertedBatch): void {
    if (this.#underWay++ === 0) this.#waitingSince = Date.now()
    if (converted.out.length === 0 && converted.deadLetters.length === 0) this.#acknowledge(batch)
    else this.#inBackground(this.#produce(batch, converted))
  }

  async #produce(batch: TrackedBatch, converted: ConvertedBatch): Promise<void> {
    if (converted.out.length > 0) {
      const { failures } = await this.#context.producer.produce(converted.out)
      this.#context.activity.counts.written += converted.out.length - failures.length
      for (const { index, error } of failures) {
        this.#context.conversion.refuse(converted, converted.origins[index]!, 'KAFKA_PRODUCE', 'producer', error)
      }
    }
    if (converted.deadLetters.length > 0) await Promise.all(converted.deadLetters)
    if (!this.#failed) this.#acknowledge(batch)
  }

  #acknowledge(batch: TrackedBatch): void {
    const { tracker, onProgress } = this.#context
    this.#underWay--
    this.#waitingSince = Date.now()
    tracker.acknowledge(batch)
    this.#callDurable()
    if (tracker.storeIsAwaited) this.#inBackground(this.#store())
    if (this.#underWay === 0) for (const resolve of this.#allAcknowledged.splice(0)) resolve()
    onProgress()
  }

  #callDurable(): void {
    const batches = this.#context.tracker.takeDurable()
    if (batches.length > 0) this.#inBackground(this.#durable.call(batches))
  }

  /** Stores what may be stored, and again while more of it is waited for. One write at a time, so that none overtakes. */
  async #store(): Promise<void> {
    if (this.#storing === undefined && this.#context.tracker.hasOffsets) {
      this.#storingSince = Date.now()
      this.#storing = this.#storeAll()
    }
    return this.#storing
  }

  async #storeAll(): Promise<void> {
    const { tracker, offsets, producer, connector } = this.#context
    try {
      do {
        const snapshot = tracker.takeOffsets()
        if (snapshot === undefined) return
        try {
          await offsets.write(producer, connector, snapshot.offsets)
        } catch (error) {
          tracker.putBack(snapshot)
          throw error
        }
        tracker.stored(snapshot)
        this.#callDurable()
      } while (tracker.storeIsAwaited)
    } finally {
      // At once, and not in a later turn: whoever comes from now on must begin anew.
      this.#storing = undefined
    }
  }

  async flush(): Promise<void> {
    // First what is acknowledged already: it must not wait for what may never be.
    await this.#store()
    while (this.#underWay > 0) {
      this.#throwIfFailed()
      await new Promise<void>((resolve) => this.#allAcknowledged.push(resolve))
    }
    this.#throwIfFailed()
    while (this.#context.tracker.hasOffsets || this.#storing !== undefined) await this.#store()
    await this.#durable.call([])
    this.#throwIfFailed()
  }

  waitsFor(): Wait | undefined {
    const { tracker } = this.#context
    const batches = batchesText(this.#underWay, tracker.bytes)
    return longest([
      this.#underWay > 0
        ? { kind: 'acknowledge', what: `waits for the log to acknowledge ${batches}`, since: this.#waitingSince }
        : undefined,
      this.#storing !== undefined
        ? { kind: 'store', what: 'waits for the log to take source offsets', since: this.#storingSince }
        : undefined,
    ])
  }

  async close(): Promise<void> {
    clearInterval(this.#timer)
    await this.#context.producer.close()
  }

  #inBackground(work: Promise<void>): void {
    work.catch((error: unknown) => {
      if (this.#failed) return
      this.#failed = true
      this.#failure = error
      for (const resolve of this.#allAcknowledged.splice(0)) resolve()
      this.#context.onFailure(error)
    })
  }

  #throwIfFailed(): void {
    if (this.#failed) throw this.#failure as Error
  }
}
