import { ExactFraction, stringifyExact } from '../json/exact-json.ts'
import { namespaceOf, simpleNameOf, type AvroField, type AvroNamed, type AvroSchema } from './schema.ts'

interface TextOptions {
  /** Full names that the reader of the text knows: types of these names are not written out. */
  readonly known?: Iterable<string>
  /** Only what values depend on: no docs, defaults, aliases or other properties. */
  readonly bare?: boolean
}

/**
 * The JSON text of a schema, in the order and with the names that `Schema.toString()` of Avro's Java implementation gives
 * it: a named type is written where it is met first, then by its name.
 */
export function avroText(schema: AvroSchema, options: TextOptions = {}): string {
  return new AvroWriter(new Set(options.known), options.bare ?? false).schema(schema, undefined)
}

const typeNames = new Set(
  [
    'record',
    'enum',
    'array',
    'map',
    'union',
    'fixed',
    'string',
    'bytes',
    'int',
    'long',
    'float',
    'double',
    'boolean',
  ].concat('null'),
)

class AvroWriter {
  readonly #written: Set<string>
  readonly #bare: boolean

  constructor(known: Set<string>, bare: boolean) {
    this.#written = known
    this.#bare = bare
  }

  schema(schema: AvroSchema, namespace: string | undefined): string {
    switch (schema.type) {
      case 'union':
        return `[${schema.branches.map((branch) => this.schema(branch, namespace)).join(',')}]`
      case 'array':
        return `{"type":"array","items":${this.schema(schema.items, namespace)}${this.#props(schema.props)}}`
      case 'map':
        return `{"type":"map","values":${this.schema(schema.values, namespace)}${this.#props(schema.props)}}`
      case 'record':
      case 'enum':
      case 'fixed':
        return this.#named(schema, namespace)
      default:
        if (this.#bare || schema.props.size === 0) return `"${schema.type}"`
        return `{"type":"${schema.type}"${this.#props(schema.props)}}`
    }
  }

  #named(schema: AvroNamed, namespace: string | undefined): string {
    if (this.#written.has(schema.name)) return JSON.stringify(qualified(schema.name, namespace))
    this.#written.add(schema.name)
    const own = namespaceOf(schema.name)
    const type = schema.type === 'record' && schema.isError ? 'error' : schema.type
    let text = `{"type":"${type}","name":${JSON.stringify(simpleNameOf(schema.name))}`
    if (own !== namespace) text += `,"namespace":${JSON.stringify(own ?? '')}`
    if (schema.doc !== undefined && !this.#bare) text += `,"doc":${JSON.stringify(schema.doc)}`
    if (schema.type === 'fixed') text += `,"size":${schema.size}`
    if (schema.type === 'record')
      text += `,"fields":[${schema.fields.map((field) => this.#field(field, own)).join(',')}]`
    if (schema.type === 'enum') {
      text += `,"symbols":${JSON.stringify(schema.symbols)}`
      if (schema.default !== undefined && !this.#bare) text += `,"default":${JSON.stringify(schema.default)}`
    }
    text += this.#props(schema.props)
    if (schema.aliases.length > 0 && !this.#bare) {
      text += `,"aliases":${JSON.stringify(schema.aliases.map((alias) => qualified(alias, own)))}`
    }
    return text + '}'
  }

  #field(field: AvroField, namespace: string | undefined): string {
    let text = `{"name":${JSON.stringify(field.name)},"type":${this.schema(field.schema, namespace)}`
    if (this.#bare) return text + '}'
    if (field.doc !== undefined) text += `,"doc":${JSON.stringify(field.doc)}`
    if (field.default !== undefined) text += `,"default":${jsonText(field.default)}`
    if (field.order !== 'ascending') text += `,"order":"${field.order}"`
    if (field.aliases.length > 0) text += `,"aliases":${JSON.stringify(field.aliases)}`
    return `${text}${this.#props(field.props)}}`
  }

  #props(props: ReadonlyMap<string, unknown>): string {
    if (this.#bare) return ''
    let text = ''
    for (const [name, value] of props) text += `,${JSON.stringify(name)}:${jsonText(value)}`
    return text
  }
}

function jsonText(value: unknown): string {
  return value instanceof ExactFraction ? value.text : stringifyExact(value)
}

/** The simple name where the namespace is the one around, and it is not a type's own name. */
function qualified(name: string, namespace: string | undefined): string {
  const own = namespaceOf(name)
  const simple = simpleNameOf(name)
  return own !== undefined && own === namespace && !typeNames.has(simple) ? simple : name
}
