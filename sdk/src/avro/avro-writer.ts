/**
 * Values of a Connect schema to Avro's binary form, as an Avro schema has it: its own, or one of the registry's that has
 * the same fields by name. Compiled once a schema.
 */
import { DataError } from '../errors.ts'
import { Decimal, type Schema } from '../schema.ts'
import type { AvroEnum, AvroField, AvroFixed, AvroRecord, AvroSchema, AvroUnion } from './schema.ts'
import { encodeUnscaled } from '../values/decimal-bytes.ts'
import { propertyReader } from '../values/property.ts'
import { writeAnything } from './anything.ts'
import { writeDefault } from './avro-default.ts'
import { AvroOutput } from './avro-output.ts'
import { anything, fieldName, fullName, isAvroMap, isDecimal, isEnum, isFixed, isUnion } from './names.ts'
import type { AvroOptions } from './options.ts'

type Write = (output: AvroOutput, value: unknown) => void

/** A function that writes a value. `path` names it in errors. @throws DataError where the two schemas do not go together */
export function compileAvroWriter(
  schema: Schema | undefined,
  avro: AvroSchema,
  options: AvroOptions,
  path = 'value',
): Write {
  if (schema === undefined) {
    if (avro.type === 'record' && avro.name === anything) return writeAnything
    throw unlike(path, 'no schema', avro)
  }
  if (avro.type === 'union') {
    return schema.type === 'struct' && isUnion(schema)
      ? branchWriter(schema, avro, options, path)
      : optionalWriter(schema, avro, options, path)
  }
  const write = compileNonNull(schema, avro, options, path)
  return (output, value) => (value === null || value === undefined ? isNull(path) : write(output, value))
}

function optionalWriter(schema: Schema, avro: AvroUnion, options: AvroOptions, path: string): Write {
  const nullBranch = avro.branches.findIndex(({ type }) => type === 'null')
  let reason: unknown
  for (const [index, branch] of avro.branches.entries()) {
    if (branch.type === 'null') continue
    let write: Write
    try {
      write = compileNonNull(schema, branch, options, path)
    } catch (error) {
      reason = error
      continue
    }
    const mayBeNull = nullBranch >= 0 && schema.optional === true
    return (output, value) => {
      if (value !== null && value !== undefined) {
        output.int(index)
        write(output, value)
      } else if (mayBeNull) output.int(nullBranch)
      else isNull(path)
    }
  }
  throw reason instanceof DataError ? reason : unlike(path, schema.type, avro)
}

/** A struct that stands for a union: the first field that is set says which branch. */
function branchWriter(schema: Schema, avro: AvroUnion, options: AvroOptions, path: string): Write {
  const nullBranch = avro.branches.findIndex(({ type }) => type === 'null')
  let next = 0
  const fields = (schema.fields ?? []).map((field) => {
    while (avro.branches[next]?.type === 'null') next++
    const index = next++
    const branch = avro.branches[index]
    if (branch === undefined) throw unlike(`${path}.${field.name}`, field.schema.type, avro)
    return { name: field.name, index, write: compileNonNull(field.schema, branch, options, `${path}.${field.name}`) }
  })
  return (output, value) => {
    if (value === null || value === undefined) {
      if (schema.optional !== true || nullBranch < 0) isNull(path)
      output.int(nullBranch)
      return
    }
    const struct = asStruct(value, path)
    for (const { name, index, write } of fields) {
      const branchValue = struct[name]
      if (branchValue === null || branchValue === undefined) continue
      output.int(index)
      write(output, branchValue)
      return
    }
    if (schema.optional !== true || nullBranch < 0) isNull(path)
    output.int(nullBranch)
  }
}

/** @throws DataError where values of the schema have no place in this Avro type */
function compileNonNull(schema: Schema, avro: AvroSchema, options: AvroOptions, path: string): Write {
  switch (avro.type) {
    case 'int':
      if (schema.type === 'int8') return intWriter(path, 'int8', 0x7f)
      if (schema.type === 'int16') return intWriter(path, 'int16', 0x7fff)
      if (schema.type === 'int32') return intWriter(path, 'int32', 0x7fffffff)
      break
    case 'long':
      if (/^int(8|16|32|64)$/.test(schema.type)) return longWriter(path)
      break
    case 'float':
      if (schema.type === 'float32') return floatWriter(path, 'float')
      break
    case 'double':
      if (schema.type === 'float32' || schema.type === 'float64') return floatWriter(path, 'double')
      break
    case 'boolean':
      if (schema.type !== 'boolean') break
      return (output, value) =>
        typeof value === 'boolean' ? output.byte(value ? 1 : 0) : mismatch(path, 'boolean', value)
    case 'string':
      if (schema.type !== 'string') break
      return (output, value) => (typeof value === 'string' ? output.string(value) : mismatch(path, 'string', value))
    case 'enum':
      if (schema.type === 'string' && (isEnum(schema, options) || schema.name === undefined))
        return enumWriter(avro, path)
      break
    case 'bytes':
      if (schema.type !== 'bytes' || isFixed(schema)) break
      return isDecimal(schema) ? decimalWriter(schema, path) : bytesWriter(path)
    case 'fixed':
      if (schema.type === 'bytes') return fixedWriter(schema, avro, path)
      break
    case 'array':
      if (schema.type === 'array') return arrayWriter(schema, avro.items, options, path)
      if (schema.type === 'map' && !isAvroMap(schema, options)) return entriesWriter(schema, avro.items, options, path)
      break
    case 'map':
      if (schema.type === 'map' && isAvroMap(schema, options)) return mapWriter(schema, avro.values, options, path)
      break
    case 'record':
      if (schema.type === 'struct' && isSameName(schema, avro, options))
        return structWriter(schema, avro, options, path)
      break
    default:
  }
  throw unlike(path, schema.name ?? schema.type, avro)
}

function isSameName(schema: Schema, avro: AvroRecord, options: AvroOptions): boolean {
  return schema.name === undefined || fullName(schema.name, options) === avro.name
}

function intWriter(path: string, type: string, max: number): Write {
  return (output, value) =>
    typeof value === 'number' && Number.isInteger(value) && value <= max && value >= -max - 1
      ? output.int(value)
      : mismatch(path, type, value)
}

function longWriter(path: string): Write {
  return (output, value) => {
    if (typeof value === 'number' && Number.isSafeInteger(value)) output.long(value)
    else if (typeof value === 'bigint' && BigInt.asIntN(64, value) === value) output.bigLong(value)
    else mismatch(path, 'int64', value)
  }
}

function floatWriter(path: string, type: 'float' | 'double'): Write {
  return type === 'float'
    ? (output, value) => (typeof value === 'number' ? output.float(value) : mismatch(path, 'float32', value))
    : (output, value) => (typeof value === 'number' ? output.double(value) : mismatch(path, 'float64', value))
}

function enumWriter(avro: AvroEnum, path: string): Write {
  const indexes = new Map(avro.symbols.map((symbol, index) => [symbol, index]))
  return (output, value) => {
    const index = indexes.get(value as string)
    if (index === undefined)
      throw new DataError(`${path} is ${shown(value)}, which is none of the symbols of ${avro.name}`)
    output.int(index)
  }
}

function bytesWriter(path: string): Write {
  return (output, value) => (value instanceof Uint8Array ? output.sized(value) : mismatch(path, 'bytes', value))
}

function unscaledOf(value: unknown, scale: number, path: string): Buffer {
  if (!(value instanceof Decimal)) return mismatch(path, 'Decimal', value)
  if (value.scale !== scale) throw new DataError(`${path} has scale ${value.scale}, but its schema says ${scale}`)
  return encodeUnscaled(value.unscaled)
}

function decimalWriter(schema: Schema, path: string): Write {
  const scale = Number(schema.parameters?.['scale'])
  return (output, value) => output.sized(unscaledOf(value, scale, path))
}

function fixedWriter(schema: Schema, { size, name }: AvroFixed, path: string): Write {
  if (isDecimal(schema)) {
    const scale = Number(schema.parameters?.['scale'])
    return (output, value) => {
      const unscaled = unscaledOf(value, scale, path)
      if (unscaled.length > size) throw new DataError(`${path} takes ${unscaled.length} bytes, but ${name} has ${size}`)
      const sign = unscaled[0]! > 0x7f ? 0xff : 0
      for (let pad = unscaled.length; pad < size; pad++) output.byte(sign)
      output.raw(unscaled)
    }
  }
  return (output, value) => {
    if (!(value instanceof Uint8Array)) return mismatch(path, 'bytes', value)
    if (value.length !== size) throw new DataError(`${path} has ${value.length} bytes, but ${name} has ${size}`)
    output.raw(value)
  }
}

function arrayWriter(schema: Schema, items: AvroSchema, options: AvroOptions, path: string): Write {
  const write = compileAvroWriter(schema.values, items, options, `${path}[]`)
  return (output, value) => {
    if (!Array.isArray(value)) return mismatch(path, 'array', value)
    const length = value.length
    if (length > 0) output.int(length)
    for (let index = 0; index < length; index++) write(output, value[index])
    output.byte(0)
  }
}

function mapWriter(schema: Schema, values: AvroSchema, options: AvroOptions, path: string): Write {
  const write = compileAvroWriter(schema.values, values, options, `${path}{}`)
  return (output, value) => {
    const entries = entriesOf(value, path)
    if (entries.length > 0) output.int(entries.length)
    for (const [key, item] of entries) {
      if (typeof key !== 'string') return mismatch(`${path} key`, 'string', key)
      output.string(key)
      write(output, item)
    }
    output.byte(0)
  }
}

/** A map whose keys are no strings: an array of records. */
function entriesWriter(schema: Schema, entry: AvroSchema, options: AvroOptions, path: string): Write {
  const key = entry.type === 'record' ? entry.fields[0] : undefined
  const item = entry.type === 'record' ? entry.fields[1] : undefined
  if (key?.name !== 'key' || item?.name !== 'value') throw unlike(path, 'map', entry)
  const writeKey = compileAvroWriter(schema.keys, key.schema, options, `${path} key`)
  const writeItem = compileAvroWriter(schema.values, item.schema, options, `${path}{}`)
  return (output, value) => {
    const entries = entriesOf(value, path)
    if (entries.length > 0) output.int(entries.length)
    for (const [entryKey, entryItem] of entries) {
      writeKey(output, entryKey)
      writeItem(output, entryItem)
    }
    output.byte(0)
  }
}

function entriesOf(value: unknown, path: string): readonly (readonly [unknown, unknown])[] {
  if (value instanceof Map) return [...(value as Map<unknown, unknown>)]
  return Object.entries(asStruct(value, path))
}

interface FieldWriter {
  readonly name: string
  readonly read: ((struct: Readonly<Record<string, unknown>>) => unknown) | undefined
  readonly fallback: unknown
  readonly write: Write
}

function structWriter(schema: Schema, avro: AvroRecord, options: AvroOptions, path: string): Write {
  const byName = new Map((schema.fields ?? []).map((field) => [fieldName(field.name, options), field]))
  const fields = avro.fields.map((avroField): FieldWriter => {
    const field = byName.get(avroField.name)
    if (field === undefined) return constantField(avroField, path)
    return {
      name: field.name,
      read: propertyReader(field.name),
      fallback: options.ignoreDefaultForNullables ? undefined : field.schema.default,
      write: compileAvroWriter(field.schema, avroField.schema, options, `${path}.${field.name}`),
    }
  })
  return (output, value) => {
    const struct = asStruct(value, path)
    for (let index = 0; index < fields.length; index++) {
      const { name, read, fallback, write } = fields[index]!
      write(output, (read === undefined ? struct[name] : read(struct)) ?? fallback)
    }
  }
}

/** A field that the registered schema has and the record's does not: its default, if it has one. */
function constantField(field: AvroField, path: string): FieldWriter {
  if (field.default === undefined) {
    throw new DataError(
      `the registered schema has a field ${path}.${field.name} without a default, which the record has not`,
    )
  }
  const output = new AvroOutput()
  writeDefault(output, field.schema, field.default)
  const bytes = output.take()
  return { name: '', read: () => null, fallback: undefined, write: (to) => to.raw(bytes) }
}

function asStruct(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Uint8Array)) {
    return value as Record<string, unknown>
  }
  return mismatch(path, 'struct', value)
}

function isNull(path: string): never {
  throw new DataError(`${path} is null, but required and without a default`)
}

function mismatch(path: string, expected: string, value: unknown): never {
  throw new DataError(`${path} has to be ${expected}, not ${shown(value)}`)
}

function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'bigint' ? String(value) : typeof value
}

function unlike(path: string, what: string, avro: AvroSchema): DataError {
  return new DataError(`${path} is ${what}, which the Avro type ${avro.type} does not take`)
}
