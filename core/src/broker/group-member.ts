import type { Clock, Timer } from './clock.ts'
import type { JoinResult, MemberProtocol, MemberSettings, SyncResult } from './group-exchange.ts'

/** How long a member that has just come may wait for the rebalance without a heartbeat (it cannot send one yet). */
const newMemberTimeoutMs = 300_000

/** One member of a classic consumer group: what it offered, what it got, and whether it still lives. */
export class Member {
  memberId: string
  settings: MemberSettings
  assignment: Buffer = Buffer.alloc(0)
  /** True from its first join until that join is answered. */
  isNew = true
  readonly #clock: Clock
  readonly #onExpired: (member: Member) => void
  #timer: Timer | undefined
  #expiresAt = 0
  #join: ((result: JoinResult) => void) | undefined
  #sync: ((result: SyncResult) => void) | undefined

  constructor(memberId: string, settings: MemberSettings, clock: Clock, onExpired: (member: Member) => void) {
    this.memberId = memberId
    this.settings = settings
    this.#clock = clock
    this.#onExpired = onExpired
  }

  get groupInstanceId(): string | null {
    return this.settings.groupInstanceId
  }

  get isStatic(): boolean {
    return this.settings.groupInstanceId !== null
  }

  get awaitsJoin(): boolean {
    return this.#join !== undefined
  }

  get awaitsSync(): boolean {
    return this.#sync !== undefined
  }

  /** Keeps a join waiting for the rebalance. A former one of the same member can only be a lost connection's. */
  holdJoin(reply: (result: JoinResult) => void, former: () => JoinResult): void {
    this.#join?.(former())
    this.#join = reply
  }

  holdSync(reply: (result: SyncResult) => void, former: () => SyncResult): void {
    this.#sync?.(former())
    this.#sync = reply
  }

  answerJoin(result: JoinResult): void {
    const reply = this.#join
    this.#join = undefined
    reply?.(result)
  }

  answerSync(result: SyncResult): void {
    const reply = this.#sync
    this.#sync = undefined
    reply?.(result)
  }

  /** The offered metadata under a protocol; empty where it does not offer it. */
  metadataFor(protocol: string | null): Buffer {
    return this.settings.protocols.find(({ name }) => name === protocol)?.metadata ?? Buffer.alloc(0)
  }

  offers(protocol: string): boolean {
    return this.settings.protocols.some(({ name }) => name === protocol)
  }

  /** Whether it offers exactly these again: then a repeated join changes nothing. */
  matches(protocols: readonly MemberProtocol[]): boolean {
    const own = this.settings.protocols
    return (
      own.length === protocols.length &&
      own.every(({ name, metadata }, i) => name === protocols[i]!.name && metadata.equals(protocols[i]!.metadata))
    )
  }

  /** Starts its session anew: it has been heard from. */
  touch(): void {
    this.#expiresAt = this.#clock.now() + (this.isNew ? newMemberTimeoutMs : this.settings.sessionTimeoutMs)
    // The one timer is left running and set again when it fires, so that a heartbeat costs nothing. A shorter session than
    // the timer's needs a new one.
    if (this.#timer === undefined || this.#expiresAt < this.#timerAt) this.#arm()
  }

  /** Ends its session without a word. */
  release(): void {
    this.#timer?.cancel()
    this.#timer = undefined
  }

  #timerAt = 0

  #arm(): void {
    this.#timer?.cancel()
    this.#timerAt = this.#expiresAt
    this.#timer = this.#clock.after(Math.max(0, this.#expiresAt - this.#clock.now()), () => {
      this.#timer = undefined
      // Who waits for an answer of ours cannot be expected to send heartbeats; only a new member has a limit there.
      if (!this.isNew && (this.awaitsJoin || this.awaitsSync)) this.touch()
      else if (this.#clock.now() < this.#expiresAt) this.#arm()
      else this.#onExpired(this)
    })
  }
}
