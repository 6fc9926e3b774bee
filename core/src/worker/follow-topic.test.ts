import type { FollowedRecord } from '@tidewire/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import { shareOfItsOwn } from './byte-budget.ts'
import { followFrom, followTopic } from './follow-topic.ts'
import { until } from './testing/conditions.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

let log: FakeLog
let told: string[]
let failures: unknown[]
let abort: AbortController

beforeEach(() => {
  log = new FakeLog()
  log.createTopic('names', 2)
  told = []
  failures = []
  abort = new AbortController()
})

async function produce(...values: readonly (string | null)[]): Promise<void> {
  const producer = fakeLogClient(log).producer()
  await producer.produce(values.map((value, i) => ({ topic: 'names', partition: i % 2, key: `k${i}`, value })))
}

const note = ({ key, value }: FollowedRecord): void =>
  void told.push(`${Buffer.from(key!).toString()}=${value === null ? 'gone' : Buffer.from(value).toString()}`)

async function follow(topic: string, onRecord: (record: FollowedRecord) => void | Promise<void> = note): Promise<void> {
  return followTopic({
    client: fakeLogClient(log),
    clientId: 'c',
    topic,
    onRecord,
    signal: abort.signal,
    memory: shareOfItsOwn(1024 * 1024).holder(),
    logger: silentLogger,
    onFailure: (error) => failures.push(error),
  })
}

describe('a topic that is followed', () => {
  test('is told from its beginning before it is ready, and goes on being told until the task ends', async () => {
    await produce('a', 'b', null)
    await follow('names')
    expect(told.sort()).toEqual(['k0=a', 'k1=b', 'k2=gone'])
    await produce('c')
    await until(() => told.includes('k0=c'))
    abort.abort()
    await produce('d')
    expect(told).not.toContain('k0=d')
    expect(failures).toEqual([])
  })

  test('waits for an answer that is a promise before it tells the next record', async () => {
    await produce('a', null, 'b')
    const waiting: (() => void)[] = []
    const following = follow('names', (record) => {
      note(record)
      return new Promise<void>((resolve) => waiting.push(resolve))
    })
    for (let count = 1; count <= 3; count++) {
      await until(() => waiting.length === count)
      expect(told).toHaveLength(count)
      waiting.at(-1)!()
    }
    await following
    await produce('c')
    await until(() => told.includes('k0=c'))
    abort.abort()
    waiting.at(-1)!()
    expect(failures).toEqual([])
  })

  test('fails the task where a promise fails', async () => {
    await produce('a')
    await expect(follow('names', async () => Promise.reject(new Error('not this')))).rejects.toThrow('not this')
  })

  test('is ready where a transaction is open at its end, and tells that when it has ended', async () => {
    await produce('a')
    const producer = fakeLogClient(log).producer({ transactionalId: 't' })
    await producer.initTransactions()
    producer.begin()
    await producer.produce([{ topic: 'names', partition: 0, key: 'k2', value: 'open' }])
    await follow('names')
    expect(told).toEqual(['k0=a'])
    await producer.commit()
    await until(() => told.includes('k2=open'))
    abort.abort()
  })

  test('may have nothing in it', async () => {
    await follow('names')
    expect(told).toEqual([])
    abort.abort()
  })

  test('must be there', async () => {
    await expect(follow('nothing')).rejects.toThrow('topic nothing does not exist: create it, or correct its name')
  })

  test('fails the task where what it says cannot be taken: at once, and later', async () => {
    await produce('a')
    const refuse = ({ value }: FollowedRecord): void => {
      if (Buffer.from(value!).toString() === 'bad') throw new Error('not this')
    }
    await follow('names', refuse)
    await produce('bad')
    await until(() => failures.length > 0)
    expect(failures).toEqual([new Error('not this')])
    await expect(follow('names', refuse)).rejects.toThrow('not this')
    abort.abort()
  })
})

describe('a topic with one partition that a source follows', () => {
  beforeEach(() => log.createTopic('signals'))

  const produceTo = async (topic: string, ...values: readonly string[]): Promise<void> => {
    const records = values.map((value) => ({ topic, partition: 0, key: 'k', value }))
    await fakeLogClient(log).producer().produce(records)
  }
  const followAt = (topic: string, from: number | undefined): Promise<void> =>
    followFrom({
      client: fakeLogClient(log),
      clientId: 'c',
      topic,
      from,
      onRecord: note,
      signal: abort.signal,
      memory: shareOfItsOwn(1024 * 1024).holder(),
      logger: silentLogger,
      onFailure: (error) => failures.push(error),
      create: async () => log.createTopic(topic),
    })

  test('is told from an offset on, or what is written from then on', async () => {
    await produceTo('signals', 'a', 'b', 'c')
    await followAt('signals', 1)
    await until(() => told.length === 2)
    expect(told).toEqual(['k=b', 'k=c'])
    told = []
    abort.abort()
    abort = new AbortController()
    await followAt('signals', undefined)
    await produceTo('signals', 'd')
    await until(() => told.length > 0)
    abort.abort()
    expect(told).toEqual(['k=d'])
    expect(failures).toEqual([])
  })

  test('is told from its beginning where the offset is none of it', async () => {
    await produceTo('signals', 'a')
    log.failNext('poll', new LogError('OFFSET_OUT_OF_RANGE', 'not there', { retriable: false }))
    await followAt('signals', 40)
    await until(() => told.length > 0)
    abort.abort()
    expect(told).toEqual(['k=a'])
  })

  test('is made where there is none, and has one partition only', async () => {
    await followAt('new', undefined)
    await produceTo('new', 'a')
    await until(() => told.length > 0)
    abort.abort()
    await expect(followAt('names', 0)).rejects.toThrow('topic names has 2 partitions: it must have one')
  })
})
