/**
 * Parsed JSON to values of a schema. Compiled once a schema, as the writer is. What JSON.parse gave is taken over in
 * place where it is already the value: for most fields nothing is copied.
 */
import { DataError } from '../errors.ts'
import { Decimal, logicalNames, type Schema } from '../schema.ts'
import { decodeUnscaled, rescale } from '../values/decimal-bytes.ts'
import { ExactFraction } from './exact-json.ts'
import type { JsonOptions } from './json-options.ts'
import { isUnion } from './unions.ts'
import { unionReader } from './union-reader.ts'
import { propertyReader, setProperty } from '../values/property.ts'

type Read = (json: unknown) => unknown

/** A function from parsed JSON to the schema's value. `path` names the value in errors. */
export function jsonReader(schema: Schema, options: JsonOptions, path = 'value'): Read {
  const read = compileNonNull(schema, options, path)
  const fallback = schema.default != null && options.replaceNullWithDefault ? schema.default : null
  const nullable = fallback !== null || schema.optional === true
  return (json) => {
    if (json !== null && json !== undefined) return read(json)
    if (nullable || (json === undefined && options.jsonSchema === true)) return fallback
    throw new DataError(`${path} is null, but required and without a default`)
  }
}

/** Whether numbers of more digits than a float64 holds matter to values of this schema. */
export function hasDecimals(schema: Schema): boolean {
  if (schema.name === logicalNames.decimal) return true
  const parts = [schema.keys, schema.values, ...(schema.fields ?? []).map((field) => field.schema)]
  return parts.some((part) => part !== undefined && hasDecimals(part))
}

function compileNonNull(schema: Schema, options: JsonOptions, path: string): Read {
  if (schema.name === logicalNames.decimal) return decimalReader(schema, path)
  switch (schema.type) {
    case 'int8':
      return intReader(path, schema.type, 0x7f)
    case 'int16':
      return intReader(path, schema.type, 0x7fff)
    case 'int32':
      return intReader(path, schema.type, 0x7fffffff)
    case 'int64':
      return (json) => (Number.isSafeInteger(json) || isInt64(json) ? json : mismatch(path, schema.type, json))
    case 'float32':
      return (json) => Math.fround(readFloat(path, schema.type, json))
    case 'float64':
      return (json) => readFloat(path, schema.type, json)
    case 'boolean':
      return (json) => (typeof json === 'boolean' ? json : mismatch(path, schema.type, json))
    case 'string':
      // A JSON Schema's enum may be of numbers.
      if (options.jsonSchema === true) return (json) => readText(path, json)
      return (json) => (typeof json === 'string' ? json : mismatch(path, schema.type, json))
    case 'bytes':
      return (json) => readBytes(path, json)
    case 'array':
      return arrayReader(schema, options, path)
    case 'map':
      return mapReader(schema, options, path)
    case 'struct':
      return structReader(schema, options, path)
  }
}

function intReader(path: string, type: string, max: number): Read {
  return (json) =>
    typeof json === 'number' && Number.isInteger(json) && json <= max && json >= -max - 1
      ? json
      : mismatch(path, type, json)
}

function isInt64(json: unknown): boolean {
  return typeof json === 'bigint' && BigInt.asIntN(64, json) === json
}

function readFloat(path: string, type: string, json: unknown): number {
  if (typeof json === 'number') return json
  if (typeof json === 'bigint') return Number(json)
  if (json instanceof ExactFraction) return Number(json.text)
  if (json === 'NaN' || json === 'Infinity' || json === '-Infinity') return Number(json)
  return mismatch(path, type, json)
}

const base64Text = /^[A-Za-z0-9+/]*={0,2}$/

function readBytes(path: string, json: unknown): Uint8Array {
  if (typeof json !== 'string' || !base64Text.test(json)) return mismatch(path, 'bytes in base64', json)
  return Buffer.from(json, 'base64')
}

/** Base64 or a number, whichever `decimal.format` says: a reader takes both. */
function decimalReader(schema: Schema, path: string): Read {
  const scale = Number(schema.parameters?.['scale'])
  if (!Number.isInteger(scale)) throw new DataError(`${path}: the Decimal schema has no valid scale parameter`)
  return (json) => {
    if (typeof json === 'string') return new Decimal(decodeUnscaled(readBytes(path, json)), scale)
    if (typeof json !== 'number' && typeof json !== 'bigint' && !(json instanceof ExactFraction)) {
      return mismatch(path, 'Decimal', json)
    }
    const number = Decimal.parse(json instanceof ExactFraction ? json.text : String(json))
    try {
      return rescale(number, scale)
    } catch (cause) {
      throw new DataError(`${path}: ${(cause as Error).message}, but its schema has scale ${scale}`, { cause })
    }
  }
}

function readText(path: string, json: unknown): string {
  if (typeof json === 'string') return json
  return typeof json === 'number' || typeof json === 'boolean' ? String(json) : mismatch(path, 'string', json)
}

function arrayReader(schema: Schema, options: JsonOptions, path: string): Read {
  if (schema.values === undefined) throw new DataError(`${path}: the array schema does not say of what`)
  const readItem = jsonReader(schema.values, options, `${path}[]`)
  return (json) => {
    if (!Array.isArray(json)) return mismatch(path, 'array', json)
    const items = json as unknown[]
    for (let i = 0; i < items.length; i++) items[i] = readItem(items[i])
    return items
  }
}

function mapReader(schema: Schema, options: JsonOptions, path: string): Read {
  if (schema.keys === undefined || schema.values === undefined) {
    throw new DataError(`${path}: the map schema does not say its keys and values`)
  }
  const readKey = jsonReader(schema.keys, options, `${path} key`)
  const readItem = jsonReader(schema.values, options, `${path}{}`)
  if (schema.keys.type === 'string' && (options.jsonSchema !== true || schema.keys.optional !== true)) {
    return (json) => {
      if (!isObject(json)) return mismatch(path, 'object', json)
      const map = new Map<string, unknown>()
      for (const key of Object.keys(json)) map.set(key, readItem(json[key]))
      return map
    }
  }
  if (options.jsonSchema === true) {
    return (json) => {
      if (!Array.isArray(json)) return mismatch(path, 'array of entries', json)
      return new Map(
        json.map((entry: unknown) =>
          isObject(entry) ? [readKey(entry['key']), readItem(entry['value'])] : mismatch(path, 'an entry', entry),
        ),
      )
    }
  }
  return (json) => {
    if (!Array.isArray(json)) return mismatch(path, 'array of pairs', json)
    return new Map(
      json.map((pair: unknown) => {
        if (!Array.isArray(pair) || pair.length !== 2) return mismatch(path, 'array of pairs', pair)
        return [readKey(pair[0]), readItem(pair[1])]
      }),
    )
  }
}

function structReader(schema: Schema, options: JsonOptions, path: string): Read {
  if (options.jsonSchema === true && isUnion(schema)) {
    return unionReader(schema, path, (part, partPath) => jsonReader(part, options, partPath))
  }
  const fields = (schema.fields ?? []).map((field) => ({
    name: field.name,
    own: propertyReader(field.name),
    read: jsonReader(field.schema, options, `${path}.${field.name}`),
  }))
  const names = new Set(fields.map((field) => field.name))
  return (json) => {
    if (!isObject(json)) return mismatch(path, 'object', json)
    for (const field of fields) {
      const given = field.own === undefined ? json[field.name] : field.own(json)
      const value = field.read(given)
      if (value !== given) setProperty(json, field.name, value)
    }
    // What the schema does not know is dropped, as Kafka Connect does.
    const keys = Object.keys(json)
    if (keys.length === fields.length) return json
    for (const key of keys) {
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- rare, and cheaper than copying every struct
      if (!names.has(key)) delete json[key]
    }
    return json
  }
}

function isObject(json: unknown): json is Record<string, unknown> {
  return typeof json === 'object' && json !== null && !Array.isArray(json) && !(json instanceof ExactFraction)
}

function mismatch(path: string, expected: string, json: unknown): never {
  const given = typeof json === 'number' || typeof json === 'bigint' ? String(json) : typeof json
  throw new DataError(`${path} has to be ${expected}, not ${given}`)
}
