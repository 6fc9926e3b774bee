/**
 * What a dead letter is made of, in both directions. To Kafka Connect's form (the record as it was, `__connect.errors.*`
 * headers if asked for) one header is added, always and last, that says which connector's it is, where it came from and
 * how to make the record again. Letters that Kafka Connect wrote are read too, by its headers.
 */
import { DataError, type Bytes, type Header, type Schema, type SourceRecord } from '@tidewire/sdk'
import type { InHeader, InRecord, OutHeader } from '../client/client.ts'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import {
  jsonReader,
  hasDecimals,
  parseSchema,
  schemaText,
  jsonMessageWriter,
  type JsonOptions,
} from '@tidewire/sdk/json'
import { messageOf } from '../logging/message-of.ts'
import type { FailedRecord, RecordBytes } from './error-policy.ts'

/** Where and how a record failed, as its letter says. What a letter of Kafka Connect's leaves out is undefined. */
export interface DeadLetter {
  /** In the dead letter topic. */
  readonly partition: number
  readonly offset: number
  readonly timestamp: number
  readonly connector: string | undefined
  readonly stage: string | undefined
  readonly operation: string | undefined
  readonly exception: string | undefined
  readonly message: string | undefined
  /** Of a source's record, partition and offset are the source's own, as text. */
  readonly origin: {
    readonly topic: string | undefined
    readonly partition: number | string | undefined
    readonly offset: number | string | undefined
  }
  /** Of a source's record alone. */
  readonly source: SourceForm | undefined
  /** The record as it was: without the headers that make it a letter. */
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly InHeader[]
}

/**
 * How a value stands in the bytes of a letter. `payload`: JSON by its schema; `json`: JSON without; `lost`: it could not be
 * written down, and what is there only describes it.
 */
interface ValueForm {
  readonly as: 'null' | 'text' | 'bytes' | 'payload' | 'json' | 'lost'
  /** In the JSON converter's notation. */
  readonly schema?: string
}

/** What it takes to make a source's record again from the bytes of its letter. */
export interface SourceForm {
  /** The topic partition that the source asked for. */
  readonly partition?: number
  readonly key: ValueForm
  readonly value: ValueForm
  readonly headers: readonly ValueForm[]
}

interface Origin {
  readonly version: 1
  readonly connector: string
  readonly stage: string
  readonly operation?: string
  readonly exception?: string
  /** Cut, where it is long. */
  readonly message?: string
  readonly topic: string
  readonly partition?: number | string
  readonly offset?: number | string
  /** How many of the letter's headers, from the first, are the record's own. */
  readonly headers: number
  readonly source?: SourceForm
}

/** The whole of it is among Kafka Connect's headers, where these are asked for. */
const maxMessageLength = 1000
const originName = '__tidewire.dead.letter'
const contextPrefix = '__connect.errors.'
const options: JsonOptions = { decimalFormat: 'BASE64', replaceNullWithDefault: false }

/** The header that goes last. */
export function originHeader(
  connector: string,
  { stage, operation, error, topic, partition, offset }: FailedRecord,
  { headers, source }: Pick<RecordBytes, 'headers' | 'source'>,
): OutHeader {
  const origin: Origin = {
    version: 1,
    connector,
    stage,
    operation,
    exception: error instanceof Error ? error.name : 'Error',
    message: messageOf(error).slice(0, maxMessageLength),
    topic,
    ...(partition === undefined ? {} : { partition }),
    ...(offset === undefined ? {} : { offset }),
    headers: headers.length,
    ...(source === undefined ? {} : { source }),
  }
  return { key: originName, value: JSON.stringify(origin) }
}

/** A record that has no bytes: text and bytes as they are, all else as JSON, and how to read them again. */
export function sourceLetter(record: SourceRecord): RecordBytes {
  const key = writeValue(record.keySchema, record.key)
  const value = writeValue(record.valueSchema, record.value)
  const headers = (record.headers ?? []).map((header) => ({
    key: header.key,
    ...writeValue(header.schema, header.value),
  }))
  return {
    key: key.bytes,
    value: value.bytes,
    headers: headers.map((header) => ({ key: header.key, value: header.bytes })),
    source: {
      ...(record.partition === undefined ? {} : { partition: record.partition }),
      key: key.form,
      value: value.form,
      headers: headers.map(({ form }) => form),
    },
  }
}

/** The letter in a record of a dead letter topic. */
export function readLetter(partition: number, record: InRecord): DeadLetter {
  const { offset, timestamp, key, value, headers } = record
  const origin = originOf(headers.at(-1))
  // The record may be a letter itself: its own headers say nothing of this one.
  const added = origin === undefined ? headers : headers.slice(origin.headers)
  const context = (name: string): string | undefined =>
    added.findLast((header) => header.key === contextPrefix + name)?.value?.toString()
  return {
    partition,
    offset,
    timestamp,
    connector: origin?.connector ?? context('connector.name'),
    stage: origin?.stage ?? context('stage'),
    operation: context('class.name') ?? origin?.operation,
    exception: context('exception.class.name') ?? origin?.exception,
    message: context('exception.message') ?? origin?.message,
    origin: {
      topic: origin === undefined ? context('topic') : origin.topic,
      partition: origin === undefined ? numberOf(context('partition')) : origin.partition,
      offset: origin === undefined ? numberOf(context('offset')) : origin.offset,
    },
    source: origin?.source,
    key,
    value,
    headers:
      origin === undefined
        ? headers.filter((header) => !header.key.startsWith(contextPrefix))
        : headers.slice(0, origin.headers),
  }
}

/**
 * The record that a source gave.
 * @throws DataError where the letter does not hold all of it
 */
export function sourceRecordOf(letter: DeadLetter): SourceRecord {
  const { source, origin, timestamp } = letter
  if (source === undefined || origin.topic === undefined) {
    throw new DataError('the letter does not say how to make the source’s record again')
  }
  const key = readValue('key', source.key, letter.key)
  const value = readValue('value', source.value, letter.value)
  const headers = letter.headers.map((header, i): Header => {
    const { value: read, schema } = readValue(`header ${header.key}`, source.headers[i], header.value)
    return { key: header.key, value: read, schema }
  })
  return {
    topic: origin.topic,
    partition: source.partition,
    key: key.value,
    keySchema: key.schema,
    value: value.value,
    valueSchema: value.schema,
    headers,
    timestamp: timestamp < 0 ? undefined : timestamp,
  }
}

/** Anybody may write to the topic: what is not one of ours is none. */
function originOf(header: InHeader | undefined): Origin | undefined {
  if (header?.key !== originName || header.value === null) return undefined
  try {
    const origin = JSON.parse(header.value.toString()) as Partial<Origin> | null
    if (origin?.version !== 1 || typeof origin.connector !== 'string' || typeof origin.topic !== 'string')
      return undefined
    if (origin.source !== undefined && !Array.isArray((origin.source as Partial<SourceForm> | null)?.headers))
      return undefined
    return typeof origin.headers === 'number' ? (origin as Origin) : undefined
  } catch {
    return undefined
  }
}

/** Schemas of one source are few and shared. */
const written = new WeakMap<Schema, CompiledSchema>()

interface CompiledSchema {
  readonly text: string
  readonly write: (header: Uint8Array, value: unknown) => Buffer
}

const noHeader = Buffer.alloc(0)

function writeValue(schema: Schema | undefined, value: unknown): { readonly bytes: Bytes; readonly form: ValueForm } {
  const known = schema && compiled(schema)
  const withSchema = known === undefined ? {} : { schema: known.text }
  if (value === null || value === undefined) return { bytes: null, form: { as: 'null', ...withSchema } }
  if (typeof value === 'string') return { bytes: value, form: { as: 'text', ...withSchema } }
  if (value instanceof Uint8Array) return { bytes: value, form: { as: 'bytes', ...withSchema } }
  if (known !== undefined) {
    try {
      return { bytes: known.write(noHeader, value), form: { as: 'payload', schema: known.text } }
    } catch {
      // It is not of its schema, which may be why it failed: then as it is.
    }
  }
  try {
    return { bytes: stringifyExact(value), form: { as: 'json', ...withSchema } }
  } catch {
    return { bytes: Object.prototype.toString.call(value), form: { as: 'lost' } }
  }
}

function compiled(schema: Schema): CompiledSchema | undefined {
  const known = written.get(schema)
  if (known !== undefined) return known
  try {
    const made = { text: schemaText(schema, options), write: jsonMessageWriter(schema, options) }
    written.set(schema, made)
    return made
  } catch {
    // No schema that can be written down, which may be why the record failed.
    return undefined
  }
}

interface ReadValue {
  readonly value: unknown
  readonly schema: Schema | undefined
}

function readValue(what: string, form: ValueForm | undefined, bytes: Buffer | null): ReadValue {
  let cause: unknown
  try {
    const read = parseValue(form, bytes)
    if (read !== undefined) return read
  } catch (error) {
    cause = error
  }
  const reason = cause === undefined ? '' : `: ${messageOf(cause)}`
  throw new DataError(`the letter does not hold the ${what} of the source’s record${reason}`, { cause })
}

function parseValue(form: ValueForm | undefined, bytes: Buffer | null): ReadValue | undefined {
  const schema = form?.schema === undefined ? undefined : parseSchema(JSON.parse(form.schema), options)
  if (bytes === null) return { value: null, schema }
  switch (form?.as) {
    case 'text':
      return { value: bytes.toString(), schema }
    case 'bytes':
      return { value: bytes, schema }
    case 'json':
      return { value: parseExact(bytes.toString(), 'integers'), schema }
    case 'payload': {
      if (schema === undefined) return undefined
      const json = parseExact(bytes.toString(), hasDecimals(schema) ? 'all' : 'integers')
      return { value: jsonReader(schema, options)(json), schema }
    }
    case 'null':
    case 'lost':
    case undefined:
      return undefined
  }
}

function numberOf(text: string | undefined): number | string | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : text
}
