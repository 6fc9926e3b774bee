/**
 * Values with a schema to JSON text. A schema is compiled once into nested functions, so that writing a record looks
 * nothing up and asks nothing about its schema again.
 */
import { DataError, Decimal, logicalNames, type Field, type Schema } from '@tidewire/sdk'
import { encodeUnscaled } from './decimal-bytes.ts'
import { stringifyExact } from '../json/exact-json.ts'
import { isPlainFraction } from '../json/java-number-text.ts'
import { decimalText, doubleText, floatText } from './java-text.ts'
import type { JsonOptions } from './json-options.ts'
import { asJackson, quote } from './json-text.ts'
import { isUnion } from './json-schema/names.ts'
import { propertyReader } from './property.ts'

type Write = (value: unknown) => string

/** A function from a value of the schema to its JSON text. `path` names the value in errors. */
export function compileWriter(schema: Schema, options: JsonOptions, path = 'value'): Write {
  const write = compileNonNull(schema, options, path)
  const whenNull = nullText(schema, options, write)
  return (value) => {
    if (value !== null && value !== undefined) return write(value)
    return whenNull ?? missing(path)
  }
}

function nullText(schema: Schema, options: JsonOptions, write: Write): string | undefined {
  if (schema.default != null && options.replaceNullWithDefault) return write(schema.default)
  return schema.optional === true ? 'null' : undefined
}

function compileNonNull(schema: Schema, options: JsonOptions, path: string): Write {
  if (schema.name === logicalNames.decimal) return decimalWriter(schema, options, path)
  switch (schema.type) {
    case 'int8':
      return intWriter(path, schema.type, 0x7f)
    case 'int16':
      return intWriter(path, schema.type, 0x7fff)
    case 'int32':
      return intWriter(path, schema.type, 0x7fffffff)
    case 'int64':
      return int64Writer(path)
    case 'float32':
      return floatWriter(path, schema.type, floatText)
    case 'float64':
      return floatWriter(path, schema.type, doubleText)
    case 'boolean':
      return (value) => (typeof value === 'boolean' ? String(value) : mismatch(path, schema.type, value))
    case 'string':
      return (value) => (typeof value === 'string' ? quote(value) : mismatch(path, schema.type, value))
    case 'bytes':
      return (value) => (value instanceof Uint8Array ? `"${base64(value)}"` : mismatch(path, schema.type, value))
    case 'array':
      return arrayWriter(schema, options, path)
    case 'map':
      return mapWriter(schema, options, path)
    case 'struct':
      return structWriter(schema, options, path)
  }
}

function intWriter(path: string, type: string, max: number): Write {
  return (value) => (isIntWithin(value, max) ? String(value) : mismatch(path, type, value))
}

function isIntWithin(value: unknown, max: number): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value <= max && value >= -max - 1
}

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

function int64Writer(path: string): Write {
  return (value) => {
    if (Number.isSafeInteger(value)) return String(value)
    if (typeof value === 'bigint' && value >= minInt64 && value <= maxInt64) return value.toString()
    return mismatch(path, 'int64', value)
  }
}

function floatWriter(path: string, type: string, text: (value: number) => string): Write {
  return (value) => {
    if (typeof value !== 'number') return mismatch(path, type, value)
    return Number.isFinite(value) ? text(value) : `"${text(value)}"`
  }
}

function decimalWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const scale = Number(schema.parameters?.['scale'])
  const numeric = options.decimalFormat === 'NUMERIC'
  return (value) => {
    if (!(value instanceof Decimal)) return mismatch(path, 'Decimal', value)
    if (numeric) return decimalText(value)
    if (value.scale !== scale) {
      throw new DataError(`${path} has scale ${value.scale}, but its schema says ${scale}`)
    }
    return `"${encodeUnscaled(value.unscaled).toString('base64')}"`
  }
}

function arrayWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const item = schema.values === undefined ? schemalessText : compileWriter(schema.values, options, `${path}[]`)
  return (value) => {
    if (!Array.isArray(value)) return mismatch(path, 'array', value)
    if (value.length === 0) return '[]'
    let text = '[' + item(value[0])
    for (let i = 1; i < value.length; i++) text += ',' + item(value[i])
    return text + ']'
  }
}

function mapWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const keys = schema.keys ?? { type: 'string' }
  const writeKey = compileWriter(keys, options, `${path} key`)
  const writeItem = schema.values === undefined ? schemalessText : compileWriter(schema.values, options, `${path}{}`)
  const asObject = keys.type === 'string' && (options.jsonSchema !== true || keys.optional !== true)
  const [open, separator, close] = asObject
    ? ['', ':', '']
    : options.jsonSchema === true
      ? ['{"key":', ',"value":', '}']
      : ['[', ',', ']']
  return (value) => {
    const entries = mapEntries(value)
    if (entries === undefined) return mismatch(path, 'map', value)
    let text = ''
    for (const [key, item] of entries) {
      if (text !== '') text += ','
      text += open + writeKey(key) + separator + writeItem(item) + close
    }
    return asObject ? `{${text}}` : `[${text}]`
  }
}

/** A map is a Map; a plain object does as well, where keys are strings. */
function mapEntries(value: unknown): Iterable<readonly [unknown, unknown]> | undefined {
  if (value instanceof Map) return value as Map<unknown, unknown>
  return isPlainObject(value) ? Object.entries(value) : undefined
}

function structWriter(schema: Schema, options: JsonOptions, path: string): Write {
  if (options.jsonSchema === true && isUnion(schema)) return unionWriter(schema, options, path)
  const fields = (schema.fields ?? []).map((field, index) => fieldWriter(field, index, options, path))
  if (fields.length === 0) return (value) => (isPlainObject(value) ? '{}' : mismatch(path, 'struct', value))
  const native = fields.every((field) => field.max !== undefined && field.read === undefined)
  return (value) => {
    if (!isPlainObject(value)) return mismatch(path, 'struct', value)
    return native && isNative(fields, value) ? asJackson(JSON.stringify(value)) : byName(fields, value)
  }
}

interface FieldWriter {
  readonly name: string
  /** What stands before the value: the name, and what parts it from the field before. */
  readonly prefix: string
  readonly read: ((object: Readonly<Record<string, unknown>>) => unknown) | undefined
  readonly write: Write
  readonly whenNull: string | undefined
  readonly type: string
  /** The largest integer that JSON.stringify writes as it is to be; undefined where it writes none of the type's values. */
  readonly max: number | undefined
  readonly path: string
}

function fieldWriter({ name, schema }: Field, index: number, options: JsonOptions, path: string): FieldWriter {
  const fieldPath = `${path}.${name}`
  const write = compileNonNull(schema, options, fieldPath)
  return {
    name,
    prefix: `${index === 0 ? '{' : ','}${quote(name)}:`,
    read: propertyReader(name),
    write,
    whenNull: nullText(schema, options, write),
    type: schema.type,
    max: schema.name === logicalNames.decimal ? undefined : nativeTypes.get(schema.type),
    path: fieldPath,
  }
}

/**
 * Types whose values JSON.stringify, twice as fast, mostly writes as Kafka Connect does; with the largest of
 * integers, and -1 for what is no integer.
 */
const nativeTypes: ReadonlyMap<string, number> = new Map([
  ['string', -1],
  ['boolean', -1],
  ['float64', -1],
  ['int8', 0x7f],
  ['int16', 0x7fff],
  ['int32', 0x7fffffff],
  ['int64', Number.MAX_SAFE_INTEGER],
])

/** Whether a value has just the schema's fields, in its order, each of them native. */
function isNative(fields: readonly FieldWriter[], value: Readonly<Record<string, unknown>>): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  let index = 0
  for (const name in value) {
    const field = fields[index++]
    if (field?.name !== name) return false
    const given = value[name]
    // Not by a function of each type: calls of the engine's choosing among several cost more than all the rest here.
    switch (typeof given) {
      case 'string':
        if (field.type !== 'string') return false
        break
      case 'number':
        if (field.type === 'float64' ? !isPlainFraction(given) : !isIntWithin(given, field.max!)) return false
        break
      case 'boolean':
        if (field.type !== 'boolean') return false
        break
      default:
        if (given !== null || field.whenNull !== 'null') return false
    }
  }
  return index === fields.length
}

function byName(fields: readonly FieldWriter[], value: Readonly<Record<string, unknown>>): string {
  let text = ''
  for (const field of fields) {
    text += writeField(field, field.read === undefined ? value[field.name] : field.read(value))
  }
  return text + '}'
}

function writeField(field: FieldWriter, value: unknown): string {
  if (value !== null && value !== undefined) return field.prefix + field.write(value)
  return field.prefix + (field.whenNull ?? missing(field.path))
}

/** Of a struct that stands for a union: the value of the field that is set. */
function unionWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const branches = (schema.fields ?? []).map((field) => ({
    name: field.name,
    write: compileWriter(field.schema, options, `${path}.${field.name}`),
  }))
  return (value) => {
    if (!isPlainObject(value)) return mismatch(path, 'struct', value)
    for (const { name, write } of branches) {
      const branch = value[name]
      if (branch !== null && branch !== undefined) return write(branch)
    }
    if (schema.optional === true) return 'null'
    throw new DataError(`${path} has none of the values of its union`)
  }
}

/** JSON text of a value without a schema. */
export function schemalessText(value: unknown): string {
  return value === null || value === undefined ? 'null' : asJackson(stringifyExact(value))
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64')
}

function missing(path: string): never {
  throw new DataError(`${path} is null, but required and without a default`)
}

function mismatch(path: string, expected: string, value: unknown): never {
  const given = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
  throw new DataError(`${path} has to be ${expected}, not ${given}`)
}
