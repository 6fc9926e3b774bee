import { DataError, type Schema, type SinkRecord } from '@tidewire/sdk'
import { type JsonOutput, jsonWriter } from '@tidewire/sdk/json'
import { documentShape } from './document-shape.ts'
import type { SinkOptions } from './options.ts'

type Write = (output: JsonOutput, value: unknown) => void

/** As Kafka Connect's JsonConverter by itself. */
const asItIs = { decimalFormat: 'BASE64', replaceNullWithDefault: true } as const
/** All digits of a decimal: what the mapping makes of them, the source of the document has them. */
const forMapping = { decimalFormat: 'NUMERIC', replaceNullWithDefault: true } as const

const timeField = '@timestamp'

/** Writes records' values as documents. What is compiled for a schema is kept as long as the schema is. */
export class DocumentWriter {
  readonly #options: SinkOptions
  readonly #shaped = new WeakMap<Schema, Write>()
  readonly #plain = new WeakMap<Schema, Write>()
  readonly #schemaless: Write = jsonWriter(undefined, asItIs)

  constructor(options: SinkOptions) {
    this.#options = options
  }

  /** @throws DataError where the value makes no document; part of it may be written then */
  write(output: JsonOutput, record: SinkRecord): void {
    const { value, valueSchema } = record
    if (!isDocument(value, valueSchema)) {
      throw new DataError(
        `the value is ${nameOf(value)}, and a document is an object: use a converter that gives one, or the transform HoistField`,
      )
    }
    if (!this.#options.dataStream) {
      this.#writerOf(record)(output, value)
      return
    }
    const time = this.#timeOf(record)
    const from = output.length
    const isFree = valueSchema === undefined || value instanceof Map
    this.#writerOf(record)(output, time !== undefined && isFree ? withoutTime(value) : value)
    if (time === undefined) return
    const isEmpty = output.length - from === 2
    // In place of the bracket at the document's end.
    output.truncate(output.length - 1)
    output.text(`${isEmpty ? '' : ','}"${timeField}":${JSON.stringify(time)}}`)
  }

  #writerOf({ topic, valueSchema }: SinkRecord): Write {
    if (valueSchema === undefined) return this.#schemaless
    const shaped = !this.#options.ignoresSchema(topic)
    const known = shaped ? this.#shaped : this.#plain
    let write = known.get(valueSchema)
    if (write === undefined) {
      write = this.#compile(this.#options.dataStream ? this.#timeless(valueSchema) : valueSchema, shaped)
      known.set(valueSchema, write)
    }
    return write
  }

  #compile(schema: Schema, shaped: boolean): Write {
    if (!shaped) return jsonWriter(schema, asItIs)
    const shape = documentShape(schema, this.#options.compactMaps)
    const write = jsonWriter(shape.schema, forMapping)
    const { convert } = shape
    return convert === undefined ? write : (output, value) => write(output, convert(value))
  }

  /** A document has the field once: where it is going to be added, it is not written before. */
  #timeless(schema: Schema): Schema {
    const { timestampFields } = this.#options
    if (schema.fields === undefined || (timestampFields.length > 0 && !hasAny(schema, timestampFields))) return schema
    return { ...schema, fields: schema.fields.filter(({ name }) => name !== timeField) }
  }

  /** What to add as `@timestamp`; undefined where there is none of its fields, so that the document stays as it is. */
  #timeOf({ value, timestamp }: SinkRecord): string | number | undefined {
    const { timestampFields } = this.#options
    if (timestampFields.length === 0) {
      if (timestamp < 0) throw new DataError('the record has no time for @timestamp: set data.stream.timestamp.field')
      return timestamp
    }
    const fields = value as Readonly<Record<string, unknown>>
    for (const name of timestampFields) {
      const time = fields[name]
      if (typeof time === 'string') return time
      if (typeof time === 'number' || typeof time === 'bigint') return String(time)
    }
    return undefined
  }
}

function hasAny(schema: Schema, names: readonly string[]): boolean {
  return schema.fields?.some(({ name }) => names.includes(name)) === true
}

function withoutTime(value: object): unknown {
  if (value instanceof Map) return new Map([...(value as Map<unknown, unknown>)].filter(([name]) => name !== timeField))
  if (!Object.hasOwn(value, timeField)) return value
  return Object.fromEntries(Object.entries(value).filter(([name]) => name !== timeField))
}

/** Objects and maps become objects; whatever else JSON has is no document, and would have the server refuse the whole bulk. */
function isDocument(value: unknown, schema: Schema | undefined): value is object {
  if (schema !== undefined && schema.type !== 'struct' && schema.type !== 'map') return false
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function nameOf(value: unknown): string {
  if (Array.isArray(value)) return 'a list'
  if (value instanceof Uint8Array) return 'bytes'
  return typeof value === 'object' ? 'no object' : `a ${typeof value}`
}
