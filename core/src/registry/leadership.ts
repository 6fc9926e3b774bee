/**
 * Which of the registries on one log writes: membership of their group, and the producer of the one that leads, which
 * fences the leader before it and is fenced by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  LogError,
  type GroupMembership,
  type JoinedGeneration,
  type LogClient,
  type OutRecord,
  type Producer,
} from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import {
  chooseLeader,
  encodeIdentity,
  NotLeadingError,
  parseAssignment,
  type RegistryIdentity,
} from './registry-identity.ts'

export interface LeadershipOptions {
  readonly client: LogClient
  /** `schema.registry.group.id` */
  readonly groupId: string
  readonly identity: RegistryIdentity
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  readonly rebalanceTimeoutMs: number
  /** Resolves when all that is in the topic has been read. */
  readonly readToEnd: () => Promise<void>
  readonly logger: Logger
  /** Who leads may have changed. */
  readonly onChange: () => void
}

/** From one fencing to the next. */
interface Term {
  readonly producer: Producer
}

/** Larger than any body of a request; what a record may have at most is for the log to say. */
const MAX_REQUEST_BYTES = 64 * 1024 * 1024

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #member: GroupMembership
  readonly #closing = new AbortController()
  #membership: Promise<void> | undefined
  #wake: (() => void) | undefined
  /** As of the last round; undefined while none is known to lead. */
  #leader: { readonly url: string; readonly key: string | undefined; readonly isThis: boolean } | undefined
  #keys: ReadonlySet<string> = new Set()
  #term: Term | undefined
  #takingOver: Promise<void> | undefined

  constructor(options: LeadershipOptions) {
    const { client, groupId, identity, sessionTimeoutMs, heartbeatIntervalMs, rebalanceTimeoutMs } = options
    this.#options = options
    this.#member = client.groupMember({
      groupId,
      protocolType: 'sr',
      protocols: () => [{ name: 'v0', metadata: encodeIdentity(identity, this.leads) }],
      sessionTimeoutMs,
      heartbeatIntervalMs,
      rebalanceTimeoutMs,
      assign: async (_, members) => {
        const assignment = chooseLeader(members)
        return new Map(members.map(({ memberId }) => [memberId, assignment]))
      },
      onChange: () => this.#wake?.(),
    })
  }

  /** Every earlier leader is fenced, and all that they have written is known. */
  get leads(): boolean {
    return this.#term !== undefined
  }

  /** It is this one's turn to lead, or about to be. */
  get isChosen(): boolean {
    return this.#leader?.isThis === true
  }

  /** Where another one leads. */
  get leaderUrl(): string | undefined {
    return this.#leader?.isThis === false ? this.#leader.url : undefined
  }

  /** What the registries of the group sign with, as of the last round. */
  get keys(): ReadonlySet<string> {
    return this.#keys
  }

  /** Whether the leader knows the key of this registry: both have got the same assignment. */
  get leaderKnowsKeys(): boolean {
    const own = this.#options.identity.key
    const key = this.#leader?.key
    return own !== undefined && key !== undefined && this.#keys.has(own) && this.#keys.has(key)
  }

  start(): void {
    this.#membership ??= this.#keepMembership()
  }

  /**
   * One transaction.
   * @returns the offset of the last record
   * @throws NotLeadingError nothing has been written; {@link RefusedError} neither
   * @throws Error it may have been written all the same: what comes after it in the topic tells
   */
  async write(records: readonly OutRecord[]): Promise<number | undefined> {
    const term = this.#term
    if (term === undefined) throw new NotLeadingError()
    try {
      return await this.#transaction(term.producer, records)
    } catch (error) {
      if (!(error instanceof RefusedError)) this.#endTerm(term)
      throw error
    }
  }

  async close(): Promise<void> {
    this.#closing.abort()
    this.#wake?.()
    const term = this.#term
    this.#term = undefined
    this.#leader = undefined
    // What is not written by now may wait for a log that is away.
    if (term !== undefined) void closeQuietly(term.producer)
    // Whoever leads next need not wait for a session to end.
    await this.#member.leave()
    await this.#membership
  }

  async #keepMembership(): Promise<void> {
    const { logger, groupId } = this.#options
    for (let failures = 0; !this.#isClosing();) {
      try {
        if (this.#member.mustRejoin) this.#take(await this.#member.join())
        else await new Promise<void>((resolve) => (this.#wake = resolve))
        failures = 0
      } catch (error) {
        if (this.#isClosing()) return
        failures++
        if (failures === 1) logger.error('cannot join the registries', { group: groupId, error: messageOf(error) })
        this.#member.requestRejoin()
        await this.#pause(failures)
      }
    }
  }

  #take({ assignment, memberId }: JoinedGeneration): void {
    const { logger, groupId } = this.#options
    const { leader, isAmbiguous, keys } = parseAssignment(assignment)
    if (isAmbiguous) {
      logger.error('two registries go by the same address: set host.name or host.port', { group: groupId })
    }
    const before = this.#leader
    // As Confluent: nobody leads until that is mended.
    this.#leader =
      leader && !isAmbiguous ? { url: leader.url, key: leader.key, isThis: leader.memberId === memberId } : undefined
    this.#keys = keys
    if (before?.url !== this.#leader?.url) {
      if (this.#leader === undefined) logger.warn('no registry leads', { group: groupId })
      else logger.info('a registry leads', { group: groupId, leader: this.#leader.url })
    }
    if (!this.isChosen && this.#term !== undefined) this.#endTerm(this.#term)
    this.#leadIfChosen()
    this.#options.onChange()
  }

  #leadIfChosen(): void {
    if (this.#term !== undefined || !this.isChosen || this.#isClosing()) return
    this.#takingOver ??= this.#takeOver().finally(() => {
      this.#takingOver = undefined
      // Chosen again while it was giving up.
      if (this.isChosen && !this.#member.mustRejoin) this.#leadIfChosen()
    })
  }

  async #takeOver(): Promise<void> {
    const { logger, groupId } = this.#options
    for (let failures = 0; this.isChosen && !this.#isClosing();) {
      try {
        // A term that has ended may have ended because another leads: to fence it would stop the right one.
        await this.#member.check()
        this.#term = await this.#fenceOthers()
        logger.info('this registry leads', { group: groupId })
        this.#options.onChange()
        return
      } catch (error) {
        if (this.#isClosing()) return
        if (isDeposed(error)) {
          this.#member.requestRejoin()
          return
        }
        failures++
        if (failures === 1) logger.warn('leading the registries: trying again', { error: messageOf(error) })
        await this.#pause(failures)
      }
    }
  }

  /**
   * The order matters: that the round still is the last one after the fencing means that any later leader's fencing comes
   * after this one's, and that what is read then is all.
   */
  async #fenceOthers(): Promise<Term> {
    const { client, groupId, sessionTimeoutMs, readToEnd } = this.#options
    const producer = client.producer({
      transactionalId: `schema-registry-${groupId}`,
      transactionTimeoutMs: Math.max(sessionTimeoutMs, 10_000),
      maxRequestBytes: MAX_REQUEST_BYTES,
    })
    const { signal } = this.#closing
    const close = (): void => void closeQuietly(producer)
    signal.addEventListener('abort', close, { once: true })
    try {
      await producer.initTransactions()
      await this.#member.check()
      await readToEnd()
      signal.throwIfAborted()
      return { producer }
    } catch (error) {
      close()
      throw error
    } finally {
      signal.removeEventListener('abort', close)
    }
  }

  async #transaction(producer: Producer, records: readonly OutRecord[]): Promise<number | undefined> {
    producer.begin()
    const { failures, offsets } = await producer.produce(records)
    const refused = failures[0]?.error
    if (refused !== undefined) {
      await producer.abort()
      throw new RefusedError(refused)
    }
    await producer.commit()
    const first = offsets[0]?.offset
    return first === undefined ? undefined : first + records.length - 1
  }

  /** Fenced, or it is not known what has become of a transaction: the next fencing decides that too. */
  #endTerm(term: Term): void {
    if (this.#term !== term) return
    this.#term = undefined
    void closeQuietly(term.producer)
    this.#options.onChange()
    this.#leadIfChosen()
  }

  #isClosing(): boolean {
    return this.#closing.signal.aborted
  }

  async #pause(failures: number): Promise<void> {
    const { signal } = this.#closing
    await sleep(Math.min(50 * 2 ** failures, 2000), undefined, { signal }).catch(() => undefined)
  }
}

/** The log does not take a record; the transaction was aborted. */
export class RefusedError extends Error {
  override readonly name = 'RefusedError'
  override readonly cause: LogError

  constructor(cause: LogError) {
    super(cause.message)
    this.cause = cause
  }
}

function isDeposed(error: unknown): boolean {
  return error instanceof LogError && deposed.has(error.code)
}

const deposed: ReadonlySet<string> = new Set([
  'PRODUCER_FENCED',
  'INVALID_PRODUCER_EPOCH',
  'UNKNOWN_MEMBER_ID',
  'ILLEGAL_GENERATION',
  'FENCED_INSTANCE_ID',
])

async function closeQuietly(producer: Producer): Promise<void> {
  await producer.close().catch(() => undefined)
}
