import assert from 'node:assert/strict'
import type { Settings } from '../config.ts'
import type { Sink } from '../connector.ts'
import type { SinkRecord } from '../record.ts'
import { recordingLogger } from './logs.ts'
import { parseConfig } from './parse-config.ts'
import { conformanceCase, reportsMissingSettings, type ConformanceCase, type ConformanceSystem } from './conformance.ts'
import { runSink, sinkRecord, type SinkRun, type SinkRunOptions } from './sink-run.ts'

/** An external system that a sink writes to. */
export interface SinkSystem extends ConformanceSystem {
  /** All texts (see {@link SinkConformance.record}) that a reader which has nothing to do with the sink finds now. */
  read(): readonly string[] | Promise<readonly string[]>
}

/** A sink under test and its driver. */
export interface SinkConformance<S extends Settings> {
  readonly sink: Sink<S>
  /** An empty system. Called for each case. */
  readonly system: () => SinkSystem | Promise<SinkSystem>
  /** The record that carries a text to the system. Default: the text as its value. */
  readonly record?: (text: string) => Partial<SinkRecord>
  /** Whether each record is there once, also when it was delivered twice. Default: it may be doubled, not lost. */
  readonly exactlyOnce?: boolean
  /** Whether `read` tells the order of writing; then it is checked for each topic partition. Default: true. */
  readonly ordered?: boolean
  /** Longest that a call of the task may take. Default 4 s. */
  readonly timeoutMs?: number
}

/**
 * What every sink has to do.
 *
 * ```ts
 * const cases = sinkConformance({
 *   sink: fileSink,
 *   system: () => ({ config: { file }, read: () => readLines(file) }),
 * })
 * for (const { name, run } of cases) test(name, run)
 * ```
 */
export function sinkConformance<S extends Settings>(spec: SinkConformance<S>): ConformanceCase[] {
  const { sink, system, ordered = true, exactlyOnce = false, record = (text) => ({ value: text }) } = spec
  const options = spec.timeoutMs === undefined ? {} : { timeoutMs: spec.timeoutMs }
  const start = ({ config }: SinkSystem, more: SinkRunOptions = {}) => runSink(sink, config, { ...options, ...more })

  /** `p0-3` is at offset 3 of partition 0. */
  const records = (partition: number, from: number, to: number) =>
    texts(partition, from, to).map((text, index) =>
      sinkRecord({ key: text, ...record(text), partition, offset: from + index }),
    )

  /** That a fresh reader finds these, once where that is due, in order where that shows. */
  const expectStored = async (made: SinkSystem, expected: readonly string[], once: boolean) => {
    const found = await made.read()
    const firsts = [...new Set(found)]
    assert.deepEqual(firsts.toSorted(), expected.toSorted())
    if (once) assert.equal(found.length, firsts.length, 'a record is there twice')
    if (!ordered) return
    for (const partition of [0, 1]) {
      const own = (all: readonly string[]) => all.filter((text) => text.startsWith(`p${partition}-`))
      assert.deepEqual(own(firsts), own(expected), `order of partition ${partition}`)
    }
  }

  return [
    reportsMissingSettings(sink, system),
    conformanceCase('has made durable what was put when flush returns, in order', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      for (let at = 0; at < 300; at += 100) {
        const [zero, one] = [records(0, at, at + 100), records(1, at, at + 100)]
        await run.put(zero.flatMap((first, index) => [first, one[index]!]))
      }
      await run.flush()
      await expectStored(made, [...texts(0, 0, 300), ...texts(1, 0, 300)], true)
    }),
    conformanceCase('commits nothing that was not put', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put(records(0, 0, 10))
      await run.flush()
      const committed = run.committed.get({ topic: 'topic', partition: 0 }) ?? 0
      assert.ok(committed <= 10, `offset ${committed} is committed after 10 records`)
    }),
    conformanceCase('takes empty batches at any time', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put([])
      await run.flush()
      await run.put(records(0, 0, 1))
      await run.put([])
      await run.flush()
      await run.flush()
      await expectStored(made, texts(0, 0, 1), true)
    }),
    conformanceCase('ends without ever having had a record or a partition', system, async (made) => {
      const idle = start(made)
      await idle.open([])
      await idle.stop()
      const assigned = start(made)
      await assigned.open([{ topic: 'topic', partition: 0 }])
      await assigned.close()
      await assigned.stop()
      await assigned.stop()
    }),
    conformanceCase('goes on after a clean end', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put(records(0, 0, 5))
      await run.close()
      await run.stop()
      const next = stopLater(start(made, { committed: run.committed }))
      await next.put(records(0, 0, 8))
      await next.flush()
      await expectStored(made, texts(0, 0, 8), true)
    }),
    conformanceCase('loses nothing when it ends without a flush', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put(records(0, 0, 5))
      await run.flush()
      await run.put(records(0, 5, 8))
      await run.stop()
      const next = stopLater(start(made, { committed: run.committed }))
      await next.put(records(0, 0, 10))
      await next.flush()
      await expectStored(made, texts(0, 0, 10), exactlyOnce)
    }),
    conformanceCase('takes again what it had flushed, when the commit was lost', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put([...records(0, 0, 5), ...records(1, 0, 5)])
      await run.flush()
      await run.stop()
      const next = stopLater(start(made))
      await next.put([...records(0, 0, 6), ...records(1, 0, 6)])
      await next.flush()
      await expectStored(made, [...texts(0, 0, 6), ...texts(1, 0, 6)], exactlyOnce)
    }),
    conformanceCase('lets partitions go and takes them back', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put([...records(0, 0, 3), ...records(1, 0, 3)])
      await run.close([{ topic: 'topic', partition: 1 }])
      await run.put(records(0, 3, 6))
      await run.put(records(1, 0, 6)) // opened anew at the committed offset
      await run.flush()
      await expectStored(made, [...texts(0, 0, 6), ...texts(1, 0, 6)], true)
    }),
    conformanceCase(
      'tells records apart by where they are in the log, whatever transforms made of their topics',
      system,
      async (made, stopLater) => {
        // Two topics that a router made one: their records have the same partition and offsets there.
        const routed = (partition: number, count: number) =>
          records(partition, 0, count).map((one) => ({
            ...one,
            topic: 'routed',
            partition: 0,
            originalTopic: `topic-${partition}`,
            originalKafkaPartition: 0,
          }))
        const run = stopLater(start(made))
        await run.put([...routed(0, 5), ...routed(1, 3)])
        await run.flush()
        const ends = [0, 1].map((i) => run.committed.get({ topic: `topic-${i}`, partition: 0 }))
        assert.ok((ends[0] ?? 0) <= 5 && (ends[1] ?? 0) <= 3, `offsets ${ends.join()} are committed of 5 and 3`)
        assert.equal(run.committed.get({ topic: 'routed', partition: 0 }), undefined, 'an offset of no topic')
        await run.stop()
        const next = stopLater(start(made))
        await next.put([...routed(0, 6), ...routed(1, 6)])
        await next.flush()
        await expectStored(made, [...texts(0, 0, 6), ...texts(1, 0, 6)], exactlyOnce)
      },
    ),
    ...alteredOffsets(spec, start, records),
  ]
}

/** What {@link Sink.alterOffsets} has to do, where there is one. */
function alteredOffsets<S extends Settings>(
  { sink, system }: SinkConformance<S>,
  start: (made: SinkSystem, options?: SinkRunOptions) => SinkRun,
  records: (partition: number, from: number, to: number) => SinkRecord[],
): ConformanceCase[] {
  const { alterOffsets } = sink
  if (alterOffsets === undefined) return []
  return [
    conformanceCase('goes on from offsets that it was set to', system, async (made, stopLater) => {
      const run = stopLater(start(made))
      await run.put(records(0, 0, 3))
      await run.flush()
      await run.stop()
      /** The first offset that a next run wants, with the group's offset changed as the sink is told. */
      const startAt = async (offset: number | null) => {
        const changes = [{ topic: 'topic', partition: 0, offset }]
        const signal = new AbortController().signal
        const context = { connector: sink.name, signal, log: recordingLogger([]), reset: false }
        const config = parseConfig(sink, made.config)
        const answer = await alterOffsets(config, changes, context)
        assert.equal(await alterOffsets(config, changes, context), answer, 'asked again, it says something else')
        return stopLater(start(made, { committed: offset === null ? [] : [{ topic: 'topic', partition: 0, offset }] }))
      }
      const ahead = await startAt(5)
      await ahead.put(records(0, 0, 8))
      await ahead.flush()
      await ahead.stop()
      assert.deepEqual([...new Set(await made.read())].toSorted(), [...texts(0, 0, 3), ...texts(0, 5, 8)])
      const anew = await startAt(null)
      await anew.put(records(0, 0, 8))
      await anew.flush()
      assert.deepEqual([...new Set(await made.read())].toSorted(), texts(0, 0, 8))
    }),
  ]
}

function texts(partition: number, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, index) => `p${partition}-${from + index}`)
}
