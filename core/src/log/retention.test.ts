import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { nodeFileSystem, type FileSystem } from './file-system.ts'
import { batchOf, openLog, temporaryDirectory } from './testing/test-log.ts'

const all = { acks: -1, origin: 'client' } as const

async function filled(config: Record<string, string>, options: { now: number }, fs: FileSystem = nodeFileSystem) {
  const dir = temporaryDirectory()
  const manager = await openLog(dir, { fs, clock: () => options.now })
  await manager.createTopic('t', 1, { 'segment.bytes': '1024', ...config })
  const log = manager.partition('t', 0)!
  for (let i = 0; i < 50; i++) await log.append(batchOf(['x'.repeat(100)], { timestamp: 1000 + i * 100 }), all)
  const logFiles = () => readdirSync(join(dir, 't-0')).filter((name) => name.endsWith('.log')).length
  return { dir, manager, log, logFiles }
}

test('retention.ms deletes segments whose latest record is too old', async () => {
  const time = { now: 6000 }
  const { manager, log, logFiles } = await filled({ 'retention.ms': '3000' }, time)
  const before = logFiles()
  await manager.applyRetention()
  // Records until 2999 are too old; a segment that has one of 3000 stays whole.
  expect(log.logStartOffset).toBeGreaterThan(10)
  expect(log.logStartOffset).toBeLessThanOrEqual(20)
  expect(logFiles()).toBeLessThan(before)
  expect((await log.read(log.logStartOffset, 10_000, 'read_uncommitted')).bytes).toBeGreaterThan(0)
  await expect(log.read(0, 1000, 'read_uncommitted')).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
})

test('when all is too old, the active segment goes too, and offsets go on', async () => {
  const time = { now: 1_000_000 }
  const { dir, manager, log, logFiles } = await filled({ 'retention.ms': '3000' }, time)
  await manager.applyRetention()
  expect([log.logStartOffset, log.logEndOffset, log.sizeBytes, logFiles()]).toEqual([50, 50, 0, 1])
  expect(await log.append(batchOf(['y'], { timestamp: 1_000_000 }), all)).toMatchObject({ baseOffset: 50 })
  await manager.close()
  const again = (await openLog(dir)).partition('t', 0)!
  expect([again.logStartOffset, again.logEndOffset]).toEqual([50, 51])
})

test('retention.bytes keeps at least that much', async () => {
  const { manager, log } = await filled({ 'retention.bytes': '3000' }, { now: 6000 })
  await manager.applyRetention()
  expect(log.sizeBytes).toBeGreaterThanOrEqual(3000)
  expect(log.sizeBytes).toBeLessThan(3000 + 1024)
})

test("what is not durable is not retention's to take", async () => {
  const waiting: (() => void)[] = []
  const fs = {
    ...nodeFileSystem,
    fdatasync: (fd: number, done: (error: NodeJS.ErrnoException | null) => void) => {
      waiting.push(() => nodeFileSystem.fdatasync(fd, done))
    },
  } as FileSystem
  const manager = await openLog(temporaryDirectory(), { fs, clock: () => 1_000_000 })
  await manager.createTopic('t', 1, { 'segment.bytes': '1024', 'retention.ms': '1', 'retention.bytes': '1' })
  const log = manager.partition('t', 0)!
  for (let i = 0; i < 20; i++) {
    await log.append(batchOf(['x'.repeat(100)], { timestamp: 1000 }), { acks: 1, origin: 'client' })
  }
  await manager.applyRetention()
  expect([log.logStartOffset, log.highWatermark, log.logEndOffset]).toEqual([0, 0, 20])
  fs.fdatasync = nodeFileSystem.fdatasync
  for (const sync of waiting.splice(0)) sync()
  await expect.poll(() => log.highWatermark).toBe(20)
  await manager.applyRetention()
  expect(log.logStartOffset).toBe(20)
})

test('segments go oldest first, so that a crash leaves no gap', async () => {
  const renamed: string[] = []
  const fs = {
    ...nodeFileSystem,
    renameSync: (from: string, to: string) => {
      if (to.endsWith('.log.deleted')) renamed.push(from)
      nodeFileSystem.renameSync(from, to)
    },
  } as FileSystem
  const { manager } = await filled({ 'retention.bytes': '1' }, { now: 6000 }, fs)
  await manager.applyRetention()
  expect(renamed.length).toBeGreaterThan(3)
  expect(renamed).toEqual(renamed.toSorted())
})

test('a topic that is only compacted keeps what is old', async () => {
  const dir = temporaryDirectory()
  const manager = await openLog(dir, { clock: () => 1_000_000 })
  await manager.createTopic('t', 1, { 'cleanup.policy': 'compact', 'retention.ms': '1', 'retention.bytes': '1' })
  const log = manager.partition('t', 0)!
  await log.append(batchOf(['x'], { key: 'k', timestamp: 1 }), all)
  await manager.applyRetention()
  expect([log.logStartOffset, log.logEndOffset]).toEqual([0, 1])
  await expect(log.deleteRecordsBefore(1)).rejects.toMatchObject({ code: 'POLICY_VIOLATION' })
})

test.each([
  ['0', 0],
  ['30', 0],
  ['60000', 3],
])('file.delete.delay.ms=%s: the files of deleted segments are renamed, and removed later', async (delay, stay) => {
  const { dir, manager, log } = await filled(
    { 'retention.bytes': '3000', 'file.delete.delay.ms': delay },
    { now: 6000 },
  )
  const renamed = () => readdirSync(join(dir, 't-0')).filter((name) => name.endsWith('.deleted'))
  await manager.applyRetention()
  const names = ['log', 'index', 'timeindex'].map((suffix) => `00000000000000000000.${suffix}.deleted`)
  if (stay > 0) expect(renamed()).toEqual(expect.arrayContaining(names))
  else await expect.poll(renamed).toEqual([])
  expect(log.logStartOffset).toBeGreaterThan(0)
  await manager.close()
  // What was not removed in time is removed when the partition is opened.
  expect(renamed().length).toBeGreaterThanOrEqual(stay)
  expect((await openLog(dir)).partition('t', 0)!.logStartOffset).toBe(log.logStartOffset)
  expect(renamed()).toEqual([])
})

test('DeleteRecords hides records at once, in a restart too, and the files of whole segments go', async () => {
  const { dir, manager, log } = await filled({ 'file.delete.delay.ms': '0' }, { now: 6000 })
  const first = join(dir, 't-0', '00000000000000000000.log')
  await log.deleteRecordsBefore(3)
  expect(existsSync(first)).toBe(true)
  await log.deleteRecordsBefore(33)
  await expect.poll(() => existsSync(first)).toBe(false)
  await expect(log.read(32, 1000, 'read_uncommitted')).rejects.toMatchObject({ code: 'OFFSET_OUT_OF_RANGE' })
  // Retention counts what is left only.
  await manager.alterConfig('t', { 'segment.bytes': '1024', 'retention.ms': '0' })
  await manager.applyRetention()
  expect([log.logStartOffset, log.logEndOffset]).toEqual([50, 50])
})
