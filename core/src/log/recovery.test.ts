import {
  appendFileSync,
  cpSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import { nodeFileSystem } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { LogManager } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const all = { acks: -1, origin: 'client' } as const
const config = { 'segment.bytes': '4000', 'index.interval.bytes': '300' }

async function filled(dir: string, count: number): Promise<LogManager> {
  const manager = await openLog(dir)
  await manager.createTopic('t', 1, config)
  const log = manager.partition('t', 0)!
  for (let i = 0; i < count; i++) await log.append(batchOf([valueAt(i)], { timestamp: 1000 + i }), all)
  return manager
}

function valueAt(i: number): string {
  return `${i}`.padEnd(50)
}

/** As a killed process leaves it; `checkpoint`: with the recovery points as they were at the end, instead of none. */
async function crash(manager: LogManager, dir: string, checkpoint: 'checkpoint' | 'none' = 'none'): Promise<void> {
  await manager.close()
  rmSync(join(dir, '.clean_shutdown'))
  if (checkpoint === 'none') rmSync(join(dir, 'recovery-point-offset-checkpoint'))
}

async function expectRecords(log: PartitionLog, count: number): Promise<void> {
  expect(log.logEndOffset).toBe(count)
  for (const start of [0, Math.floor(count / 4), Math.floor(count / 3), count - 20, count - 5, count - 1]) {
    const values: (string | null)[] = []
    while (start + values.length < count) {
      const { records } = await log.read(start + values.length, 1500, 'read_uncommitted')
      values.push(...recordsOf(records).map(({ value }) => value))
    }
    expect(values).toEqual(Array.from({ length: count - start }, (_, i) => valueAt(start + i)))
  }
  for (const i of [0, Math.floor(count / 2), count - 1]) {
    expect(await log.offsetForTimestamp(1000 + i)).toEqual({ offset: i, timestamp: 1000 + i })
  }
}

function firstBatch(log: string): Buffer {
  const bytes = readFileSync(log)
  return bytes.subarray(0, bytes.readInt32BE(8) + 12)
}

function filesOf(dir: string, suffix: string): string[] {
  return readdirSync(join(dir, 't-0'))
    .filter((name) => name.endsWith(suffix))
    .sort()
    .map((name) => join(dir, 't-0', name))
}

test('a clean restart goes on where it was', async () => {
  const dir = temporaryDirectory()
  await (await filled(dir, 100)).close()
  const log = (await openLog(dir)).partition('t', 0)!
  await expectRecords(log, 100)
  expect(await log.append(batchOf([valueAt(100)], { timestamp: 1100 }), all)).toMatchObject({ baseOffset: 100 })
  await expectRecords(log, 101)
})

test.each(['checkpoint', 'none'] as const)('an unclean one finds everything (%s)', async (checkpoint) => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 100), dir, checkpoint)
  const log = (await openLog(dir)).partition('t', 0)!
  await expectRecords(log, 100)
})

test.each([
  ['a torn batch', (log: string) => truncateSync(log, statSync(log).size - 10), 99],
  ['half a header', (log: string) => appendFileSync(log, Buffer.alloc(30)), 100],
  ['zeros, as a power cut leaves them', (log: string) => appendFileSync(log, Buffer.alloc(5000)), 100],
  ['garbage', (log: string) => appendFileSync(log, Buffer.alloc(5000, 0x55)), 100],
  ['a batch again', (log: string) => appendFileSync(log, firstBatch(log)), 100],
  [
    'a flipped bit in the last batch',
    (log: string) => {
      const bytes = readFileSync(log)
      bytes[bytes.length - 3]! ^= 1
      writeFileSync(log, bytes)
    },
    99,
  ],
])('an unclean one truncates %s', async (_, damage, count) => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 100), dir, 'none')
  damage(filesOf(dir, '.log').at(-1)!)
  const log = (await openLog(dir)).partition('t', 0)!
  await expectRecords(log, count)
  // Nothing is left behind the end that a later start could take for records.
  const inFiles = filesOf(dir, '.log').reduce((sum, file) => sum + statSync(file).size, 0)
  expect(inFiles).toBe(log.sizeBytes)
  await log.append(batchOf([valueAt(count)], { timestamp: 1000 + count }), all)
  await expectRecords(log, count + 1)
})

const damages = [
  ['missing', (file: string) => rmSync(file)],
  ['cut', (file: string) => truncateSync(file, Math.floor(statSync(file).size / 2) + 3)],
  ['zeroed', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size))],
  ['of garbage', (file: string) => writeFileSync(file, Buffer.alloc(statSync(file).size, 0x11))],
  [
    'wrong about where its last batch is',
    (file: string) => {
      const entries = readFileSync(file)
      if (entries.length < 8) return
      entries.writeInt32BE(firstBatch(file.replace(/\.\w+$/, '.log')).length, entries.length - 4)
      writeFileSync(file, entries)
    },
  ],
  [
    'wrong about which its last batch is',
    (file: string) => {
      const entries = readFileSync(file)
      if (!file.endsWith('.index') || entries.length < 16) return
      entries.writeInt32BE(entries.readInt32BE(entries.length - 16) + 1, entries.length - 8)
      writeFileSync(file, entries)
    },
  ],
] as const

test.each(damages)('indexes that are %s are made anew', async (_, damage) => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 200), dir, 'none')
  for (const file of [...filesOf(dir, '.index'), ...filesOf(dir, '.timeindex')]) damage(file)
  await expectRecords((await openLog(dir)).partition('t', 0)!, 200)
})

test.each(damages)('the last index is not relied on where it is %s below the recovery point', async (_, damage) => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 190), dir, 'checkpoint')
  const last = filesOf(dir, '.index').at(-1)!
  expect(statSync(last).size).toBeGreaterThan(16)
  damage(last)
  await expectRecords((await openLog(dir)).partition('t', 0)!, 190)
})

test('an index of which only the end reached the disk is made anew', async () => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 200), dir, 'none')
  for (const file of filesOf(dir, '.index')) {
    const entries = readFileSync(file)
    for (let at = 0; at + 8 < entries.length; at += 8) entries.writeInt32BE(entries.readInt32BE(at + 4) + 7, at + 4)
    writeFileSync(file, entries)
  }
  await expectRecords((await openLog(dir)).partition('t', 0)!, 200)
})

/** Notes which paths are forced to disk at once, as opening does it. */
function notingSyncs(): { fs: FileSystem; synced: string[] } {
  const paths = new Map<number, string>()
  const synced: string[] = []
  const fs: FileSystem = {
    ...nodeFileSystem,
    openSync: (path, ...rest) => {
      const fd = nodeFileSystem.openSync(path, ...rest)
      paths.set(fd, String(path))
      return fd
    },
    fdatasyncSync: (fd) => {
      synced.push(paths.get(fd)!)
      nodeFileSystem.fdatasyncSync(fd)
    },
    fsyncSync: (fd) => {
      synced.push(paths.get(fd)!)
      nodeFileSystem.fsyncSync(fd)
    },
  }
  return { fs, synced }
}

test('what a killed process left in the page cache is on disk before it can be read, and only that is synced', async () => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 100), dir, 'none')
  const first = notingSyncs()
  const manager = await openLog(dir, { fs: first.fs })
  expect(manager.partition('t', 0)!.highWatermark).toBe(100)
  expect(first.synced).toEqual(expect.arrayContaining([dir, join(dir, 't-0'), ...filesOf(dir, '.log')]))
  await crash(manager, dir, 'checkpoint')
  const second = notingSyncs()
  expect((await openLog(dir, { fs: second.fs })).partition('t', 0)!.highWatermark).toBe(100)
  expect(second.synced.filter((path) => path.includes('t-0'))).toEqual([])
})

test('an index that is missing after a clean shutdown is made anew', async () => {
  const dir = temporaryDirectory()
  await (await filled(dir, 200)).close()
  for (const file of filesOf(dir, 'index')) rmSync(file)
  await expectRecords((await openLog(dir)).partition('t', 0)!, 200)
})

test('what follows a damaged segment is set aside', async () => {
  const dir = temporaryDirectory()
  await crash(await filled(dir, 200), dir, 'none')
  const second = filesOf(dir, '.log')[1]!
  const bytes = readFileSync(second)
  bytes[bytes.length - 3]! ^= 1
  writeFileSync(second, bytes)
  const log = (await openLog(dir)).partition('t', 0)!
  const count = log.logEndOffset
  expect(count).toBeLessThan(100)
  await expectRecords(log, count)
  expect(filesOf(dir, '.behind-damage').length).toBeGreaterThan(1)
})

test('the log start offset survives both kinds of restart', async () => {
  const dir = temporaryDirectory()
  const first = await filled(dir, 100)
  await first.partition('t', 0)!.deleteRecordsBefore(42)
  await crash(first, dir)
  const second = await openLog(dir)
  expect(second.partition('t', 0)!.logStartOffset).toBe(42)
  await second.close()
  expect((await openLog(dir)).partition('t', 0)!.logStartOffset).toBe(42)
})

test('what DeleteRecords has answered holds when the process is killed in the next moment', async () => {
  const dir = temporaryDirectory()
  const manager = await filled(dir, 100)
  await manager.partition('t', 0)!.deleteRecordsBefore(42)
  const copy = temporaryDirectory()
  cpSync(dir, copy, { recursive: true, filter: (path) => !path.endsWith('.lock') })
  expect((await openLog(copy)).partition('t', 0)!.logStartOffset).toBe(42)
})

test('a checkpoint spares recovery what lies below it', async () => {
  const dir = temporaryDirectory()
  const manager = await filled(dir, 100)
  await manager.checkpoint()
  const log = manager.partition('t', 0)!
  expect(log.recoveryPoint).toBe(100)
  await crash(manager, dir, 'checkpoint')
  // Damage below the recovery point is not looked for.
  const first = filesOf(dir, '.log')[0]!
  const bytes = readFileSync(first)
  bytes[bytes.length - 3]! ^= 1
  writeFileSync(first, bytes)
  expect((await openLog(dir)).partition('t', 0)!.logEndOffset).toBe(100)
})
