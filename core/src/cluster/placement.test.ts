import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { place, type PlacedUnit, type PlacementWorker } from './placement.ts'
import { unitKey } from './unit-key.ts'

const task = (connector: string, number: number, weight = 1): PlacedUnit => ({
  key: unitKey(connector, number),
  connector,
  kind: 'task',
  weight,
})
const connectorUnit = (connector: string): PlacedUnit => ({
  key: unitKey(connector),
  connector,
  kind: 'connector',
  weight: 0,
})
const open = (...ids: string[]): PlacementWorker[] => ids.map((id) => ({ id, state: 'open' }))
const range = (count: number): number[] => [...Array(count).keys()]

function loads(
  owners: ReadonlyMap<string, string>,
  units: readonly PlacedUnit[],
  workers: readonly string[],
): number[] {
  const byWorker = new Map(workers.map((id) => [id, 0]))
  for (const { key, kind, weight } of units) {
    const owner = owners.get(key)
    if (owner !== undefined) byWorker.set(owner, (byWorker.get(owner) ?? 0) + (kind === 'task' ? weight : 1))
  }
  return [...byWorker.values()]
}

const spread = (values: readonly number[]): number => Math.max(...values) - Math.min(...values)

function moved(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): string[] {
  return [...before].filter(([key, id]) => after.get(key) !== id).map(([key]) => key)
}

/** Connectors with some tasks each, by size. */
const clusterUnits = (weights: fc.Arbitrary<number>): fc.Arbitrary<PlacedUnit[]> =>
  fc
    .array(fc.array(weights, { maxLength: 8 }), { maxLength: 12 })
    .map((sizes) =>
      sizes.flatMap((tasks, c) => [connectorUnit(`c${c}`), ...tasks.map((weight, i) => task(`c${c}`, i, weight))]),
    )
const someWorkers = fc.integer({ min: 1, max: 6 }).map((count) => range(count).map((i) => `w${i}`))
const anyWeight = fc.oneof(fc.integer({ min: 1, max: 10 }), fc.double({ min: 0.1, max: 5, noNaN: true }))
/** Any holders at all, some of whom are unknown. */
const holdersOf = (units: readonly PlacedUnit[]): fc.Arbitrary<Map<string, string>> =>
  fc
    .array(fc.option(fc.integer({ min: 0, max: 8 })), { minLength: units.length, maxLength: units.length })
    .map((ids) => new Map(units.flatMap(({ key }, i) => (ids[i] == null ? [] : [[key, `w${ids[i]}`]]))))

describe('place', () => {
  test('gives every unit one owner, balances within the heaviest task, and leaves a placement alone', () => {
    fc.assert(
      fc.property(
        clusterUnits(anyWeight).chain((units) => fc.tuple(fc.constant(units), holdersOf(units))),
        someWorkers,
        ([units, holders], ids) => {
          const owners = place(open(...ids), units, holders)
          expect([...owners.keys()].sort()).toEqual(units.map(({ key }) => key).sort())
          for (const id of owners.values()) expect(ids).toContain(id)
          const tasks = units.filter(({ kind }) => kind === 'task')
          const heaviest = Math.max(0, ...tasks.map(({ weight }) => weight))
          expect(spread(loads(owners, tasks, ids))).toBeLessThanOrEqual(heaviest + 1e-6)
          const connectors = units.filter(({ kind }) => kind === 'connector')
          expect(spread(loads(owners, connectors, ids))).toBeLessThanOrEqual(1)
          expect(moved(owners, place(open(...ids), units, owners))).toEqual([])
        },
      ),
    )
  })

  test('a worker that is away keeps what it has and gets nothing; one that is closed gives all', () => {
    fc.assert(
      fc.property(
        clusterUnits(anyWeight).chain((units) => fc.tuple(fc.constant(units), holdersOf(units))),
        fc.array(fc.constantFrom('open', 'away', 'closed' as const), { minLength: 1, maxLength: 6 }),
        ([units, holders], states) => {
          const workers = states.map((state, i) => ({ id: `w${i}`, state }))
          const owners = place(workers, units, holders)
          for (const { key } of units) {
            const holder = workers.find(({ id }) => id === holders.get(key))
            const owner = workers.find(({ id }) => id === owners.get(key))
            if (holder?.state === 'away') expect(owner).toBe(holder)
            else if (states.includes('open')) expect(owner?.state).toBe('open')
            else expect(owner).toBeUndefined()
          }
        },
      ),
    )
  })

  test('a worker that joins takes its share and nothing else moves; one that leaves gives its own and nothing else moves', () => {
    fc.assert(
      fc.property(clusterUnits(fc.constant(1)), someWorkers, (units, ids) => {
        const before = place(open(...ids), units, new Map())
        const grown = place(open(...ids, 'new'), units, before)
        const tasks = units.filter(({ kind }) => kind === 'task').length
        const connectors = units.length - tasks
        const share = Math.ceil(tasks / (ids.length + 1)) + Math.ceil(connectors / (ids.length + 1))
        const gone = moved(before, grown)
        expect(gone.length).toBeLessThanOrEqual(share)
        for (const key of gone) expect(grown.get(key)).toBe('new')

        const shrunk = place(open(...ids), units, grown)
        for (const key of moved(grown, shrunk)) expect(grown.get(key)).toBe('new')
      }),
    )
  })

  test("spreads a connector's tasks over workers", () => {
    const units = range(4).flatMap((c) => range(3).map((i) => task(`c${c}`, i)))
    const owners = place(open('a', 'b', 'c'), units, new Map())
    for (const c of range(4)) {
      expect(new Set(range(3).map((i) => owners.get(unitKey(`c${c}`, i)))).size).toBe(3)
    }
  })

  test("a worker that joins gets some of each connector's tasks rather than all of one's", () => {
    const units = range(4).flatMap((c) => range(4).map((i) => task(`c${c}`, i)))
    const all = place(open('a'), units, new Map())
    const owners = place(open('a', 'b'), units, all)
    for (const c of range(4)) {
      expect(range(4).filter((i) => owners.get(unitKey(`c${c}`, i)) === 'b')).toHaveLength(2)
    }
  })

  test('looks at so many workers for each unit, not at all units', () => {
    // Counted, not timed: each look at a unit's weight is a step.
    let looks = 0
    const counted = (connector: string, number: number): PlacedUnit => ({
      ...task(connector, number),
      get weight() {
        looks++
        return 1
      },
    })
    const run = (size: number): number => {
      const units = range(size).map((i) => counted(`c${i % 50}`, i))
      const owners = place(open(...range(10).map(String)), units, new Map())
      looks = 0
      place(open(...range(11).map(String)), units, owners)
      return looks
    }
    expect(run(8000) / run(1000)).toBeLessThan(16)
  })
})
