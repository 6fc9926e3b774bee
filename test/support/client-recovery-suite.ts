/** What the client has to do when the log dies and comes back, or the network breaks. */
import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { LogError, type LogClient } from '../../core/src/client/client.ts'
import { Cluster } from '../../core/src/client/cluster.ts'
import { createClient, parseAddress } from '../../core/src/client/log-client.ts'
import { LogProducer } from '../../core/src/client/producer.ts'
import { silentLogger } from '../../core/src/logging/logger.ts'
import { breakingProxy } from './breaking-proxy.ts'
import { newTopic, readAll, uniqueName, values } from './client-topics.ts'
import type { KillableLog } from './killable-log.ts'
import { until } from './until.ts'

const PARTITIONS = 3

async function expectEachOnceInOrder(client: LogClient, topic: string, total: number): Promise<void> {
  const seen = await readAll(client, topic)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const found = values(seen.filter((each) => each.partition === partition))
    const expected = Array.from({ length: total }, (_, i) => i).filter((i) => i % PARTITIONS === partition)
    expect(found).toEqual(expected.map(String))
  }
}

export function describeRecovery(name: string, crashes: number, start: () => Promise<KillableLog>): void {
  describe(`client on ${name}, which crashes`, () => {
    let log: KillableLog
    let client: LogClient
    beforeAll(async () => {
      log = await start()
      client = createClient({ bootstrapServers: [log.address], clientId: 'test' })
    })
    afterAll(async () => {
      await client.close()
      await log.close()
    })

    test('an idempotent producer loses nothing, doubles nothing and keeps the order', async () => {
      const topic = await newTopic(client, PARTITIONS)
      const producer = client.producer({ maxBatchBytes: 2_000 })
      let next = 0
      let crashing = true
      const underWay = new Set<Promise<unknown>>()
      const produce = async (): Promise<void> => {
        while (crashing) {
          const records = Array.from({ length: 50 }, () => ({
            topic,
            partition: next % PARTITIONS,
            key: null,
            value: `${next++}`,
          }))
          const call: Promise<unknown> = producer.produce(records).finally(() => underWay.delete(call))
          underWay.add(call)
          if (underWay.size > 10) await Promise.race(underWay)
          else await new Promise((resolve) => setTimeout(resolve, 1))
        }
        await Promise.all(underWay)
      }
      const producing = produce()
      for (let i = 0; i < crashes; i++) {
        const before = next
        await until('records under way', () => next > before + 500)
        await log.kill()
        await log.restart()
      }
      crashing = false
      await producing
      await expectEachOnceInOrder(client, topic, next)
    }, 180_000)

    test('what a transactional producer committed is there, once, and nothing else', async () => {
      const topic = await newTopic(client, PARTITIONS)
      const transactionalId = uniqueName('tx')
      const committed: string[] = []
      let stopping = false
      const run = async (): Promise<void> => {
        let producer = client.producer({ transactionalId })
        await producer.initTransactions()
        for (let i = 0; !stopping; i++) {
          try {
            producer.begin()
            await producer.produce([0, 1, 2].map((partition) => ({ topic, partition, key: null, value: `${i}` })))
            if (i % 3 === 2) {
              await producer.abort()
            } else {
              await producer.commit()
              committed.push(`${i}`)
            }
          } catch (error) {
            if (!(error instanceof LogError)) throw error
            await producer.abort().catch(async () => {
              await producer.close()
              producer = client.producer({ transactionalId })
              await producer.initTransactions()
            })
          }
        }
        await producer.close()
      }
      const running = run()
      for (let i = 0; i < crashes; i++) {
        const before = committed.length
        await until('commits', () => committed.length > before + 10, 60_000)
        await log.kill()
        await log.restart()
      }
      const before = committed.length
      await until('commits after the last crash', () => committed.length > before + 3, 60_000)
      stopping = true
      await running
      const seen = await readAll(client, topic)
      for (const partition of [0, 1, 2]) {
        expect(values(seen.filter((each) => each.partition === partition))).toEqual(committed)
      }
    }, 180_000)

    test('a group consumer goes on, and misses nothing', async () => {
      const topic = await newTopic(client, PARTITIONS)
      const producer = client.producer()
      const seen = new Set<string | undefined>()
      let next = 0
      let stopping = false
      const consumer = client.groupConsumer({
        groupId: uniqueName('group'),
        topics: [topic],
        sessionTimeoutMs: 6_000,
        heartbeatIntervalMs: 200,
        onAssign: () => undefined,
        onRevoke: () => undefined,
        onLost: () => undefined,
      })
      const consuming = (async () => {
        while (!stopping) {
          for (const { topic: name, partition, records, nextOffset } of await consumer.poll({ maxWaitMs: 200 })) {
            for (const value of values(records)) seen.add(value)
            await consumer.commit([{ topic: name, partition, offset: nextOffset }]).catch((error: unknown) => {
              if (!(error instanceof LogError)) throw error
            })
          }
        }
      })()
      const more = async (): Promise<void> => {
        await producer.produce(
          Array.from({ length: 100 }, () => ({ topic, partition: next % PARTITIONS, key: null, value: `${next++}` })),
        )
        await until('all to be consumed', () => seen.size === next, 60_000)
      }
      await more()
      for (let i = 0; i < crashes; i++) {
        await log.kill()
        await log.restart()
        await more()
      }
      stopping = true
      await consuming
      await consumer.close()
      expect(seen.size).toBe(100 * (crashes + 1))
    }, 180_000)

    test('over a network that breaks all the time, everything arrives once and in order', async () => {
      const topic = await newTopic(client, PARTITIONS)
      const proxy = await breakingProxy(log.address, () => 2_000 + Math.random() * 30_000)
      const cluster = new Cluster({
        bootstrap: [parseAddress(log.address)],
        clientId: 'test',
        requestTimeoutMs: 30_000,
        logger: silentLogger,
        connect: (_address, onread) => connect({ host: '127.0.0.1', port: proxy.port, onread }),
      })
      const producer = new LogProducer(cluster, { maxBatchBytes: 2_000 })
      let next = 0
      const calls: Promise<unknown>[] = []
      while (next < 6_000) {
        calls.push(
          producer.produce(
            Array.from({ length: 20 }, () => ({ topic, partition: next % PARTITIONS, key: null, value: `${next++}` })),
          ),
        )
        if (calls.length % 10 === 0) await new Promise((resolve) => setTimeout(resolve, 5))
      }
      await Promise.all(calls)
      expect(proxy.broken).toBeGreaterThan(3)
      proxy.heal()
      await cluster.close()
      await proxy.close()
      await expectEachOnceInOrder(client, topic, next)
    }, 180_000)
  })
}
