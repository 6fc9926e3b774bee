import type { CompatibilityPolicy, ParsedSchema, ResolvedReference, SchemaFormat } from '../schema-format.ts'
import { TooMuchToCompareError } from '../comparison-budget.ts'
import { compareSchemas } from './compare-schemas.ts'
import { messageFor } from './differences.ts'
import { jsonText, parseJson, type Json } from './json-text.ts'
import { loadSchema } from './load-schema.ts'
import type { Schema } from './schema-tree.ts'

export const jsonFormat: SchemaFormat = {
  type: 'JSON',
  parse: (text, references) => new JsonFormatSchema(text, references),
}

class JsonFormatSchema implements ParsedSchema {
  readonly type = 'JSON'
  readonly canonical: string
  readonly schema: Schema
  readonly #json: Json

  constructor(text: string, references: readonly ResolvedReference[]) {
    this.#json = parseJson(text)
    this.schema = loadSchema(this.#json, references)
    this.canonical = jsonText(this.#json)
  }

  normalized(): string {
    return jsonText(this.#json, true)
  }

  compatibility(writer: ParsedSchema, policy: CompatibilityPolicy = 'STRICT'): readonly string[] {
    if (!(writer instanceof JsonFormatSchema)) return ['Incompatible because of different schema type']
    try {
      return compareSchemas(writer.schema, this.schema, policy === 'LENIENT').map(messageFor)
    } catch (error) {
      if (!(error instanceof TooMuchToCompareError)) throw error
      return ['The %s schema and the %s schema are too large, or refer to themselves too often, to be compared']
    }
  }
}
