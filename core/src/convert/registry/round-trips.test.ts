/** Any value of any schema, to bytes and back, in each format with a registry. */
import { Decimal, schema, type Schema } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { AvroCodec } from '../avro/avro-codec.ts'
import { JsonSchemaCodec } from '../json-schema/json-schema-codec.ts'
import type { SchemaCodec } from './schema-codec.ts'

interface Typed {
  readonly schema: Schema
  readonly value: fc.Arbitrary<unknown>
}

const int64 = fc
  .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
  .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value))
const notNegativeZero = (value: number) => !Object.is(value, -0)

const primitives: readonly Typed[] = [
  { schema: schema.int8(), value: fc.integer({ min: -128, max: 127 }) },
  { schema: schema.int16(), value: fc.integer({ min: -32768, max: 32767 }) },
  { schema: schema.int32(), value: fc.integer() },
  { schema: schema.int64(), value: int64 },
  { schema: schema.float32(), value: fc.float().filter(notNegativeZero) },
  { schema: schema.float64(), value: fc.double().filter(notNegativeZero) },
  { schema: schema.boolean(), value: fc.boolean() },
  { schema: schema.string(), value: fc.string({ unit: 'binary' }).map((text) => text.toWellFormed()) },
  { schema: schema.bytes(), value: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
  { schema: schema.decimal(3), value: fc.bigInt().map((unscaled) => new Decimal(unscaled, 3)) },
  { schema: schema.date(), value: fc.integer() },
  { schema: schema.time(), value: fc.integer({ min: 0, max: 86_399_999 }) },
  { schema: schema.timestamp(), value: fc.integer({ min: -8.64e15, max: 8.64e15 }) },
]

const optional = ({ schema: of, value }: Typed): Typed => ({
  schema: { ...of, optional: true },
  value: fc.option(value, { nil: null }),
})

const array = ({ schema: of, value }: Typed): Typed => ({
  schema: schema.array(of),
  value: fc.array(value, { maxLength: 5 }),
})

const stringMap = ({ schema: of, value }: Typed): Typed => ({
  schema: schema.map(schema.string(), of),
  value: fc.array(fc.tuple(fc.string(), value), { maxLength: 4 }).map((entries) => new Map(entries)),
})

const intMap = ({ schema: of, value }: Typed): Typed => ({
  schema: schema.map(schema.int32(), of),
  value: fc.array(fc.tuple(fc.integer(), value), { maxLength: 4 }).map((entries) => new Map(entries)),
})

let structs = 0
const struct = (fields: readonly Typed[]): Typed => ({
  schema: schema.struct(Object.fromEntries(fields.map((field, index) => [`f${index}`, field.schema])), {
    name: `test.S${structs++}`,
  }),
  value: fc.record(Object.fromEntries(fields.map((field, index) => [`f${index}`, field.value]))),
})

const { typed } = fc.letrec<{ typed: Typed; any: Typed }>((tie) => ({
  any: fc.oneof(tie('typed'), tie('typed').map(optional)),
  typed: fc.oneof(
    { maxDepth: 3, withCrossShrink: true },
    fc.constantFrom(...primitives),
    tie('any').map(array),
    tie('any').map(stringMap),
    tie('any').map(intMap),
    fc.array(tie('any'), { minLength: 1, maxLength: 5 }).map(struct),
  ),
}))

/** Optional or not, at the top too. */
const cases = typed.chain((of) => of.value.map((value) => ({ schema: of.schema, value })))

const codecs: readonly [string, SchemaCodec][] = [
  [
    'avro',
    new AvroCodec({
      connectMetaData: true,
      enhancedSchemas: false,
      generalizedSumTypes: false,
      scrubInvalidNames: false,
      discardTypeDocDefault: false,
      optionalMapKeys: false,
      flattenSingletonUnions: true,
      ignoreDefaultForNullables: false,
    }),
  ],
  ...(['BASE64', 'NUMERIC'] as const).map((decimalFormat): [string, SchemaCodec] => [
    `json-schema ${decimalFormat}`,
    new JsonSchemaCodec({
      decimalFormat,
      additionalProperties: true,
      optionalForNonRequired: false,
      generalizedSumTypes: false,
      flattenSingletonUnions: true,
      ignoreDefaultForNullables: false,
    }),
  ]),
]

describe.each(codecs)('%s', (_name, codec) => {
  test('a default of many digits comes back as it was', () => {
    const of = schema.decimal(2, { default: new Decimal(123456789012345678901n, 2) })
    const described = codec.describe(of)
    const registered = { id: 1, type: codec.type, schema: described.text, references: [] }
    expect(codec.reader({ schema: registered, references: [] }, undefined).schema).toEqual(of)
  })

  test('values and schemas come back as they were', () => {
    fc.assert(
      fc.property(cases, ({ schema: of, value }) => {
        const described = codec.describe(of)
        const message = Buffer.from(codec.writer(of, described)(Uint8Array.of(0, 0, 0, 0, 1), value))
        const reader = codec.reader(
          { schema: { id: 1, type: codec.type, schema: described.text, references: [] }, references: [] },
          undefined,
        )
        expect(reader.read(message, 5)).toEqual(value)
        expect(reader.schema).toEqual(of)
      }),
      { numRuns: 300 },
    )
  })

  test('bytes of any kind give a value or a refusal, never anything else', () => {
    fc.assert(
      fc.property(typed, fc.uint8Array({ maxLength: 64 }), (of, bytes) => {
        const described = codec.describe(of.schema)
        const resolved = { schema: { id: 1, type: codec.type, schema: described.text, references: [] }, references: [] }
        const reader = codec.reader(resolved, undefined)
        try {
          reader.read(Buffer.from(bytes), 0)
        } catch (error) {
          expect((error as Error).name).toMatch(/^(DataError|SyntaxError)$/)
        }
      }),
      { numRuns: 300 },
    )
  })
})
