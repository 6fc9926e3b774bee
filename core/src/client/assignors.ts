import type { TopicPartition } from '@tidewire/sdk'
import { decodeVersioned, encodeVersioned } from '../protocol/codec.ts'
import { consumerProtocolAssignment, consumerProtocolSubscription } from '../protocol/messages/consumer-protocol.ts'
import type { MemberMetadata } from './client.ts'
import { byTopic } from './topic-partitions.ts'

/** A member of a consumer group, to the assignor. */
export interface Subscriber {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly topics: readonly string[]
  /** What it says that it has already; of members that give up everything before a round, nothing. */
  readonly owned: readonly TopicPartition[]
  /** In which it was given these; {@link NO_GENERATION} where it does not say. */
  readonly generation: number
}

export const NO_GENERATION = -1
/** Versions of what we write. Every client reads what has no owned partitions. */
const EAGER_SUBSCRIPTION_VERSION = 1
const COOPERATIVE_SUBSCRIPTION_VERSION = 3
const ASSIGNMENT_VERSION = 0

/** Of a member that has nothing when it joins. */
export function encodeEagerSubscription(topics: readonly string[]): Buffer {
  return encodeVersioned(consumerProtocolSubscription, EAGER_SUBSCRIPTION_VERSION, { topics, ownedPartitions: [] })
}

/** The generation stands in the user data as well, where leaders that know no version after 1 look for it. */
export function encodeCooperativeSubscription(
  topics: readonly string[],
  owned: readonly TopicPartition[],
  generation: number,
): Buffer {
  const ownedPartitions = byTopic(owned, (each) => each.partition).map(([topic, partitions]) => ({ topic, partitions }))
  const userData = Buffer.alloc(4)
  userData.writeInt32BE(generation)
  const value = { topics, userData, ownedPartitions, generationId: generation }
  return encodeVersioned(consumerProtocolSubscription, COOPERATIVE_SUBSCRIPTION_VERSION, value)
}

/** @throws ProtocolError */
export function decodeSubscriber({ memberId, groupInstanceId, metadata }: MemberMetadata): Subscriber {
  const { value, version } = decodeVersioned(consumerProtocolSubscription, metadata)
  const { topics, userData, generationId } = value
  const owned = value.ownedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  )
  const fromUserData = userData !== null && userData.length >= 4 ? userData.readInt32BE(0) : NO_GENERATION
  return { memberId, groupInstanceId, topics, owned, generation: version >= 2 ? generationId : fromUserData }
}

export function encodeAssignment(partitions: readonly TopicPartition[]): Buffer {
  const assignedPartitions = byTopic(partitions, (each) => each.partition).map(([topic, list]) => ({
    topic,
    partitions: list,
  }))
  return encodeVersioned(consumerProtocolAssignment, ASSIGNMENT_VERSION, { assignedPartitions })
}

/** @throws ProtocolError */
export function decodeAssignment(assignment: Buffer): TopicPartition[] {
  if (assignment.length === 0) return []
  const { value } = decodeVersioned(consumerProtocolAssignment, assignment)
  return value.assignedPartitions.flatMap(({ topic, partitions }) =>
    partitions.map((partition) => ({ topic, partition })),
  )
}

/**
 * Kafka's range assignor: the partitions of each topic in runs, one for each of its subscribers in the order of their
 * ids, the first ones getting one more where it does not come out even. Static members go by their instance ids, so
 * that they get the same after a restart.
 */
export function assignRange(
  subscribers: readonly Subscriber[],
  partitionsOf: (topic: string) => number,
): Map<string, TopicPartition[]> {
  const assignment = new Map<string, TopicPartition[]>(subscribers.map(({ memberId }) => [memberId, []]))
  const sorted = [...subscribers].sort(bySubscriberId)
  for (const topic of new Set(subscribers.flatMap((each) => each.topics))) {
    const interested = sorted.filter((each) => each.topics.includes(topic))
    const count = partitionsOf(topic)
    const each = Math.floor(count / interested.length)
    const extra = count % interested.length
    let next = 0
    interested.forEach(({ memberId }, index) => {
      const take = each + (index < extra ? 1 : 0)
      for (let i = 0; i < take; i++) assignment.get(memberId)!.push({ topic, partition: next++ })
    })
  }
  return assignment
}

/** Static members first, by instance id; then the others by member id, as Kafka compares strings. */
export function bySubscriberId(a: Subscriber, b: Subscriber): number {
  if (a.groupInstanceId !== null && b.groupInstanceId !== null) return compare(a.groupInstanceId, b.groupInstanceId)
  if (a.groupInstanceId !== null) return -1
  if (b.groupInstanceId !== null) return 1
  return compare(a.memberId, b.memberId)
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
