import type { TopicPartition } from '@tidewire/sdk'
import { listOffsets } from '../protocol/messages/list-offsets.ts'
import { LogError } from './client.ts'
import { staleMetadata, type Cluster } from './cluster.ts'
import { addressText, brokerError, type Address } from './connection.ts'
import { byTopic } from './topic-partitions.ts'

export type OffsetAt = 'earliest' | 'latest' | { readonly timestamp: number }

export interface ListedOffset extends TopicPartition {
  /** -1 where there is none, as for a timestamp later than all records. */
  readonly offset: number
}

const LATEST = -1
const EARLIEST = -2

/** Isolation levels as the protocol numbers them. */
export const isolationLevel = (isolation: 'read_committed' | 'read_uncommitted'): number =>
  isolation === 'read_committed' ? 1 : 0

/**
 * Where partitions begin, end, or have their first record of a time. One attempt; errors come by partition, so that one
 * that has no leader holds up no others. Metadata that has proven stale is refreshed.
 */
export async function fetchOffsets(
  cluster: Cluster,
  partitions: readonly (TopicPartition & { readonly at: OffsetAt })[],
  isolation: 'read_committed' | 'read_uncommitted',
): Promise<{ offsets: ListedOffset[]; errors: (TopicPartition & { readonly error: LogError })[] }> {
  await cluster.learn(partitions.map((each) => each.topic))
  const errors: (TopicPartition & { readonly error: LogError })[] = []
  const leaders = new Map<string, { address: Address; wanted: (TopicPartition & { at: OffsetAt })[] }>()
  for (const each of partitions) {
    const address = cluster.leader(each.topic, each.partition)
    if (address === undefined) {
      errors.push({ topic: each.topic, partition: each.partition, error: missing(cluster, each) })
      continue
    }
    const name = addressText(address)
    const leader = leaders.get(name)
    if (leader === undefined) leaders.set(name, { address, wanted: [each] })
    else leader.wanted.push(each)
  }
  const offsets: ListedOffset[] = []
  await Promise.all(
    [...leaders.values()].map(async ({ address, wanted }) => {
      try {
        await ask(cluster, address, wanted, isolation, offsets, errors)
      } catch (error) {
        const reason = error instanceof LogError ? error : new LogError('PROTOCOL', String(error), { retriable: false })
        for (const { topic, partition } of wanted) errors.push({ topic, partition, error: reason })
      }
    }),
  )
  const stale = errors.filter(({ error }) => staleMetadata.has(error.code)).map(({ topic }) => topic)
  if (stale.length > 0) await cluster.refresh(stale)
  return { offsets, errors }
}

async function ask(
  cluster: Cluster,
  address: Address,
  wanted: readonly (TopicPartition & { at: OffsetAt })[],
  isolation: 'read_committed' | 'read_uncommitted',
  offsets: ListedOffset[],
  errors: (TopicPartition & { error: LogError })[],
): Promise<void> {
  const connection = await cluster.pool.get(address)
  const topics = byTopic(wanted, ({ partition, at }) => ({
    partitionIndex: partition,
    timestamp: at === 'latest' ? LATEST : at === 'earliest' ? EARLIEST : at.timestamp,
  })).map(([name, list]) => ({ name, partitions: list }))
  const response = await connection.request(listOffsets, {
    replicaId: -1,
    isolationLevel: isolationLevel(isolation),
    topics,
    timeoutMs: cluster.requestTimeoutMs,
  })
  for (const { name, partitions } of response.topics) {
    for (const { partitionIndex, errorCode, offset } of partitions) {
      const error = brokerError(errorCode, `offsets of ${name}-${partitionIndex}`)
      if (error === undefined) offsets.push({ topic: name, partition: partitionIndex, offset })
      else errors.push({ topic: name, partition: partitionIndex, error })
    }
  }
}

function missing(cluster: Cluster, { topic, partition }: TopicPartition): LogError {
  const known = cluster.topic(topic)
  if (known === undefined) return cluster.topicError(topic)
  return partition < known.partitions.length
    ? new LogError('LEADER_NOT_AVAILABLE', `${topic}-${partition} has no leader`, { retriable: true })
    : new LogError('UNKNOWN_TOPIC_OR_PARTITION', `topic ${topic} has no partition ${partition}`, { retriable: true })
}
