/**
 * Commits a group's offsets. v5 leaves retention to the broker, v7 has static members, v9 the member epochs of
 * KIP-848, v10 topic ids for names.
 */
import { array, defineApi, int16, int32, int64, string, uuid } from '../message.ts'

export const offsetCommit = defineApi({
  key: 8,
  name: 'OffsetCommit',
  versions: [2, 10],
  flexible: 8,
  request: {
    groupId: string(),
    generationIdOrMemberEpoch: int32({ default: -1 }),
    memberId: string(),
    groupInstanceId: string({ from: 7, nullable: 7, default: null }),
    retentionTimeMs: int64({ to: 4, default: -1 }),
    topics: array({
      name: string({ to: 9 }),
      topicId: uuid({ from: 10 }),
      partitions: array({
        partitionIndex: int32(),
        committedOffset: int64(),
        committedLeaderEpoch: int32({ from: 6, default: -1 }),
        committedMetadata: string({ nullable: 0 }),
      }),
    }),
  },
  response: {
    throttleTimeMs: int32({ from: 3 }),
    topics: array({
      name: string({ to: 9 }),
      topicId: uuid({ from: 10 }),
      partitions: array({ partitionIndex: int32(), errorCode: int16() }),
    }),
  },
})
