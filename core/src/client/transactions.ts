import type { TopicPartitionOffset } from '@tidewire/sdk'
import { errorByCode, errorCodes } from '../protocol/errors.ts'
import { addOffsetsToTxn } from '../protocol/messages/add-offsets-to-txn.ts'
import { addPartitionsToTxn } from '../protocol/messages/add-partitions-to-txn.ts'
import { endTxn } from '../protocol/messages/end-txn.ts'
import { initProducerId } from '../protocol/messages/init-producer-id.ts'
import { txnOffsetCommit } from '../protocol/messages/txn-offset-commit.ts'
import { retry, type BackoffRange } from './backoff.ts'
import { LogError, type GroupMetadata } from './client.ts'
import type { Cluster } from './cluster.ts'
import { throwBrokerError, type Connection } from './connection.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { ProducerSession } from './sender.ts'
import { byTopic, partitionKey } from './topic-partitions.ts'

/**
 * `uninitialized` → initTransactions → `ready` → begin → `open` → commit or abort → `ending` → `ready`.
 * `broken`: the transaction can only be aborted. `fatal`: fenced, or otherwise past help.
 */
type State = 'uninitialized' | 'ready' | 'open' | 'broken' | 'ending' | 'fatal'

export interface TransactionsOptions {
  readonly transactionalId: string
  readonly transactionTimeoutMs: number
  /** `max.block.ms`: how long a call of the coordinator is tried again. */
  readonly maxBlockMs: number
}

/** The end of the transaction before may still be on its way to the partitions; it takes a moment, not a second. */
const soon: BackoffRange = { baseMs: 20, maxMs: 200 }

/** Last versions for transactions of version 1 (KIP-890): later ones mean "version 2" to the broker. */
const LAST_V1_TXN_OFFSET_COMMIT = 4
const LAST_V1_END_TXN = 4
/** Later ones are between brokers. */
const LAST_CLIENT_ADD_PARTITIONS = 3

/**
 * A transactional producer's dealings with the transaction coordinator.
 *
 * Two kinds of transaction, by what the cluster has finalised (`transaction.version`), decided at each begin:
 * - version 1: partitions and groups are announced to the coordinator before they are written to; the epoch stays.
 * - version 2 (KIP-890): the brokers announce them by themselves; each end gives the next epoch, so that a late
 *   message of one transaction can never end up in the next.
 */
export class Transactions implements ProducerSession {
  readonly transactional = true
  producerId = -1
  producerEpoch = -1
  readonly #cluster: Cluster
  readonly #pool: ConnectionPool
  readonly #options: TransactionsOptions
  readonly #closing: AbortSignal
  readonly #wake: () => void
  readonly #onBroken: (error: LogError) => void
  #state: State = 'uninitialized'
  #error: LogError | undefined
  #clusterHasV2 = false
  #v2 = false
  /** The commit or abort under way or, after a time-out, to be tried again. */
  #ending: boolean | undefined
  readonly #added = new Set<string>()
  readonly #toAdd = new Map<string, { topic: string; partition: number }>()
  #adding = false
  /** Something is known to be in the transaction. */
  #hasContent = false
  /** Something may be in it. */
  #mayHaveContent = false
  #needsBump = false

  constructor(
    cluster: Cluster,
    pool: ConnectionPool,
    options: TransactionsOptions,
    closing: AbortSignal,
    wake: () => void,
    onBroken: (error: LogError) => void,
  ) {
    this.#cluster = cluster
    this.#pool = pool
    this.#options = options
    this.#closing = closing
    this.#wake = wake
    this.#onBroken = onBroken
  }

  get isV2(): boolean {
    return this.#v2
  }

  /** Records may be added. */
  get isOpen(): boolean {
    return this.#state === 'open' && this.#ending === undefined
  }

  /** Begun, and neither committed nor aborted, nor about to be. */
  get isUnfinished(): boolean {
    return this.#state === 'open' || this.#state === 'broken'
  }

  /** What keeps records from being sent. */
  get error(): LogError | undefined {
    return this.#state === 'broken' || this.#state === 'fatal' ? this.#error : undefined
  }

  /** @throws LogError PRODUCER_FENCED … */
  async init(): Promise<void> {
    if (this.#state !== 'uninitialized') this.#refuse('initTransactions')
    await this.#initProducerId(-1, -1)
    this.#state = 'ready'
  }

  begin(): void {
    if (this.#state !== 'ready') this.#refuse('begin')
    this.#v2 = this.#clusterHasV2
    this.#added.clear()
    this.#toAdd.clear()
    this.#hasContent = false
    this.#mayHaveContent = false
    this.#state = 'open'
  }

  admits(topic: string, partition: number): boolean {
    if (this.#state !== 'open' && this.#state !== 'ending') return false
    if (this.#v2) {
      this.#mayHaveContent = true
      return true
    }
    const key = partitionKey(topic, partition)
    if (this.#added.has(key)) return true
    this.#toAdd.set(key, { topic, partition })
    if (!this.#adding) void this.#addPartitions()
    return false
  }

  acknowledged(): void {
    this.#hasContent = true
  }

  bumpEpoch(): void {
    throw new TypeError('the coordinator alone bumps the epoch of a transactional producer')
  }

  replace(): void {
    throw new TypeError('a transactional producer keeps its id')
  }

  /** Part of the transaction is lost: it can no more be committed. */
  failed(error: LogError): void {
    if (this.#state === 'fatal' || this.#state === 'uninitialized' || this.#state === 'ready') return
    this.#needsBump = true
    const aborting = this.#state === 'ending' && this.#ending === false
    if (!fatal.has(error.code) && aborting) return
    this.#state = fatal.has(error.code) ? 'fatal' : 'broken'
    this.#error = error
    this.#ending = undefined
    this.#onBroken(error)
  }

  /** Adds consumed offsets to the transaction. */
  async sendOffsets(group: string | GroupMetadata, offsets: readonly TopicPartitionOffset[]): Promise<void> {
    const metadata = typeof group === 'string' ? anyone(group) : group
    const { groupId } = metadata
    if (this.#state !== 'open') this.#refuse('sendOffsets')
    if (offsets.length === 0) return
    this.#mayHaveContent = true
    try {
      if (!this.#v2) await this.#coordinate(`adding group ${groupId}`, (c) => this.#addOffsets(c, groupId))
      await retry(
        () =>
          this.#cluster.withCoordinator('group', groupId, this.#pool, (c) => this.#commitOffsets(c, metadata, offsets)),
        this.#retryOptions(`offsets of group ${groupId} in a transaction`),
      )
      this.#hasContent = true
    } catch (error) {
      throw this.#spoilt(error)
    }
  }

  /** Whether this end may begin, or go on where it was left off. */
  startEnd(commit: boolean): void {
    if (this.#state === 'ending' && this.#ending === commit) return
    if (this.#state !== 'open' && !(this.#state === 'broken' && !commit)) this.#refuse(commit ? 'commit' : 'abort')
    this.#ending = commit
    if (!commit) this.#state = 'ending'
  }

  /**
   * Nothing may be under way any more.
   * @param sequenceLost a number was given to a batch that was then dropped
   * @returns whether sequences begin anew
   * @throws LogError retriable where the coordinator could not be reached in time: the same call may be made again
   */
  async end(commit: boolean, sequenceLost: boolean): Promise<boolean> {
    if (commit && this.#state === 'broken') throw this.#error!
    if (this.#state === 'fatal') throw this.#error!
    this.#state = 'ending'
    const bump = !this.#v2 && (this.#needsBump || sequenceLost)
    const epoch = this.producerEpoch
    // Where all was refused there is nothing to commit, and the coordinator has no transaction to commit it in.
    const committing = commit && (this.#hasContent || !this.#v2)
    try {
      if (this.#mayHaveContent) await this.#coordinate(commit ? 'commit' : 'abort', (c) => this.#endTxn(c, committing))
      if (bump) await this.#initProducerId(this.producerId, this.producerEpoch)
    } catch (error) {
      const reason = this.#spoilt(error)
      // Not even aborted: only a new producer of this id can tell what became of it.
      if (this.#ending === false && reason instanceof LogError && !reason.retriable) {
        this.#state = 'fatal'
        this.#error = reason
      }
      throw reason
    }
    this.#needsBump = false
    this.#ending = undefined
    this.#error = undefined
    this.#state = 'ready'
    return this.producerEpoch !== epoch || bump
  }

  #refuse(call: string): never {
    if (this.#state === 'fatal' || this.#state === 'broken') throw this.#error!
    const message = `${call} of transactional id ${this.#options.transactionalId} while ${this.#state}`
    throw new LogError('INVALID_TXN_STATE', message, { retriable: false })
  }

  async #initProducerId(producerId: number, producerEpoch: number): Promise<void> {
    const { transactionalId, transactionTimeoutMs } = this.#options
    try {
      await this.#coordinate('initTransactions', async (connection) => {
        const response = await connection.request(initProducerId, {
          transactionalId,
          transactionTimeoutMs,
          producerId,
          producerEpoch,
        })
        throwBrokerError(response.errorCode, `transactional id ${transactionalId}`)
        this.producerId = response.producerId
        this.producerEpoch = response.producerEpoch
      })
    } catch (error) {
      throw asFenced(error)
    }
  }

  async #addPartitions(): Promise<void> {
    this.#adding = true
    try {
      while (this.#toAdd.size > 0 && (this.#state === 'open' || this.#state === 'ending')) {
        const partitions = [...this.#toAdd]
        this.#mayHaveContent = true
        await this.#coordinate('adding partitions', (c) =>
          this.#sendAddPartitions(
            c,
            partitions.map(([, each]) => each),
          ),
        )
        for (const [key] of partitions) {
          this.#added.add(key)
          this.#toAdd.delete(key)
        }
      }
    } catch (error) {
      this.#toAdd.clear()
      this.failed(asLogError(this.#spoilt(error)))
    } finally {
      this.#adding = false
      this.#wake()
    }
  }

  async #sendAddPartitions(
    connection: Connection,
    partitions: readonly { topic: string; partition: number }[],
  ): Promise<void> {
    const response = await connection.request(
      addPartitionsToTxn,
      {
        v3AndBelowTransactionalId: this.#options.transactionalId,
        v3AndBelowProducerId: this.producerId,
        v3AndBelowProducerEpoch: this.producerEpoch,
        v3AndBelowTopics: byTopic(partitions, (each) => each.partition).map(([name, numbers]) => ({
          name,
          partitions: numbers,
        })),
      },
      { version: connection.version(addPartitionsToTxn, LAST_CLIENT_ADD_PARTITIONS) },
    )
    const answers = response.resultsByTopicV3AndBelow.flatMap(({ name, resultsByPartition }) =>
      resultsByPartition.map((each) => ({
        code: each.partitionErrorCode,
        what: `adding ${name}-${each.partitionIndex} to a transaction`,
      })),
    )
    // OPERATION_NOT_ATTEMPTED is what the others get; the cause is more telling.
    answers.sort((a, b) => Number(isNotAttempted(a.code)) - Number(isNotAttempted(b.code)))
    for (const { code, what } of answers) throwBrokerError(code, what)
  }

  async #addOffsets(connection: Connection, groupId: string): Promise<void> {
    const { producerId, producerEpoch } = this
    const { transactionalId } = this.#options
    const response = await connection.request(addOffsetsToTxn, { transactionalId, producerId, producerEpoch, groupId })
    throwBrokerError(response.errorCode, `adding group ${groupId} to a transaction`)
  }

  async #commitOffsets(
    connection: Connection,
    { groupId, memberId, generation, groupInstanceId }: GroupMetadata,
    offsets: readonly TopicPartitionOffset[],
  ): Promise<void> {
    const { producerId, producerEpoch } = this
    const { transactionalId } = this.#options
    const topics = byTopic(offsets, (each) => ({
      partitionIndex: each.partition,
      committedOffset: each.offset,
      committedMetadata: '',
    })).map(([name, partitions]) => ({ name, partitions }))
    const version = connection.version(txnOffsetCommit, this.#v2 ? Infinity : LAST_V1_TXN_OFFSET_COMMIT)
    const member = { generationId: generation, memberId, groupInstanceId: groupInstanceId ?? null }
    const body = { transactionalId, groupId, producerId, producerEpoch, ...member, topics }
    const response = await connection.request(txnOffsetCommit, body, { version })
    for (const topic of response.topics) {
      for (const { partitionIndex, errorCode } of topic.partitions) {
        throwBrokerError(errorCode, `offset of group ${groupId} for ${topic.name}-${partitionIndex}`)
      }
    }
  }

  async #endTxn(connection: Connection, committed: boolean): Promise<void> {
    const { producerId, producerEpoch } = this
    const { transactionalId } = this.#options
    const version = connection.version(endTxn, this.#v2 ? Infinity : LAST_V1_END_TXN)
    const body = { transactionalId, producerId, producerEpoch, committed }
    const response = await connection.request(endTxn, body, { version })
    // An abort of what never began, since no announcement got through.
    const neverBegan = !committed && !this.#hasContent && this.#added.size === 0
    if (neverBegan && response.errorCode === errorCodes.INVALID_TXN_STATE) return
    throwBrokerError(response.errorCode, `${committed ? 'commit' : 'abort'} of transactional id ${transactionalId}`)
    if (this.#v2 && response.producerId >= 0) {
      this.producerId = response.producerId
      this.producerEpoch = response.producerEpoch
    }
  }

  /** An exchange with the transaction coordinator, tried again through what passes. */
  #coordinate(what: string, use: (connection: Connection) => Promise<void>): Promise<void> {
    const { transactionalId } = this.#options
    return retry(
      () =>
        this.#cluster.withCoordinator('transaction', transactionalId, this.#pool, (connection) => {
          this.#clusterHasV2 =
            connection.featureLevel('transaction.version') >= 2 &&
            connection.speaks(endTxn, 5) &&
            connection.speaks(txnOffsetCommit, 5)
          return use(connection)
        }),
      this.#retryOptions(`${what} of transactional id ${transactionalId}`),
    )
  }

  #retryOptions(what: string): Parameters<typeof retry>[1] {
    return { what, timeoutMs: this.#options.maxBlockMs, signal: this.#closing, backoff: soon }
  }

  /** Notes what an error of the coordinator means for the transaction. */
  #spoilt(error: unknown): unknown {
    const reason = asFenced(error)
    // Out of time, not out of order: the same call can be made again.
    if (reason instanceof LogError && !reason.retriable) this.failed(reason)
    return reason
  }
}

const asLogError = (error: unknown): LogError =>
  error instanceof LogError ? error : new LogError('PROTOCOL', String(error), { retriable: false, cause: error })

/** To the coordinator's clients both mean: a newer producer has this transactional id. */
function asFenced(error: unknown): unknown {
  if (!(error instanceof LogError) || error.code !== 'INVALID_PRODUCER_EPOCH') return error
  return new LogError('PRODUCER_FENCED', error.message, { retriable: false, cause: error })
}

/** No member: the group does not ask whose offsets they are. */
const anyone = (groupId: string): GroupMetadata => ({ groupId, memberId: '', generation: -1 })

const isNotAttempted = (code: number): boolean => code === 0 || errorByCode(code).name === 'OPERATION_NOT_ATTEMPTED'

/** What no abort mends. */
const fatal: ReadonlySet<string> = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_ID_MAPPING',
  'TRANSACTIONAL_ID_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'UNSUPPORTED_VERSION',
  'CLOSED',
])
