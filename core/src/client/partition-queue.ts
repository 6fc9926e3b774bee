import type { ProducerBatch } from './producer-batch.ts'

/** What a broker keeps of the last batches of a producer to recognise one sent twice; no more may be unresolved. */
export const MAX_IN_FLIGHT = 5

const MAX_INT32 = 0x7fffffff

/** Sequence numbers go back to 0 after the largest int32. */
export function advanceSequence(sequence: number, by: number): number {
  const next = sequence + by
  return next > MAX_INT32 ? next - MAX_INT32 - 1 : next
}

/** Who produces, as the broker knows it. Shared by all partitions of a producer. */
export interface ProducerIdentity {
  /** -1 until the cluster has given one. */
  readonly producerId: number
  readonly producerEpoch: number
}

/**
 * The batches of one topic partition on their way, in the order in which they have to end up in the log.
 *
 * A batch waits in `queue`, is sent (`inFlight`), and is done or comes back to its old place in the queue. With an
 * identity each batch gets its sequence number when it is first sent. The broker refuses a batch whose predecessor it
 * lacks, so up to {@link MAX_IN_FLIGHT} may be under way at once without losing their order.
 *
 * Where the broker's sequence and ours have come apart (`gap`: a batch refused for good, one given up, state lost on
 * the broker) nothing new is sent until it is known of every batch once sent whether it is in the log: those in doubt
 * are sent again under their old numbers first, which cannot double them. Then, and only then, is the rest numbered
 * anew ({@link restart}).
 */
export class PartitionQueue {
  readonly topic: string
  readonly partition: number
  /** Takes records. It stands behind all in the queue. */
  open: ProducerBatch | undefined
  readonly queue: ProducerBatch[] = []
  readonly inFlight: ProducerBatch[] = []
  gap = false
  /** No sending before this moment, after an error. */
  notBefore = 0
  /** Errors in a row. */
  failures = 0
  #identity: ProducerIdentity = { producerId: -1, producerEpoch: -1 }
  #nextSequence = 0
  #lastAcknowledged = -1
  #lastAcknowledgedOrder = -1

  constructor(topic: string, partition: number) {
    this.topic = topic
    this.partition = partition
  }

  get isEmpty(): boolean {
    return this.open === undefined && this.queue.length === 0 && this.inFlight.length === 0
  }

  /** Under which the next batch is sent; an older one than the producer's while batches numbered under it are left. */
  get identity(): ProducerIdentity {
    return this.#identity
  }

  closeOpen(): void {
    if (this.open === undefined) return
    this.queue.push(this.open)
    this.open = undefined
  }

  /**
   * The batch to send now, if there is one.
   * @param identity undefined for a producer that is not idempotent: one batch at a time keeps its order
   */
  next(now: number, identity: ProducerIdentity | undefined): ProducerBatch | undefined {
    if (now < this.notBefore) return undefined
    const head = this.queue[0] ?? this.open
    if (head === undefined) return undefined
    if (identity === undefined) return this.inFlight.length === 0 ? head : undefined
    if (this.gap) return this.inFlight.length === 0 ? this.queue.find((batch) => batch.uncertain) : undefined
    if (head.sequence >= 0) return this.inFlight.some((batch) => batch.order < head.order) ? undefined : head
    if (identity.producerId < 0 || this.inFlight.length >= this.#window) return undefined
    // More behind one in doubt could push it out of what the broker remembers, and it would not be recognised.
    if (this.inFlight.some((batch) => batch.uncertain)) return undefined
    if (this.inFlight.length === 0 && !sameIdentity(identity, this.#identity)) this.restart(identity)
    return head
  }

  /**
   * A broker that knows nothing of the producer in this partition takes whatever number comes first: were the first
   * batch refused for a moment (a topic just made), the second would be taken before it. So the first goes alone.
   */
  get #window(): number {
    return this.#lastAcknowledged < 0 ? 1 : MAX_IN_FLIGHT
  }

  /** Takes a batch that {@link next} gave out of the queue, numbers it if it has no number yet, and gives its bytes. */
  send(batch: ProducerBatch, idempotent: boolean): Buffer {
    if (batch === this.open) this.open = undefined
    else this.queue.splice(this.queue.indexOf(batch), 1)
    if (idempotent && batch.sequence < 0) {
      batch.sequence = this.#nextSequence
      this.#nextSequence = advanceSequence(this.#nextSequence, batch.count)
    }
    this.inFlight.push(batch)
    batch.attempts++
    return batch.build({ ...this.#identity, baseSequence: batch.sequence })
  }

  /** The answer, or the want of one, is here. */
  received(batch: ProducerBatch): void {
    this.inFlight.splice(this.inFlight.indexOf(batch), 1)
  }

  acknowledged(batch: ProducerBatch): void {
    this.failures = 0
    if (batch.sequence < 0 || batch.order < this.#lastAcknowledgedOrder) return
    this.#lastAcknowledged = advanceSequence(batch.sequence, batch.count - 1)
    this.#lastAcknowledgedOrder = batch.order
  }

  /** Back to where it was. */
  requeue(batch: ProducerBatch): void {
    const at = this.queue.findIndex((other) => other.order > batch.order)
    this.queue.splice(at < 0 ? this.queue.length : at, 0, batch)
  }

  /** One before it is not in the log yet. */
  hasPredecessor(batch: ProducerBatch): boolean {
    const before = (other: ProducerBatch): boolean => other.order < batch.order
    return this.inFlight.some(before) || this.queue.some(before)
  }

  /** Of every batch once sent it is known whether it is in the log, so that the rest can be numbered anew. */
  get canMendGap(): boolean {
    return this.gap && this.inFlight.length === 0 && !this.queue.some((batch) => batch.uncertain)
  }

  /** The batches after the one in question were taken all the same: nothing is to be done. */
  get gapHasClosed(): boolean {
    const numbered = this.queue.some((batch) => batch.sequence >= 0)
    return !numbered && this.#nextSequence === advanceSequence(this.#lastAcknowledged, 1)
  }

  /** Begins at 0 under a new identity. */
  restart(identity: ProducerIdentity): void {
    this.#identity = { producerId: identity.producerId, producerEpoch: identity.producerEpoch }
    this.#lastAcknowledged = -1
    this.#lastAcknowledgedOrder = -1
    this.#renumber(0)
  }

  /** Goes on after the last that was acknowledged, under the same identity. */
  renumber(): void {
    this.#renumber(advanceSequence(this.#lastAcknowledged, 1))
  }

  #renumber(from: number): void {
    this.gap = false
    this.#nextSequence = from
    for (const batch of this.queue) {
      if (batch.sequence < 0) continue
      batch.sequence = this.#nextSequence
      this.#nextSequence = advanceSequence(this.#nextSequence, batch.count)
    }
  }
}

const sameIdentity = (a: ProducerIdentity, b: ProducerIdentity): boolean =>
  a.producerId === b.producerId && a.producerEpoch === b.producerEpoch
