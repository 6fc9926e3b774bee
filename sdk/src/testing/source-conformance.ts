import assert from 'node:assert/strict'
import type { Settings } from '../config.ts'
import type { Source } from '../connector.ts'
import type { SourceRecord } from '../record.ts'
import { conformanceCase, reportsMissingSettings, type ConformanceCase, type ConformanceSystem } from './conformance.ts'
import { recordingLogger } from './logs.ts'
import { OffsetStore } from './offset-store.ts'
import { parseConfig } from './parse-config.ts'
import { runSource, type SourceRun, type SourceRunOptions } from './source-run.ts'

/** An external system that a source reads from. */
export interface SourceSystem extends ConformanceSystem {
  /**
   * Puts `count` more entries into the system, each to become one record.
   * @returns what each is known by (see {@link SourceConformance.identify}), in the order they are to be read
   */
  add(count: number): readonly string[] | Promise<readonly string[]>
}

/** A source under test and its driver. */
export interface SourceConformance<S extends Settings> {
  readonly source: Source<S>
  /** An empty system. Called for each case. */
  readonly system: () => SourceSystem | Promise<SourceSystem>
  /** Tells which entry a record is of, by what `add` answered. Default: the value as text. */
  readonly identify?: (record: SourceRecord) => string
  /** For a generator, which never has to wait: leaves out the cases with an empty system. */
  readonly endless?: boolean
  /** Longest wait for records or for a stop. Default 4 s. */
  readonly timeoutMs?: number
}

/**
 * What every source has to do. One that is declared `exactlyOnce` has to go on from a stored offset with exactly the
 * rest; any other may repeat, but not leave out, what was not acknowledged.
 *
 * ```ts
 * const cases = sourceConformance({
 *   source: fileSource,
 *   system: () => ({ config: { file, topic: 'lines' }, add: (count) => appendLines(file, count) }),
 * })
 * for (const { name, run } of cases) test(name, run)
 * ```
 */
export function sourceConformance<S extends Settings>(spec: SourceConformance<S>): ConformanceCase[] {
  const { source, system, identify = ({ value }: SourceRecord) => String(value) } = spec
  const options = spec.timeoutMs === undefined ? {} : { timeoutMs: spec.timeoutMs }
  const start = ({ config }: SourceSystem, more: SourceRunOptions = {}) =>
    runSource(source, config, { ...options, ...more })
  const ids = (records: readonly SourceRecord[]) => records.map(identify)

  /** That the run gives these next: exactly, or for a source that may repeat, in order and with none left out. */
  const expectNext = async (run: SourceRun, expected: readonly string[]) => {
    if (source.exactlyOnce === true) {
      assert.deepEqual(ids(await run.take(expected.length)), expected)
      return
    }
    const wanted = new Set(expected)
    const seen = new Set<string>()
    while (seen.size < wanted.size) for (const id of ids(await run.take(1))) if (wanted.has(id)) seen.add(id)
    assert.deepEqual([...seen], expected)
  }

  const cases = [
    reportsMissingSettings(source, system),
    conformanceCase('gives all entries, in order for each source partition', system, async (made, stopLater) => {
      const expected = await made.add(2_500)
      const records = await stopLater(start(made)).take(expected.length)
      assert.deepEqual(ids(records).toSorted(), expected.toSorted())
      const position = new Map(expected.map((id, index) => [id, index]))
      const last = new Map<string, number>()
      for (const record of records) {
        const partition = JSON.stringify(record.sourcePartition)
        const at = position.get(identify(record)) ?? -1
        assert.ok(at > (last.get(partition) ?? -1), `${identify(record)} comes too late in partition ${partition}`)
        last.set(partition, at)
      }
    }),
    conformanceCase('gives partition and offset together, both flat', system, async (made, stopLater) => {
      await made.add(3)
      for (const { sourcePartition, sourceOffset } of await stopLater(start(made)).take(3)) {
        assert.equal(sourcePartition === undefined, sourceOffset === undefined, 'one without the other')
        for (const value of Object.values({ ...sourcePartition, ...sourceOffset })) {
          assert.ok(value === null || ['string', 'number', 'boolean'].includes(typeof value), `${typeof value} inside`)
        }
        if (source.exactlyOnce === true) assert.ok(sourceOffset, 'exactlyOnce, but a record without an offset')
      }
    }),
    conformanceCase('goes on after the acknowledged ones', system, async (made, stopLater) => {
      const expected = await made.add(10)
      const run = stopLater(start(made))
      await run.take(10)
      await run.acknowledge(4)
      await run.stop()
      await expectNext(stopLater(start(made, { offsets: run.offsets })), expected.slice(4))
    }),
    conformanceCase('gives again what was never acknowledged', system, async (made, stopLater) => {
      const expected = await made.add(5)
      const run = stopLater(start(made))
      await run.take(5)
      await run.stop()
      await expectNext(stopLater(start(made, { offsets: run.offsets })), expected)
    }),
    conformanceCase('loses nothing over many restarts', system, async (made, stopLater) => {
      const expected = await made.add(60)
      let offsets = new OffsetStore()
      let done = 0
      for (const [take, acknowledge] of [
        [7, 3],
        [5, 0],
        [10, 10],
        [1, 1],
        [20, 13],
        [9, 8],
      ] as const) {
        const run = stopLater(start(made, { offsets }))
        await run.take(take)
        await run.acknowledge(acknowledge)
        await run.stop()
        offsets = run.offsets
        done += acknowledge
      }
      await expectNext(stopLater(start(made, { offsets })), expected.slice(done))
    }),
    conformanceCase('does not mind stored offsets of partitions it has not', system, async (made, stopLater) => {
      const offsets = [{ partition: { conformance: 'unknown' }, offset: { position: 'nowhere' } }]
      const expected = await made.add(2)
      await expectNext(stopLater(start(made, { offsets })), expected)
    }),
    conformanceCase('starts again when its offsets were deleted', system, async (made, stopLater) => {
      const before = await made.add(3)
      const run = stopLater(start(made))
      await run.take(3)
      await run.acknowledge()
      await run.stop()
      const next = stopLater(start(made))
      // Where the system itself keeps the position, there is nothing to start again with.
      await expectNext(next, source.exactlyOnce === true ? before : await made.add(1))
    }),
    ...alteredOffsets(spec, start, expectNext),
    conformanceCase('stops in the middle of a backlog', system, async (made) => {
      await made.add(2_500)
      const run = start(made)
      await run.take(1)
      await run.stop()
    }),
  ]
  if (spec.endless === true) return cases
  return [
    ...cases,
    conformanceCase('starts with nothing to read, and gives what comes then', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      const first = run.take(1)
      const expected = [...(await made.add(1))]
      assert.deepEqual(ids(await first), expected)
      const later = await made.add(2)
      assert.deepEqual(ids(await run.take(2)), later)
    }),
    conformanceCase('stops while it waits', system, async (made) => {
      const run = start(made)
      const waiting = run.take(1).then(
        () => assert.fail('a record out of nothing'),
        () => undefined,
      )
      // Past the start, into the wait: the next timer comes after what is ready now.
      await new Promise((resolve) => setTimeout(resolve, 20))
      await run.stop()
      await waiting
    }),
  ]
}

/** What {@link Source.alterOffsets} has to do, where there is one. */
function alteredOffsets<S extends Settings>(
  { source, system }: SourceConformance<S>,
  start: (made: SourceSystem, options?: SourceRunOptions) => SourceRun,
  expectNext: (run: SourceRun, expected: readonly string[]) => Promise<void>,
): ConformanceCase[] {
  const { alterOffsets } = source
  if (alterOffsets === undefined) return []
  const alter = async (made: SourceSystem, offsets: Parameters<typeof alterOffsets>[1]) =>
    alterOffsets(parseConfig(source, made.config), offsets, {
      connector: source.name,
      signal: new AbortController().signal,
      log: recordingLogger([]),
    })
  return [
    conformanceCase('goes on from offsets that it was set back to', system, async (made, stopLater) => {
      const expected = await made.add(6)
      const run = stopLater(start(made))
      await run.take(6)
      await run.acknowledge(2)
      const earlier = [...run.offsets]
      await run.acknowledge()
      await run.stop()
      const answer = await alter(made, earlier)
      assert.equal(await alter(made, earlier), answer, 'asked again, it says something else')
      // Where the system itself keeps the position, it stays.
      if (source.exactlyOnce === true) await expectNext(stopLater(start(made, { offsets: earlier })), expected.slice(2))
    }),
    conformanceCase('lets offsets be forgotten, whatever they are', system, async (made, stopLater) => {
      await made.add(2)
      const run = stopLater(start(made))
      await run.take(2)
      await run.acknowledge()
      await run.stop()
      const partitions = [...[...run.offsets].map(({ partition }) => partition), { conformance: 'unknown' }]
      await alter(
        made,
        partitions.map((partition) => ({ partition, offset: null })),
      )
      await alter(made, [])
    }),
  ]
}
