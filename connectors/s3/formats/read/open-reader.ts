import type { ReadableObject, ReadBatch, ReadFormat, ReadOptions } from './object-reader.ts'

/**
 * Reads an object from record `from` on, as far as someone asks: nothing is read ahead but the batch at hand. What a
 * format needs is loaded when it is first read.
 * @throws DataError where the object as a whole, or the rest of it, cannot be read as what it should be; what can be told
 *   of a single record is in the batch
 */
export async function* openReader(
  format: ReadFormat,
  object: ReadableObject,
  options: ReadOptions = {},
): AsyncGenerator<ReadBatch, void> {
  const read = await readerOf(format)
  yield* read(object, options)
}

type Read = (object: ReadableObject, options: ReadOptions) => AsyncGenerator<ReadBatch, void>

async function readerOf(format: ReadFormat): Promise<Read> {
  switch (format) {
    case 'json':
      return (await import('./read-lines.ts')).readJsonLines
    case 'lines':
      return (await import('./read-lines.ts')).readLines
    case 'csv':
      return (await import('./read-csv.ts')).readCsv
    case 'avro':
      return (await import('./read-avro.ts')).readAvro
    case 'parquet':
      return (await import('../parquet/read-parquet.ts')).readParquet
    case 'whole':
      return (await import('./read-whole.ts')).readWhole
  }
}
