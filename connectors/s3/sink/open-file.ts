import type { Tag } from '@aws-sdk/client-s3'
import { DataError, isErrorKind, type ConnectError, type Schema, type SinkRecord } from '@tidewire/sdk'
import type { ObjectFormat } from '../formats/index.ts'
import { ObjectStream } from './object-stream.ts'
import type { Uploads } from './uploads.ts'

/** What objects are made of, for all files of a task. */
export interface FileFormats {
  readonly value: ObjectFormat
  readonly key: ObjectFormat | undefined
  readonly headers: ObjectFormat | undefined
}

/** In the metadata of objects that are made only where there is none of that name. */
export const nextOffsetField = 'tidewire-next-offset'
export const firstTimestampField = 'tidewire-first-timestamp'

/** A record is in one of a file's objects and could not be put in another. */
export class MisalignedError extends Error {
  readonly reason: ConnectError

  constructor(reason: ConnectError) {
    super(reason.message)
    this.reason = reason
  }
}

export interface OpenFileOptions {
  readonly uploads: Uploads
  readonly formats: FileFormats
  /** Of its objects, less the extension. */
  readonly name: string
  readonly ifAbsent: boolean
  readonly onFailure: (error: unknown) => void
}

/** An open file of a topic partition: the object of values, and beside it those of keys and headers. */
export class OpenFile {
  /** Of the values in it. */
  readonly schema: Schema | undefined
  readonly keySchema: Schema | undefined
  readonly isOfTombstones: boolean
  readonly name: string
  readonly #options: OpenFileOptions
  readonly #streams: ObjectStream[] = []
  readonly #firstTimestamp: number
  readonly firstOffset: number
  #lastOffset: number
  #records = 0

  /**
   * @param first its first record, which is not in it yet
   * @throws DataError where the formats cannot take records like that
   */
  constructor(options: OpenFileOptions, first: SinkRecord) {
    this.#options = options
    this.name = options.name
    this.schema = first.valueSchema
    this.keySchema = first.keySchema
    this.isOfTombstones = first.value === null
    this.firstOffset = first.offset
    this.#lastOffset = first.offset
    this.#firstTimestamp = first.timestamp
    const { value, key, headers } = options.formats
    for (const format of [this.isOfTombstones ? undefined : value, key, headers]) {
      if (format === undefined) continue
      const object = {
        key: options.name + format.extension,
        contentType: format.contentType,
        metadata: {},
        ifAbsent: options.ifAbsent,
      }
      this.#streams.push(new ObjectStream(options.uploads, format, first, object, options.onFailure))
    }
  }

  get streams(): readonly ObjectStream[] {
    return this.#streams
  }

  /**
   * @throws DataError: nothing of the record is written
   * @throws MisalignedError
   */
  append(record: SinkRecord): void {
    let appended = 0
    try {
      for (const stream of this.#streams) {
        stream.append(record)
        appended++
      }
    } catch (error) {
      throw appended > 0 && isErrorKind(error, 'DataError') ? new MisalignedError(error) : error
    }
    this.#lastOffset = record.offset
    this.#records++
  }

  /** To be called after records were appended, once for many. */
  appended(): void {
    for (const stream of this.#streams) stream.appended()
  }

  /**
   * Makes its objects.
   * @param next from which offset on records are not in it
   */
  async complete(next: number): Promise<void> {
    const metadata: Record<string, string> = this.#options.ifAbsent
      ? { [nextOffsetField]: String(next), [firstTimestampField]: String(this.#firstTimestamp) }
      : {}
    await Promise.all(this.#streams.map((stream) => stream.complete(metadata)))
  }

  /** Whether an object with that metadata holds the same records, as far as it goes. */
  isAlike(metadata: Readonly<Record<string, string>>): boolean {
    return metadata[firstTimestampField] === String(this.#firstTimestamp)
  }

  get tags(): Tag[] {
    return [
      { Key: 'startOffset', Value: String(this.firstOffset) },
      { Key: 'endOffset', Value: String(this.#lastOffset) },
      { Key: 'recordCount', Value: String(this.#records) },
    ]
  }

  async abort(): Promise<void> {
    await Promise.all(this.#streams.map((stream) => stream.abort()))
  }
}

/**
 * Whether a record has what the objects beside the values hold.
 * @throws DataError where it has not
 */
export function checkParts(record: SinkRecord, { key, headers }: FileFormats): void {
  if (key !== undefined && (record.key === null || record.key === undefined)) {
    throw new DataError('the record has no key to store, and store.kafka.keys is set')
  }
  if (headers !== undefined && record.headers.length === 0) {
    throw new DataError('the record has no headers to store, and store.kafka.headers is set')
  }
}
