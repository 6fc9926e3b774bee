/** What a transactional producer of the client has to do: part of the suite of the client. */
import { beforeAll, describe, expect, test } from 'vitest'
import type { LogClient, Producer } from '../../core/src/client/client.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { shareOfItsOwn } from '../../core/src/worker/byte-budget.ts'
import { followTopic } from '../../core/src/worker/follow-topic.ts'
import { flatten, newTopic, readAll, uniqueName, values, type SeenRecord } from './client-topics.ts'
import { until } from './until.ts'

export function describeTransactions(clientOf: () => LogClient): void {
  describe('transactions', () => {
    let client: LogClient
    beforeAll(() => void (client = clientOf()))

    test('what is committed is read, what is aborted is not', async () => {
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

    test('an abort drops what has not been sent, and the next transaction is whole', async () => {
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

    test('a topic that is followed is ready though a transaction is open at its end', async () => {
      const topic = await newTopic(client, 2)
      const producer = client.producer({ transactionalId: uniqueName('tx') })
      await producer.initTransactions()
      const write = (partition: number, value: string) => producer.produce([{ topic, partition, key: null, value }])
      for (const fate of ['commit', 'abort'] as const) {
        producer.begin()
        await write(0, fate)
        await producer[fate]()
      }
      producer.begin()
      await write(0, 'open')
      await write(1, 'open too')
      const told: string[] = []
      const failures: unknown[] = []
      const abort = new AbortController()
      // What was ended may be so a moment later at the partition.
      await until('the last stable offset', async () => {
        const ends = await client.admin.offsets([{ topic, partition: 0 }], 'latest', 'read_committed')
        return ends[0]!.offset >= 4
      })
      await followTopic({
        client,
        clientId: undefined,
        topic,
        onRecord: ({ value }) => void told.push(Buffer.from(value!).toString()),
        signal: abort.signal,
        memory: shareOfItsOwn(1024 * 1024).holder(),
        logger: silentLogger,
        onFailure: (error) => failures.push(error),
      })
      expect(told).toEqual(['commit'])
      await producer.commit()
      await until('what was open', () => told.length === 3)
      expect(told.slice(1).sort()).toEqual(['open', 'open too'])
      abort.abort()
      expect(failures).toEqual([])
      await producer.close()
    })

    test('offsets are committed with them or not at all', async () => {
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

    test('a refused record does not spoil the others', async () => {
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

    test('a newer producer of the same id fences the older', async () => {
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

    test('an administrator fences producers, open transactions or none, known or not', async () => {
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
