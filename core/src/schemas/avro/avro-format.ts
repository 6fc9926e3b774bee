import type { ParsedSchema, ResolvedReference, SchemaFormat } from '../schema-format.ts'
import { avroIncompatibilities } from './compatibility.ts'
import { canonicalAvro, normalizedAvro } from './normal-form.ts'
import { parseAvro } from './parse.ts'
import { isNamed, type AvroNamed, type AvroSchema } from './schema.ts'
import { avroText } from './text.ts'

export const avroFormat: SchemaFormat = { type: 'AVRO', parse }

function parse(text: string, references: readonly ResolvedReference[]): ParsedSchema {
  let names: ReadonlyMap<string, AvroNamed> = new Map()
  const known: string[] = []
  for (const { schema } of references) {
    const parsed = parseAvro(schema, { names, validateDefaults: false })
    names = parsed.names
    if (isNamed(parsed.schema)) known.push(parsed.schema.name)
  }
  return new AvroFormatSchema(text, names, known)
}

class AvroFormatSchema implements ParsedSchema {
  readonly type = 'AVRO'
  readonly schema: AvroSchema
  readonly canonical: string
  /** The names of the types that references give. */
  readonly #known: readonly string[]
  /** All types that references give. */
  readonly #names: ReadonlyMap<string, AvroNamed>

  constructor(text: string, names: ReadonlyMap<string, AvroNamed>, known: readonly string[]) {
    this.schema = parseAvro(text, { names, validateDefaults: false }).schema
    this.#names = names
    this.#known = known
    this.canonical = avroText(canonicalAvro(this.schema), { known })
  }

  /** Defaults must be of their fields' types. */
  checkNew(): void {
    parseAvro(this.canonical, { names: this.#names })
  }

  normalized(): string {
    return avroText(normalizedAvro(this.schema), { known: this.#known })
  }

  compatibility(writer: ParsedSchema): readonly string[] {
    if (!(writer instanceof AvroFormatSchema)) return ['Incompatible because of different schema type']
    return avroIncompatibilities(this.schema, writer.schema)
  }

  formatted(format: string): string | undefined {
    return format === 'resolved' ? avroText(canonicalAvro(this.schema)) : undefined
  }
}
