import type { ConfigOf, ConfigProblems, Settings } from './config.ts'
import type {
  AssignedPartition,
  FollowedRecord,
  SinkOffsetChange,
  SinkRecord,
  SourceOffset,
  SourceOffsetChange,
  SourcePartition,
  SourceRecord,
  TopicPartition,
  TopicPartitionOffset,
} from './record.ts'

/** Writes to the worker's log, with the connector's name and task number added. Never pass a secret. */
export interface Logger {
  debug(message: string, details?: Readonly<Record<string, unknown>>): void
  info(message: string, details?: Readonly<Record<string, unknown>>): void
  warn(message: string, details?: Readonly<Record<string, unknown>>): void
  error(message: string, details?: Readonly<Record<string, unknown>>): void
}

/** How a task gets on. See {@link TaskContext.progress}. */
export interface TaskProgress {
  /** One short line: `snapshot: public.orders, 120,000 of about 1,000,000 rows`. */
  readonly text: string
  /** Figures by name, with the unit in it: `lag_bytes`, `rows_done`. */
  readonly figures: Readonly<Record<string, number>>
}

interface TaskContext<C> {
  /** This task's parsed and defaulted settings. */
  readonly config: C
  readonly connector: string
  readonly task: number
  /**
   * Aborted when the task has to stop: end waits at once, finish what is quick, and return. After
   * `task.shutdown.graceful.timeout.ms` the task is cut off.
   */
  readonly signal: AbortSignal
  readonly log: Logger
  /**
   * Tells how the task gets on; what was told last counts. Shown with the task's status and in the console, and its figures
   * among the worker's metrics, until the task ends. Costs little: to be called whenever figures have changed. Of a text
   * 300 characters are shown, of figures 50: those that are finite and whose names are of small letters, digits and `_`.
   */
  progress(progress: TaskProgress): void
}

/** What a source task gets from the runtime. */
export interface SourceTaskContext<C> extends TaskContext<C> {
  /** Stored positions. What is read here is durable: the records before it are in the log. */
  readonly offsets: {
    get(partition: SourcePartition): Promise<SourceOffset | undefined>
    /** In the order asked. */
    getAll(partitions: readonly SourcePartition[]): Promise<(SourceOffset | undefined)[]>
  }
  /**
   * Most bytes that the runtime holds for this task between `yield` and acknowledgement. A source that must buffer on
   * its side (a subscription that pushes) keeps within the same figure.
   */
  readonly maxBufferedBytes: number
  /**
   * Says how many bytes the task holds now that it has not yielded yet: the queue of a subscription, a line that is not
   * complete. What it has yielded, the runtime counts. It counts against the memory that the tasks of a worker share; the
   * answer is whether there is room for more: if not, a source that is pushed to stops taking until some of its batches are
   * durable. To be called when the number has changed by some kilobytes; a source that holds nothing between two batches
   * has no need of it.
   */
  holds(bytes: number): boolean
  /**
   * Somebody only looks at what the source would give: nothing that it yields gets into the log, no offset is stored and
   * no `durable` called. A source leaves no trace on the other side then (no slot, no acknowledgement, no session that
   * another one holds), or throws ConfigError where it cannot but leave one. It may run beside the connector's own tasks.
   */
  readonly preview: boolean
  /**
   * Whether a record with an {@link SourceRecord.error} goes to a dead letter topic: the connector has one, and
   * `errors.tolerance` is `all`.
   */
  readonly deadLetters: boolean
  /**
   * Reads a topic with one partition from an offset on (undefined: from its end), only what is committed, until the task
   * ends or `read` is called again. Where that offset is not in the partition any more, from its beginning. Resolves when
   * reading has begun: what is written from then on is told. A topic that does not exist is made, where the worker lets
   * connectors have topics made. Where `onRecord` answers with a promise, the next record is told when it is resolved. What
   * `onRecord` throws fails the task. In a preview nothing is read.
   * @throws ConnectError where the topic cannot be read, or has more than one partition
   */
  followTopic(
    topic: string,
    from: number | undefined,
    onRecord: (record: FollowedRecord) => void | Promise<void>,
  ): Promise<void>
}

/** A batch with news of its fate. An array of records alone does where that is of no interest. */
export interface SourceBatch {
  readonly records: readonly SourceRecord[]
  /**
   * Positions to store though no record carries them, after this batch's records: for a source that read much and
   * found nothing to send.
   */
  readonly offsets?: readonly { readonly partition: SourcePartition; readonly offset: SourceOffset }[]
  /**
   * Called once, in the order of the batches, when every record up to and with this batch is acknowledged by the log
   * (or was dropped by a transform or tolerated as an error), and its offsets, if it has any, are stored. Now the other side may be told: acknowledge
   * the message, confirm the position. Not called for what was not delivered when the task ended. A throw fails the task.
   */
  readonly durable?: () => void | Promise<void>
  /**
   * Ends the transaction after this batch, on a worker that delivers this source exactly once with
   * `transaction.boundary=connector`; elsewhere it has no effect. `commit`: all batches since the end of the last one
   * become visible together. `abort`: their records are dropped, and their offsets count as delivered.
   */
  readonly transaction?: 'commit' | 'abort'
}

/** Gives batches for as long as there are any. See {@link SourceDefinition.read}. */
export type SourceBatches = AsyncIterable<readonly SourceRecord[] | SourceBatch>

interface ConnectorDefinition<S extends Settings, C = ConfigOf<S>> {
  /** The short name that `connector.class` takes: `file-source`. */
  readonly name: string
  /** Left out: the plugin's. */
  readonly version?: string
  /** Well-known class names that `connector.class` takes as well. */
  readonly aliases?: readonly string[]
  /** One paragraph: what it does, for whom. */
  readonly doc: string
  readonly config: S
  /**
   * Settings of the connector this one stands in for that it lacks, with the reason or the way out. A config that
   * has one is refused by that name, since to ignore it would change the result.
   */
  readonly unsupported?: Readonly<Record<string, string>>
  /**
   * Rules across settings, pure and quick. Called with the parsed config, when one is validated and before each start.
   */
  readonly check?: (config: C) => ConfigProblems
  /**
   * Tries on the external system what the config says: can it be reached, does it take the login, is the table there.
   * Called when a deep validation is asked for, and never otherwise, with a config that is right by itself and by `check`.
   * Leaves nothing behind. Has ten seconds: then the signal is aborted, and a little later its thread ended. What it
   * throws is told as a problem too.
   */
  readonly tryOut?: (
    config: C,
    context: { readonly signal: AbortSignal; readonly log: Logger },
  ) => ConfigProblems | Promise<ConfigProblems>
  /**
   * Splits the work: one settings map a task, at most `maxTasks` of them, each merged over the connector's config.
   * Left out: a source has one task, a sink `tasks.max` alike ones. May ask the external system.
   * Called when the connector starts and when its config changes.
   */
  readonly tasks?: (
    config: C,
    maxTasks: number,
    context: { readonly signal: AbortSignal; readonly log: Logger },
  ) => readonly Readonly<Record<string, string>>[] | Promise<readonly Readonly<Record<string, string>>[]>
}

/** What {@link SourceDefinition.alterOffsets} and its like get from the runtime. */
export interface OffsetsContext {
  readonly connector: string
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal
  readonly log: Logger
}

/** What {@link SinkDefinition.alterOffsets} gets from the runtime. */
export interface SinkOffsetsContext extends OffsetsContext {
  /**
   * Whether the connector's offsets are forgotten as a whole: what the other side keeps for partitions that the group has no
   * offset of, such as those of a topic that was deleted, has to go too.
   */
  readonly reset: boolean
}

/**
 * Where a source is to begin: at what is newest now, at a time (milliseconds since the epoch), or at a position that is
 * one number, whatever that means to the connector.
 */
export type SourceStart = 'latest' | { readonly timestamp: number } | { readonly offset: number }

/** Declares a source connector; see {@link defineSource}. */
export interface SourceDefinition<S extends Settings = Settings> extends ConnectorDefinition<S> {
  /**
   * Whether records can be read again from a stored offset with the same result, so that records and offsets in one
   * transaction make exactly-once. Default: false.
   */
  readonly exactlyOnce?: boolean
  /**
   * Whether the task's batches say where transactions end ({@link SourceBatch.transaction}), so that
   * `transaction.boundary=connector` can be configured. Default: false.
   */
  readonly transactionBoundaries?: boolean
  /**
   * Somebody changes stored offsets, while the connector is stopped (KIP-875). Looks whether they are such as `read` can go
   * on from and, where the other side keeps a position too, changes that. Called before they are stored, and perhaps
   * again with the same ones; on the worker that leads, which need not be one that runs the tasks.
   * @returns whether that was all: false where the other side keeps a position that has to be changed there. Left out:
   *   the offsets are stored unseen, and the answer is false.
   * @throws ConfigError with what is wrong. An offset of null is not refused: it is how to get rid of one that is wrong.
   */
  readonly alterOffsets?: (
    config: ConfigOf<S>,
    offsets: readonly SourceOffsetChange[],
    context: OffsetsContext,
  ) => boolean | Promise<boolean>
  /**
   * The offsets to store for a start from there; for what it leaves out, the stored ones stay. To begin anew needs none:
   * the stored ones are forgotten. Left out: only that is possible.
   * @throws ConfigError where it cannot be done, with what can
   */
  readonly offsetsFrom?: (
    config: ConfigOf<S>,
    from: SourceStart,
    context: OffsetsContext & { readonly stored: readonly SourceOffsetChange[] },
  ) => readonly SourceOffsetChange[] | Promise<readonly SourceOffsetChange[]>
  /**
   * The connector takes signals: somebody asks something of its tasks while they run. Such a signal is a record of a topic
   * with one partition, which the tasks read by {@link SourceTaskContext.followTopic}; its value is JSON: `id` and `type`
   * are texts, `data` an object. Left out: it takes none.
   */
  readonly signals?: {
    /** The topic that signals are read from; undefined: with this config it takes none. */
    readonly topic: (config: ConfigOf<S>) => string | undefined
    /** The key of the records, for connectors that share a topic. Left out: they have none. */
    readonly key?: (config: ConfigOf<S>) => string
  }
  /**
   * The task: an async generator of batches. The runtime asks for the next batch when there is room for it, which is
   * the back-pressure; batches of a few hundred records or tens of kilobytes are best. Give up
   * resources in a `finally`: on a stop the signal is aborted first, then the generator is returned.
   * Throwing RetriableError makes the runtime call `read` again, after a pause, from the stored offsets;
   * returning ends the task's work, and it stays idle.
   */
  readonly read: (context: SourceTaskContext<ConfigOf<S>>) => SourceBatches | Promise<SourceBatches>
}

/** What a sink task gets from the runtime. */
export interface SinkTaskContext<C> extends TaskContext<C> {
  /**
   * Most bytes of records that this task should hold before it flushes by itself. Changes with what the other tasks of the
   * worker hold: look at it with each `put`, rather than once.
   */
  readonly maxBufferedBytes: number
  /**
   * Says how many bytes of records the task holds now: in buffers and open files, put and not flushed. For a sink that
   * gathers. They count against the memory that the tasks of a worker share; where it comes to an end, a task that holds
   * some is asked for a `flush` before its time. To be called when the number has changed, once a batch at most.
   */
  holds(bytes: number): void
  /**
   * Continues from this offset rather than the committed one. For sinks that keep offsets in the external system;
   * allowed inside {@link SinkTask.open}. Inside {@link SinkTask.put} too, for one that has lost what it had taken: it accepts
   * the records of the partition that it is given in that call, and gets them again.
   */
  seek(position: TopicPartitionOffset): void
  /** Asks for a flush and commit soon, before the interval is over. */
  requestCommit(): void
  /**
   * Says of a record, as it was given to {@link SinkTask.put}, that it failed for good: for a sink that learns so after
   * `put` has returned (KIP-610). It follows `errors.tolerance`: with `none` the task fails. Resolves when the dead letter,
   * if there is one, is in the log; need not be awaited, since no offset is committed before. To be called before the
   * `flush` that covers the record returns.
   * @throws (the promise rejects) where errors are not tolerated, or the log did not take the dead letter
   */
  report(record: SinkRecord, error: Error): Promise<void>
  /**
   * Whether a record that is rejected or reported goes to a dead letter topic: the connector has one, and
   * `errors.tolerance` is `all`. In a re-drive true: the letter stays where it is.
   */
  readonly deadLetters: boolean
  /**
   * Set where the task is there to put dead letters once more, apart from the connector's own tasks, and undefined for
   * these: `alone` where the connector is stopped, `beside` where its tasks may be running. The records have the offsets that
   * they had when they failed, older than what the connector has come to since. A sink that keeps offsets on the other
   * side neither drops these records for their offsets nor stores them, {@link seek} has no effect, and `flush` makes
   * durable all that was put: nothing comes after it. One that cannot work beside itself throws ConfigError for `beside`.
   */
  readonly redrive: 'beside' | 'alone' | undefined
}

/** What became of the records of one `put` that were not simply accepted. */
export interface PutResult {
  /** Never to succeed: they follow `errors.tolerance` (dead letter queue, skip, or fail the task). */
  readonly rejected?: readonly { readonly record: SinkRecord; readonly error: Error }[]
  /** Put these again, in this order, after a pause and before anything newer. */
  readonly retry?: readonly SinkRecord[]
}

/** A running sink task. The runtime never has two calls of one task under way at the same time. */
export interface SinkTask {
  /** These partitions are now this task's. Called before their first `put`. */
  open?(partitions: readonly AssignedPartition[]): void | Promise<void>
  /**
   * Takes a batch in log order, possibly of several partitions; it may buffer until `flush`. To return is to accept,
   * save for what the result says. Throwing RetriableError gets the same batch again after a pause; any other
   * error fails the task. Called with an empty batch about once a second when there is nothing to read, so that
   * time-based work can go on.
   */
  put(records: readonly SinkRecord[]): void | PutResult | Promise<void | PutResult>
  /**
   * Makes what was put durable outside, then returns: the offsets are committed after that. May instead return the
   * offsets up to which it is durable, where a flush would be costly or too early; what it leaves out is not committed.
   */
  flush?(
    offsets: readonly TopicPartitionOffset[],
  ): void | readonly TopicPartitionOffset[] | Promise<void | readonly TopicPartitionOffset[]>
  /** These partitions go elsewhere: after the last `flush` for them. Let go of what belongs to them. */
  close?(partitions: readonly TopicPartition[]): void | Promise<void>
  /** The end: connections are closed. Called once, also after a failure, with nothing called after it. */
  stop?(): void | Promise<void>
}

/** Declares a sink connector; see {@link defineSink}. */
export interface SinkDefinition<S extends Settings = Settings> extends ConnectorDefinition<S> {
  /**
   * Somebody changes the consumer group's offsets, while the connector is stopped (KIP-875): for a sink that keeps offsets
   * on the other side, to change these too. Called before the group's are changed, and perhaps again with the same ones; on
   * the worker that leads, which need not be one that runs the tasks.
   * @returns whether that was all: false where the other side keeps an offset that has to be changed there. Left out:
   *   the answer is false.
   * @throws ConfigError with what is wrong. An offset of null is not refused.
   */
  readonly alterOffsets?: (
    config: ConfigOf<S>,
    offsets: readonly SinkOffsetChange[],
    context: SinkOffsetsContext,
  ) => boolean | Promise<boolean>
  /** Makes a task, connected and ready. Throwing RetriableError has it called again after a pause. */
  readonly write: (context: SinkTaskContext<ConfigOf<S>>) => SinkTask | Promise<SinkTask>
}

/** A declared source. Made by {@link defineSource}. */
export type Source<S extends Settings = Settings> = SourceDefinition<S> & { readonly type: 'source' }

/** A declared sink. Made by {@link defineSink}. */
export type Sink<S extends Settings = Settings> = SinkDefinition<S> & { readonly type: 'sink' }

/** Declares a source connector: name, settings, how the work splits, and the task, in one call. */
export function defineSource<const S extends Settings>(definition: SourceDefinition<S>): Source<S> {
  return { ...definition, type: 'source' }
}

/** Declares a sink connector: name, settings, how the work splits, and the task, in one call. */
export function defineSink<const S extends Settings>(definition: SinkDefinition<S>): Sink<S> {
  return { ...definition, type: 'sink' }
}
