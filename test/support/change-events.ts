/**
 * Change events as they lie in the topics, written by JSON converters with schemas: Debezium's and ours, read the same way. Integers
 * outside the safe range are bigints.
 */
import { createClient } from '../../core/src/client/log-client.ts'
import { parseExact } from '@tidewire/sdk/exact-json'

export interface ConnectSchema {
  readonly type: string
  readonly optional?: boolean
  readonly name?: string
  readonly version?: number
  readonly field?: string
  readonly fields?: readonly ConnectSchema[]
  readonly [more: string]: unknown
}

/** One side of a record; null where the record has none (the value of a tombstone). */
export type Side = { readonly schema: ConnectSchema; readonly payload: unknown } | null

export interface ChangeEvent {
  readonly topic: string
  readonly key: Side
  readonly value: Side
  readonly headers: Readonly<Record<string, unknown>>
}

/** All records of the topics whose names begin so, by topic, each in its order. */
export async function readChangeEvents(address: string, prefix: string): Promise<Map<string, ChangeEvent[]>> {
  const client = createClient({ bootstrapServers: [address], clientId: 'change-events' })
  const reader = client.reader()
  try {
    const topics = (await client.admin.topics()).filter(({ topic }) => topic.startsWith(prefix))
    const partitions = topics.flatMap(({ topic, partitions: count }) =>
      Array.from({ length: count }, (_, partition) => ({ topic, partition })),
    )
    const ends = await client.admin.offsets(partitions, 'latest')
    const open = new Map(
      ends.filter(({ offset }) => offset > 0).map((end) => [`${end.topic}/${end.partition}`, end.offset]),
    )
    const events = new Map<string, ChangeEvent[]>(topics.map(({ topic }) => [topic, []]))
    reader.assign(partitions.map((each) => ({ ...each, offset: 'earliest' as const })))
    while (open.size > 0) {
      for (const { topic, partition, records, nextOffset } of await reader.poll({ maxWaitMs: 1000 })) {
        for (const { key, value, headers } of records) {
          events.get(topic)!.push({
            topic,
            key: parseSide(key),
            value: parseSide(value),
            headers: Object.fromEntries(headers.map((each) => [each.key, parseHeader(each.value)])),
          })
        }
        if (nextOffset >= (open.get(`${topic}/${partition}`) ?? Infinity)) open.delete(`${topic}/${partition}`)
      }
    }
    return events
  } finally {
    await reader.close()
    await client.close()
  }
}

/** How many records the topic has; none where there is no such topic yet. */
export async function countRecords(address: string, topic: string): Promise<number> {
  const client = createClient({ bootstrapServers: [address], clientId: 'change-events' })
  try {
    if ((await client.admin.topics([topic])).length === 0) return 0
    return (await client.admin.offsets([{ topic, partition: 0 }], 'latest'))[0]!.offset
  } finally {
    await client.close()
  }
}

function parseSide(bytes: Buffer | null): Side {
  return bytes === null ? null : (parseExact(bytes.toString(), 'integers') as Side)
}

/** Headers are JSON too where their converter is Kafka Connect's own for headers; else texts. */
function parseHeader(bytes: Buffer | null): unknown {
  if (bytes === null) return null
  const text = bytes.toString()
  try {
    return parseExact(text, 'integers')
  } catch {
    return text
  }
}
