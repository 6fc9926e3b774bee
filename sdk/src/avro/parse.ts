/**
 * Avro schema texts to trees (Apache Avro specification 1.12). What Avro's Java implementation takes is taken, what it
 * refuses is refused: names by Unicode letters, invalid logical types passed over, unknown properties kept.
 */
import { ExactFraction, parseExact } from '../json/exact-json.ts'
import { isValidDefault } from './default-value.ts'
import { logicalTypeOf } from './logical-type.ts'
import {
  branchName,
  namespaceOf,
  type AvroEnum,
  type AvroField,
  type AvroFixed,
  type AvroNamed,
  type AvroPrimitive,
  type AvroRecord,
  type AvroSchema,
  type AvroUnion,
} from './schema.ts'

/** A text is no Avro schema. */
export class InvalidAvroError extends Error {
  override readonly name = 'InvalidAvroError'
}

/** An Avro schema, read from its text. */
export interface ParsedAvro {
  readonly schema: AvroSchema
  /** Every named type that is known after the text has been read: its own, and those given with it. */
  readonly names: ReadonlyMap<string, AvroNamed>
}

interface ParseOptions {
  /** Named types that the text may refer to, by full name: the `names` of the texts parsed before it. */
  readonly names?: ReadonlyMap<string, AvroNamed>
  /** Whether a field's default must be of its type. True by default; what others have registered may be older than this rule. */
  readonly validateDefaults?: boolean
}

/**
 * Parses the text of a schema.
 * @throws InvalidAvroError that begins with the place of the fault: `$.fields[2].type: …`
 */
export function parseAvro(text: string, options: ParseOptions = {}): ParsedAvro {
  let json: unknown
  try {
    json = parseExact(text, 'texts')
  } catch (cause) {
    // Deep nesting overflows the parser's stack, and that is a RangeError.
    const problem = cause instanceof SyntaxError ? `not JSON: ${cause.message}` : 'nested too deeply'
    throw new InvalidAvroError(problem, { cause })
  }
  const parser = new AvroParser(new Map(options.names), options.validateDefaults ?? true)
  return { schema: parser.parse(json, { namespace: undefined, path: '$', depth: 0 }), names: parser.names }
}

/** More than any schema that people write; bounds the recursion of everything that walks a tree. */
const maxDepth = 200

const primitives: ReadonlyMap<string, AvroPrimitive> = new Map(
  (['null', 'boolean', 'int', 'long', 'float', 'double', 'bytes', 'string'] as const).map((type) => [
    type,
    { type, props: new Map() },
  ]),
)

const nameText = /^[\p{L}_][\p{L}\p{Nd}_]*$/u

const typeReserved = new Set([
  'doc',
  'fields',
  'items',
  'name',
  'namespace',
  'size',
  'symbols',
  'values',
  'type',
  'aliases',
])
const enumReserved = new Set([...typeReserved, 'default'])
const fieldReserved = new Set(['default', 'doc', 'name', 'order', 'type', 'aliases'])

type JsonObject = Readonly<Record<string, unknown>>
type Mutable<T> = { -readonly [K in keyof T]: T[K] }

/** Where in the text, and in which namespace. */
interface Place {
  readonly namespace: string | undefined
  readonly path: string
  readonly depth: number
}

const below = (place: Place, step: string, namespace = place.namespace): Place => ({
  namespace,
  path: place.path + step,
  depth: place.depth + 1,
})

class AvroParser {
  readonly names: Map<string, AvroNamed>
  readonly #validateDefaults: boolean

  constructor(names: Map<string, AvroNamed>, validateDefaults: boolean) {
    this.names = names
    this.#validateDefaults = validateDefaults
  }

  parse(json: unknown, place: Place): AvroSchema {
    if (place.depth > maxDepth) throw fault(place, `nested deeper than ${maxDepth} levels`)
    if (typeof json === 'string') return this.#named(json, place)
    if (Array.isArray(json)) return this.#union(json, place)
    if (!isObject(json)) throw fault(place, 'a schema is a name, an object or an array (a union)')
    const type = json['type']
    if (typeof type !== 'string') throw fault(place, 'the schema has no "type", or it is not a name')
    const primitive = primitives.get(type)
    if (primitive !== undefined) return complete({ type: primitive.type, props: propsOf(json, typeReserved) })
    switch (type) {
      case 'record':
      case 'error':
        return this.#record(json, place)
      case 'enum':
        return this.#enum(json, place)
      case 'fixed':
        return this.#fixed(json, place)
      case 'array':
        if (json['items'] === undefined) throw fault(place, 'an array has no "items"')
        return complete({
          type,
          items: this.parse(json['items'], below(place, '.items')),
          props: propsOf(json, typeReserved),
        })
      case 'map':
        if (json['values'] === undefined) throw fault(place, 'a map has no "values"')
        return complete({
          type,
          values: this.parse(json['values'], below(place, '.values')),
          props: propsOf(json, typeReserved),
        })
      default:
        return this.#named(type, place)
    }
  }

  /** A primitive type, or a named one that has been defined before. */
  #named(name: string, place: Place): AvroSchema {
    const primitive = primitives.get(name)
    if (primitive !== undefined) return primitive
    const known = this.names.get(fullName(name, place.namespace)) ?? this.names.get(name)
    if (known !== undefined) return known
    throw fault(place, `'${fullName(name, place.namespace)}' is no type of Avro's, nor defined before this place`)
  }

  #record(json: JsonObject, place: Place): AvroRecord {
    const fields: AvroField[] = []
    const record: AvroRecord = complete({
      type: 'record',
      ...this.#declaration(json, place),
      isError: json['type'] === 'error',
      fields,
      props: propsOf(json, typeReserved),
    })
    this.#define(record, place)
    if (!Array.isArray(json['fields'])) throw fault(place, `record ${record.name} has no "fields"`)
    const seen = new Set<string>()
    for (const [index, node] of (json['fields'] as unknown[]).entries()) {
      const at = below(place, `.fields[${index}]`, namespaceOf(record.name))
      const field = this.#field(node, at)
      if (seen.has(field.name)) throw fault(at, `record ${record.name} has a field ${field.name} before`)
      seen.add(field.name)
      fields.push(field)
    }
    return record
  }

  #field(json: unknown, place: Place): AvroField {
    if (!isObject(json)) throw fault(place, 'a field is an object')
    const name = json['name']
    if (typeof name !== 'string') throw fault(place, 'a field has no "name"')
    requireName(name, place)
    if (json['type'] === undefined) throw fault(place, `field ${name} has no "type"`)
    const schema = this.parse(json['type'], { ...place, path: `${place.path}.type` })
    const order = typeof json['order'] === 'string' ? json['order'].toLowerCase() : (json['order'] ?? 'ascending')
    if (order !== 'ascending' && order !== 'descending' && order !== 'ignore') {
      throw fault(place, `"order" of field ${name} is ascending, descending or ignore`)
    }
    const fallback = json['default']
    if (fallback !== undefined && this.#validateDefaults && !isValidDefault(schema, fallback)) {
      throw fault(place, `the default ${shown(fallback)} of field ${name} is not of type ${branchName(schema)}`)
    }
    return {
      name,
      schema,
      ...docOf(json),
      aliases: aliasesOf(json, place),
      order,
      ...(fallback === undefined ? {} : { default: fallback }),
      props: propsOf(json, fieldReserved),
    }
  }

  #enum(json: JsonObject, place: Place): AvroEnum {
    const declaration = this.#declaration(json, place)
    const symbols = json['symbols']
    if (!Array.isArray(symbols)) throw fault(place, `enum ${declaration.name} has no "symbols"`)
    const seen = new Set<unknown>()
    for (const symbol of symbols as unknown[]) {
      if (typeof symbol !== 'string') throw fault(place, `enum ${declaration.name}: a symbol is not text`)
      requireName(symbol, place)
      if (seen.has(symbol)) throw fault(place, `enum ${declaration.name} has the symbol ${symbol} twice`)
      seen.add(symbol)
    }
    const fallback = json['default']
    if (fallback !== undefined && !seen.has(fallback)) {
      throw fault(place, `the default ${shown(fallback)} of enum ${declaration.name} is none of its symbols`)
    }
    const schema: AvroEnum = complete({
      type: 'enum',
      ...declaration,
      symbols: symbols as string[],
      ...(fallback === undefined ? {} : { default: fallback as string }),
      props: propsOf(json, enumReserved),
    })
    this.#define(schema, place)
    return schema
  }

  #fixed(json: JsonObject, place: Place): AvroFixed {
    const declaration = this.#declaration(json, place)
    const size = json['size']
    if (typeof size !== 'number' || !Number.isInteger(size) || size < 0 || size > 0x7fffffff) {
      throw fault(place, `fixed ${declaration.name} has no valid "size"`)
    }
    const schema: AvroFixed = complete({ type: 'fixed', ...declaration, size, props: propsOf(json, typeReserved) })
    this.#define(schema, place)
    return schema
  }

  #union(json: readonly unknown[], place: Place): AvroUnion {
    const seen = new Set<string>()
    const branches = json.map((node, index) => {
      const at = below(place, `[${index}]`)
      const branch = this.parse(node, at)
      if (branch.type === 'union') throw fault(at, 'a union directly in a union')
      const name = branchName(branch)
      if (seen.has(name)) throw fault(at, `the union has ${name} twice`)
      seen.add(name)
      return branch
    })
    return { type: 'union', branches }
  }

  #declaration(json: JsonObject, place: Place): { name: string; aliases: readonly string[]; doc?: string } {
    const given = json['name']
    if (typeof given !== 'string') throw fault(place, `the ${String(json['type'])} has no "name"`)
    const namespace = typeof json['namespace'] === 'string' ? json['namespace'] : place.namespace
    const name = fullName(given, namespace)
    requireName(given.slice(given.lastIndexOf('.') + 1), place)
    const own = namespaceOf(name)
    return { name, aliases: aliasesOf(json, place).map((alias) => fullName(alias, own)), ...docOf(json) }
  }

  #define(schema: AvroNamed, place: Place): void {
    if (primitives.has(schema.name)) throw fault(place, `${schema.name} is the name of a primitive type`)
    if (this.names.has(schema.name)) throw fault(place, `${schema.name} is defined twice`)
    this.names.set(schema.name, schema)
  }
}

/** With the logical type that its properties stand for, if they do. */
function complete<S extends Exclude<AvroSchema, AvroUnion>>(schema: S): S {
  const logicalType = logicalTypeOf(schema)
  if (logicalType !== undefined) (schema as Mutable<S>).logicalType = logicalType
  return schema
}

function fullName(name: string, namespace: string | undefined): string {
  if (name.startsWith('.') && name.lastIndexOf('.') === 0) return name.slice(1)
  return name.includes('.') || namespace === undefined || namespace === '' ? name : `${namespace}.${name}`
}

function requireName(name: string, place: Place): void {
  if (!nameText.test(name)) {
    throw fault(place, `${shown(name)} is not a name: letters, digits and _, and no digit at its beginning`)
  }
}

function propsOf(json: JsonObject, reserved: ReadonlySet<string>): ReadonlyMap<string, unknown> {
  const props = new Map<string, unknown>()
  for (const [name, value] of Object.entries(json)) if (!reserved.has(name)) props.set(name, value)
  return props
}

function aliasesOf(json: JsonObject, place: Place): readonly string[] {
  const aliases = json['aliases']
  if (aliases === undefined) return []
  if (!Array.isArray(aliases) || !aliases.every((alias) => typeof alias === 'string')) {
    throw fault(place, '"aliases" is not an array of names')
  }
  return [...new Set(aliases)]
}

const docOf = (json: JsonObject): { doc?: string } => (typeof json['doc'] === 'string' ? { doc: json['doc'] } : {})

function isObject(json: unknown): json is JsonObject {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof ExactFraction)
}

/** Enough of a JSON value to recognise it by. */
function shown(json: unknown): string {
  const text = typeof json === 'bigint' ? String(json) : JSON.stringify(json)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

function fault(place: Place, problem: string): InvalidAvroError {
  return new InvalidAvroError(`${place.path}: ${problem}`)
}
