import type { Schema, SinkRecord } from '@tidewire/sdk'

/** A struct, or an object of a record without a schema. */
export type Fields = Readonly<Record<string, unknown>>

/** What a record asks for; undefined: nothing that concerns a table. */
export type Change =
  | {
      readonly kind: 'write'
      readonly value: unknown
      readonly schema: Schema | undefined
      /** Of a change event, whose nulls are nulls of the origin's row. */
      readonly isEvent: boolean
    }
  | { readonly kind: 'delete' }
  | { readonly kind: 'truncate' }
  | undefined

const deletion: Change = { kind: 'delete' }
const truncation: Change = { kind: 'truncate' }

/**
 * What a record asks for. Debezium's change events are known by their schema's name (`….Envelope`), or, where there is none,
 * by their fields; everything else is a row, or without a value the end of one.
 */
export function changeOf(record: SinkRecord): Change {
  const { value, valueSchema } = record
  if (value === null || value === undefined) return deletion
  if (!isChangeEvent(value, valueSchema)) return { kind: 'write', value, schema: valueSchema, isEvent: false }
  const event = value as Fields
  switch (event['op']) {
    case 'c':
    case 'r':
    case 'u':
      return { kind: 'write', value: event['after'], schema: rowSchemaOf(valueSchema), isEvent: true }
    case 'd':
      return deletion
    case 't':
      return truncation
    default:
      // A logical message, or what later versions may bring.
      return undefined
  }
}

/** The origin that a change event tells; undefined of any other record. */
export function sourceOf({ value, valueSchema }: SinkRecord): Fields | undefined {
  if (value === null || value === undefined || !isChangeEvent(value, valueSchema)) return undefined
  return (value as Fields)['source'] as Fields | undefined
}

const eventSchemas = new WeakMap<Schema, boolean>()

function isChangeEvent(value: unknown, schema: Schema | undefined): boolean {
  if (schema === undefined) return isEventWithoutSchema(value)
  let isEvent = eventSchemas.get(schema)
  if (isEvent === undefined) {
    isEvent = isEventSchema(schema)
    eventSchemas.set(schema, isEvent)
  }
  return isEvent
}

function isEventSchema({ name, fields = [] }: Schema): boolean {
  const has = (field: string): boolean => fields.some((one) => one.name === field)
  if (!has('op') || !has('source')) return false
  return name === undefined ? has('after') : name.endsWith('.Envelope') || name.endsWith('MessageValue')
}

function isEventWithoutSchema(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  const { op, source } = value as Fields
  return typeof op === 'string' && typeof source === 'object' && source !== null && ('after' in value || op === 't')
}

const rowSchemas = new WeakMap<Schema, Schema>()

function rowSchemaOf(schema: Schema | undefined): Schema | undefined {
  if (schema === undefined) return undefined
  let found = rowSchemas.get(schema)
  if (found === undefined) {
    found = schema.fields!.find(({ name }) => name === 'after')!.schema
    rowSchemas.set(schema, found)
  }
  return found
}
