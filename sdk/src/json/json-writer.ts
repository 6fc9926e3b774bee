/**
 * Values with a schema to JSON. A schema is compiled once into nested functions, so that writing a record looks
 * nothing up and asks nothing about its schema again.
 */
import { DataError } from '../errors.ts'
import { Decimal, logicalNames, type Field, type Schema } from '../schema.ts'
import { encodeUnscaled } from '../values/decimal-bytes.ts'
import { floatText } from '../values/java-number-text.ts'
import { decimalText } from '../values/java-text.ts'
import type { JsonOptions } from './json-options.ts'
import { JsonOutput } from './json-output.ts'
import { schemalessWriter } from './json-schemaless.ts'
import { quote } from './json-text.ts'
import { isUnion } from './unions.ts'
import { propertyReader } from '../values/property.ts'

const openingBracket = 0x5b
const closingBracket = 0x5d
const openingBrace = 0x7b
const closingBrace = 0x7d
const comma = 0x2c

/** Writes one value. @throws DataError where it is not of the schema; part of it may be written then */
type Write = (output: JsonOutput, value: unknown) => void

/**
 * A function that writes values of the schema, or any value where there is none, as JsonConverter does with
 * schemas.enable=false. Make it once a schema.
 */
export function jsonWriter(schema: Schema | undefined, options: JsonOptions): Write {
  return schema === undefined ? schemalessWriter() : compileWriter(schema, options, 'value')
}

/** All messages of the thread come out of here, one after the other, so that they share its blocks. */
const messages = new JsonOutput()

/**
 * A function from a value of the schema, or of any value where there is none, to a message: the header, the value's JSON,
 * and the suffix.
 */
export function jsonMessageWriter(
  schema: Schema | undefined,
  options: JsonOptions,
  suffix = '',
): (header: Uint8Array, value: unknown) => Buffer {
  const write = jsonWriter(schema, options)
  const end = Buffer.from(suffix)
  return (header, value) => {
    messages.begin()
    messages.bytes(header)
    write(messages, value)
    messages.bytes(end)
    return messages.take()
  }
}

/** The JSON text of a schema's default. @throws DataError where it is not of the schema */
export function defaultText(schema: Schema, options: JsonOptions): string {
  return textOf(compileNonNull(schema, options, 'default'), schema.default)
}

/** A function that writes values of the schema. `path` names the value in errors. */
function compileWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const write = compileNonNull(schema, options, path)
  const whenNull = writtenNull(schema, options, write)
  return (output, value) => {
    if (value !== null && value !== undefined) write(output, value)
    else output.bytes(whenNull ?? missing(path))
  }
}

const nullText = Buffer.from('null')

/** What a null is written as; undefined where there must be none. */
function writtenNull(schema: Schema, options: JsonOptions, write: Write): Uint8Array | undefined {
  if (schema.default != null && options.replaceNullWithDefault) return Buffer.from(textOf(write, schema.default))
  return schema.optional === true ? nullText : undefined
}

function textOf(write: Write, value: unknown): string {
  messages.begin()
  write(messages, value)
  return messages.take().toString()
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
      return float32Writer(path)
    case 'float64':
      return float64Writer(path)
    case 'boolean':
      return booleanWriter(path)
    case 'string':
      return (output, value) => {
        if (typeof value !== 'string') mismatch(path, 'string', value)
        output.quoted(value)
      }
    case 'bytes':
      return (output, value) => {
        if (!(value instanceof Uint8Array)) mismatch(path, 'bytes', value)
        output.base64(value)
      }
    case 'array':
      return arrayWriter(schema, options, path)
    case 'map':
      return mapWriter(schema, options, path)
    case 'struct':
      return structWriter(schema, options, path)
  }
}

function intWriter(path: string, type: string, max: number): Write {
  return (output, value) => {
    if (!isSafeInteger(value) || value > max || value < -max - 1) mismatch(path, type, value)
    output.integer(value)
  }
}

/** Number.isSafeInteger, whose declaration says nothing of the type. */
const isSafeInteger = Number.isSafeInteger as (value: unknown) => value is number

const minInt64 = -(2n ** 63n)
const maxInt64 = 2n ** 63n - 1n

function int64Writer(path: string): Write {
  return (output, value) => {
    if (isSafeInteger(value)) output.integer(value)
    else if (typeof value === 'bigint' && value >= minInt64 && value <= maxInt64) output.ascii(value.toString())
    else mismatch(path, 'int64', value)
  }
}

function float64Writer(path: string): Write {
  return (output, value) => {
    if (typeof value !== 'number') mismatch(path, 'float64', value)
    if (Number.isFinite(value)) output.double(value)
    else output.quoted(String(value))
  }
}

function float32Writer(path: string): Write {
  return (output, value) => {
    if (typeof value !== 'number') mismatch(path, 'float32', value)
    const single = Math.fround(value)
    if (Number.isFinite(single)) output.ascii(floatText(single))
    else output.quoted(String(single))
  }
}

function booleanWriter(path: string): Write {
  return (output, value) => {
    if (typeof value !== 'boolean') mismatch(path, 'boolean', value)
    output.ascii(value ? 'true' : 'false')
  }
}

function decimalWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const scale = Number(schema.parameters?.['scale'])
  const numeric = options.decimalFormat === 'NUMERIC'
  return (output, value) => {
    if (!(value instanceof Decimal)) mismatch(path, 'Decimal', value)
    if (numeric) {
      output.ascii(decimalText(value))
      return
    }
    if (value.scale !== scale) {
      throw new DataError(`${path} has scale ${value.scale}, but its schema says ${scale}`)
    }
    output.base64(encodeUnscaled(value.unscaled))
  }
}

function arrayWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const writeItem =
    schema.values === undefined ? schemalessWriter() : compileWriter(schema.values, options, `${path}[]`)
  return (output, value) => {
    if (!Array.isArray(value)) mismatch(path, 'array', value)
    output.byte(openingBracket)
    for (let index = 0; index < value.length; index++) {
      if (index > 0) output.byte(comma)
      writeItem(output, value[index])
    }
    output.byte(closingBracket)
  }
}

function mapWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const keys = schema.keys ?? { type: 'string' }
  const writeKey = compileWriter(keys, options, `${path} key`)
  const writeItem =
    schema.values === undefined ? schemalessWriter() : compileWriter(schema.values, options, `${path}{}`)
  const asObject = keys.type === 'string' && (options.jsonSchema !== true || keys.optional !== true)
  const [open, between, close] = asObject
    ? ['', ':', '']
    : options.jsonSchema === true
      ? ['{"key":', ',"value":', '}']
      : ['[', ',', ']']
  return (output, value) => {
    const entries = mapEntries(value)
    if (entries === undefined) mismatch(path, 'map', value)
    output.byte(asObject ? openingBrace : openingBracket)
    let isFirst = true
    for (const [key, item] of entries) {
      if (!isFirst) output.byte(comma)
      isFirst = false
      output.ascii(open)
      writeKey(output, key)
      output.ascii(between)
      writeItem(output, item)
      output.ascii(close)
    }
    output.byte(asObject ? closingBrace : closingBracket)
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
  return (output, value) => {
    if (!isPlainObject(value)) mismatch(path, 'struct', value)
    if (fields.length === 0) output.byte(openingBrace)
    for (const { name, read, prefix, write, whenNull, path: fieldPath } of fields) {
      const part = read === undefined ? value[name] : read(value)
      output.bytes(prefix)
      if (part !== null && part !== undefined) write(output, part)
      else output.bytes(whenNull ?? missing(fieldPath))
    }
    output.byte(closingBrace)
  }
}

interface FieldWriter {
  readonly name: string
  /** What stands before the value: the name, and what parts it from the field before. */
  readonly prefix: Uint8Array
  readonly read: ((object: Readonly<Record<string, unknown>>) => unknown) | undefined
  readonly write: Write
  readonly whenNull: Uint8Array | undefined
  readonly path: string
}

function fieldWriter({ name, schema }: Field, index: number, options: JsonOptions, path: string): FieldWriter {
  const fieldPath = `${path}.${name}`
  const write = compileNonNull(schema, options, fieldPath)
  return {
    name,
    prefix: Buffer.from(`${index === 0 ? '{' : ','}${quote(name)}:`),
    read: propertyReader(name),
    write,
    whenNull: writtenNull(schema, options, write),
    path: fieldPath,
  }
}

/** Of a struct that stands for a union: the value of the field that is set. */
function unionWriter(schema: Schema, options: JsonOptions, path: string): Write {
  const branches = (schema.fields ?? []).map((field) => ({
    name: field.name,
    write: compileWriter(field.schema, options, `${path}.${field.name}`),
  }))
  return (output, value) => {
    if (!isPlainObject(value)) mismatch(path, 'struct', value)
    for (const { name, write } of branches) {
      const branch = value[name]
      if (branch === null || branch === undefined) continue
      write(output, branch)
      return
    }
    if (schema.optional !== true) throw new DataError(`${path} has none of the values of its union`)
    output.bytes(nullText)
  }
}

function isPlainObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function missing(path: string): never {
  throw new DataError(`${path} is null, but required and without a default`)
}

function mismatch(path: string, expected: string, value: unknown): never {
  const given = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
  throw new DataError(`${path} has to be ${expected}, not ${given}`)
}
