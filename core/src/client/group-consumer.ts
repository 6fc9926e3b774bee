import type { AssignedPartition, TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import { ZERO_UUID } from '../protocol/message.ts'
import {
  assignRange,
  decodeAssignment,
  decodeSubscriber,
  encodeAssignment,
  encodeCooperativeSubscription,
  encodeEagerSubscription,
  NO_GENERATION,
} from './assignors.ts'
import { closedError, monotonicMs, retry } from './backoff.ts'
import {
  LogError,
  type FetchedRecords,
  type GroupConsumer,
  type GroupConsumerOptions,
  type GroupMetadata,
  type PollOptions,
  type MemberMetadata,
} from './client.ts'
import type { Cluster } from './cluster.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember } from './group-member.ts'
import { commitGroupOffsets, fetchGroupOffsets, type CommitterIdentity } from './group-offsets.ts'
import { fetcherOptions } from './reader.ts'
import { assignCooperativeSticky } from './sticky-assignor.ts'
import { TopicWatch } from './topic-watch.ts'
import { partitionKey } from './topic-partitions.ts'

/** `default.api.timeout.ms` */
const API_TIMEOUT_MS = 60_000
/** `max.poll.interval.ms` */
const MAX_POLL_INTERVAL_MS = 300_000

const COOPERATIVE = 'cooperative-sticky'

/** What a round of joining came to: what this member has now, and where the group has got to in what is new to it. */
interface NewAssignment {
  readonly generation: number
  readonly protocol: string
  readonly partitions: readonly AssignedPartition[]
  readonly committed: readonly TopicPartitionOffset[]
}

/**
 * A consumer in a group. Joining goes on in the background; what it leads to (callbacks, positions) happens within
 * `poll`, so that the owner is never called while it is doing something else.
 *
 * In a group that goes by the cooperative protocol, what is held is read on while a round is on; only what the round
 * gives to others is revoked, and another round then lets them have it. In one that goes by range, everything is revoked
 * before a round.
 */
export class LogGroupConsumer implements GroupConsumer {
  readonly #cluster: Cluster
  readonly #options: GroupConsumerOptions
  readonly #fetcher: Fetcher
  readonly #member: GroupMember
  readonly #topics: TopicWatch
  readonly #closing = new AbortController()
  readonly #maxPollIntervalMs: number
  readonly #held = new Map<string, TopicPartition>()
  readonly #paused = new Set<string>()
  readonly #sought = new Set<string>()
  #joining: Promise<void> | undefined
  #joined: { readonly assignment?: NewAssignment; readonly error?: unknown } | undefined
  #polling = false
  /** The last round was cooperative, and all that it gave was taken: what is held is kept through the next one. */
  #keepsHeld = false
  /** In which it was taken. */
  #heldGeneration = NO_GENERATION
  /** What is held may be others' already, although a round is on or was joined since. */
  #heldIsLost = false
  #fatal: LogError | undefined
  #idleTimer: NodeJS.Timeout | undefined

  constructor(cluster: Cluster, options: GroupConsumerOptions) {
    const { groupId, topics, topicsPattern } = options
    if ((topics === undefined) === (topicsPattern === undefined)) {
      throw new TypeError(`group ${groupId}: either topics or topicsPattern has to be given`)
    }
    this.#cluster = cluster
    this.#options = options
    this.#maxPollIntervalMs = options.maxPollIntervalMs ?? MAX_POLL_INTERVAL_MS
    this.#fetcher = new Fetcher(cluster, fetcherOptions(options, options.offsetReset ?? 'earliest'))
    this.#topics = new TopicWatch(cluster, topics ?? topicsPattern!, () => this.#member.requestRejoin())
    this.#member = new GroupMember(cluster, {
      groupId,
      clientId: options.clientId,
      protocolType: 'consumer',
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
      groupInstanceId: options.groupInstanceId,
      leavesOnClose: options.leavesOnClose ?? options.groupInstanceId === undefined,
      protocols: () => this.#protocols(),
      assign: (protocol, members) => this.#assign(protocol, members),
      onChange: () => this.#fetcher.interrupt(),
    })
    cluster.register(this)
  }

  async poll(options: PollOptions): Promise<readonly FetchedRecords[]> {
    this.#throwIfClosed()
    if (this.#polling)
      throw new LogError('INVALID_REQUEST', 'poll while another poll is under way', { retriable: false })
    this.#polling = true
    clearTimeout(this.#idleTimer)
    try {
      return await this.#poll(options)
    } finally {
      this.#polling = false
      if (!this.#closing.signal.aborted) this.#startIdleTimer()
    }
  }

  async commit(offsets: readonly TopicPartitionOffset[]): Promise<void> {
    await this.#retry(`committing for group ${this.#options.groupId}`, async () => {
      const identity = this.#identity()
      try {
        await commitGroupOffsets(this.#cluster, this.#options.groupId, offsets, identity)
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        if (this.#joining === undefined && identity.generation === this.#member.identity?.generation) {
          this.#member.noteError(error)
          throw error
        }
        // The group has gone on to a generation that this member is about to be told of, and in which it still has these.
        if (!overtaken.has(error.code)) throw error
        await this.#joining
        throw new LogError(error.code, error.message, { retriable: true, cause: error })
      }
    })
  }

  groupMetadata(): GroupMetadata {
    return { groupId: this.#options.groupId, ...this.#identity() }
  }

  async committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    const { groupId } = this.#options
    return this.#retry(`offsets of group ${groupId}`, () => fetchGroupOffsets(this.#cluster, groupId, partitions))
  }

  seek(position: TopicPartitionOffset): void {
    const key = this.#heldKey(position, 'seek')
    this.#sought.add(key)
    this.#fetcher.seek(position, position.offset)
    if (this.#paused.has(key)) this.#fetcher.setPaused(position, true)
  }

  pause(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) {
      this.#paused.add(this.#heldKey(each, 'pause'))
      this.#fetcher.setPaused(each, true)
    }
  }

  resume(partitions: readonly TopicPartition[]): void {
    for (const each of partitions) {
      this.#paused.delete(this.#heldKey(each, 'resume'))
      this.#fetcher.setPaused(each, false)
    }
  }

  assignment(): readonly TopicPartition[] {
    return [...this.#held.values()]
  }

  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return
    clearTimeout(this.#idleTimer)
    this.#topics.close()
    try {
      const isLost = this.#heldIsLost || this.#member.lost !== undefined
      await this.#giveUp(this.assignment(), isLost ? this.#options.onLost : this.#options.onRevoke)
    } finally {
      this.#closing.abort()
      this.#fetcher.close()
      await this.#member.leave()
      await this.#joining
      this.#cluster.unregister(this)
    }
  }

  async #poll({ maxWaitMs, signal }: PollOptions): Promise<readonly FetchedRecords[]> {
    const deadline = monotonicMs() + maxWaitMs
    for (;;) {
      await this.#updateMembership()
      const left = Math.max(0, deadline - monotonicMs())
      const records = await this.#fetcher.poll({ maxWaitMs: left, ...(signal && { signal }) })
      if (this.#closing.signal.aborted) return []
      if (records.length > 0 || monotonicMs() >= deadline || signal?.aborted === true) return records
    }
  }

  /** Brings what is held in line with the group: lets go of it, begins a round, or takes what a round has assigned. */
  async #updateMembership(): Promise<void> {
    if (this.#heldIsLost) await this.#giveUpLost()
    if (this.#member.lost !== undefined && this.#joining === undefined) {
      const { lost } = this.#member
      this.#joined = undefined
      this.#cluster.logger.warn('lost membership of the group', { group: this.#options.groupId, error: lost.message })
      await this.#giveUpLost()
      if (lost.code === 'FENCED_INSTANCE_ID') this.#fatal = lost
    }
    const joined = this.#joined
    if (joined !== undefined) {
      this.#joined = undefined
      if (joined.assignment === undefined) throw await this.#joinFailed(joined.error)
      // Where all is given up before the next round, and it is due already, what this one gave is not worth taking.
      if (!this.#member.mustRejoin || joined.assignment.protocol === COOPERATIVE) await this.#take(joined.assignment)
    }
    if (this.#fatal !== undefined) throw this.#fatal
    if (this.#member.mustRejoin && this.#joining === undefined) {
      if (!this.#keepsHeld) await this.#giveUp(this.assignment(), this.#options.onRevoke)
      this.#joining = this.#join()
    }
  }

  /** Without a round joined, the session is not kept alive. */
  async #joinFailed(error: unknown): Promise<unknown> {
    await this.#giveUpLost()
    // Another has taken our place; coming back would only throw it out in turn.
    if (error instanceof LogError && error.code === 'FENCED_INSTANCE_ID') this.#fatal = error
    return error
  }

  async #giveUpLost(): Promise<void> {
    this.#heldIsLost = false
    await this.#giveUp(this.assignment(), this.#options.onLost)
  }

  async #giveUp(
    partitions: readonly TopicPartition[],
    tell: (partitions: readonly TopicPartition[]) => void | Promise<void>,
  ): Promise<void> {
    if (partitions.length === 0) return
    for (const each of partitions) this.#fetcher.remove(each)
    try {
      await tell(partitions)
    } finally {
      for (const { topic, partition } of partitions) {
        const key = partitionKey(topic, partition)
        this.#held.delete(key)
        this.#paused.delete(key)
      }
    }
  }

  async #join(): Promise<void> {
    try {
      await this.#retry('topics', () => this.#topics.refresh(), Infinity)
      const { assignment, generation, protocol, isLeader } = await this.#member.join()
      if (!isLeader) this.#topics.stopLeading()
      // Others who do not ask what anyone has already may have been given it.
      if (protocol !== COOPERATIVE) this.#loseHeld()
      const partitions = decodeAssignment(assignment)
      const isNew = ({ topic, partition }: TopicPartition): boolean =>
        this.#heldIsLost || !this.#held.has(partitionKey(topic, partition))
      const fresh = partitions.filter(isNew)
      const committed = await this.#positions(fresh)
      const named = await this.#withTopicIds(partitions, fresh)
      this.#joined = { assignment: { generation, protocol, partitions: named, committed } }
    } catch (error) {
      this.#joined = { error }
    }
    this.#joining = undefined
    this.#fetcher.interrupt()
  }

  #loseHeld(): void {
    if (this.#held.size === 0) return
    this.#heldIsLost = true
    this.#fetcher.interrupt()
  }

  #positions(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]> {
    const { groupId } = this.#options
    return this.#retry(
      `offsets of group ${groupId}`,
      () => fetchGroupOffsets(this.#cluster, groupId, partitions),
      Infinity,
    )
  }

  /** As the topics are now: one known from before may have been made anew since. */
  async #withTopicIds(
    partitions: readonly TopicPartition[],
    fresh: readonly TopicPartition[],
  ): Promise<readonly AssignedPartition[]> {
    const topics = new Set(fresh.map(({ topic }) => topic))
    if (topics.size > 0) await this.#retry('topics', () => this.#cluster.refresh(topics), Infinity)
    return partitions.map((each) => {
      const topicId = this.#cluster.topic(each.topic)?.id ?? ZERO_UUID
      return topicId === ZERO_UUID ? each : { ...each, topicId }
    })
  }

  async #take({ generation, protocol, partitions, committed }: NewAssignment): Promise<void> {
    const assigned = new Map(partitions.map((each) => [partitionKey(each.topic, each.partition), each]))
    const revoked = [...this.#held].flatMap(([key, each]) => (assigned.has(key) ? [] : [each]))
    const added = [...assigned].flatMap(([key, each]) => (this.#held.has(key) ? [] : [each]))
    try {
      await this.#giveUp(revoked, this.#options.onRevoke)
      // Those to whom these go get them in the next round.
      if (revoked.length > 0) this.#member.requestRejoin()
      await this.#add(added, committed)
      this.#heldGeneration = generation
      this.#keepsHeld = protocol === COOPERATIVE
    } catch (error) {
      // Not all of it is being read. Another round, with nothing kept, gives it another try, or fails as this one did.
      this.#keepsHeld = false
      this.#member.requestRejoin()
      throw error
    }
  }

  async #add(partitions: readonly AssignedPartition[], committed: readonly TopicPartitionOffset[]): Promise<void> {
    if (partitions.length === 0) return
    const offsets = new Map(committed.map((each) => [partitionKey(each.topic, each.partition), each.offset]))
    for (const { topic, partition } of partitions) this.#held.set(partitionKey(topic, partition), { topic, partition })
    this.#sought.clear()
    await this.#options.onAssign(partitions)
    for (const each of partitions) {
      const key = partitionKey(each.topic, each.partition)
      if (!this.#sought.has(key)) this.#fetcher.seek(each, this.#startOf(each, offsets.get(key) ?? -1))
      if (this.#paused.has(key)) this.#fetcher.setPaused(each, true)
    }
  }

  #startOf({ topic, partition }: TopicPartition, committed: number): number | 'earliest' | 'latest' {
    const { groupId, offsetReset = 'earliest' } = this.#options
    if (committed >= 0) return committed
    if (offsetReset !== 'none') return offsetReset
    const message = `group ${groupId} has no offset for ${topic}-${partition}, and auto.offset.reset is none`
    throw new LogError('OFFSET_OUT_OF_RANGE', message, { retriable: false })
  }

  #protocols(): { name: string; metadata: Buffer }[] {
    // The coordinator has forgotten this member, and may have given to others what it had.
    if (this.#member.identity === undefined) this.#loseHeld()
    const { names } = this.#topics
    const range = { name: 'range', metadata: encodeEagerSubscription(names) }
    if (this.#options.assignmentStrategy === 'range') return [range]
    const owned = this.#heldIsLost ? [] : this.assignment()
    const metadata = encodeCooperativeSubscription(names, owned, this.#heldGeneration)
    return [{ name: COOPERATIVE, metadata }, range]
  }

  async #assign(protocol: string, members: readonly MemberMetadata[]): Promise<ReadonlyMap<string, Buffer>> {
    const subscribers = members.map(decodeSubscriber)
    const topics = [...new Set(subscribers.flatMap((each) => each.topics))]
    await this.#topics.watchAsLeader(topics)
    const assign = protocol === COOPERATIVE ? assignCooperativeSticky : assignRange
    const assignment = assign(subscribers, (topic) => this.#cluster.topic(topic)?.partitions.length ?? 0)
    return new Map([...assignment].map(([memberId, partitions]) => [memberId, encodeAssignment(partitions)]))
  }

  /** @throws LogError where it is no member, or what is held may be others' */
  #identity(): CommitterIdentity {
    const { identity, lost } = this.#member
    if (identity !== undefined && !this.#heldIsLost) return identity
    const message = `group ${this.#options.groupId}: not a member at the moment`
    throw lost ?? new LogError('UNKNOWN_MEMBER_ID', message, { retriable: false })
  }

  /** An owner that does not poll any more must not keep others from what it holds. */
  #startIdleTimer(): void {
    this.#idleTimer = setTimeout(() => {
      const message = `no poll for ${this.#maxPollIntervalMs} ms (max.poll.interval.ms)`
      this.#cluster.logger.warn('leaving the group', { group: this.#options.groupId, reason: message })
      void this.#member.abandon(new LogError('MAX_POLL_EXCEEDED', message, { retriable: false }))
    }, this.#maxPollIntervalMs).unref()
  }

  #retry<T>(what: string, attempt: () => Promise<T>, timeoutMs = API_TIMEOUT_MS): Promise<T> {
    return retry(attempt, { what, timeoutMs, signal: this.#closing.signal })
  }

  #heldKey({ topic, partition }: TopicPartition, what: string): string {
    const key = partitionKey(topic, partition)
    if (!this.#held.has(key)) {
      throw new LogError('NOT_ASSIGNED', `${what}: ${topic}-${partition} is not assigned to this consumer`, {
        retriable: false,
      })
    }
    return key
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw closedError(`consumer of group ${this.#options.groupId}`)
  }
}

/** What a commit meets that comes while a round is being completed. */
const overtaken: ReadonlySet<string> = new Set(['REBALANCE_IN_PROGRESS', 'ILLEGAL_GENERATION'])
