import { DataError } from '../errors.ts'
import type { Schema } from '../schema.ts'
import { ExactFraction } from './exact-json.ts'

type Read = (json: unknown) => unknown

/**
 * Finds the branch of a union that a JSON value is of, as Confluent's converter does: the first that is no struct and of
 * the value's kind, else the struct that has the most of the value's properties.
 */
export function unionReader(schema: Schema, path: string, compile: (schema: Schema, path: string) => Read): Read {
  const branches = (schema.fields ?? []).map((field) => ({
    name: field.name,
    schema: field.schema,
    read: compile(field.schema, `${path}.${field.name}`),
  }))
  return (json) => {
    let best: (typeof branches)[number] | undefined
    let most = 0
    for (const branch of branches) {
      if (isOfKind(branch.schema, json)) return { [branch.name]: branch.read(json) }
      const shared = sharedProperties(branch.schema, json)
      if (shared > most) {
        most = shared
        best = branch
      }
    }
    if (best === undefined) throw new DataError(`${path} is of none of the types that its schema allows`)
    return { [best.name]: best.read(json) }
  }
}

function isOfKind(schema: Schema, json: unknown): boolean {
  switch (schema.type) {
    case 'int8':
    case 'int16':
    case 'int32':
    case 'int64':
      return Number.isInteger(json) || typeof json === 'bigint'
    case 'float32':
    case 'float64':
      return typeof json === 'number' || typeof json === 'bigint' || json instanceof ExactFraction
    case 'boolean':
      return typeof json === 'boolean'
    case 'string':
    case 'bytes':
      return typeof json === 'string'
    case 'array':
      return Array.isArray(json)
    case 'map':
      return typeof json === 'object' && json !== null
    case 'struct':
      return false
  }
}

function sharedProperties(schema: Schema, json: unknown): number {
  if (schema.type !== 'struct' || typeof json !== 'object' || json === null || Array.isArray(json)) return 0
  const object = json as Readonly<Record<string, unknown>>
  let shared = 0
  for (const field of schema.fields ?? []) {
    if (Object.hasOwn(object, field.name)) shared += 1 + sharedProperties(field.schema, object[field.name])
  }
  return shared
}
