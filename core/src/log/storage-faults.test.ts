import { existsSync, readFileSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import { createLogger } from '../logging/logger.ts'
import { nodeFileSystem } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { FlushPolicy } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const all = { acks: -1, origin: 'client' } as const

/** A disk that is full, or fails otherwise, while it is told to. */
class FaultyDisk {
  full = false
  failingSyncs = false
  failingReads = false
  /** What of its path a file's name has that cannot be opened. */
  unreadable: string | undefined
  writeError = 'ENOSPC'
  /** Bytes that a write still takes on a full disk, before it fails. */
  room = 0
  readonly fs: FileSystem = {
    ...nodeFileSystem,
    writeSync: ((fd: number, ...rest: never[]) => {
      if (this.full) throw diskError(this.writeError)
      return (nodeFileSystem.writeSync as (...args: unknown[]) => number)(fd, ...rest)
    }) as FileSystem['writeSync'],
    writevSync: (fd, buffers, position) => {
      if (!this.full) return nodeFileSystem.writevSync(fd, buffers, position)
      if (this.room === 0) throw diskError(this.writeError)
      const part = Buffer.concat(buffers as readonly Buffer[]).subarray(0, this.room)
      this.room = 0
      return nodeFileSystem.writevSync(fd, [part], position)
    },
    writev: ((
      fd: number,
      buffers: readonly Buffer[],
      position: number,
      done: (error: Error | null, n: number) => void,
    ) => {
      if (this.full) setImmediate(() => done(diskError(this.writeError), 0))
      else nodeFileSystem.writev(fd, buffers, position, done)
    }) as FileSystem['writev'],
    fdatasync: ((fd: number, done: (error: Error | null) => void) => {
      if (this.failingSyncs) setImmediate(() => done(diskError('EIO')))
      else nodeFileSystem.fdatasync(fd, done)
    }) as FileSystem['fdatasync'],
    fdatasyncSync: (fd) => {
      if (this.failingSyncs) throw diskError('EIO')
      nodeFileSystem.fdatasyncSync(fd)
    },
    openSync: (path, ...rest) => {
      if (this.unreadable !== undefined && String(path).includes(this.unreadable)) throw diskError('EIO')
      return nodeFileSystem.openSync(path, ...rest)
    },
    read: ((...args: unknown[]) => {
      if (this.failingReads) setImmediate(() => (args.at(-1) as (error: Error) => void)(diskError('EIO')))
      else (nodeFileSystem.read as (...args: unknown[]) => void)(...args)
    }) as FileSystem['read'],
    readSync: (...args: unknown[]) => {
      if (this.failingReads) throw diskError('EIO')
      return (nodeFileSystem.readSync as (...args: unknown[]) => number)(...args)
    },
  }
}

function diskError(code: string): Error {
  return Object.assign(new Error(`${code}: the disk says no`), { code })
}

async function openFaulty(flush: FlushPolicy = 'commit') {
  const disk = new FaultyDisk()
  const dir = temporaryDirectory()
  let now = 0
  const manager = await openLog(dir, { fs: disk.fs, flush, clock: () => now })
  await manager.createTopic('t', 1, { 'segment.bytes': '100000' })
  const log = manager.partition('t', 0)!
  return { disk, dir, manager, log, later: () => (now += 10_000) }
}

function send(log: PartitionLog, sequence: number, value = `${sequence}`) {
  const records = batchOf([value], { producerId: 1, producerEpoch: 0, baseSequence: sequence, timestamp: 0 })
  return log.append(records, all)
}

async function values(log: PartitionLog): Promise<(string | null)[]> {
  const found: (string | null)[] = []
  for (let offset = log.logStartOffset; offset < log.highWatermark;) {
    const records = recordsOf((await log.read(offset, 1_000_000, 'read_uncommitted')).records)
    found.push(...records.map(({ value }) => value))
    offset = records.at(-1)!.offset + 1
  }
  return found
}

const storageError = { code: 'KAFKA_STORAGE_ERROR' }

test.each(['ENOSPC', 'EIO'])(
  '%s: appends are refused, what was acknowledged stays, and the next works',
  async (code) => {
    const { disk, dir, manager, log } = await openFaulty()
    disk.writeError = code
    await send(log, 0)
    disk.full = true
    await expect(send(log, 1)).rejects.toMatchObject(storageError)
    const file = join(dir, 't-0', '00000000000000000000.log')
    const { size } = statSync(file)
    disk.room = 30
    await expect(send(log, 1)).rejects.toMatchObject(storageError)
    expect(statSync(file).size).toBe(size)
    expect(await values(log)).toEqual(['0'])
    disk.full = false
    // Sequence number 1 is still due: what failed has left no trace in the producer's state.
    expect(await send(log, 1)).toMatchObject({ baseOffset: 1, duplicate: false })
    expect(await values(log)).toEqual(['0', '1'])
    await manager.close()
    expect(await values((await openLog(dir)).partition('t', 0)!)).toEqual(['0', '1'])
  },
)

test('a disk that cannot be read when a partition is first appended to refuses that append, and nothing more', async () => {
  const { manager, log, dir } = await openFaulty()
  // The first batch is before the first entry of the index, so that the check of a tail passes it over.
  for (let sequence = 0; sequence < 3; sequence++) await send(log, sequence, 'x'.repeat(5000))
  await manager.close()
  const disk = new FaultyDisk()
  const reopened = (await openLog(dir, { fs: disk.fs })).partition('t', 0)!
  expect(await values(reopened)).toHaveLength(3)
  disk.failingReads = true
  await expect(Promise.all([send(reopened, 3), send(reopened, 4)])).rejects.toMatchObject(storageError)
  disk.failingReads = false
  expect(await send(reopened, 3)).toMatchObject({ baseOffset: 3 })
})

test('large writes fail and come back in the same way', async () => {
  const { disk, log } = await openFaulty()
  const large = 'x'.repeat(90_000)
  await send(log, 0, large)
  disk.full = true
  await expect(Promise.all([send(log, 1, large), send(log, 2, large)])).rejects.toMatchObject(storageError)
  disk.full = false
  const results = await Promise.all([send(log, 1, large), send(log, 2, large), send(log, 3, large)])
  expect(results.map(({ baseOffset }) => baseOffset)).toEqual([1, 2, 3])
  expect(await values(log)).toHaveLength(4)
})

test('a full disk at the end of a segment does not lose the segment', async () => {
  const { disk, log } = await openFaulty()
  await send(log, 0, 'x'.repeat(60_000))
  disk.full = true
  await expect(send(log, 1, 'y'.repeat(60_000))).rejects.toMatchObject(storageError)
  disk.full = false
  expect(await send(log, 1, 'z'.repeat(60_000))).toMatchObject({ baseOffset: 1 })
  expect((await values(log)).map((value) => value![0])).toEqual(['x', 'z'])
})

test('after a failed sync nothing of it is readable, and what was durable before is', async () => {
  const { disk, dir, manager, log, later } = await openFaulty()
  await send(log, 0)
  disk.failingSyncs = true
  const failed = await Promise.allSettled([send(log, 1), send(log, 2)])
  expect(failed.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
  await expect(send(log, 1)).rejects.toMatchObject(storageError)
  expect([log.highWatermark, await values(log)]).toEqual([1, ['0']])
  later()
  await expect(send(log, 1)).rejects.toMatchObject(storageError)
  disk.failingSyncs = false
  later()
  expect(await send(log, 1, 'one')).toMatchObject({ baseOffset: 1, duplicate: false })
  expect(await values(log)).toEqual(['0', 'one'])
  await manager.close()
  expect(await values((await openLog(dir)).partition('t', 0)!)).toEqual(['0', 'one'])
})

test('a failed sync does not take back what flush=interval has acknowledged', async () => {
  const { disk, log, later } = await openFaulty('interval')
  await send(log, 0)
  await send(log, 1)
  disk.failingSyncs = true
  await log.flush()
  expect(await values(log)).toEqual(['0', '1'])
  await expect(send(log, 2)).rejects.toMatchObject(storageError)
  disk.failingSyncs = false
  later()
  expect(await send(log, 2)).toMatchObject({ baseOffset: 2 })
  expect(await values(log)).toEqual(['0', '1', '2'])
})

test('a topic that cannot be written down is not made', async () => {
  const { disk, manager } = await openFaulty()
  disk.full = true
  await expect(manager.createTopic('u', 1)).rejects.toMatchObject(storageError)
  expect(manager.topic('u')).toBeUndefined()
  disk.full = false
  await manager.createTopic('u', 1)
})

test('while the disk cannot be read, readers are told so, appends go on, and then all is there', async () => {
  const { disk, log } = await openFaulty()
  await send(log, 0)
  disk.failingReads = true
  await expect(log.read(0, 1000, 'read_uncommitted')).rejects.toMatchObject(storageError)
  expect(await send(log, 1)).toMatchObject({ baseOffset: 1 })
  disk.failingReads = false
  expect(await values(log)).toEqual(['0', '1'])
})

test('a read error at opening is not taken for a torn tail: the partition is offline until it can be read', async () => {
  const { disk, dir, manager, log } = await openFaulty()
  await send(log, 0)
  await manager.createTopic('u', 1)
  await send(manager.partition('u', 0)!, 0)
  await manager.close()
  const path = join(dir, 't-0', '00000000000000000000.log')
  const { size } = statSync(path)
  for (const stop of ['clean', 'unclean']) {
    if (stop === 'unclean') {
      rmSync(join(dir, '.clean_shutdown'))
      rmSync(join(dir, 'recovery-point-offset-checkpoint'))
    }
    disk.unreadable = '/t-0/'
    const again = await openLog(dir, { fs: disk.fs })
    await again.recovered()
    expect(() => again.partition('t', 0)).toThrow(expect.objectContaining(storageError))
    expect(await values(again.partition('u', 0)!)).toEqual(['0'])
    disk.unreadable = undefined
    disk.failingReads = true
    expect(() => again.partition('t', 0)).toThrow(expect.objectContaining(storageError))
    disk.failingReads = false
    await again.close()
    // What was not checked in time still has to be.
    expect(existsSync(join(dir, '.clean_shutdown'))).toBe(stop === 'clean')
    expect(statSync(path).size).toBe(size)
  }
  const back = await openLog(dir, { fs: disk.fs })
  expect(await values(back.partition('t', 0)!)).toEqual(['0'])
})

test('a partition whose checkpoint fails does not keep the others from theirs', async () => {
  const { disk, dir, manager, log } = await openFaulty()
  await manager.createTopic('u', 1)
  const other = manager.partition('u', 0)!
  await Promise.all([send(log, 0), send(other, 0)])
  // Large enough for index entries.
  for (let i = 1; i < 4; i++) await send(log, i, 'x'.repeat(5000))
  disk.unreadable = '/t-0/00000000000000000000.index'
  await manager.checkpoint()
  expect([log.recoveryPoint, other.recoveryPoint]).toEqual([0, 1])
  expect(readFileSync(join(dir, 'recovery-point-offset-checkpoint'), 'utf8')).toContain('u 0 1')
  disk.unreadable = undefined
  await manager.checkpoint()
  expect(log.recoveryPoint).toBe(4)
})

test('a shutdown whose last sync fails is not taken for a clean one', async () => {
  const { disk, dir, manager, log } = await openFaulty('os')
  await send(log, 0)
  disk.failingSyncs = true
  await manager.close()
  expect(existsSync(join(dir, '.clean_shutdown'))).toBe(false)
})

test('a topic that is deleted while its partitions wait for a sync is no failure', async () => {
  const held: (() => void)[] = []
  let holds = false
  const fdatasync = ((fd: number, done: (error: Error | null) => void) => {
    if (holds) held.push(() => done(null))
    else nodeFileSystem.fdatasync(fd, done)
  }) as FileSystem['fdatasync']
  const logged: string[] = []
  const logger = createLogger({ write: (level, message) => logged.push(`${level} ${message}`) })
  const manager = await openLog(temporaryDirectory(), { fs: { ...nodeFileSystem, fdatasync }, logger })
  // More than sync at a time: the others have to wait, with their files closed or not.
  await manager.createTopic('t', 12)
  await manager.createTopic('u', 1)
  const logs = Array.from({ length: 12 }, (_, index) => manager.partition('t', index)!)
  await Promise.all(logs.map((log) => log.append(batchOf(['x']), all)))
  holds = true
  for (const log of logs) await log.append(batchOf(['x']), { acks: 1, origin: 'client' })
  await manager.deleteTopic('t')
  holds = false
  for (const release of held) release()
  // Behind them in the queue.
  await manager.partition('u', 0)!.append(batchOf(['x']), all)
  expect(logged.filter((line) => line.startsWith('error'))).toEqual([])
})

test('what is written while a partition waits for its turn to sync goes along', async () => {
  const held: (() => void)[] = []
  let syncs = 0
  let holds = true
  const fdatasync = ((fd: number, done: (error: Error | null) => void) => {
    syncs++
    const sync = () => nodeFileSystem.fdatasync(fd, done)
    if (holds) held.push(sync)
    else sync()
  }) as FileSystem['fdatasync']
  const manager = await openLog(temporaryDirectory(), { fs: { ...nodeFileSystem, fdatasync } })
  // More than sync at a time.
  await manager.createTopic('t', 12)
  const logs = Array.from({ length: 12 }, (_, index) => manager.partition('t', index)!)
  const first = logs.map((log) => log.append(batchOf(['x']), all))
  await expect.poll(() => logs.every((log) => log.logEndOffset === 1)).toBe(true)
  const second = logs.at(-1)!.append(batchOf(['y']), all)
  await expect.poll(() => logs.at(-1)!.logEndOffset).toBe(2)
  holds = false
  for (const release of held) release()
  await Promise.all([...first, second])
  expect([logs.at(-1)!.highWatermark, syncs]).toEqual([2, 12])
})
