import type { SinkRecord } from '@tidewire/sdk'

/**
 * One object being written: records in, bytes out. `append` never waits; what it has taken comes out of `take`, in pieces,
 * in order. Until the first piece nothing exists but memory, and none of it outside the heap: thousands may be open.
 */
export interface ObjectWriter {
  /**
   * @throws DataError for a record that this format, or the schema of this object, cannot take: nothing of it is written,
   *   and the object goes on
   */
  append(record: SinkRecord): void
  /** About how many bytes of memory it holds, all that `take` has not given included. */
  readonly heldBytes: number
  /**
   * The encoded (and compressed) pieces that are ready; often none. To be called again only when it has answered; `append`
   * may be called meanwhile, and what it takes then comes with the next call. The pieces are the caller's.
   */
  take(): Promise<readonly Uint8Array[]>
  /** The last pieces. Nothing may be called after it, nor while a `take` is under way. */
  end(): Promise<readonly Uint8Array[]>
  /** Under memory pressure: closes the block or row group early, so that the next `take` gives nearly all there is. */
  squeeze(): void
}

/** How records become an object. Made once for a task; `open` may be called any number of times. */
export interface ObjectFormat {
  /** Of object names, from the first dot on: `.json.gz`, `.snappy.parquet`; for side files `.keys.avro`. */
  readonly extension: string
  readonly contentType: string
  /**
   * Whether an object's schema is that of its first record, so that a record of another one needs a new object. Where it
   * is not (JSON, bytes), records of all schemas may lie side by side.
   */
  readonly hasSchema: boolean
  /**
   * @param first the record that will be the first to be appended: its schema is the object's
   * @throws DataError where the format cannot take records of that schema
   */
  open(first: SinkRecord): ObjectWriter
}

/** What of a record goes into an object: its value, or beside it the key or the headers. */
export type StoredPart = 'value' | 'key' | 'headers'
