/** The protocol's error codes, in one table, and the error that malformed bytes give. */

/** What is wrong with bytes that came in. */
export type ProtocolErrorCode =
  /** The frame does not hold what its declaration says. */
  | 'CORRUPT_FRAME'
  /** An API version, or the version of a stored record, that is not declared. */
  | 'UNSUPPORTED_VERSION'
  /** A record batch that is damaged: lengths, counts, checksum. */
  | 'CORRUPT_MESSAGE'
  /** A message set of magic 0 or 1, from before Kafka 0.11. */
  | 'UNSUPPORTED_FOR_MESSAGE_FORMAT'
  | 'UNSUPPORTED_COMPRESSION_TYPE'
  /** Decompressed, the batch would be larger than allowed. */
  | 'MESSAGE_TOO_LARGE'

/** Bytes that break the protocol. Trying again with the same bytes cannot help. */
export class ProtocolError extends Error {
  override readonly name = 'ProtocolError'
  readonly code: ProtocolErrorCode

  constructor(code: ProtocolErrorCode, message: string, options?: { cause: unknown }) {
    super(message, options)
    this.code = code
  }
}

/** For a damaged record batch. */
export function corrupt(message: string): ProtocolError {
  return new ProtocolError('CORRUPT_MESSAGE', message)
}

const FINAL = false
const RETRIABLE = true

/** Code, whether trying again can help (as Kafka's clients see it), and what it means. */
const table = {
  UNKNOWN_SERVER_ERROR: [-1, FINAL, 'The server failed in a way it did not foresee'],
  NONE: [0, FINAL, ''],
  OFFSET_OUT_OF_RANGE: [1, FINAL, 'The offset is not within the partition'],
  CORRUPT_MESSAGE: [2, RETRIABLE, 'The record batch is damaged: checksum, size or format'],
  UNKNOWN_TOPIC_OR_PARTITION: [3, RETRIABLE, 'There is no such topic or partition here'],
  INVALID_FETCH_SIZE: [4, FINAL, 'The fetch size makes no sense'],
  LEADER_NOT_AVAILABLE: [5, RETRIABLE, 'The partition has no leader yet'],
  NOT_LEADER_OR_FOLLOWER: [6, RETRIABLE, 'This broker does not hold the partition'],
  REQUEST_TIMED_OUT: [7, RETRIABLE, 'The request took longer than its time limit'],
  BROKER_NOT_AVAILABLE: [8, FINAL, 'The broker is not available'],
  REPLICA_NOT_AVAILABLE: [9, RETRIABLE, 'The replica is not available'],
  MESSAGE_TOO_LARGE: [10, FINAL, 'A record batch is larger than the topic accepts (max.message.bytes)'],
  STALE_CONTROLLER_EPOCH: [11, FINAL, 'The controller has moved'],
  OFFSET_METADATA_TOO_LARGE: [12, FINAL, 'The metadata of an offset is too large'],
  NETWORK_EXCEPTION: [13, RETRIABLE, 'The connection ended before the answer came'],
  COORDINATOR_LOAD_IN_PROGRESS: [14, RETRIABLE, 'The coordinator is still loading its state'],
  COORDINATOR_NOT_AVAILABLE: [15, RETRIABLE, 'The coordinator is not available'],
  NOT_COORDINATOR: [16, RETRIABLE, 'This broker is not the coordinator asked for'],
  INVALID_TOPIC_EXCEPTION: [17, FINAL, 'The topic name is not valid, or the topic does not allow this'],
  RECORD_LIST_TOO_LARGE: [18, FINAL, 'The record batch is larger than a segment'],
  NOT_ENOUGH_REPLICAS: [19, RETRIABLE, 'Fewer replicas are in sync than required; nothing was written'],
  NOT_ENOUGH_REPLICAS_AFTER_APPEND: [20, RETRIABLE, 'Written, but to fewer replicas than required'],
  INVALID_REQUIRED_ACKS: [21, FINAL, 'acks has to be -1, 0 or 1'],
  ILLEGAL_GENERATION: [22, FINAL, 'The generation is not the current one of the group'],
  INCONSISTENT_GROUP_PROTOCOL: [23, FINAL, 'The member has no protocol in common with its group, or named none'],
  INVALID_GROUP_ID: [24, FINAL, 'The group id is not valid'],
  UNKNOWN_MEMBER_ID: [25, FINAL, 'The coordinator does not know this member'],
  INVALID_SESSION_TIMEOUT: [26, FINAL, 'The session timeout is outside what the broker allows'],
  REBALANCE_IN_PROGRESS: [27, FINAL, 'The group is rebalancing: join again'],
  INVALID_COMMIT_OFFSET_SIZE: [28, FINAL, 'The offsets to commit are too large'],
  TOPIC_AUTHORIZATION_FAILED: [29, FINAL, 'Not allowed on this topic'],
  GROUP_AUTHORIZATION_FAILED: [30, FINAL, 'Not allowed on this group'],
  CLUSTER_AUTHORIZATION_FAILED: [31, FINAL, 'Not allowed on this cluster'],
  INVALID_TIMESTAMP: [32, FINAL, 'The timestamp of a record is out of range'],
  UNSUPPORTED_SASL_MECHANISM: [33, FINAL, 'The SASL mechanism is not enabled here'],
  ILLEGAL_SASL_STATE: [34, FINAL, 'The request does not fit the state of the SASL exchange'],
  UNSUPPORTED_VERSION: [35, FINAL, 'The version of this API is not supported'],
  TOPIC_ALREADY_EXISTS: [36, FINAL, 'There is a topic of this name already'],
  INVALID_PARTITIONS: [37, FINAL, 'The number of partitions is not valid'],
  INVALID_REPLICATION_FACTOR: [38, FINAL, 'The replication factor is below 1 or above the number of brokers'],
  INVALID_REPLICA_ASSIGNMENT: [39, FINAL, 'The assignment of replicas is not valid'],
  INVALID_CONFIG: [40, FINAL, 'The configuration is not valid'],
  NOT_CONTROLLER: [41, RETRIABLE, 'This broker is not the controller'],
  INVALID_REQUEST: [42, FINAL, 'The request is malformed or contradicts itself'],
  UNSUPPORTED_FOR_MESSAGE_FORMAT: [43, FINAL, 'The format of the records does not support this'],
  POLICY_VIOLATION: [44, FINAL, 'A policy of the server forbids this'],
  OUT_OF_ORDER_SEQUENCE_NUMBER: [45, FINAL, "The batch is not the next one in the producer's sequence"],
  DUPLICATE_SEQUENCE_NUMBER: [46, FINAL, 'The batch was written before'],
  INVALID_PRODUCER_EPOCH: [47, FINAL, 'The epoch of the producer is an old one'],
  INVALID_TXN_STATE: [48, FINAL, 'The transaction is not in a state that allows this'],
  INVALID_PRODUCER_ID_MAPPING: [49, FINAL, 'The producer id does not belong to the transactional id'],
  INVALID_TRANSACTION_TIMEOUT: [
    50,
    FINAL,
    'The transaction timeout is longer than allowed (transaction.max.timeout.ms)',
  ],
  CONCURRENT_TRANSACTIONS: [51, RETRIABLE, 'Another change of this transaction is still under way'],
  TRANSACTION_COORDINATOR_FENCED: [52, FINAL, 'The transaction coordinator is no longer the current one'],
  TRANSACTIONAL_ID_AUTHORIZATION_FAILED: [53, FINAL, 'Not allowed on this transactional id'],
  SECURITY_DISABLED: [54, FINAL, 'Security features are switched off'],
  OPERATION_NOT_ATTEMPTED: [55, FINAL, 'Not tried, because another part of the request failed'],
  KAFKA_STORAGE_ERROR: [56, RETRIABLE, 'The disk failed or is full'],
  LOG_DIR_NOT_FOUND: [57, FINAL, 'There is no such log directory'],
  SASL_AUTHENTICATION_FAILED: [58, FINAL, 'The credentials are not valid'],
  UNKNOWN_PRODUCER_ID: [59, FINAL, 'Nothing is known of this producer id; its records may have been deleted'],
  REASSIGNMENT_IN_PROGRESS: [60, FINAL, 'The partition is being reassigned'],
  DELEGATION_TOKEN_AUTH_DISABLED: [61, FINAL, 'Delegation tokens are not enabled'],
  DELEGATION_TOKEN_NOT_FOUND: [62, FINAL, 'There is no such delegation token'],
  DELEGATION_TOKEN_OWNER_MISMATCH: [63, FINAL, 'The delegation token belongs to somebody else'],
  DELEGATION_TOKEN_REQUEST_NOT_ALLOWED: [64, FINAL, 'Delegation tokens cannot be asked for on this connection'],
  DELEGATION_TOKEN_AUTHORIZATION_FAILED: [65, FINAL, 'Not allowed on this delegation token'],
  DELEGATION_TOKEN_EXPIRED: [66, FINAL, 'The delegation token has expired'],
  INVALID_PRINCIPAL_TYPE: [67, FINAL, 'The type of the principal is not supported'],
  NON_EMPTY_GROUP: [68, FINAL, 'The group still has members'],
  GROUP_ID_NOT_FOUND: [69, FINAL, 'There is no such group'],
  FETCH_SESSION_ID_NOT_FOUND: [70, RETRIABLE, 'There is no such fetch session'],
  INVALID_FETCH_SESSION_EPOCH: [71, RETRIABLE, 'The epoch of the fetch session is not the next one'],
  LISTENER_NOT_FOUND: [72, RETRIABLE, 'The leader does not listen where the request came in'],
  TOPIC_DELETION_DISABLED: [73, FINAL, 'Topics cannot be deleted here'],
  FENCED_LEADER_EPOCH: [74, RETRIABLE, 'The leader epoch of the request is an old one'],
  UNKNOWN_LEADER_EPOCH: [75, RETRIABLE, 'The leader epoch of the request is newer than the one here'],
  UNSUPPORTED_COMPRESSION_TYPE: [76, FINAL, 'The compression type is not supported by this version'],
  STALE_BROKER_EPOCH: [77, FINAL, 'The broker epoch has changed'],
  OFFSET_NOT_AVAILABLE: [78, RETRIABLE, 'The high watermark has not caught up since the leader changed'],
  MEMBER_ID_REQUIRED: [79, FINAL, 'Join again with the member id in this answer'],
  PREFERRED_LEADER_NOT_AVAILABLE: [80, RETRIABLE, 'The preferred leader is not available'],
  GROUP_MAX_SIZE_REACHED: [81, FINAL, 'The group has as many members as it may have'],
  FENCED_INSTANCE_ID: [82, FINAL, 'Another member has joined with the same group.instance.id'],
  ELIGIBLE_LEADERS_NOT_AVAILABLE: [83, RETRIABLE, 'No replica that could lead is available'],
  ELECTION_NOT_NEEDED: [84, RETRIABLE, 'The partition needs no election'],
  NO_REASSIGNMENT_IN_PROGRESS: [85, FINAL, 'The partition is not being reassigned'],
  GROUP_SUBSCRIBED_TO_TOPIC: [86, FINAL, 'The group is subscribed to the topic: its offsets stay'],
  INVALID_RECORD: [87, FINAL, 'A record breaks a rule of its topic'],
  UNSTABLE_OFFSET_COMMIT: [88, RETRIABLE, 'Offsets of an open transaction have to be decided first'],
  THROTTLING_QUOTA_EXCEEDED: [89, RETRIABLE, 'The quota is used up'],
  PRODUCER_FENCED: [90, FINAL, 'A newer producer with the same transactional id has taken over'],
  RESOURCE_NOT_FOUND: [91, FINAL, 'There is no such resource'],
  DUPLICATE_RESOURCE: [92, FINAL, 'The request names a resource twice'],
  UNACCEPTABLE_CREDENTIAL: [93, FINAL, 'The credential is not acceptable'],
  INCONSISTENT_VOTER_SET: [94, FINAL, 'Sender or recipient is not among the voters'],
  INVALID_UPDATE_VERSION: [95, FINAL, 'The version of the update is not valid'],
  FEATURE_UPDATE_FAILED: [96, FINAL, 'The features could not be updated'],
  PRINCIPAL_DESERIALIZATION_FAILURE: [97, FINAL, 'A forwarded principal could not be read'],
  SNAPSHOT_NOT_FOUND: [98, FINAL, 'There is no such snapshot'],
  POSITION_OUT_OF_RANGE: [99, FINAL, 'The position is not within the snapshot'],
  UNKNOWN_TOPIC_ID: [100, RETRIABLE, 'There is no topic of this id here'],
  DUPLICATE_BROKER_REGISTRATION: [101, FINAL, 'The broker id is in use'],
  BROKER_ID_NOT_REGISTERED: [102, FINAL, 'The broker id is not registered'],
  INCONSISTENT_TOPIC_ID: [103, RETRIABLE, 'The topic of this name has another id'],
  INCONSISTENT_CLUSTER_ID: [104, FINAL, 'The request is meant for another cluster'],
  TRANSACTIONAL_ID_NOT_FOUND: [105, FINAL, 'There is no such transactional id'],
  FETCH_SESSION_TOPIC_ID_ERROR: [106, RETRIABLE, 'The fetch session mixes topic names and topic ids'],
  INELIGIBLE_REPLICA: [107, FINAL, 'A replica may not be in the set of in-sync replicas'],
  NEW_LEADER_ELECTED: [108, FINAL, 'The partition changed and has a new leader'],
  OFFSET_MOVED_TO_TIERED_STORAGE: [109, FINAL, 'The offset has moved to tiered storage'],
  FENCED_MEMBER_EPOCH: [110, FINAL, 'The coordinator has fenced the member: give up all partitions and join again'],
  UNRELEASED_INSTANCE_ID: [111, FINAL, 'Another member still uses the instance id'],
  UNSUPPORTED_ASSIGNOR: [112, FINAL, 'The group does not support the assignor'],
  STALE_MEMBER_EPOCH: [113, FINAL, 'The member epoch is an old one: take the new one from the heartbeat'],
  MISMATCHED_ENDPOINT_TYPE: [114, FINAL, 'This kind of endpoint does not take the request'],
  UNSUPPORTED_ENDPOINT_TYPE: [115, FINAL, 'This kind of endpoint is not supported'],
  UNKNOWN_CONTROLLER_ID: [116, FINAL, 'There is no such controller'],
  UNKNOWN_SUBSCRIPTION_ID: [117, FINAL, 'The telemetry subscription is not valid or out of date'],
  TELEMETRY_TOO_LARGE: [118, FINAL, 'The telemetry is larger than accepted'],
  INVALID_REGISTRATION: [119, FINAL, 'The registration of the broker is not valid'],
  TRANSACTION_ABORTABLE: [120, FINAL, 'The transaction has to be aborted; the producer can go on after that'],
  INVALID_RECORD_STATE: [121, FINAL, 'The delivery of the record cannot be acknowledged in its state'],
  SHARE_SESSION_NOT_FOUND: [122, RETRIABLE, 'There is no such share session'],
  INVALID_SHARE_SESSION_EPOCH: [123, RETRIABLE, 'The epoch of the share session is not the next one'],
  FENCED_STATE_EPOCH: [124, FINAL, 'The state epoch of the share group is an old one'],
  INVALID_VOTER_KEY: [125, FINAL, 'The key of the voter is not that of the replica'],
  DUPLICATE_VOTER: [126, FINAL, 'The voter is among the voters already'],
  VOTER_NOT_FOUND: [127, FINAL, 'There is no such voter'],
  INVALID_REGULAR_EXPRESSION: [128, FINAL, 'The regular expression is not valid'],
  REBOOTSTRAP_REQUIRED: [
    129,
    FINAL,
    'The metadata of the client is out of date: start from the bootstrap servers again',
  ],
  STREAMS_INVALID_TOPOLOGY: [130, FINAL, 'The topology is not valid'],
  STREAMS_INVALID_TOPOLOGY_EPOCH: [131, FINAL, 'The topology epoch is not valid'],
  STREAMS_TOPOLOGY_FENCED: [132, FINAL, 'The topology epoch is an old one'],
  SHARE_SESSION_LIMIT_REACHED: [133, RETRIABLE, 'There are as many share sessions as allowed'],
} as const satisfies Record<string, readonly [number, boolean, string]>

export type ErrorName = keyof typeof table

export interface ErrorInfo {
  readonly code: number
  readonly name: ErrorName
  /** Whether Kafka's clients try again by themselves. */
  readonly retriable: boolean
  readonly message: string
}

const byName = Object.entries(table) as [ErrorName, readonly [number, boolean, string]][]

/** Error codes by name: `errorCodes.OFFSET_OUT_OF_RANGE` is 1. */
export const errorCodes = Object.fromEntries(byName.map(([name, [code]]) => [name, code])) as {
  readonly [K in ErrorName]: (typeof table)[K][0]
}

const byCode = new Map<number, ErrorInfo>(
  byName.map(([name, [code, retriable, message]]) => [code, { code, name, retriable, message }]),
)

/** UNKNOWN_SERVER_ERROR, with the code given, for one that is not in the table. */
export function errorByCode(code: number): ErrorInfo {
  return (
    byCode.get(code) ?? { code, name: 'UNKNOWN_SERVER_ERROR', retriable: false, message: `Unknown error code ${code}` }
  )
}
