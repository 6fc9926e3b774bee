/** What members of a group and its coordinator say to each other. */
import type { KafkaError } from './kafka-error.ts'

/** A protocol that a member offers, with what it wants the leader to know. The broker does not look inside. */
export interface MemberProtocol {
  readonly name: string
  readonly metadata: Buffer
}

export interface MemberSettings {
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly sessionTimeoutMs: number
  readonly rebalanceTimeoutMs: number
  readonly protocols: readonly MemberProtocol[]
}

export interface JoinRequest extends MemberSettings {
  /** Empty: not a member yet. */
  readonly memberId: string
  readonly protocolType: string
  /** From JoinGroup v4 on a dynamic member is given its id first, so that a lost answer leaves no ghost (KIP-394). */
  readonly requireKnownMemberId: boolean
  /** From JoinGroup v9 on a returning static leader is told that there is nothing to assign (KIP-814). */
  readonly canSkipAssignment: boolean
}

export interface JoinResult {
  readonly error: KafkaError
  readonly memberId: string
  readonly generationId: number
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly leader: string
  readonly skipAssignment: boolean
  /** All members, for the leader only. */
  readonly members: readonly { memberId: string; groupInstanceId: string | null; metadata: Buffer }[]
}

export interface SyncRequest {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly generationId: number
  /** Null before SyncGroup v5. */
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignments: readonly { memberId: string; assignment: Buffer }[]
}

export interface SyncResult {
  readonly error: KafkaError
  readonly protocolType: string | null
  readonly protocolName: string | null
  readonly assignment: Buffer
}

/** Who speaks for a member in heartbeats and commits. */
export interface MemberClaim {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** In groups of the newer protocol, the member's epoch. */
  readonly generationId: number
  /** Whether the version of the request knows member epochs (KIP-848). */
  readonly hasMemberEpoch?: boolean
}

/** The part of a join that is kept. */
export function settingsOf(request: JoinRequest): MemberSettings {
  const { groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols } = request
  return { groupInstanceId, clientId, clientHost, sessionTimeoutMs, rebalanceTimeoutMs, protocols }
}

export function joinError(memberId: string, error: KafkaError): JoinResult {
  return {
    error,
    memberId,
    generationId: -1,
    protocolType: null,
    protocolName: null,
    leader: '',
    skipAssignment: false,
    members: [],
  }
}

export function syncError(error: KafkaError): SyncResult {
  return { error, protocolType: null, protocolName: null, assignment: Buffer.alloc(0) }
}
