/** @platformatic/kafka, which speaks the newest versions of the protocol, against the log. */
import {
  Admin,
  Consumer,
  MessagesStreamModes,
  Producer,
  stringDeserializers,
  stringSerializers,
  type Message,
} from '@platformatic/kafka'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'

let broker: TestBroker
/** What ends the clients of a test. Closing with `force` is for producers and consumers only. */
const open: (() => Promise<void>)[] = []

beforeAll(async () => (broker = await testBroker()))
afterEach(async () => {
  await Promise.all(open.splice(0).map((close) => close()))
})
afterAll(() => broker.close())

const base = () => ({ clientId: 'test', bootstrapBrokers: [broker.address] })

function producer(options = {}) {
  const client = new Producer({ ...base(), serializers: stringSerializers, ...options })
  open.push(() => client.close(true))
  return client
}

function admin() {
  const client = new Admin(base())
  open.push(() => client.close())
  return client
}

/** The first `count` messages that a new group reads. */
async function read(topic: string, groupId: string, count: number): Promise<Message<string, string, string, string>[]> {
  const consumer = new Consumer({ ...base(), groupId, deserializers: stringDeserializers, maxWaitTime: 100 })
  const stream = await consumer.consume({
    topics: [topic],
    mode: MessagesStreamModes.COMMITTED,
    fallbackMode: 'earliest',
    autocommit: true,
    sessionTimeout: 10_000,
    heartbeatInterval: 500,
  })
  const messages: Message<string, string, string, string>[] = []
  for await (const message of stream) {
    messages.push(message)
    if (messages.length >= count) break
  }
  await consumer.close(true)
  return messages
}

const values = (prefix: string, n: number) => Array.from({ length: n }, (_, i) => `${prefix}${i}`)

test.for(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('produces and consumes, compression %s', async (codec) => {
  await admin().createTopics({ topics: [`p-${codec}`], partitions: 1, replicas: 1 })
  const sent = values('value-', 500)
  await producer({ compression: codec }).send({
    messages: sent.map((value, i) => ({ topic: `p-${codec}`, key: `k${i}`, value, headers: { n: String(i) } })),
  })
  const got = await read(`p-${codec}`, `g-${codec}`, sent.length)
  expect(got.map(({ value }) => value)).toEqual(sent)
  expect(got[7]?.headers.get('n')).toBe('7')
})

test('produces idempotently', async () => {
  await admin().createTopics({ topics: ['idempotent'], partitions: 1, replicas: 1 })
  const client = producer({ idempotent: true })
  for (const value of values('v', 20)) await client.send({ messages: [{ topic: 'idempotent', value }] })
  expect((await read('idempotent', 'g-idempotent', 20)).map(({ value }) => value)).toEqual(values('v', 20))
})

test('commits and aborts transactions', async () => {
  await admin().createTopics({ topics: ['transactional'], partitions: 1, replicas: 1 })
  const client = producer({ idempotent: true, transactionalId: 'platformatic' })
  for (const [prefix, commit] of [
    ['a', true],
    ['b', false],
    ['c', true],
  ] as const) {
    const transaction = await client.beginTransaction()
    await transaction.send({ messages: values(prefix, 5).map((value) => ({ topic: 'transactional', value })) })
    await (commit ? transaction.commit() : transaction.abort())
  }
  const got = await read('transactional', 'g-transactional', 10)
  expect(got.map(({ value }) => value)).toEqual([...values('a', 5), ...values('c', 5)])
})

test('lists groups and describes them', async () => {
  const client = admin()
  await client.createTopics({ topics: ['listed'], partitions: 2, replicas: 1 })
  await producer().send({ messages: [{ topic: 'listed', value: 'x' }] })
  await read('listed', 'g-listed', 1)
  const groups = await client.listGroups({})
  expect(groups.get('g-listed')).toMatchObject({ id: 'g-listed', groupType: 'classic' })
  const described = await client.describeGroups({ groups: ['g-listed'] })
  expect(described.get('g-listed')).toMatchObject({ state: 'Empty' })
})
