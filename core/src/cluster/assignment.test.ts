import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decide, type DecisionInputs } from './assignment.ts'
import {
  assignmentKey,
  encodeAssignment,
  parseAssignment,
  parseWorker,
  encodeWorker,
  workerIdOf,
  workerKey,
  type Assignment,
  type WorkerRecord,
} from './assignment-records.ts'
import type { Unit } from './cluster.ts'
import { ClusterModel, type ModelEvent } from './testing/cluster-model.ts'
import { unitKey } from './unit-key.ts'

const tasks = (connector: string, count: number): Unit[] => [
  { connector, weight: 0 },
  ...[...Array(count).keys()].map((task) => ({ connector, task, weight: 1 })),
]
const record = (session: string, changes: Partial<WorkerRecord> = {}): WorkerRecord => ({
  url: `http://${session}`,
  session,
  released: -1,
  draining: false,
  left: false,
  ...changes,
})
const members = (...ids: string[]): Map<string, { url: string }> =>
  new Map(ids.map((id) => [id, { url: `http://${id}` }]))
const inputs = (changes: Partial<DecisionInputs>): DecisionInputs => ({
  round: 1,
  leader: 'a',
  members: members('a'),
  records: new Map([
    ['a', record('a1')],
    ['b', record('b1')],
  ]),
  work: tasks('c', 2),
  nowMs: 1000,
  maxDelayMs: 500,
  ...changes,
})
const owned = (assignment: Assignment | undefined, id: string): string[] => [
  ...(assignment?.workers.get(id)?.owns ?? []),
]
const giving = (assignment: Assignment | undefined, id: string): string[] =>
  assignment?.workers.get(id)?.giving.flatMap(({ units }) => [...units]) ?? []

describe('decide', () => {
  test('gives all to a lone worker, and has nothing more to say', () => {
    const first = decide(undefined, inputs({}))
    expect(owned(first, 'a').sort()).toEqual(['0:c', '1:c', ':c'])
    expect(first?.generation).toBe(1)
    expect(decide(first, inputs({}))).toBeUndefined()
  })

  test('moves a task in two steps: given up, said to have stopped, given to another', () => {
    const first = decide(undefined, inputs({}))
    const both = { round: 2, members: members('a', 'b') }
    const second = decide(first, inputs(both))
    expect(giving(second, 'a')).toHaveLength(1)
    expect(owned(second, 'b')).toEqual([])
    expect(decide(second, inputs(both))).toBeUndefined()
    const records = new Map([
      ['a', record('a1', { released: 2 })],
      ['b', record('b1')],
    ])
    const third = decide(second, inputs({ ...both, records }))
    expect(giving(third, 'a')).toEqual([])
    expect(owned(third, 'b')).toEqual(giving(second, 'a'))
  })

  test('what was released by an earlier life of the worker, or before it was asked, does not count', () => {
    const first = decide(undefined, inputs({}))
    const both = { round: 2, members: members('a', 'b') }
    const second = decide(first, inputs(both))
    const released = (of: WorkerRecord) =>
      decide(
        second,
        inputs({
          ...both,
          records: new Map([
            ['a', of],
            ['b', record('b1')],
          ]),
        }),
      )
    expect(owned(released(record('a1', { released: 1 })), 'b')).toEqual([])
    expect(owned(released(record('a1', { released: 2 })), 'b')).toHaveLength(1)
  })

  test('a worker that vanished is waited for until its deadline, which the next leader keeps', () => {
    const both = { round: 2, members: members('a', 'b') }
    const placed = decide(undefined, inputs({ ...both, work: tasks('c', 4) }))
    const had = owned(placed, 'b')
    const gone = { round: 3, members: members('a'), work: tasks('c', 4) }
    const away = decide(placed, inputs(gone))
    expect(away?.workers.get('b')?.awayUntil).toBe(1500)
    expect(owned(away, 'b')).toEqual(had)
    const later = decide(away, inputs({ ...gone, round: 4, nowMs: 1400 }))
    expect(later?.workers.get('b')?.awayUntil).toBe(1500)
    const over = decide(later, inputs({ ...gone, round: 4, nowMs: 1500 }))
    expect(over?.workers.has('b')).toBe(false)
    expect(owned(over, 'a')).toHaveLength(5)
  })

  test('what a worker was giving up is free as soon as it is out of the group', () => {
    const both = { round: 2, members: members('a', 'b'), leader: 'b' }
    const first = decide(undefined, inputs({}))
    const asked = decide(first, inputs(both))
    const moving = giving(asked, 'a')
    const away = decide(asked, inputs({ round: 3, leader: 'b', members: members('b') }))
    expect(owned(away, 'b')).toEqual(moving)
    expect(owned(away, 'a')).toHaveLength(2)
  })

  test('what was taken from a worker without its word is told by the generation since which nothing was', () => {
    const both = { round: 2, members: members('a', 'b'), leader: 'b', work: tasks('c', 4) }
    const without = { ...both, round: 3, members: members('b') }
    const sinceOfA = (assignment: Assignment | undefined): number | undefined => assignment?.workers.get('a')?.since
    const alone = decide(undefined, inputs({ leader: 'b', work: tasks('c', 4) }))
    const asked = decide(alone, inputs(both))
    expect(sinceOfA(asked)).toBe(1)
    expect(giving(asked, 'a')).not.toEqual([])
    // What it was giving up is the other's now.
    expect(sinceOfA(decide(asked, inputs(without)))).toBe(3)

    const placed = decide(undefined, inputs(both))
    const away = decide(placed, inputs(without))
    expect(sinceOfA(decide(away, inputs({ ...both, round: 4 })))).toBe(1)
    expect(sinceOfA(decide(away, inputs({ ...without, work: [] })))).toBe(3)
    const over = decide(away, inputs({ ...without, nowMs: 1500 }))
    expect(sinceOfA(decide(over, inputs({ ...both, round: 4, nowMs: 1600 })))).toBe(4)
  })

  test('a worker that left gives all at once, though the group may not know yet', () => {
    const both = { round: 2, members: members('a', 'b') }
    const placed = decide(undefined, inputs({ ...both }))
    const records = new Map([
      ['a', record('a1')],
      ['b', record('b1', { left: true })],
    ])
    expect(owned(decide(placed, inputs({ ...both, records })), 'a')).toHaveLength(3)
  })

  test('a worker that drains gives all in two steps; a lone one gives to nobody', () => {
    const drains = new Map([['a', record('a1', { draining: true })]])
    const first = decide(undefined, inputs({}))
    const draining = decide(first, inputs({ records: drains }))
    expect(draining?.workers.get('a')?.draining).toBe(true)
    expect(owned(draining, 'a')).toEqual([])
    expect(giving(draining, 'a')).toHaveLength(3)
    const done = decide(draining, inputs({ records: new Map([['a', record('a1', { draining: true, released: 2 })]]) }))
    expect(giving(done, 'a')).toEqual([])
    expect(owned(done, 'a')).toEqual([])
  })

  test('a task that was deleted and made again goes to no other while its old copy may be stopping', () => {
    const both = { round: 2, members: members('a', 'b') }
    const placed = decide(undefined, inputs({ ...both, work: tasks('c', 1) }))
    const holder = owned(placed, 'a').includes('0:c') ? 'a' : 'b'
    const without = decide(placed, inputs({ ...both, work: [{ connector: 'c', weight: 0 }] }))
    expect(giving(without, holder)).toEqual(['0:c'])
    // The other one is the better place now, since its fellow has a task already.
    const work = [...tasks('c', 1), { connector: 'd', task: 0, weight: 1 }, { connector: 'e', task: 0, weight: 3 }]
    const again = decide(without, inputs({ ...both, work }))
    const other = holder === 'a' ? 'b' : 'a'
    expect(owned(again, other)).not.toContain('0:c')
    expect([...owned(again, holder), ...giving(again, holder)]).toContain('0:c')
  })

  test('where nobody of those who shared the work is left, nobody is waited for', () => {
    const first = decide(undefined, inputs({}))
    const renamed = decide(first, inputs({ round: 7, leader: 'b', members: members('b') }))
    expect(owned(renamed, 'b')).toHaveLength(3)
    expect(renamed?.workers.has('a')).toBe(false)
  })
})

describe('no unit is ever with two workers', () => {
  const worker = fc.constantFrom('a', 'b', 'c', 'd')
  const unit = fc.record({
    connector: fc.constantFrom('x', 'y'),
    task: fc.integer({ min: 0, max: 3 }),
    weight: fc.integer({ min: 1, max: 3 }),
  })
  const of = (...types: string[]) => fc.constantFrom(...types) as fc.Arbitrary<never>
  const event: fc.Arbitrary<ModelEvent> = fc.oneof(
    { weight: 12, arbitrary: fc.record({ type: of('read', 'readAll', 'release'), worker }) },
    { weight: 1, arbitrary: fc.record({ type: of('missAll'), worker }) },
    { weight: 8, arbitrary: fc.record({ type: of('decide', 'hear') }) },
    { weight: 5, arbitrary: fc.record({ type: of('join', 'return'), worker }) },
    { weight: 4, arbitrary: fc.record({ type: of('vanish', 'crash', 'replace', 'drain', 'stop', 'leave'), worker }) },
    { weight: 5, arbitrary: fc.record({ type: of('add', 'add', 'remove'), unit }) },
    { weight: 1, arbitrary: fc.constant({ type: 'newLeader' } as const) },
    { weight: 1, arbitrary: fc.record({ type: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 1500 }) }) },
  )

  test('whatever comes to pass; and when it is quiet again, all is placed and balanced', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 150, size: 'max' }), (events) => {
        const model = new ClusterModel()
        for (const each of events) {
          model.apply(each)
          for (const key of model.units.keys()) expect(model.runners(key).length).toBeLessThan(2)
          expect(model.outdated).toEqual([])
          const holders = [...(model.last?.workers.values() ?? [])].flatMap((part) => [
            ...part.owns,
            ...part.giving.flatMap(({ units }) => [...units]),
          ])
          expect(new Set(holders).size).toBe(holders.length)
        }
        model.apply({ type: 'join', worker: 'e' })
        model.settle()
        for (const key of model.units.keys()) expect(model.runners(key)).toHaveLength(1)
        for (const life of model.lives.values())
          for (const key of life.running.keys()) expect(model.units.has(key)).toBe(true)
        const open = [...model.last!.workers.values()].filter((part) => !part.draining && part.awayUntil === undefined)
        const weight = (key: string): number => model.units.get(key)!.weight
        const loads = open.map(({ owns }) => [...owns].reduce((sum, key) => sum + weight(key), 0))
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(3)
      }),
      { numRuns: 200 },
    )
  }, 60_000)
})

describe('records', () => {
  test('come back as they went, whatever the names', () => {
    const name = fc.oneof(fc.string({ minLength: 1 }), fc.constantFrom('__proto__', 'a:b', '7:x', ':'))
    const units = fc
      .array(fc.tuple(name, fc.option(fc.nat(20), { nil: undefined })))
      .map((list) => new Set(list.map(([connector, task]) => unitKey(connector, task))))
    const part = fc.record({
      url: fc.string(),
      session: fc.string(),
      since: fc.nat(),
      draining: fc.boolean(),
      owns: units,
      giving: fc.array(fc.record({ generation: fc.nat(), units })),
    })
    const assignment = fc.record({
      generation: fc.nat(),
      round: fc.nat(),
      leader: name,
      workers: fc.array(fc.tuple(name, part)).map((list) => new Map(list)),
    })
    fc.assert(
      fc.property(assignment, (given) => {
        const text = encodeAssignment('g', given)
        expect(parseAssignment('g', text)).toEqual(given)
        expect(parseAssignment('other', text)).toBeUndefined()
      }),
    )
  })

  test("a worker's key tells its id, to its own group alone", () => {
    expect(workerIdOf('g', workerKey('g', 'host:8083'))).toBe('host:8083')
    expect(workerIdOf('g', workerKey('h', 'host:8083'))).toBeUndefined()
    expect(workerIdOf('g', assignmentKey('g'))).toBeUndefined()
    const text = encodeWorker('g-1', 'a', record('s'))
    expect(parseWorker('g-1', text)).toEqual(record('s'))
    expect(parseWorker('g', text)).toBeUndefined()
  })

  test('of a version to come are refused', () => {
    expect(() => parseAssignment('g', '{"version":2}')).toThrow('version')
    expect(() => parseWorker('g', '{"version":2}')).toThrow('version')
  })
})
