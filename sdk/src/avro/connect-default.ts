import { DataError } from '../errors.ts'
import { Decimal, logicalNames, type Schema } from '../schema.ts'
import { ExactFraction } from '../json/exact-json.ts'
import type { AvroSchema } from './schema.ts'
import { decodeUnscaled } from '../values/decimal-bytes.ts'

/**
 * The value that an Avro schema's default in JSON stands for in Connect.
 * @throws DataError where it is not of the type
 */
export function connectDefault(schema: Schema, avro: AvroSchema, json: unknown): unknown {
  const value = json instanceof ExactFraction ? Number(json.text) : json
  if (value === null) {
    if (schema.optional === true) return null
    throw new DataError('null as the default of what may not be null')
  }
  if (avro.type === 'union') return unionDefault(schema, avro.branches, value)
  switch (schema.type) {
    case 'int8':
    case 'int16':
    case 'int32':
      return Number.isInteger(value) ? value : wrong(schema)
    case 'int64':
      return typeof value === 'bigint' || Number.isInteger(value) ? value : wrong(schema)
    case 'float32':
      return Math.fround(floatOf(schema, value))
    case 'float64':
      return floatOf(schema, value)
    case 'boolean':
      return typeof value === 'boolean' ? value : wrong(schema)
    case 'string':
      return typeof value === 'string' ? value : wrong(schema)
    case 'bytes': {
      if (typeof value !== 'string') return wrong(schema)
      const bytes = Buffer.from(value, 'latin1')
      return schema.name === logicalNames.decimal
        ? new Decimal(decodeUnscaled(bytes), Number(schema.parameters?.['scale']))
        : bytes
    }
    case 'array':
      if (!Array.isArray(value) || avro.type !== 'array' || schema.values === undefined) return wrong(schema)
      return value.map((item) => connectDefault(schema.values!, avro.items, item))
    case 'map':
      return mapDefault(schema, avro, value)
    case 'struct':
      return structDefault(schema, avro, value)
  }
}

function unionDefault(schema: Schema, branches: readonly AvroSchema[], value: unknown): unknown {
  const index = branches.findIndex(({ type }) => type !== 'null')
  const branch = branches[index]
  if (branch === undefined) return wrong(schema)
  const field = schema.type === 'struct' && branches.length > 2 ? schema.fields?.[0] : undefined
  return field === undefined
    ? connectDefault(schema, branch, value)
    : { [field.name]: connectDefault(field.schema, branch, value) }
}

function mapDefault(schema: Schema, avro: AvroSchema, value: unknown): unknown {
  if (avro.type !== 'map' || !isObject(value) || schema.values === undefined) return wrong(schema)
  const { values } = schema
  return new Map(Object.entries(value).map(([key, item]) => [key, connectDefault(values, avro.values, item)]))
}

function structDefault(schema: Schema, avro: AvroSchema, value: unknown): unknown {
  if (avro.type !== 'record' || !isObject(value)) return wrong(schema)
  return Object.fromEntries(
    (schema.fields ?? []).map((field, index) => {
      const avroField = avro.fields[index]
      const json = Object.hasOwn(value, field.name) ? value[field.name] : avroField?.default
      if (avroField === undefined || json === undefined)
        throw new DataError(`a default without the field ${field.name}`)
      return [field.name, connectDefault(field.schema, avroField.schema, json)]
    }),
  )
}

function floatOf(schema: Schema, value: unknown): number {
  if (typeof value === 'number' || typeof value === 'bigint') return Number(value)
  const number = typeof value === 'string' ? Number(value) : Number.NaN
  return Number.isNaN(number) && value !== 'NaN' ? wrong(schema) : number
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function wrong(schema: Schema): never {
  throw new DataError(`a default that is not ${schema.name ?? schema.type}`)
}
