import type { SourceBatch } from '@tidewire/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { DeliveryTracker } from './delivery.ts'
import { ExactlyOnceCommit, type ExactlyOnceOptions } from './exactly-once-commit.ts'
import { OffsetStore } from './offset-store.ts'
import type { ConvertedBatch, SourceConversion } from './source-conversion.ts'
import { unwatchedActivity } from './task-activity.ts'
import { until } from './testing/conditions.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

const partition = { file: 'a' }
const recordBytes = 100

describe('where a transaction ends', () => {
  let log: FakeLog
  let tracker: DeliveryTracker
  let failures: unknown[]
  let refused: string[]

  beforeEach(() => {
    log = new FakeLog()
    log.createTopic('t')
    log.createTopic('offsets')
    tracker = new DeliveryTracker()
    failures = []
    refused = []
  })

  async function open({
    maxBufferedBytes = 10_000,
    ...options
  }: Partial<ExactlyOnceOptions> & { maxBufferedBytes?: number }): Promise<ExactlyOnceCommit> {
    const client = fakeLogClient(log)
    const commit = new ExactlyOnceCommit(
      {
        connector: 'c',
        activity: unwatchedActivity(),
        producer: client.producer({ transactionalId: 'g-c-0' }),
        offsets: new OffsetStore({ client, topic: 'offsets', logger: silentLogger }),
        tracker,
        conversion: {
          refuse: (_: ConvertedBatch, record: { value: string }) => void refused.push(record.value),
        } as unknown as SourceConversion,
        onProgress: () => undefined,
        onFailure: (error) => failures.push(error),
      },
      { boundary: { kind: 'connector' }, isFull: () => tracker.bytes >= maxBufferedBytes, ...options },
    )
    await commit.open()
    return commit
  }

  /** A batch of one record for each value; its offset is the last value. */
  function send(commit: ExactlyOnceCommit, values: readonly string[], more: Partial<SourceBatch> = {}): void {
    const records = values.map((value) => ({
      topic: 't',
      value,
      sourcePartition: partition,
      sourceOffset: { at: value },
    }))
    const batch = tracker.track({ records, ...more })
    tracker.addBytes(batch, recordBytes * values.length)
    const out = values.map((value) => ({ topic: 't', key: null, value }))
    commit.send(batch, { out, origins: [...records], deadLetters: [], bytes: recordBytes * values.length })
  }

  async function storedOffset(): Promise<unknown> {
    const store = new OffsetStore({ client: fakeLogClient(log), topic: 'offsets', logger: silentLogger })
    await store.refresh()
    return store.get('c', partition)?.['at']
  }

  /** What is in the log, visible or not. */
  const written = (): number => log.topics.get('t')![0]!.length

  describe('interval', () => {
    test('records of several batches become visible together when it is over', async () => {
      const commit = await open({ boundary: { kind: 'interval', intervalMs: 50 } })
      send(commit, ['1'])
      await until(() => written() === 1)
      send(commit, ['2'])
      await until(() => written() === 2)
      expect(log.values('t')).toEqual([])
      await until(() => log.values('t').length === 2)
      expect(await storedOffset()).toBe('2')
      await commit.close()
    })

    test('a full buffer ends it sooner', async () => {
      const commit = await open({ boundary: { kind: 'interval', intervalMs: 3_600_000 }, maxBufferedBytes: 300 })
      send(commit, ['1', '2'])
      await until(() => written() === 2)
      expect(log.values('t')).toEqual([])
      send(commit, ['3'])
      await until(() => log.values('t').length === 3)
      expect(tracker.bytes).toBe(0)
      await commit.close()
    })

    test('a stop ends it', async () => {
      const commit = await open({ boundary: { kind: 'interval', intervalMs: 3_600_000 } })
      send(commit, ['1'])
      await commit.flush('complete')
      expect(log.values('t')).toEqual(['1'])
      expect(await storedOffset()).toBe('1')
      await commit.close()
    })

    test('a record that the log refuses is taken out, and the rest of the transaction goes again', async () => {
      const commit = await open({ boundary: { kind: 'interval', intervalMs: 3_600_000 } })
      send(commit, ['1'])
      await until(() => written() === 1)
      send(commit, ['2', 'too large'])
      send(commit, ['3'])
      await commit.flush('all')
      expect(refused).toEqual(['too large'])
      expect(log.values('t')).toEqual(['1', '2', '3'])
      await commit.close()
    })
  })

  describe('connector', () => {
    test('commit makes all since the last end visible, with their offsets', async () => {
      const commit = await open({})
      const told: string[] = []
      send(commit, ['1'], { durable: () => void told.push('1') })
      send(commit, ['2'], { durable: () => void told.push('2') })
      await until(() => written() === 2)
      expect(log.values('t')).toEqual([])
      expect(commit.isIncomplete).toBe(true)
      send(commit, ['3'], { transaction: 'commit' })
      send(commit, ['4'])
      await until(() => told.length === 2)
      expect(log.values('t')).toEqual(['1', '2', '3'])
      expect(await storedOffset()).toBe('3')
      await commit.flush('complete')
      expect(log.values('t')).toEqual(['1', '2', '3'])
      expect(commit.isIncomplete).toBe(true)
      await commit.close()
      expect(log.values('t')).toEqual(['1', '2', '3'])
      expect(told).toEqual(['1', '2'])
    })

    test('abort drops the records, and counts their offsets as delivered', async () => {
      const commit = await open({})
      const told: string[] = []
      send(commit, ['1'], { transaction: 'commit' })
      send(commit, ['2'])
      await until(() => written() === 2)
      send(commit, ['3'], { transaction: 'abort', durable: () => void told.push('3') })
      await until(() => told.length === 1)
      send(commit, ['4'], { transaction: 'commit' })
      await commit.flush('complete')
      expect(log.values('t')).toEqual(['1', '4'])
      expect(await storedOffset()).toBe('4')
      await commit.close()
    })

    test('a pause commits what is open', async () => {
      const commit = await open({})
      send(commit, ['1'])
      await commit.flush('all')
      expect(log.values('t')).toEqual(['1'])
      expect(commit.isIncomplete).toBe(false)
      await commit.close()
    })

    test('a transaction larger than the buffer makes room as it goes, and cannot be repeated', async () => {
      const commit = await open({ maxBufferedBytes: 200 })
      send(commit, ['1', '2'])
      await until(() => tracker.bytes === 0)
      send(commit, ['3'], { transaction: 'commit' })
      await until(() => log.values('t').length === 3)
      expect(await storedOffset()).toBe('3')

      send(commit, ['4', '5'])
      await until(() => tracker.bytes === 0)
      send(commit, ['too large'])
      await until(() => failures.length === 1)
      expect(String(failures[0])).toContain('raise source.max.buffered.bytes')
      await commit.close()
      expect(log.values('t')).toEqual(['1', '2', '3'])
      expect(await storedOffset()).toBe('3')
    })
  })
})
