import {
  ConnectError,
  DataError,
  isErrorKind,
  isRetriable,
  originalPosition,
  RetriableError,
  type PutResult,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
  type TopicPartitionOffset,
} from '@tidewire/sdk'
import { objectFormat } from '../formats/index.ts'
import { openS3, type S3Link } from '../link/connect.ts'
import { codes } from '../link/errors.ts'
import { isOver, relieve } from './memory.ts'
import { ObjectNames } from './object-name.ts'
import type { FileFormats, OpenFile } from './open-file.ts'
import { Orphans } from './orphans.ts'
import { partitionerOf } from './partitioner.ts'
import { PartitionWriter, type PartitionWriterOptions } from './partition-writer.ts'
import { rotationRules } from './rotation.ts'
import type { S3SinkConfig } from './settings.ts'
import { SpillFolder } from './spill.ts'
import { ObjectStore } from './store.ts'
import { UploadSlots } from './upload-slots.ts'
import { Uploads } from './uploads.ts'
import { extraTags, writeOptions } from './write-options.ts'

type Context = SinkTaskContext<S3SinkConfig>

/** A call of the task does not wait for the store for longer: its group has to hear of it. */
const longestWaitMs = 2000
/** A flush waits so long for objects that are being completed: what is durable then is committed. */
const flushWaitMs = 1500
/** Memory is looked at after so many records. */
const recordsBetweenLooks = 256
const smallestPartBytes = 5 * 1024 * 1024
/** Of the memory there is, a part of an upload takes this part at most. */
const partOfMemory = 1 / 8

/** @throws ConnectError where the bucket cannot be written to; RetriableError while it cannot be reached */
export async function openS3Sink(context: Context): Promise<SinkTask> {
  const { config, log } = context
  const over = new AbortController()
  const link = openS3(config, over.signal, log)
  try {
    const formats = await formatsOf(config)
    await checkBucket(new ObjectStore(link, writeOptions(config)), context.signal)
    const spill = new SpillFolder(config['s3.spill.dir'])
    await spill.clean()
    return new S3SinkTask(context, link, over, formats, spill)
  } catch (error) {
    link.close()
    throw error
  }
}

/**
 * A bucket that is not there, or cannot be reached with these settings, is told of before there is anything to write. By a request
 * that a login need not be allowed to make, and a store need not know.
 */
async function checkBucket(store: ObjectStore, signal: AbortSignal): Promise<void> {
  try {
    await store.uploads('', signal).next()
  } catch (error) {
    if (isRetriable(error) || (isErrorKind(error, 'ConfigError') && error.code !== codes.accessDenied)) throw error
  }
}

async function formatsOf(config: S3SinkConfig): Promise<FileFormats> {
  return {
    value: await objectFormat(config, 'value'),
    key: config['store.kafka.keys'] ? await objectFormat(config, 'key') : undefined,
    headers: config['store.kafka.headers'] ? await objectFormat(config, 'headers') : undefined,
  }
}

/** Whether objects are made only where there is none of that name, as Confluent has it: where the clock decides how far one goes. */
function isConditional(config: S3SinkConfig): boolean {
  const sideFiles = config['store.kafka.keys'] || config['store.kafka.headers']
  return config['enable.conditional.writes'] && config['rotate.schedule.interval.ms'] > 0 && !sideFiles
}

class S3SinkTask implements SinkTask {
  readonly #context: Context
  readonly #link: S3Link
  readonly #over: AbortController
  readonly #spill: SpillFolder
  readonly #store: ObjectStore
  readonly #uploads: Uploads
  readonly #orphans: Orphans
  readonly #writerOptions: PartitionWriterOptions
  readonly #writers = new Map<string, PartitionWriter>()
  #lastWriter: PartitionWriter | undefined
  readonly #tags: { readonly Key: string; readonly Value: string }[]
  #failure: { readonly error: unknown } | undefined

  constructor(context: Context, link: S3Link, over: AbortController, formats: FileFormats, spill: SpillFolder) {
    const { config, log, redrive } = context
    this.#context = context
    this.#link = link
    this.#over = over
    this.#spill = spill
    this.#store = new ObjectStore(link, writeOptions(config))
    const ifAbsent = isConditional(config) && redrive === undefined
    const maxBytes = Math.min(config['s3.buffer.max.bytes'], context.maxBufferedBytes)
    this.#uploads = new Uploads({
      store: this.#store,
      slots: new UploadSlots(config['s3.max.concurrent.uploads'], maxBytes / 2),
      spill,
      partBytes: Math.min(config['s3.part.size'], Math.max(smallestPartBytes, Math.floor(maxBytes * partOfMemory))),
      deferred: ifAbsent,
      retryBackoffMs: config['retry.backoff.ms'],
      signal: over.signal,
      log,
    })
    const names = new ObjectNames(config, redrive === undefined ? undefined : Date.now().toString(36))
    const partitioner = partitionerOf(config)
    this.#tags = extraTags(config)
    this.#writerOptions = {
      uploads: this.#uploads,
      formats,
      names,
      partitioner,
      rules: rotationRules(config, partitioner.extractor !== undefined),
      compatibility: config['schema.compatibility'],
      ifAbsent,
      onCompleted: (file) => this.#completed(file),
      // The window in which a crash has objects looked at again.
      onDurable: () => ifAbsent && context.requestCommit(),
      onFailure: (error) => (this.#failure ??= { error }),
    }
    const timeoutMs = config['s3.orphan.upload.timeout.ms']
    const extensions = [formats.value, formats.key, formats.headers].flatMap((format) => format?.extension ?? [])
    const age = timeoutMs < 0 ? undefined : timeoutMs
    this.#orphans = new Orphans({ store: this.#store, names, extensions, uploads: this.#uploads, timeoutMs: age, log })
  }

  async open(partitions: readonly TopicPartition[]): Promise<void> {
    this.#lastWriter = undefined
    for (const partition of partitions) {
      this.#writers.set(keyOf(partition), new PartitionWriter(partition, this.#writerOptions))
    }
    if (this.#context.redrive !== undefined || partitions.length === 0) return
    this.#orphans.add(partitions)
    await this.#sweep()
  }

  async put(records: readonly SinkRecord[]): Promise<PutResult | void> {
    this.#throwFailure()
    const lost = await this.#readAgainWhatIsLost()
    const nowMs = Date.now()
    for (const writer of this.#writers.values()) writer.tick(nowMs)
    if (records.length === 0) {
      if (this.#orphans.isDue && this.#uploads.trouble === undefined) await this.#sweep()
      await this.#makeRoom()
    } else if (this.#uploads.trouble !== undefined || !(await this.#makeRoom())) {
      this.#told()
      const { trouble, diskTrouble } = this.#uploads
      throw new RetriableError(trouble ?? diskTrouble ?? 'waits for uploads: the store takes less than comes in')
    }
    // Those of a partition that is read again come once more, after the ones before them.
    const due = lost.size === 0 ? records : records.filter((record) => !lost.has(this.#writerOf(record)))
    const result = await this.#take(due)
    this.#told()
    return result
  }

  /** Writes the records, as many as there is room for. */
  async #take(records: readonly SinkRecord[]): Promise<PutResult> {
    const nowMs = Date.now()
    const rejected: { record: SinkRecord; error: Error }[] = []
    const touched = new Set<OpenFile>()
    for (const [i, record] of records.entries()) {
      if (i % recordsBetweenLooks === 0 && i > 0) {
        for (const file of touched) file.appended()
        touched.clear()
        if (isOver(this.#uploads, this.#maxBytes) && !(await this.#makeRoom())) {
          const rest = records.slice(i).filter((one) => !this.#writerOf(one).isLost)
          await this.#readAgainWhatIsLost()
          return { rejected, retry: rest }
        }
      }
      this.#write(record, nowMs, touched, rejected)
    }
    for (const file of touched) file.appended()
    await this.#readAgainWhatIsLost()
    return { rejected }
  }

  #write(
    record: SinkRecord,
    nowMs: number,
    touched: Set<OpenFile>,
    rejected: { record: SinkRecord; error: Error }[],
  ): void {
    const writer = this.#writerOf(record)
    if (writer.isLost) return
    try {
      if (record.value === null && !this.#takesNull()) return
      const file = writer.write(record, nowMs)
      if (file !== undefined) touched.add(file)
    } catch (error) {
      if (!isErrorKind(error, 'DataError')) throw error
      rejected.push({ record, error })
    }
  }

  /**
   * @returns whether records without a value are written; false: they are passed over
   * @throws DataError where they are errors
   */
  #takesNull(): boolean {
    const { config, deadLetters } = this.#context
    switch (config['behavior.on.null.values']) {
      case 'write':
        return true
      case 'ignore':
        if (!deadLetters || !config['report.null.values.to.dlq']) return false
        throw new DataError('the record has no value, and report.null.values.to.dlq is set')
      case 'fail':
        throw new DataError('the record has no value: see behavior.on.null.values')
    }
  }

  #writerOf(record: SinkRecord): PartitionWriter {
    const { topic, partition } = originalPosition(record)
    // Records of a partition come one after the other.
    const last = this.#lastWriter?.partition
    if (last?.topic === topic && last.partition === partition) return this.#lastWriter!
    const key = keyOf({ topic, partition })
    let writer = this.#writers.get(key)
    if (writer === undefined) {
      // Dead letters are put without their partitions being opened.
      writer = new PartitionWriter({ topic, partition }, this.#writerOptions)
      this.#writers.set(key, writer)
    }
    this.#lastWriter = writer
    return writer
  }

  get #maxBytes(): number {
    return Math.min(this.#context.config['s3.buffer.max.bytes'], this.#context.maxBufferedBytes)
  }

  /** @returns whether there is room for records */
  async #makeRoom(): Promise<boolean> {
    this.#limitSpill()
    if (!isOver(this.#uploads, this.#maxBytes)) return true
    return relieve(this.#uploads, [...this.#writers.values()], this.#maxBytes, longestWaitMs)
  }

  /** Objects that wait on disk until they are complete are so now, where there are too many: before the clock says so. */
  #limitSpill(): void {
    const { deferred } = this.#uploads.options
    if (!deferred || this.#uploads.spilledBytes <= this.#context.config['s3.spill.max.bytes']) return
    const spilled = [...this.#writers.values()].map((writer) => [writer.spilledBytes, writer] as const)
    spilled.toSorted(([a], [b]) => b - a)[0]?.[1].rotate()
  }

  /**
   * Has the log give again what was in hand where that is gone: an upload was aborted, or another task got ahead.
   * @returns whose
   */
  async #readAgainWhatIsLost(): Promise<ReadonlySet<PartitionWriter>> {
    const lost = new Set<PartitionWriter>()
    for (const writer of this.#writers.values()) {
      if (!writer.isLost) continue
      lost.add(writer)
      const offset = writer.next(Infinity)
      if (this.#context.redrive !== undefined) {
        throw new ConnectError('what was being uploaded is gone: put these dead letters again', {
          code: codes.noSuchUpload,
        })
      }
      this.#context.log.warn('what was being uploaded of a partition is gone, and is read again', {
        ...writer.partition,
        offset,
      })
      await writer.reset()
      this.#context.seek({ ...writer.partition, offset })
    }
    return lost
  }

  async flush(offsets: readonly TopicPartitionOffset[]): Promise<readonly TopicPartitionOffset[]> {
    this.#throwFailure()
    if (this.#context.redrive !== undefined) await this.#completeAll()
    else await this.#completeWhatIsUnderWay()
    await this.#makeRoom()
    this.#told()
    return offsets.map((position) => {
      const writer = this.#writers.get(keyOf(position))
      return { ...position, offset: writer?.durable(position.offset) ?? position.offset }
    })
  }

  /** All that was put, dead letters that come but once. */
  async #completeAll(): Promise<void> {
    for (const writer of this.#writers.values()) writer.rotate()
    await Promise.all([...this.#writers.values()].map((writer) => writer.completed()))
    this.#throwFailure()
    await this.#readAgainWhatIsLost()
  }

  async #completeWhatIsUnderWay(): Promise<void> {
    const until = performance.now() + flushWaitMs
    while (this.#uploads.completing > 0 && performance.now() < until && this.#uploads.trouble === undefined) {
      await this.#uploads.change(until - performance.now())
    }
  }

  async close(partitions: readonly TopicPartition[]): Promise<void> {
    this.#lastWriter = undefined
    const closing = partitions.flatMap((partition) => {
      const writer = this.#writers.get(keyOf(partition))
      this.#writers.delete(keyOf(partition))
      return writer ?? []
    })
    await Promise.all(closing.map((writer) => writer.close()))
    this.#told()
  }

  async stop(): Promise<void> {
    await Promise.all([...this.#writers.values()].map((writer) => writer.close()))
    this.#writers.clear()
    this.#over.abort()
    await this.#spill.remove()
    this.#link.close()
  }

  async #sweep(): Promise<void> {
    await this.#orphans.sweep(AbortSignal.any([this.#over.signal, AbortSignal.timeout(longestWaitMs)]))
  }

  async #completed(file: OpenFile): Promise<void> {
    const { config, log } = this.#context
    if (!config['s3.object.tagging']) return
    for (const { key } of file.streams) {
      try {
        await this.#uploads.persist(this.#over.signal, () =>
          this.#store.tag(key, [...file.tags, ...this.#tags], this.#over.signal),
        )
      } catch (error) {
        if (config['s3.object.behavior.on.tagging.error'] === 'fail') throw error
        log.warn('an object could not be tagged', { object: key, error: (error as Error).message })
      }
    }
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error
  }

  /** Tells the runtime how it stands. */
  #told(): void {
    const { heldBytes, spilledBytes, completing, written, lastKey } = this.#uploads
    let open = 0
    for (const writer of this.#writers.values()) open += writer.openFiles.length
    this.#context.holds(heldBytes)
    const last = lastKey === undefined ? '' : `, last ${lastKey}`
    this.#context.progress({
      text: `${open} open files, ${written} objects written${last}`,
      figures: {
        open_files: open,
        objects_completing: completing,
        objects_written: written,
        held_bytes: heldBytes,
        spilled_bytes: spilledBytes,
      },
    })
  }
}

const keyOf = ({ topic, partition }: TopicPartition): string => `${topic}-${partition}`
