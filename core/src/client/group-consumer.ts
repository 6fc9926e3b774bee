import type { TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import { assignRange, decodeAssignment, decodeSubscriber, encodeAssignment, encodeSubscription } from './assignors.ts'
import { closedError, monotonicMs, retry } from './backoff.ts'
import {
  LogError,
  type FetchedRecords,
  type GroupConsumer,
  type GroupConsumerOptions,
  type PollOptions,
} from './client.ts'
import type { Cluster } from './cluster.ts'
import { Fetcher } from './fetcher.ts'
import { GroupMember, type MemberMetadata } from './group-member.ts'
import { commitGroupOffsets, fetchGroupOffsets } from './group-offsets.ts'
import { fetcherOptions } from './reader.ts'
import { TopicWatch } from './topic-watch.ts'
import { partitionKey } from './topic-partitions.ts'

/** `default.api.timeout.ms` */
const API_TIMEOUT_MS = 60_000
/** `max.poll.interval.ms` */
const MAX_POLL_INTERVAL_MS = 300_000

/** What a round of joining came to: what this member holds now, and where the group has got to in it. */
interface NewAssignment {
  readonly partitions: readonly TopicPartition[]
  readonly committed: readonly TopicPartitionOffset[]
}

/**
 * A consumer in a group. Joining goes on in the background; what it leads to (callbacks, positions) happens within
 * `poll`, so that the owner is never called while it is doing something else.
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
      protocolType: 'consumer',
      sessionTimeoutMs: options.sessionTimeoutMs ?? 10_000,
      heartbeatIntervalMs: options.heartbeatIntervalMs ?? 3_000,
      rebalanceTimeoutMs: options.rebalanceTimeoutMs ?? 60_000,
      groupInstanceId: options.groupInstanceId,
      leavesOnClose: options.leavesOnClose ?? options.groupInstanceId === undefined,
      protocols: () => [{ name: 'range', metadata: encodeSubscription(this.#topics.names, this.assignment()) }],
      assign: (_protocol, members) => this.#assign(members),
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
    const { groupId } = this.#options
    try {
      await this.#retry(`committing for group ${groupId}`, async () => {
        const { identity } = this.#member
        if (identity === undefined) {
          const message = `committing for group ${groupId}: not a member at the moment`
          throw this.#member.lost ?? new LogError('UNKNOWN_MEMBER_ID', message, { retriable: false })
        }
        await commitGroupOffsets(this.#cluster, groupId, offsets, identity)
      })
    } catch (error) {
      if (error instanceof LogError) this.#member.noteError(error)
      throw error
    }
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
      await (this.#member.lost === undefined
        ? this.#giveUp(this.#options.onRevoke)
        : this.#giveUp(this.#options.onLost))
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
    if (this.#member.lost !== undefined && this.#joining === undefined) {
      const { lost } = this.#member
      this.#joined = undefined
      this.#cluster.logger.warn('lost membership of the group', { group: this.#options.groupId, error: lost.message })
      await this.#giveUp(this.#options.onLost)
      if (lost.code === 'FENCED_INSTANCE_ID') this.#fatal = lost
    }
    const joined = this.#joined
    if (joined !== undefined) {
      this.#joined = undefined
      if (joined.assignment === undefined) throw this.#joinFailed(joined.error)
      // Where the next round is due already, what this one gave is not worth taking.
      if (!this.#member.mustRejoin) await this.#take(joined.assignment)
    }
    if (this.#fatal !== undefined) throw this.#fatal
    if (this.#member.mustRejoin && this.#joining === undefined) {
      await this.#giveUp(this.#options.onRevoke)
      this.#joining = this.#join()
    }
  }

  #joinFailed(error: unknown): unknown {
    // Another has taken our place; coming back would only throw it out in turn.
    if (error instanceof LogError && error.code === 'FENCED_INSTANCE_ID') this.#fatal = error
    return error
  }

  /** The range assignor is eager: everything is given up before a round, and taken anew after it. */
  async #giveUp(tell: (partitions: readonly TopicPartition[]) => void | Promise<void>): Promise<void> {
    const held = this.assignment()
    if (held.length === 0) return
    for (const each of held) this.#fetcher.remove(each)
    try {
      await tell(held)
    } finally {
      this.#held.clear()
      this.#paused.clear()
    }
  }

  async #join(): Promise<void> {
    try {
      await this.#retry('topics', () => this.#topics.refresh(), Infinity)
      const { assignment, isLeader } = await this.#member.join()
      if (!isLeader) this.#topics.stopLeading()
      const partitions = decodeAssignment(assignment)
      this.#joined = { assignment: { partitions, committed: await this.#positions(partitions) } }
    } catch (error) {
      this.#joined = { error }
    }
    this.#joining = undefined
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

  async #take({ partitions, committed }: NewAssignment): Promise<void> {
    const offsets = new Map(committed.map((each) => [partitionKey(each.topic, each.partition), each.offset]))
    for (const each of partitions) this.#held.set(partitionKey(each.topic, each.partition), each)
    this.#sought.clear()
    try {
      if (partitions.length > 0) await this.#options.onAssign(partitions)
      for (const each of partitions) {
        const key = partitionKey(each.topic, each.partition)
        if (!this.#sought.has(key)) this.#fetcher.seek(each, this.#startOf(each, offsets.get(key) ?? -1))
        if (this.#paused.has(key)) this.#fetcher.setPaused(each, true)
      }
    } catch (error) {
      // Not all of it is being read. Another round gives it another try, or fails as this one did.
      this.#member.requestRejoin()
      throw error
    }
  }

  #startOf({ topic, partition }: TopicPartition, committed: number): number | 'earliest' | 'latest' {
    const { groupId, offsetReset = 'earliest' } = this.#options
    if (committed >= 0) return committed
    if (offsetReset !== 'none') return offsetReset
    const message = `group ${groupId} has no offset for ${topic}-${partition}, and auto.offset.reset is none`
    throw new LogError('OFFSET_OUT_OF_RANGE', message, { retriable: false })
  }

  async #assign(members: readonly MemberMetadata[]): Promise<ReadonlyMap<string, Buffer>> {
    const subscribers = members.map(decodeSubscriber)
    const topics = [...new Set(subscribers.flatMap((each) => each.topics))]
    await this.#topics.watchAsLeader(topics)
    const assignment = assignRange(subscribers, (topic) => this.#cluster.topic(topic)?.partitions.length ?? 0)
    return new Map([...assignment].map(([memberId, partitions]) => [memberId, encodeAssignment(partitions)]))
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
