/** Compared with Confluent's ProtobufData. */
import type { Schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import type { ResolvedSchema } from '../registry/schema-codec.ts'
import { answered, fromEnvelope, loadVectors, toEnvelope } from '../testing/confluent-vectors.ts'
import { messageIndexes } from './message-indexes.ts'
import { tagParameter } from './names.ts'
import type { ProtobufOptions } from './options.ts'
import { ProtobufCodec } from './protobuf-codec.ts'
import { parseProtobuf } from '../../schemas/protobuf/protobuf-format.ts'

interface WriteCase {
  readonly name: string
  readonly settings?: Readonly<Record<string, string>>
  readonly connect: { readonly schema: unknown; readonly payload: unknown }
}

interface ReadCase {
  readonly name: string
  readonly settings?: Readonly<Record<string, string>>
  readonly text: string
  readonly message: string
}

interface Vector {
  readonly name: string
  readonly error?: string
  readonly text?: string
  readonly bytes?: string
  readonly indexes?: string
  readonly read?: unknown
}

const cases = loadVectors('protobuf-cases.json') as {
  readonly write: readonly WriteCase[]
  readonly read: readonly ReadCase[]
}
const vectors = loadVectors('protobuf-vectors.json') as {
  readonly write: readonly Vector[]
  readonly read: readonly Vector[]
}

function optionsOf(settings: Readonly<Record<string, string>> = {}): ProtobufOptions {
  const is = (name: string, fallback = false) => (settings[name] === undefined ? fallback : settings[name] === 'true')
  return {
    enhancedSchemas: is('enhanced.protobuf.schema.support'),
    generalizedSumTypes: is('generalized.sum.type.support'),
    scrubInvalidNames: is('scrub.invalid.names'),
    intForEnums: is('int.for.enums'),
    optionalForNullables: is('optional.for.nullables'),
    optionalForProto2: is('optional.for.proto2', true),
    wrapperForNullables: is('wrapper.for.nullables'),
    wrapperForRawPrimitives: is('wrapper.for.raw.primitives', true),
    structForNulls: is('generate.struct.for.nulls'),
    indexForUnions: is('generate.index.for.unions', true),
    flattenUnions: is('flatten.unions'),
    ignoreDefaultForNullables: is('ignore.default.for.nullables'),
  }
}

/** Where we differ on purpose. */
const different = new Set([
  // Dates before 1582 are Julian in Java's calendar; google.type.Date says Gregorian.
  'logical types far',
  // A number without a symbol is left out there; proto3 has room for it.
  'enum int unknown',
])

const pairs = <C extends WriteCase | ReadCase>(all: readonly C[], answers: readonly Vector[]): [string, C, Vector][] =>
  answered(all, answers)
    .filter(([name]) => !different.has(name))
    .map(([name, one, vector]) => [`${name} ${JSON.stringify(one.settings ?? {})}`, one, vector])

const registered = (text: string): ResolvedSchema => ({
  schema: { type: 'PROTOBUF', schema: text, references: [], id: 1 },
  references: [],
})

/**
 * Without the number of the field that a message was first met in: items of a list bear it in Confluent's schemas of
 * messages that are met again.
 */
function comparable(envelope: unknown): unknown {
  if (typeof envelope !== 'object' || envelope === null) return envelope
  if (Array.isArray(envelope)) return envelope.map(comparable)
  const entries = Object.entries(envelope).map(([key, value]) => {
    if (key !== 'items') return [key, comparable(value)]
    const { parameters, ...items } = value as { parameters?: Record<string, string> }
    const others = Object.fromEntries(Object.entries(parameters ?? {}).filter(([name]) => name !== tagParameter))
    return [key, comparable({ ...items, ...(Object.keys(others).length > 0 && { parameters: others }) })]
  })
  return Object.fromEntries(entries)
}

function inJson(codec: ProtobufCodec, text: string, message: Buffer): unknown {
  const reader = codec.reader(registered(text), undefined)
  const value = reader.read(message, 0)
  return comparable(toEnvelope(reader.schema, value))
}

describe('records are written as Confluent writes them', () => {
  test.each(pairs(cases.write, vectors.write))('%s', (_name, { connect, settings }, vector) => {
    const codec = new ProtobufCodec(optionsOf(settings))
    const given = fromEnvelope(connect.schema, connect.payload)
    const described = codec.describe(given.schema)
    expect(described.text).toBe(vector.text)
    if (vector.bytes === undefined) return
    const bytes = codec.writer(given.schema, described)(new Uint8Array(), given.value)
    expect(Buffer.from(bytes).toString('hex')).toBe(vector.indexes! + vector.bytes)
    expect(inJson(codec, described.text, Buffer.from(bytes))).toEqual(comparable(vector.read))
  })
})

describe('messages are read as Confluent reads them', () => {
  test.each(pairs(cases.read, vectors.read))('%s', (_name, { text, message, settings }, vector) => {
    const indexes = Buffer.from(messageIndexes(parseProtobuf(text, []).file, message)).toString('hex')
    expect(indexes).toBe(vector.indexes)
    const bytes = Buffer.from(vector.indexes! + vector.bytes!, 'hex')
    expect(inJson(new ProtobufCodec(optionsOf(settings)), text, bytes)).toEqual(comparable(vector.read))
  })
})

test('a schema that Confluent refuses or fails on is refused with a reason, or written', () => {
  for (const [index, { error }] of vectors.write.entries()) {
    if (error === undefined) continue
    const { connect, settings } = cases.write[index]!
    const codec = new ProtobufCodec(optionsOf(settings))
    const given = fromEnvelope(connect.schema, connect.payload)
    const schema = given.schema as Schema
    const outcome = () => codec.writer(schema, codec.describe(schema))(new Uint8Array(), given.value)
    try {
      outcome()
    } catch (thrown) {
      expect(thrown).toMatchObject({ name: 'DataError' })
    }
  }
})
