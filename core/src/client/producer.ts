import type { TopicPartitionOffset } from '@tidewire/sdk'
import { closedError, retry, sleep } from './backoff.ts'
import {
  LogError,
  type GroupMetadata,
  type OutRecord,
  type Producer,
  type ProducerOptions,
  type ProduceResult,
} from './client.ts'
import type { Cluster } from './cluster.ts'
import type { ConnectionPool } from './connection-pool.ts'
import { partitionOfKey, StickyPartitioner } from './partitioner.ts'
import { ProduceCall, recordBytes } from './producer-batch.ts'
import { ClusterTransport } from './produce-transport.ts'
import { IdempotentSession } from './producer-session.ts'
import { Sender } from './sender.ts'
import { Transactions } from './transactions.ts'

/** `buffer.memory`: what waits and what is under way, all calls together. A call that comes on top waits. */
const BUFFER_BYTES = 32 * 1024 * 1024
/** `max.block.ms`: how long an unknown topic or the transaction coordinator is waited for. */
const MAX_BLOCK_MS = 60_000

/** What the producer knows of a topic it was given records for. */
interface TopicState {
  readonly name: string
  /** 0 until it is known. */
  partitions: number
  readonly sticky: StickyPartitioner
  /** Records that came before the topic's partitions were known, in order. */
  readonly waiting: { readonly call: ProduceCall; readonly index: number }[]
}

export class LogProducer implements Producer {
  readonly #cluster: Cluster
  readonly #pool: ConnectionPool
  readonly #options: ProducerOptions
  readonly #closing = new AbortController()
  readonly #sender: Sender
  readonly #transactions: Transactions | undefined
  readonly #maxBlockMs: number
  readonly #topics = new Map<string, TopicState>()
  /** Calls for which there is no room yet, in order. */
  readonly #queued: ProduceCall[] = []
  readonly #idleWaiters: (() => void)[] = []
  #lastTopic: TopicState | undefined
  #waitingRecords = 0
  #fatal: LogError | undefined

  constructor(cluster: Cluster, options: ProducerOptions) {
    const { transactionalId, acks = 'all', compression = 'none', maxRequestBytes = 1024 * 1024 } = options
    const idempotent = options.idempotent ?? acks === 'all'
    if (acks === 'leader' && (idempotent || transactionalId !== undefined)) {
      throw new TypeError('acks=leader cannot be idempotent or transactional')
    }
    if (transactionalId !== undefined && options.idempotent === false) {
      throw new TypeError('a transactional producer is idempotent')
    }
    this.#cluster = cluster
    this.#options = options
    const deliveryTimeoutMs = options.deliveryTimeoutMs ?? 120_000
    this.#maxBlockMs = deliveryTimeoutMs === 0 ? MAX_BLOCK_MS : Math.min(MAX_BLOCK_MS, deliveryTimeoutMs)
    this.#pool = cluster.newPool(options)
    const closing = this.#closing.signal
    const wake = (): void => this.#sender.wake()
    if (transactionalId !== undefined) {
      const { transactionTimeoutMs = 60_000 } = options
      const settings = { transactionalId, transactionTimeoutMs, maxBlockMs: this.#maxBlockMs }
      this.#transactions = new Transactions(cluster, this.#pool, settings, closing, wake, (error) =>
        this.#onBroken(error),
      )
    }
    const session =
      this.#transactions ??
      (idempotent ? new IdempotentSession(cluster, closing, wake, (error) => this.#fail(error)) : undefined)
    const request = {
      acks: acks === 'all' ? (-1 as const) : (1 as const),
      transactionalId: transactionalId ?? null,
      requestTimeoutMs: options.requestTimeoutMs ?? cluster.requestTimeoutMs,
      transactionV2: () => this.#transactions?.isV2 === true,
    }
    const transport = new ClusterTransport(cluster, this.#pool, request, closing, wake)
    this.#sender = new Sender(
      transport,
      session,
      {
        compression,
        isTransactional: transactionalId !== undefined,
        maxRequestBytes,
        maxBatchBytes: Math.min(options.maxBatchBytes ?? 1_000_000, maxRequestBytes),
        deliveryTimeoutMs: deliveryTimeoutMs === 0 ? Infinity : deliveryTimeoutMs,
      },
      () => this.#settled(),
    )
    cluster.register(this)
  }

  produce(records: readonly OutRecord[]): Promise<ProduceResult> {
    const refusal = this.#refusal()
    if (refusal !== undefined) return Promise.reject(refusal)
    if (records.length === 0) return Promise.resolve({ failures: [], offsets: [] })
    const call = new ProduceCall(records)
    if (this.#queued.length > 0) this.#queued.push(call)
    else this.#take(call)
    return call.result
  }

  async initTransactions(): Promise<void> {
    await this.#transactional().init()
    this.#sender.restartSequences()
  }

  begin(): void {
    this.#transactional().begin()
  }

  async sendOffsets(group: string | GroupMetadata, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#transactional().sendOffsets(group, offsets)
  }

  async commit(): Promise<void> {
    const transactions = this.#transactional()
    transactions.startEnd(true)
    await this.#idle()
    await this.#end(transactions, true)
  }

  async abort(): Promise<void> {
    const transactions = this.#transactional()
    transactions.startEnd(false)
    const reason = new LogError('TRANSACTION_ABORTED', 'the transaction was aborted before it was sent', retriable)
    this.#dropWaiting(reason)
    this.#sender.abandon(reason)
    await this.#idle()
    await this.#end(transactions, false)
    this.#sender.resume()
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    const transactions = this.#transactions
    this.#fatal ??= closedError('producer')
    const timeout = new AbortController()
    await Promise.race([this.#idle(), sleep(this.#cluster.requestTimeoutMs, timeout.signal)])
    timeout.abort()
    if (transactions?.isUnfinished === true) await this.#abortOpen(transactions)
    this.#closing.abort()
    this.#dropWaiting(closedError('producer'))
    this.#sender.close()
    this.#cluster.closePool(this.#pool)
    this.#cluster.unregister(this)
  }

  /** Readers of what comes after would otherwise wait for the transaction to time out. */
  async #abortOpen(transactions: Transactions): Promise<void> {
    try {
      transactions.startEnd(false)
      await this.#end(transactions, false)
    } catch (error) {
      this.#cluster.logger.warn('closing a producer: its transaction is left to time out', { error: String(error) })
    }
  }

  async #end(transactions: Transactions, commit: boolean): Promise<void> {
    if (await transactions.end(commit, this.#sender.hasLostSequence)) this.#sender.restartSequences()
  }

  #transactional(): Transactions {
    if (this.#transactions === undefined) throw new TypeError('the producer has no transactional id')
    return this.#transactions
  }

  /** Why records cannot be taken now. */
  #refusal(): LogError | undefined {
    if (this.#fatal !== undefined) return this.#fatal
    if (this.#transactions === undefined || this.#transactions.isOpen) return undefined
    const message = `produce of transactional id ${String(this.#options.transactionalId)} outside of a transaction`
    return this.#transactions.error ?? new LogError('INVALID_TXN_STATE', message, { retriable: false })
  }

  /** Puts a call's records into batches, as far as there is room; the rest follows when there is again. */
  #take(call: ProduceCall): void {
    const { records } = call
    const now = Date.now()
    let index = call.cursor
    this.#lastTopic = undefined
    try {
      for (; index < records.length; index++) {
        if (this.#sender.bufferedBytes >= BUFFER_BYTES) break
        this.#append(call, index, records[index]!, now)
      }
    } catch (error) {
      // A record that is no record (a wrong type): the caller's mistake, and the whole call's.
      call.cursor = records.length
      const message = `record ${index} cannot be written: ${String(error)}`
      call.fail(records.length - index, new LogError('INVALID_RECORD', message, { retriable: false, cause: error }))
      return
    }
    call.cursor = index
    if (index < records.length) this.#queued.unshift(call)
  }

  #append(call: ProduceCall, index: number, record: OutRecord, now: number): void {
    const topic = this.#topic(record.topic)
    const { partition = 0 } = record
    if (topic.waiting.length > 0 || partition < 0 || partition >= topic.partitions) {
      topic.waiting.push({ call, index })
      this.#waitingRecords++
      if (topic.waiting.length === 1) void this.#discover(record.topic, topic)
    } else {
      this.#sender.append(call, index, record, this.#partition(topic, record), now)
    }
  }

  #partition(topic: TopicState, record: OutRecord): number {
    if (record.partition !== undefined) return record.partition
    if (record.key !== null) return partitionOfKey(record.key, topic.partitions)
    return topic.sticky.next(topic.partitions, recordBytes(record))
  }

  #topic(name: string): TopicState {
    const last = this.#lastTopic
    if (last?.name === name) return last
    let topic = this.#topics.get(name)
    if (topic === undefined) {
      topic = { name, partitions: 0, sticky: new StickyPartitioner(), waiting: [] }
      this.#topics.set(name, topic)
    }
    // Topics grow; the cluster looks again every few minutes.
    topic.partitions = this.#cluster.topic(name)?.partitions.length ?? topic.partitions
    this.#lastTopic = topic
    return topic
  }

  /** Learns of a topic, or of a partition it has not had; then takes what waited for it, or fails it. */
  async #discover(name: string, topic: TopicState): Promise<void> {
    let error: LogError | undefined
    try {
      await retry(
        async () => {
          await this.#cluster.refresh([name], true)
          topic.partitions = this.#cluster.topic(name)?.partitions.length ?? 0
          if (topic.partitions === 0) throw this.#cluster.topicError(name)
        },
        { what: `topic ${name}`, timeoutMs: this.#maxBlockMs, signal: this.#closing.signal },
      )
    } catch (cause) {
      error = cause instanceof LogError ? cause : new LogError('PROTOCOL', String(cause), { retriable: false, cause })
    }
    const now = Date.now()
    const waiting = topic.waiting.splice(0)
    this.#waitingRecords -= waiting.length
    for (const { call, index } of waiting) {
      const record = call.records[index]!
      const reason = error ?? this.#missingPartition(record, topic)
      if (reason === undefined) this.#sender.append(call, index, record, this.#partition(topic, record), now)
      else if (reason.retriable) call.fail(1, reason)
      else call.refuse(index, reason)
    }
    this.#settled()
  }

  #missingPartition(record: OutRecord, topic: TopicState): LogError | undefined {
    if (record.partition === undefined || (record.partition >= 0 && record.partition < topic.partitions))
      return undefined
    const message = `topic ${record.topic} has ${topic.partitions} partitions, not a partition ${record.partition}`
    return new LogError('UNKNOWN_TOPIC_OR_PARTITION', message, { retriable: false })
  }

  /** Batches are done: there may be room again, or nothing left to wait for. */
  #settled(): void {
    while (this.#queued.length > 0 && this.#sender.bufferedBytes < BUFFER_BYTES) this.#take(this.#queued.shift()!)
    if (!this.#isIdle) return
    for (const waiter of this.#idleWaiters.splice(0)) waiter()
  }

  get #isIdle(): boolean {
    return this.#sender.isIdle && this.#queued.length === 0 && this.#waitingRecords === 0
  }

  /** Resolves when every record given has settled. */
  async #idle(): Promise<void> {
    while (!this.#isIdle) await new Promise<void>((resolve) => this.#idleWaiters.push(resolve))
  }

  #dropWaiting(reason: LogError): void {
    for (const call of this.#queued.splice(0)) call.fail(call.records.length - call.cursor, reason)
    for (const topic of this.#topics.values()) {
      const waiting = topic.waiting.splice(0)
      this.#waitingRecords -= waiting.length
      for (const { call } of waiting) call.fail(1, reason)
    }
  }

  /** Nothing more of this transaction is sent; in a moment, since the sender may be at work on it. */
  #onBroken(error: LogError): void {
    queueMicrotask(() => {
      this.#dropWaiting(error)
      this.#sender.abandon(error)
    })
  }

  #fail(error: LogError): void {
    this.#fatal ??= error
    this.#dropWaiting(error)
    this.#sender.abandon(error)
  }
}

const retriable = { retriable: true } as const
