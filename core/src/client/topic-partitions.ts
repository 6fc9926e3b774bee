import type { TopicPartition } from '@tidewire/sdk'

/** The form in which the protocol lists partitions: by topic, in the order in which the topics first appear. */
export function byTopic<P extends TopicPartition, T>(
  partitions: readonly P[],
  map: (partition: P) => T,
): [string, T[]][] {
  const topics = new Map<string, T[]>()
  for (const partition of partitions) {
    const list = topics.get(partition.topic)
    if (list === undefined) topics.set(partition.topic, [map(partition)])
    else list.push(map(partition))
  }
  return [...topics]
}

/** A key for maps. A topic's name has no character that could make two of these equal. */
export const partitionKey = (topic: string, partition: number): string => `${topic}-${partition}`
