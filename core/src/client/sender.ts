import { errorCodes } from '../protocol/errors.ts'
import type { ResponseOf } from '../protocol/message.ts'
import type { produce } from '../protocol/messages/produce.ts'
import { backoffMs, closedError, monotonicMs, retryBackoff, type BackoffRange } from './backoff.ts'
import { LogError, type OutRecord } from './client.ts'
import { staleMetadata } from './cluster.ts'
import { brokerError } from './connection.ts'
import { advanceSequence, MAX_IN_FLIGHT, PartitionQueue, type ProducerIdentity } from './partition-queue.ts'
import { ProducerBatch, type BatchOptions, type ProduceCall } from './producer-batch.ts'

type ProduceResponse = ResponseOf<typeof produce>
type PartitionAnswer = ProduceResponse['responses'][number]['partitionResponses'][number]

/** One batch in a request. */
export interface Shipment {
  readonly topic: string
  readonly partition: number
  readonly records: Buffer
}

/** An open connection to a broker, as far as the sender needs it. */
export interface ProduceChannel {
  /** @throws LogError NETWORK or TIMEOUT where it is unknown whether the broker has seen it */
  send(shipments: readonly Shipment[]): Promise<ProduceResponse>
}

/** The cluster, as far as the sender needs it. Made so that tests can script what a broker answers. */
export interface ProduceTransport {
  /** Names the leader of a partition; undefined while there is none known. */
  leader(topic: string, partition: number): string | undefined
  /** The open connection; while there is none, one is being opened, and {@link Sender.wake} called when that has ended. */
  channel(leader: string): ProduceChannel | undefined
  /** Asks for fresh metadata of these topics; {@link Sender.wake} is called when it is there. */
  refresh(topics: ReadonlySet<string>): void
}

/** What the sender does about sequences and transactions; undefined for a producer without either. */
export interface ProducerSession extends ProducerIdentity {
  /** A transaction cannot outlive a lost sequence; an idempotent producer goes on under its next epoch. */
  readonly transactional: boolean
  /** Whether batches of this partition may be sent now; if not yet, {@link Sender.wake} follows. */
  admits(topic: string, partition: number): boolean
  /** A batch of this partition is in the log. */
  acknowledged(topic: string, partition: number): void
  /** Takes the next epoch. Only of a producer without transactions. */
  bumpEpoch(): void
  /** Asks for another producer id, since this one is of no use any more. Only of a producer without transactions. */
  replace(): void
  /** Something that the current transaction, or the whole producer, does not survive. */
  failed(error: LogError): void
}

export interface SenderOptions extends Pick<BatchOptions, 'compression' | 'isTransactional'> {
  readonly maxRequestBytes: number
  readonly maxBatchBytes: number
  /** Infinity for no limit. */
  readonly deliveryTimeoutMs: number
  readonly backoff?: BackoffRange
}

/** Room for the header of a request and of a batch. */
const OVERHEAD_BYTES = 512

/**
 * Takes records into batches and gets these into the log: as many at once as {@link PartitionQueue} allows, up to
 * {@link MAX_IN_FLIGHT} requests a broker, again after errors that pass.
 *
 * What to send is decided in one place (`#pump`), which runs at most once a turn of the event loop, so that all records
 * that came in one turn share their batches and requests.
 */
export class Sender {
  readonly #transport: ProduceTransport
  readonly #session: ProducerSession | undefined
  readonly #options: SenderOptions
  /** Told whenever batches have settled. */
  readonly #onSettled: () => void
  readonly #partitions = new Map<string, PartitionQueue[]>()
  readonly #active = new Set<PartitionQueue>()
  /** Smaller than the setting where the broker has said so. */
  readonly #maxBatchBytes = new Map<string, number>()
  readonly #inFlight = new Map<string, number>()
  readonly #staleTopics = new Set<string>()
  #bufferedBytes = 0
  #orders = 0
  #turn = 0
  #scheduled: NodeJS.Immediate | undefined
  #timer: NodeJS.Timeout | undefined
  #timerAt = Infinity
  #closed = false
  #abandoned: LogError | undefined

  constructor(
    transport: ProduceTransport,
    session: ProducerSession | undefined,
    options: SenderOptions,
    onSettled: () => void,
  ) {
    this.#transport = transport
    this.#session = session
    this.#options = options
    this.#onSettled = onSettled
  }

  /** Of all batches not settled. */
  get bufferedBytes(): number {
    return this.#bufferedBytes
  }

  /** Nothing waits and nothing is under way. */
  get isIdle(): boolean {
    return this.#active.size === 0
  }

  /** Takes a record into its partition's batch, or refuses it to its call where it is too large for any. */
  append(call: ProduceCall, index: number, record: OutRecord, partition: number, now: number): void {
    const queue = this.#queue(record.topic, partition)
    const before = queue.open?.bytes ?? 0
    if (queue.open?.tryAppend(call, index, record, now) === true) {
      this.#bufferedBytes += queue.open.bytes - before
      return
    }
    queue.closeOpen()
    const batch = this.#newBatch(record.topic)
    batch.tryAppend(call, index, record, now)
    if (batch.bytes > this.#options.maxRequestBytes - OVERHEAD_BYTES) {
      const message = `record of ${batch.bytes} bytes for topic ${record.topic}; max.request.size allows ${this.#options.maxRequestBytes}`
      call.refuse(index, new LogError('MESSAGE_TOO_LARGE', message, { retriable: false }))
      return
    }
    queue.open = batch
    this.#bufferedBytes += batch.bytes
    this.#active.add(queue)
    this.wake()
  }

  /** There may be something to do. */
  wake(): void {
    if (this.#closed) return
    this.#scheduled ??= setImmediate(() => {
      this.#scheduled = undefined
      this.#pump()
    })
  }

  /**
   * Fails what waits; what is under way is not sent again, until {@link resume}.
   */
  abandon(error: LogError): void {
    this.#abandoned = error
    for (const queue of this.#active) {
      queue.closeOpen()
      for (const batch of queue.queue.splice(0)) this.#lose(queue, batch, error)
      if (queue.isEmpty) this.#active.delete(queue)
    }
    this.#onSettled()
  }

  /** Sends again. Only while idle. */
  resume(): void {
    this.#abandoned = undefined
  }

  /** Numbers were given to batches that were then given up: the identity is of no further use to some partition. */
  get hasLostSequence(): boolean {
    for (const queues of this.#partitions.values()) if (queues.some((queue) => queue.gap)) return true
    return false
  }

  /** All partitions begin anew, under the identity of the session. Only while idle. */
  restartSequences(): void {
    const session = this.#session
    if (session === undefined) return
    // forEach leaves out the partitions that nothing was sent to, for which there is no queue.
    for (const queues of this.#partitions.values()) queues.forEach((queue) => queue.restart(session))
  }

  /** What is left fails with `CLOSED`. */
  close(): void {
    if (this.#closed) return
    this.abandon(closedError('producer'))
    this.#closed = true
    clearImmediate(this.#scheduled)
    clearTimeout(this.#timer)
  }

  #queue(topic: string, partition: number): PartitionQueue {
    let queues = this.#partitions.get(topic)
    if (queues === undefined) this.#partitions.set(topic, (queues = []))
    return (queues[partition] ??= new PartitionQueue(topic, partition))
  }

  #newBatch(topic: string): ProducerBatch {
    const { compression, isTransactional, maxBatchBytes } = this.#options
    const maxBytes = this.#maxBatchBytes.get(topic) ?? maxBatchBytes
    return new ProducerBatch({ compression, isTransactional, maxBytes }, this.#orders++, monotonicMs())
  }

  #pump(): void {
    if (this.#closed) return
    const now = monotonicMs()
    const ready = new Map<string, PartitionQueue[]>()
    for (const queue of this.#active) {
      this.#expire(queue, now)
      this.#mendGap(queue)
      if (queue.isEmpty) this.#active.delete(queue)
      else this.#place(queue, ready)
    }
    if (this.#active.size === 0) this.#onSettled()
    if (this.#staleTopics.size > 0) {
      this.#transport.refresh(new Set(this.#staleTopics))
      this.#staleTopics.clear()
    }
    this.#turn++
    for (const [leader, queues] of ready) this.#sendTo(leader, queues, now)
    this.#setTimer(now)
  }

  #place(queue: PartitionQueue, ready: Map<string, PartitionQueue[]>): void {
    if (queue.queue.length === 0 && queue.open === undefined) return
    const leader = this.#transport.leader(queue.topic, queue.partition)
    if (leader === undefined) {
      this.#staleTopics.add(queue.topic)
      return
    }
    const queues = ready.get(leader)
    if (queues === undefined) ready.set(leader, [queue])
    else queues.push(queue)
  }

  #sendTo(leader: string, queues: readonly PartitionQueue[], now: number): void {
    const inFlight = this.#inFlight.get(leader) ?? 0
    if (inFlight >= MAX_IN_FLIGHT) return
    const channel = this.#transport.channel(leader)
    if (channel === undefined) return
    for (let sent = inFlight; sent < MAX_IN_FLIGHT; sent++) {
      const cargo = this.#collect(queues, now)
      if (cargo.length === 0) return
      this.#inFlight.set(leader, sent + 1)
      void this.#ship(leader, channel, cargo)
    }
  }

  /** At most one batch a partition, as the protocol has it. Starts elsewhere each turn, so that none is starved. */
  #collect(queues: readonly PartitionQueue[], now: number): [PartitionQueue, ProducerBatch][] {
    const cargo: [PartitionQueue, ProducerBatch][] = []
    let bytes = OVERHEAD_BYTES
    for (let i = 0; i < queues.length; i++) {
      const queue = queues[(i + this.#turn) % queues.length]!
      if (this.#session?.admits(queue.topic, queue.partition) === false) continue
      const batch = queue.next(now, this.#session)
      if (batch === undefined) continue
      if (cargo.length > 0 && bytes + batch.bytes > this.#options.maxRequestBytes) break
      bytes += batch.bytes
      cargo.push([queue, batch])
    }
    return cargo
  }

  async #ship(
    leader: string,
    channel: ProduceChannel,
    cargo: readonly [PartitionQueue, ProducerBatch][],
  ): Promise<void> {
    try {
      const shipments = cargo.map(([queue, batch]): Shipment => {
        const records = queue.send(batch, this.#session !== undefined)
        return { topic: queue.topic, partition: queue.partition, records }
      })
      const response = await channel.send(shipments)
      const answers = new Map<string, PartitionAnswer>()
      for (const topic of response.responses) {
        for (const answer of topic.partitionResponses) answers.set(`${topic.name}-${answer.index}`, answer)
      }
      for (const [queue, batch] of cargo) {
        queue.received(batch)
        const answer = answers.get(`${queue.topic}-${queue.partition}`)
        if (answer !== undefined) this.#answered(queue, batch, answer)
        else this.#unanswered(queue, batch, new LogError('PROTOCOL', 'Produce: a batch without an answer', retriable))
      }
    } catch (error) {
      const reason =
        error instanceof LogError ? error : new LogError('PROTOCOL', String(error), { ...retriable, cause: error })
      for (const [queue, batch] of cargo) {
        if (!queue.inFlight.includes(batch)) continue
        queue.received(batch)
        this.#unanswered(queue, batch, reason)
      }
    }
    this.#inFlight.set(leader, this.#inFlight.get(leader)! - 1)
    for (const [queue] of cargo) if (queue.isEmpty) this.#active.delete(queue)
    this.#onSettled()
    this.wake()
  }

  #unanswered(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    batch.uncertain = true
    if (error.retriable) this.#again(queue, batch, error)
    else this.#giveUp(queue, batch, error)
  }

  #answered(queue: PartitionQueue, batch: ProducerBatch, answer: PartitionAnswer): void {
    const { errorCode } = answer
    if (errorCode === 0 || errorCode === errorCodes.DUPLICATE_SEQUENCE_NUMBER) {
      queue.acknowledged(batch)
      this.#session?.acknowledged(queue.topic, queue.partition)
      this.#bufferedBytes -= batch.reserved
      batch.acknowledge(queue.topic, queue.partition, errorCode === 0 ? answer.baseOffset : -1)
      return
    }
    const where = `producing to ${queue.topic}-${queue.partition}`
    const error = brokerError(errorCode, where, answer.errorMessage)!
    if (errorCode === errorCodes.MESSAGE_TOO_LARGE && batch.count > 1) this.#split(queue, batch)
    else if (answer.recordErrors.length > 0 && !error.retriable) this.#dropBad(queue, batch, answer, error)
    else if (sequenceErrors.has(error.code) && this.#session !== undefined) this.#outOfSequence(queue, batch, error)
    else if (endOfTransaction.has(error.code) && this.#session !== undefined) this.#giveUp(queue, batch, error)
    // Not acknowledged by all replicas, or not in time: it may be in the log.
    else if (maybeAppended.has(error.code)) this.#unanswered(queue, batch, error)
    else if (error.retriable) this.#again(queue, batch, error)
    else this.#refuse(queue, batch, error)
  }

  #again(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    batch.lastError = error
    queue.failures++
    queue.notBefore = monotonicMs() + backoffMs(queue.failures, this.#options.backoff ?? retryBackoff)
    if (staleMetadata.has(error.code)) this.#staleTopics.add(queue.topic)
    this.#requeue(queue, batch)
  }

  #requeue(queue: PartitionQueue, batch: ProducerBatch): void {
    if (this.#abandoned === undefined) queue.requeue(batch)
    else this.#lose(queue, batch, this.#abandoned)
  }

  /** Two halves take its place and its sequence numbers, and what follows is made smaller from the start. */
  #split(queue: PartitionQueue, batch: ProducerBatch): void {
    const halves = batch.split()
    let { sequence } = batch
    this.#bufferedBytes -= batch.reserved
    for (const half of halves) {
      if (batch.sequence >= 0) {
        half.sequence = sequence
        sequence = advanceSequence(sequence, half.count)
      }
      this.#bufferedBytes += half.reserved
      this.#requeue(queue, half)
    }
    const known = this.#maxBatchBytes.get(queue.topic) ?? Infinity
    this.#maxBatchBytes.set(queue.topic, Math.min(known, Math.max(1024, batch.reserved >> 1)))
  }

  /** KIP-467: the broker took none of the batch because of some records in it. The others are sent without them. */
  #dropBad(queue: PartitionQueue, batch: ProducerBatch, answer: PartitionAnswer, error: LogError): void {
    const bad = new Map(
      answer.recordErrors.map((each) => {
        const message =
          each.batchIndexErrorMessage === null ? error.message : `${error.message}: ${each.batchIndexErrorMessage}`
        return [each.batchIndex, new LogError(error.code, message, { retriable: false })]
      }),
    )
    const rest = batch.without(bad)
    this.#bufferedBytes -= batch.reserved
    if (rest !== undefined) {
      this.#bufferedBytes += rest.reserved
      rest.sequence = batch.sequence
      this.#requeue(queue, rest)
    }
    if (batch.sequence >= 0) queue.gap = true
  }

  /**
   * The broker misses a batch before this one. Most often that was refused a moment ago and is to be sent again itself;
   * where none is left before this one, the broker has lost what it knew of us (KIP-360).
   */
  #outOfSequence(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    const session = this.#session!
    // The one answer that also speaks of earlier attempts: had one of them been taken, this would have been recognised.
    batch.uncertain = false
    if (!sequenceLost.has(error.code)) {
      if (session.transactional) {
        this.#giveUp(queue, batch, error)
        return
      }
      // An id that is ours alone, but of no use any more.
      if (session.producerId === queue.identity.producerId) session.replace()
      queue.gap = true
    } else if (!queue.gap && !queue.hasPredecessor(batch)) {
      if (session.transactional) {
        this.#giveUp(queue, batch, error)
        return
      }
      queue.gap = true
    }
    batch.lastError = error
    this.#requeue(queue, batch)
  }

  #mendGap(queue: PartitionQueue): void {
    const session = this.#session
    if (session === undefined || !queue.canMendGap) return
    if (queue.gapHasClosed) queue.gap = false
    else if (session.transactional) queue.renumber()
    else {
      if (session.producerId === queue.identity.producerId && session.producerEpoch === queue.identity.producerEpoch) {
        session.bumpEpoch()
      }
      if (session.producerId >= 0) queue.restart(session)
    }
  }

  /** None of it is in the log or ever will be. */
  #refuse(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    this.#bufferedBytes -= batch.reserved
    batch.refuse(error)
    if (batch.sequence >= 0) queue.gap = true
  }

  #giveUp(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    this.#lose(queue, batch, error)
    this.#session?.failed(error)
  }

  #lose(queue: PartitionQueue, batch: ProducerBatch, error: LogError): void {
    this.#bufferedBytes -= batch.reserved
    batch.fail(error)
    if (batch.sequence >= 0) queue.gap = true
  }

  #expire(queue: PartitionQueue, now: number): void {
    const { deliveryTimeoutMs } = this.#options
    const oldest = queue.queue[0] ?? queue.open
    if (oldest === undefined || now - oldest.createdAt < deliveryTimeoutMs) return
    if (queue.open !== undefined && now - queue.open.createdAt >= deliveryTimeoutMs) queue.closeOpen()
    const expired = queue.queue.filter((batch) => now - batch.createdAt >= deliveryTimeoutMs)
    for (const batch of expired) {
      queue.queue.splice(queue.queue.indexOf(batch), 1)
      const reason = batch.lastError === undefined ? 'no leader could be reached' : batch.lastError.message
      const message = `${queue.topic}-${queue.partition}: not delivered in ${deliveryTimeoutMs} ms: ${reason}`
      this.#giveUp(queue, batch, new LogError('TIMEOUT', message, { retriable: true, cause: batch.lastError }))
    }
    if (expired.length > 0) this.#onSettled()
  }

  /** For what waits for a moment rather than for an answer. */
  #setTimer(now: number): void {
    let at = Infinity
    for (const queue of this.#active) {
      const waiting = queue.queue[0] ?? queue.open
      if (waiting === undefined) continue
      at = Math.min(at, waiting.createdAt + this.#options.deliveryTimeoutMs)
      if (queue.notBefore > now) at = Math.min(at, queue.notBefore)
    }
    if (at >= this.#timerAt || at === Infinity) return
    clearTimeout(this.#timer)
    this.#timerAt = at
    this.#timer = setTimeout(
      () => {
        this.#timerAt = Infinity
        this.wake()
      },
      Math.min(0x7fffffff, Math.max(1, Math.ceil(at - now))),
    )
  }
}

const retriable = { retriable: true } as const

const sequenceLost: ReadonlySet<string> = new Set(['OUT_OF_ORDER_SEQUENCE_NUMBER', 'UNKNOWN_PRODUCER_ID'])

const sequenceErrors: ReadonlySet<string> = new Set([
  ...sequenceLost,
  'INVALID_PRODUCER_EPOCH',
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
])

const endOfTransaction: ReadonlySet<string> = new Set([
  'INVALID_TXN_STATE',
  'TRANSACTION_ABORTABLE',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
])

const maybeAppended: ReadonlySet<string> = new Set(['NOT_ENOUGH_REPLICAS_AFTER_APPEND', 'REQUEST_TIMED_OUT'])
