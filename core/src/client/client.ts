/**
 * The one interface to the log. The worker, the registry and the herder know the log by this alone, so that whether it
 * is the bundled one, Apache Kafka or Redpanda makes no difference to them.
 *
 * Batches go in and out; nothing here is called once a record. Every call that waits takes a signal or a time limit.
 * Errors are {@link LogError}.
 */
import type { AssignedPartition, TopicPartition, TopicPartitionOffset } from '@tidewire/sdk'
import type { Logger } from '../logging/logger.ts'
import type { ScramMechanism } from '../protocol/scram.ts'

/** Encryption of the connections to the log. */
export interface TlsOptions {
  /** Certificates of the authorities that are trusted, PEM. Default: those that Node brings along. */
  readonly ca?: string
  /** What the client shows of itself (`ssl.client.auth` of the broker): its chain and its key, PEM. */
  readonly certificate?: string
  readonly key?: string
  /** Of the key. */
  readonly passphrase?: string
  /** Whether the certificate must be for the host connected to. Default true. */
  readonly verifyHost?: boolean
  readonly minVersion?: 'TLSv1.2' | 'TLSv1.3'
  readonly maxVersion?: 'TLSv1.2' | 'TLSv1.3'
}

/** Who the client is. */
export interface SaslOptions {
  readonly mechanism: 'PLAIN' | ScramMechanism
  readonly username: string
  readonly password: string
}

/** How connections to the log are secured (`security.protocol`): by neither, one or both of them. */
export interface ClientSecurity {
  readonly tls?: TlsOptions
  readonly sasl?: SaslOptions
}

/** How to reach the log. Names are Kafka's. */
export interface ClientOptions extends ClientSecurity {
  readonly bootstrapServers: readonly string[]
  readonly clientId: string
  /** `request.timeout.ms`. Default 30 000. */
  readonly requestTimeoutMs?: number
  /** Gets what the client does about trouble. Default: nothing is logged. */
  readonly logger?: Logger
}

/**
 * A record as bytes, on its way into the log. A string stands for its UTF-8 bytes: it is written straight into the batch,
 * which saves a buffer for each record.
 */
export interface OutRecord {
  readonly topic: string
  /** Left out: murmur2 of the key, as Kafka's default partitioner does; without a key, the batch's sticky partition. */
  readonly partition?: number | undefined
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers?: readonly OutHeader[] | undefined
  /** Milliseconds since the epoch. Left out: now. */
  readonly timestamp?: number | undefined
}

export interface OutHeader {
  readonly key: string
  readonly value: Uint8Array | string | null
}

/** A record header out of the log. */
export interface InHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record as bytes, out of the log. Key and value are views into the fetched frame: copy what is kept for long. */
export interface InRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly InHeader[]
}

/** What came of one partition in one fetch. */
export interface FetchedRecords extends TopicPartition {
  /** May be empty where only control or aborted records were passed over. */
  readonly records: readonly InRecord[]
  /** Where reading goes on; past control and aborted records too. */
  readonly nextOffset: number
  readonly highWatermark: number
  /** Size on the wire, for byte budgets. */
  readonly bytes: number
}

/** In which the connections that a producer, reader or consumer has for itself differ from the client's. */
export interface OwnConnections {
  /** `client.id`, by which the broker logs and limits. */
  readonly clientId?: string
  /** `request.timeout.ms` */
  readonly requestTimeoutMs?: number
}

export interface ProducerOptions extends OwnConnections {
  /** Makes the producer transactional: {@link Producer.begin} and the rest. Fences older producers of the same id. */
  readonly transactionalId?: string
  /** `transaction.timeout.ms`. Default 60 000. */
  readonly transactionTimeoutMs?: number
  /** Default `all`. */
  readonly acks?: 'all' | 'leader'
  /** Default true; always true with a transactional id. */
  readonly idempotent?: boolean
  /** `compression.type`. Default none. */
  readonly compression?: 'none' | 'gzip' | 'snappy' | 'lz4' | 'zstd'
  /** `max.request.size`, bytes. Default 1 MiB. */
  readonly maxRequestBytes?: number
  /** `batch.size`: most bytes of one record batch. Default 1 000 000. */
  readonly maxBatchBytes?: number
  /** `delivery.timeout.ms`: how long a send is tried again through retriable errors. Default 120 000; 0: for ever. */
  readonly deliveryTimeoutMs?: number
}

/** Where a batch's records ended up, and which were refused for good. */
export interface ProduceResult {
  /** By index into the batch given. Empty when all are in the log. */
  readonly failures: readonly { readonly index: number; readonly error: LogError }[]
  /** First offset given to each topic partition in this call; absent where the log did not say . */
  readonly offsets: readonly TopicPartitionOffset[]
}

/**
 * Writes. Calls may overlap: several batches are kept in flight, and what waits is merged into larger requests;
 * order per partition is that of the calls. Retries by itself within the delivery timeout.
 */
export interface Producer {
  /**
   * Resolves when every record is acknowledged or refused for good (too large, not authorized, …).
   * @throws LogError when fenced, or when the delivery timeout passed
   */
  produce(records: readonly OutRecord[]): Promise<ProduceResult>
  /** Registers with the coordinator and fences older producers. Called before the first `begin`. */
  initTransactions(): Promise<void>
  begin(): void
  /**
   * Adds consumed offsets to the transaction.
   * @param group of a consumer that is a member: offsets of one that has lost its place are refused (KIP-447), and the
   *   transaction can only be aborted. A name alone is for offsets that no member consumes.
   */
  sendOffsets(group: string | GroupMetadata, offsets: readonly TopicPartitionOffset[]): Promise<void>
  /** Waits for what is under way, then commits. */
  commit(): Promise<void>
  abort(): Promise<void>
  /** Waits for what is under way, up to the request timeout. */
  close(): Promise<void>
}

export interface ReadOptions extends OwnConnections {
  /** Default `read_committed`. */
  readonly isolation?: 'read_committed' | 'read_uncommitted'
  /** `fetch.max.bytes`. Default 8 MiB. */
  readonly maxBytes?: number
  /** Who keeps account of what is buffered and asked for; asked before each fetch, and told of each change. */
  readonly memory?: { readonly mostBytes: number; holds(bytes: number): void }
  /** `max.partition.fetch.bytes`. Default 1 MiB. */
  readonly maxPartitionBytes?: number
  /** `fetch.min.bytes`. Default 1. */
  readonly minBytes?: number
  /** `fetch.max.wait.ms`: how long the broker waits for as many. Default 500. */
  readonly fetchMaxWaitMs?: number
  /**
   * Where to go on when the offset to be read is not, or no more, in the partition. Default of a reader `none`: its
   * poll fails with OFFSET_OUT_OF_RANGE.
   */
  readonly offsetReset?: 'earliest' | 'latest' | 'none'
}

export interface PollOptions {
  /** Longest wait for records. */
  readonly maxWaitMs: number
  readonly signal?: AbortSignal
}

/** Reads partitions that the caller chose, with no group: the internal topics, a preview, a tail. */
export interface Reader {
  /** Replaces what is read. `offset` may be `earliest` or `latest`. */
  assign(positions: readonly (TopicPartition & { readonly offset: number | 'earliest' | 'latest' })[]): void
  /** Next records; empty when the wait passed or the signal was aborted. */
  poll(options: PollOptions): Promise<readonly FetchedRecords[]>
  close(): Promise<void>
}

export interface GroupConsumerOptions extends ReadOptions {
  readonly groupId: string
  readonly topics?: readonly string[]
  /** `topics.regex`: matched against all topics, again as they come and go. */
  readonly topicsPattern?: RegExp
  /**
   * `auto.offset.reset`: where to begin where the group has no offset, or one that is not, or no more, in the partition.
   * Default `earliest`; with `none` the poll fails.
   */
  readonly offsetReset?: 'earliest' | 'latest' | 'none'
  /** Default 10 000 / 3 000 / 60 000. */
  readonly sessionTimeoutMs?: number
  readonly heartbeatIntervalMs?: number
  readonly rebalanceTimeoutMs?: number
  /** `max.poll.interval.ms`: a consumer not polled for this long leaves the group. Default 300 000. */
  readonly maxPollIntervalMs?: number
  /** `group.instance.id`: a static member, which keeps its partitions through a restart within the session timeout. */
  readonly groupInstanceId?: string
  /**
   * `partition.assignment.strategy`. Default `cooperative-sticky` (KIP-429): partitions move only where that balances,
   * and those that stay are read on through a rebalance; where a member of the group knows `range` alone, the group goes
   * by that. With `range`, all are given up before every rebalance.
   */
  readonly assignmentStrategy?: 'cooperative-sticky' | 'range'
  /**
   * Whether a static member leaves when it is closed, as others do: a crash keeps its place, an orderly end gives it up.
   * Default false.
   */
  readonly leavesOnClose?: boolean
  /**
   * These partitions are about to be taken away; others of the assignment stay. The consumer waits for it (within the
   * rebalance timeout) before it gives them up, so that offsets can be flushed and committed. Called from within `poll`.
   */
  readonly onRevoke: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /** The partitions are gone already (the session ended): nothing can be committed for them. Called from within `poll`. */
  readonly onLost: (partitions: readonly TopicPartition[]) => void | Promise<void>
  /**
   * Newly assigned, in addition to what is held, before any of their records is given. May seek. Called from within
   * `poll`.
   */
  readonly onAssign: (partitions: readonly AssignedPartition[]) => void | Promise<void>
}

/** Who commits offsets in a group. */
export interface GroupMetadata {
  readonly groupId: string
  readonly memberId: string
  readonly generation: number
  readonly groupInstanceId?: string | undefined
}

/** A member of a consumer group. Heartbeats go on by themselves between polls. */
export interface GroupConsumer {
  poll(options: PollOptions): Promise<readonly FetchedRecords[]>
  /**
   * Of partitions that are held. A rebalance that is on does not keep it from succeeding.
   * @throws LogError UNKNOWN_MEMBER_ID, ILLEGAL_GENERATION, FENCED_INSTANCE_ID: they are another's already
   */
  commit(offsets: readonly TopicPartitionOffset[]): Promise<void>
  /**
   * Who it is in the group, for {@link Producer.sendOffsets}.
   * @throws LogError UNKNOWN_MEMBER_ID while it is no member
   */
  groupMetadata(): GroupMetadata
  /** The group's committed offsets; -1 where there is none. */
  committed(partitions: readonly TopicPartition[]): Promise<readonly TopicPartitionOffset[]>
  seek(position: TopicPartitionOffset): void
  /** Stops fetching these while membership goes on. */
  pause(partitions: readonly TopicPartition[]): void
  resume(partitions: readonly TopicPartition[]): void
  assignment(): readonly TopicPartition[]
  /** Leaves the group, after `onRevoke` for what it holds. */
  close(): Promise<void>
}

export interface NewTopic {
  readonly topic: string
  /** -1: the broker's default. */
  readonly partitions: number
  /** -1: the broker's default. */
  readonly replicationFactor: number
  readonly config?: Readonly<Record<string, string>>
}

export interface TopicDescription {
  readonly topic: string
  readonly partitions: number
  readonly internal: boolean
}

/** A group as the brokers list it. */
export interface GroupListing {
  readonly groupId: string
  /** `consumer`, `connect`, …; empty for a group that only keeps offsets. */
  readonly protocolType: string
  /** Kafka's name of it (`Stable`, `Empty`, …); empty from brokers before 2.6. */
  readonly state: string
  /** `classic`, or `consumer`: the newer protocol (KIP-848). */
  readonly type: string
}

export interface GroupMemberDescription {
  readonly memberId: string
  readonly groupInstanceId: string | null
  readonly clientId: string
  readonly host: string
  /** Of consumers. */
  readonly assigned: readonly TopicPartition[]
}

export interface GroupDescription extends GroupListing {
  /** How it shares: the assignor of a consumer group; empty in a rebalance. */
  readonly protocol: string
  readonly members: readonly GroupMemberDescription[]
}

export interface Admin {
  clusterId(): Promise<string>
  /** All topics, or those named that exist. */
  topics(names?: readonly string[]): Promise<readonly TopicDescription[]>
  /** Makes those that do not exist; returns the names it made. */
  createTopics(topics: readonly NewTopic[]): Promise<readonly string[]>
  deleteTopics(names: readonly string[]): Promise<void>
  topicConfig(topic: string): Promise<Readonly<Record<string, string>>>
  /**
   * @param isolation default `read_uncommitted`. With `read_committed` the latest offset is that of the first record of a
   *   transaction that is open, where there is one (the last stable offset): readers of what is committed get no further
   */
  offsets(
    partitions: readonly TopicPartition[],
    at: 'earliest' | 'latest' | { readonly timestamp: number },
    isolation?: 'read_committed' | 'read_uncommitted',
  ): Promise<readonly TopicPartitionOffset[]>
  /** All groups there are, by id. */
  groups(): Promise<readonly GroupListing[]>
  /** Undefined where there is none. */
  group(groupId: string): Promise<GroupDescription | undefined>
  groupOffsets(groupId: string): Promise<readonly TopicPartitionOffset[]>
  alterGroupOffsets(groupId: string, offsets: readonly TopicPartitionOffset[]): Promise<void>
  /**
   * Forgets the group's offsets for these. Not an error where there are none.
   * @throws LogError NON_EMPTY_GROUP, GROUP_SUBSCRIBED_TO_TOPIC: a member may commit them again
   */
  deleteGroupOffsets(groupId: string, partitions: readonly TopicPartition[]): Promise<void>
  /** Not an error where there is none. */
  deleteGroup(groupId: string): Promise<void>
  /**
   * Fences whoever produces with these transactional ids: what they have open is aborted, and they can begin nothing
   * more. All are tried, whatever becomes of some.
   * @throws LogError the first failure; its message names the ids that could not be fenced
   */
  fenceProducers(transactionalIds: readonly string[]): Promise<void>
}

/** A member as the group's leader sees it. */
export interface MemberMetadata {
  readonly memberId: string
  readonly groupInstanceId: string | null
  /** In the format of the protocol chosen. */
  readonly metadata: Buffer
}

/** What one round of joining came to. */
export interface JoinedGeneration {
  readonly generation: number
  readonly memberId: string
  readonly protocol: string
  readonly isLeader: boolean
  /** In the format of the protocol chosen; empty where the leader gave this member nothing. */
  readonly assignment: Buffer
  /** For the leader: all members; also where it came back and there was nothing to assign anew (KIP-814). */
  readonly members: readonly MemberMetadata[]
}

export interface GroupMemberOptions {
  readonly groupId: string
  /** `client.id` of its own connections. Default: the client's. */
  readonly clientId?: string | undefined
  /** `consumer`, `connect`, …: all members of a group have the same. */
  readonly protocolType: string
  readonly sessionTimeoutMs: number
  readonly heartbeatIntervalMs: number
  /** How long the others wait for this member to join again. */
  readonly rebalanceTimeoutMs: number
  /** `group.instance.id`: a static member (KIP-345), which keeps its place through a restart. */
  readonly groupInstanceId?: string | undefined
  /** Whether {@link GroupMembership.leave} tells the group. Default: unless the member is static. */
  readonly leavesOnClose?: boolean | undefined
  /** What this member can take part in, most preferred first. Asked anew for each round. */
  readonly protocols: () => readonly { readonly name: string; readonly metadata: Buffer }[]
  /** Called on the leader: the assignment of each member, by member id. */
  readonly assign: (protocol: string, members: readonly MemberMetadata[]) => Promise<ReadonlyMap<string, Buffer>>
  /**
   * The coordinator counted this member in, under this id, when it got a request that was sent at this time, in ms of
   * `performance.now()`: it will until the session timeout after it at the least. Under another id it is a new member,
   * whatever it was before.
   */
  readonly onAlive?: ((sentAtMs: number, memberId: string) => void) | undefined
  /** {@link GroupMembership.mustRejoin} or {@link GroupMembership.lost} has come to be. Called from a timer or an answer. */
  readonly onChange: () => void
}

/**
 * A member of a group that shares something other than partitions. The owner calls {@link join}, and again whenever
 * {@link mustRejoin} says so. Heartbeats go on by themselves in between.
 */
export interface GroupMembership {
  /** A new round has begun, or has to. */
  readonly mustRejoin: boolean
  /** Why the coordinator no longer counts this member in; until the next {@link join}. */
  readonly lost: LogError | undefined
  requestRejoin(): void
  /** Someone is known to be coming or going: looks for the round that it leads to sooner than the next heartbeat. */
  lookForRound(): void
  /**
   * Asks the coordinator whether the last round joined is still the group's last.
   * @throws LogError where it is not, or could not be asked
   */
  check(): Promise<void>
  /**
   * Takes part in rounds until one succeeds, through errors that pass.
   * @throws LogError FENCED_INSTANCE_ID, INCONSISTENT_GROUP_PROTOCOL, GROUP_AUTHORIZATION_FAILED …; CLOSED
   */
  join(): Promise<JoinedGeneration>
  leave(): Promise<void>
}

/** Opens connections as they are needed and shares them among what it made. */
export interface LogClient {
  producer(options?: ProducerOptions): Producer
  reader(options?: ReadOptions): Reader
  groupConsumer(options: GroupConsumerOptions): GroupConsumer
  groupMember(options: GroupMemberOptions): GroupMembership
  readonly admin: Admin
  /** Closes everything that it made. */
  close(): Promise<void>
}

/** A failed exchange with the log. */
export class LogError extends Error {
  override readonly name = 'LogError'
  /** Kafka's name of the error (`NOT_ENOUGH_REPLICAS`), or `NETWORK`, `TIMEOUT`, `CLOSED`, `PROTOCOL`, `TLS`. */
  readonly code: string
  readonly retriable: boolean

  constructor(code: string, message: string, options: { retriable: boolean; cause?: unknown }) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retriable = options.retriable
  }
}
