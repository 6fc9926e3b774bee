import { heartbeat } from '../protocol/messages/heartbeat.ts'
import { joinGroup } from '../protocol/messages/join-group.ts'
import { leaveGroup } from '../protocol/messages/leave-group.ts'
import { syncGroup } from '../protocol/messages/sync-group.ts'
import { errorByCode } from '../protocol/errors.ts'
import type { ResponseOf } from '../protocol/message.ts'
import { backoffMs, closedError, monotonicMs, retryBackoff, sleep } from './backoff.ts'
import { LogError, type GroupMemberOptions, type GroupMembership, type JoinedGeneration } from './client.ts'
import type { Cluster } from './cluster.ts'
import { throwBrokerError } from './connection.ts'
import type { ConnectionPool } from './connection-pool.ts'
import type { CommitterIdentity } from './group-offsets.ts'

const NO_GENERATION = -1
/** The first of the heartbeats that look for a round; each next one comes after twice the time. */
const FIRST_LOOK_MS = 10

/**
 * Membership of a group by the classic group protocol, for any protocol type. It knows nothing of what the group is
 * for: metadata and assignments are bytes.
 *
 * The owner calls {@link join}, holds what it was assigned, and calls it again when {@link mustRejoin} says so, after it
 * has let go of what it has to. Heartbeats go on by themselves in between, however long the owner takes.
 */
export class GroupMember implements GroupMembership {
  readonly #cluster: Cluster
  readonly #options: GroupMemberOptions
  /** Of its own: the coordinator holds back the answers to joins. */
  readonly #pool: ConnectionPool
  readonly #closing = new AbortController()
  #memberId = ''
  #generation = NO_GENERATION
  #mustRejoin = true
  #lost: LogError | undefined
  #isJoining = false
  #timer: NodeJS.Timeout | undefined
  #heartbeatFailures = 0
  #lookMs = Infinity

  constructor(cluster: Cluster, options: GroupMemberOptions) {
    this.#cluster = cluster
    this.#options = options
    this.#pool = cluster.newPool(options.clientId === undefined ? {} : { clientId: options.clientId })
  }

  /** Who commits offsets; undefined while it is no member. */
  get identity(): CommitterIdentity | undefined {
    if (this.#generation === NO_GENERATION) return undefined
    const { groupInstanceId } = this.#options
    return { memberId: this.#memberId, generation: this.#generation, groupInstanceId }
  }

  /** A new round has begun, or has to. What the last one assigned is still this member's, unless it is {@link lost}. */
  get mustRejoin(): boolean {
    return this.#mustRejoin
  }

  /**
   * Why the coordinator no longer counts this member in: what it was assigned may be another's already. Until the next
   * {@link join}.
   */
  get lost(): LogError | undefined {
    return this.#lost
  }

  /** Asks for a new round, since what this member would say or assign in it has changed. */
  requestRejoin(): void {
    if (this.#mustRejoin) return
    this.#mustRejoin = true
    this.#options.onChange()
  }

  /**
   * Someone is known to be coming or going: heartbeats go out in quick succession for a while, so that the round that
   * it leads to is not held up until the next regular one.
   */
  lookForRound(): void {
    if (this.#timer === undefined) return
    this.#lookMs = FIRST_LOOK_MS
    this.#scheduleHeartbeat(FIRST_LOOK_MS)
  }

  /**
   * Asks the coordinator whether the last round joined is still the group's last.
   * @throws LogError where it is not, or could not be asked
   */
  async check(): Promise<void> {
    try {
      await this.#sendHeartbeat()
    } catch (error) {
      if (error instanceof LogError) this.noteError(error)
      // The next round is being prepared, and has not come about.
      if (!(error instanceof LogError && error.code === 'REBALANCE_IN_PROGRESS')) throw error
    }
  }

  /**
   * Takes part in rounds until one succeeds, through errors that pass.
   * @throws LogError FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, GROUP_AUTHORIZATION_FAILED …; CLOSED
   */
  async join(): Promise<JoinedGeneration> {
    this.#stopHeartbeats()
    this.#lost = undefined
    this.#isJoining = true
    try {
      return await this.#joinThroughErrors()
    } finally {
      this.#isJoining = false
    }
  }

  async #joinThroughErrors(): Promise<JoinedGeneration> {
    for (let failures = 0; ;) {
      this.#throwIfClosed()
      try {
        return await this.#round()
      } catch (error) {
        if (!(error instanceof LogError)) throw error
        const atOnce = this.#heed(error)
        if (!atOnce && !error.retriable) throw error
        failures++
        this.#cluster.logger.debug('joining the group again', { group: this.#options.groupId, error: error.message })
        if (!atOnce || failures > 3) await sleep(backoffMs(failures, retryBackoff), this.#closing.signal)
      }
    }
  }

  /** Notes an error that an exchange in this member's name met with, such as a commit. */
  noteError(error: LogError): void {
    if (error.code === 'REBALANCE_IN_PROGRESS') this.requestRejoin()
    // To join is to find out; a late answer about the membership before must not end the one that is being made.
    else if (!this.#isJoining && endsMembership.has(error.code)) this.#lose(error)
  }

  /** Leaves, so that the others need not wait for the session to time out; a static member only if it is told to. */
  async leave(): Promise<void> {
    const wasMember = this.#memberId !== '' && this.#lost === undefined
    this.#stopHeartbeats()
    this.#closing.abort()
    this.#cluster.closePool(this.#pool)
    const { groupInstanceId, leavesOnClose = groupInstanceId === undefined } = this.#options
    if (!wasMember || !leavesOnClose) return
    this.#generation = NO_GENERATION
    await this.#sendLeave(this.#memberId, Math.min(5_000, this.#cluster.requestTimeoutMs))
  }

  #throwIfClosed(): void {
    if (this.#closing.signal.aborted) throw closedError(`member of group ${this.#options.groupId}`)
  }

  /** @returns whether the next round can begin at once */
  #heed(error: LogError): boolean {
    switch (error.code) {
      case 'MEMBER_ID_REQUIRED':
      case 'REBALANCE_IN_PROGRESS':
        return true
      case 'UNKNOWN_MEMBER_ID':
        this.#memberId = ''
        this.#generation = NO_GENERATION
        return true
      case 'ILLEGAL_GENERATION':
        this.#generation = NO_GENERATION
        return true
      default:
        return false
    }
  }

  async #round(): Promise<JoinedGeneration> {
    // A change that comes while the round is on has to lead to another.
    this.#mustRejoin = false
    try {
      const joined = await this.#join()
      const { protocolName, generationId, leader, memberId } = joined
      this.#generation = generationId
      const isLeader = leader === memberId
      // Where the owner gave up meanwhile (`abandon`), nothing keeps the session alive.
      if (this.#lost === undefined) this.#startHeartbeats()
      const assignments = isLeader && !joined.skipAssignment ? await this.#assign(joined) : []
      const assignment = await this.#sync(protocolName ?? '', assignments)
      const members = isLeader ? joined.members : []
      return { generation: generationId, memberId, protocol: protocolName ?? '', isLeader, assignment, members }
    } catch (error) {
      this.#stopHeartbeats()
      this.#mustRejoin = true
      throw error
    }
  }

  async #join(): Promise<ResponseOf<typeof joinGroup>> {
    const { groupId, sessionTimeoutMs, rebalanceTimeoutMs, protocolType, groupInstanceId } = this.#options
    const body = {
      groupId,
      sessionTimeoutMs,
      rebalanceTimeoutMs,
      memberId: this.#memberId,
      groupInstanceId: groupInstanceId ?? null,
      protocolType,
      protocols: this.#options.protocols(),
    }
    // The coordinator answers when all have joined, or the time for it is over.
    const timeoutMs = Math.max(rebalanceTimeoutMs, this.#cluster.requestTimeoutMs) + 5_000
    const sentAtMs = monotonicMs()
    const joined = await this.#cluster.withCoordinator('group', groupId, this.#pool, async (connection) => {
      const response = await connection.request(joinGroup, body, { timeoutMs })
      if (response.memberId !== '') this.#memberId = response.memberId
      throwBrokerError(response.errorCode, `joining group ${groupId}`)
      return response
    })
    this.#options.onAlive?.(sentAtMs, joined.memberId)
    return joined
  }

  async #assign(joined: ResponseOf<typeof joinGroup>): Promise<{ memberId: string; assignment: Buffer }[]> {
    const assignments = await this.#options.assign(joined.protocolName ?? '', joined.members)
    return [...assignments].map(([memberId, assignment]) => ({ memberId, assignment }))
  }

  async #sync(protocolName: string, assignments: { memberId: string; assignment: Buffer }[]): Promise<Buffer> {
    const { groupId, protocolType, groupInstanceId, rebalanceTimeoutMs } = this.#options
    const body = {
      groupId,
      generationId: this.#generation,
      memberId: this.#memberId,
      groupInstanceId: groupInstanceId ?? null,
      protocolType,
      protocolName,
      assignments,
    }
    const timeoutMs = Math.max(rebalanceTimeoutMs, this.#cluster.requestTimeoutMs) + 5_000
    return this.#cluster.withCoordinator('group', groupId, this.#pool, async (connection) => {
      const response = await connection.request(syncGroup, body, { timeoutMs })
      throwBrokerError(response.errorCode, `syncing group ${groupId}`)
      return response.assignment
    })
  }

  #startHeartbeats(): void {
    this.#heartbeatFailures = 0
    this.#lookMs = Infinity
    this.#scheduleHeartbeat(this.#options.heartbeatIntervalMs)
  }

  #stopHeartbeats(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  #scheduleHeartbeat(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#heartbeat(), ms).unref()
  }

  async #heartbeat(): Promise<void> {
    const { heartbeatIntervalMs } = this.#options
    const timer = this.#timer
    const startedAt = monotonicMs()
    const intervalMs = Math.min(heartbeatIntervalMs, this.#lookMs)
    this.#lookMs *= 2
    let nextMs = intervalMs
    try {
      await this.#sendHeartbeat()
      this.#heartbeatFailures = 0
      nextMs = Math.max(0, intervalMs - (monotonicMs() - startedAt))
    } catch (error) {
      // Of an earlier generation, or of none: the round that is on will tell.
      if (timer !== this.#timer || !(error instanceof LogError)) return
      this.noteError(error)
      if (this.#lost !== undefined) return
      if (error.retriable) nextMs = Math.min(nextMs, backoffMs(++this.#heartbeatFailures, retryBackoff))
    }
    if (timer === this.#timer) this.#scheduleHeartbeat(nextMs)
  }

  /** @throws LogError */
  async #sendHeartbeat(): Promise<void> {
    const { groupId, groupInstanceId, sessionTimeoutMs } = this.#options
    const memberId = this.#memberId
    const body = { groupId, generationId: this.#generation, memberId, groupInstanceId: groupInstanceId ?? null }
    const sentAtMs = monotonicMs()
    await this.#cluster.withCoordinator('group', groupId, this.#pool, async (connection) => {
      const response = await connection.request(heartbeat, body, { timeoutMs: sessionTimeoutMs })
      // A round is being prepared: the coordinator counts this member in as before.
      if (errorByCode(response.errorCode).name === 'REBALANCE_IN_PROGRESS') this.#noteAlive(sentAtMs, memberId)
      throwBrokerError(response.errorCode, `heartbeat to group ${groupId}`)
    })
    this.#noteAlive(sentAtMs, memberId)
  }

  /** Unless the answer comes so late that it is about a membership of the past. */
  #noteAlive(sentAtMs: number, memberId: string): void {
    if (memberId === this.#memberId) this.#options.onAlive?.(sentAtMs, memberId)
  }

  #lose(error: LogError): void {
    this.#stopHeartbeats()
    if (this.#lost !== undefined) return
    this.#lost = error
    if (error.code !== 'ILLEGAL_GENERATION') this.#memberId = ''
    this.#generation = NO_GENERATION
    this.#mustRejoin = true
    this.#options.onChange()
  }

  /**
   * Gives up the membership by itself: the owner has shown no life for longer than the group allows
   * (`max.poll.interval.ms`).
   */
  async abandon(reason: LogError): Promise<void> {
    const memberId = this.#memberId
    if (memberId === '' || this.#lost !== undefined) return
    this.#lose(reason)
    if (this.#options.groupInstanceId === undefined) {
      await this.#sendLeave(memberId, this.#cluster.requestTimeoutMs)
    }
  }

  /** Where it fails, the session times out in its own time. */
  async #sendLeave(memberId: string, timeoutMs: number): Promise<void> {
    const { groupId, groupInstanceId = null } = this.#options
    try {
      await this.#cluster.withCoordinator('group', groupId, this.#cluster.pool, async (connection) => {
        const version = connection.version(leaveGroup)
        const body = version < 3 ? { groupId, memberId } : { groupId, members: [{ memberId, groupInstanceId }] }
        await connection.request(leaveGroup, body, { version, timeoutMs })
      })
    } catch (error) {
      this.#cluster.logger.debug('leaving the group failed; its session will time out', {
        group: groupId,
        error: String(error),
      })
    }
  }
}

const endsMembership: ReadonlySet<string> = new Set(['UNKNOWN_MEMBER_ID', 'ILLEGAL_GENERATION', 'FENCED_INSTANCE_ID'])
