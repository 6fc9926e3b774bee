import { describe, expect, test } from 'vitest'
import {
  assignRange,
  decodeAssignment,
  decodeSubscriber,
  encodeAssignment,
  encodeCooperativeSubscription,
  encodeEagerSubscription,
} from './assignors.ts'

const subscriber = (memberId: string, topics: string[], groupInstanceId: string | null = null) => ({
  memberId,
  topics,
  groupInstanceId,
  owned: [],
  generation: -1,
})

function assign(subscribers: ReturnType<typeof subscriber>[], sizes: Record<string, number>): Record<string, string> {
  const assignment = assignRange(subscribers, (topic) => sizes[topic] ?? 0)
  const text = (list: readonly { topic: string; partition: number }[]): string =>
    list.map((each) => `${each.topic}${each.partition}`).join(' ')
  return Object.fromEntries([...assignment].map(([member, partitions]) => [member, text(partitions)]))
}

describe('the range assignor', () => {
  test('gives runs of each topic, the first members getting what is left over', () => {
    const all = ['a', 'b']
    expect(assign([subscriber('m2', all), subscriber('m1', all)], { a: 3, b: 3 })).toEqual({
      m1: 'a0 a1 b0 b1',
      m2: 'a2 b2',
    })
  })

  test('gives a topic to its subscribers alone', () => {
    expect(
      assign([subscriber('m1', ['a']), subscriber('m2', ['a', 'b']), subscriber('m3', ['c'])], { a: 2, b: 2 }),
    ).toEqual({
      m1: 'a0',
      m2: 'a1 b0 b1',
      m3: '',
    })
  })

  test('leaves members without any where there are more members than partitions', () => {
    expect(
      assign(
        ['m1', 'm2', 'm3'].map((id) => subscriber(id, ['a'])),
        { a: 2 },
      ),
    ).toEqual({ m1: 'a0', m2: 'a1', m3: '' })
  })

  test('goes by the instance ids of static members, whatever their member ids', () => {
    expect(
      assign([subscriber('z', ['a'], 'one'), subscriber('b', ['a'], 'two'), subscriber('a', ['a'])], { a: 3 }),
    ).toEqual({
      z: 'a0',
      b: 'a1',
      a: 'a2',
    })
  })
})

test('subscriptions and assignments come back as they were', () => {
  const owned = [
    { topic: 'a', partition: 1 },
    { topic: 'a', partition: 2 },
    { topic: 'b', partition: 0 },
  ]
  expect(decodeAssignment(encodeAssignment(owned))).toEqual(owned)
  expect(decodeAssignment(Buffer.alloc(0))).toEqual([])
  const decode = (metadata: Buffer) => decodeSubscriber({ memberId: 'm', groupInstanceId: null, metadata })
  const topics = ['a', 'b']
  const member = { memberId: 'm', groupInstanceId: null, topics }
  expect(decode(encodeCooperativeSubscription(topics, owned, 7))).toEqual({ ...member, owned, generation: 7 })
  expect(decode(encodeEagerSubscription(topics))).toEqual({ ...member, owned: [], generation: -1 })
})

test('the generation of a member that writes version 1 is in its user data', () => {
  const text =
    '0001' + '00000001' + '00026162' + '00000004' + '00000009' + '00000001' + '00026162' + '00000001' + '00000003'
  const metadata = Buffer.from(text, 'hex')
  const { owned, generation } = decodeSubscriber({ memberId: 'm', groupInstanceId: null, metadata })
  expect({ owned, generation }).toEqual({ owned: [{ topic: 'ab', partition: 3 }], generation: 9 })
})

test('are the bytes that Kafka has', () => {
  // Version, topics, no user data; partitions of one topic.
  expect(encodeAssignment([{ topic: 'ab', partition: 3 }]).toString('hex')).toBe(
    '0000' + '00000001' + '00026162' + '00000001' + '00000003' + 'ffffffff',
  )
  expect(encodeEagerSubscription(['ab']).toString('hex')).toBe(
    '0001' + '00000001' + '00026162' + 'ffffffff' + '00000000',
  )
  // The generation as user data and, from version 2 on, after what is owned; no rack.
  expect(encodeCooperativeSubscription(['ab'], [{ topic: 'ab', partition: 3 }], 5).toString('hex')).toBe(
    '0003' +
      ('00000001' + '00026162' + '00000004' + '00000005') +
      ('00000001' + '00026162' + '00000001' + '00000003' + '00000005' + 'ffff'),
  )
})
