/**
 * Records of the topic `__consumer_offsets`. The version in front of a key tells the kind of record: 0 and 1 an offset,
 * 2 a classic group, 3 and 5 to 8 a group of the newer protocol (KIP-848); a null value deletes what the key names.
 */
import { array, bytes, defineMessage, int32, int64, int8, string, struct, uuid } from '../message.ts'

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

export const consumerGroupMetadataKey = defineMessage({
  name: 'ConsumerGroupMetadataKey',
  versions: [3, 3],
  fields: { group: string() },
})

export const consumerGroupMetadataValue = defineMessage({
  name: 'ConsumerGroupMetadataValue',
  versions: [0, 0],
  flexible: 0,
  fields: {
    epoch: int32(),
    /** Of the topics that the group subscribes to (KIP-1101); 0: not known. */
    metadataHash: int64({ tag: 0, default: 0 }),
  },
})

export const consumerGroupMemberMetadataKey = defineMessage({
  name: 'ConsumerGroupMemberMetadataKey',
  versions: [5, 5],
  fields: { group: string(), memberId: string() },
})

export const consumerGroupMemberMetadataValue = defineMessage({
  name: 'ConsumerGroupMemberMetadataValue',
  versions: [0, 0],
  flexible: 0,
  fields: {
    instanceId: string({ nullable: 0 }),
    rackId: string({ nullable: 0 }),
    clientId: string(),
    clientHost: string(),
    subscribedTopicNames: array(string()),
    subscribedTopicRegex: string({ nullable: 0 }),
    rebalanceTimeoutMs: int32({ default: -1 }),
    serverAssignor: string({ nullable: 0 }),
    /** Of a member that speaks the classic protocol in such a group. */
    classicMemberMetadata: struct(
      { sessionTimeoutMs: int32(), supportedProtocols: array({ name: string(), metadata: bytes() }) },
      { tag: 0, nullable: 0, default: null },
    ),
  },
})

export const consumerGroupTargetAssignmentMetadataKey = defineMessage({
  name: 'ConsumerGroupTargetAssignmentMetadataKey',
  versions: [6, 6],
  fields: { group: string() },
})

export const consumerGroupTargetAssignmentMetadataValue = defineMessage({
  name: 'ConsumerGroupTargetAssignmentMetadataValue',
  versions: [0, 0],
  flexible: 0,
  fields: {
    assignmentEpoch: int32(),
    assignmentTimestamp: int64({ tag: 0, default: 0 }),
  },
})

export const consumerGroupTargetAssignmentMemberKey = defineMessage({
  name: 'ConsumerGroupTargetAssignmentMemberKey',
  versions: [7, 7],
  fields: { group: string(), memberId: string() },
})

export const consumerGroupTargetAssignmentMemberValue = defineMessage({
  name: 'ConsumerGroupTargetAssignmentMemberValue',
  versions: [0, 0],
  flexible: 0,
  fields: { topicPartitions: array({ topicId: uuid(), partitions: array(int32()) }) },
})

export const consumerGroupCurrentMemberAssignmentKey = defineMessage({
  name: 'ConsumerGroupCurrentMemberAssignmentKey',
  versions: [8, 8],
  fields: { group: string(), memberId: string() },
})

const heldPartitions = array({
  topicId: uuid(),
  partitions: array(int32()),
  /** Of each partition, the epoch in which the member got it. */
  assignmentEpochs: array(int32(), { tag: 0, nullable: 0, default: null }),
})

export const consumerGroupCurrentMemberAssignmentValue = defineMessage({
  name: 'ConsumerGroupCurrentMemberAssignmentValue',
  versions: [0, 0],
  flexible: 0,
  fields: {
    memberEpoch: int32(),
    previousMemberEpoch: int32(),
    /** 0 stable, 1 partitions to be revoked, 2 partitions not released by others yet. */
    state: int8(),
    assignedPartitions: heldPartitions,
    partitionsPendingRevocation: heldPartitions,
  },
})
