/** Values that an expression made, brought into the types that their schema says. */
import { DataError, Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { rescale, setProperty } from '@tidewire/sdk/values'
import { isPlainObject, kindOf, type NewStruct } from '../struct-values.ts'

type Fit = (value: unknown) => unknown

const ranges: Readonly<Record<string, readonly [bigint, bigint]>> = {
  int8: [-(2n ** 7n), 2n ** 7n - 1n],
  int16: [-(2n ** 15n), 2n ** 15n - 1n],
  int32: [-(2n ** 31n), 2n ** 31n - 1n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
}

/** A null becomes the default, where there is one. @returns a function that throws a DataError for what does not fit: null in a required place, a text for a number */
export function compileFit(schema: Schema, place: string): Fit {
  const fit = ofType(schema, place)
  const fallback: unknown = schema.default ?? null
  return (value) => {
    if (value !== null && value !== undefined) return fit(value)
    if (fallback !== null) return fallback
    if (schema.optional !== true) throw new DataError(`${place} is null, and not optional`)
    return null
  }
}

function ofType(schema: Schema, place: string): Fit {
  const range = ranges[schema.type]
  if (range !== undefined) return (value) => wholeNumber(value, range, schema, place)
  switch (schema.type) {
    case 'float32':
    case 'float64':
      return (value) => (typeof value === 'bigint' ? Number(value) : primitive('number', value, schema, place))
    case 'boolean':
    case 'string':
      return (value) => primitive(schema.type, value, schema, place)
    case 'bytes':
      return schema.name === logicalNames.decimal ? decimal(schema, place) : (value) => bytes(value, schema, place)
    case 'array':
      return array(schema, place)
    case 'map':
      return map(schema, place)
    default:
      return struct(schema, place)
  }
}

function misfit(value: unknown, schema: Schema, place: string): DataError {
  return new DataError(`${place} is to be ${schema.name ?? schema.type}, and is ${kindOf(value)}`)
}

function wholeNumber(value: unknown, [least, most]: readonly [bigint, bigint], schema: Schema, place: string): unknown {
  if (typeof value !== 'bigint' && !Number.isSafeInteger(value)) throw misfit(value, schema, place)
  const number = value as number | bigint
  if (number < least || number > most) throw new DataError(`${place}: ${number} is out of the range of ${schema.type}`)
  return number
}

function primitive(type: string, value: unknown, schema: Schema, place: string): unknown {
  if (typeof value !== type) throw misfit(value, schema, place)
  return value
}

function bytes(value: unknown, schema: Schema, place: string): unknown {
  if (!(value instanceof Uint8Array)) throw misfit(value, schema, place)
  return value
}

function decimal(schema: Schema, place: string): Fit {
  const scale = Number(schema.parameters?.['scale'] ?? 0)
  return (value) => {
    if (!(value instanceof Decimal)) throw misfit(value, schema, place)
    try {
      return rescale(value, scale)
    } catch (cause) {
      throw new DataError(`${place}: ${(cause as Error).message}`, { cause })
    }
  }
}

function array(schema: Schema, place: string): Fit {
  const fit = compileFit(schema.values!, `an item of ${place}`)
  return (value) => {
    if (!Array.isArray(value)) throw misfit(value, schema, place)
    return value.map(fit)
  }
}

/** What an expression makes of names and values may stand for a map too. */
function map(schema: Schema, place: string): Fit {
  const fitKey = compileFit(schema.keys!, `a key of ${place}`)
  const fit = compileFit(schema.values!, `a value of ${place}`)
  return (value) => {
    const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : objectEntries(value)
    if (entries === undefined) throw misfit(value, schema, place)
    return new Map(entries.map(([key, item]) => [fitKey(key), fit(item)]))
  }
}

function objectEntries(value: unknown): [unknown, unknown][] | undefined {
  return isPlainObject(value) ? Object.entries(value) : undefined
}

function struct(schema: Schema, place: string): Fit {
  const fields = (schema.fields ?? []).map((field) => ({
    name: field.name,
    fit: compileFit(field.schema, place === '' ? field.name : `${place}.${field.name}`),
  }))
  return (value) => {
    if (!isPlainObject(value)) throw misfit(value, schema, place)
    const made: NewStruct = {}
    for (const { name, fit } of fields) setProperty(made, name, fit(Object.hasOwn(value, name) ? value[name] : null))
    return made
  }
}
