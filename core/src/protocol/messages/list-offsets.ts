/**
 * Offsets by time. timestamp: -1 latest, -2 earliest, -3 the record with the greatest timestamp (v7), -4 and -5 local
 * and tiered (v8, v9), -6 (v11). isolationLevel (v2) as in Fetch.
 */
import { array, defineApi, int16, int32, int64, int8, string } from '../message.ts'

export const listOffsets = defineApi({
  key: 2,
  name: 'ListOffsets',
  versions: [1, 11],
  flexible: 6,
  request: {
    replicaId: int32(),
    isolationLevel: int8({ from: 2 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        currentLeaderEpoch: int32({ from: 4, default: -1 }),
        timestamp: int64(),
      }),
    }),
    timeoutMs: int32({ from: 10 }),
  },
  response: {
    throttleTimeMs: int32({ from: 2 }),
    topics: array({
      name: string(),
      partitions: array({
        partitionIndex: int32(),
        errorCode: int16(),
        timestamp: int64({ default: -1 }),
        offset: int64({ default: -1 }),
        leaderEpoch: int32({ from: 4, default: -1 }),
      }),
    }),
  },
})
