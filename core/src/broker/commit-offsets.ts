import type { OffsetToCommit } from './group-coordinator.ts'
import type { MemberClaim } from './group-exchange.ts'
import type { TransactionOwner } from './internal-topic.ts'
import type { KafkaError } from './kafka-error.ts'
import type { BrokerServices } from './services.ts'

interface RequestedTopic {
  /** Empty: not known. */
  readonly name: string
  readonly partitions: readonly {
    readonly partitionIndex: number
    readonly committedOffset: number
    readonly committedLeaderEpoch: number
    readonly committedMetadata: string | null
  }[]
}

/**
 * Stores the offsets of partitions that there are, for OffsetCommit and TxnOffsetCommit.
 * @returns the errors, in the shape of the request
 */
export async function commitOffsets(
  services: BrokerServices,
  groupId: string,
  claim: MemberClaim,
  topics: readonly RequestedTopic[],
  owner: TransactionOwner | null,
): Promise<KafkaError[][]> {
  const errors: KafkaError[][] = topics.map(({ partitions }) => partitions.map(() => 'NONE'))
  const offsets: OffsetToCommit[] = []
  const places: [number, number][] = []
  topics.forEach(({ name, partitions }, t) => {
    partitions.forEach((partition, p) => {
      if (!services.topics.hasPartition(name, partition.partitionIndex)) {
        errors[t]![p] = 'UNKNOWN_TOPIC_OR_PARTITION'
        return
      }
      places.push([t, p])
      offsets.push({
        topic: name,
        partition: partition.partitionIndex,
        value: {
          offset: partition.committedOffset,
          leaderEpoch: partition.committedLeaderEpoch,
          metadata: partition.committedMetadata ?? '',
        },
      })
    })
  })
  // Also with nothing to store: the claim has to be checked, and the commit is a sign of life.
  const result = await services.groups.commit(groupId, claim, offsets, owner)
  if (typeof result === 'string') return errors.map((row) => row.map(() => result))
  places.forEach(([t, p], i) => (errors[t]![p] = result[i]!))
  return errors
}
