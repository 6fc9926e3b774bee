import { Decimal, logicalNames, type Schema } from '../schema.ts'

const ranges: Partial<Record<Schema['type'], number>> = { int8: 7, int16: 15, int32: 31 }

/** What does not fit the schema, with its place; undefined where all does. See schema.ts for how values are held. */
export function schemaProblem(schema: Schema, value: unknown, place: string): string | undefined {
  if (value === null || value === undefined) {
    const mayBeNull = schema.optional === true || schema.default !== undefined
    return mayBeNull ? undefined : `${place} is ${String(value)}, and its schema is not optional`
  }
  const wrong = `${place} is no ${schema.type}`
  switch (schema.type) {
    case 'int8':
    case 'int16':
    case 'int32': {
      const bound = 2 ** ranges[schema.type]!
      return Number.isInteger(value) && (value as number) >= -bound && (value as number) < bound ? undefined : wrong
    }
    case 'int64':
      return typeof value === 'bigint' || Number.isSafeInteger(value) ? undefined : wrong
    case 'float32':
    case 'float64':
      return typeof value === 'number' ? undefined : wrong
    case 'boolean':
    case 'string':
      return typeof value === schema.type ? undefined : wrong
    case 'bytes': {
      const isBytes = schema.name === logicalNames.decimal ? value instanceof Decimal : value instanceof Uint8Array
      return isBytes ? undefined : wrong
    }
    case 'array':
      if (!Array.isArray(value)) return wrong
      return first(value.map((item, i) => schemaProblem(schema.values!, item, `${place}[${i}]`)))
    case 'map':
      if (!(value instanceof Map)) return wrong
      return first(
        [...value].flatMap(([key, item]) => [
          schemaProblem(schema.keys!, key, `a key of ${place}`),
          schemaProblem(schema.values!, item, `${place}[${String(key)}]`),
        ]),
      )
    case 'struct':
      return structProblem(schema, value, place)
  }
}

function structProblem({ fields = [] }: Schema, value: unknown, place: string): string | undefined {
  if (typeof value !== 'object' || Array.isArray(value) || value instanceof Map) return `${place} is no struct`
  const held = value as Readonly<Record<string, unknown>>
  const unknown = Object.keys(held).find((name) => !fields.some((field) => field.name === name))
  if (unknown !== undefined) return `${place}.${unknown} is not in the schema`
  return first(fields.map(({ name, schema }) => schemaProblem(schema, held[name], `${place}.${name}`)))
}

function first(problems: readonly (string | undefined)[]): string | undefined {
  return problems.find((problem) => problem !== undefined)
}
