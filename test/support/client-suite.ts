/** What the client has to do on whatever log it meets: run against the bundled one and against Apache Kafka. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { LogClient, OutRecord } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { partitionOfKey } from '../../core/src/client/partitioner.ts'
import { describeGroups } from './client-groups-suite.ts'
import { flatten, newTopic, readAll, uniqueName, values, type SeenRecord } from './client-topics.ts'
import { describeTransactions } from './client-transactions-suite.ts'
import { until } from './until.ts'

export interface LogUnderTest {
  readonly address: string
  close(): Promise<void>
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
      const producer = client.producer({ maxRequestBytes: 10_000, deliveryTimeoutMs: 5_000 })
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
      // Where the end is it learns some time after: what is written before that is not for it.
      const latest = await until('a new record', async () => {
        await client.producer().produce([{ topic, key: null, value: 'new' }])
        const seen = flatten(await reader.poll({ maxWaitMs: 1_000 }))
        return seen.length > 0 && seen
      })
      expect(new Set(values(latest))).toEqual(new Set(['new']))
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
      await client.admin.alterGroupOffsets(groupId, [
        { topic, partition: 0, offset: 2 },
        { topic, partition: 1, offset: 4 },
      ])
      await client.admin.deleteGroupOffsets(groupId, [
        { topic, partition: 0 },
        { topic: 'missing', partition: 0 },
      ])
      await client.admin.deleteGroupOffsets(uniqueName('group'), partitions)
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

    describeTransactions(() => client)
    describeGroups(() => client)
  })
}
