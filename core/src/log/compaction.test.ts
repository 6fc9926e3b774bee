import fc from 'fast-check'
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import type { TestRecord } from './testing/test-log.ts'
import { encodeControlBatch, iterateBatches, RecordBatchBuilder } from '../protocol/record-batch.ts'
import { nodeFileSystem } from './file-system.ts'
import type { FileSystem } from './file-system.ts'
import type { LogManager, LogManagerOptions } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

const client = { acks: -1, origin: 'client' } as const
const small = { 'cleanup.policy': 'compact', 'segment.bytes': '1000', 'index.interval.bytes': '200' }
const eager = { ...small, 'min.cleanable.dirty.ratio': '0' }

async function openCompacted(config: Record<string, string> = eager, options: Partial<LogManagerOptions> = {}) {
  const dir = temporaryDirectory()
  const manager = await openLog(dir, options)
  await manager.createTopic('t', 1, config)
  return { dir, manager, log: manager.partition('t', 0)! }
}

function put(log: PartitionLog, key: string, value: string | null, timestamp = 1000) {
  return log.append(batchOf([value], { key, timestamp }), client)
}

/** Something after what is to be compacted, so that it lies in closed segments. */
async function fillSegment(log: PartitionLog): Promise<void> {
  for (let i = 0; i < 12; i++) await put(log, 'filler', 'f'.repeat(100))
}

async function readBuffers(log: PartitionLog): Promise<Buffer[]> {
  const buffers: Buffer[] = []
  for (let offset = log.logStartOffset; offset < log.highWatermark;) {
    const { records } = await log.read(offset, 500, 'read_uncommitted')
    if (records.length === 0) break
    buffers.push(...records)
    const last = [...iterateBatches(records.at(-1)!)].at(-1)!.header
    offset = last.baseOffset + last.lastOffsetDelta + 1
  }
  return buffers
}

async function readAll(log: PartitionLog): Promise<TestRecord[]> {
  return recordsOf(await readBuffers(log)).filter(({ key }) => key !== 'filler')
}

const brief = (records: TestRecord[]) => records.map(({ offset, key, value }) => [offset, key, value])

test('keeps the last value of each key at its offset, in order', async () => {
  const { log, manager } = await openCompacted()
  for (let round = 0; round < 5; round++) for (const key of ['a', 'b', 'c']) await put(log, key, `${key}${round}`)
  await fillSegment(log)
  const end = log.logEndOffset
  const size = log.sizeBytes
  await manager.compact()
  expect(brief(await readAll(log))).toEqual([
    [12, 'a', 'a4'],
    [13, 'b', 'b4'],
    [14, 'c', 'c4'],
  ])
  expect([log.logStartOffset, log.logEndOffset]).toEqual([0, end])
  expect(log.sizeBytes).toBeLessThan(size)
  // From an offset that is gone, reading goes on with the next one there is.
  expect(brief(recordsOf((await log.read(3, 1, 'read_uncommitted')).records))[0]).toEqual([12, 'a', 'a4'])
})

test('goes on from where it was, and survives a restart', async () => {
  const { dir, log, manager } = await openCompacted()
  await put(log, 'a', '1')
  await put(log, 'b', '1')
  await fillSegment(log)
  await manager.compact()
  await put(log, 'a', '2')
  await fillSegment(log)
  await manager.close()
  const again = await openLog(dir)
  const reopened = again.partition('t', 0)!
  await again.compact()
  expect((await readAll(reopened)).map(({ key, value }) => [key, value])).toEqual([
    ['b', '1'],
    ['a', '2'],
  ])
})

test('waits for the dirty ratio and for min.compaction.lag.ms', async () => {
  const now = { value: 10_000 }
  const { log, manager } = await openCompacted(
    { ...small, 'min.cleanable.dirty.ratio': '0.9', 'min.compaction.lag.ms': '5000' },
    { clock: () => now.value },
  )
  for (let i = 0; i < 30; i++) await put(log, 'k', `${i}`.padEnd(50), 8000)
  await manager.compact()
  expect(await readAll(log)).toHaveLength(30)
  now.value = 20_000
  await manager.compact()
  const compacted = (await readAll(log)).length
  expect(compacted).toBeLessThan(30)
  for (let i = 0; i < 12; i++) await put(log, 'k', `${i}`.padEnd(50), 8000)
  await manager.compact()
  expect((await readAll(log)).length).toBeGreaterThan(compacted)
})

test('a tombstone stays for delete.retention.ms, then goes', async () => {
  const now = { value: 1_000_000 }
  const { log, manager } = await openCompacted({ ...eager, 'delete.retention.ms': '1000' }, { clock: () => now.value })
  await put(log, 'a', '1')
  await put(log, 'b', '1')
  await put(log, 'a', null)
  await fillSegment(log)
  await manager.compact()
  expect(await readAll(log)).toEqual([
    { offset: 1, key: 'b', value: '1', timestamp: 1000 },
    { offset: 2, key: 'a', value: null, timestamp: 1000 },
  ])
  now.value += 500
  await fillSegment(log)
  await manager.compact()
  expect(brief(await readAll(log))).toHaveLength(2)
  now.value += 600
  await fillSegment(log)
  await manager.compact()
  expect(brief(await readAll(log))).toEqual([[1, 'b', '1']])
})

test('how long a tombstone stays counts from when it was first met, whatever becomes of its batch meanwhile', async () => {
  const now = { value: 1_000_000 }
  const { log, manager } = await openCompacted({ ...eager, 'delete.retention.ms': '1000' }, { clock: () => now.value })
  const builder = new RecordBatchBuilder()
  builder.tryAppend('gone', null, undefined, 1000)
  builder.tryAppend('changes', '1', undefined, 1000)
  await log.append(builder.build(), client)
  await fillSegment(log)
  await manager.compact()
  now.value += 900
  await put(log, 'changes', '2')
  await fillSegment(log)
  await manager.compact()
  expect(brief(await readAll(log)).map(([, key]) => key)).toEqual(['gone', 'changes'])
  now.value += 200
  await fillSegment(log)
  await manager.compact()
  expect(brief(await readAll(log)).map(([, key]) => key)).toEqual(['changes'])
})

test.each(['none', 'gzip', 'lz4', 'zstd', 'snappy'] as const)(
  'batches of several records (%s) keep some',
  async (compression) => {
    const { log, manager } = await openCompacted()
    const builder = new RecordBatchBuilder({ compression })
    builder.tryAppend('a', '1', [{ key: 'h', value: 'x' }], 500)
    builder.tryAppend('b', '1', undefined, 700)
    builder.tryAppend('c', null, undefined, 600)
    await log.append(builder.build(), client)
    await put(log, 'b', '2')
    await fillSegment(log)
    await manager.compact()
    expect(await readAll(log)).toEqual([
      { offset: 0, key: 'a', value: '1', timestamp: 500 },
      { offset: 2, key: 'c', value: null, timestamp: 600 },
      { offset: 3, key: 'b', value: '2', timestamp: 1000 },
    ])
  },
)

test('more keys than there is memory for take several runs', async () => {
  const { log, manager } = await openCompacted(eager, { compactionMapBytes: 24 * 40 })
  for (let round = 0; round < 2; round++) for (let i = 0; i < 100; i++) await put(log, `k${i}`, `${round}`)
  await fillSegment(log)
  // What there was no memory for stays as it is until its turn.
  await manager.compact()
  const between = new Map((await readAll(log)).map(({ key, value }) => [key, value]))
  expect(between).toEqual(new Map(Array.from({ length: 100 }, (_, i) => [`k${i}`, '1'])))
  for (let run = 0; run < 10; run++) await manager.compact()
  const records = await readAll(log)
  expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, () => '1'))
})

describe('transactions', () => {
  const transactional = (producerId: number, sequence: number, key: string, value: string) => {
    const builder = new RecordBatchBuilder({
      producerId,
      producerEpoch: 0,
      baseSequence: sequence,
      isTransactional: true,
    })
    builder.tryAppend(key, value, undefined, 1000)
    return builder.build()
  }
  const marker = (type: 'COMMIT' | 'ABORT', producerId: number) =>
    encodeControlBatch({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: 1000 })

  test('aborted records go and do not supersede; open ones hold compaction back', async () => {
    const { log, manager } = await openCompacted()
    await put(log, 'a', 'good')
    await log.append(transactional(1, 0, 'a', 'aborted'), client)
    await log.append(transactional(2, 0, 'b', 'committed'), client)
    await fillSegment(log)
    await manager.compact()
    expect(await readAll(log)).toHaveLength(3)
    await log.append(marker('ABORT', 1), { acks: -1, origin: 'coordinator' })
    await log.append(marker('COMMIT', 2), { acks: -1, origin: 'coordinator' })
    await fillSegment(log)
    await manager.compact()
    expect((await readAll(log)).map(({ key, value }) => [key, value])).toEqual([
      ['a', 'good'],
      ['b', 'committed'],
    ])
  })

  test('markers of emptied transactions go in time, and producers stay known', async () => {
    const now = { value: 1_000_000 }
    const { dir, log, manager } = await openCompacted(
      { ...eager, 'delete.retention.ms': '1000' },
      { clock: () => now.value },
    )
    for (let i = 0; i < 3; i++) {
      await log.append(transactional(1, i, 'k', `${i}`), client)
      await log.append(marker('COMMIT', 1), { acks: -1, origin: 'coordinator' })
    }
    const markers = async () =>
      (await readBuffers(log)).flatMap((buffer) => [...iterateBatches(buffer)]).filter(({ header }) => header.isControl)
        .length
    for (let i = 0; i < 4; i++) {
      await fillSegment(log)
      await manager.compact()
      now.value += 2000
    }
    expect(await markers()).toBeLessThan(3)
    expect((await readAll(log)).map(({ value }) => value)).toEqual(['2'])
    const producers = log.producers()
    await manager.close()
    rmSync(join(dir, '.clean_shutdown'))
    for (const name of readdirSync(join(dir, 't-0'))) if (name.endsWith('.snapshot')) rmSync(join(dir, 't-0', name))
    const again = (await openLog(dir, { clock: () => now.value })).partition('t', 0)!
    expect(again.producers().map(({ producerId, lastSequence }) => [producerId, lastSequence])).toEqual(
      producers.map(({ producerId, lastSequence }) => [producerId, lastSequence]),
    )
  })

  test('a producer that is superseded by others is still known after a restart that has nothing but the batches', async () => {
    const { dir, log, manager } = await openCompacted()
    const of7 = (sequence: number) =>
      batchOf(['x'], { key: 'k', producerId: 7, producerEpoch: 0, baseSequence: sequence })
    for (let i = 0; i < 3; i++) await log.append(of7(i), client)
    await put(log, 'k', 'last')
    await fillSegment(log)
    await manager.compact()
    expect(brief(await readAll(log))).toEqual([[3, 'k', 'last']])
    await manager.close()
    for (const name of readdirSync(join(dir, 't-0'))) if (name.endsWith('.snapshot')) rmSync(join(dir, 't-0', name))
    const again = (await openLog(dir)).partition('t', 0)!
    expect(await again.append(of7(2), client)).toMatchObject({ baseOffset: 2, duplicate: true })
    await expect(again.append(of7(4), client)).rejects.toMatchObject({ code: 'OUT_OF_ORDER_SEQUENCE_NUMBER' })
  })

  test('what of an aborted one a compaction leaves is named to readers', async () => {
    const { dir, log, manager } = await openCompacted()
    await log.append(transactional(1, 0, 'a', 'aborted'), client)
    await log.append(marker('ABORT', 1), { acks: -1, origin: 'coordinator' })
    await fillSegment(log)
    await manager.compact()
    const told = async (partition: PartitionLog) =>
      (await partition.read(0, 1_000_000, 'read_committed')).abortedTransactions
    // The producer's last batch, without its records.
    expect(await told(log)).toEqual([expect.objectContaining({ producerId: 1, firstOffset: 0 })])
    await manager.close()
    expect(await told((await openLog(dir)).partition('t', 0)!)).toHaveLength(1)
  })
})

test('readers go on while segments are swapped under them', async () => {
  const { log, manager } = await openCompacted({ ...eager, 'segment.bytes': '20000' }, { maxOpenFiles: 2 })
  for (let i = 0; i < 2000; i++) void put(log, `k${i % 50}`, `${i}`)
  await expect.poll(() => log.highWatermark).toBe(2000)
  const state = { compacting: true }
  const done = manager.compact().finally(() => (state.compacting = false))
  for (let rounds = 0; state.compacting || rounds === 0; rounds++) {
    const records = await readAll(log)
    // Whatever is left: in order, and the last value of each key always there.
    expect(records.map(({ offset }) => offset)).toEqual(records.map(({ offset }) => offset).toSorted((a, b) => a - b))
    expect(new Map(records.map(({ key, value }) => [key, value]))).toEqual(
      new Map(Array.from({ length: 50 }, (_, i) => [`k${i}`, `${1950 + i}`])),
    )
  }
  await done
})

test('appends to this and other partitions are answered all through a large compaction', async () => {
  const log = { cleaning: false, slices: 0 }
  const fs = {
    ...nodeFileSystem,
    read: (...args: Parameters<FileSystem['read']>) => {
      if (log.cleaning) log.slices++
      nodeFileSystem.read(...args)
    },
  } as FileSystem
  // The policy under which an append waits for nothing but its turn.
  const { log: dirty, manager } = await openCompacted({ ...eager, 'segment.bytes': '1000000' }, { fs, flush: 'os' })
  await manager.createTopic('other', 1)
  const other = manager.partition('other', 0)!
  const values = Array.from({ length: 100 }, () => 'v'.repeat(500))
  for (let i = 0; i < 140; i++) await dirty.append(batchOf(values, { key: `k${i % 10}`, timestamp: 1000 }), client)
  const before = dirty.sizeBytes
  expect(before).toBeGreaterThan(6_000_000)

  log.cleaning = true
  let answered = 0
  const done = manager.compact().finally(() => (log.cleaning = false))
  while (log.cleaning) {
    await Promise.all([put(dirty, 'k1', 'during'), put(other, 'k', 'during')])
    answered++
  }
  await done
  // It read everything twice, 128 KiB at a time, and after each time gave way.
  expect(log.slices).toBeGreaterThan((2 * 5_000_000) / (128 * 1024))
  expect(answered).toBeGreaterThan(log.slices / 2)
  expect(dirty.sizeBytes).toBeLessThan(before / 2)
  expect(other.highWatermark).toBe(answered)
})

test('a reader that is between two reads of a file when another takes its name starts over', async () => {
  let hold: (() => void) | undefined
  let holding = false
  const fs = {
    ...nodeFileSystem,
    read: (...args: Parameters<FileSystem['read']>) => {
      if (!holding) nodeFileSystem.read(...args)
      else {
        holding = false
        hold = () => nodeFileSystem.read(...args)
      }
    },
  } as FileSystem
  const { log, manager } = await openCompacted({ ...eager, 'segment.bytes': '3000' }, { fs, maxOpenFiles: 1 })
  for (let i = 0; i < 100; i++) await put(log, `k${i % 60}`, `${i}`.padEnd(60, '.'))
  holding = true
  const reading = log.read(45, 200, 'read_uncommitted')
  await expect.poll(() => hold).toBeDefined()
  await manager.compact()
  hold!()
  const [first] = recordsOf((await reading).records)
  expect(first).toMatchObject({ offset: 45, key: 'k45', value: '45'.padEnd(60, '.') })
})

test('how far a topic was compacted is forgotten with it, also where it is deleted meanwhile', async () => {
  let held: (() => void) | undefined
  let holds = false
  const fs = {
    ...nodeFileSystem,
    fdatasync: (...args: Parameters<FileSystem['fdatasync']>) => {
      if (holds) held = () => nodeFileSystem.fdatasync(...args)
      else nodeFileSystem.fdatasync(...args)
    },
  } as FileSystem
  const { dir, log, manager } = await openCompacted(eager, { fs })
  const noted = () => readFileSync(join(dir, 'cleaner-offset-checkpoint'), 'utf8')
  await put(log, 'a', '1')
  await fillSegment(log)
  await manager.compact()
  expect(noted()).toMatch(/^t 0 [1-9]/m)
  await put(log, 'a', '2')
  await fillSegment(log)
  holds = true
  const compacting = manager.compact()
  await expect.poll(() => held).toBeDefined()
  holds = false
  await manager.deleteTopic('t')
  held!()
  await compacting
  expect(noted()).toBe('0\n0\n')
})

/** Base offsets of all batches, file after file. */
function offsetsInFiles(dir: string): number[] {
  return readdirSync(dir)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .flatMap((name) => [...iterateBatches(readFileSync(join(dir, name)))].map(({ header }) => header.baseOffset))
}

test('old segments go only when the names of the new one are on disk', async () => {
  const steps: string[] = []
  const fs = {
    ...nodeFileSystem,
    renameSync: (from: string, to: string) => {
      steps.push(to.slice(to.lastIndexOf('.') + 1))
      renameSync(from, to)
    },
    fsync: (...args: Parameters<FileSystem['fsync']>) => {
      steps.push('synced')
      nodeFileSystem.fsync(...args)
    },
  } as FileSystem
  const { log, manager } = await openCompacted(eager, { fs })
  for (let i = 0; i < 20; i++) await put(log, 'a', `${i}`)
  await fillSegment(log)
  steps.length = 0
  await manager.compact()
  const swapped = steps.indexOf('swap')
  const removed = steps.indexOf('deleted')
  expect(swapped).toBeGreaterThanOrEqual(0)
  expect(removed).toBeGreaterThan(swapped)
  expect(steps.slice(swapped, removed)).toContain('synced')
})

/** Stops the process, as it were, at each change that the swap makes to the directory, and starts again from there. */
test('a crash at any step of a swap loses nothing', async () => {
  const dir = temporaryDirectory()
  const { log, manager } = await openIn(dir)
  for (let i = 0; i < 60; i++) await put(log, `k${i % 7}`, `${i}`)
  await fillSegment(log)
  await manager.close()
  const states: string[] = []
  const snapshot = () => {
    const copy = temporaryDirectory()
    cpSync(dir, copy, { recursive: true })
    states.push(copy)
  }
  const fs = {
    ...nodeFileSystem,
    renameSync: (from: string, to: string) => {
      if (from.includes('t-0')) snapshot()
      renameSync(from, to)
    },
  } as FileSystem
  const compacting = await openIn(dir, { fs })
  // Several segments become one.
  await compacting.manager.alterConfig('t', { ...eager, 'segment.bytes': '3000' })
  states.length = 0
  const expected = new Map((await readAll(compacting.log)).map(({ key, value }) => [key, value]))
  await compacting.manager.compact()
  snapshot()
  expect(states.length).toBeGreaterThan(8)
  for (const state of states) {
    const again = await openIn(state)
    const records = await readAll(again.log)
    expect(new Map(records.map(({ key, value }) => [key, value]))).toEqual(expected)
    expect(records.map(({ offset }) => offset)).toEqual(records.map(({ offset }) => offset).toSorted((a, b) => a - b))
    expect(new Set(records.map(({ offset }) => offset)).size).toBe(records.length)
    await again.manager.close()
    expect(existsSync(join(state, 't-0', '00000000000000000000.log.swap'))).toBe(false)
    const offsets = offsetsInFiles(join(state, 't-0'))
    expect(offsets).toEqual([...new Set(offsets)].toSorted((a, b) => a - b))
  }

  async function openIn(
    where: string,
    options: Partial<LogManagerOptions> = {},
  ): Promise<{ log: PartitionLog; manager: LogManager }> {
    const opened = await openLog(where, options)
    if (opened.topic('t') === undefined) await opened.createTopic('t', 1, { ...eager, 'segment.bytes': '700' })
    return { log: opened.partition('t', 0)!, manager: opened }
  }
}, 60_000)

test('whatever is written, compaction leaves the last value of each key', async () => {
  const operation = fc.record({
    key: fc.integer({ min: 0, max: 5 }),
    value: fc.option(fc.string({ maxLength: 30 }), { nil: null }),
    compact: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(operation, { maxLength: 60 }), async (operations) => {
      const { dir, log, manager } = await openCompacted({ ...eager, 'segment.bytes': '400' })
      const expected = new Map<string, string | null>()
      for (const { key, value, compact } of operations) {
        await put(log, `${key}`, value)
        expected.set(`${key}`, value)
        if (compact) await manager.compact()
      }
      const check = async (partition: PartitionLog) => {
        const records = await readAll(partition)
        expect(new Map(records.map((record) => [record.key, record.value]))).toEqual(expected)
        expect(partition.logEndOffset).toBe(operations.length)
      }
      await check(log)
      await manager.close()
      await check((await openLog(dir)).partition('t', 0)!)
    }),
    { numRuns: 25 },
  )
}, 60_000)

test('a checkpoint goes on past indexes that are compacted away under it', async () => {
  let held: (() => void) | undefined
  let holds = false
  const fs = {
    ...nodeFileSystem,
    fdatasync: (...args: Parameters<FileSystem['fdatasync']>) => {
      if (holds) held = () => nodeFileSystem.fdatasync(...args)
      else nodeFileSystem.fdatasync(...args)
      holds = false
    },
  } as FileSystem
  const { log, manager } = await openCompacted(eager, { fs })
  for (let round = 0; round < 20; round++) for (const key of ['a', 'b', 'c']) await put(log, key, `${key}${round}`)
  await fillSegment(log)
  await log.flush()
  // The first sync of the checkpoint is that of an index, since the records are durable.
  holds = true
  const checkpoint = log.checkpoint()
  await expect.poll(() => held).toBeDefined()
  await manager.compact()
  held!()
  expect(await checkpoint).toBe(log.logEndOffset)
})
