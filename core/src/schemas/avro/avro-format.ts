import {
  avroText,
  InvalidAvroError,
  parseAvro,
  type AvroNamed,
  type AvroSchema,
  type ParsedAvro,
} from '@tidewire/sdk/avro'
import { InvalidSchemaError, type ParsedSchema, type ResolvedReference, type SchemaFormat } from '../schema-format.ts'
import { avroIncompatibilities } from './compatibility.ts'
import { canonicalAvro, normalizedAvro } from './normal-form.ts'

export const avroFormat: SchemaFormat = { type: 'AVRO', parse }

function parse(text: string, references: readonly ResolvedReference[]): ParsedSchema {
  let names: ReadonlyMap<string, AvroNamed> = new Map()
  for (const { schema } of references) names = parsed(schema, names, false).names
  return new AvroFormatSchema(text, names)
}

function parsed(text: string, names: ReadonlyMap<string, AvroNamed>, validateDefaults: boolean): ParsedAvro {
  try {
    return parseAvro(text, { names, validateDefaults })
  } catch (error) {
    if (!(error instanceof InvalidAvroError)) throw error
    throw new InvalidSchemaError(error.message, { cause: error.cause ?? error })
  }
}

class AvroFormatSchema implements ParsedSchema {
  readonly type = 'AVRO'
  readonly schema: AvroSchema
  readonly canonical: string
  readonly #text: string
  /** All types that references give. */
  readonly #names: ReadonlyMap<string, AvroNamed>

  constructor(text: string, names: ReadonlyMap<string, AvroNamed>) {
    this.schema = parsed(text, names, false).schema
    this.#text = text
    this.#names = names
    this.canonical = avroText(canonicalAvro(this.schema), { known: names.keys() })
  }

  /** Defaults must be of their fields' types. */
  checkNew(): void {
    parsed(this.#text, this.#names, true)
  }

  normalized(): string {
    return avroText(normalizedAvro(this.schema), { known: this.#names.keys() })
  }

  compatibility(writer: ParsedSchema): readonly string[] {
    if (!(writer instanceof AvroFormatSchema)) return ['Incompatible because of different schema type']
    return avroIncompatibilities(this.schema, writer.schema)
  }

  formatted(format: string): string | undefined {
    return format === 'resolved' ? avroText(canonicalAvro(this.schema)) : undefined
  }
}
