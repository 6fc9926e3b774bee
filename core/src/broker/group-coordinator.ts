import type { Logger } from '../logging/logger.ts'
import type { LogManager } from '../log/log-manager.ts'
import type { Clock, Timer } from './clock.ts'
import type { BrokerConfig } from './config.ts'
import type { ConsumerGroup, ConsumerGroupState } from './consumer-group/consumer-group.ts'
import { ConsumerGroups, type HeartbeatResult } from './consumer-group/consumer-groups.ts'
import type { HeartbeatRequest } from './consumer-group/heartbeat.ts'
import { decodeConsumerGroupRecord } from './consumer-group/records.ts'
import type { Topics } from './consumer-group/subscriptions.ts'
import {
  joinError,
  syncError,
  type JoinRequest,
  type JoinResult,
  type MemberClaim,
  type SyncRequest,
  type SyncResult,
} from './group-exchange.ts'
import { Group, type GroupState } from './group.ts'
import {
  decodeGroupRecord,
  groupRecord,
  offsetRecord,
  subscribedTopics,
  type CommittedOffset,
  type GroupRecord,
  type OffsetKey,
} from './group-records.ts'
import type { GroupSettings } from './group-settings.ts'
import type { GroupSnapshot } from './group-snapshot.ts'
import { coordinatorErrorOf, InternalTopic, type StateRecord, type TransactionOwner } from './internal-topic.ts'
import { RequestError, type KafkaError } from './kafka-error.ts'
import { OffsetStore } from './offset-store.ts'
import { offsetsTopic } from './topic-catalog.ts'

export interface GroupCoordinatorOptions {
  readonly config: BrokerConfig
  readonly clock: Clock
  readonly log: LogManager
  readonly logger: Logger
  readonly topics: Topics
  readonly groupSettings: GroupSettings
}

export interface OffsetToCommit {
  readonly topic: string
  readonly partition: number
  readonly value: Omit<CommittedOffset, 'commitTimestamp'>
}

interface ListedGroup {
  readonly groupId: string
  readonly protocolType: string
  readonly state: GroupState | ConsumerGroupState
  readonly type: 'classic' | 'consumer'
}

/**
 * All consumer groups, of the classic protocol and of the newer one, and their offsets. What it answers has been written to `__consumer_offsets` first; at start it reads
 * that topic back.
 */
export class GroupCoordinator {
  readonly #options: GroupCoordinatorOptions
  readonly #topic: InternalTopic
  /** Of the classic protocol. */
  readonly #groups = new Map<string, Group>()
  /** Of the newer protocol. */
  readonly #consumerGroups: ConsumerGroups
  readonly #offsets = new OffsetStore()
  #cleanup: Timer | undefined

  constructor(options: GroupCoordinatorOptions) {
    const { config, clock, log, logger, topics, groupSettings } = options
    this.#options = options
    this.#topic = new InternalTopic(offsetsTopic, log, config['offsets.topic.num.partitions'], () => clock.now())
    this.#consumerGroups = new ConsumerGroups({
      config,
      clock,
      logger,
      topics,
      settings: groupSettings,
      append: (groupId, records) => this.#append(groupId, records),
      classic: {
        isInUse: (groupId) => (this.#groups.get(groupId)?.state ?? 'Empty') !== 'Empty',
        // One that only ever held offsets was never stored.
        tombstones: (groupId) => (this.#groups.get(groupId)?.protocolType ? [groupRecord(groupId, null)] : []),
        forget: (groupId) => this.#forget(groupId),
      },
    })
  }

  /** @throws LogStorageError where the log cannot be read */
  async load(): Promise<void> {
    const snapshots = new Map<string, GroupSnapshot>()
    await this.#topic.load({
      record: ({ key, value, timestamp }, batch) => {
        const record = this.#decode(key, value)
        if (record !== undefined && 'record' in record) {
          this.#consumerGroups.restore(record.group, record.record, timestamp)
        } else if (record?.kind === 'group') {
          if (record.value === null) snapshots.delete(record.group)
          else snapshots.set(record.group, record.value)
        } else if (record?.kind === 'offset') {
          if (batch.isTransactional && record.value !== null) {
            this.#offsets.addPending(batch.producerId, record.key, record.value)
          } else this.#offsets.set(record.key, record.value)
        }
      },
      marker: (producerId, committed) => this.#offsets.completePending(producerId, committed),
    })
    for (const [id, snapshot] of snapshots) this.#groups.set(id, Group.restore(id, snapshot, this.#groupOptions(id)))
    this.#consumerGroups.start()
    this.#scheduleCleanup()
  }

  #decode(key: Buffer | null, value: Buffer | null): GroupRecord | ReturnType<typeof decodeConsumerGroupRecord> {
    try {
      if (key === null) return undefined
      return decodeGroupRecord(key, value) ?? decodeConsumerGroupRecord(key, value)
    } catch (error) {
      this.#options.logger.warn(`A record of ${offsetsTopic} could not be read and is left out`, {
        error: String(error),
      })
      return undefined
    }
  }

  #groupOptions(id: string) {
    const { clock, config, logger } = this.#options
    return {
      clock,
      persist: (snapshot: GroupSnapshot) => this.#append(id, [groupRecord(id, snapshot)]),
      initialRebalanceDelayMs: config['group.initial.rebalance.delay.ms'],
      maxSize: config['group.max.size'],
      log: (message: string, details?: Readonly<Record<string, unknown>>) => logger.debug(message, details),
    }
  }

  /** @throws LogStorageError, RequestError */
  async #append(groupId: string, records: readonly StateRecord[], owner?: TransactionOwner): Promise<void> {
    await this.#topic.ensure()
    await this.#topic.append(groupId, records, owner)
  }

  #groupFor(id: string): Group {
    let group = this.#groups.get(id)
    if (group === undefined) {
      group = new Group(id, this.#groupOptions(id))
      this.#groups.set(id, group)
    }
    return group
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

  join(groupId: string, request: JoinRequest): Promise<JoinResult> {
    const { config } = this.#options
    const isAllowed =
      request.sessionTimeoutMs >= config['group.min.session.timeout.ms'] &&
      request.sessionTimeoutMs <= config['group.max.session.timeout.ms']
    const refuse = (error: KafkaError) => Promise.resolve(joinError(request.memberId, error))
    if (groupId === '') return refuse('INVALID_GROUP_ID')
    if (!isAllowed) return refuse('INVALID_SESSION_TIMEOUT')
    const begin = () => {
      if (!this.#groups.has(groupId) && request.memberId !== '') return refuse('UNKNOWN_MEMBER_ID')
      return this.#groupFor(groupId).join(request)
    }
    return this.#consumerGroups.giveWay(groupId, begin).catch((error: unknown) => {
      const known = error instanceof RequestError ? error.code : coordinatorErrorOf(error, this.#options.logger)
      return joinError(request.memberId, known)
    })
  }

  /** A member of the newer protocol joins, goes on or leaves; what comes of it is durable when it resolves. */
  consumerHeartbeat(request: HeartbeatRequest): Promise<HeartbeatResult> {
    return this.#consumerGroups.heartbeat(request)
  }

  sync(groupId: string, request: SyncRequest): Promise<SyncResult> {
    const group = this.#groups.get(groupId)
    return group?.sync(request) ?? Promise.resolve(syncError(groupId === '' ? 'INVALID_GROUP_ID' : 'UNKNOWN_MEMBER_ID'))
  }

  heartbeat(groupId: string, claim: MemberClaim): KafkaError {
    if (groupId === '') return 'INVALID_GROUP_ID'
    return this.#groups.get(groupId)?.heartbeat(claim) ?? 'UNKNOWN_MEMBER_ID'
  }

  leave(groupId: string, memberId: string, groupInstanceId: string | null): KafkaError {
    if (groupId === '') return 'INVALID_GROUP_ID'
    return this.#groups.get(groupId)?.leave(memberId, groupInstanceId) ?? 'UNKNOWN_MEMBER_ID'
  }

  /**
   * Stores offsets; resolves when they are durable.
   * @param owner of the transaction on whose end they take effect; null: at once
   * @returns one error for all, or one for each offset in its order
   */
  async commit(
    groupId: string,
    claim: MemberClaim,
    offsets: readonly OffsetToCommit[],
    owner: TransactionOwner | null,
  ): Promise<KafkaError | KafkaError[]> {
    const refusal = this.#checkCommit(groupId, claim, owner !== null)
    if (refusal !== 'NONE') return refusal
    const longest = this.#options.config['offset.metadata.max.bytes']
    const results = offsets.map(({ value }): KafkaError =>
      Buffer.byteLength(value.metadata) > longest ? 'OFFSET_METADATA_TOO_LARGE' : 'NONE',
    )
    const commitTimestamp = this.#options.clock.now()
    const accepted = offsets
      .filter((_, i) => results[i] === 'NONE')
      .map(({ topic, partition, value }) => ({
        key: { group: groupId, topic, partition },
        value: { ...value, commitTimestamp },
      }))
    if (accepted.length === 0) return results
    try {
      const records = accepted.map(({ key, value }) => offsetRecord(key, value))
      await this.#append(groupId, records, owner ?? undefined)
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
    for (const { key, value } of accepted) {
      if (owner === null) this.#offsets.set(key, value)
      else this.#offsets.addPending(owner.producerId, key, value)
    }
    return results
  }

  #checkCommit(groupId: string, claim: MemberClaim, transactional: boolean): KafkaError {
    if (groupId === '' && claim.generationId >= 0) return 'INVALID_GROUP_ID'
    const consumerGroup = this.#consumerGroups.get(groupId)
    if (consumerGroup !== undefined) return this.#consumerGroups.checkCommit(consumerGroup, claim, transactional)
    const group = this.#groups.get(groupId)
    if (group !== undefined) return group.checkCommit(claim, transactional)
    if (claim.generationId >= 0 && claim.memberId !== '') {
      return claim.hasMemberEpoch === true ? 'GROUP_ID_NOT_FOUND' : 'ILLEGAL_GENERATION'
    }
    this.#groupFor(groupId)
    return 'NONE'
  }

  /** The partition of `__consumer_offsets` that a transaction with offsets of this group has to mark. */
  async offsetsPartition(groupId: string): Promise<{ topic: string; partition: number }> {
    await this.#topic.ensure()
    return { topic: offsetsTopic, partition: this.#topic.partitionOf(groupId) }
  }

  /** Called when the marker of a transaction is in the log. */
  completeTransaction(producerId: number, committed: boolean): void {
    this.#offsets.completePending(producerId, committed)
  }

  committed(key: OffsetKey): CommittedOffset | undefined {
    return this.#offsets.get(key)
  }

  allCommitted(groupId: string): readonly (readonly [OffsetKey, CommittedOffset])[] {
    return [...this.#offsets.of(groupId)]
  }

  isUndecided(key: OffsetKey): boolean {
    return this.#offsets.isPending(key)
  }

  /** Whether a member of the newer protocol may fetch offsets. */
  checkFetch(groupId: string, memberId: string | null, memberEpoch: number): KafkaError {
    const group = this.#consumerGroups.get(groupId)
    return group === undefined ? 'NONE' : this.#consumerGroups.checkFetch(group, memberId, memberEpoch)
  }

  /** The groups that there are, those with nothing but offsets included. */
  list(): ListedGroup[] {
    const ids = new Set([...this.#groups.keys(), ...this.#consumerGroups.ids(), ...this.#offsets.groups()])
    return [...ids].map((groupId) => {
      const consumerGroup = this.#consumerGroups.get(groupId)
      if (consumerGroup !== undefined) {
        return { groupId, protocolType: 'consumer', state: consumerGroup.state, type: 'consumer' }
      }
      const group = this.#groups.get(groupId)
      const state = group?.state ?? 'Empty'
      return { groupId, protocolType: group?.protocolType ?? '', state, type: 'classic' }
    })
  }

  /** A group of the classic protocol, or one with nothing but offsets. */
  group(groupId: string): Group | undefined {
    const known = this.#groups.get(groupId)
    if (known !== undefined || !this.#offsets.has(groupId) || this.#consumerGroups.get(groupId) !== undefined)
      return known
    return this.#groupFor(groupId)
  }

  /** A group of the newer protocol. */
  consumerGroup(groupId: string): ConsumerGroup | undefined {
    return this.#consumerGroups.get(groupId)
  }

  /** The assignor that a group of the newer protocol uses. */
  assignorOf(group: ConsumerGroup): string {
    return this.#consumerGroups.assignorOf(group)
  }

  /** Deletes an empty group with its offsets. */
  async delete(groupId: string): Promise<KafkaError> {
    if (groupId === '') return 'INVALID_GROUP_ID'
    const consumerGroup = this.#consumerGroups.get(groupId)
    const group = this.group(groupId)
    if (consumerGroup === undefined && group === undefined) return 'GROUP_ID_NOT_FOUND'
    if (group?.isVacant() === false) return 'NON_EMPTY_GROUP'
    let keys: OffsetKey[] = []
    const forgetOffsets = () => {
      keys = [...this.#offsets.of(groupId)].map(([key]) => key)
      return keys.map((key) => offsetRecord(key, null))
    }
    try {
      if (consumerGroup === undefined) await this.#append(groupId, [groupRecord(groupId, null), ...forgetOffsets()])
      else {
        const refusal = await this.#consumerGroups.delete(groupId, forgetOffsets)
        if (refusal !== 'NONE') return refusal
      }
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
    for (const key of keys) this.#offsets.set(key, null)
    // Someone may have joined meanwhile: then the group goes on, without the offsets.
    if (group?.isVacant() === true) this.#forget(groupId)
    return 'NONE'
  }

  #forget(groupId: string): void {
    this.#groups.get(groupId)?.kill()
    this.#groups.delete(groupId)
  }

  /** Deletes offsets of topics that the group does not read now. One error for each key, in its order. */
  async deleteOffsets(groupId: string, keys: readonly OffsetKey[]): Promise<KafkaError | KafkaError[]> {
    const consumerGroup = this.#consumerGroups.get(groupId)
    const group = this.group(groupId)
    if (consumerGroup === undefined && group === undefined) return 'GROUP_ID_NOT_FOUND'
    if (group !== undefined && group.members.size > 0 && group.protocolType !== 'consumer') return 'NON_EMPTY_GROUP'
    const inUse = group === undefined ? new Set<string>() : topicsOf(group)
    const reads = (topic: string) =>
      consumerGroup === undefined ? inUse.has(topic) : this.#consumerGroups.isSubscribed(consumerGroup, topic)
    const results = keys.map(({ topic }): KafkaError => (reads(topic) ? 'GROUP_SUBSCRIBED_TO_TOPIC' : 'NONE'))
    const error = await this.#forgetOffsets(
      groupId,
      keys.filter((key, i) => results[i] === 'NONE' && this.#offsets.get(key) !== undefined),
    )
    return error === 'NONE' ? results : error
  }

  async #forgetOffsets(groupId: string, keys: readonly OffsetKey[]): Promise<KafkaError> {
    if (keys.length === 0) return 'NONE'
    try {
      const records = keys.map((key) => offsetRecord(key, null))
      await this.#topic.append(groupId, records)
    } catch (error) {
      return coordinatorErrorOf(error, this.#options.logger)
    }
    for (const key of keys) this.#offsets.set(key, null)
    return 'NONE'
  }

  /** A topic made anew under the same name must not be read from the old offsets. */
  onTopicDeleted(topic: string): void {
    const byGroup = Map.groupBy(this.#offsets.forTopic(topic), ({ group }) => group)
    for (const [group, keys] of byGroup) void this.#forgetOffsets(group, keys)
  }

  #scheduleCleanup(): void {
    const everyMs = this.#options.config['offsets.retention.check.interval.ms']
    this.#cleanup = this.#options.clock.after(everyMs, () => {
      void this.#expire()
      this.#scheduleCleanup()
    })
  }

  /** Forgets offsets that nobody has used for `offsets.retention.minutes`, and groups with nothing left (KIP-211). */
  async #expire(): Promise<void> {
    const retentionMs = this.#options.config['offsets.retention.minutes'] * 60_000
    const now = this.#options.clock.now()
    for (const { groupId } of this.list()) {
      const vacantSince = this.#vacantSince(groupId)
      if (vacantSince === null || this.#offsets.hasPending(groupId)) continue
      const expired = [...this.#offsets.of(groupId)].flatMap(([key, { commitTimestamp }]) =>
        now - Math.max(vacantSince, commitTimestamp) > retentionMs ? [key] : [],
      )
      await this.#forgetOffsets(groupId, expired)
      if (!this.#offsets.has(groupId) && this.#vacantSince(groupId) !== null) await this.delete(groupId)
    }
  }

  /** When its last member left; 0 for a group that never had one, null for one that has. */
  #vacantSince(groupId: string): number | null {
    const consumerGroup = this.#consumerGroups.get(groupId)
    if (consumerGroup !== undefined) return consumerGroup.members.size === 0 ? consumerGroup.changedAt : null
    const group = this.group(groupId)
    if (group?.isVacant() !== true) return null
    return group.protocolType === null ? 0 : group.stateSince
  }

  /** Ends the timers. Members stay members: after a restart they have one session to come back. */
  close(): void {
    this.#cleanup?.cancel()
    for (const group of this.#groups.values()) group.kill()
    this.#consumerGroups.close()
  }
}

/** What the members of a group of the protocol type `consumer` subscribe to. */
function topicsOf(group: Group): Set<string> {
  const members = group.members.values()
  return new Set(members.flatMap((member) => subscribedTopics(member.metadataFor(group.protocolName)) ?? []))
}
