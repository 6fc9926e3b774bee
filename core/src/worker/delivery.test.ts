import type { SourceBatch, SourceRecord } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { DeliveryTracker, type OffsetSnapshot, type TrackedBatch } from './delivery.ts'

const record = (partition: string | undefined, n: number): SourceRecord => ({
  topic: 't',
  value: n,
  ...(partition === undefined ? {} : { sourcePartition: { partition }, sourceOffset: { n } }),
})

const offsetsIn = (snapshot: OffsetSnapshot | undefined): Record<string, unknown> => {
  const offsets: Record<string, unknown> = {}
  for (const { partition, offset } of snapshot?.offsets ?? []) offsets[String(partition['partition'])] = offset['n']
  return offsets
}

describe('DeliveryTracker', () => {
  test('one late acknowledgement holds back its own partitions only', () => {
    const tracker = new DeliveryTracker()
    tracker.track([record('a', 1)])
    const second = tracker.track([record('a', 2), record('b', 2)])
    tracker.acknowledge(second)
    expect(offsetsIn(tracker.takeOffsets())).toEqual({ b: 2 })
  })

  test('the last offset of a batch counts, whichever way its records alternate', () => {
    const tracker = new DeliveryTracker()
    const batch = tracker.track([record('a', 1), record('b', 1), record('a', 2), record('b', 2), record('a', 3)])
    tracker.acknowledge(batch)
    expect(offsetsIn(tracker.takeOffsets())).toEqual({ a: 3, b: 2 })
    expect(tracker.takeOffsets()).toBeUndefined()
  })

  test('partitions are the same by contents, whatever the order of their keys', () => {
    const tracker = new DeliveryTracker()
    tracker.track([{ topic: 't', value: 1, sourcePartition: { x: 1, y: 2 }, sourceOffset: { n: 1 } }])
    const second = tracker.track([{ topic: 't', value: 1, sourcePartition: { y: 2, x: 1 }, sourceOffset: { n: 2 } }])
    tracker.acknowledge(second)
    expect(tracker.hasOffsets).toBe(false)
  })

  test('offsets without a record come after those of the records', () => {
    const tracker = new DeliveryTracker()
    const partition = { partition: 'a' }
    tracker.acknowledge(tracker.track({ records: [record('a', 1)], offsets: [{ partition, offset: { n: 9 } }] }))
    expect(offsetsIn(tracker.takeOffsets())).toEqual({ a: 9 })
  })

  test('durable waits for the offsets of its own batch, not for those of batches that have none to call', () => {
    const tracker = new DeliveryTracker()
    const durable = (): void => undefined
    const plain = tracker.track([record('a', 1)])
    const told = tracker.track({ records: [record(undefined, 1)], durable })
    const last = tracker.track({ records: [record('a', 2)], durable })
    for (const batch of [last, told, plain]) tracker.acknowledge(batch)
    expect(tracker.takeDurable()).toEqual([told])
    expect(tracker.storeIsAwaited).toBe(true)
    const snapshot = tracker.takeOffsets()!
    expect(offsetsIn(snapshot)).toEqual({ a: 2 })
    expect(tracker.takeDurable()).toEqual([])
    tracker.stored(snapshot)
    expect(tracker.takeDurable()).toEqual([last])
    expect(tracker.storeIsAwaited).toBe(false)
  })

  test('offsets that could not be stored come again, unless newer ones do', () => {
    const tracker = new DeliveryTracker()
    tracker.acknowledge(tracker.track([record('a', 1), record('b', 1)]))
    const lost = tracker.takeOffsets()!
    tracker.acknowledge(tracker.track([record('a', 2)]))
    tracker.putBack(lost)
    expect(offsetsIn(tracker.takeOffsets())).toEqual({ a: 2, b: 1 })
  })

  test('offsets that could not be stored twice come in their order', () => {
    const tracker = new DeliveryTracker()
    tracker.acknowledge(tracker.track([record('a', 1)]))
    const first = tracker.takeOffsets()!
    tracker.acknowledge(tracker.track([record('a', 2)]))
    tracker.putBack(first)
    const second = tracker.takeOffsets()!
    tracker.putBack(second)
    expect(offsetsIn(tracker.takeOffsets())).toEqual({ a: 2 })
  })

  test('bytes count until the acknowledgement', () => {
    const tracker = new DeliveryTracker()
    const batch = tracker.track([record('a', 1)])
    tracker.addBytes(batch, 100)
    expect(tracker.bytes).toBe(100)
    tracker.acknowledge(batch)
    tracker.acknowledge(batch)
    expect(tracker.bytes).toBe(0)
  })
})

/** The rules, said as slowly as can be: every question is answered from the whole history. */
class Model {
  readonly batches: { records: [string, number][]; durable: boolean; acked: boolean }[] = []
  readonly stored = new Map<string, number>()
  called = 0

  committable(): Map<string, number> {
    const offsets = new Map<string, number>()
    const blocked = new Set<string>()
    for (const { records, acked } of this.batches) {
      for (const [partition, n] of records) {
        if (!acked) blocked.add(partition)
        else if (!blocked.has(partition)) offsets.set(partition, n)
      }
    }
    return offsets
  }

  /** Indexes of the batches whose durable has to have been called. */
  durable(): number[] {
    const due: number[] = []
    for (const [i, { records, durable, acked }] of this.batches.entries()) {
      if (!acked) break
      if (!durable) continue
      if (records.some(([partition, n]) => (this.stored.get(partition) ?? -1) < n)) break
      due.push(i)
    }
    return due
  }
}

type Step =
  | { kind: 'track'; partitions: number[]; durable: boolean; extra: boolean }
  | { kind: 'ack'; pick: number }
  | { kind: 'take' }
  | { kind: 'stored' }
  | { kind: 'lost' }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant('track' as const),
      partitions: fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 4 }),
      durable: fc.boolean(),
      extra: fc.boolean(),
    }),
  },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('ack' as const), pick: fc.nat() }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'take' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'stored' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'lost' as const }) },
)

test('any order of acknowledgements: stored is an unbroken run, durable comes in order and only when stored', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const tracker = new DeliveryTracker()
      const model = new Model()
      const tracked: TrackedBatch[] = []
      const open: number[] = []
      const called: number[] = []
      let next = 0
      let snapshot: OffsetSnapshot | undefined
      for (const current of steps) {
        if (current.kind === 'track') {
          const records = current.partitions.map((p): [string, number] => [`p${p}`, next++])
          const batch: SourceBatch = {
            records: records.map(([partition, n]) => record(partition, n)),
            ...(current.durable ? { durable: () => undefined } : {}),
            ...(current.extra ? { offsets: [{ partition: { partition: 'p0' }, offset: { n: next } }] } : {}),
          }
          if (current.extra) records.push(['p0', next++])
          open.push(tracked.length)
          tracked.push(tracker.track(batch))
          model.batches.push({ records, durable: current.durable, acked: false })
        } else if (current.kind === 'ack' && open.length > 0) {
          const [index] = open.splice(current.pick % open.length, 1)
          tracker.acknowledge(tracked[index!]!)
          model.batches[index!]!.acked = true
        } else if (current.kind === 'take' && snapshot === undefined) {
          snapshot = tracker.takeOffsets()
        } else if (current.kind === 'stored' && snapshot !== undefined) {
          tracker.stored(snapshot)
          for (const [partition, n] of Object.entries(offsetsIn(snapshot))) {
            expect(n).toBeGreaterThan(model.stored.get(partition) ?? -1)
            model.stored.set(partition, n as number)
          }
          snapshot = undefined
        } else if (current.kind === 'lost' && snapshot !== undefined) {
          tracker.putBack(snapshot)
          snapshot = undefined
        }
        for (const [partition, n] of model.stored) expect(n).toBeLessThanOrEqual(model.committable().get(partition)!)
        called.push(...tracker.takeDurable().map((batch) => tracked.indexOf(batch)))
        expect(called).toEqual(model.durable())
      }
      // Once all is acknowledged and stored, nothing is left over.
      for (const index of open) {
        tracker.acknowledge(tracked[index]!)
        model.batches[index]!.acked = true
      }
      if (snapshot !== undefined) tracker.putBack(snapshot)
      const rest = tracker.takeOffsets()
      for (const [partition, n] of Object.entries(offsetsIn(rest))) model.stored.set(partition, n as number)
      if (rest !== undefined) tracker.stored(rest)
      expect(Object.fromEntries(model.stored)).toEqual(Object.fromEntries(model.committable()))
      called.push(...tracker.takeDurable().map((batch) => tracked.indexOf(batch)))
      expect(called).toEqual(model.batches.flatMap(({ durable }, i) => (durable ? [i] : [])))
    }),
    { numRuns: 1000 },
  )
})
