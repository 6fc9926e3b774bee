import type { ConfigOf, Settings } from './config.ts'
import type { Logger } from './connector.ts'
import type { FollowedRecord, Header } from './record.ts'
import type { Schema } from './schema.ts'

/** What a transform sees and changes of a source's or a sink's record (Kafka Connect's ConnectRecord). */
export interface ConnectRecord {
  readonly topic: string
  /** The topic partition to write to, or that it came from; undefined: not chosen yet. */
  readonly partition?: number | undefined
  readonly key?: unknown
  readonly keySchema?: Schema | undefined
  readonly value: unknown
  readonly valueSchema?: Schema | undefined
  readonly headers?: readonly Header[] | undefined
  /** Milliseconds since the epoch. Of a source's record undefined where it is the time of writing; of a sink's -1 where there is none. */
  readonly timestamp?: number | undefined
  /** Of a sink's record: its position in the topic partition. */
  readonly offset?: number
}

/**
 * Changes records one by one, between a source and the converters or between the converters and a sink.
 *
 * Called for every record, in order, so it answers at once where it can, and with a promise only when something must
 * first be waited for. It never changes the record it is given, nor anything in it: others may hold it (a dead letter, a
 * retry, the connector itself).
 */
export interface Transform {
  /**
   * What becomes of the record: itself, a {@link changed} copy, or null, which drops it (it then counts as delivered).
   * @throws DataError for a record that it cannot deal with: `errors.tolerance` decides; RetriableError: it is tried
   *   again for as long as `errors.retry.timeout` says, then the task fails, whatever is tolerated
   */
  apply<R extends ConnectRecord>(record: R): R | null | Promise<R | null>
  /** Called once, when its task ends. */
  close?(): void | Promise<void>
}

/** Tells for each record whether a transform applies to it (`transforms.<name>.predicate`). */
export interface Predicate {
  /** @throws DataError for a record that it cannot judge */
  test(record: ConnectRecord): boolean
}

/** A copy of the record with some of its parts replaced; the rest, also what the framework keeps with it, stays. */
export function changed<R extends ConnectRecord>(record: R, changes: Partial<Omit<ConnectRecord, 'offset'>>): R {
  return { ...record, ...changes }
}

/** What a transform may know of where it works, and use there. */
export interface TransformContext {
  readonly connector: string
  readonly task: number
  readonly type: 'source' | 'sink'
  /** Its name in `transforms` or `predicates`. */
  readonly alias: string
  readonly log: Logger
  /** Aborted when the task ends. */
  readonly signal: AbortSignal
  /**
   * Says how many bytes the transform holds now (a table, what it remembers): they count against the memory that the tasks
   * of a worker share, and not against what the connector itself may hold. To be called when the number has changed by
   * some kilobytes.
   */
  holds(bytes: number): void
  /**
   * Reads all partitions of a topic from their beginning, and goes on with what comes until the task ends; only what is
   * committed. Resolves when all that could be read at the call has been told: in a partition with an open transaction
   * all before its first record; what is behind it is told when it has ended, with what comes. A record may be told again, where the
   * topic is made anew or its beginning deleted. Where `onRecord` answers with a promise, the next record is told when it
   * is resolved. What `onRecord` throws fails the task.
   * @throws ConnectError where the topic does not exist or cannot be read
   */
  followTopic(topic: string, onRecord: (record: FollowedRecord) => void | Promise<void>): Promise<void>
}

interface PartDefinition<S extends Settings> {
  /** The short name that `transforms.<alias>.type` or `predicates.<alias>.type` takes. */
  readonly name: string
  /** Left out: the plugin's. */
  readonly version?: string
  /** Other names it answers to: the Java class that it stands in for. */
  readonly aliases?: readonly string[]
  readonly doc: string
  /** Settings, read below `transforms.<alias>.` or `predicates.<alias>.`. */
  readonly config: S
}

/** Declares a transform, chosen by `transforms.<alias>.type`. */
export interface TransformDefinition<S extends Settings = Settings> extends PartDefinition<S> {
  /** What is wrong across settings, by setting. Called by validations too, so it looks at the config alone. */
  readonly check?: (config: ConfigOf<S>) => Readonly<Record<string, string>>
  /** @throws ConfigError */
  readonly create: (config: ConfigOf<S>, context: TransformContext) => Transform | Promise<Transform>
}

/** Declares a predicate, chosen by `predicates.<alias>.type`. */
export interface PredicateDefinition<S extends Settings = Settings> extends PartDefinition<S> {
  readonly check?: (config: ConfigOf<S>) => Readonly<Record<string, string>>
  /** @throws ConfigError */
  readonly create: (config: ConfigOf<S>) => Predicate
}

/** Declares a transform in one call. */
export function defineTransform<const S extends Settings>(definition: TransformDefinition<S>): TransformDefinition<S> {
  return definition
}

/** Declares a predicate in one call. */
export function definePredicate<const S extends Settings>(definition: PredicateDefinition<S>): PredicateDefinition<S> {
  return definition
}
