/**
 * What a format of schemas (Avro, JSON Schema, Protobuf) does with schema texts: the registry and the converters know the
 * formats by this alone. The names of the formats are those of the Confluent Schema Registry's API.
 */

export const schemaTypes = ['AVRO', 'JSON', 'PROTOBUF'] as const

/** `schemaType` of the registry's API; where it is left out, AVRO is meant. */
export type SchemaType = (typeof schemaTypes)[number]

/** A schema that another one refers to, with its text. */
export interface ResolvedReference {
  /** By which the schema that refers knows it: a full name (Avro), a URL or path (`$ref`), the path of an `import`. */
  readonly name: string
  readonly subject: string
  readonly version: number
  readonly schema: string
}

/** `compatibilityPolicy` of a subject's config: how strictly the content models of JSON Schemas are compared. */
export type CompatibilityPolicy = 'STRICT' | 'LENIENT'

/** A text that has been found valid. */
export interface ParsedSchema {
  readonly type: SchemaType
  /** The text as the registry keeps and returns it: the same for texts that differ in layout alone. */
  readonly canonical: string
  /**
   * The text of `normalize=true`: the same for texts that mean the same as far as the format's reference implementation
   * says so.
   */
  normalized(): string
  /**
   * Why a reader with this schema cannot read what was written with another of the same format, one message (in the
   * shape of the Confluent registry: `{errorType:'…', description:'…', additionalInfo:'…'}`) a reason. In each the first `%s`
   * stands for the schema that reads, the second for the other. Empty: it can.
   * As there, which of the two is the older one is not known here: the first `%s` of a message stands for this schema, the
   * second for the writer's (`in the %s schema`), and the registry fills in "new" and "old".
   */
  compatibility(writer: ParsedSchema, policy?: CompatibilityPolicy): readonly string[]
  /**
   * What is asked of a new schema though there are older ones without it.
   * @throws InvalidSchemaError
   */
  checkNew?(): void
  /** `format=…` of the API: another text for the same schema; undefined where the format has no such form. */
  formatted?(format: string): string | undefined
}

export interface SchemaFormat {
  readonly type: SchemaType
  /**
   * @param references all that the text refers to, and what those refer to: each name once, what is referred to before
   *   what refers to it
   * @throws InvalidSchemaError with a message for the author of the text; nothing else, whatever the text is
   */
  parse(text: string, references: readonly ResolvedReference[]): ParsedSchema
}

/** A text is no schema of its format. */
export class InvalidSchemaError extends Error {
  override readonly name = 'InvalidSchemaError'
}
