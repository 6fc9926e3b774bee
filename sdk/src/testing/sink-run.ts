import type { Settings } from '../config.ts'
import type { PutResult, Sink, SinkTask, SinkTaskContext, TaskProgress } from '../connector.ts'
import {
  originalPosition,
  type AssignedPartition,
  type SinkRecord,
  type TopicPartition,
  type TopicPartitionOffset,
} from '../record.ts'
import { recordingLogger, type LogLine } from './logs.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'
import { defaultTimeoutMs, within } from './time-limit.ts'

/** What a run of a sink may be given. */
export interface SinkRunOptions {
  /** Committed offsets to go on from: those of an earlier run (its `committed`), or made up. Default: none. */
  readonly committed?: Iterable<TopicPartitionOffset>
  /** How long a call of the task may take before the test fails. Default 4 s. */
  readonly timeoutMs?: number
  /** Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** See the context's field of that name. Default: undefined. */
  readonly redrive?: 'beside' | 'alone'
  /** See the context's field of that name. Default: false. */
  readonly deadLetters?: boolean
}

/** The task of a sink, to be made in the context that a run makes, less its config. */
type WriteTask = (context: Omit<SinkTaskContext<never>, 'config'>) => SinkTask | Promise<SinkTask>

/** Offsets by topic partition. */
class Positions implements Iterable<TopicPartitionOffset> {
  private readonly byPartition = new Map<string, TopicPartitionOffset>()

  constructor(positions: Iterable<TopicPartitionOffset> = []) {
    for (const position of positions) this.set(position)
  }

  get({ topic, partition }: TopicPartition): number | undefined {
    return this.byPartition.get(`${topic}-${partition}`)?.offset
  }

  set({ topic, partition, offset }: TopicPartitionOffset): void {
    this.byPartition.set(`${topic}-${partition}`, { topic, partition, offset })
  }

  delete({ topic, partition }: TopicPartition): void {
    this.byPartition.delete(`${topic}-${partition}`)
  }

  [Symbol.iterator](): Iterator<TopicPartitionOffset> {
    return this.byPartition.values()
  }
}

/**
 * One task of a sink, run without a worker: the test puts records and flushes. Stopping without a flush leaves the
 * committed offsets as a crash would.
 */
export class SinkRun {
  /** What the runtime would have committed to the consumer group: one past the last record, by topic partition. */
  readonly committed: Iterable<TopicPartitionOffset> & { get(partition: TopicPartition): number | undefined }
  /** What the connector logged. */
  readonly logs: LogLine[] = []
  /** Whether the task asked for a commit since the last flush. */
  commitRequested = false
  /** What the task has reported as failed for good, other than by the answer of `put`. */
  readonly reported: { readonly record: SinkRecord; readonly error: Error }[] = []
  private readonly name: string
  private readonly write: WriteTask
  private readonly redrive: 'beside' | 'alone' | undefined
  private readonly deadLetters: boolean
  private readonly timeoutMs: number
  /** What the task may hold; a test may change it, as other tasks of a worker do. */
  maxBufferedBytes: number
  /** What the task said last that it holds. */
  heldBytes = 0
  /** How the task said last that it gets on. */
  progress: TaskProgress | undefined
  private readonly stopping = new AbortController()
  private readonly store: Positions
  private readonly positions = new Positions()
  /** Partitions that the task has sought in since the last `put` began. */
  private readonly sought = new Set<string>()
  private task: Promise<SinkTask> | undefined
  private stopped: Promise<void> | undefined

  /** Use {@link runSink}. */
  constructor(name: string, write: WriteTask, options: SinkRunOptions) {
    this.name = name
    this.write = write
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.maxBufferedBytes = options.maxBufferedBytes ?? 16 * 2 ** 20
    this.redrive = options.redrive
    this.deadLetters = options.deadLetters ?? false
    this.store = new Positions(options.committed)
    this.committed = this.store
  }

  /**
   * Assigns partitions to the task, as the start of a run or a rebalance does. `put` does it for the partitions of
   * its records; call it to have several opened at once or one without records.
   */
  async open(partitions: readonly AssignedPartition[]): Promise<void> {
    const fresh = partitions.filter((partition) => this.positions.get(partition) === undefined)
    for (const partition of fresh) this.positions.set({ ...partition, offset: this.store.get(partition) ?? 0 })
    const task = await this.start()
    await this.call('open', task.open?.(fresh))
  }

  /** Where the task goes on in a partition: the offset of the next record that it wants. */
  position(partition: TopicPartition): number | undefined {
    return this.positions.get(partition)
  }

  /**
   * Delivers records. Those before a partition's position (the committed offset, or where the task has sought to) are
   * left out, as the consumer would not have read them. Records that the task wants again are put again at once.
   * @returns what became of records that were not simply accepted, retries done
   * @throws what the task throws; the same records may then be put again
   */
  async put(records: readonly SinkRecord[]): Promise<PutResult> {
    const task = await this.start()
    const fresh = new Map<string, TopicPartition>()
    for (const { topic, partition } of records.map(originalPosition)) {
      const assigned = this.positions.get({ topic, partition }) !== undefined
      if (!assigned) fresh.set(`${topic}-${partition}`, { topic, partition })
    }
    if (fresh.size > 0) await this.open([...fresh.values()])
    const due = records.filter((record) => record.offset >= (this.positions.get(originalPosition(record)) ?? 0))
    const rejected: NonNullable<PutResult['rejected']>[number][] = []
    let batch: readonly SinkRecord[] = due
    this.sought.clear()
    for (let attempt = 0; ; attempt++) {
      if (attempt === 100) throw new Error(`${this.name} wanted ${batch.length} records again 100 times`)
      const result = (await this.call('put', task.put(batch))) ?? {}
      rejected.push(...(result.rejected ?? []))
      if (result.retry === undefined || result.retry.length === 0) break
      batch = result.retry
    }
    for (const { topic, partition, offset } of due.map(originalPosition)) {
      if (!this.sought.has(`${topic}-${partition}`)) this.positions.set({ topic, partition, offset: offset + 1 })
    }
    return { rejected }
  }

  /** Has the task make durable what was put, and commits the offsets that it then stands for. */
  async flush(): Promise<void> {
    const task = await this.start()
    this.commitRequested = false
    const put = [...this.positions]
    for (const position of (await this.call('flush', task.flush?.(put))) ?? put) this.store.set(position)
  }

  /** Takes partitions away, after a flush, as a rebalance does. */
  async close(partitions: readonly TopicPartition[] = [...this.positions]): Promise<void> {
    await this.flush()
    const task = await this.start()
    await this.call('close', task.close?.(partitions))
    for (const partition of partitions) this.positions.delete(partition)
  }

  /** Ends the task without a flush. Stopping twice is the same as once: the task is told once. */
  stop(): Promise<void> {
    this.stopping.abort()
    this.stopped ??= (async () => {
      const task = await this.task?.catch(() => undefined)
      await this.call('stop', task?.stop?.())
    })()
    return this.stopped
  }

  private start(): Promise<SinkTask> {
    if (this.stopped !== undefined) throw new Error('the run is stopped')
    const mostBytes = (): number => this.maxBufferedBytes
    this.task ??= (async () =>
      this.write({
        connector: this.name,
        task: 0,
        signal: this.stopping.signal,
        log: recordingLogger(this.logs),
        get maxBufferedBytes() {
          return mostBytes()
        },
        seek: (position) => {
          if (this.redrive !== undefined) return
          this.positions.set(position)
          this.sought.add(`${position.topic}-${position.partition}`)
        },
        holds: (bytes) => {
          this.heldBytes = bytes
        },
        progress: (progress) => {
          this.progress = progress
        },
        requestCommit: () => {
          this.commitRequested = true
        },
        report: async (record, error) => void this.reported.push({ record, error }),
        deadLetters: this.deadLetters,
        redrive: this.redrive,
      }))()
    return this.task
  }

  private async call<T>(name: string, answer: T | Promise<T>): Promise<T> {
    return within(this.timeoutMs, Promise.resolve(answer), () => `${name} of ${this.name} did not end`)
  }
}

/**
 * Runs one task of a sink without a worker.
 *
 * ```ts
 * const run = runSink(fileSink, { file: 'out.txt' })
 * await run.put([sinkRecord({ value: 'a' }), sinkRecord({ value: 'b', offset: 1 })])
 * await run.flush()
 * await run.stop()
 * ```
 * @throws ConfigError naming each setting at fault
 */
export function runSink<S extends Settings>(sink: Sink<S>, config: RawConfig, options: SinkRunOptions = {}): SinkRun {
  const parsed = parseConfig(sink, config)
  return new SinkRun(sink.name, (context) => sink.write({ ...context, config: parsed }), options)
}

/** A record as a sink gets it; what is left out is the plainest: topic `topic`, partition 0, offset 0, no key, no headers. */
export function sinkRecord(record: Partial<SinkRecord> = {}): SinkRecord {
  return { topic: 'topic', partition: 0, offset: 0, key: null, value: null, headers: [], timestamp: 0, ...record }
}

/** One record for each value, at consecutive offsets. */
export function sinkRecords(values: readonly unknown[], first: Partial<SinkRecord> = {}): SinkRecord[] {
  return values.map((value, index) => sinkRecord({ ...first, value, offset: (first.offset ?? 0) + index }))
}
