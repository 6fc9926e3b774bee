/**
 * Which of the registries on one log writes: membership of their group, and the producer of the one that leads, which
 * fences the leader before it and is fenced by the next.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { GroupMembership, JoinedGeneration, LogClient, OutRecord } from '../client/client.ts'
import { FencedProducer, isDeposed, RefusedError } from '../cluster/fenced-producer.ts'
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

export class Leadership {
  readonly #options: LeadershipOptions
  readonly #member: GroupMembership
  readonly #closing = new AbortController()
  #membership: Promise<void> | undefined
  #wake: (() => void) | undefined
  /** As of the last round; undefined while none is known to lead. */
  #leader: { readonly url: string; readonly key: string | undefined; readonly isThis: boolean } | undefined
  #keys: ReadonlySet<string> = new Set()
  /** Its term: from one fencing to the next. */
  #producer: FencedProducer | undefined
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
    return this.#producer !== undefined
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
    const producer = this.#producer
    if (producer === undefined) throw new NotLeadingError()
    try {
      const [first] = await producer.write([records])
      return first === undefined ? undefined : first + records.length - 1
    } catch (error) {
      if (!(error instanceof RefusedError)) this.#endTerm(producer)
      throw error
    }
  }

  async close(): Promise<void> {
    // The producer too, and nobody waits for it: what is not written by now may wait for a log that is away.
    this.#closing.abort()
    this.#wake?.()
    this.#producer = undefined
    this.#leader = undefined
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
    if (!this.isChosen && this.#producer !== undefined) this.#endTerm(this.#producer)
    this.#leadIfChosen()
    this.#options.onChange()
  }

  #leadIfChosen(): void {
    if (this.#producer !== undefined || !this.isChosen || this.#isClosing()) return
    this.#takingOver ??= this.#takeOver().finally(() => {
      this.#takingOver = undefined
      // Chosen again while it was giving up.
      if (this.isChosen && !this.#member.mustRejoin) this.#leadIfChosen()
    })
  }

  async #takeOver(): Promise<void> {
    const { logger, groupId } = this.#options
    const isWanted = (): boolean => this.isChosen && !this.#isClosing()
    for (let failures = 0; isWanted();) {
      try {
        // A term that has ended may have ended because another leads: to fence it would stop the right one.
        await this.#member.check()
        const producer = await this.#fenceOthers()
        // Another round may have been since.
        if (!isWanted()) {
          producer.close()
          return
        }
        this.#producer = producer
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

  async #fenceOthers(): Promise<FencedProducer> {
    const { client, groupId, sessionTimeoutMs, readToEnd } = this.#options
    return FencedProducer.open({
      client,
      transactionalId: `schema-registry-${groupId}`,
      sessionTimeoutMs,
      checkRound: async () => this.#member.check(),
      readToEnd,
      signal: this.#closing.signal,
    })
  }

  /** Fenced, or it is not known what has become of a transaction: the next fencing decides that too. */
  #endTerm(producer: FencedProducer): void {
    if (this.#producer !== producer) return
    this.#producer = undefined
    producer.close()
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
