import { isReconciled, noMetadata, unassigned, type ConsumerMember, type CurrentAssignment } from './member.ts'
import { each, noPartitions, type PartitionSet } from './partition-set.ts'
import type { ConsumerGroupRecord } from './records.ts'

export type ConsumerGroupState = 'Empty' | 'Assigning' | 'Reconciling' | 'Stable'

/**
 * The state of one group of the newer protocol (KIP-848): its members, what each is meant to have (the target) and what each
 * has (the current assignment). It changes by records alone; who decides on them is elsewhere.
 *
 * A change of members or topics makes a new group epoch; a target made for it has it as the assignment epoch; each member
 * comes to it by itself, and has it as its member epoch then.
 */
export class ConsumerGroup {
  readonly id: string
  #epoch = 0
  #metadataHash = 0
  #assignmentEpoch = 0
  #changedAt = 0
  readonly #members = new Map<string, ConsumerMember>()
  readonly #targets = new Map<string, PartitionSet>()
  /** Instance id → member id. */
  readonly #instances = new Map<string, string>()
  /** Topic id → partition → the member that has it, or has still to give it up. */
  readonly #owners = new Map<string, Map<number, string>>()

  constructor(id: string) {
    this.id = id
  }

  get epoch(): number {
    return this.#epoch
  }

  get metadataHash(): number {
    return this.#metadataHash
  }

  get assignmentEpoch(): number {
    return this.#assignmentEpoch
  }

  /** When members or topics last changed; milliseconds since the epoch. */
  get changedAt(): number {
    return this.#changedAt
  }

  get members(): ReadonlyMap<string, ConsumerMember> {
    return this.#members
  }

  get state(): ConsumerGroupState {
    if (this.#members.size === 0) return 'Empty'
    if (this.#epoch > this.#assignmentEpoch) return 'Assigning'
    for (const member of this.#members.values()) if (!isReconciled(member, this.#assignmentEpoch)) return 'Reconciling'
    return 'Stable'
  }

  staticMember(instanceId: string): ConsumerMember | undefined {
    const memberId = this.#instances.get(instanceId)
    return memberId === undefined ? undefined : this.#members.get(memberId)
  }

  targetOf(memberId: string): PartitionSet {
    return this.#targets.get(memberId) ?? noPartitions
  }

  /** Undefined: nobody has it. */
  ownerOf(topicId: string, partition: number): string | undefined {
    return this.#owners.get(topicId)?.get(partition)
  }

  /** @param timestamp of the record */
  apply(record: ConsumerGroupRecord, timestamp: number): void {
    switch (record.kind) {
      case 'group epoch':
        this.#epoch = record.value?.epoch ?? 0
        this.#metadataHash = record.value?.metadataHash ?? 0
        this.#changedAt = timestamp
        return
      case 'assignment epoch':
        this.#assignmentEpoch = record.value?.epoch ?? 0
        return
      case 'target':
        if (record.value === null) this.#targets.delete(record.memberId)
        else this.#targets.set(record.memberId, record.value)
        return
      case 'member':
        if (record.value === null) this.#remove(record.memberId)
        else this.#put({ ...this.#memberFor(record.memberId), ...record.value })
        return
      case 'current':
        this.#applyCurrent(record.memberId, record.value)
    }
  }

  /** Makes nothing of a tombstone for a member that is not there: compaction may have left it alone. */
  #applyCurrent(memberId: string, value: CurrentAssignment | null): void {
    if (value === null && !this.#members.has(memberId)) return
    const member = this.#memberFor(memberId)
    this.#release(member)
    const next = { ...member, ...(value ?? unassigned) }
    this.#put(next)
    for (const [topicId, partition] of held(next)) {
      const owners = this.#owners.get(topicId) ?? new Map<number, string>()
      this.#owners.set(topicId, owners.set(partition, memberId))
    }
  }

  #memberFor(memberId: string): ConsumerMember {
    return this.#members.get(memberId) ?? { memberId, ...noMetadata, ...unassigned }
  }

  #put(member: ConsumerMember): void {
    this.#members.set(member.memberId, member)
    if (member.instanceId !== null) this.#instances.set(member.instanceId, member.memberId)
  }

  #remove(memberId: string): void {
    const member = this.#members.get(memberId)
    if (member === undefined) return
    this.#release(member)
    this.#members.delete(memberId)
    const { instanceId } = member
    if (instanceId !== null && this.#instances.get(instanceId) === memberId) this.#instances.delete(instanceId)
  }

  /** Only what is its own: records that compaction has left over may tell of an owner before the last. */
  #release(member: ConsumerMember): void {
    for (const [topicId, partition] of held(member)) {
      const owners = this.#owners.get(topicId)
      if (owners?.get(partition) !== member.memberId) continue
      owners.delete(partition)
      if (owners.size === 0) this.#owners.delete(topicId)
    }
  }
}

function* held(member: ConsumerMember): Generator<readonly [string, number]> {
  yield* each(member.assigned)
  yield* each(member.pendingRevocation)
}
