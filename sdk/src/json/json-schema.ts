/** The schema half of the envelope, in Kafka Connect's notation and its order of keys. */
import { DataError } from '../errors.ts'
import type { Field, Schema, SchemaType } from '../schema.ts'
import { jsonReader } from './json-reader.ts'
import { defaultText } from './json-writer.ts'
import type { JsonOptions } from './json-options.ts'
import { quote } from './json-text.ts'

const jsonTypes: Readonly<Record<SchemaType, string>> = {
  int8: 'int8',
  int16: 'int16',
  int32: 'int32',
  int64: 'int64',
  float32: 'float',
  float64: 'double',
  boolean: 'boolean',
  string: 'string',
  bytes: 'bytes',
  array: 'array',
  map: 'map',
  struct: 'struct',
}

const schemaTypes = new Map(Object.entries(jsonTypes).map(([type, json]) => [json, type as SchemaType]))

/** The JSON text of a schema; of a struct's field, with its name last. */
export function schemaText(schema: Schema, options: JsonOptions, field?: string): string {
  const parts = [`"type":"${jsonTypes[schema.type]}"`]
  if (schema.type === 'array') parts.push(`"items":${partText(schema.values, options)}`)
  if (schema.type === 'map') {
    parts.push(`"keys":${partText(schema.keys, options)}`, `"values":${partText(schema.values, options)}`)
  }
  if (schema.type === 'struct') {
    const fields = (schema.fields ?? []).map((each) => schemaText(each.schema, options, each.name))
    parts.push(`"fields":[${fields.join(',')}]`)
  }
  parts.push(`"optional":${schema.optional === true}`)
  if (schema.name !== undefined) parts.push(`"name":${quote(schema.name)}`)
  if (schema.version !== undefined) parts.push(`"version":${schema.version}`)
  if (schema.doc !== undefined) parts.push(`"doc":${quote(schema.doc)}`)
  if (schema.parameters !== undefined) {
    const pairs = Object.entries(schema.parameters).map(([key, value]) => `${quote(key)}:${quote(value)}`)
    parts.push(`"parameters":{${pairs.join(',')}}`)
  }
  if (schema.default != null) parts.push(`"default":${defaultText(schema, options)}`)
  if (field !== undefined) parts.push(`"field":${quote(field)}`)
  return `{${parts.join(',')}}`
}

function partText(part: Schema | undefined, options: JsonOptions): string {
  // As Kafka Connect writes it; it does not read it.
  if (part === undefined) return 'null'
  return schemaText(part, options)
}

/**
 * A schema from its parsed JSON.
 * @throws DataError where it is not one
 */
export function parseSchema(json: unknown, options: JsonOptions): Schema {
  const node = asObject(json)
  const type = schemaTypes.get(asString(node['type'], 'a schema has no type'))
  if (type === undefined) throw new DataError(`unknown schema type ${String(node['type'])}`)
  const schema: { -readonly [K in keyof Schema]: Schema[K] } = { type }
  if (type === 'array') schema.values = parseSchema(node['items'], options)
  if (type === 'map') {
    schema.keys = parseSchema(node['keys'], options)
    schema.values = parseSchema(node['values'], options)
  }
  if (type === 'struct') schema.fields = parseFields(node['fields'], options)
  if (node['optional'] === true) schema.optional = true
  if (typeof node['name'] === 'string') schema.name = node['name']
  if (Number.isInteger(node['version'])) schema.version = node['version'] as number
  if (typeof node['doc'] === 'string') schema.doc = node['doc']
  if (node['parameters'] != null) {
    const parameters = asObject(node['parameters'])
    for (const value of Object.values(parameters)) asString(value, 'a schema parameter is not text')
    schema.parameters = parameters as Readonly<Record<string, string>>
  }
  if (node['default'] != null) schema.default = jsonReader(schema, options, 'default')(node['default'])
  return schema
}

function parseFields(json: unknown, options: JsonOptions): Field[] {
  if (!Array.isArray(json)) throw new DataError('a struct schema has no list of fields')
  return json.map((node: unknown) => ({
    name: asString(asObject(node)['field'], 'a field of a struct schema has no name'),
    schema: parseSchema(node, options),
  }))
}

function asObject(json: unknown): Readonly<Record<string, unknown>> {
  if (typeof json === 'object' && json !== null && !Array.isArray(json)) return json as Record<string, unknown>
  throw new DataError('a schema is not a JSON object')
}

function asString(json: unknown, problem: string): string {
  if (typeof json === 'string') return json
  throw new DataError(problem)
}
