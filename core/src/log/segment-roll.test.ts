import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import { batchOf, openLog, temporaryDirectory } from './testing/test-log.ts'

const all = { acks: -1, origin: 'client' } as const

afterEach(() => vi.restoreAllMocks())

async function opened(config: Record<string, string>) {
  const dir = temporaryDirectory()
  const time = { now: 1_000_000 }
  const manager = await openLog(dir, { clock: () => time.now })
  await manager.createTopic('t', 1, config)
  const log = manager.partition('t', 0)!
  const append = (timestamp: number, key = 'k') => log.append(batchOf(['x'], { timestamp, key }), all)
  /** First offsets of the segments. */
  const segments = () =>
    readdirSync(join(dir, 't-0'))
      .filter((name) => name.endsWith('.log'))
      .sort()
      .map((name) => Number(name.slice(0, 20)))
  return { dir, time, manager, log, append, segments }
}

test('segment.ms counts from the first record, by the time that producers gave', async () => {
  const { append, segments, time } = await opened({ 'segment.ms': '1000' })
  await append(5000)
  time.now += 100_000
  await append(6000)
  expect(segments()).toEqual([0])
  await append(6001)
  await append(6500)
  expect(segments()).toEqual([0, 2])
})

test("segment.ms counts by the log's clock where the topic has the time of the append", async () => {
  const { append, segments, time } = await opened({
    'segment.ms': '1000',
    'message.timestamp.type': 'LogAppendTime',
  })
  await append(5000)
  await append(600_000)
  time.now += 1000
  await append(5000)
  expect(segments()).toEqual([0])
  time.now += 1
  await append(5000)
  expect(segments()).toEqual([0, 3])
})

test.each([
  ['its first batch is read', '0'],
  ['it is walked through', '4096'],
])('segment.ms goes on counting after a restart (%s)', async (_, interval) => {
  const config = { 'segment.ms': '1000', 'index.interval.bytes': interval }
  const { dir, manager, append, segments, time } = await opened(config)
  await append(5000)
  await append(5800)
  await manager.close()
  const log = (await openLog(dir, { clock: () => time.now })).partition('t', 0)!
  await log.append(batchOf(['x'], { timestamp: 6001 }), all)
  expect(segments()).toEqual([0, 2])
})

test('segment.jitter.ms takes a random part off segment.ms', async () => {
  vi.spyOn(Math, 'random').mockReturnValue(0.5)
  const { append, segments } = await opened({ 'segment.ms': '1000', 'segment.jitter.ms': '400' })
  await append(5000)
  await append(5800)
  expect(segments()).toEqual([0])
  await append(5801)
  expect(segments()).toEqual([0, 2])
})

test('max.compaction.lag.ms closes segments of compacted topics in time to be compacted', async () => {
  const { append, segments } = await opened({ 'cleanup.policy': 'compact', 'max.compaction.lag.ms': '1000' })
  await append(5000)
  await append(6001)
  expect(segments()).toEqual([0, 1])
})

test('max.compaction.lag.ms compacts what is not dirty enough', async () => {
  const { append, manager, log, time } = await opened({
    'cleanup.policy': 'compact',
    'max.compaction.lag.ms': '1000',
    'min.cleanable.dirty.ratio': '1',
  })
  for (const timestamp of [5000, 5000, 6001]) await append(timestamp)
  time.now = 5500
  await manager.compact()
  const before = log.sizeBytes
  time.now = 7000
  await manager.compact()
  expect(log.sizeBytes).toBeLessThan(before)
})

test('changed settings hold for partitions in use: rolling, retention by time and by size, the cleanup policy', async () => {
  const { append, segments, manager, log, time } = await opened({ 'retention.ms': '-1' })
  for (let i = 0; i < 10; i++) await append(900_000 + i)
  expect(segments()).toEqual([0])

  await manager.alterConfig('t', { 'retention.ms': '-1', 'segment.bytes': '300' })
  for (let i = 10; i < 30; i++) await append(900_000 + i, `${i % 2}`)
  const rolled = segments().length
  expect(rolled).toBeGreaterThan(5)
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(0)

  await manager.alterConfig('t', { 'retention.bytes': '1000', 'segment.bytes': '300' })
  await manager.applyRetention()
  expect(log.sizeBytes).toBeLessThan(1000 + 300)
  expect(log.logStartOffset).toBeGreaterThan(0)

  const start = log.logStartOffset
  await manager.alterConfig('t', {
    'cleanup.policy': 'compact',
    'min.cleanable.dirty.ratio': '0',
    'segment.bytes': '300',
    'retention.ms': '0',
  })
  const size = log.sizeBytes
  await manager.applyRetention()
  await manager.compact()
  expect(log.logStartOffset).toBe(start)
  expect(log.sizeBytes).toBeLessThan(size)

  await manager.alterConfig('t', { 'retention.ms': '1000', 'segment.bytes': '300' })
  time.now = 900_000 + 500
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(start)
  time.now = 1_000_000
  await manager.applyRetention()
  expect([log.logStartOffset, log.logEndOffset]).toEqual([30, 30])
})

test.each([
  ['CreateTime', 30],
  ['LogAppendTime', 0],
])('retention.ms goes by the times of %s', async (type, start) => {
  const { append, manager, log, time } = await opened({ 'message.timestamp.type': type, 'retention.ms': '10000' })
  // Written now, by producers that say they are old.
  for (let i = 0; i < 30; i++) await append(5000 + i)
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(start)
  time.now += 10_001
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(30)
})

test('retention.ms of records without a time goes by that of their file', async () => {
  const { manager, append, log, time } = await opened({
    'retention.ms': '10000',
    'message.timestamp.type': 'CreateTime',
  })
  await append(-1)
  time.now = Date.now()
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(0)
  time.now += 60_000
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(1)
})
