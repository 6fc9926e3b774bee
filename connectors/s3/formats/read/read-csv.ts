/** CSV and its kin: a record for each row, its fields texts. */
import { DataError, isErrorKind, schema, type Schema } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { parse, type CsvError, type Options, type Parser } from 'csv-parse'
import { Batches } from './batches.ts'
import { unpackedBytes } from './byte-stream.ts'
import {
  defaultBatchBytes,
  defaultMaxRecordBytes,
  type CsvOptions,
  type ReadableObject,
  type ReadBatch,
  type ReadOptions,
  type ReadRecord,
} from './object-reader.ts'

/**
 * A row that cannot be read (a quote in the wrong place, too many or too few fields) is told with its number, and does not
 * end the rest.
 * @throws DataError where the first row cannot name the fields
 */
export async function* readCsv(object: ReadableObject, options: ReadOptions): AsyncGenerator<ReadBatch, void> {
  const { from = 0, batchBytes = defaultBatchBytes, maxRecordBytes = defaultMaxRecordBytes, csv = {} } = options
  const rows = new Rows(object.name, csv, new Batches(from, batchBytes))
  const parser = parse(parserOptions(csv, maxRecordBytes, rows))
  // Who waits for it is told; it may fail when nobody does.
  parser.on('error', () => undefined)
  try {
    for await (const piece of unpackedBytes(object, options.compression)) {
      await written(parser, (done) => parser.write(piece, done))
      yield* rows.full()
    }
    await written(parser, (done) => parser.end(done))
    yield* rows.all()
  } catch (error) {
    if (error !== parser.errored || isErrorKind(error, 'DataError')) throw error
    throw new DataError(`${object.name} cannot be read as CSV: ${(error as Error).message}`, { cause: error })
  } finally {
    parser.destroy()
  }
}

function parserOptions(csv: CsvOptions, maxRecordBytes: number, rows: Rows): Options {
  const quote = csv.quote ?? '"'
  return {
    bom: true,
    delimiter: csv.delimiter ?? ',',
    quote: quote === '' ? false : quote,
    escape: csv.escape ?? (quote === '' ? '"' : quote),
    // How many fields a row is to have, only its reader knows.
    relax_column_count: true,
    skip_empty_lines: true,
    max_record_size: maxRecordBytes,
    skip_records_with_error: true,
    // Rows are taken where they are found: none is to be given, so that the parser never waits for who takes them.
    on_record: (row: string[], { lines }) => {
      rows.add(row, lines)
      return null
    },
    on_skip: (error: CsvError | undefined, raw: string | undefined) => {
      rows.addBad(error, raw)
      return undefined
    },
  }
}

/** Waits until the parser has taken what it is given: its rows are there then. */
function written(parser: Parser, write: (done: () => void) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    if (parser.errored !== null) reject(parser.errored)
    parser.once('error', reject)
    write(() => {
      parser.off('error', reject)
      resolve()
    })
  })
}

/** Rows as they come, to records. */
class Rows {
  readonly #name: string
  readonly #batches: Batches
  readonly #ready: ReadBatch[] = []
  #fields: Fields | undefined
  #needsHeader: boolean

  constructor(name: string, { header = true, fields }: CsvOptions, batches: Batches) {
    this.#name = name
    this.#batches = batches
    this.#needsHeader = header
    // Names that are given count more than those of the first row.
    if (fields !== undefined) this.#fields = new Fields(fields, name)
  }

  add(row: readonly string[], line: number): void {
    if (this.#needsHeader) {
      this.#needsHeader = false
      this.#fields ??= new Fields(row, this.#name)
      return
    }
    if (this.#batches.isBefore) {
      this.#batches.skip(1)
      return
    }
    let bytes = 0
    for (const field of row) bytes += field.length + 1
    this.#push(this.#record(row, line), bytes)
  }

  addBad(cause: Error | undefined, raw: string | undefined): void {
    if (this.#batches.isBefore) {
      this.#batches.skip(1)
      return
    }
    const error = new DataError(
      `row ${this.#batches.number} of ${this.#name} cannot be read: ${cause?.message ?? ''}`,
      {
        cause,
      },
    )
    const value = Buffer.from(raw ?? '')
    this.#push({ value, error }, value.length)
  }

  /** Batches that are full. */
  *full(): Generator<ReadBatch, void> {
    for (const batch of this.#ready.splice(0)) yield batch
  }

  *all(): Generator<ReadBatch, void> {
    yield* this.full()
    const last = this.#batches.take()
    if (last !== undefined) yield last
  }

  #record(row: readonly string[], line: number): ReadRecord {
    const fields = this.#fields
    if (fields === undefined) return { schema: listSchema, value: row }
    if (row.length === fields.names.length) return { schema: fields.schema, value: fields.valueOf(row) }
    const error = new DataError(
      `row ${this.#batches.number} of ${this.#name}, which ends in line ${line}, has ${row.length} fields, but there are ${fields.names.length} names`,
    )
    return { value: Buffer.from(row.join(',')), error }
  }

  #push(record: ReadRecord, bytes: number): void {
    this.#batches.add(record, bytes)
    if (this.#batches.isFull) this.#ready.push(this.#batches.take()!)
  }
}

const listSchema = schema.array(schema.string())

/** The fields of a file: a struct of texts. */
class Fields {
  readonly names: readonly string[]
  readonly schema: Schema

  /** @throws DataError where two have the same name, or one has none */
  constructor(names: readonly string[], file: string) {
    if (new Set(names).size < names.length || names.includes('')) {
      throw new DataError(
        `${file}: its fields are named ${JSON.stringify(names.join(','))}, which does not give each a name of its own; name them by a setting`,
      )
    }
    this.names = names
    this.schema = { type: 'struct', fields: names.map((name) => ({ name, schema: schema.string({ optional: true }) })) }
  }

  valueOf(row: readonly string[]): Readonly<Record<string, string>> {
    const value: Record<string, string> = {}
    for (let index = 0; index < row.length; index++) setProperty(value, this.names[index]!, row[index]!)
    return value
  }
}
