import fc from 'fast-check'
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'
import type { LogManager } from './log-manager.ts'
import type { PartitionLog } from './partition-log.ts'

/** What the log has to be: the values by offset, from a start. */
interface Model {
  readonly batches: { readonly base: number; readonly values: string[]; readonly timestamp: number }[]
  start: number
}

interface Real {
  dir: string
  manager: LogManager
  log: PartitionLog
}

function endOf(model: Model): number {
  const last = model.batches.at(-1)
  return Math.max(model.start, last === undefined ? 0 : last.base + last.values.length)
}

function valuesFrom(model: Model, offset: number): [number, string][] {
  return model.batches
    .flatMap(({ base, values }) => values.map((value, i): [number, string] => [base + i, value]))
    .filter(([at]) => at >= offset)
}

type Command = fc.AsyncCommand<Model, Real>

const append = fc
  .record({
    groups: fc.array(fc.array(fc.string({ maxLength: 60 }), { minLength: 1, maxLength: 5 }), {
      minLength: 1,
      maxLength: 6,
    }),
    timestamp: fc.integer({ min: 1, max: 1000 }),
    compression: fc.constantFrom('none' as const, 'gzip' as const, 'lz4' as const),
  })
  .map(({ groups, timestamp, compression }): Command => ({
    check: () => true,
    toString: () => `append(${JSON.stringify(groups)}, ${timestamp})`,
    run: async (model, { log }) => {
      const answers = groups.map((values) =>
        log.append(batchOf(values, { timestamp, compression }), { acks: -1, origin: 'client' }),
      )
      const bases = (await Promise.all(answers)).map(({ baseOffset }) => baseOffset)
      for (const [i, values] of groups.entries()) {
        expect(bases[i]).toBe(endOf(model))
        model.batches.push({ base: endOf(model), values, timestamp })
      }
      expect(log.highWatermark).toBe(endOf(model))
    },
  }))

const read = fc
  .record({ at: fc.double({ min: 0, max: 1, noNaN: true }), maxBytes: fc.integer({ min: 0, max: 2000 }) })
  .map(({ at, maxBytes }): Command => ({
    check: () => true,
    toString: () => `read(${at}, ${maxBytes})`,
    run: async (model, { log }) => {
      const offset = model.start + Math.floor(at * (endOf(model) - model.start))
      const { records, bytes } = await log.read(offset, maxBytes, 'read_uncommitted')
      const found = recordsOf(records)
        .filter((record) => record.offset >= offset)
        .map((record): [number, string] => [record.offset, record.value!])
      const expected = valuesFrom(model, offset)
      expect(found).toEqual(expected.slice(0, found.length))
      if (expected.length > 0) expect(found.length).toBeGreaterThan(0)
      const first = model.batches.find(({ base, values }) => base + values.length > offset)
      if (bytes > maxBytes) expect(found.length).toBeLessThanOrEqual(first!.values.length)
    },
  }))

const lookUpTime = fc.integer({ min: 0, max: 1001 }).map((timestamp): Command => ({
  check: () => true,
  toString: () => `lookUpTime(${timestamp})`,
  run: async (model, { log }) => {
    const batch = model.batches.find(
      ({ base, values, timestamp: own }) => own >= timestamp && base + values.length > model.start,
    )
    const expected =
      batch === undefined ? null : { offset: Math.max(batch.base, model.start), timestamp: batch.timestamp }
    expect(await log.offsetForTimestamp(timestamp)).toEqual(expected)
  },
}))

const deleteRecords = fc.double({ min: 0, max: 1, noNaN: true }).map((at): Command => ({
  check: () => true,
  toString: () => `deleteRecords(${at})`,
  run: async (model, { log }) => {
    model.start += Math.floor(at * (endOf(model) - model.start))
    expect(await log.deleteRecordsBefore(model.start)).toBe(model.start)
  },
}))

const checkpoint = fc.constant<Command>({
  check: () => true,
  toString: () => 'checkpoint',
  run: async (_, { manager }) => manager.checkpoint(),
})

const restart = fc.constant<Command>({
  check: () => true,
  toString: () => 'restart',
  run: async (model, real) => {
    await real.manager.close()
    await open(real)
    expect([real.log.logStartOffset, real.log.logEndOffset]).toEqual([model.start, endOf(model)])
  },
})

/** A killed process: its directory as it lies there at that moment. */
const kill = fc.constant<Command>({
  check: () => true,
  toString: () => 'kill',
  run: async (model, real) => {
    await copyAsKilled(real)
    await open(real)
    expect([real.log.logStartOffset, real.log.logEndOffset]).toEqual([model.start, endOf(model)])
  },
})

/** A crash that takes the end of the last segment away, or damages it; nothing is known to be on disk. */
const crash = fc
  .record({ keep: fc.double({ min: 0, max: 1, noNaN: true }), flip: fc.boolean() })
  .map(({ keep, flip }): Command => ({
    check: () => true,
    toString: () => `crash(${keep}, ${flip ? 'flipped' : 'cut'})`,
    run: async (model, real) => {
      await copyAsKilled(real)
      rmSync(join(real.dir, 'recovery-point-offset-checkpoint'), { force: true })
      const lost = damageTail(real.dir, keep, flip)
      const before = endOf(model)
      await open(real)
      const end = real.log.logEndOffset
      while (model.batches.length > 0 && endOf(model) > end) model.batches.pop()
      // Whole batches are gone, and none where nothing was damaged.
      expect(end).toBe(endOf(model))
      if (lost === 0) expect(end).toBe(before)
    },
  }))

async function copyAsKilled(real: Real): Promise<void> {
  const copy = temporaryDirectory()
  cpSync(real.dir, copy, { recursive: true })
  await real.manager.close()
  rmSync(real.dir, { recursive: true })
  real.dir = copy
}

function damageTail(dir: string, keep: number, flip: boolean): number {
  const partition = join(dir, 't-0')
  if (!existsSync(partition)) return 0
  const name = readdirSync(partition)
    .filter((file) => file.endsWith('.log'))
    .sort()
    .at(-1)
  if (name === undefined) return 0
  const path = join(partition, name)
  const { size } = statSync(path)
  const at = Math.floor(size * keep)
  if (at >= size) return 0
  if (flip) {
    const bytes = readFileSync(path)
    // Base offset and leader epoch are not covered by a checksum; a change there need not be found.
    bytes[at]! ^= 0x10
    writeFileSync(path, bytes)
    truncateSync(path, Math.min(size, at + 1))
  } else truncateSync(path, at)
  return size - at
}

async function open(real: Real): Promise<void> {
  real.manager = await openLog(real.dir, { maxOpenFiles: 4 })
  real.log = real.manager.partition('t', 0)!
}

test('a partition does what an array of batches does, through restarts and crashes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.commands([append, append, read, read, lookUpTime, deleteRecords, checkpoint, restart, kill, crash], {
        maxCommands: 40,
      }),
      async (commands) => {
        const dir = temporaryDirectory()
        const manager = await openLog(dir, { maxOpenFiles: 4 })
        await manager.createTopic('t', 1, { 'segment.bytes': '1200', 'index.interval.bytes': '150' })
        const real: Real = { dir, manager, log: manager.partition('t', 0)! }
        await fc.asyncModelRun(() => ({ model: { batches: [], start: 0 }, real }), commands)
        await real.manager.close()
      },
    ),
    { numRuns: 60 },
  )
}, 60_000)
