/**
 * Connect's schemas in Parquet, as Confluent's ParquetFormat has them by way of Avro: names, types and nulls are the same.
 * Lists have the three levels that Parquet's specification asks for.
 */
import { DataError, Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { encodeUnscaled, propertyReader, setProperty } from '@tidewire/sdk/values'
import type { SchemaElement } from 'hyparquet'

/** A value to what the library writes, noting about how many bytes of memory that takes. @throws DataError */
export type ToParquet = (value: unknown, sizes: Sizes) => unknown

export interface Sizes {
  bytes: number
}

export interface ParquetField {
  readonly name: string
  /** The element of the field, and below it those of its parts. */
  readonly elements: readonly SchemaElement[]
  readonly read: ((object: Readonly<Record<string, unknown>>) => unknown) | undefined
  readonly convert: ToParquet
}

/** Digits of a Decimal whose schema does not say, as in Avro. */
const defaultPrecision = 64

/** @throws DataError where it is no struct, or Parquet cannot express it */
export function parquetFields(schema: Schema | undefined): readonly ParquetField[] {
  if (schema?.type !== 'struct') {
    throw new DataError('Parquet needs values that are structs with a schema: use a converter that gives schemas')
  }
  return fieldsOf(schema, 'value')
}

function fieldsOf(schema: Schema, path: string): readonly ParquetField[] {
  const fields = schema.fields ?? []
  if (fields.length === 0) throw new DataError(`${path} is a struct without fields, which Parquet cannot express`)
  return fields.map((field) => fieldOf(field.name, field.schema, `${path}.${field.name}`))
}

/** How deep schemas go that people write; one that contains itself has no end. */
const maxDepth = 100

function fieldOf(name: string, schema: Schema, path: string): ParquetField {
  if (path.split('.').length > maxDepth) throw new DataError(`${path.slice(0, 100)}… is nested too deep`)
  const isOptional = schema.optional === true
  const repetition_type = isOptional ? 'OPTIONAL' : 'REQUIRED'
  const { element, parts, convert } = partsOf(schema, path)
  const fallback: unknown = schema.default ?? null
  const fallbackOf = fallback === null ? undefined : (sizes: Sizes): unknown => convert(fallback, sizes)
  return {
    name,
    elements: [{ name, repetition_type, ...element }, ...parts],
    read: propertyReader(name),
    convert: (value, sizes) => {
      if (value !== null && value !== undefined) return convert(value, sizes)
      if (fallbackOf !== undefined) return fallbackOf(sizes)
      if (!isOptional) throw new DataError(`${path} is null, but required and without a default`)
      return null
    },
  }
}

interface Parts {
  readonly element: Omit<SchemaElement, 'name'>
  readonly parts: readonly SchemaElement[]
  /** Of values that are not null. */
  readonly convert: ToParquet
}

function partsOf(schema: Schema, path: string): Parts {
  switch (schema.type) {
    case 'struct':
      return structParts(schema, path)
    case 'array':
      return arrayParts(schema, path)
    case 'map':
      return mapParts(schema, path)
    default:
      return { parts: [], ...leafOf(schema, path) }
  }
}

function structParts(schema: Schema, path: string): Parts {
  const fields = fieldsOf(schema, path)
  return {
    element: { num_children: fields.length },
    parts: fields.flatMap(({ elements }) => elements),
    convert: (value, sizes) => {
      if (!isObject(value)) return mismatch(path, 'struct', value)
      sizes.bytes += 32
      const group: Record<string, unknown> = {}
      for (const { name, read, convert } of fields) {
        setProperty(group, name, convert(read === undefined ? value[name] : read(value), sizes))
      }
      return group
    },
  }
}

function arrayParts(schema: Schema, path: string): Parts {
  if (schema.values === undefined) throw new DataError(`${path}: the array schema does not say of what`)
  const item = fieldOf('element', schema.values, `${path}[]`)
  return {
    element: { num_children: 1, converted_type: 'LIST', logical_type: { type: 'LIST' } },
    parts: [{ name: 'list', repetition_type: 'REPEATED', num_children: 1 }, ...item.elements],
    convert: (value, sizes) => {
      if (!Array.isArray(value)) return mismatch(path, 'array', value)
      sizes.bytes += 32
      return value.map((part) => item.convert(part, sizes))
    },
  }
}

/** A map by texts is one; any other is a list of entries, as in Avro. */
function mapParts({ keys, values }: Schema, path: string): Parts {
  if (keys === undefined || values === undefined) {
    throw new DataError(`${path}: the map schema does not say its keys and values`)
  }
  if (keys.type !== 'string' || keys.optional === true) return entriesParts(keys, values, path)
  const item = fieldOf('value', values, `${path}{}`)
  const key: SchemaElement = { name: 'key', repetition_type: 'REQUIRED', ...textElement }
  return {
    element: { num_children: 1, converted_type: 'MAP', logical_type: { type: 'MAP' } },
    parts: [{ name: 'key_value', repetition_type: 'REPEATED', num_children: 2 }, key, ...item.elements],
    convert: (value, sizes) => {
      const entries = entriesOf(value, path)
      return Array.from(entries, ([name, part]) => {
        if (typeof name !== 'string') return mismatch(`${path} key`, 'string', name)
        sizes.bytes += 64 + name.length
        return { key: name, value: item.convert(part, sizes) }
      })
    },
  }
}

function entriesParts(keys: Schema, values: Schema, path: string): Parts {
  const entry: Schema = {
    type: 'struct',
    fields: [
      { name: 'key', schema: keys },
      { name: 'value', schema: values },
    ],
  }
  const list = arrayParts({ type: 'array', values: entry }, path)
  return {
    ...list,
    convert: (value, sizes) =>
      list.convert(
        Array.from(entriesOf(value, path), ([key, part]) => ({ key, value: part })),
        sizes,
      ),
  }
}

/** A map is a Map; a plain object does as well, where keys are strings. */
function entriesOf(value: unknown, path: string): Iterable<readonly [unknown, unknown]> {
  if (value instanceof Map) return value as Map<unknown, unknown>
  return isObject(value) ? Object.entries(value) : mismatch(path, 'map', value)
}

interface Leaf {
  readonly element: Omit<SchemaElement, 'name'>
  readonly convert: ToParquet
}

const textElement = { type: 'BYTE_ARRAY', converted_type: 'UTF8', logical_type: { type: 'STRING' } } as const

function leafOf(schema: Schema, path: string): Leaf {
  switch (schema.type) {
    case 'int8':
      return { element: { type: 'INT32' }, convert: integer(path, schema.type, 0x7f) }
    case 'int16':
      return { element: { type: 'INT32' }, convert: integer(path, schema.type, 0x7fff) }
    case 'int32':
      return { element: int32Element(schema), convert: integer(path, schema.type, 0x7fffffff) }
    case 'int64':
      return { element: int64Element(schema), convert: long(path) }
    case 'float32':
    case 'float64':
      return {
        element: { type: schema.type === 'float32' ? 'FLOAT' : 'DOUBLE' },
        convert: (value, sizes) => {
          sizes.bytes += 16
          return typeof value === 'number' ? value : mismatch(path, schema.type, value)
        },
      }
    case 'boolean':
      return {
        element: { type: 'BOOLEAN' },
        convert: (value, sizes) => {
          sizes.bytes += 8
          return typeof value === 'boolean' ? value : mismatch(path, 'boolean', value)
        },
      }
    case 'string':
      return {
        element: textElement,
        convert: (value, sizes) => {
          if (typeof value !== 'string') return mismatch(path, 'string', value)
          sizes.bytes += 24 + value.length
          return value
        },
      }
    default:
      return schema.name === logicalNames.decimal ? decimalLeaf(schema, path) : bytesLeaf(path)
  }
}

function int32Element({ name }: Schema): Omit<SchemaElement, 'name'> {
  if (name === logicalNames.date) return { type: 'INT32', converted_type: 'DATE', logical_type: { type: 'DATE' } }
  if (name !== logicalNames.time) return { type: 'INT32' }
  return {
    type: 'INT32',
    converted_type: 'TIME_MILLIS',
    logical_type: { type: 'TIME', isAdjustedToUTC: true, unit: 'MILLIS' },
  }
}

function int64Element({ name }: Schema): Omit<SchemaElement, 'name'> {
  if (name !== logicalNames.timestamp) return { type: 'INT64' }
  return {
    type: 'INT64',
    converted_type: 'TIMESTAMP_MILLIS',
    logical_type: { type: 'TIMESTAMP', isAdjustedToUTC: true, unit: 'MILLIS' },
  }
}

function integer(path: string, type: string, max: number): ToParquet {
  return (value, sizes) => {
    sizes.bytes += 8
    return Number.isInteger(value) && (value as number) <= max && (value as number) >= -max - 1
      ? value
      : mismatch(path, type, value)
  }
}

function long(path: string): ToParquet {
  return (value, sizes) => {
    sizes.bytes += 32
    if (Number.isSafeInteger(value)) return BigInt(value as number)
    return typeof value === 'bigint' && BigInt.asIntN(64, value) === value ? value : mismatch(path, 'int64', value)
  }
}

function bytesLeaf(path: string): Leaf {
  return {
    element: { type: 'BYTE_ARRAY' },
    convert: (value, sizes) => {
      if (!(value instanceof Uint8Array)) return mismatch(path, 'bytes', value)
      sizes.bytes += 96 + value.length
      return value
    },
  }
}

function decimalLeaf({ parameters = {} }: Schema, path: string): Leaf {
  const scale = Number(parameters['scale'])
  const precision = Number(parameters['connect.decimal.precision'] ?? defaultPrecision)
  if (!Number.isInteger(scale) || !Number.isInteger(precision) || precision < 1 || scale < 0 || scale > precision) {
    throw new DataError(
      `${path}: Parquet has no decimals of scale ${parameters['scale'] ?? ''} and precision ${precision}`,
    )
  }
  const limit = 10n ** BigInt(precision)
  const type_length = encodeUnscaled(limit).length
  return {
    element: {
      type: 'FIXED_LEN_BYTE_ARRAY',
      type_length,
      converted_type: 'DECIMAL',
      logical_type: { type: 'DECIMAL', scale, precision },
      scale,
      precision,
    },
    convert: (value, sizes) => {
      if (!(value instanceof Decimal)) return mismatch(path, 'Decimal', value)
      if (value.scale !== scale) throw new DataError(`${path} has scale ${value.scale}, but its schema says ${scale}`)
      if (value.unscaled >= limit || value.unscaled <= -limit) {
        throw new DataError(`${path} has more than the ${precision} digits that its column in Parquet has`)
      }
      sizes.bytes += 64
      return value.unscaled
    },
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)
}

function mismatch(path: string, expected: string, value: unknown): never {
  const given = typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
  throw new DataError(`${path} has to be ${expected}, not ${given}`)
}
