/**
 * Structs as Kafka Connect's transforms read and make them: a null reads as the field's default, and a field that is
 * required takes no null. What depends on the schema alone is compiled once a schema.
 */
import { DataError, Decimal, type Field, type Schema } from '@tidewire/sdk'
import { propertyReader, setProperty } from '@tidewire/sdk/values'

export type Struct = Readonly<Record<string, unknown>>
export type NewStruct = Record<string, unknown>

/**
 * Remembers by identity what was compiled of a schema, for as long as someone holds the schema. The last one is found
 * without a look-up, since most records of a task have the schema of the one before.
 */
export function perSchema<T>(compile: (schema: Schema) => T): (schema: Schema) => T {
  const known = new WeakMap<Schema, T>()
  let lastSchema: Schema | undefined
  let last: T | undefined
  return (schema) => {
    if (schema === lastSchema) return last as T
    let compiled = known.get(schema)
    if (compiled === undefined) {
      compiled = compile(schema)
      known.set(schema, compiled)
    }
    lastSchema = schema
    last = compiled
    return compiled
  }
}

/** @throws DataError where the value is none */
export function requireStruct(value: unknown, schema: Schema, purpose: string): Struct {
  if (schema.type !== 'struct' || !isPlainObject(value)) {
    throw new DataError(`${purpose} needs a struct, not ${kindOf(value, schema)}`)
  }
  return value
}

/** The fields of a struct's schema. @throws DataError where it is of another type */
export function requireFields(schema: Schema, purpose: string): readonly Field[] {
  if (schema.type !== 'struct') throw new DataError(`${purpose} needs a struct, not ${schema.type}`)
  return schema.fields ?? []
}

/**
 * The object that stands for a map where there is no schema.
 * @throws DataError where the value is none
 */
export function requireMap(value: unknown, purpose: string): Struct {
  if (isPlainObject(value)) return value
  if (value instanceof Map) return Object.fromEntries(value as Map<string, unknown>)
  throw new DataError(`${purpose} needs an object where there is no schema, not ${kindOf(value)}`)
}

/** Whether it is neither an array nor of one of the types that stand for something else than their properties. */
export function isPlainObject(value: unknown): value is Struct {
  return (
    typeof value === 'object' &&
    value !== null &&
    !Array.isArray(value) &&
    !(value instanceof Map) &&
    !(value instanceof Decimal) &&
    !ArrayBuffer.isView(value)
  )
}

/** What a value is, for errors; never the value, which may be a secret. */
export function kindOf(value: unknown, schema?: Schema): string {
  if (value === null || value === undefined) return 'null'
  if (schema !== undefined) return schema.name === undefined ? schema.type : `${schema.type} (${schema.name})`
  if (Array.isArray(value)) return 'an array'
  if (ArrayBuffer.isView(value)) return 'bytes'
  if (value instanceof Decimal) return 'a decimal'
  return typeof value === 'object' ? 'an object' : `a ${typeof value}`
}

/** A field that goes from one struct into another, under a name that may be another. */
export interface FieldCopy {
  readonly field: Field
  readonly to: string
}

/**
 * Reads a field; where `useDefault`, a null gives the field's default.
 * @returns null for what is absent
 */
export function fieldReader({ name, schema }: Field, useDefault: boolean): (struct: Struct) => unknown {
  const fallback: unknown = useDefault ? (schema.default ?? null) : null
  const inherited = propertyReader(name)
  return inherited === undefined ? (struct) => struct[name] ?? fallback : (struct) => inherited(struct) ?? fallback
}

/**
 * Makes structs of some fields of another.
 * @returns a function that throws a DataError for a null in a required field
 */
export function compileFieldCopies(
  copies: readonly FieldCopy[],
  useDefault: boolean,
  purpose: string,
): (struct: Struct) => NewStruct {
  const steps = copies.map(({ field, to }) => ({
    to,
    read: fieldReader(field, useDefault),
    isOptional: field.schema.optional === true,
  }))
  return (struct) => {
    const made: NewStruct = {}
    for (const { to, read, isOptional } of steps) {
      const value = read(struct)
      if (value === null && !isOptional) throw nullInRequired(to, purpose)
      setProperty(made, to, value)
    }
    return made
  }
}

/**
 * Copies whole structs, for a transform that goes on to change some fields of the copy.
 * @returns a function that throws a DataError for a null in a required field
 */
export function compileStructCopy(
  fields: readonly Field[],
  useDefault: boolean,
  purpose: string,
): (struct: Struct) => NewStruct {
  // Only these can be other than they are: the rest is copied as a whole, which is the quickest.
  const watched = fields
    .filter(({ schema }) => schema.optional !== true || (useDefault && schema.default != null))
    .map((field) => ({
      field,
      read: fieldReader(field, false),
      fallback: useDefault ? field.schema.default : undefined,
    }))
  return (struct) => {
    const made = { ...struct }
    for (const { field, read, fallback } of watched) {
      if (read(struct) !== null) continue
      if (fallback !== null && fallback !== undefined) setProperty(made, field.name, fallback)
      else if (field.schema.optional !== true) throw nullInRequired(field.name, purpose)
    }
    return made
  }
}

export function nullInRequired(field: string, purpose: string): DataError {
  return new DataError(`${purpose}: field ${field} is required, and null`)
}
