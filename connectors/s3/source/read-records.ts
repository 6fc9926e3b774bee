import { DataError, schema, type Header, type SourceRecord } from '@tidewire/sdk'
import {
  openReader,
  type ReadableObject,
  type ReadBatch,
  type ReadFormat,
  type ReadOptions,
  type ReadRecord,
} from '../formats/index.ts'
import type { FoundObject, NamedObject } from './object-names.ts'
import type { S3SourceConfig } from './settings.ts'

/** About how much of an object, unpacked, is turned into records at a time. */
const batchBytes = 256 * 1024

/** An object with what belongs to it. */
export interface Family {
  readonly named: NamedObject
  /** Undefined for tombstones. */
  readonly value: PartObject | undefined
  readonly keys: PartObject | undefined
  readonly headers: PartObject | undefined
}

export interface PartObject {
  readonly object: FoundObject
  readonly format: ReadFormat
}

/** That which tells of all of a family whether it is read: its values, or the keys of tombstones. */
export function primaryOf({ value, keys }: Family): PartObject {
  return (value ?? keys)!
}

/** A record less its position, which only the reader of the whole stream knows. */
export type BareRecord = Omit<SourceRecord, 'sourcePartition' | 'sourceOffset'>

/**
 * The records of an object from one on, with their keys and headers, in batches of at most `record.batch.max.size`.
 * @throws DataError where the object, or the rest of it, is not what it should be
 */
export async function* readRecords(
  family: Family,
  from: number,
  open: (object: FoundObject) => ReadableObject,
  config: S3SourceConfig,
): AsyncGenerator<readonly BareRecord[]> {
  const options = { ...readOptions(config), from }
  const reader = ({ object, format }: PartObject): AsyncGenerator<ReadBatch, void> =>
    openReader(format, open(object), options)
  const primary = primaryOf(family)
  const keys = family.keys === undefined || family.keys === primary ? undefined : new Side(reader(family.keys), 'keys')
  const headers = family.headers === undefined ? undefined : new Side(reader(family.headers), 'headers')
  const build = recordBuilder(family, config)
  const most = config['record.batch.max.size']
  try {
    for await (const { first, records } of reader(primary)) {
      for (let start = 0; start < records.length; start += most) {
        const slice = records.slice(start, start + most)
        const sliceKeys = family.value === undefined ? slice : await keys?.take(slice.length)
        const sliceHeaders = await headers?.take(slice.length)
        yield slice.map((record, index) =>
          build(record, sliceKeys?.[index], sliceHeaders?.[index], first + start + index),
        )
      }
    }
    await keys?.expectEnd()
    await headers?.expectEnd()
  } finally {
    await keys?.close()
    await headers?.close()
  }
}

function readOptions(config: S3SourceConfig): ReadOptions {
  const { 'csv.fields': fields, 'format.bytearray.separator': separator } = config
  return {
    compression: config['s3.compression.type'],
    maxRecordBytes: config['record.max.bytes'],
    batchBytes,
    csv: {
      header: config['csv.header'],
      ...(fields.length === 0 ? {} : { fields }),
      delimiter: config['csv.delimiter'],
      quote: config['csv.quote'],
    },
    ...(separator === undefined ? {} : { separator }),
  }
}

/** Keys or headers, read along with the values. */
class Side {
  readonly #batches: AsyncGenerator<ReadBatch, void>
  readonly #what: string
  #ready: ReadRecord[] = []

  constructor(batches: AsyncGenerator<ReadBatch, void>, what: string) {
    this.#batches = batches
    this.#what = what
  }

  async take(count: number): Promise<ReadRecord[]> {
    while (this.#ready.length < count) {
      const next = await this.#batches.next()
      if (next.done === true) throw new DataError(`there are fewer ${this.#what} than values`)
      this.#ready.push(...next.value.records)
    }
    return this.#ready.splice(0, count)
  }

  async expectEnd(): Promise<void> {
    let next = await this.#batches.next()
    while (next.done !== true && next.value.records.length === 0) next = await this.#batches.next()
    if (this.#ready.length > 0 || next.done !== true) throw new DataError(`there are more ${this.#what} than values`)
  }

  async close(): Promise<void> {
    await this.#batches.return()
  }
}

type BuildRecord = (
  record: ReadRecord,
  key: ReadRecord | undefined,
  headers: ReadRecord | undefined,
  number: number,
) => BareRecord

function recordBuilder(family: Family, config: S3SourceConfig): BuildRecord {
  const { topic, partition } = family.named
  const place = partition === undefined ? { topic } : { topic, partition }
  const origin = originOf(family, config)
  const keyOf = config.mode === 'GENERIC' ? genericKey(family, config) : undefined
  const isTombstone = family.value === undefined
  return (record, key, headers, number) => {
    const error = record.error ?? key?.error ?? headers?.error
    const all = headers?.error === undefined && headers !== undefined ? storedHeaders(headers.value) : []
    if (origin !== undefined) all.push(...origin(number))
    const value = isTombstone ? { value: null } : valued(record)
    const keyed = key === undefined ? keyOf?.(record) : keyedBy(unwrapped(key, family.keys))
    const headed = all.length === 0 ? undefined : { headers: all }
    return { ...place, ...keyed, ...value, ...headed, ...(error === undefined ? undefined : { error }) }
  }
}

const bytesSchema = schema.bytes({ optional: true })
const textSchema = schema.string()

/** Bytes that could not be read go on as they are. */
function valued({ value, schema: own, error }: ReadRecord): Pick<BareRecord, 'value' | 'valueSchema'> {
  const valueSchema = error === undefined ? own : bytesSchema
  return valueSchema === undefined ? { value } : { value, valueSchema }
}

function keyedBy({ value: key, schema: own, error }: ReadRecord): Keyed {
  const keySchema = error === undefined ? own : bytesSchema
  return keySchema === undefined ? { key } : { key, keySchema }
}

type Keyed = Pick<BareRecord, 'key' | 'keySchema'>

/** Parquet has structs only: a key of another kind was put into one with a field `key`. */
function unwrapped(key: ReadRecord, part: PartObject | undefined): ReadRecord {
  const field = key.schema?.fields?.[0]
  if (part?.format !== 'parquet' || key.error !== undefined || field?.name !== 'key') return key
  return { value: (key.value as { key: unknown } | null)?.key, schema: field.schema }
}

/** A list of names with values, as texts; JSON and Parquet have it in a field `headers`. */
function storedHeaders(stored: unknown): Header[] {
  const list = Array.isArray(stored) ? stored : (stored as { headers?: unknown } | null)?.headers
  if (!Array.isArray(list)) throw new DataError('the headers are not a list of names and values')
  return (list as { key: unknown; value: unknown }[]).map(({ key, value }) => ({
    key: String(key),
    value: value ?? null,
    schema: value === null || value === undefined ? undefined : textSchema,
  }))
}

/** The headers that are wished for, of a record with that number. */
function originOf(family: Family, config: S3SourceConfig): ((record: number) => Header[]) | undefined {
  const wished = config['record.headers']
  if (wished.length === 0) return undefined
  const { key, etag, modified } = primaryOf(family).object
  const fixed = { bucket: config['s3.bucket.name'], key, 'last.modified': modified, etag: etag.replaceAll('"', '') }
  const schemaOf = { bucket: textSchema, key: textSchema, 'last.modified': schema.int64(), etag: textSchema } as const
  return (record) =>
    wished.map((name) =>
      name === 'record'
        ? { key: 's3.record', value: record, schema: schema.int64() }
        : { key: `s3.${name}`, value: fixed[name], schema: schemaOf[name] },
    )
}

function genericKey(family: Family, config: S3SourceConfig): ((record: ReadRecord) => Keyed) | undefined {
  if (config['record.key'] === 'object') {
    const fixed = { key: primaryOf(family).object.key, keySchema: textSchema }
    return () => fixed
  }
  if (config['record.key'] === 'none') return undefined
  const field = config['record.key.field']!
  return ({ value, schema: own, error }) => {
    if (error !== undefined || typeof value !== 'object' || value === null) return {}
    const key = (value as Readonly<Record<string, unknown>>)[field]
    if (key === undefined || key === null) return {}
    const keySchema = own?.fields?.find(({ name }) => name === field)?.schema
    return keySchema === undefined ? { key } : { key, keySchema }
  }
}
