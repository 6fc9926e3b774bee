/** The records of `__consumer_offsets`, in Kafka's formats: a group's offsets, and its members with their assignment. */
import { decodeVersioned, encodeVersioned } from '../protocol/codec.ts'
import { consumerProtocolSubscription } from '../protocol/messages/consumer-protocol.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from '../protocol/messages/consumer-offsets.ts'
import type { GroupSnapshot } from './group-snapshot.ts'
import type { StateRecord } from './internal-topic.ts'

/** The versions that Kafka 2.1 to 4 write and read. */
const offsetKeyVersion = 1
const offsetValueVersion = 3
const groupKeyVersion = 2
const groupValueVersion = 3

export interface CommittedOffset {
  readonly offset: number
  /** -1: not known. */
  readonly leaderEpoch: number
  readonly metadata: string
  readonly commitTimestamp: number
}

export interface OffsetKey {
  readonly group: string
  readonly topic: string
  readonly partition: number
}

export type GroupRecord =
  | { readonly kind: 'offset'; readonly key: OffsetKey; readonly value: CommittedOffset | null }
  | { readonly kind: 'group'; readonly group: string; readonly value: GroupSnapshot | null }

export function offsetRecord(key: OffsetKey, value: CommittedOffset | null): StateRecord {
  return {
    key: encodeVersioned(offsetCommitKey, offsetKeyVersion, key),
    value: value === null ? null : encodeVersioned(offsetCommitValue, offsetValueVersion, value),
  }
}

export function groupRecord(group: string, snapshot: GroupSnapshot | null): StateRecord {
  return {
    key: encodeVersioned(groupMetadataKey, groupKeyVersion, { group }),
    value: snapshot === null ? null : encodeVersioned(groupMetadataValue, groupValueVersion, fromSnapshot(snapshot)),
  }
}

/**
 * Undefined for records of other kinds (those of the newer group protocol have higher key versions), which are left alone.
 * @throws ProtocolError where a record is damaged
 */
export function decodeGroupRecord(key: Buffer, value: Buffer | null): GroupRecord | undefined {
  const version = key.length < 2 ? -1 : key.readInt16BE(0)
  if (version === 0 || version === offsetKeyVersion) {
    const decodedKey = decodeVersioned(offsetCommitKey, key).value
    return {
      kind: 'offset',
      key: decodedKey,
      value: value === null ? null : decodeVersioned(offsetCommitValue, value).value,
    }
  }
  if (version !== groupKeyVersion) return undefined
  const { group } = decodeVersioned(groupMetadataKey, key).value
  if (value === null) return { kind: 'group', group, value: null }
  const decoded = decodeVersioned(groupMetadataValue, value).value
  const members = decoded.members.map((member) => ({
    memberId: member.memberId,
    groupInstanceId: member.groupInstanceId,
    clientId: member.clientId,
    clientHost: member.clientHost,
    rebalanceTimeoutMs: member.rebalanceTimeout < 0 ? member.sessionTimeout : member.rebalanceTimeout,
    sessionTimeoutMs: member.sessionTimeout,
    subscription: Buffer.from(member.subscription),
    assignment: Buffer.from(member.assignment),
  }))
  const snapshot = {
    protocolType: decoded.protocolType,
    generationId: decoded.generation,
    protocolName: decoded.protocol,
    leader: decoded.leader,
    stateTimestamp: decoded.currentStateTimestamp,
    members,
  }
  return { kind: 'group', group, value: snapshot }
}

function fromSnapshot(snapshot: GroupSnapshot) {
  return {
    protocolType: snapshot.protocolType,
    generation: snapshot.generationId,
    protocol: snapshot.protocolName,
    leader: snapshot.leader,
    currentStateTimestamp: snapshot.stateTimestamp,
    members: snapshot.members.map((member) => ({
      memberId: member.memberId,
      groupInstanceId: member.groupInstanceId,
      clientId: member.clientId,
      clientHost: member.clientHost,
      rebalanceTimeout: member.rebalanceTimeoutMs,
      sessionTimeout: member.sessionTimeoutMs,
      subscription: member.subscription,
      assignment: member.assignment,
    })),
  }
}

/** Topics that a member of the `consumer` protocol subscribes to; undefined where its metadata is of another kind. */
export function subscribedTopics(metadata: Buffer): readonly string[] | undefined {
  try {
    // Later versions only add fields behind the topics.
    return decodeVersioned(consumerProtocolSubscription, Buffer.concat([Buffer.from([0, 0]), metadata.subarray(2)]))
      .value.topics
  } catch {
    return undefined
  }
}
