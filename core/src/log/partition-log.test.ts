import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import { encodeControlBatch, RecordBatchBuilder } from '../protocol/record-batch.ts'
import { LogStorageError } from './errors.ts'
import { nodeFileSystem } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { LogManagerOptions } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const all = { acks: -1, origin: 'client' } as const
const leader = { acks: 1, origin: 'client' } as const

async function openPartition(
  config: Record<string, string> = {},
  options: Partial<LogManagerOptions> = {},
): Promise<PartitionLog> {
  const manager = await openLog(temporaryDirectory(), options)
  await manager.createTopic('t', 1, config)
  return manager.partition('t', 0)!
}

async function valuesFrom(log: PartitionLog, offset: number): Promise<(string | null)[]> {
  const { records } = await log.read(offset, 1_000_000, 'read_uncommitted')
  return recordsOf(records).map(({ value }) => value)
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return error instanceof LogStorageError ? error.code : String(error)
}

/** A partition whose syncs wait until they are let go. */
async function openHeld(options: Partial<LogManagerOptions> = {}) {
  const waiting: (() => void)[] = []
  let held = true
  const fs = {
    ...nodeFileSystem,
    ...options.fs,
    fdatasync: (fd: number, done: (error: NodeJS.ErrnoException | null) => void) => {
      const sync = () => nodeFileSystem.fdatasync(fd, done)
      if (held) waiting.push(sync)
      else sync()
    },
  } as FileSystem
  const log = await openPartition({}, { ...options, fs })
  onTestFinished(() => {
    held = false
    for (const sync of waiting) sync()
  })
  const release = async () => {
    await expect.poll(() => waiting.length).toBeGreaterThan(0)
    waiting.shift()!()
  }
  return { log, waiting, release }
}

describe('append and read', () => {
  test('gives offsets in order and reads them back', async () => {
    const log = await openPartition()
    const results = await Promise.all([log.append(batchOf(['a', 'b']), all), log.append(batchOf(['c']), leader)])
    expect(results.map(({ baseOffset, lastOffset }) => [baseOffset, lastOffset])).toEqual([
      [0, 1],
      [2, 2],
    ])
    await expect.poll(() => log.highWatermark).toBe(3)
    const { records } = await log.read(0, 1_000_000, 'read_uncommitted')
    expect(recordsOf(records).map(({ offset, value }) => [offset, value])).toEqual([
      [0, 'a'],
      [1, 'b'],
      [2, 'c'],
    ])
  })

  test('a read starts with the batch that holds the offset, and ends before maxBytes', async () => {
    const log = await openPartition()
    for (const value of ['a', 'b', 'c']) await log.append(batchOf([value, `${value}2`]), all)
    expect(await valuesFrom(log, 3)).toEqual(['b', 'b2', 'c', 'c2'])
    const one = await log.read(3, 10, 'read_uncommitted')
    expect(recordsOf(one.records).map(({ value }) => value)).toEqual(['b', 'b2'])
    expect((await log.read(3, 10, 'read_uncommitted', false)).bytes).toBe(0)
    const two = await log.read(0, one.bytes * 2 + 1, 'read_uncommitted')
    expect(recordsOf(two.records)).toHaveLength(4)
    expect((await log.read(6, 1000, 'read_uncommitted')).records).toEqual([])
    expect(await codeOf(log.read(7, 1000, 'read_uncommitted'))).toBe('OFFSET_OUT_OF_RANGE')
    expect(await codeOf(log.read(-1, 1000, 'read_uncommitted'))).toBe('OFFSET_OUT_OF_RANGE')
  })

  test('writes larger than what is written on the spot arrive whole and in order', async () => {
    const log = await openPartition()
    const values = Array.from({ length: 20 }, (_, i) => String.fromCharCode(97 + i).repeat(i % 2 === 0 ? 100_000 : 10))
    await Promise.all(values.map((value) => log.append(batchOf([value]), all)))
    const read: (string | null)[] = []
    while (read.length < values.length) read.push(...(await valuesFrom(log, read.length)))
    expect(read).toEqual(values)
  })

  test('listeners hear of new records until they are taken off', async () => {
    const log = await openPartition()
    let heard = 0
    const off = log.onAppend(() => heard++)
    await log.append(batchOf(['a']), all)
    expect(heard).toBe(1)
    off()
    await log.append(batchOf(['b']), all)
    expect(heard).toBe(1)
  })

  test('LogAppendTime puts the time of the log into the batch', async () => {
    const log = await openPartition({ 'message.timestamp.type': 'LogAppendTime' }, { clock: () => 12_345 })
    expect(await log.append(batchOf(['a'], { timestamp: 1 }), all)).toMatchObject({ logAppendTime: 12_345 })
    const { records } = await log.read(0, 1000, 'read_uncommitted')
    expect(recordsOf(records)[0]?.timestamp).toBe(12_345)
  })
})

describe('flush=commit', () => {
  test('nothing is readable or answered to acks=all before the sync; acks=1 is', async () => {
    const { log, release } = await openHeld()
    let answered = false
    const durable = log.append(batchOf(['a']), all).then(() => (answered = true))
    await log.append(batchOf(['b']), leader)
    expect([answered, log.highWatermark, log.logEndOffset]).toEqual([false, 0, 2])
    expect(await valuesFrom(log, 0)).toEqual([])
    await release()
    await durable
    expect(log.highWatermark).toBe(2)
    expect(await valuesFrom(log, 0)).toEqual(['a', 'b'])
  })

  test('all that arrives while a sync runs shares the next', async () => {
    const { log, waiting, release } = await openHeld()
    const first = log.append(batchOf(['a']), all)
    await expect.poll(() => waiting.length).toBe(1)
    const others = Promise.all(Array.from({ length: 50 }, (_, i) => log.append(batchOf([`${i}`]), all)))
    await expect.poll(() => log.logEndOffset).toBe(51)
    await release()
    await first
    expect(log.highWatermark).toBe(1)
    await release()
    await others
    expect(log.highWatermark).toBe(51)
    expect(waiting).toHaveLength(0)
  })

  test('a sync that begins in the middle of a large write is not taken for the one that write needs', async () => {
    const writes: (() => void)[] = []
    const writev = ((...args: Parameters<FileSystem['writev']>) => {
      writes.push(() => nodeFileSystem.writev(...args))
    }) as FileSystem['writev']
    const { log, waiting, release } = await openHeld({ fs: { ...nodeFileSystem, writev } })
    const first = log.append(batchOf(['a']), all)
    await expect.poll(() => waiting.length).toBe(1)
    const second = log.append(batchOf(['b']), all)
    await expect.poll(() => log.logEndOffset).toBe(2)
    const large = log.append(batchOf(['c'.repeat(200_000)]), all)
    await expect.poll(() => writes.length).toBe(1)
    await release()
    await first
    await expect.poll(() => waiting.length).toBe(1)
    writes.shift()!()
    await expect.poll(() => log.logEndOffset).toBe(3)
    await release()
    await second
    await expect.poll(() => waiting.length).toBe(1)
    expect(log.highWatermark).toBe(2)
    await release()
    await large
    expect(log.highWatermark).toBe(3)
  })

  test('a transaction is decided for readers only when its marker is durable', async () => {
    const { log, release } = await openHeld()
    const options = { producerId: 1, producerEpoch: 0, baseSequence: 0, isTransactional: true }
    const data = log.append(batchOf(['a'], options), all)
    await release()
    await data
    expect([log.highWatermark, log.lastStableOffset]).toEqual([1, 0])
    const other = log.append(batchOf(['b']), all)
    await expect.poll(() => log.logEndOffset).toBe(2)
    const marker = { type: 'COMMIT', coordinatorEpoch: 0, producerId: 1, producerEpoch: 0, timestamp: 0 } as const
    const ended = log.append(encodeControlBatch(marker), { acks: -1, origin: 'coordinator' })
    await expect.poll(() => log.logEndOffset).toBe(3)
    await release()
    await other
    expect([log.highWatermark, log.lastStableOffset]).toEqual([2, 0])
    await release()
    await ended
    expect([log.highWatermark, log.lastStableOffset]).toEqual([3, 3])
  })

  test('with flush=os an append is readable once written', async () => {
    const { log, waiting } = await openHeld({ flush: 'os' })
    await log.append(batchOf(['a']), all)
    expect(await valuesFrom(log, 0)).toEqual(['a'])
    expect(waiting).toHaveLength(0)
  })
})

describe('what is refused', () => {
  const damaged = batchOf(['a'])
  damaged[damaged.length - 1]! ^= 1
  const control = encodeControlBatch({
    type: 'COMMIT',
    coordinatorEpoch: 0,
    producerId: 1,
    producerEpoch: 0,
    timestamp: 0,
  })
  test.each([
    ['a wrong checksum', damaged, 'CORRUPT_MESSAGE'],
    ['a batch cut off', batchOf(['a']).subarray(0, -1), 'CORRUPT_MESSAGE'],
    ['no batch', Buffer.alloc(0), 'INVALID_RECORD'],
    ['garbage', Buffer.alloc(200, 7), 'CORRUPT_MESSAGE'],
    ['a batch that is too large', batchOf(['a'.repeat(3000)]), 'MESSAGE_TOO_LARGE'],
    ['a control batch of a client', control, 'INVALID_RECORD'],
    ['a timestamp far ahead', batchOf(['a'], { timestamp: Date.now() + 7_200_000 }), 'INVALID_TIMESTAMP'],
  ])('%s', async (_, records, code) => {
    const log = await openPartition({ 'max.message.bytes': '2000' })
    expect(await codeOf(log.append(records, all))).toBe(code)
    expect(await log.append(batchOf(['good']), all)).toMatchObject({ baseOffset: 0 })
  })

  test('a record without a key, where the topic is compacted', async () => {
    const log = await openPartition({ 'cleanup.policy': 'compact' })
    expect(await codeOf(log.append(batchOf(['a']), all))).toBe('INVALID_RECORD')
    expect(await codeOf(log.append(batchOf(['a'], { compression: 'gzip' }), all))).toBe('INVALID_RECORD')
    await log.append(batchOf(['a'], { key: 'k' }), all)
  })
})

describe('segments', () => {
  test('roll by size; reads go across them', async () => {
    const log = await openPartition({ 'segment.bytes': '2000', 'index.interval.bytes': '200' })
    const values = Array.from({ length: 60 }, (_, i) => `${i}`.padEnd(100, 'x'))
    for (const value of values) await log.append(batchOf([value]), all)
    for (const start of [0, 1, 17, 42, 59]) {
      const read: (string | null)[] = []
      while (start + read.length < 60) read.push(...(await valuesFrom(log, start + read.length)))
      expect(read).toEqual(values.slice(start))
    }
  })

  test('roll by time', async () => {
    const log = await openPartition({ 'segment.ms': '1000' }, { clock: () => 10_000 })
    await log.append(batchOf(['a'], { timestamp: 5000 }), all)
    await log.append(batchOf(['b'], { timestamp: 6000 }), all)
    await log.append(batchOf(['c'], { timestamp: 6001 }), all)
    expect(await valuesFrom(log, 0)).toEqual(['a', 'b'])
    expect(await valuesFrom(log, 2)).toEqual(['c'])
  })

  test('offsets by timestamp', async () => {
    const log = await openPartition({ 'segment.bytes': '2000', 'index.interval.bytes': '200' })
    for (let i = 0; i < 60; i++) await log.append(batchOf(['x'.repeat(100)], { timestamp: 1000 + i * 10 }), all)
    expect(await log.offsetForTimestamp(0)).toEqual({ offset: 0, timestamp: 1000 })
    expect(await log.offsetForTimestamp(1234)).toEqual({ offset: 24, timestamp: 1240 })
    expect(await log.offsetForTimestamp(1590)).toEqual({ offset: 59, timestamp: 1590 })
    expect(await log.offsetForTimestamp(1591)).toBeNull()
    expect(await log.maxTimestamp()).toEqual({ offset: 59, timestamp: 1590 })
  })

  test('the record with the largest timestamp need not be the last', async () => {
    const log = await openPartition()
    for (const timestamp of [10, 30, 20]) await log.append(batchOf(['x'], { timestamp }), all)
    expect(await log.maxTimestamp()).toEqual({ offset: 1, timestamp: 30 })
    expect(await log.offsetForTimestamp(11)).toEqual({ offset: 1, timestamp: 30 })
  })

  test('the largest timestamp may be in any segment, and is found after a restart too', async () => {
    const dir = temporaryDirectory()
    const manager = await openLog(dir)
    await manager.createTopic('t', 1, { 'segment.bytes': '600' })
    const log = manager.partition('t', 0)!
    for (let i = 0; i < 30; i++) {
      await log.append(batchOf(['x'.repeat(100)], { timestamp: i === 11 ? 9000 : 1000 + i }), all)
    }
    const expectFound = async (partition: PartitionLog) => {
      expect(await partition.maxTimestamp()).toEqual({ offset: 11, timestamp: 9000 })
      expect(await partition.offsetForTimestamp(1025)).toEqual({ offset: 11, timestamp: 9000 })
      expect(await partition.offsetForTimestamp(1005)).toEqual({ offset: 5, timestamp: 1005 })
      expect(await partition.offsetForTimestamp(9001)).toBeNull()
    }
    await expectFound(log)
    await manager.close()
    await expectFound((await openLog(dir)).partition('t', 0)!)
  })

  test('times are looked up among the records that may be read, batch after batch', async () => {
    const log = await openPartition()
    const builder = new RecordBatchBuilder()
    for (const timestamp of [500, 100]) builder.tryAppend(null, 'x', undefined, timestamp)
    await log.append(builder.build(), all)
    await log.append(batchOf(['x'], { timestamp: 300 }), all)
    // In the batch that is found first, only a record that is deleted is late enough.
    await log.deleteRecordsBefore(1)
    expect(await log.offsetForTimestamp(200)).toEqual({ offset: 2, timestamp: 300 })
    expect(await log.offsetForTimestamp(50)).toEqual({ offset: 1, timestamp: 100 })
  })

  test('a time is not looked up in what is not durable', async () => {
    const { log, release } = await openHeld()
    const first = log.append(batchOf(['a'], { timestamp: 1000 }), all)
    await release()
    await first
    await log.append(batchOf(['b'], { timestamp: 2000 }), leader)
    expect(log.logEndOffset).toBe(2)
    expect(await log.offsetForTimestamp(1500)).toBeNull()
    expect(await log.maxTimestamp()).toEqual({ offset: 0, timestamp: 1000 })
  })

  test('whatever the times, the largest among the records that are left is found', async () => {
    const timestamps = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 1, maxLength: 40 })
    await fc.assert(
      fc.asyncProperty(timestamps, fc.integer({ min: 1, max: 3 }), fc.nat(100), async (times, perBatch, startAt) => {
        const log = await openPartition({ 'segment.bytes': '500', 'index.interval.bytes': '100' }, { flush: 'os' })
        for (let i = 0; i < times.length; i += perBatch) {
          const builder = new RecordBatchBuilder()
          for (const time of times.slice(i, i + perBatch)) builder.tryAppend(null, 'x', undefined, 1000 + time)
          await log.append(builder.build(), all)
        }
        const start = startAt % times.length
        await log.deleteRecordsBefore(start)
        const left = times.slice(start)
        const latest = Math.max(...left)
        expect(await log.maxTimestamp()).toEqual({ offset: start + left.indexOf(latest), timestamp: 1000 + latest })
        const later = left.findIndex((time) => time >= 25)
        expect(await log.offsetForTimestamp(1025)).toEqual(
          later === -1 ? null : { offset: start + later, timestamp: 1000 + left[later]! },
        )
      }),
      { numRuns: 60 },
    )
  }, 60_000)

  test('deleteRecordsBefore hides records and removes whole segments', async () => {
    const log = await openPartition({ 'segment.bytes': '1100' })
    for (let i = 0; i < 30; i++) await log.append(batchOf([`${i}`.padEnd(100)]), all)
    const before = log.sizeBytes
    expect(await log.deleteRecordsBefore(15)).toBe(15)
    expect(log.logStartOffset).toBe(15)
    expect(log.sizeBytes).toBeLessThan(before)
    expect(await codeOf(log.read(14, 1000, 'read_uncommitted'))).toBe('OFFSET_OUT_OF_RANGE')
    expect((await valuesFrom(log, 15))[0]?.trim()).toBeDefined()
    expect(await codeOf(log.deleteRecordsBefore(31))).toBe('OFFSET_OUT_OF_RANGE')
    expect(await log.deleteRecordsBefore(-1)).toBe(30)
    expect((await log.read(30, 1000, 'read_uncommitted')).records).toEqual([])
  })
})
