/** Compared with Confluent's AvroData. */
import { describe, expect, test } from 'vitest'
import { stringifyExact } from '@tidewire/sdk/exact-json'
import {
  parseAvro,
  avroText,
  AvroInput,
  AvroOutput,
  avroReading,
  compileAvroWriter,
  avroSchemaOf,
  type AvroOptions,
} from '@tidewire/sdk/avro'
import { answered, fromEnvelope, loadVectors, toEnvelope } from '../testing/confluent-vectors.ts'

interface Case {
  readonly name: string
  readonly options: Readonly<Record<string, string>>
  readonly schema?: unknown
  readonly payload?: unknown
  readonly avro?: unknown
}

interface Vector {
  readonly name: string
  readonly error?: string
  readonly avro?: string
  readonly bytes: string
  readonly back: unknown
}

type Both<T> = { readonly connect: readonly T[]; readonly avro: readonly T[] }

const cases = loadVectors('avro-cases.json') as Both<Case>
const vectors = loadVectors('avro-vectors.json') as Both<Vector>

function optionsOf({ options }: Case): AvroOptions {
  const is = (name: string, fallback = false) => (options[name] === undefined ? fallback : options[name] === 'true')
  return {
    connectMetaData: is('connect.meta.data', true),
    enhancedSchemas: is('enhanced.avro.schema.support'),
    generalizedSumTypes: is('generalized.sum.type.support'),
    scrubInvalidNames: is('scrub.invalid.names'),
    discardTypeDocDefault: is('discard.type.doc.default'),
    optionalMapKeys: is('allow.optional.map.keys'),
    flattenSingletonUnions: is('flatten.singleton.unions', true),
    ignoreDefaultForNullables: is('ignore.default.for.nullables'),
  }
}

function readBack(text: string, bytes: Buffer, options: AvroOptions): unknown {
  const { schema, read } = avroReading(parseAvro(text).schema, options, 9)
  const input = new AvroInput()
  input.start(bytes, 0)
  const value = read(input)
  expect(input.at).toBe(bytes.length)
  return toEnvelope(schema, value)
}

describe('Connect to Avro and back', () => {
  test.each(answered(cases.connect, vectors.connect))('%s', (_name, one, vector) => {
    const options = optionsOf(one)
    const { schema, value } = fromEnvelope(one.schema, one.payload)
    const avro = avroSchemaOf(schema, options)
    expect(avroText(avro)).toBe(vector.avro)
    const output = new AvroOutput()
    compileAvroWriter(schema, avro, options)(output, value)
    const bytes = output.take()
    expect(bytes.toString('hex')).toBe(vector.bytes)
    expect(readBack(avroText(avro), bytes, options)).toEqual(vector.back)
  })
})

describe('Avro to Connect', () => {
  test.each(answered(cases.avro, vectors.avro))('%s', (_name, one, vector) => {
    const text = stringifyExact(one.avro)
    expect(readBack(text, Buffer.from(vector.bytes, 'hex'), optionsOf(one))).toEqual(vector.back)
  })
})
