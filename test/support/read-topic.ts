import { Kafka, logLevel } from 'kafkajs'

/** A record as a foreign client sees it. */
export interface SeenRecord {
  readonly partition: number
  readonly offset: number
  readonly key: string | null
  readonly value: string
  readonly headers: Readonly<Record<string, string>>
}

/** kafkajs, quiet: the independent judge of what is in a topic. */
export function kafkajs(port: number): Kafka {
  return new Kafka({ brokers: [`127.0.0.1:${port}`], clientId: 'test', logLevel: logLevel.NOTHING })
}

/**
 * Reads a topic from its beginning with kafkajs, until `enough` of what was read so far holds.
 * @throws Error after the time limit, saying how many records there were
 */
export async function readTopic(
  port: number,
  topic: string,
  enough: (records: readonly SeenRecord[]) => boolean,
  timeoutMs = 30_000,
): Promise<SeenRecord[]> {
  const consumer = kafkajs(port).consumer({ groupId: `test-${crypto.randomUUID()}`, maxWaitTimeInMs: 100 })
  const records: SeenRecord[] = []
  await consumer.connect()
  await consumer.subscribe({ topic, fromBeginning: true })
  try {
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`topic ${topic}: ${records.length} records in ${timeoutMs} ms, not what was awaited`)),
        timeoutMs,
      )
      const done = () => {
        clearTimeout(timer)
        resolve()
      }
      consumer
        .run({
          eachBatch: async ({ batch }) => {
            for (const message of batch.messages) {
              records.push({
                partition: batch.partition,
                offset: Number(message.offset),
                key: message.key?.toString() ?? null,
                value: message.value?.toString() ?? '',
                headers: Object.fromEntries(
                  Object.entries(message.headers ?? {}).map(([name, value]) => [name, String(value)]),
                ),
              })
            }
            if (enough(records)) done()
          },
        })
        .catch(reject)
    })
  } finally {
    await consumer.disconnect()
  }
  return records
}
