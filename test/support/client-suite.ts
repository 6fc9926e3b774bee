/** What the client has to do on whatever log it meets: run against the bundled one and against Apache Kafka. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TopicPartition } from '@tidewire/sdk'
import type {
  FetchedRecords,
  GroupConsumer,
  GroupConsumerOptions,
  InRecord,
  LogClient,
  OutRecord,
  Producer,
} from '../../core/src/client/client.ts'
import { encodeAssignment, encodeCooperativeSubscription } from '../../core/src/client/assignors.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { partitionOfKey } from '../../core/src/client/partitioner.ts'
import { until } from './until.ts'

export interface LogUnderTest {
  readonly address: string
  close(): Promise<void>
}

type SeenRecord = InRecord & TopicPartition

let serial = 0
export const uniqueName = (what: string): string => `${what}-${process.pid}-${Date.now()}-${serial++}`

const flatten = (fetched: readonly FetchedRecords[]): SeenRecord[] =>
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

/** A consumer that polls by itself and notes what it sees. */
class PollingConsumer {
  readonly seen: SeenRecord[] = []
  readonly events: string[] = []
  readonly consumer: GroupConsumer
  #stopping = false
  readonly #done: Promise<void>

  constructor(client: LogClient, options: Omit<GroupConsumerOptions, 'onAssign' | 'onRevoke' | 'onLost'>) {
    const positions = new Map<string, { topic: string; partition: number; offset: number }>()
    const note = (what: string) => (partitions: readonly TopicPartition[]) => {
      this.events.push(
        `${what} ${partitions
          .map((each) => each.partition)
          .sort()
          .join()}`,
      )
    }
    this.consumer = client.groupConsumer({
      sessionTimeoutMs: 6_000,
      heartbeatIntervalMs: 100,
      ...options,
      onAssign: note('assign'),
      onLost: note('lost'),
      onRevoke: async (partitions) => {
        note('revoke')(partitions)
        await this.consumer.commit([...positions.values()])
        positions.clear()
      },
    })
    this.#done = this.#poll(positions)
  }

  async #poll(positions: Map<string, { topic: string; partition: number; offset: number }>): Promise<void> {
    while (!this.#stopping) {
      const fetched = await this.consumer.poll({ maxWaitMs: 100 })
      this.seen.push(...flatten(fetched))
      for (const { topic, partition, nextOffset } of fetched) {
        positions.set(`${topic}-${partition}`, { topic, partition, offset: nextOffset })
      }
    }
  }

  async close(): Promise<void> {
    this.#stopping = true
    await this.#done
    await this.consumer.close()
  }
}

export function describeClient(name: string, start: () => Promise<LogUnderTest>): void {
  describe(`client on ${name}`, () => {
    let log: LogUnderTest
    let client: LogClient
    beforeAll(async () => {
      log = await start()
      client = createClient({ bootstrapServers: [log.address], clientId: 'test' })
    })
    afterAll(async () => {
      await client.close()
      await log.close()
    })

    test('keys, values, headers and timestamps come back as they went in, in the partition of the key', async () => {
      const topic = await newTopic(client, 3)
      const sent: OutRecord[] = [
        {
          topic,
          key: 'text',
          value: 'Grüße',
          headers: [
            { key: 'h', value: 'ä' },
            { key: 'n', value: null },
          ],
          timestamp: 17,
        },
        { topic, key: Buffer.from([0, 255]), value: null, timestamp: 18 },
        { topic, partition: 1, key: null, value: Buffer.from([1, 2, 3]), timestamp: 19 },
      ]
      const producer = client.producer()
      const { failures, offsets } = await producer.produce(sent)
      expect(failures).toEqual([])
      expect(offsets.every((each) => each.offset >= 0)).toBe(true)
      const seen = (await readAll(client, topic)).sort((a, b) => a.timestamp - b.timestamp)
      expect(seen.map(({ timestamp }) => timestamp)).toEqual([17, 18, 19])
      expect(seen[0]).toMatchObject({
        partition: partitionOfKey('text', 3),
        key: Buffer.from('text'),
        value: Buffer.from('Grüße'),
      })
      expect(seen[0]!.headers).toEqual([
        { key: 'h', value: Buffer.from('ä') },
        { key: 'n', value: null },
      ])
      expect(seen[1]).toMatchObject({ key: Buffer.from([0, 255]), value: null })
      expect(seen[2]).toMatchObject({ partition: 1, key: null, value: Buffer.from([1, 2, 3]) })
    })

    test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)(
      'many overlapping calls keep their order (%s)',
      async (compression) => {
        const topic = await newTopic(client, 2)
        const producer = client.producer({ compression, maxBatchBytes: 4_096 })
        const calls = Array.from({ length: 100 }, (_, call) =>
          producer.produce(
            Array.from({ length: 20 }, (_unused, i) => ({
              topic,
              partition: i % 2,
              key: null,
              value: `${call * 20 + i}`,
            })),
          ),
        )
        await Promise.all(calls)
        const seen = await readAll(client, topic)
        expect(seen).toHaveLength(2_000)
        for (const partition of [0, 1]) {
          const numbers = values(seen.filter((each) => each.partition === partition)).map(Number)
          expect(numbers).toEqual([...numbers].sort((a, b) => a - b))
        }
      },
    )

    test('acks=leader without idempotence keeps the order too', async () => {
      const topic = await newTopic(client)
      const producer = client.producer({ acks: 'leader' })
      await Promise.all(Array.from({ length: 50 }, (_, i) => producer.produce([{ topic, key: null, value: `${i}` }])))
      // Acknowledged before it is on disk, and readable only then.
      const seen = await until('all to be readable', async () => {
        const records = await readAll(client, topic)
        return records.length >= 50 && records
      })
      expect(values(seen)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
    })

    test('a batch too large for the topic is split; a record too large for it is refused alone', async () => {
      const topic = await newTopic(client, 1, { 'max.message.bytes': '2000' })
      const producer = client.producer()
      const records = Array.from({ length: 40 }, (_, i) => ({
        topic,
        key: null,
        value: `${i}`.padEnd(i === 7 ? 5_000 : 200, '.'),
      }))
      const first = producer.produce(records)
      const second = producer.produce([{ topic, key: null, value: 'after' }])
      expect((await first).failures).toMatchObject([
        { index: 7, error: { code: 'MESSAGE_TOO_LARGE', retriable: false } },
      ])
      expect((await second).failures).toEqual([])
      const seen = values(await readAll(client, topic)).map((value) => value?.replace(/\.+$/, ''))
      const expected = records.flatMap((_, i) => (i === 7 ? [] : [`${i}`]))
      expect(seen).toEqual([...expected, 'after'])
    })

    test('a record over max.request.size, a partition that is not there and a topic that is not there', async () => {
      const topic = await newTopic(client)
      const producer = client.producer({ maxRequestBytes: 10_000, deliveryTimeoutMs: 1_000 })
      const { failures } = await producer.produce([
        { topic, key: null, value: 'x'.repeat(20_000) },
        { topic, key: null, value: 'fits' },
        { topic, partition: 5, key: null, value: 'nowhere' },
      ])
      expect(failures.map(({ index, error }) => [index, error.code])).toEqual([
        [0, 'MESSAGE_TOO_LARGE'],
        [2, 'UNKNOWN_TOPIC_OR_PARTITION'],
      ])
      expect(values(await readAll(client, topic))).toEqual(['fits'])
      const missing = producer.produce([{ topic: 'no such topic!', key: null, value: 'x' }])
      expect((await missing).failures).toMatchObject([{ error: { code: 'INVALID_TOPIC_EXCEPTION' } }])
    })

    test('a reader begins where it is told, waits for topics to come, and says when an offset is out of range', async () => {
      const topic = uniqueName('late')
      const reader = client.reader()
      reader.assign([{ topic, partition: 0, offset: 'earliest' }])
      expect(await reader.poll({ maxWaitMs: 50 })).toEqual([])
      await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
      await client.producer().produce([0, 1, 2, 3].map((i) => ({ topic, key: null, value: `${i}` })))
      const poll = async (): Promise<SeenRecord[]> =>
        until('records', async () => {
          const seen = flatten(await reader.poll({ maxWaitMs: 1_000 }))
          return seen.length > 0 && seen
        })
      expect(values(await poll())).toEqual(['0', '1', '2', '3'])
      reader.assign([{ topic, partition: 0, offset: 2 }])
      expect(values(await poll())).toEqual(['2', '3'])
      reader.assign([{ topic, partition: 0, offset: 'latest' }])
      expect(await reader.poll({ maxWaitMs: 700 })).toEqual([])
      await client.producer().produce([{ topic, key: null, value: 'new' }])
      expect(values(await poll())).toEqual(['new'])
      reader.assign([{ topic, partition: 0, offset: 100 }])
      await expect(until('an error', () => reader.poll({ maxWaitMs: 1_000 }).then(() => false))).rejects.toMatchObject({
        code: 'OFFSET_OUT_OF_RANGE',
        retriable: false,
      })
      const forgiving = client.reader({ offsetReset: 'earliest' })
      forgiving.assign([{ topic, partition: 0, offset: 100 }])
      const seen = await until('records', async () => {
        const some = flatten(await forgiving.poll({ maxWaitMs: 1_000 }))
        return some.length > 0 && some
      })
      expect(seen[0]!.offset).toBe(0)
      await Promise.all([reader.close(), forgiving.close()])
    })

    test('an aborted poll ends at once', async () => {
      const topic = await newTopic(client)
      const reader = client.reader()
      reader.assign([{ topic, partition: 0, offset: 'earliest' }])
      const abort = new AbortController()
      const poll = reader.poll({ maxWaitMs: 60_000, signal: abort.signal })
      abort.abort()
      expect(await poll).toEqual([])
      await reader.close()
    })

    test('transactions: what is committed is read, what is aborted is not', async () => {
      const topic = await newTopic(client, 2)
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      const write = (value: string): Promise<unknown> =>
        producer.produce([0, 1].map((partition) => ({ topic, partition, key: null, value })))
      for (const [value, commit] of [
        ['a', true],
        ['b', false],
        ['c', true],
        ['d', false],
        ['e', true],
      ] as const) {
        producer.begin()
        await write(value)
        await (commit ? producer.commit() : producer.abort())
      }
      producer.begin()
      await producer.commit()
      producer.begin()
      await producer.abort()
      producer.begin()
      await write('open')
      expect(values(await readAllStable(client, topic, 6)).sort()).toEqual(['a', 'a', 'c', 'c', 'e', 'e'])
      const all = values(await readAll(client, topic, 'read_uncommitted'))
      expect(all).toHaveLength(12)
      await producer.commit()
      expect(values(await readAll(client, topic)).filter((value) => value === 'open')).toHaveLength(2)
      await producer.close()
    })

    test('transactions: an abort drops what has not been sent, and the next transaction is whole', async () => {
      const topic = await newTopic(client, 1)
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      for (let round = 0; round < 20; round++) {
        producer.begin()
        const calls = Array.from({ length: 20 }, (_, i) =>
          producer.produce([{ topic, key: null, value: `${round} ${i}` }]),
        )
        const settled = Promise.allSettled(calls)
        if (round % 2 === 0) await producer.abort()
        else await producer.commit()
        await settled
      }
      const expected = Array.from({ length: 200 }, (_, i) => `${Math.floor(i / 20) * 2 + 1} ${i % 20}`)
      expect(values(await readAll(client, topic))).toEqual(expected)
      await producer.close()
    })

    test('transactions: offsets are committed with them or not at all', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      producer.begin()
      await producer.sendOffsets(groupId, [{ topic, partition: 0, offset: 5 }])
      await producer.abort()
      expect((await client.admin.groupOffsets(groupId)).filter((each) => each.offset >= 0)).toEqual([])
      producer.begin()
      await producer.produce([{ topic, key: null, value: 'x' }])
      await producer.sendOffsets(groupId, [{ topic, partition: 0, offset: 7 }])
      await producer.commit()
      // Kafka answers the commit when it is decided; the group's partition hears of it a moment later.
      const offsets = await until('the offset', async () => {
        const found = await client.admin.groupOffsets(groupId)
        return found.length > 0 && found
      })
      expect(offsets).toEqual([{ topic, partition: 0, offset: 7 }])
      await producer.close()
    })

    test('transactions: a refused record does not spoil the others', async () => {
      const topic = await newTopic(client, 1, { 'max.message.bytes': '2000' })
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      producer.begin()
      const { failures } = await producer.produce([{ topic, key: null, value: 'x'.repeat(5_000) }])
      expect(failures).toHaveLength(1)
      await producer.commit()
      producer.begin()
      const results = await Promise.all(
        ['a', 'x'.repeat(5_000), 'b'].map((value) => producer.produce([{ topic, key: null, value }])),
      )
      expect(results.map((each) => each.failures.length)).toEqual([0, 1, 0])
      await producer.commit()
      expect(values(await readAll(client, topic))).toEqual(['a', 'b'])
      await producer.close()
    })

    test('transactions: a newer producer of the same id fences the older', async () => {
      const topic = await newTopic(client)
      const transactionalId = uniqueName('tx')
      const older = client.producer({ transactionalId })
      await older.initTransactions()
      older.begin()
      await older.produce([{ topic, key: null, value: 'old' }])
      const newer = client.producer({ transactionalId })
      await newer.initTransactions()
      await expect(older.commit()).rejects.toMatchObject({ code: 'PRODUCER_FENCED', retriable: false })
      expect(() => older.begin()).toThrow(expect.objectContaining({ code: 'PRODUCER_FENCED' }))
      newer.begin()
      await newer.produce([{ topic, key: null, value: 'new' }])
      await newer.commit()
      expect(values(await readAll(client, topic))).toEqual(['new'])
      const late = client.producer({ transactionalId })
      await late.initTransactions()
      newer.begin()
      await expect(newer.produce([{ topic, key: null, value: 'x' }])).rejects.toMatchObject({
        code: expect.stringMatching(/^(PRODUCER_FENCED|INVALID_PRODUCER_EPOCH)$/),
        retriable: false,
      })
      await expect(newer.abort()).rejects.toMatchObject({ code: 'PRODUCER_FENCED' })
      await Promise.all([older.close(), newer.close(), late.close()])
    })

    test('transactions: an administrator fences producers, open transactions or none, known or not', async () => {
      const topic = await newTopic(client)
      const ids = Array.from({ length: 5 }, () => uniqueName('tx'))
      const producers = ids.slice(0, 3).map((transactionalId) => client.producer({ transactionalId }))
      await Promise.all(producers.map((producer) => producer.initTransactions()))
      const [open, idle, committed] = producers as [Producer, Producer, Producer]
      open.begin()
      await open.produce([{ topic, key: null, value: 'open' }])
      committed.begin()
      await committed.produce([{ topic, key: null, value: 'committed' }])
      await committed.commit()
      await client.admin.fenceProducers([...ids, ids[0]!])
      await expect(open.commit()).rejects.toMatchObject({ code: 'PRODUCER_FENCED', retriable: false })
      for (const producer of [idle, committed]) {
        producer.begin()
        await expect(producer.produce([{ topic, key: null, value: 'fenced' }])).rejects.toMatchObject({
          code: expect.stringMatching(/^(PRODUCER_FENCED|INVALID_PRODUCER_EPOCH)$/),
        })
      }
      expect(values(await readAll(client, topic))).toEqual(['committed'])
      const next = client.producer({ transactionalId: ids[0]! })
      await next.initTransactions()
      next.begin()
      await next.produce([{ topic, key: null, value: 'next' }])
      await next.commit()
      expect(values(await readAll(client, topic))).toEqual(['committed', 'next'])
      await client.admin.fenceProducers([])
      await expect(client.admin.fenceProducers(['', uniqueName('tx')])).rejects.toMatchObject({ retriable: false })
      await Promise.all([...producers, next].map((producer) => producer.close()))
    })

    test('calls out of order are refused', async () => {
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      expect(() => producer.begin()).toThrow(expect.objectContaining({ code: 'INVALID_TXN_STATE' }))
      await expect(producer.produce([{ topic: 't', key: null, value: 'x' }])).rejects.toMatchObject({
        code: 'INVALID_TXN_STATE',
      })
      await producer.close()
      await expect(client.producer().commit()).rejects.toThrow(TypeError)
    })

    test.each([
      ['cooperative-sticky', ['assign 0,1,2,3', 'revoke \\d,\\d$', 'assign \\d,\\d$', 'revoke 0,1,2,3']],
      [
        'range',
        ['assign 0,1,2,3', 'revoke 0,1,2,3', 'assign \\d,\\d$', 'revoke \\d,\\d$', 'assign 0,1,2,3', 'revoke 0,1,2,3'],
      ],
    ] as const)(
      'a group shares the partitions out, and goes on where it was through joins and leaves (%s)',
      async (assignmentStrategy, events) => {
        const topic = await newTopic(client, 4)
        const groupId = uniqueName('group')
        const producer = client.producer()
        let next = 0
        const produce = async (count: number): Promise<void> => {
          await producer.produce(
            Array.from({ length: count }, () => ({ topic, partition: next % 4, key: null, value: `${next++}` })),
          )
        }
        await produce(100)
        const first = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy })
        await until('the first to read all', () => first.seen.length === 100)
        expect(first.consumer.assignment()).toHaveLength(4)
        const second = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy })
        await until(
          'two to share',
          () => first.consumer.assignment().length === 2 && second.consumer.assignment().length === 2,
        )
        await produce(100)
        await until('both to read', () => first.seen.length + second.seen.length === 200)
        expect(second.seen).toHaveLength(50)
        await second.close()
        await until('the first to have all', () => first.consumer.assignment().length === 4)
        await produce(100)
        await until('the first to read on', () => first.seen.length + second.seen.length === 300)
        await first.close()
        expect(new Set(values([...first.seen, ...second.seen])).size).toBe(300)
        expect(first.events).toEqual(events.map((event): unknown => expect.stringMatching(event)))
        const offsets = await client.admin.groupOffsets(groupId)
        expect(offsets.map((each) => each.offset)).toEqual([75, 75, 75, 75])
      },
    )

    test('what a member keeps is read on through a rebalance, and committed as soon as that is over', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const partition = { topic, partition: 0 }
      // A leader of the group that takes its time to assign.
      let leaderId = ''
      let mayAssign = Promise.resolve()
      let assigning = 0
      const leader = client.groupMember({
        groupId,
        protocolType: 'consumer',
        sessionTimeoutMs: 6_000,
        heartbeatIntervalMs: 100,
        rebalanceTimeoutMs: 20_000,
        protocols: () => [{ name: 'cooperative-sticky', metadata: encodeCooperativeSubscription([topic], [], -1) }],
        assign: async (_protocol, members) => {
          assigning = members.length
          await mayAssign
          return new Map(
            members.map(({ memberId }) => [memberId, encodeAssignment(memberId === leaderId ? [] : [partition])]),
          )
        },
        onChange: () => undefined,
      })
      const { memberId } = await leader.join()
      leaderId = memberId
      const member = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the next round', () => leader.mustRejoin)
      await leader.join()
      await until('the partition', () => member.consumer.assignment().length === 1)
      const go = Promise.withResolvers<undefined>()
      mayAssign = go.promise.then(() => undefined)
      assigning = 0
      leader.requestRejoin()
      const joining = leader.join()
      await until('the round to wait for its leader', () => assigning === 2)
      await client.producer().produce([{ ...partition, key: null, value: 'during' }])
      await until('the record', () => values(member.seen).includes('during'))
      let committed = false
      const commit = member.consumer.commit([{ ...partition, offset: 1 }]).then(() => (committed = true))
      await client.producer().produce([{ ...partition, key: null, value: 'still' }])
      await until('one more', () => values(member.seen).includes('still'))
      expect(committed).toBe(false)
      go.resolve(undefined)
      await Promise.all([joining, commit])
      expect(await member.consumer.committed([partition])).toEqual([{ ...partition, offset: 1 }])
      expect(member.events).toEqual(['assign 0'])
      await leader.leave()
      await member.close()
    })

    test('a member that knows range alone makes the group go by it, and by cooperation again when it leaves', async () => {
      const topic = await newTopic(client, 4)
      const groupId = uniqueName('group')
      const first = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the first to have all', () => first.consumer.assignment().length === 4)
      const range = new PollingConsumer(client, { groupId, topics: [topic], assignmentStrategy: 'range' })
      await until('two to share', () => range.consumer.assignment().length === 2)
      await until('the first to have its half', () => first.consumer.assignment().length === 2)
      expect(first.events).toEqual(['assign 0,1,2,3', 'lost 0,1,2,3', expect.stringMatching(/^assign/)])
      await range.close()
      await until('the first to have all again', () => first.consumer.assignment().length === 4)
      const third = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the third to have its half', () => third.consumer.assignment().length === 2)
      expect(first.events.at(-1)).toMatch(/^revoke \d,\d$/)
      await Promise.all([first.close(), third.close()])
    })

    test('transactions: offsets of a consumer that is no longer the one are refused', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const consumer = client.groupConsumer({
        groupId,
        topics: [topic],
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: () => undefined,
      })
      expect(() => consumer.groupMetadata()).toThrow(expect.objectContaining({ code: 'UNKNOWN_MEMBER_ID' }))
      await until('assignment', async () => {
        await consumer.poll({ maxWaitMs: 50 })
        return consumer.assignment().length === 1
      })
      const member = consumer.groupMetadata()
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      const offsets = [{ topic, partition: 0, offset: 3 }]
      for (const group of [
        { ...member, generation: member.generation - 1 },
        { ...member, memberId: 'somebody' },
      ]) {
        producer.begin()
        await expect(producer.sendOffsets(group, offsets)).rejects.toMatchObject({
          code: group.memberId === 'somebody' ? 'UNKNOWN_MEMBER_ID' : 'ILLEGAL_GENERATION',
        })
        await expect(producer.commit()).rejects.toThrow()
        await producer.abort()
      }
      producer.begin()
      await producer.sendOffsets(member, offsets)
      await producer.commit()
      expect(await consumer.committed(offsets)).toEqual(offsets)
      await Promise.all([producer.close(), consumer.close()])
    })

    test('a group by pattern takes in topics as they come', async () => {
      const prefix = uniqueName('pattern')
      const consumer = new PollingConsumer(client, {
        groupId: uniqueName('group'),
        topicsPattern: new RegExp(`^${prefix}-[ab]$`),
      })
      for (const suffix of ['a', 'b', 'other']) {
        const topic = `${prefix}-${suffix}`
        await client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
        await client.producer().produce([{ topic, key: null, value: suffix }])
        if (suffix !== 'other') await until(`topic ${suffix}`, () => values(consumer.seen).includes(suffix))
      }
      expect(new Set(values(consumer.seen))).toEqual(new Set(['a', 'b']))
      await consumer.close()
    })

    test('a group tells its state, and which member has which partitions', async () => {
      const topic = await newTopic(client, 2)
      const groupId = uniqueName('group')
      const consumer = client.groupConsumer({
        groupId,
        topics: [topic],
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: () => undefined,
      })
      await until('an assignment', async () => {
        await consumer.poll({ maxWaitMs: 100 })
        return consumer.assignment().length === 2
      })
      const group = await client.admin.group(groupId)
      expect(group).toMatchObject({ state: 'Stable', protocolType: 'consumer', protocol: 'cooperative-sticky' })
      const [member] = group!.members
      expect(member!.assigned).toHaveLength(2)
      expect(member!.assigned).toEqual(expect.arrayContaining([...consumer.assignment()]))
      await consumer.close()
    })

    test('seek, pause, committed offsets', async () => {
      const topic = await newTopic(client, 1)
      await client.producer().produce([0, 1, 2, 3, 4].map((i) => ({ topic, key: null, value: `${i}` })))
      const groupId = uniqueName('group')
      await client.admin.alterGroupOffsets(groupId, [{ topic, partition: 0, offset: 3 }])
      let seekTo: number | undefined = undefined
      const options = {
        groupId,
        topics: [topic],
        onRevoke: () => undefined,
        onLost: () => undefined,
        onAssign: () => {
          if (seekTo !== undefined) consumer.seek({ topic, partition: 0, offset: seekTo })
        },
      }
      let consumer = client.groupConsumer(options)
      const read = (): Promise<SeenRecord[]> =>
        until('records', async () => {
          const seen = flatten(await consumer.poll({ maxWaitMs: 500 }))
          return seen.length > 0 && seen
        })
      expect(values(await read())).toEqual(['3', '4'])
      consumer.seek({ topic, partition: 0, offset: 1 })
      expect(values(await read())).toEqual(['1', '2', '3', '4'])
      consumer.pause([{ topic, partition: 0 }])
      await client.producer().produce([{ topic, key: null, value: '5' }])
      expect(await consumer.poll({ maxWaitMs: 700 })).toEqual([])
      consumer.resume([{ topic, partition: 0 }])
      expect(values(await read())).toEqual(['5'])
      await consumer.commit([{ topic, partition: 0, offset: 6 }])
      expect(await consumer.committed([{ topic, partition: 0 }])).toEqual([{ topic, partition: 0, offset: 6 }])
      await consumer.close()
      seekTo = 4
      consumer = client.groupConsumer(options)
      expect(values(await read())).toEqual(['4', '5'])
      await consumer.close()
      expect(() => consumer.seek({ topic, partition: 0, offset: 0 })).toThrow(
        expect.objectContaining({ code: 'NOT_ASSIGNED' }),
      )
    })

    test('a consumer that no one polls leaves the group, and hears of it', async () => {
      const topic = await newTopic(client, 1)
      const groupId = uniqueName('group')
      const lost: TopicPartition[] = []
      const idle = client.groupConsumer({
        groupId,
        topics: [topic],
        maxPollIntervalMs: 500,
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: (partitions) => void lost.push(...partitions),
      })
      await until('assignment', async () => {
        await idle.poll({ maxWaitMs: 100 })
        return idle.assignment().length === 1
      })
      const other = new PollingConsumer(client, { groupId, topics: [topic] })
      await until('the other to take over', () => other.consumer.assignment().length === 1)
      await expect(idle.commit([{ topic, partition: 0, offset: 1 }])).rejects.toMatchObject({ retriable: false })
      await idle.poll({ maxWaitMs: 0 })
      expect(lost).toEqual([{ topic, partition: 0 }])
      await Promise.all([idle.close(), other.close()])
    })

    test('administration', async () => {
      const topic = uniqueName('admin')
      const made = await client.admin.createTopics([
        { topic, partitions: 2, replicationFactor: -1, config: { 'retention.ms': '12345' } },
        { topic: uniqueName('other'), partitions: -1, replicationFactor: -1 },
      ])
      expect(made).toHaveLength(2)
      expect(await client.admin.createTopics([{ topic, partitions: 2, replicationFactor: -1 }])).toEqual([])
      expect(await client.admin.topics([topic, 'missing'])).toEqual([{ topic, partitions: 2, internal: false }])
      expect((await client.admin.topics()).map((each) => each.topic)).toEqual(expect.arrayContaining([...made]))
      expect(await client.admin.topicConfig(topic)).toMatchObject({
        'retention.ms': '12345',
        'cleanup.policy': 'delete',
      })
      expect((await client.admin.clusterId()).length).toBeGreaterThan(0)
      await client
        .producer()
        .produce([1_000, 2_000, 3_000].map((timestamp) => ({ topic, partition: 0, key: null, value: 'x', timestamp })))
      const partitions = [
        { topic, partition: 0 },
        { topic, partition: 1 },
      ]
      expect(await client.admin.offsets(partitions, 'earliest')).toEqual(
        partitions.map((each) => ({ ...each, offset: 0 })),
      )
      expect((await client.admin.offsets(partitions, 'latest')).map((each) => each.offset)).toEqual([3, 0])
      expect((await client.admin.offsets(partitions, { timestamp: 1_500 })).map((each) => each.offset)).toEqual([1, -1])
      const groupId = uniqueName('group')
      expect(await client.admin.groupOffsets(groupId)).toEqual([])
      await client.admin.alterGroupOffsets(groupId, [{ topic, partition: 1, offset: 4 }])
      expect(await client.admin.groupOffsets(groupId)).toEqual([{ topic, partition: 1, offset: 4 }])
      expect(await client.admin.group(groupId)).toMatchObject({ groupId, state: 'Empty', members: [] })
      expect(await client.admin.groups()).toContainEqual(expect.objectContaining({ groupId, type: 'classic' }))
      await client.admin.deleteGroup(groupId)
      await client.admin.deleteGroup(groupId)
      expect(await client.admin.group(groupId)).toBeUndefined()
      expect(await client.admin.groupOffsets(groupId)).toEqual([])
      await client.admin.deleteTopics([topic, 'missing'])
      expect(await client.admin.topics([topic])).toEqual([])
      await expect(
        client.admin.createTopics([{ topic: 'bad name!', partitions: 1, replicationFactor: 1 }]),
      ).rejects.toMatchObject({
        code: 'INVALID_TOPIC_EXCEPTION',
      })
    })
  })
}

/** Up to the last stable offset, which an open transaction holds back. */
async function readAllStable(client: LogClient, topic: string, count: number): Promise<SeenRecord[]> {
  const reader = client.reader()
  reader.assign([0, 1].map((partition) => ({ topic, partition, offset: 'earliest' as const })))
  const seen: SeenRecord[] = []
  await until(`${count} records`, async () => {
    seen.push(...flatten(await reader.poll({ maxWaitMs: 500 })))
    return seen.length >= count
  })
  seen.push(...flatten(await reader.poll({ maxWaitMs: 700 })))
  await reader.close()
  return seen
}
