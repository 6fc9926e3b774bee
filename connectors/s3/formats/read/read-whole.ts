import { DataError } from '@tidewire/sdk'
import { unpackedBytes } from './byte-stream.ts'
import { defaultMaxRecordBytes, type ReadableObject, type ReadBatch, type ReadOptions } from './object-reader.ts'

/** The object as one record. @throws DataError where it is larger than a record may be */
export async function* readWhole(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  if ((options.from ?? 0) > 0) return
  const maxBytes = options.maxRecordBytes ?? defaultMaxRecordBytes
  const pieces: Buffer[] = []
  let held = 0
  for await (const piece of unpackedBytes(object, options.compression)) {
    held += piece.length
    if (held > maxBytes)
      throw new DataError(`${object.name} is larger than ${maxBytes} bytes, as one record it is too much`)
    pieces.push(piece)
  }
  yield { first: 0, records: [{ value: Buffer.concat(pieces) }] }
}
