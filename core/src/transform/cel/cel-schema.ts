/**
 * The schema of what an expression gives for records that have one. It is derived from the expression and the schemas of
 * what it names: a field has its own, `{…}` is a struct, a comparison a boolean, whole numbers int64, others float64. Where
 * it cannot be told, that is said, and the schema is to be given: none is lost without a word.
 */
import { DataError, logicalNames, schema as schemas, type Schema } from '@tidewire/sdk'
import type { ASTNode } from '@marcbachmann/cel-js'
import { structOf } from '../derived-schema.ts'

/** By the name of a variable. Null: it is null. */
export type Types = ReadonlyMap<string, Schema | undefined>

const boolean = schemas.boolean()
const string = schemas.string()
const int64 = schemas.int64()
const float64 = schemas.float64()
const timestamp = schemas.timestamp()

/** What the variables are that are not the record's key and value. */
export const variableTypes: readonly (readonly [string, Schema])[] = [
  ['topic', string],
  ['partition', schemas.int32({ optional: true })],
  ['offset', schemas.int64({ optional: true })],
  ['timestamp', schemas.timestamp({ optional: true })],
]

/** A literal null, whose type is that of what stands beside it. */
const nothing: Schema = { type: 'string', optional: true, name: 'null' }

const ofCalls: Readonly<Record<string, Schema>> = {
  size: int64,
  int: int64,
  double: float64,
  string,
  bool: boolean,
  bytes: schemas.bytes(),
  timestamp,
  fromMillis: timestamp,
  startsWith: boolean,
  endsWith: boolean,
  contains: boolean,
  matches: boolean,
  foundIn: boolean,
  has: boolean,
  all: boolean,
  exists: boolean,
  exists_one: boolean,
  hasValue: boolean,
  lowerAscii: string,
  upperAscii: string,
  trim: string,
  substring: string,
  join: string,
  hex: string,
  base64: string,
  indexOf: int64,
  lastIndexOf: int64,
  at: int64,
  split: schemas.array(string),
}

/** @throws DataError where it cannot be told */
export function schemaOf(node: ASTNode, types: Types): Schema {
  const found = typeOf(node, types)
  if (found === nothing) throw cannotTell(node)
  return found
}

function cannotTell({ input, range }: ASTNode): DataError {
  const part = input.slice(range.start, range.end)
  return new DataError(
    `the schema of what ${part} gives cannot be told: write int(), double(), string() or decimal() around it, or give the schema`,
  )
}

function typeOf(node: ASTNode, types: Types): Schema {
  switch (node.op) {
    case 'value':
      return literal(node.args)
    case 'id': {
      const found = types.get(node.args)
      if (found === undefined) throw cannotTell(node)
      return found
    }
    case '.':
      return member(typeOf(node.args[0], types), node.args[1], node)
    case '[]':
    case '[?]':
      return indexed(typeOf(node.args[0], types), node.args[1], node)
    case '.?':
      return optional(member(typeOf(node.args[0], types), node.args[1], node))
    case '?:':
      return either(typeOf(node.args[1], types), typeOf(node.args[2], types), node)
    case 'list':
      return schemas.array(optionalOf(node.args, types, node))
    case 'map':
      return struct(node.args, types)
    case 'call':
      return ofCall(node.args[0], node.args[1], undefined, types, node)
    case 'rcall':
      return ofCall(node.args[0], node.args[2], node.args[1], types, node)
    case '-_':
      return arithmetic('-', typeOf(node.args, types), int64, node)
    case '+':
    case '-':
    case '*':
    case '/':
    case '%':
      return arithmetic(node.op, typeOf(node.args[0], types), typeOf(node.args[1], types), node)
    default:
      // Comparisons, `in` and what joins them.
      return boolean
  }
}

function literal(value: unknown): Schema {
  if (value === null) return nothing
  switch (typeof value) {
    case 'string':
      return string
    case 'boolean':
      return boolean
    case 'number':
      return float64
    case 'bigint':
      return int64
    default:
      return value instanceof Uint8Array ? schemas.bytes() : int64
  }
}

function member(of: Schema, name: string, node: ASTNode): Schema {
  if (of.type === 'map' && of.values !== undefined) return of.values
  const field = of.fields?.find((each) => each.name === name)
  if (field !== undefined) return field.schema
  if (of.type === 'struct') throw new DataError(`there is no field ${name}`)
  throw cannotTell(node)
}

function indexed(of: Schema, index: ASTNode, node: ASTNode): Schema {
  if (index.op === 'value' && typeof index.args === 'string') return member(of, index.args, node)
  if (of.values === undefined) throw cannotTell(node)
  return of.values
}

function optional(of: Schema): Schema {
  return of.optional === true ? of : { ...of, optional: true }
}

/** What both are; of whole numbers and others the wider. */
function either(a: Schema, b: Schema, node: ASTNode): Schema {
  if (a === nothing) return b === nothing ? nothing : optional(b)
  if (b === nothing) return optional(a)
  if (a === b) return a
  const isOptional = a.optional === true || b.optional === true
  if (isNumber(a) && isNumber(b)) {
    const wider = isWhole(a) && isWhole(b) ? int64 : float64
    return isOptional ? optional(a.type === b.type ? a : wider) : a.type === b.type ? a : wider
  }
  if (a.type !== b.type || a.name !== b.name || a.type === 'struct') {
    if (JSON.stringify(a) === JSON.stringify(b)) return a
    throw cannotTell(node)
  }
  return isOptional ? optional(a) : a
}

function optionalOf(items: readonly ASTNode[], types: Types, node: ASTNode): Schema {
  if (items.length === 0) throw cannotTell(node)
  return items.map((item) => typeOf(item, types)).reduce((a, b) => either(a, b, node))
}

function struct(entries: readonly (readonly [ASTNode, ASTNode])[], types: Types): Schema {
  const fields = entries.map(([name, value]) => {
    if (name.op !== 'value' || typeof name.args !== 'string') throw cannotTell(name)
    return { name: name.args, schema: schemaOf(value, types) }
  })
  return structOf(fields, 'an expression')
}

const wholeTypes: ReadonlySet<string> = new Set(['int8', 'int16', 'int32', 'int64'])
const isWhole = (of: Schema): boolean => wholeTypes.has(of.type)
const isNumber = (of: Schema): boolean => isWhole(of) || of.type === 'float32' || of.type === 'float64'
const isDecimal = (of: Schema): boolean => of.name === logicalNames.decimal
const scaleOf = (of: Schema): number => Number(of.parameters?.['scale'] ?? 0)

function arithmetic(op: string, a: Schema, b: Schema, node: ASTNode): Schema {
  if (isDecimal(a) && isDecimal(b)) {
    return schemas.decimal(op === '*' ? scaleOf(a) + scaleOf(b) : Math.max(scaleOf(a), scaleOf(b)))
  }
  if (isNumber(a) && isNumber(b)) return op !== '/' && isWhole(a) && isWhole(b) ? int64 : float64
  if (op === '+' && a.type === b.type && a.name === undefined && ['string', 'bytes', 'array'].includes(a.type)) {
    return a.type === 'string' ? string : a.type === 'bytes' ? schemas.bytes() : a
  }
  throw cannotTell(node)
}

/** The type of a call: of a loop over a list that of what it makes. */
function ofCall(
  name: string,
  args: readonly ASTNode[],
  receiver: ASTNode | undefined,
  types: Types,
  node: ASTNode,
): Schema {
  if (name === 'decimal') return ofDecimal(args[0], types, node)
  if (name === 'dyn' && args.length === 1) return typeOf(args[0]!, types)
  if (receiver === undefined) return ofCalls[name] ?? unknownCall(node)
  if (name === 'bind') return typeOf(args[2]!, named(types, args[0]!, typeOf(args[1]!, types)))
  if (name === 'filter') return typeOf(receiver, types)
  if (name === 'map') return schemas.array(typeOf(args.at(-1)!, named(types, args[0]!, itemOf(receiver, types))))
  if (name === 'orValue') return orValue(typeOf(receiver, types), typeOf(args[0]!, types), node)
  if (name === 'value') return typeOf(receiver, types)
  if (/^get[A-Z]/.test(name)) return int64
  return ofCalls[name] ?? unknownCall(node)
}

function unknownCall(node: ASTNode): never {
  throw cannotTell(node)
}

function itemOf(list: ASTNode, types: Types): Schema {
  const of = typeOf(list, types)
  if (of.type === 'map' && of.keys !== undefined) return of.keys
  if (of.type === 'struct') return string
  if (of.values === undefined) throw cannotTell(list)
  return of.values
}

function named(types: Types, name: ASTNode, type: Schema): Types {
  return new Map([...types, [name.args as string, type]])
}

function orValue(of: Schema, fallback: Schema, node: ASTNode): Schema {
  if (fallback === nothing) return optional(of)
  const { optional: isOptional, ...required } = of
  return either(isOptional === true ? required : of, fallback, node)
}

/** A text's digits tell its scale. */
function ofDecimal(arg: ASTNode | undefined, types: Types, node: ASTNode): Schema {
  if (arg?.op === 'value' && typeof arg.args === 'string') {
    return schemas.decimal(/\.(\d*)/.exec(arg.args)?.[1]?.length ?? 0)
  }
  const of = arg && typeOf(arg, types)
  if (of !== undefined && isDecimal(of)) return of
  if (of !== undefined && isWhole(of)) return schemas.decimal(0)
  throw cannotTell(node)
}
