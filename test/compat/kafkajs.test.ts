/** kafkajs, the widespread client for Node, against the log. */
import { ConfigResourceTypes, Kafka, logLevel, type Consumer, type KafkaMessage } from 'kafkajs'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'

let broker: TestBroker
let kafka: Kafka
const open: { disconnect(): Promise<void> }[] = []

beforeAll(async () => {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  broker = await testBroker({ config: { 'num.partitions': 3, 'group.min.session.timeout.ms': 1000 } })
  // It asks again whatever may pass, even for a topic that is not there; here nothing takes seconds to come.
  const retry = { initialRetryTime: 20, retries: 8 }
  kafka = new Kafka({ brokers: [broker.address], clientId: 'test', logLevel: logLevel.NOTHING, retry })
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((client) => client.disconnect()))
})
afterAll(() => broker.close())

async function connected<T extends { connect(): Promise<void>; disconnect(): Promise<void> }>(client: T): Promise<T> {
  await client.connect()
  open.push(client)
  return client
}

const range = (n: number) => Array.from({ length: n }, (_, i) => i)

/** Everything that a new group reads, by partition, as it comes in. */
async function collect(topic: string, groupId: string, options: { readUncommitted?: boolean } = {}) {
  const consumer = await connected(kafka.consumer({ groupId, sessionTimeout: 6000, ...options, maxWaitTimeInMs: 100 }))
  const messages: (KafkaMessage & { partition: number })[] = []
  await consumer.subscribe({ topic, fromBeginning: true })
  await consumer.run({
    eachMessage: async ({ message, partition }) => {
      messages.push({ ...message, partition })
    },
  })
  return { consumer, messages }
}

describe('admin', () => {
  test('creates, describes, grows and deletes topics', async () => {
    const admin = await connected(kafka.admin())
    expect(
      await admin.createTopics({
        topics: [{ topic: 'made', numPartitions: 2, configEntries: [{ name: 'retention.ms', value: '1000' }] }],
      }),
    ).toBe(true)
    expect(await admin.listTopics()).toContain('made')
    await admin.createPartitions({ topicPartitions: [{ topic: 'made', count: 5 }] })
    const { topics } = await admin.fetchTopicMetadata({ topics: ['made'] })
    expect(topics[0]?.partitions).toHaveLength(5)
    const configs = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: ConfigResourceTypes.TOPIC, name: 'made', configNames: ['retention.ms'] }],
    })
    expect(configs.resources[0]?.configEntries[0]).toMatchObject({ configName: 'retention.ms', configValue: '1000' })
    await admin.alterConfigs({
      validateOnly: false,
      resources: [
        {
          type: ConfigResourceTypes.TOPIC,
          name: 'made',
          configEntries: [{ name: 'cleanup.policy', value: 'compact' }],
        },
      ],
    })
    await admin.deleteTopics({ topics: ['made'] })
    expect(await admin.listTopics()).not.toContain('made')
  })

  test('refuses by the protocol’s own errors', async () => {
    const admin = await connected(kafka.admin())
    await admin.createTopics({ topics: [{ topic: 'twice' }] })
    expect(await admin.createTopics({ topics: [{ topic: 'twice' }] })).toBe(false)
    const rejects = (topic: Parameters<typeof admin.createTopics>[0]['topics'][number], type: string) =>
      expect(admin.createTopics({ topics: [topic] })).rejects.toMatchObject({ errors: [{ type }] })
    await rejects({ topic: 'bad name' }, 'INVALID_TOPIC_EXCEPTION')
    await rejects({ topic: 'copies', replicationFactor: 3 }, 'INVALID_REPLICATION_FACTOR')
    await rejects({ topic: 'conf', configEntries: [{ name: 'no.such', value: '1' }] }, 'INVALID_CONFIG')
    await expect(admin.deleteTopics({ topics: ['nowhere'], timeout: 100 })).rejects.toThrow()
  })

  test('describes the cluster and its groups', async () => {
    const admin = await connected(kafka.admin())
    const cluster = await admin.describeCluster()
    expect(cluster.brokers).toEqual([{ nodeId: 1, host: '127.0.0.1', port: broker.port }])
    expect(cluster.controller).toBe(1)
    await collect('described', 'described-group')
    await expect
      .poll(async () => (await admin.describeGroups(['described-group'])).groups[0])
      .toMatchObject({ state: 'Stable', protocolType: 'consumer', members: [{ clientHost: '/127.0.0.1' }] })
    expect((await admin.listGroups()).groups).toContainEqual({ groupId: 'described-group', protocolType: 'consumer' })
    await expect(admin.deleteGroups(['described-group'])).rejects.toThrow()
    await Promise.all(open.splice(1).map((client) => client.disconnect()))
    await admin.deleteGroups(['described-group'])
    expect((await admin.listGroups()).groups.map(({ groupId }) => groupId)).not.toContain('described-group')
  })

  test('tells, sets and resets offsets', async () => {
    const admin = await connected(kafka.admin())
    const producer = await connected(kafka.producer())
    await admin.createTopics({ topics: [{ topic: 'offsets', numPartitions: 1 }] })
    const start = 1_700_000_000_000
    const messages = range(100).map((i) => ({ value: `v${i}`, timestamp: String(start + i * 1000) }))
    for (const message of messages) await producer.send({ topic: 'offsets', messages: [message] })
    expect(await admin.fetchTopicOffsets('offsets')).toEqual([{ partition: 0, offset: '100', high: '100', low: '0' }])
    const byTime = await admin.fetchTopicOffsetsByTimestamp('offsets', start + 41_500)
    expect(byTime).toEqual([{ partition: 0, offset: '42' }])
    await admin.setOffsets({ groupId: 'resettable', topic: 'offsets', partitions: [{ partition: 0, offset: '7' }] })
    expect(await admin.fetchOffsets({ groupId: 'resettable', topics: ['offsets'] })).toMatchObject([
      { topic: 'offsets', partitions: [{ partition: 0, offset: '7' }] },
    ])
    await admin.resetOffsets({ groupId: 'resettable', topic: 'offsets', earliest: true })
    await admin.deleteTopicRecords({ topic: 'offsets', partitions: [{ partition: 0, offset: '10' }] })
    expect(await admin.fetchTopicOffsets('offsets')).toMatchObject([{ low: '10', high: '100' }])
  })
})

describe('producing and consuming', () => {
  test('keeps keys, values, headers and order', async () => {
    const producer = await connected(kafka.producer({ idempotent: true }))
    const sent = range(500).map((i) => ({ key: `k${i % 5}`, value: `v${i}`, headers: { n: String(i) } }))
    for (let i = 0; i < sent.length; i += 50) {
      await producer.send({ topic: 'ordered', messages: sent.slice(i, i + 50) })
    }
    const { messages } = await collect('ordered', 'ordered-group')
    await expect.poll(() => messages.length).toBe(sent.length)
    for (const key of ['k0', 'k1', 'k2', 'k3', 'k4']) {
      const values = messages.filter((message) => message.key?.toString() === key).map(({ value }) => value?.toString())
      expect(values).toEqual(sent.filter((message) => message.key === key).map(({ value }) => value))
    }
    expect(messages[0]?.headers?.['n']?.toString()).toMatch(/^\d+$/)
  })

  test('shares the partitions of a topic between two consumers, and back again', async () => {
    const producer = await connected(kafka.producer())
    const admin = await connected(kafka.admin())
    await admin.createTopics({ topics: [{ topic: 'shared', numPartitions: 4 }] })
    const first = await collect('shared', 'shared-group')
    const partitions = new Map<Consumer, number[]>()
    const watch = (consumer: Consumer) =>
      consumer.on(consumer.events.GROUP_JOIN, ({ payload }) =>
        partitions.set(consumer, payload.memberAssignment['shared'] ?? []),
      )
    watch(first.consumer)
    const second = await collect('shared', 'shared-group')
    watch(second.consumer)
    await expect.poll(() => partitions.get(first.consumer)?.length).toBe(2)
    const messages = range(200).map((i) => ({ value: String(i), partition: i % 4 }))
    await producer.send({ topic: 'shared', messages })
    await expect.poll(() => first.messages.length + second.messages.length).toBe(200)
    expect(first.messages.length).toBe(100)
    await second.consumer.disconnect()
    await expect.poll(() => partitions.get(first.consumer)?.length).toBe(4)
    await producer.send({ topic: 'shared', messages })
    await expect.poll(() => first.messages.length + second.messages.length).toBe(400)
  })

  test('a group goes on from its committed offset', async () => {
    const producer = await connected(kafka.producer())
    await producer.send({ topic: 'resumed', messages: range(50).map((i) => ({ value: String(i) })) })
    const first = await collect('resumed', 'resumed-group')
    await expect.poll(() => first.messages.length).toBe(50)
    await first.consumer.disconnect()
    await producer.send({ topic: 'resumed', messages: [{ value: 'next' }] })
    const second = await collect('resumed', 'resumed-group')
    await expect.poll(() => second.messages.map(({ value }) => value?.toString())).toEqual(['next'])
  })
})

describe('transactions', () => {
  test('shows what was committed and hides what was aborted', async () => {
    const producer = await connected(
      kafka.producer({ transactionalId: 'tx-1', maxInFlightRequests: 1, idempotent: true }),
    )
    for (const [name, commit] of [
      ['a', true],
      ['b', false],
      ['c', true],
    ] as const) {
      const transaction = await producer.transaction()
      await transaction.send({
        topic: 'tx',
        messages: range(10).map((i) => ({ value: `${name}${i}`, partition: i % 3 })),
      })
      await (commit ? transaction.commit() : transaction.abort())
    }
    const committed = await collect('tx', 'tx-committed')
    const all = await collect('tx', 'tx-all', { readUncommitted: true })
    await expect.poll(() => all.messages.length).toBe(30)
    await expect.poll(() => committed.messages.length).toBe(20)
    expect(committed.messages.some(({ value }) => value?.toString().startsWith('b'))).toBe(false)
  })

  test('an open transaction holds readers of committed records back', async () => {
    const producer = await connected(
      kafka.producer({ transactionalId: 'tx-2', maxInFlightRequests: 1, idempotent: true }),
    )
    const plain = await connected(kafka.producer())
    const transaction = await producer.transaction()
    await transaction.send({ topic: 'tx-open', messages: [{ value: 'open', partition: 0 }] })
    await plain.send({ topic: 'tx-open', messages: [{ value: 'behind', partition: 0 }] })
    const all = await collect('tx-open', 'tx-open-all', { readUncommitted: true })
    const committed = await collect('tx-open', 'tx-open-committed')
    await expect.poll(() => all.messages.length).toBe(2)
    expect(committed.messages).toEqual([])
    await transaction.commit()
    await expect.poll(() => committed.messages.map(({ value }) => value?.toString())).toEqual(['open', 'behind'])
  })

  test('commits consumed offsets with the transaction, or not at all', async () => {
    const admin = await connected(kafka.admin())
    const producer = await connected(
      kafka.producer({ transactionalId: 'tx-3', maxInFlightRequests: 1, idempotent: true }),
    )
    await producer.send({ topic: 'tx-source', messages: [{ value: '1', partition: 0 }] })
    const offsetOf = async () =>
      (await admin.fetchOffsets({ groupId: 'tx-group', topics: ['tx-source'] }))[0]?.partitions.find(
        ({ partition }) => partition === 0,
      )?.offset
    const offsets = (offset: string) => ({
      consumerGroupId: 'tx-group',
      topics: [{ topic: 'tx-source', partitions: [{ partition: 0, offset }] }],
    })
    const aborted = await producer.transaction()
    await aborted.sendOffsets(offsets('5'))
    await aborted.abort()
    expect(await offsetOf()).toBe('-1')
    const committed = await producer.transaction()
    await committed.send({ topic: 'tx-target', messages: [{ value: '1' }] })
    await committed.sendOffsets(offsets('1'))
    await committed.commit()
    await expect.poll(offsetOf).toBe('1')
  })

  test('a newer producer of the same id fences the older', async () => {
    const settings = {
      transactionalId: 'tx-4',
      maxInFlightRequests: 1,
      idempotent: true,
      retry: { retries: 1, initialRetryTime: 10 },
    }
    const older = await connected(kafka.producer(settings))
    const left = await older.transaction()
    await left.send({ topic: 'tx-fenced', messages: [{ value: 'old', partition: 0 }] })
    const newer = await connected(kafka.producer(settings))
    const transaction = await newer.transaction()
    await transaction.send({ topic: 'tx-fenced', messages: [{ value: 'new', partition: 0 }] })
    await expect(left.commit()).rejects.toThrow()
    await transaction.commit()
    const { messages } = await collect('tx-fenced', 'tx-fenced-group')
    await expect.poll(() => messages.map(({ value }) => value?.toString())).toEqual(['new'])
  })
})
