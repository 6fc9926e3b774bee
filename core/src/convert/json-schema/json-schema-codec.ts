import type { Schema } from '@tidewire/sdk'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import type { ReferencedSchema } from '../../registry-client/registry-client.ts'
import { jsonReader, hasDecimals, jsonMessageWriter, type JsonOptions } from '@tidewire/sdk/json'
import type {
  DescribedSchema,
  MessageReader,
  MessageWriter,
  ResolvedSchema,
  SchemaCodec,
} from '../registry/schema-codec.ts'
import { jsonSchemaOf } from './connect-to-json-schema.ts'
import { connectSchemaOf } from './json-schema-to-connect.ts'

/** Settings of the converter, by what they do. */
export interface JsonSchemaCodecOptions {
  readonly decimalFormat: 'BASE64' | 'NUMERIC'
  readonly additionalProperties: boolean
  readonly optionalForNonRequired: boolean
  readonly generalizedSumTypes: boolean
  readonly flattenSingletonUnions: boolean
  readonly ignoreDefaultForNullables: boolean
}

export class JsonSchemaCodec implements SchemaCodec {
  readonly type = 'JSON'
  readonly #options: JsonSchemaCodecOptions & JsonOptions
  readonly #readOptions: JsonSchemaCodecOptions & JsonOptions

  constructor(options: JsonSchemaCodecOptions) {
    const both = { ...options, jsonSchema: true } as const
    this.#options = { ...both, replaceNullWithDefault: !options.ignoreDefaultForNullables }
    this.#readOptions = { ...both, replaceNullWithDefault: true }
  }

  isTombstone(schema: Schema | undefined): boolean {
    // With a schema that allows it, null is the JSON null: as Confluent's converter has it.
    if (schema === undefined) return true
    return schema.optional !== true && (schema.default == null || this.#options.ignoreDefaultForNullables)
  }

  describe(schema: Schema | undefined): DescribedSchema {
    // A value without a schema is any JSON.
    return { text: schema === undefined ? '{}' : stringifyExact(jsonSchemaOf(schema, this.#options)) }
  }

  recordName(text: string): string | undefined {
    const { title } = parseExact(text, 'texts') as { readonly title?: unknown }
    return typeof title === 'string' ? title : undefined
  }

  writer(schema: Schema | undefined): MessageWriter {
    return jsonMessageWriter(schema, this.#options)
  }

  reader({ schema, references }: ResolvedSchema, version: number | undefined): MessageReader {
    if (saysNothing(schema.schema)) {
      return {
        schema: undefined,
        read: (message, at) => parseExact(message.toString('utf8', at), 'integers'),
      }
    }
    const connect = connectSchemaOf(schema.schema, references, this.#readOptions, version)
    const read = jsonReader(connect, this.#readOptions)
    const exact = hasDecimals(connect) ? 'all' : 'integers'
    return { schema: connect, read: (message, at) => read(parseExact(message.toString('utf8', at), exact)) }
  }

  async incompatibilities(
    { schema, references }: ResolvedSchema,
    described: DescribedSchema,
  ): Promise<readonly string[]> {
    const { loadFormat } = await import('../../schemas/load-format.ts')
    const format = await loadFormat('JSON')
    const parse = (text: string, known: readonly ReferencedSchema[]) => format.parse(text, known)
    return parse(schema.schema, references).compatibility(parse(described.text, []))
  }
}

/** `{}` and `true`: any JSON. */
function saysNothing(text: string): boolean {
  return /^\s*(?:\{\s*\}|true)\s*$/.test(text)
}
