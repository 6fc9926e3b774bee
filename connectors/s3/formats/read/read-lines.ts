/** Records that stand in lines: of JSON, or of bytes as they are. */
import { DataError } from '@tidewire/sdk'
import { parseExact } from '@tidewire/sdk/exact-json'
import { Batches } from './batches.ts'
import { unpackedBytes } from './byte-stream.ts'
import type { ReadableObject, ReadBatch, ReadOptions, ReadRecord } from './object-reader.ts'
import { defaultBatchBytes, defaultMaxRecordBytes } from './object-reader.ts'
import { splitLines, type Line } from './split-lines.ts'

const lineFeed = Buffer.from('\n')
const byteOrderMark = Buffer.from('\uFEFF')
const carriageReturn = 0x0d

/** A record for each line that is not blank. A line that is no JSON is told with its number, and does not end the rest. */
export function readJsonLines(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  return readEachLine(object, options, lineFeed, {
    isRecord: (bytes) => !isBlank(bytes),
    read: (bytes) => ({ value: parseExact(bytes.toString(), 'integers') }),
  })
}

/** A record for each line, of its bytes. */
export function readLines(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  const { separator } = options
  return readEachLine(object, options, separator === undefined ? lineFeed : Buffer.from(separator), {
    isRecord: () => true,
    read: (bytes) => ({ value: separator === undefined ? withoutReturn(bytes) : bytes }),
  })
}

interface LineFormat {
  isRecord(bytes: Buffer): boolean
  /** @throws where it is none */
  read(bytes: Buffer): ReadRecord
}

async function* readEachLine(
  object: ReadableObject,
  options: ReadOptions,
  separator: Buffer,
  format: LineFormat,
): AsyncGenerator<ReadBatch, void> {
  const { from = 0, batchBytes = defaultBatchBytes, maxRecordBytes = defaultMaxRecordBytes } = options
  const batches = new Batches(from, batchBytes)
  let lineNumber = 0
  for await (const lines of splitLines(unpackedBytes(object, options.compression), separator, maxRecordBytes)) {
    for (const line of lines) {
      lineNumber++
      const bytes = lineNumber === 1 ? withoutMark(line.bytes) : line.bytes
      if (!line.isTooLong && !format.isRecord(bytes)) continue
      if (batches.isBefore) {
        batches.skip(1)
        continue
      }
      batches.add(readLine({ ...line, bytes }, format, object.name, lineNumber, maxRecordBytes), bytes.length)
      if (batches.isFull) yield batches.take()!
    }
  }
  const last = batches.take()
  if (last !== undefined) yield last
}

function readLine(line: Line, format: LineFormat, name: string, number: number, maxBytes: number): ReadRecord {
  const { bytes, isTooLong } = line
  if (isTooLong) {
    return { value: bytes, error: new DataError(`line ${number} of ${name} is longer than ${maxBytes} bytes`) }
  }
  try {
    return format.read(bytes)
  } catch (cause) {
    const error = new DataError(`line ${number} of ${name} cannot be read: ${(cause as Error).message}`, { cause })
    return { value: bytes, error }
  }
}

function isBlank(bytes: Buffer): boolean {
  for (const byte of bytes) if (byte > 0x20) return false
  return true
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes
}

function withoutMark(bytes: Buffer): Buffer {
  return bytes.subarray(0, 3).equals(byteOrderMark) ? bytes.subarray(3) : bytes
}
