import type { ReadableObject, ReadBatch, ReadFormat, ReadOptions } from './object-reader.ts'

/**
 * Reads an object from record `from` on, as far as someone asks: nothing is read ahead but the batch at hand.
 * @throws DataError where the object as a whole, or the rest of it, cannot be read as what it should be; what can be told
 *   of a single record is in the batch
 */
export async function* openReader(
  format: ReadFormat,
  object: ReadableObject,
  options: ReadOptions = {},
): AsyncGenerator<ReadBatch, void> {
  if (format !== 'whole') throw new Error('still to come')
  if ((options.from ?? 0) > 0) return
  const pieces: Uint8Array[] = []
  for await (const piece of object.stream()) pieces.push(piece)
  yield { first: 0, records: [{ value: Buffer.concat(pieces) }] }
}
