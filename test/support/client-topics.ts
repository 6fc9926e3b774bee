/** Topics of their own for the tests of the client, and what is in them. */
import type { TopicPartition } from '@tidewire/sdk'
import type { FetchedRecords, InRecord, LogClient } from '../../core/src/client/client.ts'
import { until } from './until.ts'

export type SeenRecord = InRecord & TopicPartition

let serial = 0
export const uniqueName = (what: string): string => `${what}-${process.pid}-${Date.now()}-${serial++}`

export const flatten = (fetched: readonly FetchedRecords[]): SeenRecord[] =>
  fetched.flatMap(({ topic, partition, records }) => records.map((record) => ({ ...record, topic, partition })))

export const values = (records: readonly InRecord[]): (string | undefined)[] =>
  records.map((each) => each.value?.toString())

export async function newTopic(
  client: LogClient,
  partitions = 1,
  config: Record<string, string> = {},
): Promise<string> {
  const topic = uniqueName('topic')
  await client.admin.createTopics([{ topic, partitions, replicationFactor: 1, config }])
  return topic
}

/** What a reader finds between the beginning and the end that the topic has now. */
export async function readAll(
  client: LogClient,
  topic: string,
  isolation: 'read_committed' | 'read_uncommitted' = 'read_committed',
): Promise<SeenRecord[]> {
  const [description] = await client.admin.topics([topic])
  const partitions = Array.from({ length: description!.partitions }, (_, partition) => ({ topic, partition }))
  const ends = await client.admin.offsets(partitions, 'latest')
  const open = new Set(ends.filter((each) => each.offset > 0).map((each) => each.partition))
  const reader = client.reader({ isolation })
  reader.assign(partitions.map((each) => ({ ...each, offset: 'earliest' })))
  const seen: SeenRecord[] = []
  await until(`the end of ${topic}`, async () => {
    const fetched = await reader.poll({ maxWaitMs: open.size === 0 ? 0 : 1_000 })
    seen.push(...flatten(fetched))
    for (const { partition, nextOffset } of fetched) {
      if (nextOffset >= ends.find((each) => each.partition === partition)!.offset) open.delete(partition)
    }
    return open.size === 0
  })
  await reader.close()
  return seen
}
