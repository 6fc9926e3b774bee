/**
 * Records and offsets in one transaction (KIP-618): either both are in the log, or neither is. A transaction takes all
 * whole batches that came while the one before was committed, so that a slow commit makes transactions larger, not the
 * task slower.
 */
import { DurableCalls, type CommitContext, type CommitStep } from './commit-step.ts'
import type { TrackedBatch } from './delivery.ts'
import type { ProduceResult } from '../client/client.ts'
import type { ConvertedBatch } from './source-conversion.ts'

interface Sent {
  readonly batch: TrackedBatch
  readonly converted: ConvertedBatch
}

/** See the head of the file. */
export class ExactlyOnceCommit implements CommitStep {
  readonly #context: CommitContext
  readonly #durable = new DurableCalls()
  readonly #queue: Sent[] = []
  #running: Promise<void> | undefined
  #inTransaction = false
  #failed = false
  #failure: unknown

  constructor(context: CommitContext) {
    this.#context = context
  }

  /** Fences the earlier copy of this task, if there is one, and ends what it left open. */
  async open(): Promise<void> {
    await this.#context.producer.initTransactions()
  }

  send(batch: TrackedBatch, converted: ConvertedBatch): void {
    if (this.#failed) return
    this.#queue.push({ batch, converted })
    this.#running ??= this.#commitAll()
  }

  async #commitAll(): Promise<void> {
    try {
      while (this.#queue.length > 0) await this.#commit(this.#queue.splice(0))
    } catch (error) {
      this.#failed = true
      this.#failure = error
      this.#context.onFailure(error)
    } finally {
      this.#running = undefined
    }
  }

  async #commit(sent: readonly Sent[]): Promise<void> {
    const { tracker, offsets, producer, connector, onProgress } = this.#context
    const positions = tracker.offsetsOf(sent.map(({ batch }) => batch))
    while (positions.length > 0 || sent.some(({ converted }) => converted.out.length > 0)) {
      producer.begin()
      this.#inTransaction = true
      if (await this.#produceAll(sent, offsets.records(connector, positions))) {
        await this.#settleDeadLetters(sent)
        await producer.commit()
        this.#inTransaction = false
        break
      }
      // The records that the log refused are taken out by now: the others go again.
      await producer.abort()
      this.#inTransaction = false
    }
    await this.#settleDeadLetters(sent)
    offsets.remember(connector, positions)
    for (const { batch } of sent) tracker.acknowledge(batch)
    const snapshot = tracker.takeOffsets()
    if (snapshot !== undefined) tracker.stored(snapshot)
    onProgress()
    await this.#durable.call(tracker.takeDurable())
  }

  /**
   * Whether all is in the transaction. Where not, and errors are tolerated, the refused records have been taken out.
   * @throws LogError, or ConnectError where a refused record fails the task
   */
  async #produceAll(sent: readonly Sent[], offsetRecords: Parameters<CommitContext['producer']['produce']>[0]) {
    const { producer } = this.#context
    const filled = sent.filter(({ converted }) => converted.out.length > 0)
    const results = await Promise.allSettled([
      ...filled.map(({ converted }) => producer.produce(converted.out)),
      ...(offsetRecords.length > 0 ? [producer.produce(offsetRecords)] : []),
    ])
    let complete = true
    results.forEach((result, i) => {
      if (result.status === 'rejected') throw result.reason as Error
      if (result.value.failures.length === 0) return
      if (i >= filled.length) throw result.value.failures[0]!.error
      this.#takeOut(filled[i]!.converted, result.value)
      complete = false
    })
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

  async #settleDeadLetters(sent: readonly Sent[]): Promise<void> {
    for (const { converted } of sent) if (converted.deadLetters.length > 0) await Promise.all(converted.deadLetters)
  }

  async flush(): Promise<void> {
    await this.#running
    if (this.#failed) throw this.#failure as Error
  }

  async close(): Promise<void> {
    const { producer } = this.#context
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
