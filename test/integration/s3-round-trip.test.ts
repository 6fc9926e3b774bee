/** A topic to objects by s3-sink, and back to another topic by s3-source, through a worker: equal in all that was kept. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { kafkajs, readTopic, type SeenRecord } from '../support/read-topic.ts'
import { s3Missing, startS3, type TestS3 } from '../support/s3.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const missing = await s3Missing()
const partitions = 3
const count = 1_500

describe.skipIf(missing !== undefined)(`s3-sink and s3-source${missing === undefined ? '' : ` (${missing})`}`, () => {
  let s3: TestS3
  let broker: TestBroker
  let worker: TestWorker
  let port: number

  beforeAll(async () => {
    s3 = await startS3()
    broker = await testBroker()
    worker = await testWorker(broker.address)
    port = Number(broker.address.split(':')[1])
  })
  afterAll(async () => {
    await worker.close()
    await broker.close()
    await s3.close()
  })

  /** Records of JSON with keys and headers, every tenth a tombstone, over some partitions. */
  async function fill(topic: string, tombstones: boolean): Promise<void> {
    const kafka = kafkajs(port)
    const admin = kafka.admin()
    await admin.connect()
    for (const name of [topic, `restored-${topic}`])
      await admin.createTopics({ topics: [{ topic: name, numPartitions: partitions }] })
    await admin.disconnect()
    const producer = kafka.producer()
    await producer.connect()
    const messages = Array.from({ length: count }, (_, at) => ({
      partition: at % partitions,
      key: JSON.stringify(`key ${at % 100}`),
      value:
        tombstones && at % 10 === 0 ? null : JSON.stringify({ at, big: 'x'.repeat(at % 50), list: [1.5, null, 'é'] }),
      headers: { origin: `header ${at % 7}` },
    }))
    await producer.send({ topic, messages })
    await producer.disconnect()
  }

  const all = (records: readonly SeenRecord[]): boolean => records.length >= count
  /** @throws Error with what a task says, where one fails meanwhile */
  async function restoredOf(topic: string, enough: (records: readonly SeenRecord[]) => boolean): Promise<SeenRecord[]> {
    const over = new AbortController()
    const failure = until(
      'a failure',
      async () => {
        for (const name of [`sink-${topic}`, `source-${topic}`]) {
          const failed = (await worker.status(name)).tasks.find(({ state }) => state === 'FAILED')
          if (failed !== undefined) return `${name}: ${failed.trace}`
        }
        return over.signal.aborted && ''
      },
      100_000,
    ).then((trace) => Promise.reject(new Error(trace)))
    failure.catch(() => undefined)
    try {
      return await Promise.race([readTopic(port, `restored-${topic}`, enough, 90_000), failure])
    } finally {
      over.abort()
    }
  }

  const byPartition = (records: readonly SeenRecord[]) =>
    Array.from({ length: partitions }, (_, partition) => records.filter((record) => record.partition === partition))

  async function sinkTo(bucket: string, topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    await worker.deploy(`sink-${topic}`, {
      ...{ 'connector.class': 's3-sink', topics: topic, 'flush.size': '150' },
      ...{ 'rotate.schedule.interval.ms': '500', timezone: 'UTC' },
      ...{ ...s3.settings, 's3.bucket.name': bucket, ...settings },
    })
  }

  async function sourceFrom(bucket: string, topic: string, settings: Readonly<Record<string, string>>): Promise<void> {
    await worker.deploy(`source-${topic}`, {
      ...{ 'connector.class': 'io.confluent.connect.s3.source.S3SourceConnector', 'tasks.max': '2' },
      ...{ 'topic.regex.list': 'restored-$1:(.*)', 's3.poll.interval.ms': '100' },
      ...{ ...s3.settings, 's3.bucket.name': bucket, ...settings },
    })
  }

  async function remove(topic: string): Promise<void> {
    for (const name of [`sink-${topic}`, `source-${topic}`]) await worker.ask('DELETE', `/connectors/${name}`)
  }

  test('of what is there: partitions, order, keys, headers and tombstones', async () => {
    const bucket = await s3.bucket('round-trip')
    const sides = { 'store.kafka.keys': 'true', 'store.kafka.headers': 'true' }
    await fill('a', true)
    await sinkTo(bucket, 'a', {
      ...{ ...sides, 'keys.format.class': 'json', 'headers.format.class': 'json' },
      ...{ 'format.class': 'json', 'behavior.on.null.values': 'write' },
    })
    await until(
      'the sink to have written all',
      async () => {
        const { body } = await worker.ask('GET', '/connectors/sink-a/offsets')
        const { offsets } = body as { offsets: { offset: { kafka_offset: number } }[] }
        return offsets.reduce((sum, { offset }) => sum + offset.kafka_offset, 0) === count
      },
      90_000,
    )
    await sourceFrom(bucket, 'a', sides)
    const restored = byPartition(await restoredOf('a', all))
    const original = byPartition(await readTopic(port, 'a', all))
    const told = ({ key, value, headers }: SeenRecord) => ({ key, value, headers })
    // Tombstones lie in a folder of their own, beside the values of the same time.
    for (const isTold of [(record: SeenRecord) => record.value !== '', (record: SeenRecord) => record.value === '']) {
      const ordered = (records: readonly SeenRecord[]) => records.filter(isTold).map(told)
      expect(restored.map(ordered)).toEqual(original.map(ordered))
    }
    await remove('a')
  })

  test('while it is written, with a restart in the middle: each record once', async () => {
    const bucket = await s3.bucket('round-trip')
    await fill('b', false)
    await sinkTo(bucket, 'b', { 'format.class': 'json', 's3.compression.type': 'gzip' })
    await sourceFrom(bucket, 'b', {})
    await restoredOf('b', (records) => records.length > 300)
    expect((await worker.ask('POST', '/connectors/source-b/restart?includeTasks=true')).status).toBeLessThan(300)
    const restored = byPartition(await restoredOf('b', all))
    const original = byPartition(await readTopic(port, 'b', all))
    // Objects may become visible in another order than that of their offsets.
    const told = (records: readonly SeenRecord[]) => records.map(({ value }) => value).toSorted()
    expect(restored.map(told)).toEqual(original.map(told))
    await remove('b')
  })
})
