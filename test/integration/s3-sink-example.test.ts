/** The example of s3-sink in a worker, with a store that is slow for a while, and one without the bucket. */
import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { contentsOf } from '../../connectors/s3/test/bucket-contents.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { kafkajs, readTopic } from '../support/read-topic.ts'
import { faultyS3, type FaultyS3 } from '../support/s3-faults.ts'
import { s3Missing, startS3, type TestS3 } from '../support/s3.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

const missing = await s3Missing()
const hour = Date.UTC(2025, 10, 22, 13)

describe.skipIf(missing !== undefined)(`s3-sink in a worker${missing === undefined ? '' : ` (${missing})`}`, () => {
  let s3: TestS3
  let proxy: FaultyS3
  let broker: TestBroker
  let worker: TestWorker
  let port: number
  let example: { readonly name: string; readonly config: Readonly<Record<string, string>> }

  beforeAll(async () => {
    s3 = await startS3()
    proxy = await faultyS3(s3.endpoint)
    broker = await testBroker()
    worker = await testWorker(broker.address)
    port = Number(broker.address.split(':')[1])
    const file = new URL('../../config/examples/s3-sink.json', import.meta.url)
    example = JSON.parse(await readFile(file, 'utf8')) as typeof example
  })
  afterAll(async () => {
    await worker.close()
    await broker.close()
    await proxy.close()
    await s3.close()
  })

  test('config/examples/s3-sink.json', async () => {
    const bucket = await s3.bucket('example')
    const kafka = kafkajs(port)
    const admin = kafka.admin()
    await admin.connect()
    await admin.createTopics({ topics: [{ topic: 'orders', numPartitions: 1 }] })
    await admin.disconnect()
    const producer = kafka.producer()
    await producer.connect()
    // A quarter of an hour apart; the last opens an hour in which nothing is completed yet.
    const messages = Array.from({ length: 13 }, (_, i) => ({
      value: i === 5 ? null : JSON.stringify({ order: i }),
      timestamp: String(hour + i * 900_000),
    }))
    await producer.send({ topic: 'orders', messages })
    await producer.disconnect()

    let refused = 0
    proxy.decide(({ method }) => (method === 'PUT' && refused++ < 10 ? 'slow-down' : 'pass'))
    const store = { ...s3.settings, 'store.url': proxy.endpoint, 's3.bucket.name': bucket }
    const fast = { 's3.retry.backoff.ms': '1', 'retry.backoff.ms': '10' }
    await worker.deploy(example.name, { ...example.config, ...store, ...fast })
    const orders = (from: number, to: number) =>
      Array.from({ length: to - from }, (_, i) => ({ order: from + i })).filter(({ order }) => order !== 5)
    const folder = 'topics/orders/year=2025/month=11/day=22'
    await expect
      .poll(() => contentsOf(s3.client, bucket))
      .toEqual({
        [`${folder}/hour=13/orders+0+0000000000.json.gz`]: orders(0, 4),
        [`${folder}/hour=14/orders+0+0000000004.json.gz`]: orders(4, 8),
        [`${folder}/hour=15/orders+0+0000000008.json.gz`]: orders(8, 12),
      })
    expect(refused).toBeGreaterThan(10)
    const [letter] = await readTopic(port, 'orders-dead-letters', (seen) => seen.length >= 1)
    expect(letter!.headers['__connect.errors.topic']).toBe('orders')
    expect(letter!.headers['__connect.errors.offset']).toBe('5')
    await worker.reaches(example.name, 'RUNNING', 1)
  })

  test('a bucket that is not there: the task fails, and says what to do', async () => {
    const config = { ...example.config, ...s3.settings, 's3.bucket.name': 'there-is-none', topics: 'empty' }
    await worker.deploy('nowhere', config)
    await expect
      .poll(async () => (await worker.status('nowhere')).tasks[0])
      .toMatchObject({ state: 'FAILED', trace: expect.stringContaining('correct s3.bucket.name') as string })
  })
})
