import type { SinkOffsetChange, SourceOffsetChange, TopicPartitionOffset } from '@tidewire/sdk'
import type { Admin } from '../client/client.ts'

/** An offset of a sink, as Kafka Connect shows it. */
export function shownSinkOffset({ topic, partition, offset }: SinkOffsetChange): SourceOffsetChange {
  return {
    partition: { kafka_topic: topic, kafka_partition: partition },
    offset: offset === null ? null : { kafka_offset: offset },
  }
}

/** What a group has committed, in the order of its topics and partitions. @throws LogError */
export async function readGroupOffsets(admin: Admin, group: string): Promise<TopicPartitionOffset[]> {
  return [...(await admin.groupOffsets(group))].sort((a, b) =>
    a.topic === b.topic ? a.partition - b.partition : a.topic < b.topic ? -1 : 1,
  )
}
