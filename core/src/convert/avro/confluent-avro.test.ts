/** Compared with Confluent's AvroData: test/vectors/registry-converters/README.md says how its answers were made. */
import { readFileSync } from 'node:fs'
import type { SchemaAndValue } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { parseExact, stringifyExact } from '../../json/exact-json.ts'
import { parseAvro } from '../../schemas/avro/parse.ts'
import { avroText } from '../../schemas/avro/text.ts'
import { jsonConverter } from '../json-converter.ts'
import { AvroInput } from './avro-input.ts'
import { AvroOutput } from './avro-output.ts'
import { avroReading } from './avro-to-connect.ts'
import { compileAvroWriter } from './avro-writer.ts'
import { avroSchemaOf } from './connect-to-avro.ts'
import type { AvroOptions } from './options.ts'

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

const folder = new URL('../../../../test/vectors/registry-converters/', import.meta.url)
const load = (name: string) => parseExact(readFileSync(new URL(name, folder), 'utf8'), 'integers')
const cases = load('avro-cases.json') as Both<Case>
const vectors = load('avro-vectors.json') as Both<Vector>

/** Nulls stay what they are on their way through it. */
const envelopes = jsonConverter.create(
  {
    'schemas.enable': true,
    'schemas.cache.size': 10,
    'decimal.format': 'BASE64',
    'replace.null.with.default': false,
    'schema.content': undefined,
  },
  'value',
)

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
  return parseExact((envelopes.fromConnect('t', schema, value) as Buffer).toString(), 'integers')
}

// Where Confluent's own fails on something that it could express, ours need not.
const pairs = (kind: keyof Both<unknown>): [string, Case, Vector][] =>
  cases[kind].flatMap((one, index) => {
    const vector = vectors[kind][index]!
    expect(vector.name).toBe(one.name)
    return vector.error === undefined ? [[one.name, one, vector]] : []
  })

describe('Connect to Avro and back', () => {
  test.each(pairs('connect'))('%s', (_name, one, vector) => {
    const options = optionsOf(one)
    const envelope = Buffer.from(stringifyExact({ schema: one.schema, payload: one.payload }))
    const { schema, value } = envelopes.toConnect('t', envelope) as SchemaAndValue
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
  test.each(pairs('avro'))('%s', (_name, one, vector) => {
    const text = stringifyExact(one.avro)
    expect(readBack(text, Buffer.from(vector.bytes, 'hex'), optionsOf(one))).toEqual(vector.back)
  })
})
