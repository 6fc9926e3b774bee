import type { Logger } from '../logging/logger.ts'
import type { LogManager } from '../log/log-manager.ts'
import { encodeControlBatch } from '../protocol/record-batch.ts'
import type { Clock, Timer } from './clock.ts'
import type { BrokerConfig } from './config.ts'
import type { GroupCoordinator } from './group-coordinator.ts'
import { coordinatorErrorOf, InternalTopic } from './internal-topic.ts'
import { kafkaErrorOf, type KafkaError } from './kafka-error.ts'
import type { ProducerIds } from './producer-ids.ts'
import { SerialQueues } from './serial-queues.ts'
import { offsetsTopic, transactionTopic } from './topic-catalog.ts'
import {
  decodeTransactionRecord,
  transactionRecord,
  transactionTombstone,
  type TransactionState,
  type TransactionStatus,
} from './transaction-log.ts'

export interface TransactionCoordinatorOptions {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly log: LogManager
  readonly logger: Logger
  readonly producerIds: Pick<ProducerIds, 'next'>
  readonly groups: Pick<GroupCoordinator, 'completeTransaction' | 'offsetsPartition'>
}

export interface ProducerIdentity {
  readonly producerId: number
  readonly producerEpoch: number
}

export interface InitResult extends ProducerIdentity {
  readonly error: KafkaError
}

export interface TopicPartitionName {
  readonly topic: string
  readonly partition: number
}

/** The last two epochs are kept for fencing; a producer that reaches them gets a new id. */
const lastUsableEpoch = 32_765
const markerRetryMs = 1000
/** There is one coordinator, and it never moves. */
const coordinatorEpoch = 0
const nobody = { producerId: -1, producerEpoch: -1 }

/**
 * Transactions (KIP-98, KIP-360, KIP-588). Each step is durable in `__transaction_state` before it is answered:
 *
 * ```
 *   Empty ─► Ongoing ─► PrepareCommit ─► CompleteCommit ─► Ongoing …
 *               └─────► PrepareAbort  ─► CompleteAbort  ─┘
 * ```
 *
 * From `Prepare…` on the outcome stands: the markers are written to the partitions, after a crash too. Changes of one
 * transactional id wait for each other; those of different ids do not.
 */
export class TransactionCoordinator {
  readonly #options: TransactionCoordinatorOptions
  readonly #topic: InternalTopic
  readonly #states = new Map<string, TransactionState>()
  /** The epoch before the last bump, by transactional id: whoever still has it may ask for the new one again (KIP-360). */
  readonly #formerEpochs = new Map<string, number>()
  readonly #queues = new SerialQueues()
  #sweep: Timer | undefined
  #closed = false

  constructor(options: TransactionCoordinatorOptions) {
    const { config, clock, log } = options
    this.#options = options
    const partitions = config['transaction.state.log.num.partitions']
    this.#topic = new InternalTopic(transactionTopic, log, partitions, () => clock.now())
  }

  /**
   * Reads the state back and finishes what was decided when the broker stopped.
   * @throws LogStorageError where the log cannot be read
   */
  async load(): Promise<void> {
    await this.#topic.load({
      record: ({ key, value }) => {
        if (key === null) return
        try {
          const { transactionalId, state } = decodeTransactionRecord(key, value)
          if (state === null) this.#states.delete(transactionalId)
          else this.#states.set(transactionalId, state)
        } catch (error) {
          const details = { error: String(error) }
          this.#options.logger.warn(`A record of ${transactionTopic} could not be read and is left out`, details)
        }
      },
    })
    const decided = [...this.#states.values()].filter(({ status }) => isDecided(status))
    await Promise.all(decided.map((state) => this.#inOrder(state.transactionalId, () => this.#complete(state))))
    this.#scheduleSweep()
  }

  /** Makes sure that the coordinator can store what it decides: called when a client looks for it. */
  async prepare(): Promise<KafkaError> {
    try {
      await this.#topic.ensure()
      return 'NONE'
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
  }

  /**
   * Gives a transactional producer its id and a new epoch, which fences all that came before it; what they left open is
   * aborted first.
   * @param claim what a producer that recovers from an error has (KIP-360); ids of -1 otherwise
   */
  init(transactionalId: string, timeoutMs: number, claim: ProducerIdentity): Promise<InitResult> {
    if (timeoutMs < 1 || timeoutMs > this.#options.config['transaction.max.timeout.ms']) {
      return Promise.resolve({ error: 'INVALID_TRANSACTION_TIMEOUT', ...nobody })
    }
    return this.#inOrder(transactionalId, async () => {
      try {
        await this.#topic.ensure()
        return await this.#init(transactionalId, timeoutMs, claim)
      } catch (error) {
        return { error: coordinatorErrorOf(error, this.#options.logger), ...nobody }
      }
    })
  }

  async #init(transactionalId: string, timeoutMs: number, claim: ProducerIdentity): Promise<InitResult> {
    const known = this.#states.get(transactionalId)
    if (known === undefined) {
      const producerId = await this.#options.producerIds.next()
      return this.#enter(transactionalId, { producerId, producerEpoch: 0 }, -1, timeoutMs)
    }
    if (claim.producerId >= 0) {
      const mine = claim.producerId === known.producerId || claim.producerId === known.lastProducerId
      if (!mine) return { error: 'PRODUCER_FENCED', ...nobody }
      const isFormer =
        claim.producerId === known.lastProducerId || claim.producerEpoch === this.#formerEpochs.get(transactionalId)
      if (claim.producerId !== known.producerId || claim.producerEpoch !== known.producerEpoch) {
        if (!isFormer) return { error: 'PRODUCER_FENCED', ...nobody }
        // Its answer got lost, or its transaction timed out: the bump has been made already.
        if (known.status !== 'Ongoing' && !isDecided(known.status)) return { error: 'NONE', ...identityOf(known) }
      }
    }
    const settled = await this.#settle(known)
    if (settled === undefined) return { error: 'CONCURRENT_TRANSACTIONS', ...nobody }
    if (settled.producerEpoch <= lastUsableEpoch) {
      const next = { producerId: settled.producerId, producerEpoch: settled.producerEpoch + 1 }
      this.#formerEpochs.set(transactionalId, claim.producerId >= 0 ? claim.producerEpoch : -1)
      return this.#enter(transactionalId, next, -1, timeoutMs)
    }
    const producerId = await this.#options.producerIds.next()
    return this.#enter(transactionalId, { producerId, producerEpoch: 0 }, settled.producerId, timeoutMs)
  }

  /** Brings an open transaction to its end; undefined where that is not possible now. */
  async #settle(state: TransactionState): Promise<TransactionState | undefined> {
    if (state.status === 'Ongoing') await this.#fence(state)
    else if (isDecided(state.status)) await this.#complete(state)
    const settled = this.#states.get(state.transactionalId)!
    return isDecided(settled.status) ? undefined : settled
  }

  async #enter(
    transactionalId: string,
    identity: ProducerIdentity,
    lastProducerId: number,
    timeoutMs: number,
  ): Promise<InitResult> {
    const updatedAt = this.#options.clock.now()
    await this.#store({
      transactionalId,
      ...identity,
      lastProducerId,
      nextProducerId: -1,
      bumpsEpoch: false,
      timeoutMs,
      status: 'Empty',
      partitions: new Map(),
      startedAt: -1,
      updatedAt,
    })
    return { error: 'NONE', ...identity }
  }

  /** Takes partitions into the open transaction, or opens one. Must be durable before anything is written to them. */
  addPartitions(
    transactionalId: string,
    producer: ProducerIdentity,
    added: readonly TopicPartitionName[],
  ): Promise<KafkaError> {
    return this.#inOrder(transactionalId, async () => {
      const state = this.#states.get(transactionalId)
      const problem = checkProducer(state, producer)
      if (problem !== 'NONE') return problem
      if (isDecided(state!.status)) return 'CONCURRENT_TRANSACTIONS'
      const isOpen = state!.status === 'Ongoing'
      const known = isOpen ? state!.partitions : new Map<string, ReadonlySet<number>>()
      if (isOpen && added.every(({ topic, partition }) => known.get(topic)?.has(partition))) return 'NONE'
      const partitions = new Map<string, Set<number>>([...known].map(([topic, set]) => [topic, new Set(set)]))
      for (const { topic, partition } of added) {
        const set = partitions.get(topic)
        if (set === undefined) partitions.set(topic, new Set([partition]))
        else set.add(partition)
      }
      const now = this.#options.clock.now()
      const startedAt = isOpen ? state!.startedAt : now
      try {
        await this.#store({ ...state!, status: 'Ongoing', partitions, startedAt, updatedAt: now })
        return 'NONE'
      } catch (error) {
        return coordinatorErrorOf(error, this.#options.logger)
      }
    })
  }

  /** Takes the offsets of a group into the transaction. */
  async addOffsets(transactionalId: string, producer: ProducerIdentity, groupId: string): Promise<KafkaError> {
    try {
      const partition = await this.#options.groups.offsetsPartition(groupId)
      return await this.addPartitions(transactionalId, producer, [partition])
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
  }

  /** Whether a producer may write to the partition now: in memory, so that it may be asked for each batch (KIP-890). */
  verify(transactionalId: string, producer: ProducerIdentity, { topic, partition }: TopicPartitionName): KafkaError {
    const state = this.#states.get(transactionalId)
    if (state === undefined || state.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
    if (state.producerEpoch !== producer.producerEpoch) return 'INVALID_PRODUCER_EPOCH'
    const isIn = state.status === 'Ongoing' && state.partitions.get(topic)?.has(partition) === true
    return isIn ? 'NONE' : 'INVALID_TXN_STATE'
  }

  /** The same for offsets of a group. */
  async verifyOffsets(transactionalId: string, producer: ProducerIdentity, groupId: string): Promise<KafkaError> {
    try {
      return this.verify(transactionalId, producer, await this.#options.groups.offsetsPartition(groupId))
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
  }

  /**
   * Commits or aborts. Resolves as soon as the outcome is durable; the markers follow, and the next transaction waits
   * for them.
   * @param bumpsEpoch the producer goes on with the id and epoch of the answer, which no late batch of this transaction
   * can have (KIP-890)
   */
  end(
    transactionalId: string,
    producer: ProducerIdentity,
    committed: boolean,
    bumpsEpoch: boolean,
  ): Promise<InitResult> {
    return new Promise((resolve) => {
      void this.#inOrder(transactionalId, async () => {
        try {
          const state = this.#states.get(transactionalId)
          const answer = checkEnd(state, producer, committed, bumpsEpoch)
          if (answer !== 'DECIDE') {
            resolve({ error: answer, ...(answer === 'NONE' ? identityOf(state!) : nobody) })
            return
          }
          const decided = await this.#decide(
            state!,
            committed ? 'PrepareCommit' : 'PrepareAbort',
            bumpsEpoch ? 'bumped' : 'kept',
          )
          // A producer that goes on with a new id is known by it only when this transaction is complete.
          if (decided.nextProducerId < 0) resolve({ error: 'NONE', ...identityAfter(decided) })
          await this.#complete(decided)
          resolve({ error: 'NONE', ...identityAfter(decided) })
        } catch (error) {
          resolve({ error: coordinatorErrorOf(error, this.#options.logger), ...nobody })
        }
      })
    })
  }

  async #decide(
    state: TransactionState,
    status: 'PrepareCommit' | 'PrepareAbort',
    epoch: 'kept' | 'bumped' | 'fenced',
  ): Promise<TransactionState> {
    const isExhausted = epoch === 'bumped' && state.producerEpoch > lastUsableEpoch
    const decided: TransactionState = {
      ...state,
      status,
      bumpsEpoch: epoch === 'bumped',
      // The markers have the new epoch, so that from them on each partition refuses the old one.
      producerEpoch: state.producerEpoch + (epoch === 'kept' ? 0 : 1),
      nextProducerId: isExhausted ? await this.#options.producerIds.next() : -1,
      // An abort of nothing: there are no partitions to mark.
      partitions: state.status === 'Ongoing' ? state.partitions : new Map<string, ReadonlySet<number>>(),
      updatedAt: this.#options.clock.now(),
    }
    await this.#store(decided)
    return decided
  }

  /** Aborts in place of the producer, under an epoch that shuts it out. */
  async #fence(state: TransactionState): Promise<void> {
    this.#formerEpochs.set(state.transactionalId, state.producerEpoch)
    await this.#complete(await this.#decide(state, 'PrepareAbort', 'fenced'))
  }

  /** Writes the markers of a decided transaction, as often as it takes. */
  async #complete(state: TransactionState): Promise<void> {
    const { transactionalId, producerId, producerEpoch } = state
    const committed = state.status === 'PrepareCommit'
    const timestamp = this.#options.clock.now()
    const type = committed ? 'COMMIT' : 'ABORT'
    const mark = async (topic: string, index: number) => {
      const marker = encodeControlBatch({ type, coordinatorEpoch, producerId, producerEpoch, timestamp })
      // A partition deleted meanwhile needs none.
      await this.#options.log.partition(topic, index)?.append(marker, { acks: -1, origin: 'coordinator' })
    }
    const marked = [...state.partitions].flatMap(([topic, indexes]) => [...indexes].map((index) => mark(topic, index)))
    const failed = (await Promise.allSettled(marked)).find((result) => result.status === 'rejected')
    if (failed !== undefined && kafkaErrorOf(failed.reason, this.#options.logger) !== 'UNKNOWN_TOPIC_OR_PARTITION') {
      this.#retryLater(state, failed.reason)
      return
    }
    if (state.partitions.has(offsetsTopic)) this.#options.groups.completeTransaction(producerId, committed)
    const status = committed ? 'CompleteCommit' : 'CompleteAbort'
    const completed: TransactionState = {
      ...state,
      ...identityAfter(state),
      lastProducerId: state.nextProducerId >= 0 ? producerId : state.lastProducerId,
      nextProducerId: -1,
      status,
      partitions: new Map(),
      updatedAt: timestamp,
    }
    this.#states.set(transactionalId, completed)
    // Nobody waits for it: after a crash the markers are written once more, which changes nothing.
    this.#topic.append(transactionalId, [transactionRecord(completed)]).catch((error: unknown) => {
      this.#options.logger.warn('The end of a transaction could not be noted', {
        transactionalId,
        error: String(error),
      })
    })
  }

  #retryLater(state: TransactionState, error: unknown): void {
    const { transactionalId } = state
    this.#options.logger.error('A transaction could not be completed; trying again', {
      transactionalId,
      error: String(error),
    })
    this.#options.clock.after(markerRetryMs, () => {
      if (this.#closed) return
      void this.#inOrder(transactionalId, async () => {
        const now = this.#states.get(transactionalId)
        if (now !== undefined && isDecided(now.status)) await this.#complete(now)
      })
    })
  }

  list(): TransactionState[] {
    return [...this.#states.values()]
  }

  get(transactionalId: string): TransactionState | undefined {
    return this.#states.get(transactionalId)
  }

  async #store(state: TransactionState): Promise<void> {
    await this.#topic.append(state.transactionalId, [transactionRecord(state)])
    this.#states.set(state.transactionalId, state)
  }

  #inOrder<T>(transactionalId: string, run: () => Promise<T>): Promise<T> {
    return this.#queues.run(transactionalId, run)
  }

  #scheduleSweep(): void {
    const everyMs = this.#options.config['transaction.abort.timed.out.transaction.cleanup.interval.ms']
    this.#sweep = this.#options.clock.after(everyMs, () => {
      this.#abortTimedOut()
      this.#forgetUnused()
      this.#scheduleSweep()
    })
  }

  #abortTimedOut(): void {
    const now = this.#options.clock.now()
    const isOverdue = (state: TransactionState | undefined): state is TransactionState =>
      state?.status === 'Ongoing' && now - state.startedAt > state.timeoutMs
    for (const { transactionalId } of [...this.#states.values()].filter(isOverdue)) {
      this.#inOrder(transactionalId, async () => {
        const state = this.#states.get(transactionalId)
        if (!isOverdue(state)) return
        this.#options.logger.info('Aborts a transaction that is past its timeout', {
          transactionalId,
          timeoutMs: state.timeoutMs,
        })
        await this.#fence(state)
      }).catch((error: unknown) => {
        const details = { transactionalId, error: String(error) }
        this.#options.logger.error('A transaction past its timeout could not be aborted; trying again', details)
      })
    }
  }

  #forgetUnused(): void {
    const longestMs = this.#options.config['transactional.id.expiration.ms']
    const now = this.#options.clock.now()
    const isUnused = (state: TransactionState | undefined) =>
      state !== undefined && state.status !== 'Ongoing' && !isDecided(state.status) && now - state.updatedAt > longestMs
    for (const { transactionalId } of [...this.#states.values()].filter(isUnused)) {
      this.#inOrder(transactionalId, async () => {
        if (!isUnused(this.#states.get(transactionalId))) return
        await this.#topic.append(transactionalId, [transactionTombstone(transactionalId)])
        this.#states.delete(transactionalId)
        this.#formerEpochs.delete(transactionalId)
      }).catch(() => undefined)
    }
  }

  /** Ends the timers and waits for the steps that are under way. */
  async close(): Promise<void> {
    this.#closed = true
    this.#sweep?.cancel()
    await this.#queues.idle()
  }
}

function isDecided(status: TransactionStatus): boolean {
  return status === 'PrepareCommit' || status === 'PrepareAbort' || status === 'PrepareEpochFence'
}

function identityOf({ producerId, producerEpoch }: TransactionState): ProducerIdentity {
  return { producerId, producerEpoch }
}

/** Whether the state is what this producer's own end of its transaction has led to. */
function hasBumped(state: TransactionState, { producerId, producerEpoch }: ProducerIdentity): boolean {
  if (producerId === state.producerId) return producerEpoch === state.producerEpoch - 1
  return producerId === state.lastProducerId && state.producerEpoch === 0 && producerEpoch > lastUsableEpoch
}

/** Who the producer is when the decided transaction is complete. */
function identityAfter(decided: TransactionState): ProducerIdentity {
  if (decided.nextProducerId < 0) return identityOf(decided)
  return { producerId: decided.nextProducerId, producerEpoch: 0 }
}

function checkProducer(state: TransactionState | undefined, producer: ProducerIdentity): KafkaError {
  if (state === undefined || state.producerId !== producer.producerId) return 'INVALID_PRODUCER_ID_MAPPING'
  return state.producerEpoch === producer.producerEpoch ? 'NONE' : 'PRODUCER_FENCED'
}

/** What EndTxn comes to. A repeated one, whose answer got lost, is answered as the first. */
function checkEnd(
  state: TransactionState | undefined,
  producer: ProducerIdentity,
  committed: boolean,
  bumpsEpoch: boolean,
): KafkaError | 'DECIDE' {
  const isRepeated = state?.bumpsEpoch === true && hasBumped(state, producer)
  const problem = isRepeated ? 'NONE' : checkProducer(state, producer)
  if (problem !== 'NONE') return problem
  // A producer of this kind may abort before the log has heard of its transaction, and starts over with a new epoch.
  if (bumpsEpoch && !isRepeated && !committed && !isDecided(state!.status)) return 'DECIDE'
  // With the epoch of the next transaction already, it cannot be a repetition.
  if (state!.bumpsEpoch && !isRepeated && state!.status !== 'Ongoing') return 'INVALID_TXN_STATE'
  switch (state!.status) {
    case 'Ongoing':
      return 'DECIDE'
    case 'CompleteCommit':
      return committed ? 'NONE' : 'INVALID_TXN_STATE'
    case 'CompleteAbort':
      return committed ? 'INVALID_TXN_STATE' : 'NONE'
    case 'PrepareCommit':
      return committed ? 'CONCURRENT_TRANSACTIONS' : 'INVALID_TXN_STATE'
    case 'PrepareAbort':
    case 'PrepareEpochFence':
      return committed ? 'INVALID_TXN_STATE' : 'CONCURRENT_TRANSACTIONS'
    case 'Empty':
    case 'Dead':
      return 'INVALID_TXN_STATE'
  }
}
