import type { ParsedSchema, ResolvedReference, SchemaFormat } from '../schema-format.ts'
import { avroIncompatibilities } from './compatibility.ts'
import { canonicalAvro, normalizedAvro } from './normal-form.ts'
import { parseAvro } from './parse.ts'
import type { AvroNamed, AvroSchema } from './schema.ts'
import { avroText } from './text.ts'

export const avroFormat: SchemaFormat = { type: 'AVRO', parse }

function parse(text: string, references: readonly ResolvedReference[]): ParsedSchema {
  let names: ReadonlyMap<string, AvroNamed> = new Map()
  for (const { schema } of references) names = parseAvro(schema, { names, validateDefaults: false }).names
  return new AvroFormatSchema(text, names)
}

class AvroFormatSchema implements ParsedSchema {
  readonly type = 'AVRO'
  readonly schema: AvroSchema
  readonly canonical: string
  readonly #text: string
  /** All types that references give. */
  readonly #names: ReadonlyMap<string, AvroNamed>

  constructor(text: string, names: ReadonlyMap<string, AvroNamed>) {
    this.schema = parseAvro(text, { names, validateDefaults: false }).schema
    this.#text = text
    this.#names = names
    this.canonical = avroText(canonicalAvro(this.schema), { known: names.keys() })
  }

  /** Defaults must be of their fields' types. */
  checkNew(): void {
    parseAvro(this.#text, { names: this.#names })
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
