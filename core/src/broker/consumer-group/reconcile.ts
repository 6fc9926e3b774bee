import type { ConsumerMember } from './member.ts'
import { addTo, each, has, noPartitions, overlap, samePartitions, type PartitionSet } from './partition-set.ts'

export interface ReconcileOptions {
  /** What the member is meant to have. */
  readonly target: PartitionSet
  readonly targetEpoch: number
  /** Whether no other member has the partition, or has still to give it up. */
  readonly isFree: (topicId: string, partition: number) => boolean
  /** What the member says that it has; null: it did not say. */
  readonly owned: PartitionSet | null
}

/**
 * Takes a member one step towards its target (KIP-848): first it gives up what others are meant to have, then it
 * moves to the epoch of the target, then it gets what is new as soon as that is free. So a partition is never with two
 * members at a time.
 * @returns the member itself where nothing changes
 */
export function reconcile(member: ConsumerMember, options: ReconcileOptions): ConsumerMember {
  switch (member.state) {
    case 'stable':
      return member.epoch === options.targetEpoch ? member : step(member, member.epoch, options)
    case 'unrevoked':
      if (stillOwns(options.owned, member.pendingRevocation)) return member
      // It has done its part of the epoch that it was in.
      return step(member, member.epoch + 1, options)
    case 'unreleased':
      return step(member, member.epoch, options)
  }
}

/** Without word of the member it has to be taken to have them all. */
function stillOwns(owned: PartitionSet | null, partitions: PartitionSet): boolean {
  return owned === null || overlap(owned, partitions)
}

function step(member: ConsumerMember, epoch: number, options: ReconcileOptions): ConsumerMember {
  const { target, targetEpoch, isFree, owned } = options
  const kept = new Map<string, Set<number>>()
  const revoked = new Map<string, Set<number>>()
  for (const [topicId, partition] of each(member.assigned)) {
    addTo(has(target, topicId, partition) ? kept : revoked, topicId, partition)
  }
  if (revoked.size > 0 && stillOwns(owned, revoked)) {
    return moved(member, { epoch, state: 'unrevoked', assigned: kept, pendingRevocation: revoked })
  }
  let isWaiting = false
  for (const [topicId, partition] of each(target)) {
    if (has(member.assigned, topicId, partition)) continue
    if (isFree(topicId, partition)) addTo(kept, topicId, partition)
    else isWaiting = true
  }
  const state = isWaiting ? 'unreleased' : 'stable'
  return moved(member, { epoch: targetEpoch, state, assigned: kept, pendingRevocation: noPartitions })
}

type Move = Pick<ConsumerMember, 'epoch' | 'state' | 'assigned' | 'pendingRevocation'>

function moved(member: ConsumerMember, move: Move): ConsumerMember {
  const isSame =
    member.epoch === move.epoch &&
    member.state === move.state &&
    samePartitions(member.assigned, move.assigned) &&
    samePartitions(member.pendingRevocation, move.pendingRevocation)
  if (isSame) return member
  const previousEpoch = move.epoch === member.epoch ? member.previousEpoch : member.epoch
  return { ...member, ...move, previousEpoch }
}
