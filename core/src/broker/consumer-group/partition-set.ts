/** Partitions by the id of their topic. No topic is in it without a partition. */
export type PartitionSet = ReadonlyMap<string, ReadonlySet<number>>

/** As messages and records have it. */
export interface TopicPartitions {
  readonly topicId: string
  readonly partitions: readonly number[]
}

export const noPartitions: PartitionSet = new Map()

export function partitionSet(topics: readonly TopicPartitions[]): PartitionSet {
  const result = new Map<string, Set<number>>()
  for (const { topicId, partitions } of topics) for (const partition of partitions) addTo(result, topicId, partition)
  return result
}

/** In order of the partitions, so that what is written and answered does not depend on history. */
export function topicPartitions(set: PartitionSet): TopicPartitions[] {
  return [...set].map(([topicId, partitions]) => ({ topicId, partitions: [...partitions].sort((a, b) => a - b) }))
}

export function addTo(set: Map<string, Set<number>>, topicId: string, partition: number): void {
  const partitions = set.get(topicId)
  if (partitions === undefined) set.set(topicId, new Set([partition]))
  else partitions.add(partition)
}

export function* each(set: PartitionSet): Generator<readonly [topicId: string, partition: number]> {
  for (const [topicId, partitions] of set) for (const partition of partitions) yield [topicId, partition]
}

export function has(set: PartitionSet, topicId: string, partition: number): boolean {
  return set.get(topicId)?.has(partition) === true
}

export function overlap(a: PartitionSet, b: PartitionSet): boolean {
  for (const [topicId, partition] of each(a)) if (has(b, topicId, partition)) return true
  return false
}

export function isWithin(part: PartitionSet, whole: PartitionSet): boolean {
  for (const [topicId, partition] of each(part)) if (!has(whole, topicId, partition)) return false
  return true
}

export function samePartitions(a: PartitionSet, b: PartitionSet): boolean {
  if (a.size !== b.size) return false
  for (const [topicId, partitions] of a) {
    if (b.get(topicId)?.size !== partitions.size) return false
  }
  return isWithin(a, b)
}
