import type { Schema } from './schema.ts'

/** A record header. The value is any value that the header converter can turn into bytes (string by default). */
export interface Header {
  key: string
  value: unknown
  schema?: Schema | undefined
}

/**
 * Names one stream of the external system whose position is kept apart from the others': a file, a table, a shard.
 * A flat object of strings, numbers and booleans, compared by its contents whatever the order of its keys.
 */
export type SourcePartition = Readonly<Record<string, string | number | boolean | null>>

/** A position in a source partition, from which reading can go on. Flat, like {@link SourcePartition}. */
export type SourceOffset = Readonly<Record<string, string | number | boolean | null>>

/**
 * A record on its way into the log, as a source task makes it.
 *
 * Records with the same key go to the same topic partition, in order; records without one are spread.
 */
export interface SourceRecord {
  topic: string
  /** The topic partition to write to. Left out: chosen from the key's bytes, as Kafka's default partitioner does. */
  partition?: number | undefined
  key?: unknown
  keySchema?: Schema | undefined
  value: unknown
  valueSchema?: Schema | undefined
  headers?: readonly Header[] | undefined
  /** Milliseconds since the epoch. Left out: the time of writing. */
  timestamp?: number | undefined
  /**
   * Where this record came from, and where to go on after it. Both or neither: a source that the other side keeps the
   * position of (an MQTT session, a queue) leaves them out.
   */
  sourcePartition?: SourcePartition | undefined
  sourceOffset?: SourceOffset | undefined
  /**
   * The source could not read this record; its key and value are what there is of it, bytes as they came. It follows
   * `errors.tolerance`: it fails the task, is passed over, or goes to the dead letter topic (stage TASK_POLL) as it is. A
   * source that would rather deliver it unread than drop it sets this only where its context says `deadLetters`.
   */
  error?: Error | undefined
}

/** A record read from the log, as a sink task gets it. */
export interface SinkRecord {
  /** As the connector's transforms have it. */
  readonly topic: string
  readonly partition: number
  /** Position in the topic partition that it came from. A number: Kafka's int64, which no real log drives past 2^53. */
  readonly offset: number
  readonly key: unknown
  readonly keySchema?: Schema | undefined
  readonly value: unknown
  readonly valueSchema?: Schema | undefined
  readonly headers: readonly Header[]
  /** Milliseconds since the epoch; -1 where the log has none. */
  readonly timestamp: number
  /**
   * Where it is in the log, as far as transforms gave it another topic or partition; left out where they did not
   * (KIP-793). What `open`, `flush` and `seek` speak of is this, and {@link originalPosition} tells it of any record.
   */
  readonly originalTopic?: string | undefined
  readonly originalKafkaPartition?: number | undefined
}

/** One partition of a topic. */
export interface TopicPartition {
  readonly topic: string
  readonly partition: number
}

/** A partition that a sink task was given. */
export interface AssignedPartition extends TopicPartition {
  /**
   * Kafka's id of the topic (KIP-516), which tells a topic that was deleted and made anew from the one before. Left out
   * where the log has none (brokers before 2.8), or the partition was not assigned by the consumer group.
   */
  readonly topicId?: string | undefined
}

/**
 * Where a record is in the log, whatever transforms made of its topic: by this a sink that keeps its own offsets tells
 * what it has written.
 */
export function originalPosition(record: SinkRecord): TopicPartitionOffset {
  const { topic, partition, offset, originalTopic = topic, originalKafkaPartition = partition } = record
  return { topic: originalTopic, partition: originalKafkaPartition, offset }
}

/** A record of a topic, as bytes. */
export interface FollowedRecord {
  readonly partition: number
  readonly offset: number
  readonly key: Uint8Array | null
  readonly value: Uint8Array | null
  readonly headers: readonly { readonly key: string; readonly value: Uint8Array | null }[]
  /** Milliseconds since the epoch. */
  readonly timestamp: number
}

/** The next offset to read in a topic partition: one past the last record dealt with, as Kafka commits it. */
export interface TopicPartitionOffset extends TopicPartition {
  readonly offset: number
}

/** What is to become of the stored offset of a source partition; null: it is forgotten. */
export interface SourceOffsetChange {
  readonly partition: SourcePartition
  readonly offset: SourceOffset | null
}

/** What is to become of the committed offset of a topic partition; null: it is forgotten. */
export interface SinkOffsetChange extends TopicPartition {
  /** The next to read. */
  readonly offset: number | null
}
