import type { MemberSettings } from './group-exchange.ts'
import type { Member } from './group-member.ts'

/** What is kept of a classic group in `__consumer_offsets`. */
export interface GroupSnapshot {
  readonly protocolType: string
  readonly generationId: number
  readonly protocolName: string | null
  readonly leader: string | null
  readonly stateTimestamp: number
  readonly members: readonly MemberSnapshot[]
}

interface MemberSnapshot {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly rebalanceTimeoutMs: number
  readonly sessionTimeoutMs: number
  readonly subscription: Buffer
  readonly assignment: Buffer
}

export function snapshotOf(member: Member, protocolName: string | null, assignment: Buffer): MemberSnapshot {
  const { memberId, settings } = member
  return {
    memberId,
    groupInstanceId: settings.groupInstanceId,
    clientId: settings.clientId,
    clientHost: settings.clientHost,
    rebalanceTimeoutMs: settings.rebalanceTimeoutMs,
    sessionTimeoutMs: settings.sessionTimeoutMs,
    subscription: member.metadataFor(protocolName),
    assignment,
  }
}

/** Of what a member offered, only the protocol that was chosen is kept. */
export function settingsIn(member: MemberSnapshot, protocolName: string | null): MemberSettings {
  const { groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, subscription } = member
  const protocols = [{ name: protocolName ?? '', metadata: subscription }]
  return { groupInstanceId, clientId, clientHost, rebalanceTimeoutMs, sessionTimeoutMs, protocols }
}
