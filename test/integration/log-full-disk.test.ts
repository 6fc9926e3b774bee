import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { LogStorageError } from '../../core/src/log/errors.ts'
import type { PartitionLog } from '../../core/src/log/partition-log.ts'
import { batchOf, openLog, recordsOf } from '../../core/src/log/testing/test-log.ts'

/** A file system of its own, so small that it fills up. Needs the right to mount. */
const disk = mkdtempSync(join(tmpdir(), 'tidewire-small-disk-'))
let mounted = false

beforeAll(() => {
  mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=6m', 'tmpfs', disk]).status === 0
})

afterAll(() => {
  if (mounted) spawnSync('umount', [disk])
  rmSync(disk, { recursive: true, force: true })
})

async function valuesOf(log: PartitionLog): Promise<string[]> {
  const values: string[] = []
  for (let offset = 0; offset < log.highWatermark;) {
    const records = recordsOf((await log.read(offset, 1_000_000, 'read_uncommitted')).records)
    values.push(...records.map(({ value }) => value!))
    offset = records.at(-1)!.offset + 1
  }
  return values
}

test('a disk that fills up costs nothing that was acknowledged, and is used again when there is space', async ({
  skip,
}) => {
  if (!mounted) skip('mounting a tmpfs is not allowed here')
  const dir = join(disk, 'data')
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(2 * 1024 * 1024))
  const manager = await openLog(dir)
  await manager.createTopic('t', 2, { 'segment.bytes': '1000000' })
  const logs = [manager.partition('t', 0)!, manager.partition('t', 1)!]
  const acknowledged: string[][] = [[], []]
  const refused = new Set<string>()
  const send = async (partition: number, bytes: number) => {
    const value = `${acknowledged[partition]!.length}:`.padEnd(bytes, 'x')
    try {
      await logs[partition]!.append(batchOf([value]), { acks: -1, origin: 'client' })
      acknowledged[partition]!.push(value)
    } catch (error) {
      refused.add((error as LogStorageError).code)
    }
  }
  // Both sizes of writes: on the spot, and in another thread.
  for (let i = 0; i < 400 && refused.size === 0; i++) await send(i % 2, i % 5 === 0 ? 200_000 : 20_000)
  for (let i = 0; i < 20; i++) await send(i % 2, 200_000)
  expect([...refused]).toEqual(['KAFKA_STORAGE_ERROR'])
  expect(await valuesOf(logs[0]!)).toEqual(acknowledged[0])

  rmSync(ballast)
  const before = acknowledged.map((values) => values.length)
  for (let i = 0; i < 10; i++) await send(i % 2, 20_000)
  expect(acknowledged.map((values, i) => values.length - before[i]!)).toEqual([5, 5])

  await manager.close()
  const again = await openLog(dir)
  for (const partition of [0, 1]) {
    expect(await valuesOf(again.partition('t', partition)!)).toEqual(acknowledged[partition])
  }
})
