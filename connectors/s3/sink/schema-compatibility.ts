/**
 * `schema.compatibility`: whether a record goes into the open object although its schema is another one, and how its value is
 * brought to the object's schema then. The rules are those of Confluent's storage connectors and of Kafka Connect's
 * SchemaProjector.
 */
import { DataError, type Schema, type SinkRecord } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { sameSchema, sameTexts } from './schema-equality.ts'

export type Compatibility = 'NONE' | 'BACKWARD' | 'FORWARD' | 'FULL'

/**
 * Whether a record of `schema` needs a new object, where the open one has the schema `open`.
 * @throws DataError where that cannot be told
 */
export function needsNewObject(
  compatibility: Compatibility,
  schema: Schema | undefined,
  open: Schema | undefined,
): boolean {
  if (schema === open) return false
  if (schema === undefined || open === undefined) return true
  if (compatibility === 'NONE') return !sameSchema(schema, open)
  if (schema.version === undefined || open.version === undefined) {
    throw new DataError(`schema.compatibility=${compatibility} needs schemas with versions, and this one has none`)
  }
  if (!isProjectable(schema, open)) return true
  return compatibility === 'FORWARD' ? schema.version < open.version : schema.version > open.version
}

/** The record as it goes into an object of that schema. */
export function projected(record: SinkRecord, target: Schema | undefined): SinkRecord {
  const { valueSchema } = record
  if (valueSchema === target || valueSchema === undefined || target === undefined) return record
  if (sameSchema(valueSchema, target)) return record
  return { ...record, valueSchema: target, value: project(record.value, valueSchema, target) }
}

const numbers = ['int8', 'int16', 'int32', 'int64', 'float32', 'float64']

function isPromotable(from: Schema, to: Schema): boolean {
  return numbers.includes(from.type) && numbers.indexOf(from.type) <= numbers.indexOf(to.type)
}

/** Parameters of Avro's and Protobuf's own say nothing of the values. */
function ownParameters({ parameters = {} }: Schema): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(parameters).filter(([name]) => !/^(?:io\.confluent|connect\.|org\.apache\.avro)/.test(name)),
  )
}

const hasDefault = (schema: Schema): boolean => schema.default !== undefined && schema.default !== null

/** Whether values of one schema can be brought to another. */
function isProjectable(from: Schema, to: Schema): boolean {
  if (from.type !== to.type && !isPromotable(from, to)) return false
  if (from.name !== to.name || !sameTexts(ownParameters(from), ownParameters(to))) return false
  if (from.optional === true && to.optional !== true && !hasDefault(to)) return false
  if (from.type === 'struct') return areFieldsProjectable(from, to)
  if (from.keys !== undefined && to.keys !== undefined && !isProjectable(from.keys, to.keys)) return false
  return from.values === undefined || to.values === undefined || isProjectable(from.values, to.values)
}

function areFieldsProjectable({ fields = [] }: Schema, to: Schema): boolean {
  const sources = new Map(fields.map(({ name, schema }) => [name, schema]))
  return (to.fields ?? []).every(({ name, schema }) => {
    const source = sources.get(name)
    return source === undefined ? schema.optional === true || hasDefault(schema) : isProjectable(source, schema)
  })
}

function project(value: unknown, from: Schema, to: Schema): unknown {
  if (value === null || value === undefined) return to.optional === true ? null : (to.default ?? null)
  switch (to.type) {
    case 'struct':
      return projectStruct(value as Readonly<Record<string, unknown>>, from, to)
    case 'array':
      return (value as readonly unknown[]).map((item) => project(item, from.values!, to.values!))
    case 'map':
      return new Map(
        [...(value as ReadonlyMap<unknown, unknown>)].map(([key, item]) => [
          project(key, from.keys!, to.keys!),
          project(item, from.values!, to.values!),
        ]),
      )
    case 'float32':
    case 'float64':
      return typeof value === 'bigint' ? Number(value) : value
    default:
      return value
  }
}

function projectStruct(value: Readonly<Record<string, unknown>>, from: Schema, to: Schema): unknown {
  const sources = new Map((from.fields ?? []).map(({ name, schema }) => [name, schema]))
  const result: Record<string, unknown> = {}
  for (const { name, schema } of to.fields ?? []) {
    const source = sources.get(name)
    setProperty(result, name, source === undefined ? (schema.default ?? null) : project(value[name], source, schema))
  }
  return result
}
