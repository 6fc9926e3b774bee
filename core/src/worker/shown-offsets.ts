import type { SinkOffsetChange, SourceOffsetChange, TopicPartitionOffset } from '@tidewire/sdk'
import type { Admin } from '../client/client.ts'
import { partitionKey } from './source-partition.ts'

/** An offset of a sink, as Kafka Connect shows it. */
export function shownSinkOffset({ topic, partition, offset }: SinkOffsetChange): SourceOffsetChange {
  return {
    partition: { kafka_topic: topic, kafka_partition: partition },
    offset: offset === null ? null : { kafka_offset: offset },
  }
}

/** In an order that does not change, whatever that of the records is. */
export function inOrder(offsets: readonly SourceOffsetChange[]): SourceOffsetChange[] {
  const keyed = offsets.map((each) => ({ key: partitionKey(each.partition), each }))
  return keyed.sort((a, b) => (a.key < b.key ? -1 : 1)).map(({ each }) => each)
}

/** What a group has committed, in the order of its topics and partitions. @throws LogError */
export async function readGroupOffsets(admin: Admin, group: string): Promise<TopicPartitionOffset[]> {
  return [...(await admin.groupOffsets(group))].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}
