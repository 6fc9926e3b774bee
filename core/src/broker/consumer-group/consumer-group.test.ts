import { expect, test } from 'vitest'
import { ConsumerGroup } from './consumer-group.ts'
import { unassigned } from './member.ts'
import { noPartitions, partitionSet } from './partition-set.ts'
import type { ConsumerGroupRecord } from './records.ts'

const holds = (memberId: string, ...partitions: number[]): ConsumerGroupRecord => {
  const assigned = partitions.length === 0 ? noPartitions : partitionSet([{ topicId: 't', partitions }])
  return { kind: 'current', memberId, value: { ...unassigned, epoch: 1, assigned } }
}

test('a partition is with the last who got it, whatever compaction has left of the time before', () => {
  const group = new ConsumerGroup('g')
  // That b gave it up before a got it is gone from the log: b's last record is the one that counts.
  for (const record of [holds('b', 0), holds('a', 0), holds('b')]) group.apply(record, 0)
  expect(group.ownerOf('t', 0)).toBe('a')
  group.apply({ kind: 'member', memberId: 'a', value: null }, 0)
  expect(group.ownerOf('t', 0)).toBeUndefined()
  expect([...group.members.keys()]).toEqual(['b'])
})
