import { DataError } from '@tidewire/sdk'
import { parseExact } from '@tidewire/sdk/exact-json'
import type { ReferencedSchema } from '../../registry-client/registry-client.ts'

export type JsonSchemaNode = Readonly<Record<string, unknown>>

interface SchemaDocument {
  readonly node: JsonSchemaNode
  readonly id: string | undefined
}

/** A schema, and the text that its references are relative to. */
export interface LocatedNode {
  readonly node: JsonSchemaNode
  readonly document: SchemaDocument
}

/** References that lead from one to the next. */
const maxSteps = 100

/** A schema's text with all that it refers to, and where a `$ref` leads. */
export class SchemaDocuments {
  readonly root: LocatedNode
  readonly #others = new Map<string, SchemaDocument>()

  /** @throws DataError where a text is no JSON object */
  constructor(text: string, references: readonly ReferencedSchema[]) {
    for (const { name, schema } of references) {
      const document = documentOf(schema)
      this.#others.set(name, document)
      if (document.id !== undefined) this.#others.set(document.id, document)
    }
    const document = documentOf(text)
    this.root = { node: document.node, document }
  }

  /** Where the references of a schema lead to; the schema itself where it has none. @throws DataError where that is nowhere */
  follow(located: LocatedNode, path: string): LocatedNode {
    let current = located
    for (let step = 0; typeof current.node['$ref'] === 'string'; step++) {
      if (step > maxSteps) throw new DataError(`${path}: references that lead round in a circle`)
      const reference = current.node['$ref']
      const found = this.#find(reference, current.document)
      if (found === undefined) throw new DataError(`${path}: $ref ${reference} leads nowhere`)
      current = found
    }
    return current
  }

  #find(reference: string, from: SchemaDocument): LocatedNode | undefined {
    const hash = reference.indexOf('#')
    const base = hash < 0 ? reference : reference.slice(0, hash)
    const fragment = hash < 0 ? '' : reference.slice(hash + 1)
    const document =
      base === '' || base === from.id
        ? from
        : (this.#others.get(base) ?? this.#others.get(URL.parse(base, from.id)?.href ?? ''))
    if (document === undefined) return undefined
    const node =
      fragment === '' || fragment.startsWith('/') ? at(document.node, fragment) : anchored(document.node, fragment)
    return node === undefined ? undefined : { node, document }
  }
}

function documentOf(text: string): SchemaDocument {
  let json: unknown
  try {
    json = parseExact(text, 'texts')
  } catch (cause) {
    throw new DataError(`not a JSON Schema: ${(cause as Error).message}`, { cause })
  }
  if (!isNode(json)) throw new DataError('a JSON Schema that is no object has no form in Connect')
  const id = json['$id'] ?? json['id']
  return { node: json, id: typeof id === 'string' ? id.replace(/#$/, '') : undefined }
}

/** RFC 6901. */
function at(node: JsonSchemaNode, pointer: string): JsonSchemaNode | undefined {
  let current: unknown = node
  for (const part of pointer.split('/').slice(1)) {
    const name = decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
    if (typeof current !== 'object' || current === null || !Object.hasOwn(current, name)) return undefined
    current = (current as Readonly<Record<string, unknown>>)[name]
  }
  return isNode(current) ? current : undefined
}

/** The part with `$anchor`, or an `$id` that is a fragment, among the definitions. */
function anchored(node: JsonSchemaNode, name: string): JsonSchemaNode | undefined {
  const definitions = { ...asObject(node['definitions']), ...asObject(node['$defs']) }
  return Object.values(definitions)
    .filter(isNode)
    .find((one) => one['$anchor'] === name || one['$id'] === `#${name}` || one['id'] === `#${name}`)
}

function asObject(json: unknown): object {
  return isNode(json) ? json : {}
}

function isNode(json: unknown): json is JsonSchemaNode {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}
