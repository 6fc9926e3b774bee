/**
 * A group's committed offsets. topics: null for all (v2). v7 may insist on stable offsets (KIP-447), v8 asks for
 * several groups at once, v9 has member epochs (KIP-848), v10 topic ids for names. Up to v7 the fields outside groups
 * hold; from v8 on those inside.
 */
import { array, boolean, defineApi, int16, int32, int64, string, uuid } from '../message.ts'

export const offsetFetch = defineApi({
  key: 9,
  name: 'OffsetFetch',
  versions: [1, 10],
  flexible: 6,
  request: {
    groupId: string({ to: 7 }),
    topics: array({ name: string(), partitionIndexes: array(int32()) }, { to: 7, nullable: 2 }),
    groups: array(
      {
        groupId: string(),
        memberId: string({ from: 9, nullable: 9, default: null }),
        memberEpoch: int32({ from: 9, default: -1 }),
        topics: array(
          { name: string({ to: 9 }), topicId: uuid({ from: 10 }), partitionIndexes: array(int32()) },
          { nullable: 8 },
        ),
      },
      { from: 8 },
    ),
    requireStable: boolean({ from: 7, default: false }),
  },
  response: {
    throttleTimeMs: int32({ from: 3 }),
    topics: array(
      {
        name: string(),
        partitions: array({
          partitionIndex: int32(),
          committedOffset: int64(),
          committedLeaderEpoch: int32({ from: 5, default: -1 }),
          metadata: string({ nullable: 0 }),
          errorCode: int16(),
        }),
      },
      { to: 7 },
    ),
    errorCode: int16({ from: 2, to: 7, default: 0 }),
    groups: array(
      {
        groupId: string(),
        topics: array({
          name: string({ to: 9 }),
          topicId: uuid({ from: 10 }),
          partitions: array({
            partitionIndex: int32(),
            committedOffset: int64(),
            committedLeaderEpoch: int32({ default: -1 }),
            metadata: string({ nullable: 8 }),
            errorCode: int16(),
          }),
        }),
        errorCode: int16({ default: 0 }),
      },
      { from: 8 },
    ),
  },
})
