import type { Schema } from '@tidewire/sdk'
import type { ReferencedSchema, RegisteredSchema, SchemaReference } from '../../registry-client/registry-client.ts'

/** A Connect schema as it is registered. */
export interface DescribedSchema {
  readonly text: string
  readonly references?: readonly SchemaReference[]
}

/** A schema from the registry, with the texts of all that it refers to. */
export interface ResolvedSchema {
  readonly schema: RegisteredSchema
  readonly references: readonly ReferencedSchema[]
}

/**
 * Makes a message: the header, then the value.
 * @throws DataError where the value is not of the schema
 */
export type MessageWriter = (header: Uint8Array, value: unknown) => Uint8Array

/** Reads messages of one schema. */
export interface MessageReader {
  /**
   * Of the message that was read last: one Protobuf schema has several messages. Undefined: what it reads has no schema
   * (Confluent's Avro form of schemaless values).
   */
  readonly schema: Schema | undefined
  /**
   * @param at where the message goes on after its header
   * @throws DataError where the bytes are not of the schema
   */
  readonly read: (message: Buffer, at: number) => unknown
}

/** What a format does for {@link RegistryConverter}. Everything here is called once for a schema, not for a record. */
export interface SchemaCodec {
  readonly type: 'AVRO' | 'JSON' | 'PROTOBUF'
  /** Whether null, with this schema, is written as no message at all (a tombstone). @throws DataError where null may not be */
  isTombstone(schema: Schema | undefined): boolean
  /** @throws DataError where the format cannot express the schema */
  describe(schema: Schema | undefined): DescribedSchema
  /** The name of the record that a schema's text describes, for RecordNameStrategy; undefined where it has none. */
  recordName(text: string, references: readonly ReferencedSchema[]): string | undefined
  /**
   * Writes values of the Connect schema in the form of the registered one, which is the described one unless
   * `use.latest.version` or `use.schema.id` is set.
   * @throws DataError where the two do not go together
   */
  writer(schema: Schema | undefined, registered: DescribedSchema | ResolvedSchema): MessageWriter
  /**
   * @param version of the subject; undefined where the schema is not registered under the topic's
   * @throws DataError where the schema has no form in Connect
   */
  reader(resolved: ResolvedSchema, version: number | undefined): MessageReader
  /** Why what the described schema writes cannot be read with the registered one; empty: it can. */
  incompatibilities(registered: ResolvedSchema, described: DescribedSchema): Promise<readonly string[]>
}
