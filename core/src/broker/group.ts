/**
 * The state machine of one classic consumer group: who is in it, and where its rebalance stands. No sockets and no files;
 * the clock and the way to make a decision durable are passed in. Sources: KIP-62 (rebalance timeout), KIP-134 (initial
 * delay), KIP-345 (static members), KIP-394 (member id required), KIP-814 (skipping the assignment).
 *
 * ```
 *            join                 all joined                leader synced
 *   Empty ──────────► Preparing ─────────────► Completing ────────────────► Stable
 *     ▲               Rebalance ◄───────────── Rebalance                      │
 *     │                 │  ▲      join, leave, expiry                         │
 *     └─────────────────┘  └──────────────────────────────────────────────────┘
 *       nobody is left              join, leave, expiry              (any ──► Dead: deleted)
 * ```
 */
import { randomUUID } from 'node:crypto'
import type { Clock, Timer } from './clock.ts'
import {
  joinError,
  settingsOf,
  syncError,
  type JoinRequest,
  type JoinResult,
  type MemberClaim,
  type SyncRequest,
  type SyncResult,
} from './group-exchange.ts'
import type { Member } from './group-member.ts'
import { GroupRoster } from './group-roster.ts'
import { settingsIn, snapshotOf, type GroupSnapshot } from './group-snapshot.ts'
import type { KafkaError } from './kafka-error.ts'

export type GroupState = 'Empty' | 'PreparingRebalance' | 'CompletingRebalance' | 'Stable' | 'Dead'

export interface GroupOptions {
  readonly clock: Clock
  /** Makes a decision durable before it is told to the members. A rejection sends the group into another rebalance. */
  readonly persist: (snapshot: GroupSnapshot) => Promise<void>
  /** `group.initial.rebalance.delay.ms` */
  readonly initialRebalanceDelayMs: number
  /** `group.max.size` */
  readonly maxSize: number
  readonly log: (message: string, details?: Readonly<Record<string, unknown>>) => void
}

const nothing = Buffer.alloc(0)

export class Group {
  readonly id: string
  readonly #options: GroupOptions
  readonly #roster: GroupRoster
  #state: GroupState = 'Empty'
  #stateSince: number
  #generationId = 0
  #protocolType: string | null = null
  #protocolName: string | null = null
  #leaderId: string | null = null
  #rebalanceTimer: Timer | undefined
  /** Until then an empty group that is being joined waits for more members (KIP-134). */
  #initialDelay: { endsAt: number; grew: boolean } | undefined
  /** Members of this generation that have not asked for their assignment yet. */
  readonly #unsynced = new Set<string>()

  constructor(id: string, options: GroupOptions) {
    this.id = id
    this.#options = options
    this.#stateSince = options.clock.now()
    this.#roster = new GroupRoster(options.clock, (expired) =>
      this.#remove(expired, 'no heartbeat within the session timeout'),
    )
  }

  /** A group as it was when the broker stopped. Its members have one session to make themselves heard. */
  static restore(id: string, snapshot: GroupSnapshot, options: GroupOptions): Group {
    const group = new Group(id, options)
    group.#protocolType = snapshot.protocolType === '' ? null : snapshot.protocolType
    group.#generationId = snapshot.generationId
    group.#protocolName = snapshot.protocolName
    group.#leaderId = snapshot.leader
    if (snapshot.stateTimestamp >= 0) group.#stateSince = snapshot.stateTimestamp
    for (const known of snapshot.members) {
      const member = group.#roster.add(known.memberId, settingsIn(known, snapshot.protocolName))
      member.isNew = false
      member.assignment = known.assignment
      member.touch()
    }
    if (group.members.size > 0) group.#state = 'Stable'
    return group
  }

  get state(): GroupState {
    return this.#state
  }

  get stateSince(): number {
    return this.#stateSince
  }

  get generationId(): number {
    return this.#generationId
  }

  /** `consumer`, `connect` or another; null for a group that only ever stored offsets. */
  get protocolType(): string | null {
    return this.#protocolType
  }

  get protocolName(): string | null {
    return this.#protocolName
  }

  get leaderId(): string | null {
    return this.#leaderId
  }

  get members(): ReadonlyMap<string, Member> {
    return this.#roster.members
  }

  /** Nobody is in it, or about to be. */
  isVacant(): boolean {
    return this.#state === 'Empty' && !this.#roster.hasPending
  }

  /** Resolves when the rebalance that this join is part of has gathered its members. */
  join(request: JoinRequest): Promise<JoinResult> {
    return new Promise((resolve) => {
      const refusal = this.#refuseJoin(request)
      if (refusal !== null) resolve(joinError(request.memberId, refusal))
      else if (request.memberId !== '') this.#joinExisting(request, resolve)
      else if (request.groupInstanceId !== null) this.#joinStatic(request, request.groupInstanceId, resolve)
      else this.#joinNew(request, resolve)
    })
  }

  #refuseJoin(request: JoinRequest): KafkaError | null {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (!this.#canSpeak(request)) return 'INCONSISTENT_GROUP_PROTOCOL'
    const isFull = this.#roster.size >= this.#options.maxSize
    return isFull && !this.#roster.knows(request) ? 'GROUP_MAX_SIZE_REACHED' : null
  }

  /** Whether the group would still have a protocol that all its members offer. */
  #canSpeak(request: JoinRequest): boolean {
    const { protocolType, protocols } = request
    if (protocols.length === 0 || protocolType === '') return false
    if (this.members.size === 0) return true
    return protocolType === this.#protocolType && this.#roster.sharesOneOf(request)
  }

  #joinNew(request: JoinRequest, reply: (result: JoinResult) => void): void {
    const memberId = `${request.clientId}-${randomUUID()}`
    if (!request.requireKnownMemberId) {
      this.#addAndRebalance(memberId, request, reply)
      return
    }
    this.#roster.expect(memberId, request.sessionTimeoutMs, () => this.#onPendingGone())
    reply({ ...joinError(memberId, 'MEMBER_ID_REQUIRED') })
  }

  #joinStatic(request: JoinRequest, groupInstanceId: string, reply: (result: JoinResult) => void): void {
    const memberId = `${groupInstanceId}-${randomUUID()}`
    const formerId = this.#roster.memberIdOf(groupInstanceId)
    if (formerId === undefined) this.#addAndRebalance(memberId, request, reply)
    else this.#replaceStatic(this.members.get(formerId)!, memberId, request, reply)
  }

  #joinExisting(request: JoinRequest, reply: (result: JoinResult) => void): void {
    const { memberId } = request
    if (this.#roster.unexpect(memberId)) {
      this.#addAndRebalance(memberId, request, reply)
      return
    }
    const problem = this.#checkClaim(request)
    if (problem !== null) {
      reply(joinError(memberId, problem))
      return
    }
    const member = this.members.get(memberId)!
    const unchanged = member.matches(request.protocols)
    const isLeader = memberId === this.#leaderId
    switch (this.#state) {
      case 'Stable':
        // The leader joins again to have the assignment made anew; the others only when they want something else.
        if (unchanged && !isLeader) this.#repeatJoin(member, reply)
        else this.#updateAndRebalance(member, request, reply)
        return
      case 'CompletingRebalance':
        // The answer to its join got lost: it gets the same again.
        if (unchanged) this.#repeatJoin(member, reply)
        else this.#updateAndRebalance(member, request, reply)
        return
      case 'PreparingRebalance':
        this.#updateAndRebalance(member, request, reply)
        return
      case 'Empty':
      case 'Dead':
        reply(joinError(memberId, 'UNKNOWN_MEMBER_ID'))
    }
  }

  /** Answers with the generation under way, which the member belongs to already. */
  #repeatJoin(member: Member, reply: (result: JoinResult) => void): void {
    member.touch()
    reply(this.#joinResultFor(member))
  }

  #addAndRebalance(memberId: string, request: JoinRequest, reply: (result: JoinResult) => void): void {
    if (this.members.size === 0) this.#protocolType = request.protocolType
    const member = this.#roster.add(memberId, settingsOf(request))
    member.holdJoin(reply, () => joinError(memberId, 'REBALANCE_IN_PROGRESS'))
    member.touch()
    this.#leaderId ??= memberId
    if (this.#initialDelay !== undefined) this.#initialDelay.grew = true
    this.#rebalance('member joined', memberId)
  }

  #updateAndRebalance(member: Member, request: JoinRequest, reply: (result: JoinResult) => void): void {
    member.settings = settingsOf(request)
    member.holdJoin(reply, () => joinError(member.memberId, 'REBALANCE_IN_PROGRESS'))
    member.touch()
    this.#rebalance('member joined again', member.memberId)
  }

  /** A static member that was restarted takes the place of its former self, without a rebalance where none is needed. */
  #replaceStatic(member: Member, memberId: string, request: JoinRequest, reply: (result: JoinResult) => void): void {
    const formerId = member.memberId
    const wasLeader = this.#leaderId === formerId
    member.answerJoin(joinError(formerId, 'FENCED_INSTANCE_ID'))
    member.answerSync(syncError('FENCED_INSTANCE_ID'))
    this.#unsynced.delete(formerId)
    this.#roster.rename(member, memberId, settingsOf(request))
    if (wasLeader) this.#leaderId = memberId
    member.touch()
    if (this.#state !== 'Stable' || this.#roster.selectProtocol() !== this.#protocolName) {
      member.holdJoin(reply, () => joinError(memberId, 'REBALANCE_IN_PROGRESS'))
      this.#rebalance('static member replaced', memberId)
      return
    }
    // Without KIP-814 the new leader must not learn that it leads: it would assign anew, and nobody would take it.
    const result = this.#joinResultFor(member)
    const kept: JoinResult = request.canSkipAssignment
      ? { ...result, skipAssignment: wasLeader }
      : { ...result, members: [], leader: wasLeader ? formerId : result.leader }
    this.#options.persist(this.snapshot()).then(
      () => reply(kept),
      () => reply(joinError(memberId, 'COORDINATOR_NOT_AVAILABLE')),
    )
  }

  /** Resolves with the member's assignment once the leader has given it and it is durable. */
  sync(request: SyncRequest): Promise<SyncResult> {
    return new Promise((resolve) => {
      const problem = this.#checkClaim(request) ?? this.#checkGeneration(request) ?? this.#checkProtocol(request)
      if (problem !== null) {
        resolve(syncError(problem))
        return
      }
      const member = this.members.get(request.memberId)!
      switch (this.#state) {
        case 'PreparingRebalance':
          resolve(syncError('REBALANCE_IN_PROGRESS'))
          return
        case 'Stable':
          this.#unsynced.delete(member.memberId)
          member.touch()
          resolve(this.#syncResultFor(member))
          return
        case 'CompletingRebalance':
          this.#unsynced.delete(member.memberId)
          member.holdSync(resolve, () => syncError('REBALANCE_IN_PROGRESS'))
          if (member.memberId === this.#leaderId) this.#assign(request.assignments)
          return
        case 'Empty':
        case 'Dead':
          resolve(syncError('UNKNOWN_MEMBER_ID'))
      }
    })
  }

  /** The leader's decision: durable first, then told to all that wait for it. */
  #assign(assignments: SyncRequest['assignments']): void {
    const decided = new Map(assignments.map(({ memberId, assignment }) => [memberId, Buffer.from(assignment)]))
    const generationId = this.#generationId
    const stillOurs = () => this.#state === 'CompletingRebalance' && this.#generationId === generationId
    this.#options.persist(this.snapshot((memberId) => decided.get(memberId) ?? nothing)).then(
      () => {
        if (!stillOurs()) return
        this.#enter('Stable')
        for (const member of this.members.values()) {
          member.assignment = decided.get(member.memberId) ?? nothing
          if (!member.awaitsSync) continue
          member.answerSync(this.#syncResultFor(member))
          member.touch()
        }
      },
      () => {
        if (!stillOurs()) return
        for (const member of this.members.values()) member.answerSync(syncError('COORDINATOR_NOT_AVAILABLE'))
        this.#rebalance('the assignment could not be stored')
      },
    )
  }

  heartbeat(claim: MemberClaim): KafkaError {
    const problem = this.#checkClaim(claim) ?? this.#checkGeneration(claim)
    if (problem !== null) return problem
    this.members.get(claim.memberId)!.touch()
    return this.#state === 'PreparingRebalance' ? 'REBALANCE_IN_PROGRESS' : 'NONE'
  }

  /** Takes a member out at once, by its id or, for a static one, by its instance id alone. */
  leave(memberId: string, groupInstanceId: string | null): KafkaError {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    if (groupInstanceId === null && this.#roster.unexpect(memberId)) {
      this.#onPendingGone()
      return 'NONE'
    }
    const actualId = groupInstanceId === null ? memberId : this.#roster.memberIdOf(groupInstanceId)
    const member = actualId === undefined ? undefined : this.members.get(actualId)
    if (member === undefined) return 'UNKNOWN_MEMBER_ID'
    if (groupInstanceId !== null && memberId !== '' && memberId !== actualId) return 'FENCED_INSTANCE_ID'
    this.#remove(member, 'member left')
    return 'NONE'
  }

  /** Whether offsets may be stored under this claim. Also a sign of life. */
  checkCommit(claim: MemberClaim, transactional: boolean): KafkaError {
    if (this.#state === 'Dead') return 'COORDINATOR_NOT_AVAILABLE'
    const anonymous = claim.generationId < 0 && claim.memberId === '' && claim.groupInstanceId === null
    // Tools and consumers with partitions of their own choice are not members; they must not overwrite a living group's.
    if (anonymous) return transactional || this.members.size === 0 ? 'NONE' : 'UNKNOWN_MEMBER_ID'
    if (claim.generationId < 0 && this.#state === 'Empty') return 'NONE'
    const problem = this.#checkClaim(claim) ?? this.#checkGeneration(claim)
    if (problem !== null) return problem
    if (!transactional && this.#state === 'CompletingRebalance') return 'REBALANCE_IN_PROGRESS'
    this.members.get(claim.memberId)!.touch()
    return 'NONE'
  }

  /** Ends the group for good. Whoever still talks to this object is sent to look for the coordinator again. */
  kill(): void {
    this.#rebalanceTimer?.cancel()
    this.#roster.stopTimers()
    for (const member of this.members.values()) {
      member.answerJoin(joinError(member.memberId, 'COORDINATOR_NOT_AVAILABLE'))
      member.answerSync(syncError('COORDINATOR_NOT_AVAILABLE'))
    }
    this.#enter('Dead')
  }

  snapshot(assignmentOf = (memberId: string) => this.members.get(memberId)!.assignment): GroupSnapshot {
    return {
      protocolType: this.#protocolType ?? '',
      generationId: this.#generationId,
      protocolName: this.#protocolName,
      leader: this.#leaderId,
      stateTimestamp: this.#stateSince,
      members: [...this.members.values()].map((member) =>
        snapshotOf(member, this.#protocolName, assignmentOf(member.memberId)),
      ),
    }
  }

  #forget(member: Member): void {
    this.#roster.remove(member)
    this.#unsynced.delete(member.memberId)
    if (this.#leaderId === member.memberId) this.#leaderId = this.members.keys().next().value ?? null
    member.answerJoin(joinError(member.memberId, 'UNKNOWN_MEMBER_ID'))
    member.answerSync(syncError('UNKNOWN_MEMBER_ID'))
  }

  #remove(member: Member, reason: string): void {
    this.#forget(member)
    this.#rebalance(reason, member.memberId)
  }

  /** Someone who was given an id will not come: the rebalance waits for them no longer. */
  #onPendingGone(): void {
    if (this.#state === 'PreparingRebalance') this.#completeJoinIfGathered()
  }

  /** Starts a rebalance, or sees whether the one that runs is complete with what has changed. */
  #rebalance(reason: string, memberId?: string): void {
    if (this.#state === 'PreparingRebalance') {
      this.#completeJoinIfGathered()
      return
    }
    const { clock, initialRebalanceDelayMs, log } = this.#options
    log('Group rebalances', { group: this.id, generation: this.#generationId, reason, member: memberId })
    for (const member of this.members.values()) member.answerSync(syncError('REBALANCE_IN_PROGRESS'))
    this.#unsynced.clear()
    const isNew = this.#state === 'Empty'
    this.#enter('PreparingRebalance')
    if (isNew && initialRebalanceDelayMs > 0) {
      const rebalanceTimeoutMs = Math.max(this.#roster.rebalanceTimeoutMs(), initialRebalanceDelayMs)
      this.#initialDelay = { endsAt: clock.elapsed() + rebalanceTimeoutMs, grew: false }
      this.#waitForMore(initialRebalanceDelayMs)
      return
    }
    this.#setTimer(this.#roster.rebalanceTimeoutMs(), () => this.#completeJoin())
    this.#completeJoinIfGathered()
  }

  /** The initial delay: prolonged as long as members keep coming, up to the rebalance timeout. */
  #waitForMore(delayMs: number): void {
    this.#setTimer(delayMs, () => {
      const delay = this.#initialDelay!
      const leftMs = delay.endsAt - this.#options.clock.elapsed()
      if (delay.grew && leftMs > 0) {
        delay.grew = false
        this.#waitForMore(Math.min(this.#options.initialRebalanceDelayMs, leftMs))
      } else {
        this.#initialDelay = undefined
        this.#completeJoin()
      }
    })
  }

  #completeJoinIfGathered(): void {
    if (this.#initialDelay !== undefined || this.#roster.hasPending) return
    for (const member of this.members.values()) if (!member.awaitsJoin) return
    this.#completeJoin()
  }

  /** Everyone is there, or the time is up: who has not come is out, save static members within their session. */
  #completeJoin(): void {
    this.#rebalanceTimer?.cancel()
    for (const member of [...this.members.values()]) {
      if (!member.awaitsJoin && !member.isStatic) this.#forget(member)
    }
    const joined = [...this.members.values()].find((member) => member.awaitsJoin)
    if (joined === undefined && this.members.size > 0) {
      this.#setTimer(this.#roster.rebalanceTimeoutMs(), () => this.#completeJoin())
      return
    }
    this.#generationId++
    if (joined === undefined) {
      this.#becomeEmpty()
      return
    }
    // A leader that is away could not answer with an assignment.
    if (this.#leaderId === null || !this.members.get(this.#leaderId)!.awaitsJoin) this.#leaderId = joined.memberId
    this.#protocolName = this.#roster.selectProtocol()
    this.#enter('CompletingRebalance')
    for (const member of this.members.values()) {
      this.#unsynced.add(member.memberId)
      const waited = member.awaitsJoin
      member.answerJoin(this.#joinResultFor(member))
      if (!waited) continue
      member.isNew = false
      member.touch()
    }
    this.#setTimer(this.#roster.rebalanceTimeoutMs(), () => this.#dropUnsynced())
  }

  #becomeEmpty(): void {
    this.#protocolName = null
    this.#leaderId = null
    this.#enter('Empty')
    this.#options.persist(this.snapshot()).catch((error: unknown) => {
      // Nothing depends on it: a restart would bring the former members back for the length of one session.
      this.#options.log('An empty group could not be stored', { group: this.id, error: String(error) })
    })
  }

  /** Members that took part in the rebalance and never came for their assignment hold up the rest no longer. */
  #dropUnsynced(): void {
    const missing = [...this.#unsynced].flatMap((memberId) => this.members.get(memberId) ?? [])
    this.#unsynced.clear()
    if (missing.length === 0) return
    for (const member of missing) this.#forget(member)
    this.#rebalance('no sync within the rebalance timeout')
  }

  #checkClaim(claim: Pick<MemberClaim, 'memberId' | 'groupInstanceId'>): KafkaError | null {
    return this.#state === 'Dead' ? 'COORDINATOR_NOT_AVAILABLE' : this.#roster.claimProblem(claim)
  }

  #checkGeneration({ generationId }: Pick<MemberClaim, 'generationId'>): KafkaError | null {
    return generationId === this.#generationId ? null : 'ILLEGAL_GENERATION'
  }

  #checkProtocol({ protocolType, protocolName }: SyncRequest): KafkaError | null {
    const same =
      (protocolType === null || protocolType === this.#protocolType) &&
      (protocolName === null || protocolName === this.#protocolName)
    return same ? null : 'INCONSISTENT_GROUP_PROTOCOL'
  }

  #joinResultFor(member: Member): JoinResult {
    const isLeader = member.memberId === this.#leaderId
    return {
      error: 'NONE',
      memberId: member.memberId,
      generationId: this.#generationId,
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      leader: this.#leaderId ?? '',
      skipAssignment: false,
      members: isLeader
        ? [...this.members.values()].map(({ memberId, groupInstanceId, settings }) => ({
            memberId,
            groupInstanceId,
            metadata: settings.protocols.find(({ name }) => name === this.#protocolName)?.metadata ?? nothing,
          }))
        : [],
    }
  }

  #syncResultFor(member: Member): SyncResult {
    return {
      error: 'NONE',
      protocolType: this.#protocolType,
      protocolName: this.#protocolName,
      assignment: member.assignment,
    }
  }

  #setTimer(ms: number, run: () => void): void {
    this.#rebalanceTimer?.cancel()
    this.#rebalanceTimer = this.#options.clock.after(ms, run)
  }

  #enter(state: GroupState): void {
    this.#state = state
    this.#stateSince = this.#options.clock.now()
    if (state !== 'PreparingRebalance') this.#initialDelay = undefined
  }
}
