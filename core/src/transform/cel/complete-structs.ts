/**
 * Structs as expressions see them: every field is there, null where it is absent, or what the schema has as its default, as
 * Kafka Connect's Struct.get gives it. Most values have all their fields and are passed as they are.
 */
import type { Schema } from '@tidewire/sdk'
import { setProperty } from '@tidewire/sdk/values'
import { isPlainObject, type NewStruct } from '../struct-values.ts'

type Completed = (value: unknown) => unknown

/** @returns undefined where nothing in values of the schema can be missing */
export function compileCompletion(schema: Schema): Completed | undefined {
  if (schema.type === 'array') return ofArray(schema.values && compileCompletion(schema.values))
  if (schema.type === 'map') return ofMap(schema.values && compileCompletion(schema.values))
  return schema.type === 'struct' ? ofStruct(schema) : undefined
}

function ofArray(complete: Completed | undefined): Completed | undefined {
  if (complete === undefined) return undefined
  return (value) => (Array.isArray(value) ? value.map(complete) : value)
}

function ofMap(complete: Completed | undefined): Completed | undefined {
  if (complete === undefined) return undefined
  return (value) =>
    value instanceof Map ? new Map([...(value as Map<unknown, unknown>)].map(([k, v]) => [k, complete(v)])) : value
}

function ofStruct({ fields = [] }: Schema): Completed {
  const steps = fields.map(({ name, schema }) => ({
    name,
    fallback: schema.default ?? null,
    complete: compileCompletion(schema),
  }))
  return (value) => {
    if (!isPlainObject(value)) return value
    let made: NewStruct | undefined
    for (const { name, fallback, complete } of steps) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined
      const found = given ?? fallback
      const whole = complete === undefined || found === null ? found : complete(found)
      if (whole === given) continue
      made ??= { ...value }
      setProperty(made, name, whole)
    }
    return made ?? value
  }
}
