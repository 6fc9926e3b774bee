import type { TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import { offsetCommit } from '../protocol/messages/offset-commit.ts'
import { offsetDelete } from '../protocol/messages/offset-delete.ts'
import { offsetFetch } from '../protocol/messages/offset-fetch.ts'
import type { Cluster } from './cluster.ts'
import { brokerError, throwBrokerError, type Connection } from './connection.ts'
import { byTopic } from './topic-partitions.ts'

/** Last version of OffsetCommit and of OffsetFetch that names topics rather than giving their ids. */
const LAST_WITH_NAMES = 9

/** Who commits: a member of the group in its generation, or, where left out, someone from outside of an empty group. */
export interface CommitterIdentity {
  readonly memberId: string
  readonly generation: number
  readonly groupInstanceId?: string | undefined
}

/**
 * One attempt.
 * @throws LogError the first error of any partition
 */
export async function commitGroupOffsets(
  cluster: Cluster,
  groupId: string,
  offsets: readonly TopicPartitionOffset[],
  identity?: CommitterIdentity,
): Promise<void> {
  if (offsets.length === 0) return
  const topics = byTopic(offsets, (each) => ({
    partitionIndex: each.partition,
    committedOffset: each.offset,
    committedMetadata: '',
  })).map(([name, partitions]) => ({ name, partitions }))
  const body = {
    groupId,
    generationIdOrMemberEpoch: identity?.generation ?? -1,
    memberId: identity?.memberId ?? '',
    groupInstanceId: identity?.groupInstanceId ?? null,
    topics,
  }
  await cluster.withCoordinator('group', groupId, cluster.pool, async (connection) => {
    const response = await connection.request(offsetCommit, body, {
      version: connection.version(offsetCommit, LAST_WITH_NAMES),
    })
    for (const { name, partitions } of response.topics) {
      for (const { partitionIndex, errorCode } of partitions) {
        throwBrokerError(errorCode, `committing the offset of ${name}-${partitionIndex} for group ${groupId}`)
      }
    }
  })
}

/**
 * The group's committed offsets: of these partitions, -1 where there is none; or, of `all`, those there are. One attempt.
 * Waits out transactions that are about to commit offsets (`UNSTABLE_OFFSET_COMMIT` is retriable, KIP-447).
 * @throws LogError
 */
export async function fetchGroupOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[] | 'all',
): Promise<TopicPartitionOffset[]> {
  if (partitions.length === 0) return []
  return cluster.withCoordinator('group', groupId, cluster.pool, async (connection) => {
    const found = await askOffsets(connection, groupId, partitions)
    const what = (topic: string, partition: number): string => `offset of group ${groupId} for ${topic}-${partition}`
    return found.flatMap(({ name, partitions: list }) =>
      list.map(({ partitionIndex, committedOffset, errorCode }) => {
        throwBrokerError(errorCode, what(name, partitionIndex))
        return { topic: name, partition: partitionIndex, offset: committedOffset }
      }),
    )
  })
}

/** Forgets committed offsets (KIP-496); those that are not there are forgotten already. One attempt. @throws LogError */
export async function deleteGroupOffsets(
  cluster: Cluster,
  groupId: string,
  partitions: readonly TopicPartition[],
): Promise<void> {
  if (partitions.length === 0) return
  const topics = byTopic(partitions, ({ partition }) => ({ partitionIndex: partition })).map(([name, list]) => ({
    name,
    partitions: list,
  }))
  await cluster.withCoordinator('group', groupId, cluster.pool, async (connection) => {
    const response = await connection.request(offsetDelete, { groupId, topics })
    const error = brokerError(response.errorCode, `deleting offsets of group ${groupId}`)
    if (error?.code === 'GROUP_ID_NOT_FOUND') return
    if (error !== undefined) throw error
    for (const { name, partitions: list } of response.topics) {
      for (const { partitionIndex, errorCode } of list) {
        const refused = brokerError(errorCode, `deleting the offset of ${name}-${partitionIndex} of group ${groupId}`)
        if (refused !== undefined && refused.code !== 'UNKNOWN_TOPIC_OR_PARTITION') throw refused
      }
    }
  })
}

interface FoundTopic {
  readonly name: string
  readonly partitions: readonly { partitionIndex: number; committedOffset: number; errorCode: number }[]
}

async function askOffsets(
  connection: Connection,
  groupId: string,
  partitions: readonly TopicPartition[] | 'all',
): Promise<readonly FoundTopic[]> {
  const version = connection.version(offsetFetch, LAST_WITH_NAMES)
  const wanted =
    partitions === 'all'
      ? null
      : byTopic(partitions, (each) => each.partition).map(([name, partitionIndexes]) => ({ name, partitionIndexes }))
  if (version < 8) {
    const response = await connection.request(
      offsetFetch,
      { groupId, topics: wanted, requireStable: true },
      { version },
    )
    throwBrokerError(response.errorCode, `offsets of group ${groupId}`)
    return response.topics
  }
  const body = { groups: [{ groupId, topics: wanted }], requireStable: true }
  const [group] = (await connection.request(offsetFetch, body, { version })).groups
  if (group === undefined) return []
  throwBrokerError(group.errorCode, `offsets of group ${groupId}`)
  return group.topics
}
