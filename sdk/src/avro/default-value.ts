import { ExactFraction } from '../json/exact-json.ts'
import type { AvroSchema } from './schema.ts'

/** Deeper values than any schema's author writes are refused rather than followed. */
const maxDepth = 200

/**
 * Whether a JSON value can be the default of a field of this type. Of a union it may be of any branch: the specification
 * says the first, but Avro's Java implementation, which is the one that registries use, takes any.
 */
export function isValidDefault(schema: AvroSchema, json: unknown): boolean {
  // The one place where text stands for a number: JSON has no NaN.
  if ((schema.type === 'float' || schema.type === 'double') && typeof json === 'string') return isJavaDouble(json)
  return new DefaultCheck().isValid(schema, json, 0)
}

class DefaultCheck {
  /** What is known of a part of the value: branches of unions may lead to the same type many times over. */
  readonly #known = new Map<object, Map<AvroSchema, boolean>>()

  isValid(schema: AvroSchema, json: unknown, depth: number): boolean {
    if (typeof json !== 'object' || json === null) return isValidScalar(schema, json)
    if (depth > maxDepth) return false
    let known = this.#known.get(json)
    if (known === undefined) this.#known.set(json, (known = new Map<AvroSchema, boolean>()))
    let valid = known.get(schema)
    if (valid === undefined) known.set(schema, (valid = this.#isValidPart(schema, json, depth + 1)))
    return valid
  }

  #isValidPart(schema: AvroSchema, json: object, depth: number): boolean {
    if (schema.type === 'union') return schema.branches.some((branch) => this.isValid(branch, json, depth))
    if (json instanceof ExactFraction) return schema.type === 'float' || schema.type === 'double'
    if (Array.isArray(json)) {
      return schema.type === 'array' && json.every((item) => this.isValid(schema.items, item, depth))
    }
    const values = json as Readonly<Record<string, unknown>>
    if (schema.type === 'map') return Object.values(values).every((item) => this.isValid(schema.values, item, depth))
    if (schema.type !== 'record') return false
    return schema.fields.every((field) =>
      Object.hasOwn(values, field.name)
        ? this.isValid(field.schema, values[field.name], depth)
        : // Found valid where the field was defined.
          field.default !== undefined,
    )
  }
}

function isValidScalar(schema: AvroSchema, json: unknown): boolean {
  switch (schema.type) {
    case 'null':
      return json === null
    case 'boolean':
      return typeof json === 'boolean'
    case 'int':
      return typeof json === 'number' && Number.isInteger(json) && json >= -0x80000000 && json <= 0x7fffffff
    case 'long':
      return Number.isSafeInteger(json) || (typeof json === 'bigint' && BigInt.asIntN(64, json) === json)
    case 'float':
    case 'double':
      return typeof json === 'number' || typeof json === 'bigint'
    case 'string':
    case 'bytes':
    case 'enum':
    case 'fixed':
      return typeof json === 'string'
    case 'union':
      return schema.branches.some((branch) => isValidScalar(branch, json))
    default:
      return false
  }
}

/** Text that Double.parseDouble takes, such as `NaN`. */
function isJavaDouble(text: string): boolean {
  return /^\s*[+-]?(?:NaN|Infinity|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?[fFdD]?)\s*$/.test(text)
}
