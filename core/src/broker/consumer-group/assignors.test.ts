import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { range, uniform, type AssignorMember } from './assignors.ts'
import { each, noPartitions, partitionSet, type PartitionSet } from './partition-set.ts'

const member = (
  memberId: string,
  topics: readonly string[],
  current = noPartitions,
  instanceId: string | null = null,
) => ({ memberId, instanceId, topics: new Set(topics), current }) satisfies AssignorMember

const sizeOf = (set: PartitionSet | undefined) => [...each(set ?? noPartitions)].length

/** Topics with their sizes, and members that subscribe to some of them. */
const groups = fc.record({
  counts: fc.array(fc.integer({ min: 1, max: 12 }), { minLength: 1, maxLength: 6 }),
  members: fc.array(fc.array(fc.boolean(), { minLength: 6, maxLength: 6 }), { minLength: 1, maxLength: 8 }),
})

function build({ counts, members }: { counts: number[]; members: boolean[][] }) {
  const topics = new Map(counts.map((count, i) => [`t${i}`, count] as const))
  const subscribed = members.map((wants, i) =>
    member(
      `m${i}`,
      [...topics.keys()].filter((_, t) => wants[t]),
    ),
  )
  return { topics, subscribed }
}

/** Each partition that somebody wants is with exactly one member, who wants it; nothing else is with anybody. */
function expectComplete(
  members: readonly AssignorMember[],
  topics: ReadonlyMap<string, number>,
  targets: Map<string, PartitionSet>,
) {
  const owners = new Map<string, string>()
  for (const { memberId, topics: wanted } of members) {
    for (const [topicId, partition] of each(targets.get(memberId)!)) {
      const key = `${topicId}-${partition}`
      expect(owners.has(key), key).toBe(false)
      expect(wanted.has(topicId)).toBe(true)
      owners.set(key, memberId)
    }
  }
  const wanted = [...topics].filter(([topicId]) => members.some((each) => each.topics.has(topicId)))
  expect(owners.size).toBe(wanted.reduce((sum, [, count]) => sum + count, 0))
}

/** How few partitions the most loaded member can have: by trying, with augmenting paths. */
function leastMaximum(members: readonly AssignorMember[], topics: ReadonlyMap<string, number>): number {
  const slots = [...topics].flatMap(([topicId, count]) => Array<string>(count).fill(topicId))
  const able = slots.map((topicId) => members.flatMap(({ topics: wanted }, i) => (wanted.has(topicId) ? [i] : [])))
  const wantedSlots = able.filter((each) => each.length > 0)
  /** How many find a place when no one has more than so many. */
  const fitting = (limit: number): number => {
    const held: number[][] = members.map(() => [])
    let placed = 0
    const place = (slot: number, seen: Set<number>): boolean => {
      for (const i of wantedSlots[slot]!) {
        if (seen.has(i)) continue
        seen.add(i)
        if (held[i]!.length < limit) {
          held[i]!.push(slot)
          return true
        }
        for (let k = 0; k < held[i]!.length; k++) {
          if (!place(held[i]![k]!, seen)) continue
          held[i]![k] = slot
          return true
        }
      }
      return false
    }
    for (let slot = 0; slot < wantedSlots.length; slot++) if (place(slot, new Set())) placed++
    return placed
  }
  let most = 0
  while (fitting(most) < wantedSlots.length) most++
  return most
}

describe('uniform', () => {
  test('gives each wanted partition to one subscriber, as evenly as can be', () => {
    fc.assert(
      fc.property(groups, (shape) => {
        const { topics, subscribed } = build(shape)
        const targets = uniform(subscribed, topics)
        expectComplete(subscribed, topics, targets)
        const most = Math.max(...subscribed.map(({ memberId }) => sizeOf(targets.get(memberId))))
        expect(most).toBe(leastMaximum(subscribed, topics))
      }),
    )
  })

  test('with one subscription for all, no two differ by more than one', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(9), { minLength: 1, maxLength: 5 }), fc.integer({ min: 1, max: 9 }), (sizes, n) => {
        const topics = new Map(sizes.map((size, i) => [`t${i}`, size + 1] as const))
        const members = Array.from({ length: n }, (_, i) => member(`m${i}`, [...topics.keys()]))
        const loads = [...uniform(members, topics).values()].map(sizeOf)
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1)
      }),
    )
  })

  test('moves no more than it has to when members come and go', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 40 }),
        fc.integer({ min: 1, max: 9 }),
        fc.integer({ min: 1, max: 9 }),
        (count, before, after) => {
          const topics = new Map([['t', count]])
          const first = uniform(
            Array.from({ length: before }, (_, i) => member(`m${i}`, ['t'])),
            topics,
          )
          const next = Array.from({ length: after }, (_, i) => member(`m${i}`, ['t'], first.get(`m${i}`)))
          const second = uniform(next, topics)
          const stayed = next.filter(({ memberId }) => first.has(memberId))
          const moved = stayed.reduce((sum, { current, memberId }) => sum + lost(current, second.get(memberId)!), 0)
          // Everyone may keep an even share, and so many of them one more as do not divide evenly.
          const share = Math.floor(count / after)
          const loads = stayed.map(({ current }) => sizeOf(current))
          const more = loads.filter((load) => load > share).length
          const kept = loads.reduce((sum, load) => sum + Math.min(load, share), 0) + Math.min(more, count % after)
          expect(moved).toBe(loads.reduce((sum, load) => sum + load, 0) - kept)
        },
      ),
    )
  })

  const lost = (before: PartitionSet, now: PartitionSet) =>
    [...each(before)].filter(([topicId, partition]) => now.get(topicId)?.has(partition) !== true).length

  test('evens out over a member that has topics in common with both', () => {
    const current = (topicId: string, ...partitions: number[]) => partitionSet([{ topicId, partitions }])
    const topics = new Map([
      ['a', 5],
      ['b', 1],
    ])
    const targets = uniform(
      [
        member('left', ['a'], current('a', 0, 1, 2)),
        member('middle', ['a', 'b'], current('a', 3, 4)),
        member('right', ['b'], current('b', 0)),
      ],
      topics,
    )
    expect([...targets.values()].map(sizeOf).sort()).toEqual([1, 2, 3])
    const wider = uniform(
      [
        member('left', ['a'], current('a', 0, 1, 2)),
        member(
          'middle',
          ['a', 'b'],
          partitionSet([
            { topicId: 'a', partitions: [3] },
            { topicId: 'b', partitions: [0] },
          ]),
        ),
        member('right', ['b'], current('b', 1)),
      ],
      new Map([
        ['a', 4],
        ['b', 2],
      ]),
    )
    expect([...wider.values()].map(sizeOf)).toEqual([2, 2, 2])
  })

  test('drops partitions of a topic that has gone and of subscriptions that were given up', () => {
    const current = partitionSet([
      { topicId: 'gone', partitions: [0] },
      { topicId: 'left', partitions: [0] },
      { topicId: 'kept', partitions: [0, 1] },
    ])
    const topics = new Map([
      ['left', 1],
      ['kept', 1],
    ])
    expect(uniform([member('m', ['kept'], current)], topics)).toEqual(
      new Map([['m', partitionSet([{ topicId: 'kept', partitions: [0] }])]]),
    )
  })

  test('is quick enough for large groups: 10,000 partitions, 1,000 members', () => {
    const topics = new Map(Array.from({ length: 100 }, (_, i) => [`t${i}`, 100] as const))
    const names = [...topics.keys()]
    const members = Array.from({ length: 1000 }, (_, i) => member(`m${i}`, names))
    const first = uniform(members, topics)
    const second = uniform(
      [...members, member('one more', names)].map((each) => ({
        ...each,
        current: first.get(each.memberId) ?? noPartitions,
      })),
      topics,
    )
    expect(sizeOf(second.get('one more'))).toBe(9)
  })
})

describe('range', () => {
  test('gives each wanted partition to one subscriber, in runs that differ by one at most', () => {
    fc.assert(
      fc.property(groups, (shape) => {
        const { topics, subscribed } = build(shape)
        const targets = range(subscribed, topics)
        expectComplete(subscribed, topics, targets)
        for (const topicId of topics.keys()) {
          const runs = subscribed
            .filter((each) => each.topics.has(topicId))
            .map(({ memberId }) => [...(targets.get(memberId)!.get(topicId) ?? [])])
          for (const run of runs) expect(run).toEqual(run.map((_, i) => run[0]! + i))
          const sizes = runs.map((run) => run.length)
          if (sizes.length > 0) expect(Math.max(...sizes) - Math.min(...sizes)).toBeLessThanOrEqual(1)
        }
      }),
    )
  })

  test('gives the same runs of topics of one size, and static members the same after a restart', () => {
    const topics = new Map([
      ['a', 3],
      ['b', 3],
    ])
    const targets = range([member('z', ['a', 'b'], noPartitions, 'one'), member('y', ['a', 'b'])], topics)
    expect(targets.get('z')).toEqual(
      partitionSet([
        { topicId: 'a', partitions: [0, 1] },
        { topicId: 'b', partitions: [0, 1] },
      ]),
    )
    const again = range([member('y', ['a', 'b']), member('another', ['a', 'b'], noPartitions, 'one')], topics)
    expect(again.get('another')).toEqual(targets.get('z'))
  })
})
