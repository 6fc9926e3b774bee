/**
 * Records and offsets in one transaction (KIP-618): either both are in the log, or neither is. Where a transaction ends
 * is `transaction.boundary`:
 *
 * - `poll`: it takes all whole batches that came while the one before was committed, so that a slow commit makes
 *   transactions larger, not the task slower.
 * - `interval`: it stays open for so long, or until the task's buffer is full.
 * - `connector`: it ends where a batch says so.
 */
import { DataError } from '@tidewire/sdk'
import { DurableCalls, type CommitContext, type CommitStep } from './commit-step.ts'
import type { TrackedBatch } from './delivery.ts'
import type { ProduceResult } from '../client/client.ts'
import { batchesText, type Wait } from './waits.ts'
import type { ConvertedBatch } from './source-conversion.ts'

export type TransactionBoundary =
  | { readonly kind: 'poll' }
  | { readonly kind: 'interval'; readonly intervalMs: number }
  | { readonly kind: 'connector' }

export interface ExactlyOnceOptions {
  readonly boundary: TransactionBoundary
  /** Whether the task has no room for more: until then what is under way is kept, to be sent again without a record that the log refused. */
  readonly isFull: () => boolean
}

interface Sent {
  readonly batch: TrackedBatch
  readonly converted: ConvertedBatch
}

/** How a transaction ends; undefined: not yet. */
type End = 'commit' | 'abort' | undefined

/** See the head of the file. */
export class ExactlyOnceCommit implements CommitStep {
  readonly #context: CommitContext
  readonly #options: ExactlyOnceOptions
  readonly #durable: DurableCalls
  /** Since when the transaction under way has not come further. */
  #movedAt = 0
  readonly #queue: Sent[] = []
  /** What the open transaction consists of. */
  #held: Sent[] = []
  /** The open transaction outgrew the buffer: its records are gone from memory. */
  #outgrown = false
  /** Ends the open transaction of an interval. */
  #timer: NodeJS.Timeout | undefined
  #isDue = false
  /** Everything is to be committed, the open transaction too. */
  #flushing = false
  #running: Promise<void> | undefined
  #inTransaction = false
  #failed = false
  #failure: unknown

  constructor(context: CommitContext, options: ExactlyOnceOptions) {
    this.#context = context
    this.#durable = new DurableCalls(context.activity)
    this.#options = options
  }

  /** Fences the earlier copy of this task, if there is one, and ends what it left open. */
  async open(): Promise<void> {
    await this.#context.producer.initTransactions()
  }

  get isIncomplete(): boolean {
    return this.#options.boundary.kind === 'connector' && (this.#held.length > 0 || this.#queue.length > 0)
  }

  send(batch: TrackedBatch, converted: ConvertedBatch): void {
    if (this.#failed) return
    this.#queue.push({ batch, converted })
    this.#work()
  }

  #work(): void {
    if (!this.#failed && this.#hasWork) this.#running ??= this.#commitAll()
  }

  get #hasWork(): boolean {
    return this.#queue.length > 0 || (this.#mustEnd && this.#held.length > 0)
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#hasWork) {
        this.#movedAt = Date.now()
        const batches = this.#take()
        await this.#write(batches, this.#endAfter(batches))
      }
    } catch (error) {
      this.#failed = true
      this.#failure = error
      this.#context.onFailure(error)
    } finally {
      this.#running = undefined
    }
  }

  get #mustEnd(): boolean {
    return this.#isDue || this.#flushing
  }

  /** All that waits, or as much of it as can be in the transaction that is open. */
  #take(): Sent[] {
    if (this.#options.boundary.kind !== 'connector') return this.#queue.splice(0)
    const last = this.#queue.findIndex(({ batch }) => batch.transaction !== undefined)
    return this.#queue.splice(0, last < 0 ? Infinity : last + 1)
  }

  #endAfter(batches: readonly Sent[]): End {
    const { boundary, isFull } = this.#options
    if (boundary.kind === 'poll') return 'commit'
    const said = boundary.kind === 'connector' ? batches.at(-1)?.batch.transaction : undefined
    if (said !== undefined) return said
    if (this.#mustEnd) return 'commit'
    if (boundary.kind === 'interval' && isFull()) return 'commit'
    return undefined
  }

  async #write(batches: readonly Sent[], end: End): Promise<void> {
    this.#held.push(...batches)
    if (end === 'abort') await this.#drop()
    const complete = await this.#send(end === 'abort' ? [] : batches, end !== undefined)
    if (complete) await this.#acknowledge()
    else this.#keepOpen()
  }

  /** Takes the records of the open transaction out of it: their offsets count, as if nothing had been there to send. */
  async #drop(): Promise<void> {
    for (const { converted } of this.#held) converted.out.length = converted.origins.length = 0
    if (!this.#inTransaction) return
    await this.#context.producer.abort()
    this.#inTransaction = false
  }

  /** Returns whether the transaction has been ended. */
  async #send(batches: readonly Sent[], ends: boolean): Promise<boolean> {
    const { tracker, offsets, producer, connector } = this.#context
    const positions = ends ? tracker.offsetsOf(this.#held.map(({ batch }) => batch)) : []
    let left = batches
    while (this.#inTransaction || positions.length > 0 || left.some(({ converted }) => converted.out.length > 0)) {
      if (!this.#inTransaction) producer.begin()
      this.#inTransaction = true
      if (await this.#produceAll(left, offsets.records(connector, positions))) {
        this.#movedAt = Date.now()
        if (!ends) return false
        await this.#settleDeadLetters()
        await producer.commit()
        this.#inTransaction = false
        break
      }
      // The records that the log refused are taken out by now: the others go again.
      await producer.abort()
      this.#inTransaction = false
      if (this.#outgrown) throw tooLargeToRepeat()
      left = this.#held
    }
    if (ends) offsets.remember(connector, positions)
    return ends
  }

  async #acknowledge(): Promise<void> {
    const { tracker, onProgress } = this.#context
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#isDue = false
    this.#outgrown = false
    await this.#settleDeadLetters()
    for (const { batch } of this.#held.splice(0)) tracker.acknowledge(batch)
    const snapshot = tracker.takeOffsets()
    if (snapshot !== undefined) tracker.stored(snapshot)
    onProgress()
    await this.#durable.call(tracker.takeDurable())
  }

  #keepOpen(): void {
    const { boundary, isFull } = this.#options
    const { tracker, onProgress } = this.#context
    if (boundary.kind === 'interval') {
      this.#timer ??= setTimeout(() => {
        this.#isDue = true
        this.#work()
      }, boundary.intervalMs)
      return
    }
    // Only the connector can end it: what is in the log already makes room for what is still to come.
    const endIsHere = this.#queue.some(({ batch }) => batch.transaction !== undefined)
    if (endIsHere || !isFull()) return
    this.#outgrown = true
    for (const { batch, converted } of this.#held) {
      tracker.release(batch)
      converted.out.length = converted.origins.length = 0
    }
    onProgress()
  }

  /**
   * Whether all is in the transaction. Where not, and errors are tolerated, the refused records have been taken out.
   * @throws LogError, or ConnectError where a refused record fails the task
   */
  async #produceAll(sent: readonly Sent[], offsetRecords: Parameters<CommitContext['producer']['produce']>[0]) {
    const { producer, activity } = this.#context
    const filled = sent.filter(({ converted }) => converted.out.length > 0)
    const results = await Promise.allSettled([
      ...filled.map(({ converted }) => producer.produce(converted.out)),
      ...(offsetRecords.length > 0 ? [producer.produce(offsetRecords)] : []),
    ])
    let complete = true
    for (const [i, result] of results.entries()) {
      if (result.status === 'rejected') throw result.reason as Error
      if (result.value.failures.length === 0) continue
      if (i >= filled.length) throw result.value.failures[0]!.error
      this.#takeOut(filled[i]!.converted, result.value)
      complete = false
    }
    if (complete) for (const { converted } of filled) activity.counts.written += converted.out.length
    return complete
  }

  #takeOut(converted: ConvertedBatch, { failures }: ProduceResult): void {
    for (const { index, error } of failures) {
      this.#context.conversion.refuse(converted, converted.origins[index]!, 'KAFKA_PRODUCE', 'producer', error)
    }
    const refused = new Set(failures.map(({ index }) => index))
    const keep = <T>(list: T[]): T[] => list.filter((_, index) => !refused.has(index))
    converted.out.splice(0, Infinity, ...keep(converted.out))
    converted.origins.splice(0, Infinity, ...keep(converted.origins))
  }

  async #settleDeadLetters(): Promise<void> {
    for (const { converted } of this.#held) {
      if (converted.deadLetters.length > 0) await Promise.all(converted.deadLetters)
    }
  }

  async flush(what: 'all' | 'complete'): Promise<void> {
    this.#flushing = what === 'all' || this.#options.boundary.kind !== 'connector'
    this.#work()
    await this.#running
    this.#flushing = false
    if (this.#failed) throw this.#failure as Error
  }

  waitsFor(): Wait | undefined {
    if (this.#running === undefined || this.#durable.areUnderWay) return undefined
    const batches = batchesText(this.#held.length, this.#context.tracker.bytes)
    return { kind: 'commit', what: `waits for the log to take a transaction of ${batches}`, since: this.#movedAt }
  }

  async close(): Promise<void> {
    const { producer } = this.#context
    clearTimeout(this.#timer)
    this.#queue.length = 0
    try {
      // Readers of the topics would otherwise wait for it until the transaction times out.
      if (this.#inTransaction) await producer.abort()
    } catch {
      // The next copy of the task ends it with its initTransactions.
    } finally {
      await producer.close()
    }
  }
}

function tooLargeToRepeat(): DataError {
  return new DataError(
    'the log refused a record of a transaction that is larger than source.max.buffered.bytes, and so cannot be sent again without it: ' +
      'raise source.max.buffered.bytes, or let the connector end its transactions sooner',
  )
}
