/**
 * From Parquet's schemas and the values that its library reads to Connect's. What a file says of its schema in Avro, as
 * Parquet's Java library and the sink have it, refines what its columns say.
 */
import { DataError, Decimal, schema as connect, type Field, type Schema } from '@tidewire/sdk'
import { decodeUnscaled, setProperty } from '@tidewire/sdk/values'
import type { SchemaElement, SchemaTree } from 'hyparquet'

/** A value as the library gives it (without what it makes of logical types) to Connect's. */
export type FromParquet = (raw: unknown) => unknown

export interface ParquetReading {
  readonly schema: Schema
  readonly read: FromParquet
}

/**
 * The elements of a file's schema as the library is to read it: of physical types alone, and texts. It would make floats of
 * decimals, dates of times, and objects of maps, whose keys are then texts in an order of their own.
 */
export function plainElements(elements: readonly SchemaElement[]): SchemaElement[] {
  return elements.map((element) => {
    const plain = { ...element }
    delete plain.converted_type
    if (isText(element)) plain.converted_type = 'UTF8'
    if (element.logical_type?.type !== 'FLOAT16') delete plain.logical_type
    return plain
  })
}

function isText({ type, converted_type, logical_type }: SchemaElement): boolean {
  if (type !== 'BYTE_ARRAY') return false
  const texts = ['UTF8', 'ENUM', 'JSON', 'STRING']
  return texts.includes(converted_type ?? '') || texts.includes(logical_type?.type ?? '')
}

/** @param hint the schema that the file says it was written with, where it does */
export function parquetReading(tree: SchemaTree, hint: Schema | undefined): ParquetReading {
  return structReading(tree, hint, false)
}

/** Of a field: what it may lack counts too. */
function reading(tree: SchemaTree, hint: Schema | undefined): ParquetReading {
  const { repetition_type } = tree.element
  // A repeated field that is no list's own is a list that is never null.
  if (repetition_type === 'REPEATED') return listOf(present(tree, hint?.values, false), hint, false, (raw) => raw)
  return present(tree, hint, repetition_type === 'OPTIONAL')
}

function present(tree: SchemaTree, hint: Schema | undefined, isOptional: boolean): ParquetReading {
  if (tree.children.length === 0) return leafReading(tree.element, hint, isOptional)
  if (isAnnotated(tree.element, 'LIST')) {
    const list = listReading(tree, hint, isOptional)
    if (list !== undefined) return list
  }
  if (isAnnotated(tree.element, 'MAP') || tree.element.converted_type === 'MAP_KEY_VALUE') {
    const map = mapReading(tree, hint, isOptional)
    if (map !== undefined) return map
  }
  return structReading(tree, hint, isOptional)
}

function isAnnotated({ converted_type, logical_type }: SchemaElement, type: 'LIST' | 'MAP'): boolean {
  return converted_type === type || logical_type?.type === type
}

function structReading(tree: SchemaTree, hint: Schema | undefined, isOptional: boolean): ParquetReading {
  const struct = hint?.type === 'struct' ? hint : undefined
  const hints = new Map(struct?.fields?.map((field) => [field.name, field.schema]))
  const fields = tree.children.map((child) => {
    const { name } = child.element
    return { name, ...reading(child, hints.get(name)) }
  })
  const declared: Field[] = fields.map(({ name, schema }) => ({ name, schema }))
  return {
    schema: { ...described(struct), type: 'struct', fields: declared, ...optional(isOptional) },
    read: orNull((raw) => {
      const group = raw as Readonly<Record<string, unknown>>
      const value: Record<string, unknown> = {}
      for (const { name, read } of fields) setProperty(value, name, read(group[name]))
      return value
    }),
  }
}

/** The rules by which a list of the specification is told from those of older writers. */
function listReading(tree: SchemaTree, hint: Schema | undefined, isOptional: boolean): ParquetReading | undefined {
  const repeated = tree.children[0]
  if (tree.children.length !== 1 || repeated?.element.repetition_type !== 'REPEATED') return undefined
  const repeatedName = repeated.element.name
  const only = repeated.children.length === 1 ? repeated.children[0] : undefined
  const isWrapper = only !== undefined && repeatedName !== 'array' && repeatedName !== `${tree.element.name}_tuple`
  const elementHint = hint?.type === 'map' ? entryHint(hint) : hint?.values
  const element = isWrapper ? reading(only, elementHint) : present(repeated, elementHint, false)
  const { name: elementName } = isWrapper ? only.element : { name: '' }
  const list = listOf(element, hint, isOptional, (raw) => {
    const items = (raw as Readonly<Record<string, readonly unknown[]>>)[repeatedName] ?? []
    return isWrapper ? items.map((item) => (item as Readonly<Record<string, unknown>>)[elementName]) : items
  })
  return hint?.type === 'map' ? mapOfEntries(list, hint, isOptional) : list
}

function listOf(
  element: ParquetReading,
  hint: Schema | undefined,
  isOptional: boolean,
  itemsOf: (raw: unknown) => unknown,
): ParquetReading {
  return {
    schema: { ...described(hint, 'array'), type: 'array', values: element.schema, ...optional(isOptional) },
    read: orNull((raw) => (itemsOf(raw) as readonly unknown[]).map(element.read)),
  }
}

function entryHint({ keys, values }: Schema): Schema | undefined {
  return keys && values && connect.struct({ key: keys, value: values })
}

/** A map by keys that are no texts, which was written as a list of its entries. */
function mapOfEntries(list: ParquetReading, hint: Schema, isOptional: boolean): ParquetReading {
  const [key, value] = list.schema.values?.fields ?? []
  if (key?.name !== 'key' || value?.name !== 'value') return list
  return {
    schema: { ...described(hint, 'map'), type: 'map', keys: key.schema, values: value.schema, ...optional(isOptional) },
    read: (raw) => {
      const entries = list.read(raw) as readonly { readonly key: unknown; readonly value: unknown }[] | null
      return entries && new Map(entries.map((entry) => [entry.key, entry.value]))
    },
  }
}

function mapReading(tree: SchemaTree, hint: Schema | undefined, isOptional: boolean): ParquetReading | undefined {
  const entry = tree.children[0]
  const [keyTree, valueTree] = entry?.children ?? []
  if (tree.children.length !== 1 || entry?.element.repetition_type !== 'REPEATED') return undefined
  if (keyTree === undefined || entry.children.length > 2) return undefined
  const key = reading(keyTree, hint?.keys)
  // A set of keys is a map without values.
  const value = valueTree === undefined ? nothing : reading(valueTree, hint?.values)
  const names = { entry: entry.element.name, key: keyTree.element.name, value: valueTree?.element.name ?? '' }
  return {
    schema: { ...described(hint, 'map'), type: 'map', keys: key.schema, values: value.schema, ...optional(isOptional) },
    read: orNull((raw) => {
      const entries = (raw as Readonly<Record<string, readonly Record<string, unknown>[]>>)[names.entry] ?? []
      return new Map(entries.map((part) => [key.read(part[names.key]), value.read(part[names.value])]))
    }),
  }
}

const nothing: ParquetReading = { schema: connect.boolean({ optional: true }), read: () => null }

function leafReading(element: SchemaElement, hint: Schema | undefined, isOptional: boolean): ParquetReading {
  const { schema, read } = leafOf(element)
  const refined = hint !== undefined && refines(hint, schema) ? { ...described(hint), type: hint.type } : schema
  return { schema: { ...refined, ...optional(isOptional) }, read: orNull(read) }
}

const wider: Readonly<Record<string, readonly string[]>> = { int32: ['int8', 'int16'] }

/** Whether values of the one schema are values of the other: it only says more of them. */
function refines(hint: Schema, { type, name }: Schema): boolean {
  if (hint.type !== type && wider[type]?.includes(hint.type) !== true) return false
  return name === undefined || hint.name === name
}

function leafOf(element: SchemaElement): ParquetReading {
  if (element.converted_type === 'DECIMAL' || element.logical_type?.type === 'DECIMAL') return decimalOf(element)
  switch (element.type) {
    case 'BOOLEAN':
      return { schema: connect.boolean(), read: same }
    case 'INT32':
      return int32Of(element)
    case 'INT64':
      return { schema: int64Schema(element), read: longOf }
    case 'INT96':
      return { schema: connect.int64({ name: 'io.debezium.time.NanoTimestamp', version: 1 }), read: longOf }
    case 'FLOAT':
      return { schema: connect.float32(), read: same }
    case 'DOUBLE':
      return { schema: connect.float64(), read: same }
    case 'BYTE_ARRAY':
      return isText(element) ? { schema: connect.string(), read: same } : { schema: connect.bytes(), read: bytesOf }
    case 'FIXED_LEN_BYTE_ARRAY':
      if (element.logical_type?.type === 'FLOAT16') return { schema: connect.float32(), read: same }
      if (element.logical_type?.type === 'UUID') {
        return { schema: connect.string({ name: 'io.debezium.data.Uuid', version: 1 }), read: uuidOf }
      }
      return { schema: connect.bytes(), read: bytesOf }
    default:
      throw new DataError(`the column ${element.name} has no type that Parquet knows`)
  }
}

const same: FromParquet = (raw) => raw

/** Memory of its own: the library gives windows into whole column chunks. */
const bytesOf: FromParquet = (raw) => Buffer.from(raw as Uint8Array)

const longOf: FromParquet = (raw) => {
  const value = raw as bigint
  return value >= -9007199254740991n && value <= 9007199254740991n ? Number(value) : value
}

const uuidOf: FromParquet = (raw) =>
  Buffer.from(raw as Uint8Array)
    .toString('hex')
    .replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-')

function int32Of({ converted_type, logical_type }: SchemaElement): ParquetReading {
  if (converted_type === 'DATE' || logical_type?.type === 'DATE') return { schema: connect.date(), read: same }
  if (converted_type === 'TIME_MILLIS' || logical_type?.type === 'TIME') return { schema: connect.time(), read: same }
  const bits = logical_type?.type === 'INTEGER' ? logical_type : undefined
  const isUnsigned = bits?.isSigned === false || converted_type?.startsWith('UINT') === true
  const width = bits?.bitWidth ?? Number(/\d+$/.exec(converted_type ?? '')?.[0] ?? 32)
  if (width === 32 && isUnsigned) return { schema: connect.int64(), read: (raw) => (raw as number) >>> 0 }
  if (width === 8 && !isUnsigned) return { schema: connect.int8(), read: same }
  if (width === 16 ? !isUnsigned : width === 8) return { schema: connect.int16(), read: same }
  return { schema: connect.int32(), read: same }
}

function int64Schema({ converted_type, logical_type }: SchemaElement): Schema {
  const unit = logical_type !== undefined && 'unit' in logical_type ? logical_type.unit : undefined
  if (converted_type === 'TIMESTAMP_MILLIS' || (logical_type?.type === 'TIMESTAMP' && unit === 'MILLIS')) {
    return connect.timestamp()
  }
  // Connect has no finer times of its own; these names many sinks know.
  const debezium = (name: string): Schema => connect.int64({ name: `io.debezium.time.${name}`, version: 1 })
  if (converted_type === 'TIMESTAMP_MICROS') return debezium('MicroTimestamp')
  if (converted_type === 'TIME_MICROS') return debezium('MicroTime')
  if (logical_type?.type === 'TIMESTAMP') return debezium(unit === 'NANOS' ? 'NanoTimestamp' : 'MicroTimestamp')
  if (logical_type?.type === 'TIME') return debezium(unit === 'NANOS' ? 'NanoTime' : 'MicroTime')
  return connect.int64()
}

function decimalOf({ scale = 0, precision, logical_type }: SchemaElement): ParquetReading {
  const decimal = logical_type?.type === 'DECIMAL' ? logical_type : { scale, precision }
  const parameters = decimal.precision === undefined ? {} : { 'connect.decimal.precision': String(decimal.precision) }
  const read = (raw: unknown): Decimal => {
    const unscaled = raw instanceof Uint8Array ? decodeUnscaled(raw) : BigInt(raw as number | bigint)
    return new Decimal(unscaled, decimal.scale)
  }
  return { schema: connect.decimal(decimal.scale, { parameters }), read }
}

/** What a hint says of a schema beside its shape. */
function described(hint: Schema | undefined, type?: Schema['type']): Partial<Schema> {
  if (hint === undefined || (type !== undefined && hint.type !== type)) return {}
  const kept = (['name', 'version', 'doc', 'parameters', 'default'] as const).filter((key) => hint[key] !== undefined)
  return Object.fromEntries(kept.map((key) => [key, hint[key]]))
}

const optional = (isOptional: boolean): { optional?: true } => (isOptional ? { optional: true } : {})

const orNull =
  (read: FromParquet): FromParquet =>
  (raw) =>
    raw === null || raw === undefined ? null : read(raw)
