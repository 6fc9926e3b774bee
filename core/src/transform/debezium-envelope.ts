/** What Debezium's transforms know of its change events. */
import { DataError, type Field, type Schema } from '@tidewire/sdk'

/** Whether a value is a change event: schemas of such are named so. */
export function isEnvelope(schema: Schema | undefined): schema is Schema {
  return schema?.name?.endsWith('.Envelope') === true
}

export function fieldOf(schema: Schema, name: string): Field | undefined {
  return schema.fields?.find((field) => field.name === name)
}

/** @throws DataError where there is none */
export function requiredField(schema: Schema, name: string, purpose: string): Field {
  const field = fieldOf(schema, name)
  if (field === undefined) throw new DataError(`${purpose}: there is no field ${name}`)
  return field
}

/** Debezium's copies of schemas leave it out. */
export function withoutDefault(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([name]) => name !== 'default')) as unknown as Schema
}
