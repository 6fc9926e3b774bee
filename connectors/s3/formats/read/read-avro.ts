/** Avro object container files, block by block. */
import { DataError, type Schema } from '@tidewire/sdk'
import { AvroInput, avroReading, InvalidAvroError, parseAvro, type AvroReading } from '@tidewire/sdk/avro'
import { blockDecompressor } from '../avro/avro-codec.ts'
import { avroMagic, markerBytes } from '../avro/avro-format.ts'
import { Batches } from './batches.ts'
import { ByteCursor, unpackedBytes } from './byte-stream.ts'
import {
  avroReadOptions,
  defaultBatchBytes,
  defaultMaxRecordBytes,
  type ReadableObject,
  type ReadBatch,
  type ReadOptions,
} from './object-reader.ts'

/** More than any header has: a schema of a few thousand fields. */
const maxHeaderBytes = 16 * 1024 * 1024

/** Two longs, as long as they can be. */
const maxBlockHead = 20

interface Header {
  readonly codec: string
  readonly reading: AvroReading
  readonly marker: Buffer
}

/** @throws DataError where the file, or the rest of it, is none of Avro's */
export async function* readAvro(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  const { from = 0, batchBytes = defaultBatchBytes, maxRecordBytes = defaultMaxRecordBytes } = options
  const cursor = new ByteCursor(unpackedBytes(object, options.compression))
  try {
    const { codec, reading, marker } = await readHeader(cursor, object.name)
    const decompress = blockDecompressor(codec, maxRecordBytes)
    const batches = new Batches(from, batchBytes)
    for (;;) {
      const head = await readBlockHead(cursor, object.name)
      if (head === undefined) break
      const { count, size } = head
      if (batches.number + count <= from) {
        if (!(await cursor.skipAll(size))) throw cut(object.name)
        batches.skip(count)
      } else {
        if (size > maxRecordBytes) {
          throw new DataError(`${object.name} has a block of ${size} bytes; more than ${maxRecordBytes} are not read`)
        }
        const bytes = await cursor.peek(size)
        if (bytes.length < size) throw cut(object.name)
        const block = await decompress(bytes.subarray(0, size))
        cursor.skip(size)
        yield* readBlock(block, count, reading, batches)
      }
      const behind = (await cursor.peek(markerBytes)).subarray(0, markerBytes)
      if (!behind.equals(marker)) throw behind.length < markerBytes ? cut(object.name) : damaged(object.name)
      cursor.skip(markerBytes)
    }
    const last = batches.take()
    if (last !== undefined) yield last
  } finally {
    await cursor.close()
  }
}

function* readBlock(block: Buffer, count: number, reading: AvroReading, batches: Batches): Generator<ReadBatch, void> {
  const input = new AvroInput()
  input.start(block, 0)
  const schema: Schema | undefined = reading.schema
  for (let index = 0; index < count; index++) {
    const { at } = input
    // Its length is known only when it has been read, and what follows only then.
    const value = reading.read(input)
    if (batches.isBefore) batches.skip(1)
    else batches.add({ schema, value }, input.at - at)
    if (batches.isFull) yield batches.take()!
  }
}

async function readBlockHead(cursor: ByteCursor, name: string): Promise<{ count: number; size: number } | undefined> {
  const bytes = await cursor.peek(maxBlockHead)
  if (bytes.length === 0) return undefined
  const input = new AvroInput()
  input.start(bytes, 0)
  let count, size
  try {
    count = input.long()
    size = input.long()
  } catch {
    throw cut(name)
  }
  if (typeof count !== 'number' || typeof size !== 'number' || count < 0 || size < 0) throw damaged(name)
  cursor.skip(input.at)
  return { count, size }
}

async function readHeader(cursor: ByteCursor, name: string): Promise<Header> {
  const magic = (await cursor.peek(avroMagic.length)).subarray(0, avroMagic.length)
  if (!magic.equals(avroMagic))
    throw new DataError(`${name} is no Avro object container file: it does not begin as one`)
  for (let length = 4096; ; length *= 4) {
    const bytes = await cursor.peek(length)
    const parsed = parseHeader(bytes)
    if (parsed !== undefined) {
      cursor.skip(parsed.length)
      return { codec: parsed.codec, marker: parsed.marker, reading: readingOf(parsed.schema, name) }
    }
    if (bytes.length < length) throw cut(name)
    if (length > maxHeaderBytes) throw new DataError(`${name} has a header of more than ${maxHeaderBytes} bytes`)
  }
}

/** Undefined where the bytes end before the header does. */
function parseHeader(bytes: Buffer): { schema: string; codec: string; marker: Buffer; length: number } | undefined {
  const input = new AvroInput()
  input.start(bytes, avroMagic.length)
  const entries = new Map<string, string>()
  try {
    for (let count = input.block(); count > 0; count = input.block()) {
      for (let index = 0; index < count; index++) entries.set(input.string(), input.sized().toString())
    }
    const marker = Buffer.from(input.raw(markerBytes))
    const schema = entries.get('avro.schema') ?? '""'
    return { schema, codec: entries.get('avro.codec') ?? 'null', marker, length: input.at }
  } catch {
    return undefined
  }
}

function readingOf(schema: string, name: string): AvroReading {
  try {
    return avroReading(parseAvro(schema, { validateDefaults: false }).schema, avroReadOptions)
  } catch (error) {
    if (!(error instanceof InvalidAvroError)) throw error
    throw new DataError(`${name} has no valid Avro schema: ${error.message}`, { cause: error })
  }
}

const cut = (name: string): DataError => new DataError(`${name} ends in the middle of a block: it has been cut off`)
const damaged = (name: string): DataError => new DataError(`${name} is damaged: a block does not end where it says`)
