import { DataError, isErrorKind, type Schema, type SinkRecord } from '@tidewire/sdk'
import { JsonOutput, jsonWriter, type JsonOptions } from '@tidewire/sdk/json'
import { ByteChunks } from './byte-chunks.ts'
import type { Compress } from './compression.ts'
import type { ObjectFormat, ObjectWriter } from './object-format.ts'
import type { PartReader } from './record-part.ts'

/** A line of JSON for each record, as JsonConverter writes it with schemas.enable=false: Confluent's JsonFormat. */
export function jsonFormat(
  extension: string,
  part: PartReader,
  decimalFormat: JsonOptions['decimalFormat'],
  compress: Compress | undefined,
): ObjectFormat {
  const lines = new JsonLines({ decimalFormat, replaceNullWithDefault: true })
  return {
    extension,
    contentType: 'application/x-ndjson',
    hasSchema: false,
    open: () => new JsonLinesWriter(lines, part, compress),
  }
}

type Write = ReturnType<typeof jsonWriter>

const lineFeed = 0x0a

/** Writes lines for all objects of a task, one after the other: what it compiles for a schema serves them all. */
class JsonLines {
  readonly output = new JsonOutput()
  readonly #options: JsonOptions
  readonly #schemaless: Write
  readonly #compiled = new WeakMap<Schema, Write>()
  #lastSchema: Schema | undefined
  #last: Write

  constructor(options: JsonOptions) {
    this.#options = options
    this.#schemaless = jsonWriter(undefined, options)
    this.#last = this.#schemaless
  }

  /** The line is in `output` then. @throws DataError */
  write(schema: Schema | undefined, value: unknown): void {
    if (schema !== this.#lastSchema) {
      this.#last = schema === undefined ? this.#schemaless : this.#writer(schema)
      this.#lastSchema = schema
    }
    this.output.begin()
    try {
      this.#last(this.output, value)
    } catch (error) {
      if (isErrorKind(error, 'DataError')) throw error
      throw new DataError(`no JSON for this value: ${(error as Error).message}`, { cause: error })
    }
    this.output.byte(lineFeed)
  }

  #writer(schema: Schema): Write {
    let write = this.#compiled.get(schema)
    if (write === undefined) {
      write = jsonWriter(schema, this.#options)
      this.#compiled.set(schema, write)
    }
    return write
  }
}

class JsonLinesWriter implements ObjectWriter {
  readonly #lines: JsonLines
  readonly #chunks: ByteChunks
  readonly #part: PartReader

  constructor(lines: JsonLines, part: PartReader, compress: Compress | undefined) {
    this.#lines = lines
    this.#part = part
    this.#chunks = new ByteChunks(compress)
  }

  append(record: SinkRecord): void {
    const { output } = this.#lines
    this.#lines.write(this.#part.schema(record), this.#part.value(record))
    const { length } = output
    output.copyTo(this.#chunks.reserve(length), this.#chunks.at)
    this.#chunks.advance(length)
  }

  get heldBytes(): number {
    return this.#chunks.heldBytes
  }

  take(): Promise<readonly Uint8Array[]> {
    return this.#chunks.take()
  }

  end(): Promise<readonly Uint8Array[]> {
    return this.#chunks.end()
  }

  squeeze(): void {
    this.#chunks.endChunk()
  }
}
