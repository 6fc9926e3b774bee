/**
 * The JSON Schema that a Connect schema is registered as, in the terms of Confluent's converter. Its order of properties
 * follows from Java's hash codes; here it is that of the fields, which means the same.
 */
import { DataError, logicalNames, type Schema } from '@tidewire/sdk'
import { parseExact } from '@tidewire/sdk/exact-json'
import { defaultText, isUnion, type JsonOptions } from '@tidewire/sdk/json'
import { generalizedEnum, jsonEnum, nullSymbol, ownParameters } from './names.ts'

interface JsonSchemaOptions extends JsonOptions {
  readonly additionalProperties: boolean
  readonly generalizedSumTypes: boolean
}

type JsonSchema = Record<string, unknown>

/** As parsed JSON. @throws DataError where it has no form in JSON Schema */
export function jsonSchemaOf(schema: Schema, options: JsonSchemaOptions): JsonSchema {
  return new ConnectToJsonSchema(options).convert(schema, undefined, false)
}

class ConnectToJsonSchema {
  readonly #options: JsonSchemaOptions
  readonly #open = new Set<Schema>()

  constructor(options: JsonSchemaOptions) {
    this.#options = options
  }

  convert(schema: Schema, index: number | undefined, ignoreOptional: boolean): JsonSchema {
    if (this.#open.has(schema)) {
      throw new DataError(
        `schema ${schema.name ?? schema.type} contains itself, which the JSON Schema converter cannot write`,
      )
    }
    this.#open.add(schema)
    try {
      const place = index === undefined ? {} : { 'connect.index': index }
      if (isUnion(schema)) {
        const branches = (schema.fields ?? []).map((field, at) => this.convert(field.schema, at, true))
        return { ...place, oneOf: schema.optional === true ? [{ type: 'null' }, ...branches] : branches }
      }
      if (schema.optional === true && !ignoreOptional) {
        return { ...place, oneOf: [{ type: 'null' }, this.#annotated(schema, {})] }
      }
      return this.#annotated(schema, place)
    } finally {
      this.#open.delete(schema)
    }
  }

  #annotated(schema: Schema, place: JsonSchema): JsonSchema {
    const { type, connectType, ...content } = this.#base(schema)
    const parameters = Object.entries(schema.parameters ?? {}).filter(([name]) => !name.startsWith(ownParameters))
    return {
      ...(type === undefined ? {} : { type }),
      ...(schema.name === undefined ? {} : { title: schema.name }),
      ...(schema.doc === undefined ? {} : { description: schema.doc }),
      ...(schema.default == null ? {} : { default: parseExact(defaultText(schema, this.#options), 'texts') }),
      ...place,
      ...(schema.version === undefined ? {} : { 'connect.version': schema.version }),
      ...(connectType === undefined ? {} : { 'connect.type': connectType }),
      ...(parameters.length === 0 ? {} : { 'connect.parameters': Object.fromEntries(parameters) }),
      ...content,
    }
  }

  #base(schema: Schema): JsonSchema {
    switch (schema.type) {
      case 'int8':
      case 'int16':
      case 'int32':
      case 'int64':
        return { type: 'integer', connectType: schema.type }
      case 'float32':
      case 'float64':
        return { type: 'number', connectType: schema.type }
      case 'boolean':
        return { type: 'boolean' }
      case 'string':
        return this.#string(schema)
      case 'bytes': {
        const numeric = schema.name === logicalNames.decimal && this.#options.decimalFormat === 'NUMERIC'
        return { type: numeric ? 'number' : 'string', connectType: 'bytes' }
      }
      case 'array':
        return { type: 'array', items: this.#part(schema.values, undefined) }
      case 'map':
        if (schema.keys === undefined || (schema.keys.type === 'string' && schema.keys.optional !== true)) {
          return { type: 'object', connectType: 'map', additionalProperties: this.#part(schema.values, undefined) }
        }
        return {
          type: 'array',
          connectType: 'map',
          items: {
            type: 'object',
            properties: { key: this.convert(schema.keys, 0, false), value: this.#part(schema.values, 1) },
          },
        }
      case 'struct': {
        const fields = (schema.fields ?? []).map(({ name, schema: field }, at) => [
          name,
          this.convert(field, at, false),
        ])
        return {
          type: 'object',
          ...(this.#options.additionalProperties ? {} : { additionalProperties: false }),
          properties: Object.fromEntries(fields) as JsonSchema,
        }
      }
    }
  }

  #part(schema: Schema | undefined, index: number | undefined): JsonSchema {
    if (schema === undefined) throw new DataError('an array or map schema does not say of what')
    return this.convert(schema, index, false)
  }

  #string({ parameters }: Schema): JsonSchema {
    if (parameters?.[generalizedEnum] === undefined && parameters?.[jsonEnum] === undefined) return { type: 'string' }
    const prefix = `${this.#options.generalizedSumTypes ? generalizedEnum : jsonEnum}.`
    const symbols = Object.keys(parameters)
      .filter((name) => name.startsWith(prefix))
      .map((name) => name.slice(prefix.length))
    return { enum: symbols.map((symbol) => (symbol === nullSymbol ? null : symbol)) }
  }
}
