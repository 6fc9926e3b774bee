/** Structs of any schema that Connect, Avro and Parquet have in common, with values, for property tests. */
import { Decimal, schema, type Schema } from '@tidewire/sdk'
import fc from 'fast-check'

interface Typed {
  readonly schema: Schema
  readonly value: fc.Arbitrary<unknown>
}

const int64 = fc.oneof(
  fc.maxSafeInteger(),
  fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : value
  }),
)

// Zero has no sign where a library makes a dictionary of values.
const unsignedZero = (value: number): number => (Object.is(value, -0) ? 0 : value)

const leaves: readonly Typed[] = [
  { schema: schema.boolean(), value: fc.boolean() },
  { schema: schema.int8(), value: fc.integer({ min: -128, max: 127 }) },
  { schema: schema.int16(), value: fc.integer({ min: -32_768, max: 32_767 }) },
  { schema: schema.int32(), value: fc.integer() },
  { schema: schema.int64(), value: int64 },
  { schema: schema.float32(), value: fc.float().map(unsignedZero) },
  { schema: schema.float64(), value: fc.double().map(unsignedZero) },
  { schema: schema.string(), value: fc.string({ unit: 'grapheme' }) },
  { schema: schema.bytes(), value: fc.uint8Array().map((bytes) => Buffer.from(bytes)) },
  {
    schema: schema.decimal(3),
    value: fc.bigInt(-(10n ** 40n), 10n ** 40n).map((unscaled) => new Decimal(unscaled, 3)),
  },
  { schema: schema.date(), value: fc.integer({ min: -700_000, max: 2_000_000 }) },
  { schema: schema.time(), value: fc.integer({ min: 0, max: 86_399_999 }) },
  { schema: schema.timestamp(), value: fc.integer({ min: -62_000_000_000_000, max: 250_000_000_000_000 }) },
]

const optionally = (typed: fc.Arbitrary<Typed>): fc.Arbitrary<Typed> =>
  fc
    .tuple(typed, fc.boolean())
    .map(([{ schema: type, value }, isOptional]) =>
      isOptional
        ? { schema: { ...type, optional: true }, value: fc.option(value, { nil: null }) }
        : { schema: type, value },
    )

const { typed } = fc.letrec<{ typed: Typed; leaf: Typed; array: Typed; map: Typed; struct: Typed }>((tie) => ({
  leaf: fc.constantFrom(...leaves),
  array: optionally(tie('typed')).map((items) => ({
    schema: schema.array(items.schema),
    value: fc.array(items.value, { maxLength: 4 }),
  })),
  map: fc.tuple(optionally(tie('typed')), fc.constantFrom(schema.string(), schema.int32())).map(([values, keys]) => ({
    schema: schema.map(keys, values.schema),
    value: fc
      .array(fc.tuple(keys.type === 'string' ? fc.string() : fc.integer(), values.value), { maxLength: 4 })
      .map((entries) => new Map(entries)),
  })),
  struct: fc.array(optionally(tie('typed')), { minLength: 1, maxLength: 4 }).map((fields) => structOf(fields)),
  typed: fc.oneof({ depthSize: 'small', withCrossShrink: true }, tie('leaf'), tie('array'), tie('map'), tie('struct')),
}))

function structOf(fields: readonly Typed[]): Typed {
  const named = fields.map((field, index) => [`f${index}`, field] as const)
  return {
    schema: schema.struct(Object.fromEntries(named.map(([name, field]) => [name, field.schema]))),
    value: fc.record(Object.fromEntries(named.map(([name, field]) => [name, field.value])), { noNullPrototype: true }),
  }
}

/** A struct's schema with a few values of it. */
export const anyStructs: fc.Arbitrary<{ readonly schema: Schema; readonly values: readonly unknown[] }> = fc
  .array(optionally(typed), { minLength: 1, maxLength: 5 })
  .map(structOf)
  .chain(({ schema: type, value }) =>
    fc.array(value, { minLength: 1, maxLength: 20 }).map((values) => ({ schema: { ...type, name: 'Row' }, values })),
  )
