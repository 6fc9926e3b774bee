/** Random messages made from their declarations, for property tests. */
import fc from 'fast-check'
import { isPresent, type Field, type Fields } from '../message.ts'

/** What is encoded, and what decoding it has to give. */
export interface Sample {
  readonly given: unknown
  readonly expected: unknown
}

type Value = Record<string, unknown>

const same = (arbitrary: fc.Arbitrary<unknown>): fc.Arbitrary<Sample> =>
  arbitrary.map((value) => ({ given: value, expected: value }))

/** Text that survives UTF-8: no lone surrogates. Short and long enough to meet both ways of writing it. */
const text = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 12 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 80 }),
)

const buffer = fc.uint8Array({ maxLength: 40 }).map((array) => Buffer.from(array))

const scalars: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  boolean: fc.boolean(),
  int8: fc.integer({ min: -0x80, max: 0x7f }),
  int16: fc.integer({ min: -0x8000, max: 0x7fff }),
  int32: fc.integer({ min: -0x80000000, max: 0x7fffffff }),
  int64: fc.maxSafeInteger(),
  float64: fc.double({ noNaN: true }),
  string: text,
  uuid: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('base64url')),
  bytes: buffer,
}

const recordBuffers: fc.Arbitrary<Sample> = fc.oneof(
  same(buffer),
  fc.array(buffer, { maxLength: 3 }).map((chunks) => ({ given: chunks, expected: Buffer.concat(chunks) })),
)

/** What a field is decoded to that was not sent. */
function defaultOf(field: Field): unknown {
  if (field.default === null) return null
  if (field.type === 'array') return []
  if (field.type !== 'struct') return field.default
  return Object.fromEntries(Object.entries(field.fields!).map(([name, member]) => [name, defaultOf(member)]))
}

function arbitraryField(field: Field, version: number): fc.Arbitrary<Sample> {
  const value = arbitraryValue(field, version)
  const orNull =
    version >= field.nullableFrom
      ? fc.oneof({ weight: 4, arbitrary: value }, { weight: 1, arbitrary: same(fc.constant(null)) })
      : value
  // Records without a stated default are null when left out, which not every version takes.
  if (field.type === 'records') return orNull
  const leftOut = fc.constant({ given: undefined, expected: defaultOf(field) })
  if (field.default === null && version < field.nullableFrom) return orNull
  return fc.oneof({ weight: 6, arbitrary: orNull }, { weight: 1, arbitrary: leftOut })
}

function arbitraryValue(field: Field, version: number): fc.Arbitrary<Sample> {
  switch (field.type) {
    case 'records':
      return recordBuffers
    case 'struct':
      return arbitraryFields(field.fields!, version)
    case 'array':
      // Elements are never left out.
      return fc.array(arbitraryValue(field.item!, version), { maxLength: 3 }).map((samples) => ({
        given: samples.map((sample) => sample.given),
        expected: samples.map((sample) => sample.expected),
      }))
    default:
      return same(scalars[field.type]!)
  }
}

const made = new Map<Fields, fc.Arbitrary<Sample>[]>()

/** Made once for each version: to make one takes longer than to draw from it. */
export function arbitraryFields(fields: Fields, version: number): fc.Arbitrary<Sample> {
  const versions = made.get(fields) ?? []
  made.set(fields, versions)
  return (versions[version] ??= makeArbitrary(fields, version))
}

function makeArbitrary(fields: Fields, version: number): fc.Arbitrary<Sample> {
  const samples: Record<string, fc.Arbitrary<Sample>> = {}
  for (const [name, field] of Object.entries(fields)) {
    samples[name] = isPresent(field, version)
      ? arbitraryField(field, version)
      : fc.constant({ given: undefined, expected: defaultOf(field) })
  }
  return fc.record(samples).map((members) => {
    const given: Value = {}
    const expected: Value = {}
    for (const [name, sample] of Object.entries(members)) {
      if (sample.given !== undefined) given[name] = sample.given
      expected[name] = sample.expected
    }
    return { given, expected }
  })
}
