import { Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { documentShape } from './document-shape.ts'

/** Types of fields by name, as a mapping has them under `properties`. */
export type Properties = Readonly<Record<string, FieldMapping>>

/** What a mapping says of one field. */
export interface FieldMapping {
  readonly type?: string
  readonly properties?: Properties
  readonly [setting: string]: unknown
}

const types = {
  boolean: 'boolean',
  int8: 'byte',
  int16: 'short',
  int32: 'integer',
  int64: 'long',
  float32: 'float',
  float64: 'double',
  string: 'text',
  bytes: 'binary',
} as const

/** The fields of a schema's documents; undefined where it says nothing of them. */
export function schemaProperties(schema: Schema, compact: boolean): Properties | undefined {
  if (schema.type !== 'struct') return undefined
  return Object.fromEntries(
    (schema.fields ?? []).flatMap(({ name, schema: field }) => {
      const mapping = fieldMapping(field, compact)
      return mapping === undefined ? [] : [[name, mapping]]
    }),
  )
}

/** As Confluent's connector maps it; undefined where the server has to find it out. */
function fieldMapping(schema: Schema, compact: boolean): FieldMapping | undefined {
  switch (schema.name) {
    case logicalNames.decimal:
      return {
        type: 'double',
        ...nullValue(schema, (value) => (value instanceof Decimal ? Number(value.toString()) : undefined)),
      }
    case logicalNames.date:
      return { type: 'date', ...nullValue(documentShape(schema, compact).schema, (value) => value) }
    case logicalNames.time:
    case logicalNames.timestamp:
      return { type: 'date', ...nullValue(schema, (value) => value) }
    default:
      return plainMapping(schema, compact)
  }
}

function plainMapping(schema: Schema, compact: boolean): FieldMapping | undefined {
  switch (schema.type) {
    case 'struct':
      return { properties: schemaProperties(schema, compact) ?? {} }
    case 'array':
      // A list is of the type of what is in it.
      return schema.values === undefined ? undefined : fieldMapping(schema.values, compact)
    case 'map':
      return mapMapping(schema, compact)
    case 'string':
      return { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 256 } } }
    case 'bytes':
      return { type: 'binary' }
    default:
      return {
        type: types[schema.type],
        ...nullValue(schema, (value) => (typeof value === 'bigint' ? undefined : value)),
      }
  }
}

function mapMapping(schema: Schema, compact: boolean): FieldMapping {
  const keys = schema.keys ?? { type: 'string' }
  // Its fields are the keys, whatever they will be.
  if (compact && keys.type === 'string') return { type: 'object' }
  const key = fieldMapping(keys, compact)
  const value = schema.values && fieldMapping(schema.values, compact)
  return { properties: { ...(key && { key }), ...(value && { value }) } }
}

function nullValue(schema: Schema, toJson: (value: unknown) => unknown): { readonly null_value?: unknown } {
  const value = schema.default == null ? undefined : toJson(schema.default)
  return value == null ? {} : { null_value: value }
}

/** The fields of `wanted` that are not in `present`, whole objects and what objects lack. */
export function lackingProperties(wanted: Properties, present: Properties): Properties {
  const lacking: Record<string, FieldMapping> = {}
  for (const [name, field] of Object.entries(wanted)) {
    const there = Object.hasOwn(present, name) ? present[name] : undefined
    if (there === undefined) lacking[name] = field
    else if (
      field.properties !== undefined &&
      (there.type === undefined || there.type === 'object' || there.type === 'nested')
    ) {
      const within = lackingProperties(field.properties, there.properties ?? {})
      if (Object.keys(within).length > 0)
        lacking[name] = { ...(there.type && { type: there.type }), properties: within }
    }
  }
  return lacking
}
