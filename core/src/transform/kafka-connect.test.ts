/**
 * Every case of test/vectors/transforms/transforms.json: what Kafka Connect's own transforms made of the records there.
 * Java's error texts are not ours, so of an error only that there is one is compared.
 */
import { readFileSync } from 'node:fs'
import {
  Decimal,
  isErrorKind,
  logicalNames,
  type ConnectRecord,
  type PredicateDefinition,
  type Schema,
  type SchemaType,
  type TransformDefinition,
} from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { compileSettings } from '../config/settings.ts'
import { parseExact } from '../json/exact-json.ts'
import plugin from './plugin.ts'

interface SchemaVector {
  readonly type: SchemaType
  readonly fields?: readonly (readonly [string, number])[]
  readonly keys?: number
  readonly values?: number
  readonly default?: unknown
}

/** Indexes of parts, each a schema and a value. */
interface RecordVector {
  readonly topic: string
  readonly partition?: number
  readonly offset?: number
  readonly timestamp?: number
  readonly key: number
  readonly value: number
  readonly headers: readonly (readonly [string, number])[]
}

type Result = string | boolean | Partial<RecordVector>

interface Case {
  readonly type: string
  readonly config: Readonly<Record<string, string>>
  readonly configError?: string
  readonly results?: readonly (Result | readonly [number, Result])[]
}

const file = new URL('../../../test/vectors/transforms/transforms.json', import.meta.url)
const vectors = parseExact(readFileSync(file, 'utf8'), 'integers') as {
  readonly schemas: readonly SchemaVector[]
  readonly parts: readonly (readonly [number, unknown])[]
  readonly records: readonly RecordVector[]
  readonly cases: readonly Case[]
}

interface Difference {
  readonly why: string
  readonly is: (each: Case, record: RecordVector, result: Result) => boolean
}

const failsInJava = (result: Result): boolean => typeof result === 'string' && result.startsWith('!')
const schemaOfValue = (record: RecordVector): SchemaVector | undefined =>
  vectors.schemas[vectors.parts[record.value]![0]]

/** Where we differ from Kafka Connect on purpose. A case that is none any more fails the last test. */
const differences: readonly Difference[] = [
  {
    why: "A struct's default, which Kafka Connect cannot read back (its schema is a builder's, never equal to the built one), is read here.",
    is: (_each, { value }, result) =>
      failsInJava(result) && vectors.schemas[vectors.parts[value]![0]]?.fields?.[0]?.[0] === 'p',
  },
  {
    why: 'SetSchemaMetadata takes schemas of any type; in Kafka Connect 4.3 it fails for all but structs.',
    is: ({ type }, record, result) =>
      type.startsWith('SetSchemaMetadata') &&
      failsInJava(result) &&
      (schemaOfValue(record)?.type ?? 'struct') !== 'struct',
  },
  {
    why: 'HoistField does not look into a struct that its maker left incomplete: the converter will.',
    is: ({ type }, { value }, result) =>
      type.startsWith('HoistField') && failsInJava(result) && JSON.stringify(vectors.parts[value]![1]) === emptyStruct,
  },
  {
    why: 'A literal is a number as a whole or a text: Kafka Connect reads 1:2 as 1, and leaves out digits of a fraction.',
    is: ({ type, config }) => type === 'InsertHeader' && ['1:2', '3.14159265358979'].includes(config['value.literal']!),
  },
  {
    why: "The farthest past that an int64 holds overflows in Java's calendar.",
    is: ({ type }, { value }) => type.startsWith('TimestampConverter') && vectors.parts[value]![1] === -(2n ** 63n),
  },
]

const emptyStruct = JSON.stringify({ $: 'struct', fields: [] })

/** Settings that Kafka Connect refuses, and we take: a choice may be written with other capitals. */
const takenHere: readonly Case['config'][] = [{ 'target.type': 'date' }]

// A schema is the same object wherever it stands, as it is in a topic's records.
const schemas: (Schema | undefined)[] = []
function schemaAt(index: number): Schema | undefined {
  if (index < 0) return undefined
  const { fields, keys, values, default: fallback, ...rest } = vectors.schemas[index]!
  schemas[index] ??= {
    ...rest,
    ...(fields === undefined ? {} : { fields: fields.map(([name, at]) => ({ name, schema: schemaAt(at)! })) }),
    ...(keys === undefined ? {} : { keys: schemaAt(keys)! }),
    ...(values === undefined ? {} : { values: schemaAt(values)! }),
  }
  const made = schemas[index]
  if (fallback !== undefined) Object.assign(made, { default: decode(fallback, made) })
  return made
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

function recordOf(vector: RecordVector, target?: string): ConnectRecord {
  const { key, value, headers, ...rest } = vector
  const [keySchema, keyJson] = vectors.parts[key]!
  const [valueSchema, valueJson] = vectors.parts[value]!
  return {
    ...rest,
    // -1 is how a sink's record says that it has none.
    ...(rest.offset !== undefined && rest.timestamp === undefined ? { timestamp: -1 } : {}),
    keySchema: schemaAt(keySchema),
    key: decode(keyJson, schemaAt(keySchema), target),
    valueSchema: schemaAt(valueSchema),
    value: decode(valueJson, schemaAt(valueSchema), target),
    headers: headers.map(([name, part]) => {
      const [schema, json] = vectors.parts[part]!
      return { key: name, schema: schemaAt(schema), value: decode(json, schemaAt(schema)) }
    }),
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

function canonicalRecord(record: ConnectRecord): unknown {
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

function unpacked(results: NonNullable<Case['results']>): Result[] {
  return results.flatMap((each) => {
    if (!Array.isArray(each)) return [each as Result]
    const [count, result] = each as [number, Result]
    return Array.from({ length: count }, () => result)
  })
}

type Definition = TransformDefinition | PredicateDefinition
const definitions = [...(plugin.transforms ?? []), ...(plugin.predicates ?? [])] as Definition[]

/** What is wrong with the settings, or the settings. */
function configure(definition: Definition, raw: Case['config']): { config: never } | { errors: unknown } {
  const { config, errors } = compileSettings(definition.config)(raw)
  if (Object.keys(errors).length > 0) return { errors }
  const problems = definition.check?.(config) ?? {}
  return Object.keys(problems).length > 0 ? { errors: problems } : { config: config as never }
}

/** Those that the vectors still show. */
const met = new Set<Difference>()

const shownJson = (json: unknown): string =>
  JSON.stringify(json, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

const context = {} as Parameters<TransformDefinition['create']>[1]

describe.each([...new Set(vectors.cases.map(({ type }) => type))])('%s', (type) => {
  const definition = definitions.find(({ aliases }) =>
    aliases?.includes(`org.apache.kafka.connect.transforms.${type}`),
  )!
  const cases = vectors.cases.filter((each) => each.type === type)

  test.each(cases.map((each) => [JSON.stringify(each.config), each] as const))('%s', async (_name, each) => {
    const configured = configure(definition, each.config)
    if (each.configError !== undefined) {
      const isTaken = takenHere.some((config) => JSON.stringify(config) === JSON.stringify(each.config))
      expect('errors' in configured, each.configError).toBe(!isTaken)
      return
    }
    if ('errors' in configured) throw new Error(JSON.stringify(configured.errors))
    const made = await definition.create(configured.config, context)
    for (const [i, result] of unpacked(each.results!).entries()) {
      const vector = vectors.records[i]!
      const record = recordOf(vector)
      const difference = differences.find(({ is }) => is(each, vector, result))
      if (difference !== undefined) {
        met.add(difference)
        continue
      }
      const shown = `record ${i}: ${shownJson(vectors.parts[vector.value])} gives ${shownJson(result)}`
      if ('test' in made) {
        expect(made.test(record), shown).toBe(result)
        continue
      }
      const before = canonicalRecord(record)
      let answer: ConnectRecord | null
      try {
        answer = made.apply(record) as ConnectRecord | null
      } catch (error) {
        if (!isErrorKind(error, 'DataError')) throw error
        expect(`! ${error.message}`, shown).toMatch(/^!/)
        expect(result, `${shown}; here: ${error.message}`).toMatch(/^!/)
        continue
      }
      expect(canonicalRecord(record), `${shown}; the record itself is not changed`).toEqual(before)
      if (typeof result === 'object') {
        const expected = recordOf({ ...vector, ...result }, each.config['target.type'])
        expect(canonicalRecord(answer!), shown).toEqual(canonicalRecord(expected))
      } else {
        expect(answer === null ? '-' : '=', shown).toBe(result)
        if (answer !== null) expect(canonicalRecord(answer), shown).toEqual(before)
      }
    }
  })
})

test('every difference is one still', () => {
  expect(differences.filter((difference) => !met.has(difference)).map(({ why }) => why)).toEqual([])
})
