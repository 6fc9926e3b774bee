import { LogStorageError } from '../../log/errors.ts'
import type { Logger } from '../../logging/logger.ts'
import type { Clock, Timer } from '../clock.ts'
import type { BrokerConfig } from '../config.ts'
import type { MemberClaim } from '../group-exchange.ts'
import type { GroupSettings } from '../group-settings.ts'
import { coordinatorErrorOf, type StateRecord } from '../internal-topic.ts'
import { errorMessageOf, RequestError, type KafkaError } from '../kafka-error.ts'
import { SerialQueues } from '../serial-queues.ts'
import { Session } from '../session.ts'
import { ConsumerGroup } from './consumer-group.ts'
import {
  checkRequest,
  decideHeartbeat,
  preferredAssignor,
  removal,
  type HeartbeatDecision,
  type HeartbeatRequest,
} from './heartbeat.ts'
import { joining } from './member.ts'
import type { PartitionSet } from './partition-set.ts'
import { consumerGroupRecord, type ConsumerGroupRecord } from './records.ts'
import { Subscriptions, type Topics } from './subscriptions.ts'

export interface ConsumerGroupsOptions {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly logger: Logger
  readonly topics: Topics
  readonly settings: GroupSettings
  /**
   * Writes records of a group as one batch; resolves when they are durable.
   * @throws LogStorageError, RequestError
   */
  readonly append: (groupId: string, records: readonly StateRecord[]) => Promise<void>
  readonly classic: ClassicGroups
}

/** The groups of the classic protocol: an id is with one kind at a time. */
export interface ClassicGroups {
  /** Whether there is a group of this id that the newer protocol cannot have. */
  isInUse(groupId: string): boolean
  /** What deletes an empty one from the log. */
  tombstones(groupId: string): readonly StateRecord[]
  forget(groupId: string): void
}

export interface HeartbeatResult {
  readonly error: KafkaError
  readonly errorMessage: string | null
  readonly memberId: string
  readonly memberEpoch: number
  readonly heartbeatIntervalMs: number
  readonly assignment: PartitionSet | null
}

/** A group with what does not survive a restart. */
interface Entry {
  readonly group: ConsumerGroup
  readonly timers: Map<string, MemberTimers>
  /** The version of the topics that its epoch takes into account. */
  topicsVersion: number
}

interface MemberTimers {
  readonly session: Session
  /** Runs while it has to give up partitions. */
  revocation: { readonly epoch: number; readonly timer: Timer } | undefined
}

/** How long after a failed write a member that has to go is looked at again. */
const retryMs = 1000

/**
 * The groups of the newer protocol (KIP-848). What happens to one group happens in turn: decided from what is durable, written,
 * and only then in force and answered. So a write that fails leaves nothing to be undone.
 */
export class ConsumerGroups {
  readonly #options: ConsumerGroupsOptions
  readonly #subscriptions: Subscriptions
  readonly #entries = new Map<string, Entry>()
  readonly #turns = new SerialQueues()
  #isClosed = false

  constructor(options: ConsumerGroupsOptions) {
    this.#options = options
    this.#subscriptions = new Subscriptions(options.topics)
  }

  /** For a record of the log at start, in its order. */
  restore(groupId: string, record: ConsumerGroupRecord, timestamp: number): void {
    const known = this.#entries.get(groupId)
    // What compaction has left of a group that was deleted.
    if (known === undefined && record.value === null) return
    const entry = known ?? this.#newEntry(groupId)
    entry.group.apply(record, timestamp)
    if (record.kind === 'group epoch' && record.value === null) this.#entries.delete(groupId)
    else this.#entries.set(groupId, entry)
  }

  /** After the last record: members have one session to make themselves heard. */
  start(): void {
    for (const [groupId, entry] of this.#entries) {
      for (const memberId of entry.group.members.keys()) this.#renew(groupId, entry, memberId)
    }
  }

  get(groupId: string): ConsumerGroup | undefined {
    return this.#entries.get(groupId)?.group
  }

  ids(): IterableIterator<string> {
    return this.#entries.keys()
  }

  assignorOf(group: ConsumerGroup): string {
    return preferredAssignor(group.members.values(), { assignors: this.#options.config['group.consumer.assignors'] })
  }

  /** Whether a member reads the topic, or would if it existed. */
  isSubscribed(group: ConsumerGroup, topic: string): boolean {
    return group.members.values().some((member) => this.#subscriptions.includes(member, topic))
  }

  async heartbeat(request: HeartbeatRequest): Promise<HeartbeatResult> {
    const { config, settings, logger } = this.#options
    try {
      checkRequest(request, { assignors: config['group.consumer.assignors'] })
      const { memberId, memberEpoch, assignment } = await this.#turns.run(request.groupId, () =>
        this.#heartbeat(request),
      )
      const heartbeatIntervalMs = memberEpoch < 0 ? 0 : settings.heartbeatIntervalMs(request.groupId)
      return { error: 'NONE', errorMessage: null, memberId, memberEpoch, heartbeatIntervalMs, assignment }
    } catch (error) {
      const code = error instanceof RequestError ? error.code : coordinatorErrorOf(error, logger)
      const { memberId } = request
      const errorMessage = errorMessageOf(error)
      return { error: code, errorMessage, memberId, memberEpoch: 0, heartbeatIntervalMs: 0, assignment: null }
    }
  }

  async #heartbeat(request: HeartbeatRequest): Promise<HeartbeatDecision> {
    const { config, clock, classic } = this.#options
    const { groupId, memberEpoch } = request
    const known = this.#entries.get(groupId)
    if (known === undefined && (memberEpoch !== joining || classic.isInUse(groupId))) {
      const reason = classic.isInUse(groupId) ? 'is not a consumer group' : 'not found'
      throw new RequestError('GROUP_ID_NOT_FOUND', `Group ${groupId} ${reason}.`)
    }
    const entry = known ?? this.#newEntry(groupId)
    const { version } = this.#options.topics
    const decision = decideHeartbeat(entry.group, request, {
      assignors: config['group.consumer.assignors'],
      maxSize: config['group.consumer.max.size'],
      subscriptions: this.#subscriptions,
      haveTopicsChanged: entry.topicsVersion !== version,
      now: clock.now(),
    })
    await this.#commit(entry, decision.records, known === undefined ? classic.tombstones(groupId) : [])
    if (known === undefined) {
      classic.forget(groupId)
      this.#entries.set(groupId, entry)
    }
    if (memberEpoch >= joining) {
      entry.topicsVersion = version
      this.#renew(groupId, entry, decision.memberId)
    }
    return decision
  }

  #newEntry(groupId: string): Entry {
    return { group: new ConsumerGroup(groupId), timers: new Map(), topicsVersion: -1 }
  }

  /** Writes the records; they are in force when it resolves. */
  async #commit(
    { group, timers }: Entry,
    records: readonly ConsumerGroupRecord[],
    others: readonly StateRecord[] = [],
  ): Promise<void> {
    if (records.length === 0) return
    const { append, clock } = this.#options
    await append(group.id, [...others, ...records.map((record) => consumerGroupRecord(group.id, record))])
    const now = clock.now()
    for (const record of records) group.apply(record, now)
    for (const [memberId, { session, revocation }] of timers) {
      if (group.members.has(memberId)) continue
      session.end()
      revocation?.timer.cancel()
      timers.delete(memberId)
    }
  }

  /** A sign of life; and a limit to the time that a member takes to give up partitions. */
  #renew(groupId: string, entry: Entry, memberId: string): void {
    const { clock, settings } = this.#options
    let timers = entry.timers.get(memberId)
    if (timers === undefined) {
      const session = new Session(clock, () =>
        this.#expel(groupId, memberId, 'no heartbeat within the session timeout'),
      )
      timers = { session, revocation: undefined }
      entry.timers.set(memberId, timers)
    }
    timers.session.renew(settings.sessionTimeoutMs(groupId))
    const { state, epoch, rebalanceTimeoutMs } = entry.group.members.get(memberId)!
    const isRevoking = state === 'unrevoked'
    if (timers.revocation !== undefined && (!isRevoking || timers.revocation.epoch !== epoch)) {
      timers.revocation.timer.cancel()
      timers.revocation = undefined
    }
    if (!isRevoking || timers.revocation !== undefined) return
    const onLate = () => this.#expel(groupId, memberId, 'partitions not given up within the rebalance timeout', epoch)
    timers.revocation = { epoch, timer: clock.after(Math.max(0, rebalanceTimeoutMs), onLate) }
  }

  /** @param revokingAt the epoch in which it had to give up partitions; without, its session has to be over */
  #expel(groupId: string, memberId: string, reason: string, revokingAt?: number): void {
    const { clock, logger } = this.#options
    const expulsion = this.#turns.run(groupId, async () => {
      const entry = this.#entries.get(groupId)
      const member = entry?.group.members.get(memberId)
      const timers = entry?.timers.get(memberId)
      if (entry === undefined || member === undefined || timers === undefined) return
      // What happened while it waited for its turn counts.
      const isDue =
        revokingAt === undefined
          ? timers.session.hasExpired
          : member.state === 'unrevoked' && member.epoch === revokingAt
      if (!isDue) return
      logger.debug('Member put out of its group', { group: groupId, member: memberId, reason })
      await this.#commit(entry, removal(entry.group, memberId, this.#subscriptions))
    })
    expulsion.catch((error: unknown) => {
      if (this.#isClosed) return
      // A disk that cannot be written has been complained of where that was found.
      if (!(error instanceof LogStorageError)) coordinatorErrorOf(error, logger)
      clock.after(retryMs, () => this.#expel(groupId, memberId, reason, revokingAt))
    })
  }

  /**
   * Whether offsets may be stored under this claim.
   * @param transactional by TxnOffsetCommit, which knows no error of the newer protocol
   */
  checkCommit(group: ConsumerGroup, claim: MemberClaim, transactional: boolean): KafkaError {
    if (claim.generationId < 0 && group.members.size === 0) return 'NONE'
    const member = group.members.get(claim.memberId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (!transactional && claim.hasMemberEpoch !== true) return 'UNSUPPORTED_VERSION'
    if (claim.generationId === member.epoch) return 'NONE'
    return transactional ? 'ILLEGAL_GENERATION' : 'STALE_MEMBER_EPOCH'
  }

  /** Whether a member may fetch offsets; whoever does not claim to be one may. */
  checkFetch(group: ConsumerGroup, memberId: string | null, memberEpoch: number): KafkaError {
    if (memberId === null && memberEpoch < 0) return 'NONE'
    const member = group.members.get(memberId ?? '')
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    return memberEpoch === member.epoch ? 'NONE' : 'STALE_MEMBER_EPOCH'
  }

  /**
   * Lets a group of the classic protocol begin under an id, in place of an empty one of this protocol.
   * @param begin is called in turn; what it returns is not waited for
   * @throws RequestError INCONSISTENT_GROUP_PROTOCOL where there are members, LogStorageError
   */
  async giveWay<T>(groupId: string, begin: () => Promise<T>): Promise<T> {
    const { begun } = await this.#turns.run(groupId, async () => {
      const group = this.get(groupId)
      if (group !== undefined && group.members.size > 0) {
        const reason = `Group ${groupId} has members of the consumer protocol.`
        throw new RequestError('INCONSISTENT_GROUP_PROTOCOL', reason)
      }
      if (group !== undefined) await this.#delete(group, [])
      return { begun: begin() }
    })
    return begun
  }

  /**
   * Deletes a group without members.
   * @param others records that go with it; asked when it is its turn
   * @throws LogStorageError, RequestError
   */
  delete(
    groupId: string,
    others: () => readonly StateRecord[],
  ): Promise<'NONE' | 'NON_EMPTY_GROUP' | 'GROUP_ID_NOT_FOUND'> {
    return this.#turns.run(groupId, async () => {
      const group = this.get(groupId)
      if (group === undefined) return 'GROUP_ID_NOT_FOUND'
      if (group.members.size > 0) return 'NON_EMPTY_GROUP'
      await this.#delete(group, others())
      return 'NONE'
    })
  }

  async #delete(group: ConsumerGroup, others: readonly StateRecord[]): Promise<void> {
    const records: ConsumerGroupRecord[] = [
      { kind: 'assignment epoch', value: null },
      { kind: 'group epoch', value: null },
    ]
    const encoded = records.map((record) => consumerGroupRecord(group.id, record))
    await this.#options.append(group.id, [...encoded, ...others])
    this.#entries.delete(group.id)
  }

  /** Ends the timers. Members stay members: after a restart they have one session to come back. */
  close(): void {
    this.#isClosed = true
    for (const { timers } of this.#entries.values()) {
      for (const { session, revocation } of timers.values()) {
        session.end()
        revocation?.timer.cancel()
      }
      timers.clear()
    }
  }
}
