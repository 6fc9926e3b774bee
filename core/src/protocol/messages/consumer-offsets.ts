/**
 * Records of the topic `__consumer_offsets`. The version in front of a key tells the kind of record: 0 and 1 an offset,
 * 2 a classic group; a null value deletes what the key names.
 */
import { array, bytes, defineMessage, int32, int64, string, uuid } from '../message.ts'

/** Written as version 1. */
export const offsetCommitKey = defineMessage({
  name: 'OffsetCommitKey',
  versions: [0, 1],
  fields: { group: string(), topic: string(), partition: int32() },
})

/** Kafka 4 writes version 3, or 4 where the topic id is known. */
export const offsetCommitValue = defineMessage({
  name: 'OffsetCommitValue',
  versions: [0, 4],
  flexible: 4,
  fields: {
    offset: int64(),
    leaderEpoch: int32({ from: 3, default: -1 }),
    metadata: string(),
    commitTimestamp: int64(),
    expireTimestamp: int64({ from: 1, to: 1, default: -1 }),
    topicId: uuid({ from: 4, tag: 0 }),
  },
})

export const groupMetadataKey = defineMessage({
  name: 'GroupMetadataKey',
  versions: [2, 2],
  fields: { group: string() },
})

/** Kafka 4 writes version 3. */
export const groupMetadataValue = defineMessage({
  name: 'GroupMetadataValue',
  versions: [0, 4],
  flexible: 4,
  fields: {
    protocolType: string(),
    generation: int32(),
    protocol: string({ nullable: 0 }),
    leader: string({ nullable: 0 }),
    currentStateTimestamp: int64({ from: 2, default: -1 }),
    members: array({
      memberId: string(),
      groupInstanceId: string({ from: 3, nullable: 3, default: null }),
      clientId: string(),
      clientHost: string(),
      rebalanceTimeout: int32({ from: 1, default: -1 }),
      sessionTimeout: int32(),
      subscription: bytes(),
      assignment: bytes(),
    }),
  },
})
