import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { TopicPartition } from '@tidewire/sdk'
import type { Subscriber } from './assignors.ts'
import { assignCooperativeSticky } from './sticky-assignor.ts'

type Assignment = ReadonlyMap<string, readonly TopicPartition[]>

const parse = (text: string): TopicPartition[] =>
  text === '' ? [] : text.split(' ').map((each) => ({ topic: each[0]!, partition: Number(each.slice(1)) }))
const textOf = (partitions: readonly TopicPartition[]): string =>
  partitions
    .map(({ topic, partition }) => `${topic}${partition}`)
    .sort()
    .join(' ')
const texts = (assignment: Assignment): Record<string, string> =>
  Object.fromEntries([...assignment].map(([id, partitions]) => [id, textOf(partitions)]))

const member = (memberId: string, topics: string, owned = '', generation = owned === '' ? -1 : 1): Subscriber => ({
  memberId,
  groupInstanceId: null,
  topics: topics.split(''),
  owned: parse(owned),
  generation,
})

const assign = (members: readonly Subscriber[], sizes: Record<string, number>): Assignment =>
  assignCooperativeSticky(members, (topic) => sizes[topic] ?? 0)

/** What the members say in the next round, having taken what they were given. */
const next = (members: readonly Subscriber[], assignment: Assignment, generation: number): Subscriber[] =>
  members.map((each) => ({ ...each, owned: assignment.get(each.memberId)!, generation }))

const loads = (assignment: Assignment): number[] => [...assignment.values()].map((each) => each.length)

describe('the cooperative-sticky assignor', () => {
  test('shares out evenly what nobody has', () => {
    expect(texts(assign([member('m2', 'ab'), member('m1', 'ab')], { a: 3, b: 3 }))).toEqual({
      m1: 'a0 a2 b1',
      m2: 'a1 b0 b2',
    })
  })

  test('gives to a new member in two rounds, and moves no more than its share', () => {
    const members = [member('m1', 'a', 'a0 a1 a2'), member('m2', 'a', 'a3 a4 a5'), member('m3', 'a')]
    const first = assign(members, { a: 6 })
    expect(texts(first)).toEqual({ m1: 'a0 a1', m2: 'a3 a4', m3: '' })
    expect(texts(assign(next(members, first, 2), { a: 6 }))).toEqual({ m1: 'a0 a1', m2: 'a3 a4', m3: 'a2 a5' })
  })

  test('shares out what a member that left had, and moves nothing else', () => {
    const members = [member('m1', 'a', 'a0 a1'), member('m2', 'a', 'a2 a3')]
    expect(texts(assign(members, { a: 6 }))).toEqual({ m1: 'a0 a1 a4', m2: 'a2 a3 a5' })
  })

  test('believes the member of the later generation', () => {
    const members = [member('m1', 'a', 'a0 a1', 4), member('m2', 'a', 'a0 a1', 5)]
    expect(texts(assign(members, { a: 2 }))).toEqual({ m1: '', m2: 'a0' })
  })

  test('gives to nobody what two members of one generation say that they have', () => {
    const members = [member('m1', 'a', 'a0', 4), member('m2', 'a', 'a0', 4)]
    const first = assign(members, { a: 2 })
    expect([...first.values()].flat()).toEqual([{ topic: 'a', partition: 1 }])
    expect(loads(assign(next(members, first, 5), { a: 2 }))).toEqual([1, 1])
  })

  test('forgets partitions that are gone, and topics that are not subscribed to any more', () => {
    const members = [member('m1', 'a', 'a0 a7 b0'), member('m2', 'ab', 'b1')]
    const first = assign(members, { a: 2, b: 2 })
    // b0 is still with m1, until it has heard that it should not be.
    expect(texts(first)).toEqual({ m1: 'a0 a1', m2: 'b1' })
    expect(texts(assign(next(members, first, 2), { a: 2, b: 2 }))).toEqual({ m1: 'a0 a1', m2: 'b0 b1' })
  })

  test('hands over through a third where the subscriptions leave no other way', () => {
    const members = [member('m1', 'a', 'a0 a1'), member('m2', 'ab', 'b0'), member('m3', 'b')]
    const sizes = { a: 2, b: 1 }
    const first = assign(members, sizes)
    expect(texts(assign(next(members, first, 2), sizes))).toEqual({ m1: 'a0', m2: 'a1', m3: 'b0' })
  })
})

describe('whatever the group', () => {
  const topics = ['a', 'b', 'c', 'd']
  const sizes = fc.record(Object.fromEntries(topics.map((topic) => [topic, fc.nat(9)])))
  const sameTopics = fc.nat(8).map((count) => Array.from({ length: count + 1 }, () => topics))
  const anyTopics = fc.array(fc.subarray(topics), { minLength: 1, maxLength: 8 })
  const membersOf = (subscriptions: readonly (readonly string[])[]): Subscriber[] =>
    subscriptions.map((each, i) => member(`m${i}`, each.join('')))

  /** Rounds until nothing is left out any more. */
  function settle(
    members: readonly Subscriber[],
    counts: Record<string, number>,
  ): { last: Assignment; rounds: number } {
    for (let rounds = 1, now = members; ; rounds++) {
      const last = assign(now, counts)
      const wanted = topics
        .filter((topic) => members.some((each) => each.topics.includes(topic)))
        .reduce((sum, topic) => sum + counts[topic]!, 0)
      if ([...last.values()].flat().length === wanted) return { last, rounds }
      expect(rounds).toBeLessThan(4)
      now = next(now, last, rounds + 1)
    }
  }

  function expectValid(members: readonly Subscriber[], assignment: Assignment, counts: Record<string, number>): void {
    const all = [...assignment.values()].flat()
    expect(new Set(all.map(({ topic, partition }) => `${topic}${partition}`)).size).toBe(all.length)
    for (const { memberId, topics: subscribed } of members) {
      for (const { topic, partition } of assignment.get(memberId)!) {
        expect(subscribed).toContain(topic)
        expect(partition).toBeLessThan(counts[topic]!)
      }
    }
  }

  /** The least that the sum of squares can be, by trying every hand-over chain: no chain may lower it. */
  function expectBalanced(members: readonly Subscriber[], assignment: Assignment): void {
    for (const { memberId: from } of members) {
      const reached = new Set([from])
      for (const id of reached) {
        for (const { topic } of assignment.get(id)!) {
          for (const other of members) if (other.topics.includes(topic)) reached.add(other.memberId)
        }
      }
      for (const id of reached) {
        expect(assignment.get(from)!.length - assignment.get(id)!.length).toBeLessThan(2)
      }
    }
  }

  test('every partition has one owner that subscribes to it, and no other assignment is more balanced', () => {
    fc.assert(
      fc.property(fc.oneof(sameTopics, anyTopics), sizes, (subscriptions, counts) => {
        const members = membersOf(subscriptions)
        const { last, rounds } = settle(members, counts)
        expect(rounds).toBe(1)
        expectValid(members, last, counts)
        expectBalanced(members, last)
        expect(texts(assign(next(members, last, 2), counts))).toEqual(texts(last))
      }),
    )
  })

  test('after members came and went, subscriptions and topics changed: two rounds, and nothing given that is held', () => {
    const change = fc.record({
      before: fc.oneof(sameTopics, anyTopics),
      after: fc.oneof(sameTopics, anyTopics),
      sizesBefore: sizes,
      sizesAfter: sizes,
    })
    fc.assert(
      fc.property(change, ({ before, after, sizesBefore, sizesAfter }) => {
        const had = settle(membersOf(before), sizesBefore).last
        const members = membersOf(after).map((each) => {
          const owned = had.get(each.memberId)
          return owned === undefined ? each : { ...each, owned, generation: 1 }
        })
        const first = assign(members, sizesAfter)
        expectValid(members, first, sizesAfter)
        for (const [id, partitions] of first) {
          const others = new Set(
            members.filter((each) => each.memberId !== id).flatMap((each) => textOf(each.owned).split(' ')),
          )
          for (const each of partitions) expect(others).not.toContain(textOf([each]))
        }
        const { last, rounds } = settle(members, sizesAfter)
        expect(rounds).toBeLessThanOrEqual(2)
        expectValid(members, last, sizesAfter)
        expectBalanced(members, last)
      }),
    )
  })

  test('where all subscribe to the same, no more moves than balance takes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 8 }), sizes, (before, after, counts) => {
        const group = (count: number): Subscriber[] => membersOf(Array.from({ length: count }, () => topics))
        const had = settle(group(before), counts).last
        const members = group(after).map((each) => ({ ...each, owned: had.get(each.memberId) ?? [], generation: 1 }))
        const { last } = settle(members, counts)
        const kept = (id: string): number => {
          const now = new Set(textOf(last.get(id)!).split(' '))
          return (had.get(id) ?? []).filter((each) => now.has(textOf([each]))).length
        }
        const most = Math.max(...loads(last))
        for (const { memberId, owned } of members) {
          const mayLose = owned.length - Math.min(...loads(last))
          // Who stays gives up only what is above its share.
          expect(owned.length - kept(memberId)).toBeLessThanOrEqual(Math.max(0, mayLose))
          if (after <= before) expect(kept(memberId)).toBe(owned.length)
          expect(kept(memberId)).toBeLessThanOrEqual(most)
        }
      }),
    )
  })
})
