/**
 * Values with a schema to JSON text. A schema is compiled once into nested functions, so that writing a record looks
 * nothing up and asks nothing about its schema again.
 */
import { DataError, Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { encodeUnscaled } from './decimal-bytes.ts'
import { stringifyExact } from '../json/exact-json.ts'
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
    if (whenNull !== undefined) return whenNull
    throw new DataError(`${path} is null, but required and without a default`)
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
  return (value) =>
    typeof value === 'number' && Number.isInteger(value) && value <= max && value >= -max - 1
      ? String(value)
      : mismatch(path, type, value)
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
  return (value) => (Array.isArray(value) ? `[${value.map(item).join(',')}]` : mismatch(path, 'array', value))
}

function mapWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const keys = schema.keys ?? { type: 'string' }
  const writeKey = compileWriter(keys, options, `${path} key`)
  const writeItem = schema.values === undefined ? schemalessText : compileWriter(schema.values, options, `${path}{}`)
  const asObject = keys.type === 'string' && (options.jsonSchema !== true || keys.optional !== true)
  const [open, separator, close] = options.jsonSchema === true ? ['{"key":', ',"value":', '}'] : ['[', ',', ']']
  return (value) => {
    const entries = mapEntries(value)
    if (entries === undefined) return mismatch(path, 'map', value)
    const parts: string[] = []
    for (const [key, item] of entries) {
      const writtenKey = writeKey(key)
      const written = writeItem(item)
      parts.push(asObject ? `${writtenKey}:${written}` : open + writtenKey + separator + written + close)
    }
    return asObject ? `{${parts.join(',')}}` : `[${parts.join(',')}]`
  }
}

/** A map is a Map; a plain object does as well, where keys are strings. */
function mapEntries(value: unknown): Iterable<readonly [unknown, unknown]> | undefined {
  if (value instanceof Map) return value as Map<unknown, unknown>
  return isPlainObject(value) ? Object.entries(value) : undefined
}

function structWriter(schema: Schema, options: JsonOptions, path: string): Write {
  if (options.jsonSchema === true && isUnion(schema)) return unionWriter(schema, options, path)
  const fields = (schema.fields ?? []).map((field, index) => ({
    prefix: `${index === 0 ? '{' : ','}${quote(field.name)}:`,
    read: propertyReader(field.name),
    name: field.name,
    write: compileWriter(field.schema, options, `${path}.${field.name}`),
  }))
  if (fields.length === 0) return (value) => (isPlainObject(value) ? '{}' : mismatch(path, 'struct', value))
  return (value) => {
    if (!isPlainObject(value)) return mismatch(path, 'struct', value)
    let text = ''
    for (const field of fields) {
      const read = field.read
      text += field.prefix + field.write(read === undefined ? value[field.name] : read(value))
    }
    return text + '}'
  }
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

function mismatch(path: string, expected: string, value: unknown): never {
  const given = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
  throw new DataError(`${path} has to be ${expected}, not ${given}`)
}
