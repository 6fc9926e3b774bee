import type { ConfigOf, Settings } from './config.ts'
import type { Schema } from './schema.ts'

/** What goes into the log. */
export type Bytes = Uint8Array | string | null

/** A value with its schema, if it has one. */
export interface SchemaAndValue {
  readonly schema?: Schema | undefined
  readonly value: unknown
}

/**
 * Turns values into bytes and back. Called for every record, so it answers at once where it can, and
 * with a promise only when something must first be fetched (a schema it has not met yet).
 * @throws DataError when a value or bytes are not of the form
 */
export interface Converter {
  /**
   * `null` for a null value without a schema: a tombstone. A string stands for its UTF-8 bytes, and is the
   * quicker answer where the text is at hand.
   */
  fromConnect(topic: string, schema: Schema | undefined, value: unknown): Bytes | Promise<Bytes>
  toConnect(topic: string, bytes: Uint8Array | null): SchemaAndValue | Promise<SchemaAndValue>
}

/** What a converter may know of where it works. */
export interface ConverterContext {
  /** Aborted when its task ends: whatever it waits for is to end then. */
  readonly signal: AbortSignal
}

/** Declares a converter, chosen by `key.converter`, `value.converter` or `header.converter`. */
export interface ConverterDefinition<S extends Settings = Settings> {
  /** The short name that the `*.converter` settings take: `json`. */
  readonly name: string
  /** Left out: the plugin's. */
  readonly version?: string
  readonly aliases?: readonly string[]
  readonly doc: string
  /** Settings, read below the converter's own prefix: `value.converter.schemas.enable`. */
  readonly config: S
  /** As of connectors: settings of the converter this one stands in for that it lacks, with the reason. */
  readonly unsupported?: Readonly<Record<string, string>>
  /**
   * @param context left out where there is no task, as in a validation
   * @throws ConfigError
   */
  readonly create: (config: ConfigOf<S>, use: 'key' | 'value' | 'header', context?: ConverterContext) => Converter
}

/** Declares a converter in one call. */
export function defineConverter<const S extends Settings>(definition: ConverterDefinition<S>): ConverterDefinition<S> {
  return definition
}
