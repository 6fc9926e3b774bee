/**
 * The Connect schema of a JSON Schema, in the terms of Confluent's converter. Where that goes by Java's hash order (the
 * fields of an object without connect.index, the branches of oneOf), here the order is the text's.
 */
import { DataError, type Field, type Schema } from '@tidewire/sdk'
import { ExactFraction, parseExact } from '@tidewire/sdk/exact-json'
import type { ReferencedSchema } from '../../registry-client/registry-client.ts'
import { jsonReader, generalizedUnion, hasDecimals, jsonOneOf, type JsonOptions } from '@tidewire/sdk/json'
import { generalizedEnum, jsonEnum, nullSymbol } from './names.ts'
import { SchemaDocuments, type JsonSchemaNode, type LocatedNode } from './schema-documents.ts'

interface ReadOptions extends JsonOptions {
  readonly optionalForNonRequired: boolean
  readonly generalizedSumTypes: boolean
  readonly flattenSingletonUnions: boolean
}

type OpenSchema = { -readonly [K in keyof Schema]: Schema[K] }

interface Place {
  readonly optional?: boolean
  readonly version?: number | undefined
  readonly path: string
}

/** More parts than a schema has that people write: references can multiply without end. */
const maxParts = 50_000

/**
 * @param version goes into the schema where it does not say one itself
 * @throws DataError where Connect cannot express the schema
 */
export function connectSchemaOf(
  text: string,
  references: readonly ReferencedSchema[],
  options: ReadOptions,
  version?: number,
): Schema {
  const documents = new SchemaDocuments(text, references)
  return new JsonSchemaToConnect(documents, options).convert(documents.root, { version, path: '$' })
}

class JsonSchemaToConnect {
  readonly #documents: SchemaDocuments
  readonly #options: ReadOptions
  readonly #open = new Set<JsonSchemaNode>()
  #parts = 0
  #unions = 0

  constructor(documents: SchemaDocuments, options: ReadOptions) {
    this.#documents = documents
    this.#options = options
  }

  convert(given: LocatedNode, place: Place): Schema {
    if (++this.#parts > maxParts) throw new DataError(`a schema of more than ${maxParts} parts`)
    const located = this.#documents.follow(given, place.path)
    const { node } = located
    if (this.#open.has(node)) {
      const { title } = node
      const type = typeof title === 'string' ? `the type ${title} (${place.path})` : `the type of ${place.path}`
      throw new DataError(`${type} contains itself, which Connect schemas here cannot express`)
    }
    this.#open.add(node)
    try {
      return this.#converted(located, place)
    } finally {
      this.#open.delete(node)
    }
  }

  #converted(located: LocatedNode, place: Place): Schema {
    const { node } = located
    const combined = node['oneOf'] ?? node['anyOf']
    if (Array.isArray(node['allOf'])) return this.#allOf(located, node['allOf'] as JsonSchemaNode[], place)
    if (Array.isArray(combined)) {
      if (node['properties'] !== undefined) return this.#allOf(located, [], place)
      return this.#union(located, combined as JsonSchemaNode[], place)
    }
    const type = node['type']
    if (Array.isArray(type)) {
      // As if it were anyOf, with each of the types.
      const branches = type.map((one: unknown): JsonSchemaNode => ({ ...node, type: one, title: undefined }))
      return this.#union(located, branches, place)
    }
    return this.#single(located, place)
  }

  #union(located: LocatedNode, branches: readonly JsonSchemaNode[], place: Place): Schema {
    const { generalizedSumTypes, flattenSingletonUnions } = this.#options
    const within = (node: JsonSchemaNode): LocatedNode => ({ ...located, node })
    const only = branches.length === 1 ? branches[0] : undefined
    if (only !== undefined && flattenSingletonUnions)
      return this.convert(within(only), { path: `${place.path}.oneOf[0]` })
    const nonNull = branches.filter((branch) => branch['type'] !== 'null')
    if (branches.length === 2 && nonNull.length === 1) {
      return this.convert(within(nonNull[0]!), { ...place, optional: true })
    }
    const name = generalizedSumTypes ? `connect_union_${this.#unions++}` : jsonOneOf
    const ordered = nonNull
      .map((branch, at) => ({ branch, index: indexOf(branch, at) }))
      .sort((one, other) => one.index - other.index)
    const fields = ordered.map(({ branch }, at): Field => ({
      name: generalizedSumTypes ? `connect_union_field_${at}` : `${name}.field.${at}`,
      schema: this.convert(within(branch), { optional: true, path: `${place.path}.oneOf[${at}]` }),
    }))
    const schema: OpenSchema = { type: 'struct', name, fields }
    if (generalizedSumTypes) schema.parameters = { [generalizedUnion]: name }
    return this.#annotated(located.node, schema, {
      ...place,
      optional: place.optional === true || nonNull.length < branches.length,
    })
  }

  /** The properties of all parts together; without any, the part that says the most. */
  #allOf(located: LocatedNode, parts: readonly JsonSchemaNode[], place: Place): Schema {
    const properties = new Map<string, LocatedNode & { required: boolean }>()
    const nodes: LocatedNode[] = []
    this.#collect({ ...located, node: { ...located.node, allOf: parts } }, properties, nodes, place.path, new Set())
    if (properties.size > 0) {
      const fields = [...properties].map(([name, property]): Field => ({
        name,
        schema: this.convert(property, {
          optional: this.#options.optionalForNonRequired && !property.required,
          path: `${place.path}.${name}`,
        }),
      }))
      const schema: OpenSchema = { type: 'struct', fields }
      return this.#annotated(located.node, schema, place)
    }
    const said = (keyword: string) => nodes.find(({ node }) => node[keyword] !== undefined)
    const chosen = said('oneOf') ?? said('anyOf') ?? (said('type') === undefined ? said('enum') : typeOrEnum(nodes))
    if (chosen === undefined) throw new DataError(`${place.path}: allOf without a type has no form in Connect`)
    return this.convert({ ...chosen, node: { ...located.node, ...chosen.node, allOf: undefined } }, place)
  }

  #collect(
    located: LocatedNode,
    properties: Map<string, LocatedNode & { required: boolean }>,
    nodes: LocatedNode[],
    path: string,
    seen: Set<JsonSchemaNode>,
  ): void {
    const followed = this.#documents.follow(located, path)
    const { node } = followed
    if (seen.has(node)) return
    seen.add(node)
    nodes.push(followed)
    const required = Array.isArray(node['required']) ? (node['required'] as unknown[]) : []
    for (const [name, property] of Object.entries(node['properties'] ?? {})) {
      properties.set(name, { ...followed, node: asNode(property, path), required: required.includes(name) })
    }
    for (const part of (node['allOf'] ?? []) as JsonSchemaNode[]) {
      this.#collect({ ...followed, node: asNode(part, path) }, properties, nodes, path, seen)
    }
  }

  #single(located: LocatedNode, place: Place): Schema {
    const { node } = located
    const type = typeOf(node)
    const symbols = node['enum'] ?? (node['const'] === undefined || type !== undefined ? undefined : [node['const']])
    if (Array.isArray(symbols) && type !== 'integer' && type !== 'number' && type !== 'boolean') {
      return this.#annotated(node, this.#enum(symbols), place)
    }
    const connectType = node['connect.type']
    switch (type) {
      case 'boolean':
        return this.#annotated(node, { type }, place)
      case 'string':
        return this.#annotated(node, { type: connectType === 'bytes' ? 'bytes' : 'string' }, place)
      case 'integer':
      case 'number':
        return this.#annotated(node, { type: numberType(type, connectType, place.path) }, place)
      case 'array':
        return this.#annotated(node, this.#array(located, place.path), place)
      case 'object':
        return this.#annotated(node, this.#object(located, place.path), place)
      default:
        throw new DataError(`${place.path} says no type that Connect has: ${JSON.stringify(type ?? node).slice(0, 60)}`)
    }
  }

  #enum(symbols: readonly unknown[]): OpenSchema {
    const { generalizedSumTypes } = this.#options
    const parameter = generalizedSumTypes ? generalizedEnum : jsonEnum
    const parameters: Record<string, string> = { [parameter]: '' }
    for (const [index, symbol] of symbols.entries()) {
      const text = symbol === null ? nullSymbol : typeof symbol === 'string' ? symbol : JSON.stringify(symbol, plain)
      parameters[`${parameter}.${text}`] = generalizedSumTypes ? String(index) : text
    }
    return { type: 'string', parameters }
  }

  #array(located: LocatedNode, path: string): OpenSchema {
    const items = located.node['items']
    if (typeof items !== 'object' || items === null || Array.isArray(items)) {
      throw new DataError(`${path} is an array that does not say of what`)
    }
    const properties = (items as JsonSchemaNode)['properties'] as JsonSchemaNode | undefined
    if (located.node['connect.type'] === 'map' && properties !== undefined) {
      return {
        type: 'map',
        keys: this.convert({ ...located, node: asNode(properties['key'], path) }, { path: `${path} key` }),
        values: this.convert({ ...located, node: asNode(properties['value'], path) }, { path: `${path}{}` }),
      }
    }
    return { type: 'array', values: this.convert({ ...located, node: items as JsonSchemaNode }, { path: `${path}[]` }) }
  }

  #object(located: LocatedNode, path: string): OpenSchema {
    const { node } = located
    if (node['connect.type'] === 'map') {
      const values = { ...located, node: asNode(node['additionalProperties'], path) }
      return { type: 'map', keys: { type: 'string' }, values: this.convert(values, { path: `${path}{}` }) }
    }
    const required = Array.isArray(node['required']) ? (node['required'] as unknown[]) : []
    const properties = Object.entries(node['properties'] ?? {})
      .map(([name, property], at) => ({ name, node: asNode(property, `${path}.${name}`), at }))
      .sort((one, other) => indexOf(one.node, one.at) - indexOf(other.node, other.at))
    const fields = properties.map(({ name, node: property }): Field => ({
      name,
      schema: this.convert(
        { ...located, node: property },
        { optional: this.#options.optionalForNonRequired && !required.includes(name), path: `${path}.${name}` },
      ),
    }))
    return { type: 'struct', fields }
  }

  #annotated(node: JsonSchemaNode, schema: OpenSchema, { optional, version, path }: Place): Schema {
    if (typeof node['title'] === 'string') schema.name ??= node['title']
    const ownVersion = node['connect.version'] ?? version
    if (typeof ownVersion === 'number') schema.version = ownVersion
    if (typeof node['description'] === 'string') schema.doc = node['description']
    const parameters = node['connect.parameters']
    if (typeof parameters === 'object' && parameters !== null) {
      schema.parameters = { ...schema.parameters, ...(parameters as Record<string, string>) }
    }
    const fallback = node['default']
    if (fallback !== undefined && fallback !== null) {
      try {
        // A copy: what is read is taken over in place.
        const json: unknown = parseExact(JSON.stringify(fallback, plain), hasDecimals(schema) ? 'all' : 'integers')
        schema.default = jsonReader(schema, this.#options, path)(json)
      } catch (error) {
        // One that is not of the type stands for nothing.
        if (!(error instanceof DataError)) throw error
      }
    }
    if (optional === true) schema.optional = true
    return schema
  }
}

const rawJson = (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON

function plain(_key: string, value: unknown): unknown {
  return typeof value === 'bigint' ? rawJson(String(value)) : value
}

function asNode(json: unknown, path: string): JsonSchemaNode {
  if (typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof ExactFraction)) {
    return json as JsonSchemaNode
  }
  throw new DataError(`${path} is a schema that says nothing: ${JSON.stringify(json)}`)
}

/** Without a type, the keywords say it. */
function typeOf(node: JsonSchemaNode): unknown {
  const says = (...keywords: string[]) => keywords.some((keyword) => node[keyword] !== undefined)
  if (node['type'] !== undefined || says('enum', 'const')) return node['type']
  if (says('properties', 'required', 'additionalProperties', 'patternProperties', 'minProperties')) return 'object'
  if (says('items', 'minItems', 'maxItems', 'uniqueItems')) return 'array'
  if (says('pattern', 'minLength', 'maxLength', 'format')) return 'string'
  return says('minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf') ? 'number' : undefined
}

function typeOrEnum(nodes: readonly LocatedNode[]): LocatedNode | undefined {
  const typed = nodes.find(({ node }) => node['type'] !== undefined)
  return typed?.node['type'] === 'string' ? (nodes.find(({ node }) => node['enum'] !== undefined) ?? typed) : typed
}

function numberType(type: 'integer' | 'number', connectType: unknown, path: string): Schema['type'] {
  switch (connectType) {
    case undefined:
      return type === 'integer' ? 'int64' : 'float64'
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
    case 'float32':
    case 'float64':
    case 'bytes':
      return connectType
    default:
      throw new DataError(`${path}: connect.type is ${JSON.stringify(connectType)}, which is no type of a number`)
  }
}

function indexOf(node: JsonSchemaNode, fallback: number): number {
  const index = node['connect.index']
  return typeof index === 'number' ? index : fallback
}
