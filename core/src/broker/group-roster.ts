import type { Clock, Timer } from './clock.ts'
import type { JoinRequest, MemberClaim, MemberSettings } from './group-exchange.ts'
import { Member } from './group-member.ts'
import type { KafkaError } from './kafka-error.ts'

/** Who is in a classic group, who is about to be, and what they have in common. Knows nothing of rebalances. */
export class GroupRoster {
  readonly #clock: Clock
  readonly #onExpired: (member: Member) => void
  readonly #members = new Map<string, Member>()
  /** Static members: group instance id → member id. */
  readonly #instances = new Map<string, string>()
  /** Given an id and not back with it yet (KIP-394): member id → end of the wait. */
  readonly #pending = new Map<string, Timer>()

  constructor(clock: Clock, onExpired: (member: Member) => void) {
    this.#clock = clock
    this.#onExpired = onExpired
  }

  /** In the order in which they came. */
  get members(): ReadonlyMap<string, Member> {
    return this.#members
  }

  get hasPending(): boolean {
    return this.#pending.size > 0
  }

  /** Members and those that may become one. */
  get size(): number {
    return this.#members.size + this.#pending.size
  }

  memberIdOf(groupInstanceId: string): string | undefined {
    return this.#instances.get(groupInstanceId)
  }

  /** Whether a join would not make the group larger. */
  knows({ memberId, groupInstanceId }: JoinRequest): boolean {
    if (this.#members.has(memberId) || this.#pending.has(memberId)) return true
    return groupInstanceId !== null && this.#instances.has(groupInstanceId)
  }

  add(memberId: string, settings: MemberSettings): Member {
    const member = new Member(memberId, settings, this.#clock, this.#onExpired)
    this.#members.set(memberId, member)
    if (settings.groupInstanceId !== null) this.#instances.set(settings.groupInstanceId, memberId)
    return member
  }

  /** Ends the member's session too. */
  remove(member: Member): void {
    member.release()
    this.#members.delete(member.memberId)
    if (member.groupInstanceId !== null) this.#instances.delete(member.groupInstanceId)
  }

  /** A static member that was restarted: it goes on under another id. */
  rename(member: Member, memberId: string, settings: MemberSettings): void {
    this.#members.delete(member.memberId)
    member.memberId = memberId
    member.settings = settings
    this.#members.set(memberId, member)
    this.#instances.set(settings.groupInstanceId!, memberId)
  }

  /** Waits so long for a client to come back with the id that it was given. */
  expect(memberId: string, timeoutMs: number, onGone: () => void): void {
    this.#pending.set(
      memberId,
      this.#clock.after(timeoutMs, () => {
        this.#pending.delete(memberId)
        onGone()
      }),
    )
  }

  /** Ends the wait for a client. False where there was none. */
  unexpect(memberId: string): boolean {
    this.#pending.get(memberId)?.cancel()
    return this.#pending.delete(memberId)
  }

  /** Ends all sessions and waits; who is in stays in. */
  stopTimers(): void {
    for (const timer of this.#pending.values()) timer.cancel()
    this.#pending.clear()
    for (const member of this.#members.values()) member.release()
  }

  claimProblem({ memberId, groupInstanceId }: Pick<MemberClaim, 'memberId' | 'groupInstanceId'>): KafkaError | null {
    if (groupInstanceId !== null) {
      const actualId = this.#instances.get(groupInstanceId)
      if (actualId === undefined) return 'UNKNOWN_MEMBER_ID'
      return actualId === memberId ? null : 'FENCED_INSTANCE_ID'
    }
    return this.#members.has(memberId) ? null : 'UNKNOWN_MEMBER_ID'
  }

  /** Whether all others offer one of these protocols too. */
  sharesOneOf({ memberId, protocols }: JoinRequest): boolean {
    const others = [...this.#members.values()].filter((member) => member.memberId !== memberId)
    return protocols.some(({ name }) => others.every((member) => member.offers(name)))
  }

  /** Each member votes for the first of its protocols that all offer; most votes win. */
  selectProtocol(): string | null {
    const members = [...this.#members.values()]
    const votes = new Map<string, number>()
    for (const member of members) {
      const vote = member.settings.protocols.find(({ name }) => members.every((other) => other.offers(name)))
      if (vote !== undefined) votes.set(vote.name, (votes.get(vote.name) ?? 0) + 1)
    }
    return [...votes].sort((a, b) => b[1] - a[1])[0]?.[0] ?? null
  }

  /** The longest that a member asks for. */
  rebalanceTimeoutMs(): number {
    let longest = 0
    for (const { settings } of this.#members.values()) longest = Math.max(longest, settings.rebalanceTimeoutMs)
    return longest
  }
}
