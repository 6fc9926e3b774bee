/** What Java's transforms made of records, as the generators in test/vectors write it. */
import { readFileSync } from 'node:fs'
import {
  Decimal,
  logicalNames,
  type ConnectRecord,
  type PredicateDefinition,
  type Schema,
  type SchemaType,
  type TransformDefinition,
} from '@tidewire/sdk'
import { expect } from 'vitest'
import { compileSettings } from '../../config/settings.ts'
import { parseExact } from '@tidewire/sdk/exact-json'

export interface SchemaVector {
  readonly type: SchemaType
  readonly fields?: readonly (readonly [string, number])[]
  readonly keys?: number
  readonly values?: number
  readonly default?: unknown
}

/** Indexes of parts, each a schema and a value. */
export interface RecordVector {
  readonly topic: string
  readonly partition?: number
  readonly offset?: number
  readonly timestamp?: number
  readonly key: number
  readonly value: number
  readonly headers: readonly (readonly [string, number])[]
}

export type Result = string | boolean | Partial<RecordVector>

export interface Case {
  readonly type: string
  readonly config: Readonly<Record<string, string>>
  readonly configError?: string
  readonly results?: readonly (Result | readonly [number, Result])[]
}

interface Vectors {
  readonly schemas: readonly SchemaVector[]
  readonly parts: readonly (readonly [number, unknown])[]
  readonly records: readonly RecordVector[]
  readonly cases: readonly Case[]
}

/** A file of them. */
export class JavaVectors {
  readonly vectors: Vectors
  // A schema is the same object wherever it stands, as it is in a topic's records.
  readonly #schemas: (Schema | undefined)[] = []

  constructor(file: URL) {
    this.vectors = parseExact(readFileSync(file, 'utf8'), 'integers') as Vectors
  }

  #schemaAt(index: number): Schema | undefined {
    if (index < 0) return undefined
    const { fields, keys, values, default: fallback, ...rest } = this.vectors.schemas[index]!
    this.#schemas[index] ??= {
      ...rest,
      ...(fields === undefined ? {} : { fields: fields.map(([name, at]) => ({ name, schema: this.#schemaAt(at)! })) }),
      ...(keys === undefined ? {} : { keys: this.#schemaAt(keys)! }),
      ...(values === undefined ? {} : { values: this.#schemaAt(values)! }),
    }
    const made = this.#schemas[index]
    if (fallback !== undefined) Object.assign(made, { default: decode(fallback, made) })
    return made
  }

  /** @param target of a time without a schema: what the transform made of it */
  recordOf(vector: RecordVector, target?: string): ConnectRecord {
    const { key, value, headers, ...rest } = vector
    const [keySchema, keyJson] = this.vectors.parts[key]!
    const [valueSchema, valueJson] = this.vectors.parts[value]!
    return {
      ...rest,
      // -1 is how a sink's record says that it has none.
      ...(rest.offset !== undefined && rest.timestamp === undefined ? { timestamp: -1 } : {}),
      keySchema: this.#schemaAt(keySchema),
      key: decode(keyJson, this.#schemaAt(keySchema), target),
      valueSchema: this.#schemaAt(valueSchema),
      value: decode(valueJson, this.#schemaAt(valueSchema), target),
      headers: headers.map(([name, part]) => {
        const [schema, json] = this.vectors.parts[part]!
        return { key: name, schema: this.#schemaAt(schema), value: decode(json, this.#schemaAt(schema)) }
      }),
    }
  }
}

type Tagged = { readonly $: string } & Readonly<Record<string, unknown>>

/** A value in Java's form as it is held here. @param target of a time without a schema: what the transform made of it */
function decode(json: unknown, schema: Schema | undefined, target?: string): unknown {
  if (Array.isArray(json)) return json.map((item) => decode(item, schema?.values, target))
  if (typeof json !== 'object' || json === null) return json
  const tagged = json as Tagged
  switch (tagged.$) {
    case 'float':
      return Number(tagged['text'])
    case 'bytes':
      return new Uint8Array(Buffer.from(tagged['base64'] as string, 'base64'))
    case 'decimal':
      return new Decimal(BigInt(tagged['unscaled'] as string), tagged['scale'] as number)
    case 'date': {
      const ms = tagged['ms'] as number | bigint
      const isDate = schema === undefined ? target === 'Date' : schema.name === logicalNames.date
      return isDate ? Number(BigInt(ms) / 86_400_000n) : ms
    }
    case 'map': {
      const entries = tagged['entries'] as [unknown, unknown][]
      const decoded = entries.map(
        ([key, item]) => [decode(key, schema?.keys), decode(item, schema?.values, target)] as const,
      )
      return schema === undefined ? Object.fromEntries(decoded as [string, unknown][]) : new Map(decoded)
    }
    case 'struct': {
      const fields = tagged['fields'] as [string, unknown][]
      const schemaOf = (name: string): Schema => schema!.fields!.find((field) => field.name === name)!.schema
      return Object.fromEntries(fields.map(([name, item]) => [name, decode(item, schemaOf(name))]))
    }
    default:
      throw new Error(tagged.$)
  }
}

/** In one form what may be held in several: an absent field is null, -0 is no number of its own where there is no schema. */
function canonical(value: unknown, schema?: Schema): unknown {
  if (value === null || value === undefined) return null
  if (typeof value === 'bigint') return `${value}n`
  if (value instanceof Decimal) return { unscaled: `${value.unscaled}`, scale: value.scale }
  if (value instanceof Uint8Array) return { bytes: Buffer.from(value).toString('hex') }
  if (Array.isArray(value)) return value.map((item) => canonical(item, schema?.values))
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)]
    return { map: entries.map(([key, item]) => [canonical(key, schema?.keys), canonical(item, schema?.values)]) }
  }
  if (typeof value !== 'object') return value
  const object = value as Readonly<Record<string, unknown>>
  if (schema === undefined) {
    return Object.entries(object)
      .map(([name, item]) => [name, canonical(item)] as const)
      .sort(([a], [b]) => (a < b ? -1 : 1))
  }
  if (schema.fields === undefined) throw new Error(`an object of type ${schema.type}`)
  const names = schema.fields.map(({ name }) => name)
  expect(names, 'a struct has no properties but its fields').toEqual(expect.arrayContaining(Object.keys(object)))
  return schema.fields.map((field) => [
    field.name,
    canonical(Object.hasOwn(object, field.name) ? object[field.name] : null, field.schema),
  ])
}

function canonicalSchema(schema: Schema | undefined): unknown {
  if (schema === undefined) return null
  const { fields, keys, values, default: fallback, ...rest } = schema
  return {
    ...rest,
    ...(fields === undefined ? {} : { fields: fields.map((field) => [field.name, canonicalSchema(field.schema)]) }),
    ...(keys === undefined ? {} : { keys: canonicalSchema(keys) }),
    ...(values === undefined ? {} : { values: canonicalSchema(values) }),
    ...(fallback === undefined ? {} : { default: canonical(fallback, schema) }),
  }
}

export function canonicalRecord(record: ConnectRecord): unknown {
  const { key, keySchema, value, valueSchema, headers = [], ...rest } = record
  return {
    ...rest,
    key: [canonicalSchema(keySchema), canonical(key, keySchema)],
    value: [canonicalSchema(valueSchema), canonical(value, valueSchema)],
    headers: headers.map((header) => [
      header.key,
      canonicalSchema(header.schema),
      canonical(header.value, header.schema),
    ]),
  }
}

export function unpacked(results: NonNullable<Case['results']>): Result[] {
  return results.flatMap((each) => {
    if (!Array.isArray(each)) return [each as Result]
    const [count, result] = each as [number, Result]
    return Array.from({ length: count }, () => result)
  })
}

type Definition = TransformDefinition | PredicateDefinition

/** What is wrong with the settings, or the settings. */
export function configure(definition: Definition, raw: Case['config']): { config: never } | { errors: unknown } {
  const { config, errors } = compileSettings(definition.config)(raw)
  if (Object.keys(errors).length > 0) return { errors }
  const problems = definition.check?.(config) ?? {}
  return Object.keys(problems).length > 0 ? { errors: problems } : { config: config as never }
}
