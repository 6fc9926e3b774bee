import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, expect, test, vi } from 'vitest'
import type { Logger } from '../logging/logger.ts'
import { silentLogger } from '../logging/logger.ts'
import { nodeFileSystem } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import { recoverPartitions } from './startup-recovery.ts'
import { batchOf, openLog, temporaryDirectory } from './testing/test-log.ts'

const all = { acks: -1, origin: 'client' } as const

interface Line {
  readonly message: string
  readonly fields: Readonly<Record<string, unknown>> | undefined
}

function loggerTo(lines: Line[]): Logger {
  const log = (message: string, fields?: Readonly<Record<string, unknown>>) => {
    lines.push({ message, fields })
  }
  return { ...silentLogger, info: log, error: log }
}

afterEach(() => vi.restoreAllMocks())

/** Lets each look at the clock take a while. */
function slowClock(ms: number): void {
  let now = 0
  vi.spyOn(performance, 'now').mockImplementation(() => (now += ms))
}

const partitions = Array.from({ length: 40 }, (_, partition) => ({ topic: 't', partition }))

test('other work goes on between partitions, and progress is told', async () => {
  slowClock(200)
  const lines: Line[] = []
  const opened: number[] = []
  const between = new Set<number>()
  const look = () => {
    between.add(opened.length)
    if (opened.length < 40) setImmediate(look)
  }
  setImmediate(look)
  const done = await recoverPartitions({
    logger: loggerTo(lines),
    partitions,
    open: (_, partition) => {
      opened.push(partition)
      if (partition === 7) throw new Error('no such disk')
    },
    stopping: () => false,
  })
  expect([done, opened]).toEqual([false, partitions.map(({ partition }) => partition)])
  expect(between.size).toBeGreaterThan(20)
  const told = lines.filter(({ message }) => message.startsWith('Checking'))
  expect(told.length).toBeGreaterThan(1)
  expect(told[0]!.fields).toMatchObject({ of: 40 })
  expect(lines).toContainEqual({
    message: 'A partition is offline',
    fields: { topic: 't', partition: 7, error: 'Error: no such disk' },
  })
  expect(lines.at(-1)!.fields).toMatchObject({ partitions: 40, offline: 1 })
})

test('ends early when the log is closed', async () => {
  slowClock(1)
  let opened = 0
  const open = () => {
    opened++
  }
  expect(await recoverPartitions({ logger: silentLogger, partitions, open, stopping: () => opened === 5 })).toBe(false)
  expect(opened).toBe(5)
})

async function killed(count: number): Promise<string> {
  const dir = temporaryDirectory()
  const manager = await openLog(dir)
  await manager.createTopic('t', count)
  await Promise.all(Array.from({ length: count }, (_, i) => manager.partition('t', i)!.append(batchOf([`${i}`]), all)))
  await manager.close()
  rmSync(join(dir, '.clean_shutdown'))
  rmSync(join(dir, 'recovery-point-offset-checkpoint'))
  return dir
}

test('a log is in use before all tails are checked, and one closed before is not clean', async () => {
  const dir = await killed(20)
  slowClock(11)
  const lines: Line[] = []
  const manager = await openLog(dir, { logger: loggerTo(lines) })
  expect(lines).toEqual([])
  // Out of turn.
  const log = manager.partition('t', 19)!
  expect([log.highWatermark, log.recoveryPoint]).toEqual([1, 0])
  await log.append(batchOf(['more']), all)
  await manager.close()
  expect(existsSync(join(dir, '.clean_shutdown'))).toBe(false)

  const again = await openLog(dir, { logger: loggerTo(lines) })
  await again.recovered()
  expect(lines.at(-1)).toMatchObject({ fields: { partitions: 20 } })
  // What was checked and closed before is known to be on disk; the others still have to be checked.
  expect(again.partition('t', 19)!.recoveryPoint).toBe(2)
  expect(again.partition('t', 18)!.recoveryPoint).toBe(0)
  await again.close()
  expect(existsSync(join(dir, '.clean_shutdown'))).toBe(true)
})

test('a log whose directory cannot be synced after an unclean shutdown is not opened', async () => {
  const dir = await killed(1)
  const fs = {
    ...nodeFileSystem,
    fsyncSync: () => {
      throw new Error('EIO: the disk says no')
    },
  } as FileSystem
  await expect(openLog(dir, { fs })).rejects.toThrow('the disk says no')
  const manager = await openLog(dir)
  expect(manager.partition('t', 0)!.highWatermark).toBe(1)
})
