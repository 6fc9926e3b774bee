import { ConnectError, type SinkRecord, type TopicPartition } from '@tidewire/sdk'
import { codeOf, codes } from '../link/errors.ts'
import type { ObjectNames } from './object-name.ts'
import { isLost } from './object-upload.ts'
import {
  checkParts,
  firstTimestampField,
  MisalignedError,
  nextOffsetField,
  OpenFile,
  type FileFormats,
} from './open-file.ts'
import type { Partitioner } from './partitioner.ts'
import type { RotationRules } from './rotation.ts'
import { needsNewObject, projected, type Compatibility } from './schema-compatibility.ts'
import { sameSchema } from './schema-equality.ts'
import type { Uploads } from './uploads.ts'

/** What the writers of a task's partitions have in common. */
export interface PartitionWriterOptions {
  readonly uploads: Uploads
  readonly formats: FileFormats
  readonly names: ObjectNames
  readonly partitioner: Partitioner
  readonly rules: RotationRules
  readonly compatibility: Compatibility
  /** Objects are only made where there is none of that name (`enable.conditional.writes`). */
  readonly ifAbsent: boolean
  /** Is told of a file whose objects are made; it may fail. */
  readonly onCompleted: (file: OpenFile) => Promise<void>
  /** Is told that more is durable. */
  readonly onDurable: () => void
  /** Is told of what the task fails for. */
  readonly onFailure: (error: unknown) => void
}

/** Files that are completed together, and end at the same offset. */
interface Rotation {
  readonly first: number
  readonly next: number
  readonly files: readonly (readonly [id: string, file: OpenFile])[]
  isDone: boolean
}

/** An object that has all records of its folder from one offset up to another. */
interface Stored {
  readonly from: number
  readonly to: number
}

/**
 * One topic partition of the log: its records go to the open files of their folders, and a rotation completes all of these.
 * An offset is durable when all rotations before it are.
 */
export class PartitionWriter {
  readonly partition: TopicPartition
  readonly #options: PartitionWriterOptions
  #open = new Map<string, OpenFile>()
  #records = 0
  #first = 0
  #last = 0
  /** Of the first record since the last rotation. */
  #baseTime = 0
  #lastTopic = ''
  #lastFolder = ''
  #lastId = '\n'
  #lastIsTombstone = false
  #nextScheduled: number | undefined
  #rotations: Rotation[] = []
  #completing: Promise<void> = Promise.resolve()
  /** By folder, objects that are in the store, and end after what is durable; where objects tell how far they go. */
  readonly #stored = new Map<string, Stored[]>()
  /** Records that are known to be bad, by offset. */
  readonly #refused = new Map<number, ConnectError>()
  /** What was in hand is gone: it is to be read again. */
  #isLost = false
  #hasFailed = false
  #isClosed = false

  constructor(partition: TopicPartition, options: PartitionWriterOptions) {
    this.partition = partition
    this.#options = options
  }

  get openFiles(): readonly OpenFile[] {
    return [...this.#open.values()]
  }

  /** Of its open files, on disk. */
  get spilledBytes(): number {
    let bytes = 0
    for (const { streams } of this.#open.values()) for (const stream of streams) bytes += stream.spilledBytes
    return bytes
  }

  /** Whether the records from {@link next} on have to be put again: nothing is taken before {@link reset}. */
  get isLost(): boolean {
    return this.#isLost
  }

  /** Whether what is in hand does not go to the store any more. */
  get #isOver(): boolean {
    return this.#isClosed || this.#isLost || this.#hasFailed
  }

  /** The first record that is not in the store; `position`, where nothing is in hand. */
  next(position: number): number {
    const [rotation] = this.#rotations
    const open = this.#open.size > 0 ? this.#first : position
    return Math.min(position, rotation?.first ?? open)
  }

  /**
   * Up to where all is in the store, and a task that begins there gives objects the same names: no object has records before it and
   * behind it. `position`, where nothing is in hand.
   */
  durable(position: number): number {
    let offset = this.next(position)
    for (let lower = true; lower;) {
      lower = false
      for (const { from, to } of [...this.#stored.values()].flat()) {
        if (from >= offset || to <= offset) continue
        offset = from
        lower = true
      }
    }
    return offset
  }

  /**
   * @returns the file that it went to; undefined: to none, since it is in the store already, or will be read again
   * @throws DataError where it cannot be written: it is passed over
   */
  write(record: SinkRecord, nowMs: number): OpenFile | undefined {
    const refused = this.#refused.get(record.offset)
    if (refused !== undefined) throw refused
    const { partitioner, formats } = this.#options
    checkParts(record, formats)
    const timeMs = partitioner.extractor?.extract(record, nowMs) ?? 0
    const folder = partitioner.encode(record, timeMs)
    const id = this.#idOf(record.topic, folder)
    if (this.#isStored(id, record.offset)) return undefined
    if (this.#records > 0 && this.#mustRotateBefore(record, id, folder, timeMs, nowMs)) this.rotate()
    const file = this.#append(record, id, folder)
    if (file === undefined) return undefined
    if (this.#records === 0) {
      this.#first = record.offset
      this.#baseTime = timeMs
      this.#nextScheduled ??= this.#options.rules.nextScheduled?.(nowMs)
    }
    this.#records++
    this.#last = record.offset
    this.#lastTopic = record.topic
    this.#lastFolder = folder
    this.#lastId = id
    this.#lastIsTombstone = record.value === null
    if (this.#records >= this.#options.rules.flushSize) this.rotate()
    return file
  }

  /** Of the file of that topic and folder. */
  #idOf(topic: string, folder: string): string {
    if (topic === this.#lastTopic && folder === this.#lastFolder) return this.#lastId
    return `${topic}\n${folder}`
  }

  /** Undefined: the file is lost, and with it all that is in hand. */
  #append(record: SinkRecord, id: string, folder: string): OpenFile | undefined {
    const open = this.#open.get(id)
    const file = open ?? this.#newFile(record, folder)
    try {
      file.append(projected(record, file.schema))
    } catch (error) {
      if (!(error instanceof MisalignedError)) throw error
      // A file that holds a part of it is none to go on with: where it has others, all are read again but this one.
      if (open === undefined) throw error.reason
      this.#refused.set(record.offset, error.reason)
      this.#isLost = true
      return undefined
    }
    if (open === undefined) this.#open.set(id, file)
    return file
  }

  #newFile(record: SinkRecord, folder: string): OpenFile {
    const { uploads, formats, names, ifAbsent } = this.#options
    const onFailure = (error: unknown): void => this.#onFailure(error)
    return new OpenFile({ uploads, formats, name: names.of(record, folder), ifAbsent, onFailure }, record)
  }

  #isStored(id: string, offset: number): boolean {
    return this.#stored.get(id)?.some(({ to }) => offset < to) === true
  }

  #addStored(id: string, stored: Stored): void {
    const known = this.#stored.get(id)
    if (known === undefined) this.#stored.set(id, [stored])
    else known.push(stored)
  }

  #mustRotateBefore(record: SinkRecord, id: string, folder: string, timeMs: number, nowMs: number): boolean {
    const { rules, partitioner, compatibility, formats } = this.#options
    if (this.#isScheduled(nowMs)) return true
    if (partitioner.extractor !== undefined && rules.intervalMs !== undefined) {
      if (timeMs - this.#baseTime >= rules.intervalMs) return true
      const changes = folder !== this.#lastFolder && !this.#lastIsTombstone && record.value !== null
      if (changes && rules.onPartitionChange) return true
    }
    const file = this.#open.get(id)
    if (file === undefined) return this.#open.size >= rules.maxOpenFiles
    if (formats.key !== undefined && !sameSchema(record.keySchema, file.keySchema)) return true
    if (file.isOfTombstones !== (record.value === null)) return true
    return needsNewObject(compatibility, record.valueSchema, file.schema)
  }

  #isScheduled(nowMs: number): boolean {
    return this.#nextScheduled !== undefined && nowMs >= this.#nextScheduled
  }

  /** Completes what the clock says is due, though nothing comes. */
  tick(nowMs: number): void {
    const { rules, partitioner } = this.#options
    if (this.#records === 0) return
    const isOld =
      partitioner.extractor?.isWallclock === true &&
      rules.intervalMs !== undefined &&
      nowMs - this.#baseTime >= rules.intervalMs
    if (isOld || this.#isScheduled(nowMs)) this.rotate()
  }

  /** Completes all open files; nothing waits for it. */
  rotate(): void {
    this.#nextScheduled = undefined
    if (this.#records === 0) return
    const rotation: Rotation = { first: this.#first, next: this.#last + 1, files: [...this.#open], isDone: false }
    this.#open = new Map()
    this.#records = 0
    this.#rotations.push(rotation)
    // Where objects tell how far they go, what comes after them must not be there before them.
    const completed = this.#options.ifAbsent
      ? this.#completing.then(() => this.#complete(rotation))
      : Promise.all([this.#completing, this.#complete(rotation)]).then(() => undefined)
    this.#completing = completed
  }

  /** Never throws. */
  async #complete(rotation: Rotation): Promise<void> {
    const { next, files } = rotation
    const ended = await Promise.allSettled(files.map(([id, file]) => this.#completeFile(id, file, next)))
    if (this.#isOver) return
    const failed = ended.find((end) => end.status === 'rejected')
    if (failed !== undefined) {
      this.#onFailure(failed.reason)
      return
    }
    rotation.isDone = true
    while (this.#rotations[0]?.isDone === true) this.#rotations.shift()
    // Nothing before that comes again; objects of others may go further than what has come so far.
    const past = this.durable(this.#last + 1)
    for (const [id, known] of this.#stored) {
      const kept = known.filter(({ to }) => to > past)
      if (kept.length > 0) this.#stored.set(id, kept)
      else this.#stored.delete(id)
    }
    this.#options.onDurable()
  }

  async #completeFile(id: string, file: OpenFile, next: number): Promise<void> {
    if (this.#isOver) return
    const { onCompleted, ifAbsent } = this.#options
    try {
      await file.complete(next)
    } catch (error) {
      if (codeOf(error) !== codes.preconditionFailed) throw error
      await this.#standBack(id, file, next)
      return
    }
    if (ifAbsent) this.#addStored(id, { from: file.firstOffset, to: next })
    await onCompleted(file)
  }

  /** There is an object of that name: what it holds is not written again. */
  async #standBack(id: string, file: OpenFile, next: number): Promise<void> {
    const { uploads } = this.#options
    const [stream] = file.streams
    const { key } = stream!
    const metadata = await uploads.persist(uploads.options.signal, () =>
      uploads.options.store.metadata(key, uploads.options.signal),
    )
    const theirs = Number(metadata[nextOffsetField])
    if (!Number.isSafeInteger(theirs) || !file.isAlike(metadata)) {
      throw new ConnectError(
        `there is an object ${key} that holds other records (its ${nextOffsetField} is ${metadata[nextOffsetField] ?? 'not there'}, ` +
          `its ${firstTimestampField} ${metadata[firstTimestampField] ?? 'not there'}): move it away, or write to another ` +
          'topics.dir; enable.conditional.writes=false would overwrite it',
        { code: 'S3_OBJECT_EXISTS' },
      )
    }
    this.#addStored(id, { from: file.firstOffset, to: theirs })
    uploads.options.log.info('an object is there already, written before a crash or by another task', {
      object: key,
      next: theirs,
    })
    await file.abort()
    if (theirs < next || this.#hasBetween(id, next, theirs)) this.#isLost = true
  }

  /** Whether files in hand have records of a folder that come after an offset, and before another. */
  #hasBetween(id: string, from: number, next: number): boolean {
    const inHand = [
      this.#open.get(id),
      ...this.#rotations.flatMap(({ files }) => files.map(([of, file]) => (of === id ? file : undefined))),
    ]
    return inHand.some((file) => file !== undefined && file.firstOffset >= from && file.firstOffset < next)
  }

  #onFailure(error: unknown): void {
    if (this.#isOver) return
    if (isLost(error)) {
      this.#isLost = true
      return
    }
    this.#hasFailed = true
    this.#options.onFailure(error)
  }

  /**
   * Begins anew after a loss, from the offset that {@link next} has said: what is in hand is dropped. What is known of objects that
   * are there, and of bad records, is kept.
   */
  async reset(): Promise<void> {
    await this.#drop()
    this.#isLost = false
  }

  /** Drops what is in hand. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#drop()
  }

  async #drop(): Promise<void> {
    const files = [
      ...this.#open.values(),
      ...this.#rotations.flatMap((rotation) => rotation.files.map(([, file]) => file)),
    ]
    this.#open = new Map()
    this.#records = 0
    this.#nextScheduled = undefined
    this.#rotations = []
    await Promise.all(files.map((file) => file.abort()))
    await this.#completing
  }

  /** Resolves when all that was rotated is in the store, or has failed. */
  async completed(): Promise<void> {
    await this.#completing
  }
}
