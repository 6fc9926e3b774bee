/** Compared with Confluent's JsonSchemaData. */
import { describe, expect, test } from 'vitest'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import type { MessageReader, ResolvedSchema } from '../registry/schema-codec.ts'
import { answered, fromEnvelope, loadVectors, toEnvelope } from '../testing/confluent-vectors.ts'
import { JsonSchemaCodec } from './json-schema-codec.ts'

interface Case {
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly schema?: unknown
  readonly payload?: unknown
  readonly json?: unknown
  readonly message?: unknown
}

interface Vector {
  readonly name: string
  readonly error?: string
  readonly schema: string
  readonly message: string
  readonly back: unknown
}

type Both<T> = { readonly connect: readonly T[]; readonly schemas: readonly T[] }

const cases = loadVectors('json-schema-cases.json') as Both<Case>
const vectors = loadVectors('json-schema-vectors.json') as Both<Vector>

function codecOf({ options }: Case): JsonSchemaCodec {
  const is = (name: string, fallback = false) => (options[name] === undefined ? fallback : options[name] === 'true')
  return new JsonSchemaCodec({
    decimalFormat: options['decimal.format'] === 'NUMERIC' ? 'NUMERIC' : 'BASE64',
    additionalProperties: is('object.additional.properties', true),
    optionalForNonRequired: is('use.optional.for.nonrequired'),
    generalizedSumTypes: is('generalized.sum.type.support'),
    flattenSingletonUnions: is('flatten.singleton.unions', true),
    ignoreDefaultForNullables: is('ignore.default.for.nullables'),
  })
}

function readBack(codec: JsonSchemaCodec, text: string, message: Buffer): unknown {
  const resolved: ResolvedSchema = { schema: { id: 1, type: 'JSON', schema: text, references: [] }, references: [] }
  const { schema, read }: MessageReader = codec.reader(resolved, 9)
  return toEnvelope(schema, read(message, 0))
}

type Json = Readonly<Record<string, unknown>>

/** Order that follows from Java's hash codes there, and from the text here: of `oneOf`, of fields, of a union's branches. */
function inOneOrder(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(inOneOrder)
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json).map(([name, value]: [string, unknown]) => {
      if (name === 'oneOf' || name === 'fields')
        return [name, sorted((value as Json[]).map(withoutBranch).map(inOneOrder))]
      // Which type a second reference leads to, for types that lead back to themselves: none do here.
      if (name === 'parameters') return [name, withoutId(value as Json)]
      return isBranch(name) ? ['branch', inOneOrder(value)] : [name, inOneOrder(value)]
    }),
  )
}

function withoutId(parameters: Json): Json | undefined {
  const rest = Object.entries(parameters).filter(([name]) => name !== 'io.confluent.connect.json.Id')
  return rest.length === 0 ? undefined : Object.fromEntries(rest)
}

const isBranch = (name: unknown) =>
  /^(io\.confluent\.connect\.json\.OneOf\.field|connect_union_field_)/.test(String(name))

const withoutBranch = (field: Json): Json => (isBranch(field['field']) ? { ...field, field: 'branch' } : field)

function sorted(items: readonly unknown[]): unknown[] {
  return [...items].sort((one, other) => (stringifyExact(one) < stringifyExact(other) ? -1 : 1))
}

/** A payload shows of a union the branch that is set, alone. */
function withoutNullBranches(json: unknown): unknown {
  if (Array.isArray(json)) return json.map(withoutNullBranches)
  if (typeof json !== 'object' || json === null) return json
  return Object.fromEntries(
    Object.entries(json)
      .filter(([name, value]) => value !== null || !isBranch(name))
      .map(([name, value]) => [name, withoutNullBranches(value)]),
  )
}

function comparable(envelope: unknown): unknown {
  const { schema, payload } = envelope as { readonly schema: unknown; readonly payload: unknown }
  return { schema: inOneOrder(schema), payload: inOneOrder(withoutNullBranches(payload)) }
}

describe('Connect to JSON Schema and back', () => {
  test.each(answered(cases.connect, vectors.connect))('%s', (_name, one, vector) => {
    const { schema, value } = fromEnvelope(one.schema, one.payload)
    const codec = codecOf(one)
    const described = codec.describe(schema)
    expect(inOneOrder(parseExact(described.text, 'integers'))).toEqual(
      inOneOrder(parseExact(vector.schema, 'integers')),
    )
    const message = Buffer.from(codec.writer(schema)(new Uint8Array(0), value))
    expect(message.toString()).toBe(vector.message)
    expect(comparable(readBack(codec, described.text, message))).toEqual(comparable(vector.back))
  })
})

describe('JSON Schema to Connect', () => {
  test.each(answered(cases.schemas, vectors.schemas))('%s', (name, one, vector) => {
    // Without any type, Confluent's converter makes a Variant of it, which is nothing that a connector here knows.
    if (name === 'anything' || name === 'boolean schema') {
      expect(() => readBack(codecOf(one), stringifyExact(one.json), Buffer.from('{}'))).toThrow(/no type|says nothing/)
      return
    }
    // Of an enum with a type, Confluent's loses what else the schema says.
    if (name === 'typed enum with more') {
      const back = readBack(codecOf(one), stringifyExact(one.json), Buffer.from('{"e":"A"}'))
      expect(back).toMatchObject({ schema: { fields: [{ name: 'T', doc: 'D', default: 'A', version: 3 }] } })
      return
    }
    const message = Buffer.from(stringifyExact(one.message))
    expect(comparable(readBack(codecOf(one), stringifyExact(one.json), message))).toEqual(comparable(vector.back))
  })
})
