/** JSON text as a struct with a schema that is found from it, as Debezium's outbox expands payloads. */
import { DataError, schema as schemas, type Field, type Schema } from '@tidewire/sdk'
import { ExactFraction, parseExact } from '@tidewire/sdk/exact-json'
import { setProperty } from '@tidewire/sdk/values'
import { structOf } from './derived-schema.ts'
import { type NewStruct } from './struct-values.ts'

export interface ExpandOptions {
  /** Of the struct; those in it have the names of their fields behind it. */
  readonly name: string
  /** Whether a null is a field of optional bytes, or none. */
  readonly keepsNulls: boolean
  /** Whether an empty array is a field of optional texts, or none. */
  readonly keepsEmptyArrays: boolean
}

const optional = { optional: true } as const
const types = {
  text: schemas.string(optional),
  boolean: schemas.boolean(optional),
  int32: schemas.int32(optional),
  int64: schemas.int64(optional),
  float64: schemas.float64(optional),
  nothing: schemas.bytes(optional),
  emptyArray: schemas.array(schemas.string(optional), optional),
}

const maxInt64 = 2n ** 63n - 1n

/** @throws DataError where the text is neither an object nor an array, or mixes types in an array; without any of the text */
export function expandJson(text: string, options: ExpandOptions): { schema: Schema; value: unknown } {
  if (!text.startsWith('{') && !text.startsWith('[')) throw new DataError('it is neither an object nor an array')
  const json = parsed(text)
  const schema = schemaOf(options.name, json, options)
  if (schema === undefined) throw new DataError('it is an empty array')
  return { schema, value: valueOf(json, schema) }
}

/** What JSON.parse says of a text has a part of it, and this is logged. */
function parsed(text: string): unknown {
  try {
    return parseExact(text, 'texts')
  } catch (cause) {
    throw new DataError('it is no JSON', { cause })
  }
}

type Json = Readonly<Record<string, unknown>>

/** @returns undefined for what is left out */
function schemaOf(name: string | undefined, json: unknown, options: ExpandOptions): Schema | undefined {
  switch (typeof json) {
    case 'string':
      return types.text
    case 'boolean':
      return types.boolean
    case 'number':
      return json === (json | 0) ? types.int32 : types.int64
    case 'bigint':
      return json <= maxInt64 && json >= -maxInt64 - 1n ? types.int64 : types.float64
    default:
  }
  if (json === null) return options.keepsNulls ? types.nothing : undefined
  if (json instanceof ExactFraction) return types.float64
  if (Array.isArray(json)) return arraySchema(name, json, options)
  return objectSchema(name, json as Json, options)
}

function objectSchema(name: string | undefined, json: Json, options: ExpandOptions): Schema {
  const fields = Object.entries(json).flatMap(([field, value]): Field[] => {
    const path = name === undefined || name.trim() === '' ? field : `${name}.${field}`
    const schema = schemaOf(path, value, options)
    return schema === undefined ? [] : [{ name: field, schema }]
  })
  return { ...structOf(fields, 'a payload'), ...(name === undefined ? {} : { name }), optional: true }
}

function arraySchema(name: string | undefined, items: readonly unknown[], options: ExpandOptions): Schema | undefined {
  if (items.length === 0) return options.keepsEmptyArrays ? types.emptyArray : undefined
  const given = items.filter((item) => item !== null)
  const sample = given[0] ?? null
  if (given.some((item) => kindOf(item) !== kindOf(sample))) throw new DataError('an array in it mixes types')
  if (sample !== null && kindOf(sample) === 'object') {
    const all = given.map((item) => objectSchema(name, item as Json, options))
    const distinct = [...new Map(all.map((schema) => [JSON.stringify(schema), schema])).values()]
    const merged = distinct.reduce(merge)
    // Debezium's merged schema takes no null.
    const hasNull = given.length < items.length
    return schemas.array(distinct.length > 1 && !hasNull ? required(merged) : merged, optional)
  }
  const schema = schemaOf(undefined, sample, options)
  if (schema === undefined) throw new DataError('the type of an array in it is not known')
  const isNumbers = schema === types.int32 || schema === types.int64 || schema === types.float64
  if (isNumbers && given.some((item) => schemaOf(undefined, item, options) !== schema)) {
    throw new DataError('an array in it mixes types of numbers')
  }
  return schemas.array(schema, optional)
}

function required(schema: Schema): Schema {
  const { type, name, fields } = schema
  return { type, ...(name === undefined ? {} : { name }), ...(fields === undefined ? {} : { fields }) }
}

function kindOf(json: unknown): string {
  if (Array.isArray(json)) return 'array'
  return json instanceof ExactFraction || typeof json === 'bigint' ? 'number' : typeof json
}

/** The fields of both; one that is null in one of them is as it is in the other. */
function merge(a: Schema, b: Schema): Schema {
  const fields = new Map(a.fields!.map((field) => [field.name, field]))
  for (const field of b.fields!) {
    const known = fields.get(field.name)
    if (known === undefined || (known.schema.type === 'bytes' && field.schema.type !== 'bytes')) {
      fields.set(field.name, field)
    }
  }
  return { ...a, fields: [...fields.values()] }
}

function valueOf(json: unknown, schema: Schema): unknown {
  if (json === null) return null
  if (Array.isArray(json)) return json.map((item) => valueOf(item, schema.values!))
  if (json instanceof ExactFraction) return Number(json.text)
  if (typeof json === 'bigint') return schema.type === 'float64' ? Number(json) : json
  if (typeof json !== 'object') return json
  const made: NewStruct = {}
  for (const { name, schema: of } of schema.fields!) {
    if (Object.hasOwn(json, name)) setProperty(made, name, valueOf((json as Json)[name], of))
  }
  return made
}
