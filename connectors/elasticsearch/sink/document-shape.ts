import { logicalNames, schema as build, type Schema } from '@tidewire/sdk'

/** A schema as its values are to be in a document, and what makes them so. */
export interface Shape {
  readonly schema: Schema
  /** Left out: values are right as they are. */
  readonly convert?: (value: unknown) => unknown
}

/**
 * What of a schema's values a search engine would misread as JSON has them: a date is a text, since a number would be taken
 * for milliseconds; a map whose keys are no strings (or any map, unless `compact`) is a list of objects.
 */
export function documentShape(schema: Schema, compact: boolean): Shape {
  const { convert, ...shape } = shapeOf(schema, compact)
  if (convert === undefined) return shape
  const present = (value: unknown): unknown => (value === null || value === undefined ? value : convert(value))
  const made = shape.schema
  return {
    // A default is a value too.
    schema: schema.default == null ? made : { ...made, default: convert(schema.default) },
    convert: present,
  }
}

function shapeOf(schema: Schema, compact: boolean): Shape {
  if (schema.name === logicalNames.decimal) return { schema }
  if (schema.name === logicalNames.date && schema.type === 'int32') {
    return { schema: { ...basics(schema), type: 'string' }, convert: isoDate }
  }
  switch (schema.type) {
    case 'array':
      return arrayShape(schema, compact)
    case 'map':
      return mapShape(schema, compact)
    case 'struct':
      return structShape(schema, compact)
    default:
      return { schema }
  }
}

/** What a schema of another type keeps of it: whether there has to be a value. */
function basics({ optional }: Schema): { readonly optional?: boolean } {
  return optional === undefined ? {} : { optional }
}

const dayMs = 86_400_000
/** From -271821-04-20 to +275760-09-13. */
const maxDays = 100_000_000

function isoDate(days: unknown): unknown {
  // Whatever else it is, the writer refuses.
  if (typeof days !== 'number' || !Number.isInteger(days) || Math.abs(days) > maxDays) return days
  return new Date(days * dayMs).toISOString().replace(/T.*/, '')
}

function arrayShape(schema: Schema, compact: boolean): Shape {
  if (schema.values === undefined) return { schema }
  const item = documentShape(schema.values, compact)
  const { convert } = item
  if (convert === undefined) return { schema }
  return {
    schema: { ...schema, values: item.schema },
    convert: (value) => (Array.isArray(value) ? value.map(convert) : value),
  }
}

function mapShape(schema: Schema, compact: boolean): Shape {
  if (schema.values === undefined) return { schema }
  const keys = documentShape(schema.keys ?? { type: 'string' }, compact)
  const values = documentShape(schema.values, compact)
  const convertKey = keys.convert ?? same
  const convertValue = values.convert ?? same
  if (compact && keys.schema.type === 'string' && keys.convert === undefined) {
    if (values.convert === undefined) return { schema }
    return {
      schema: { ...schema, values: values.schema },
      convert: (map) =>
        map instanceof Map ? new Map([...map].map(([key, value]) => [key, convertValue(value)] as const)) : map,
    }
  }
  const entry = build.struct({ key: keys.schema, value: values.schema })
  return {
    schema: { ...basics(schema), type: 'array', values: entry },
    convert: (map) =>
      entriesOf(map)?.map(([key, value]) => ({ key: convertKey(key), value: convertValue(value) })) ?? map,
  }
}

function entriesOf(map: unknown): (readonly [unknown, unknown])[] | undefined {
  if (map instanceof Map) return [...(map as Map<unknown, unknown>)]
  return typeof map === 'object' && map !== null && !Array.isArray(map) ? Object.entries(map) : undefined
}

function same(value: unknown): unknown {
  return value
}

function structShape(schema: Schema, compact: boolean): Shape {
  const fields = (schema.fields ?? []).map(({ name, schema: of }) => ({ name, ...documentShape(of, compact) }))
  const changed = fields.flatMap(({ name, convert }) => (convert === undefined ? [] : [{ name, convert }]))
  if (changed.length === 0) return { schema }
  return {
    schema: { ...schema, fields: fields.map(({ name, schema: of }) => ({ name, schema: of })) },
    convert: (value) => {
      if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
      const struct = value as Readonly<Record<string, unknown>>
      const converted: Record<string, unknown> = { ...struct }
      for (const { name, convert } of changed) converted[name] = convert(struct[name])
      return converted
    },
  }
}
