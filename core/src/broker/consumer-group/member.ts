import { noPartitions, type PartitionSet } from './partition-set.ts'

/**
 * Where a member stands between the partitions it has and those it is meant to have.
 * - `stable`: it has what its epoch gives it.
 * - `unrevoked`: it has been told to give up partitions and has not said yet that it did.
 * - `unreleased`: some of its partitions are still with other members.
 */
export type MemberState = 'stable' | 'unrevoked' | 'unreleased'

/** Who a member is and what it wants to read. */
export interface MemberMetadata {
  readonly instanceId: string | null
  readonly rackId: string | null
  readonly clientId: string
  readonly clientHost: string
  readonly topicNames: readonly string[]
  /** In RE2's syntax; null or empty: none. */
  readonly topicRegex: string | null
  readonly rebalanceTimeoutMs: number
  /** Null: whatever the group takes. */
  readonly serverAssignor: string | null
}

/** What a member has, and what it still has to give up. */
export interface CurrentAssignment {
  /** {@link leftForNow} for a static member that is expected back. */
  readonly epoch: number
  /** A member whose answer got lost comes back with this one. */
  readonly previousEpoch: number
  readonly state: MemberState
  readonly assigned: PartitionSet
  readonly pendingRevocation: PartitionSet
}

/** One member of a group of the newer protocol (KIP-848). Never changed, only replaced. */
export interface ConsumerMember extends MemberMetadata, CurrentAssignment {
  readonly memberId: string
}

/** The epoch with which a member joins, and those with which it leaves. */
export const joining = 0
export const leaving = -1
export const leftForNow = -2

/** Of a member that nothing is known of yet. */
export const noMetadata: MemberMetadata = {
  instanceId: null,
  rackId: null,
  clientId: '',
  clientHost: '',
  topicNames: [],
  topicRegex: null,
  rebalanceTimeoutMs: -1,
  serverAssignor: null,
}

export const unassigned: CurrentAssignment = {
  epoch: 0,
  previousEpoch: -1,
  state: 'stable',
  assigned: noPartitions,
  pendingRevocation: noPartitions,
}

/** Whether it has all that the assignment of an epoch gives it. */
export function isReconciled(member: CurrentAssignment, assignmentEpoch: number): boolean {
  return member.state === 'stable' && member.epoch === assignmentEpoch
}

export function sameMetadata(a: MemberMetadata, b: MemberMetadata): boolean {
  return (
    a.instanceId === b.instanceId &&
    a.rackId === b.rackId &&
    a.clientId === b.clientId &&
    a.clientHost === b.clientHost &&
    a.rebalanceTimeoutMs === b.rebalanceTimeoutMs &&
    a.serverAssignor === b.serverAssignor &&
    sameSubscription(a, b)
  )
}

export function sameSubscription(a: MemberMetadata, b: MemberMetadata): boolean {
  return (
    (a.topicRegex ?? '') === (b.topicRegex ?? '') &&
    a.topicNames.length === b.topicNames.length &&
    a.topicNames.every((name, i) => name === b.topicNames[i])
  )
}
