/** Parquet files by ranges: the footer, then one row group after the other. */
import { DataError, isErrorKind, type Schema } from '@tidewire/sdk'
import { avroReading, parseAvro } from '@tidewire/sdk/avro'
import {
  parquetMetadataAsync,
  parquetRead,
  parquetSchema,
  type AsyncBuffer,
  type DecodedArray,
  type FileMetaData,
} from 'hyparquet'
import { Batches } from '../read/batches.ts'
import {
  avroReadOptions,
  defaultBatchBytes,
  defaultMaxRecordBytes,
  type ReadableObject,
  type ReadBatch,
  type ReadOptions,
} from '../read/object-reader.ts'
import { pageDecompressors } from './parquet-codec.ts'
import { avroSchemaKey } from './parquet-format.ts'
import { parquetReading, plainElements, type ParquetReading } from './parquet-values.ts'

/** A row group is held whole, and has many records: how many times as large as a record it may be, unpacked. */
const rowGroupFactor = 8

/** @throws DataError where the file, or the rest of it, is no Parquet */
export async function* readParquet(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  const { from = 0, batchBytes = defaultBatchBytes, maxRecordBytes = defaultMaxRecordBytes } = options
  const file = fileOf(object)
  const metadata = await told(object, file, () => parquetMetadataAsync(file.buffer, { geoparquet: false }))
  const reading = await told(object, file, () => Promise.resolve(readingOf(metadata)))
  const plain = { ...metadata, schema: plainElements(metadata.schema) }
  const compressors = await pageDecompressors()
  const batches = new Batches(from, batchBytes)
  let start = 0
  for (const group of metadata.row_groups) {
    const end = start + Number(group.num_rows)
    if (end > from) {
      const size = Number(group.total_byte_size)
      if (size > maxRecordBytes * rowGroupFactor) {
        throw new DataError(
          `${object.name} has a row group of ${size} bytes; more than ${maxRecordBytes * rowGroupFactor} are not held at a time`,
        )
      }
      const first = Math.max(start, from)
      batches.skip(first - batches.number)
      const columns = new Columns(reading.schema, first, end)
      await told(object, file, () =>
        parquetRead({
          file: file.buffer,
          metadata: plain,
          rowStart: first,
          rowEnd: end,
          compressors,
          utf8: false,
          geoparquet: false,
          parsers: { timestampFromNanoseconds: (nanos) => nanos },
          onChunk: ({ columnName, columnData, rowStart }) => {
            columns.add(columnName, columnData, rowStart)
          },
        }),
      )
      yield* recordsOf(columns, reading, size / Math.max(end - start, 1), batches, object.name)
    }
    start = end
  }
  const last = batches.take()
  if (last !== undefined) yield last
}

function* recordsOf(
  columns: Columns,
  { schema, read }: ParquetReading,
  rowBytes: number,
  batches: Batches,
  name: string,
): Generator<ReadBatch, void> {
  for (let row = columns.first; row < columns.end; row++) {
    let value: unknown
    try {
      value = read(columns.row(row))
    } catch (cause) {
      throw new DataError(`row ${row} of ${name} cannot be read: ${(cause as Error).message}`, { cause })
    }
    batches.add({ schema, value }, rowBytes)
    if (batches.isFull) yield batches.take()!
  }
}

/** The columns of a row group, in the pieces that they come in. */
class Columns {
  readonly first: number
  readonly end: number
  readonly #pieces = new Map<string, { readonly start: number; readonly data: DecodedArray }[]>()
  /** For each column the piece that the row before was in. */
  readonly #at = new Map<string, number>()

  constructor(schema: Schema, first: number, end: number) {
    this.first = first
    this.end = end
    for (const { name } of schema.fields ?? []) this.#pieces.set(name, [])
  }

  add(column: string, data: DecodedArray, start: number): void {
    this.#pieces.get(column)?.push({ start, data })
  }

  /** Rows are asked for one after the other. */
  row(number: number): Readonly<Record<string, unknown>> {
    const row: Record<string, unknown> = {}
    for (const [name, pieces] of this.#pieces) {
      let at = this.#at.get(name) ?? 0
      while (pieces[at] !== undefined && number >= pieces[at]!.start + pieces[at]!.data.length) at++
      this.#at.set(name, at)
      const piece = pieces[at]
      if (piece === undefined || number < piece.start) throw new Error(`its column ${name} ends too early`)
      row[name] = piece.data[number - piece.start]
    }
    return row
  }
}

function readingOf(metadata: FileMetaData): ParquetReading {
  return parquetReading(parquetSchema(metadata), hintOf(metadata))
}

/** The schema of Connect that the file says it has, in Avro. */
function hintOf({ key_value_metadata = [] }: FileMetaData): Schema | undefined {
  const text = key_value_metadata.find(({ key }) => key === avroSchemaKey)?.value
  if (text === undefined) return undefined
  try {
    return avroReading(parseAvro(text, { validateDefaults: false }).schema, avroReadOptions).schema
  } catch {
    // It only adds to what the columns say.
    return undefined
  }
}

interface FetchedFile {
  readonly buffer: AsyncBuffer
  /** What fetching a range failed with. */
  failure: unknown
}

function fileOf(object: ReadableObject): FetchedFile {
  const file: FetchedFile = {
    failure: undefined,
    buffer: {
      byteLength: object.size,
      slice: async (start, end = object.size) => {
        try {
          const bytes = await object.range(start, end)
          return bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength) as ArrayBuffer
        } catch (error) {
          file.failure = error
          throw error
        }
      },
    },
  }
  return file
}

/** What the library throws is a fault of the file, but for what comes from fetching it. */
async function told<T>(object: ReadableObject, file: FetchedFile, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (cause) {
    if (file.failure === cause || isErrorKind(cause, 'DataError')) throw cause
    throw new DataError(`${object.name} cannot be read as Parquet: ${(cause as Error).message}`, { cause })
  }
}
