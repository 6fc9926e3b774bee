import type { DataError, Schema } from '@tidewire/sdk'
import type { AvroOptions } from '@tidewire/sdk/avro'

/** An object to read. Only what a format asks for is fetched. */
export interface ReadableObject {
  /** Its key: the end of it tells the compression. */
  readonly name: string
  /** In bytes. */
  readonly size: number
  /** All its bytes; ended early by `return()`. An error of it ends the reading with that error. */
  stream(): AsyncIterable<Uint8Array>
  /** The bytes from `start` up to, not with, `end`. */
  range(start: number, end: number): Promise<Uint8Array>
}

/** What an object holds: `lines` are texts or bytes between separators, `whole` is one record of all its bytes. */
export type ReadFormat = 'json' | 'csv' | 'avro' | 'parquet' | 'lines' | 'whole'

/** Bounds where the options say none. */
export const defaultMaxRecordBytes = 64 * 1024 * 1024
export const defaultBatchBytes = 1024 * 1024

export interface ReadOptions {
  /** The number of the first record to give; the first of an object has number 0. Default 0. */
  readonly from?: number
  /** `auto`, the default: by the end of the name, `.gz` and `.zst`. Avro and Parquet compress inside, and look at none. */
  readonly compression?: 'auto' | 'none' | 'gzip' | 'zstd'
  /** Bound of one record (a line, a block of Avro, a column of a row group), unpacked. Default 64 MiB. */
  readonly maxRecordBytes?: number
  /** About how many bytes of the object, unpacked, a batch is made of. Default 1 MiB. */
  readonly batchBytes?: number
  readonly csv?: CsvOptions
  /** Of `lines`: what stands between records. Default a line feed, before which a carriage return is dropped. */
  readonly separator?: string
}

export interface CsvOptions {
  /** Whether the first line names the fields; without it `fields` does, and without both a record is a list. Default true. */
  readonly header?: boolean
  readonly fields?: readonly string[]
  /** Default `,`. */
  readonly delimiter?: string
  /** Default `"`; empty: none. */
  readonly quote?: string
  /** Default the quote itself, doubled. */
  readonly escape?: string
}

/** A record of an object. */
export interface ReadRecord {
  readonly schema?: Schema | undefined
  /** Where there is an error: the bytes that could not be read. */
  readonly value: unknown
  /** This record could not be read; those after it can. */
  readonly error?: DataError | undefined
}

/** Records of an object, one after the other. */
export interface ReadBatch {
  /** The number of the first of them. */
  readonly first: number
  readonly records: readonly ReadRecord[]
}

/** How schemas in Avro are read: what they say of Connect counts, as in what the sink wrote. */
export const avroReadOptions: AvroOptions = {
  connectMetaData: true,
  enhancedSchemas: true,
  generalizedSumTypes: false,
  scrubInvalidNames: false,
  discardTypeDocDefault: false,
  optionalMapKeys: true,
  flattenSingletonUnions: false,
  ignoreDefaultForNullables: false,
}
