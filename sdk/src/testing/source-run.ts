import type { Settings } from '../config.ts'
import type { Source, SourceBatch, SourceBatches, SourceTaskContext, TaskProgress } from '../connector.ts'
import type { SourceRecord } from '../record.ts'
import { FollowedTopics, type FollowedText, type FollowedTexts } from './followed-topics.ts'
import { recordingLogger, type LogLine } from './logs.ts'
import { OffsetStore, type StoredOffset } from './offset-store.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'
import { defaultTimeoutMs, within } from './time-limit.ts'

/** What a run of a source may be given. */
export interface SourceRunOptions {
  /** Where to go on: what an earlier run stored (its `offsets`), or positions made up. Default: a first start. */
  readonly offsets?: Iterable<StoredOffset>
  /** How long to wait for records, and for the end of the task, before the test fails. Default 4 s. */
  readonly timeoutMs?: number
  /** Default 16 MiB. */
  readonly maxBufferedBytes?: number
  /** See the context's field of that name. Default false. */
  readonly preview?: boolean
  /** See the context's field of that name. Default false. */
  readonly deadLetters?: boolean
  /** The topics that there are to follow, with what is in them. Default: none. */
  readonly topics?: FollowedTexts
}

/** The task of a source, to be started in the context that a run makes, less its config. */
type ReadTask = (context: Omit<SourceTaskContext<never>, 'config'>) => SourceBatches | Promise<SourceBatches>

/** A batch that the source gave, and how many of its records are acknowledged. */
interface Delivery {
  readonly batch: SourceBatch
  acknowledged: number
}

/**
 * One task of a source, run without a worker: the test takes records and decides when they are acknowledged. Stopping
 * without acknowledging leaves the stored offsets as a crash would.
 */
export class SourceRun {
  /** What is stored. The runtime would have it in its offsets topic. */
  readonly offsets: OffsetStore
  /** What the connector logged. */
  readonly logs: LogLine[] = []
  private readonly name: string
  private readonly read: ReadTask
  private readonly timeoutMs: number
  private readonly maxBufferedBytes: number
  /** What the task said last that it holds. */
  heldBytes = 0
  /** How the task said last that it gets on. */
  progress: TaskProgress | undefined
  /** The answer to the task's `holds`; a test may change it, as other tasks of a worker do. */
  hasRoom = true
  private readonly preview: boolean
  private readonly deadLetters: boolean
  private readonly topics: FollowedTopics
  private readonly stopping = new AbortController()
  private iterator: Promise<AsyncIterator<readonly SourceRecord[] | SourceBatch>> | undefined
  /** Kept when a wait runs into its limit, so that the next one gets what the task answers to the first. */
  private receiving: Promise<boolean> | undefined
  private readonly arrived: SourceRecord[] = []
  private readonly unacknowledged: Delivery[] = []
  private taken = 0

  /** Use {@link runSource}. */
  constructor(name: string, read: ReadTask, options: SourceRunOptions) {
    this.name = name
    this.read = read
    this.offsets = new OffsetStore(options.offsets)
    this.timeoutMs = options.timeoutMs ?? defaultTimeoutMs
    this.maxBufferedBytes = options.maxBufferedBytes ?? 16 * 2 ** 20
    this.preview = options.preview ?? false
    this.deadLetters = options.deadLetters ?? false
    this.topics = new FollowedTopics(options.topics)
  }

  /**
   * The next `count` records, or without a count those of the next batch, which may have none. The first call starts
   * the task.
   * @throws what the task throws; Error when the records do not come in time or the source ends before them
   */
  async take(count?: number): Promise<SourceRecord[]> {
    const waited = () => `${this.name} gave ${this.arrived.length} of ${count ?? 'any'} records`
    if (count === undefined && this.arrived.length === 0) {
      if (!(await within(this.timeoutMs, this.receive(), waited))) throw new Error(`${this.name} has ended`)
    }
    while (this.arrived.length < (count ?? 0)) {
      if (!(await within(this.timeoutMs, this.receive(), waited))) {
        throw new Error(`${this.name} ended after ${this.arrived.length} of ${count ?? 0} records`)
      }
    }
    const records = this.arrived.splice(0, count ?? this.arrived.length)
    this.taken += records.length
    return records
  }

  /** All records until the source ends by itself. */
  async takeAll(): Promise<SourceRecord[]> {
    while (await within(this.timeoutMs, this.receive(), () => `${this.name} goes on after ${this.taken} records`)) {
      // receive() has put the batch with those that arrived.
    }
    return this.take(this.arrived.length)
  }

  /**
   * Says that the first `count` of the taken records that were not yet acknowledged, by default all, are in the log:
   * stores their offsets and, where a batch is complete, its own, then calls its `durable`. In order, as the runtime does.
   */
  async acknowledge(count = this.taken): Promise<void> {
    if (count > this.taken) throw new RangeError(`${count} records to acknowledge, ${this.taken} taken`)
    for (let delivery = this.unacknowledged[0]; delivery !== undefined; delivery = this.unacknowledged[0]) {
      const { records, offsets, durable } = delivery.batch
      while (count > 0 && delivery.acknowledged < records.length) {
        const record = records[delivery.acknowledged++]
        if (record?.sourcePartition !== undefined && record.sourceOffset !== undefined) {
          this.offsets.set(record.sourcePartition, record.sourceOffset)
        }
        count--
        this.taken--
      }
      if (delivery.acknowledged < records.length) return
      this.unacknowledged.shift()
      for (const { partition, offset } of offsets ?? []) this.offsets.set(partition, offset)
      await durable?.()
    }
  }

  /** Adds a record to a topic; a task that follows it has been told of it on return. @throws what the task throws then */
  async write(topic: string, record: FollowedText): Promise<void> {
    await this.topics.write(topic, record)
  }

  /**
   * Stops the task: aborts its signal, then returns its generator. What is not acknowledged stays so. Stopping twice
   * is the same as once.
   * @throws Error when the task does not end in time; what the task throws, other than an AbortError
   */
  async stop(): Promise<void> {
    this.stopping.abort()
    this.topics.end()
    const end = async () => {
      try {
        const iterator = await this.iterator
        await this.receiving
        await iterator?.return?.()
      } catch (error) {
        if (!(error instanceof Error && error.name === 'AbortError')) throw error
      }
    }
    await within(this.timeoutMs, end(), () => `${this.name} did not stop after its signal was aborted`)
  }

  /** @returns false when the source has ended */
  private receive(): Promise<boolean> {
    this.receiving ??= this.receiveBatch().finally(() => {
      this.receiving = undefined
    })
    return this.receiving
  }

  private async receiveBatch(): Promise<boolean> {
    const batch = await this.next()
    if (batch === undefined) return false
    this.arrived.push(...batch.records)
    this.unacknowledged.push({ batch, acknowledged: 0 })
    return true
  }

  private async next(): Promise<SourceBatch | undefined> {
    this.iterator ??= this.start().then((batches) => batches[Symbol.asyncIterator]())
    const result = await (await this.iterator).next()
    if (result.done === true) return undefined
    return 'records' in result.value ? result.value : { records: result.value }
  }

  private async start(): Promise<SourceBatches> {
    const { offsets } = this
    return this.read({
      connector: this.name,
      task: 0,
      signal: this.stopping.signal,
      log: recordingLogger(this.logs),
      maxBufferedBytes: this.maxBufferedBytes,
      holds: (bytes) => {
        this.heldBytes = bytes
        return this.hasRoom
      },
      progress: (progress) => {
        this.progress = progress
      },
      followTopic: async (topic, from, onRecord) => {
        if (!this.preview) await this.topics.follow(topic, from, onRecord)
      },
      preview: this.preview,
      deadLetters: this.deadLetters,
      offsets: {
        get: async (partition) => offsets.get(partition),
        getAll: async (partitions) => partitions.map((partition) => offsets.get(partition)),
      },
    })
  }
}

/**
 * Runs one task of a source without a worker.
 *
 * ```ts
 * const run = runSource(fileSource, { file: 'in.txt', topic: 'lines' })
 * const records = await run.take(2)
 * await run.acknowledge()
 * await run.stop()
 * const next = runSource(fileSource, { file: 'in.txt', topic: 'lines' }, { offsets: run.offsets }) // goes on after it
 * ```
 * @throws ConfigError naming each setting at fault
 */
export function runSource<S extends Settings>(
  source: Source<S>,
  config: RawConfig,
  options: SourceRunOptions = {},
): SourceRun {
  const parsed = parseConfig(source, config)
  return new SourceRun(source.name, (context) => source.read({ ...context, config: parsed }), options)
}
