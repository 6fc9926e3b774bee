import type { Clock } from './clock.ts'
import type { JoinResult, MemberProtocol, MemberSettings, SyncResult } from './group-exchange.ts'
import { Session } from './session.ts'

/** How long a member that has just come may wait for the rebalance without a heartbeat (it cannot send one yet). */
const newMemberTimeoutMs = 300_000

/** One member of a classic consumer group: what it offered, what it got, and whether it still lives. */
export class Member {
  memberId: string
  settings: MemberSettings
  assignment: Buffer = Buffer.alloc(0)
  /** True from its first join until that join is answered. */
  isNew = true
  readonly #session: Session
  #join: ((result: JoinResult) => void) | undefined
  #sync: ((result: SyncResult) => void) | undefined

  constructor(memberId: string, settings: MemberSettings, clock: Clock, onExpired: (member: Member) => void) {
    this.memberId = memberId
    this.settings = settings
    this.#session = new Session(clock, () => {
      // Who waits for an answer of ours cannot be expected to send heartbeats; only a new member has a limit there.
      if (!this.isNew && (this.awaitsJoin || this.awaitsSync)) this.touch()
      else onExpired(this)
    })
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
    this.#session.renew(this.isNew ? newMemberTimeoutMs : this.settings.sessionTimeoutMs)
  }

  /** Ends its session without a word. */
  release(): void {
    this.#session.end()
  }
}
