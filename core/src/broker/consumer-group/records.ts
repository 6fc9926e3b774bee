/**
 * The records of groups of the newer protocol in `__consumer_offsets`, in Kafka's formats. Groups change by them alone, live as
 * well as at start. Left out are those of Kafka 4.0 about the partitions of topics (key version 4; the hash in the
 * group's own record stands for them since 4.1) and those of resolved patterns (16; patterns are resolved anew).
 */
import { decodeVersioned, encodeVersioned } from '../../protocol/codec.ts'
import {
  consumerGroupCurrentMemberAssignmentKey,
  consumerGroupCurrentMemberAssignmentValue,
  consumerGroupMemberMetadataKey,
  consumerGroupMemberMetadataValue,
  consumerGroupMetadataKey,
  consumerGroupMetadataValue,
  consumerGroupTargetAssignmentMemberKey,
  consumerGroupTargetAssignmentMemberValue,
  consumerGroupTargetAssignmentMetadataKey,
  consumerGroupTargetAssignmentMetadataValue,
} from '../../protocol/messages/consumer-offsets.ts'
import type { StateRecord } from '../internal-topic.ts'
import type { CurrentAssignment, MemberMetadata, MemberState } from './member.ts'
import { partitionSet, topicPartitions, type PartitionSet } from './partition-set.ts'

/** A null value deletes what the record is about. */
export type ConsumerGroupRecord =
  | { readonly kind: 'group epoch'; readonly value: GroupEpoch | null }
  | { readonly kind: 'member'; readonly memberId: string; readonly value: MemberMetadata | null }
  | { readonly kind: 'assignment epoch'; readonly value: AssignmentEpoch | null }
  | { readonly kind: 'target'; readonly memberId: string; readonly value: PartitionSet | null }
  | { readonly kind: 'current'; readonly memberId: string; readonly value: CurrentAssignment | null }

export interface GroupEpoch {
  readonly epoch: number
  /** Of the topics that the group subscribes to, with their partitions; 0 for none. */
  readonly metadataHash: number
}

export interface AssignmentEpoch {
  readonly epoch: number
  readonly timestamp: number
}

const keyVersions = { 'group epoch': 3, member: 5, 'assignment epoch': 6, target: 7, current: 8 } as const

const stateNumbers: Readonly<Record<MemberState, number>> = { stable: 0, unrevoked: 1, unreleased: 2 }
const states = Object.keys(stateNumbers) as MemberState[]

export function consumerGroupRecord(group: string, record: ConsumerGroupRecord): StateRecord {
  const version = keyVersions[record.kind]
  switch (record.kind) {
    case 'group epoch':
      return {
        key: encodeVersioned(consumerGroupMetadataKey, version, { group }),
        value: record.value === null ? null : encodeVersioned(consumerGroupMetadataValue, 0, record.value),
      }
    case 'member':
      return {
        key: encodeVersioned(consumerGroupMemberMetadataKey, version, { group, memberId: record.memberId }),
        value: record.value === null ? null : encodeMetadata(record.value),
      }
    case 'assignment epoch':
      return {
        key: encodeVersioned(consumerGroupTargetAssignmentMetadataKey, version, { group }),
        value:
          record.value === null
            ? null
            : encodeVersioned(consumerGroupTargetAssignmentMetadataValue, 0, {
                assignmentEpoch: record.value.epoch,
                assignmentTimestamp: record.value.timestamp,
              }),
      }
    case 'target':
      return {
        key: encodeVersioned(consumerGroupTargetAssignmentMemberKey, version, { group, memberId: record.memberId }),
        value:
          record.value === null
            ? null
            : encodeVersioned(consumerGroupTargetAssignmentMemberValue, 0, {
                topicPartitions: topicPartitions(record.value),
              }),
      }
    case 'current':
      return {
        key: encodeVersioned(consumerGroupCurrentMemberAssignmentKey, version, { group, memberId: record.memberId }),
        value: record.value === null ? null : encodeCurrent(record.value),
      }
  }
}

function encodeMetadata(value: MemberMetadata): Buffer {
  return encodeVersioned(consumerGroupMemberMetadataValue, 0, {
    instanceId: value.instanceId,
    rackId: value.rackId,
    clientId: value.clientId,
    clientHost: value.clientHost,
    subscribedTopicNames: value.topicNames,
    // Kafka's readers expect an empty one for none.
    subscribedTopicRegex: value.topicRegex ?? '',
    rebalanceTimeoutMs: value.rebalanceTimeoutMs,
    serverAssignor: value.serverAssignor,
  })
}

function encodeCurrent(value: CurrentAssignment): Buffer {
  return encodeVersioned(consumerGroupCurrentMemberAssignmentValue, 0, {
    memberEpoch: value.epoch,
    previousMemberEpoch: value.previousEpoch,
    state: stateNumbers[value.state],
    assignedPartitions: topicPartitions(value.assigned),
    partitionsPendingRevocation: topicPartitions(value.pendingRevocation),
  })
}

/**
 * Undefined for records of other kinds.
 * @param key with its version in front, as for what it returns
 * @throws ProtocolError where a record is damaged
 */
export function decodeConsumerGroupRecord(
  key: Buffer,
  value: Buffer | null,
): { group: string; record: ConsumerGroupRecord } | undefined {
  switch (key.readInt16BE(0)) {
    case keyVersions['group epoch']: {
      const { group } = decodeVersioned(consumerGroupMetadataKey, key).value
      const decoded = value === null ? null : decodeVersioned(consumerGroupMetadataValue, value).value
      return { group, record: { kind: 'group epoch', value: decoded } }
    }
    case keyVersions.member: {
      const { group, memberId } = decodeVersioned(consumerGroupMemberMetadataKey, key).value
      return { group, record: { kind: 'member', memberId, value: value === null ? null : decodeMetadata(value) } }
    }
    case keyVersions['assignment epoch']: {
      const { group } = decodeVersioned(consumerGroupTargetAssignmentMetadataKey, key).value
      if (value === null) return { group, record: { kind: 'assignment epoch', value } }
      const decoded = decodeVersioned(consumerGroupTargetAssignmentMetadataValue, value).value
      const epoch = { epoch: decoded.assignmentEpoch, timestamp: decoded.assignmentTimestamp }
      return { group, record: { kind: 'assignment epoch', value: epoch } }
    }
    case keyVersions.target: {
      const { group, memberId } = decodeVersioned(consumerGroupTargetAssignmentMemberKey, key).value
      if (value === null) return { group, record: { kind: 'target', memberId, value } }
      const decoded = decodeVersioned(consumerGroupTargetAssignmentMemberValue, value).value
      return { group, record: { kind: 'target', memberId, value: partitionSet(decoded.topicPartitions) } }
    }
    case keyVersions.current: {
      const { group, memberId } = decodeVersioned(consumerGroupCurrentMemberAssignmentKey, key).value
      return { group, record: { kind: 'current', memberId, value: value === null ? null : decodeCurrent(value) } }
    }
    default:
      return undefined
  }
}

function decodeMetadata(value: Buffer): MemberMetadata {
  const decoded = decodeVersioned(consumerGroupMemberMetadataValue, value).value
  return {
    instanceId: decoded.instanceId,
    rackId: decoded.rackId,
    clientId: decoded.clientId,
    clientHost: decoded.clientHost,
    topicNames: decoded.subscribedTopicNames,
    topicRegex: decoded.subscribedTopicRegex === '' ? null : decoded.subscribedTopicRegex,
    rebalanceTimeoutMs: decoded.rebalanceTimeoutMs,
    serverAssignor: decoded.serverAssignor,
  }
}

function decodeCurrent(value: Buffer): CurrentAssignment {
  const decoded = decodeVersioned(consumerGroupCurrentMemberAssignmentValue, value).value
  return {
    epoch: decoded.memberEpoch,
    previousEpoch: decoded.previousMemberEpoch,
    state: states[decoded.state] ?? 'stable',
    assigned: partitionSet(decoded.assignedPartitions),
    pendingRevocation: partitionSet(decoded.partitionsPendingRevocation),
  }
}
