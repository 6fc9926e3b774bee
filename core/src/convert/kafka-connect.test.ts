/** Compared with Kafka Connect's own converters: test/vectors/converters/README.md says how their answers were made. */
import { readFileSync } from 'node:fs'
import type { Converter, SchemaAndValue } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import { bytesConverter } from './bytes-converter.ts'
import { jsonConverter } from './json-converter.ts'
import { numberConverters } from './number-converters.ts'
import { simpleHeaderConverter } from './simple-header-converter.ts'
import { stringConverter } from './string-converter.ts'

interface Envelope {
  readonly schema: unknown
  readonly payload: unknown
}

interface ConverterCase {
  readonly converter: string
  readonly encoding?: string
  readonly connect: Envelope
  readonly bytes: string | null
}

interface Cases {
  readonly json: readonly Envelope[]
  readonly plain: readonly string[]
  readonly headers: readonly string[]
  readonly write: readonly ConverterCase[]
  readonly read: readonly ConverterCase[]
}

interface Vector {
  readonly error?: string
  readonly text?: string
  readonly bytes?: string | null
  readonly read?: unknown
}

const folder = new URL('../../../test/vectors/converters/', import.meta.url)
const load = (name: string) => parseExact(readFileSync(new URL(name, folder), 'utf8'), 'integers')
const cases = load('cases.json') as Cases
const vectors = load('vectors.json') as Readonly<Record<keyof Cases, readonly Vector[]>>

const json = (schemas: boolean, decimals = 'BASE64', replace = false): Converter =>
  jsonConverter.create(
    {
      'schemas.enable': schemas,
      'schemas.cache.size': 10,
      'decimal.format': decimals,
      'replace.null.with.default': replace,
      'schema.content': undefined,
    },
    'value',
  )
const envelopes = json(true)
const bytesOf = (value: unknown) => Buffer.from(stringifyExact(value))
const written = (converter: Converter, { schema, value }: SchemaAndValue) =>
  (converter.fromConnect('t', schema, value) as Buffer | null)?.toString() ?? null

/** What Java gave, or `!` for any exception. */
function outcome(make: () => string | null): string | null {
  try {
    return make()
  } catch (error) {
    expect(error).toMatchObject({ name: 'DataError' })
    return '!'
  }
}

const pairs = <T>(given: readonly T[], made: readonly Vector[], title: (one: T) => string): [string, T, Vector][] => {
  expect(made).toHaveLength(given.length)
  return given.map((one, index) => [title(one), one, made[index]!])
}

/** Where we differ on purpose, or where Java's values tell more than ours: a float64 of 1 is 1.0 there. */
const differentJson = new Set(['1.0', '1e3', '123456789.123456789', '[1,"a",null,{"b":[1.0]}]', '1 2', ''])
/** Kafka Connect drops what follows a number or a structure, and digits; takes days that there are not; keeps backslashes. */
const differentHeaders = new Set([
  ...['12:34:56', '1]', '[1,]', '1:2', '1,2', '{"a":1}x', '[1]x', '0.30000001192092896', '3.14159265358979'],
  ...['2024-13-01', '25:00:00.000Z', '["a\\"b"]', '["a\\\\b"]', '[1,null]', '["x", null]'],
])

describe('JSON, to the byte, in each of its settings', () => {
  test.each(pairs(cases.json, vectors.json, (one) => stringifyExact(one).slice(0, 120)))(
    '%s',
    (_title, given, made) => {
      const text = bytesOf(given)
      // What Kafka Connect does not read, ours may.
      if (made.error !== undefined) return
      const kept = envelopes.toConnect('t', text) as SchemaAndValue
      const mine: Record<string, string | null> = {}
      for (const schemas of [true, false])
        for (const decimals of ['BASE64', 'NUMERIC'])
          for (const replace of [true, false]) {
            const key = `${schemas ? 'schemas' : 'plain'} ${decimals}${replace ? ' replace' : ''}`
            mine[key] = outcome(() => written(json(schemas, decimals, replace), kept))
          }
      const replaced = json(true, 'BASE64', true).toConnect('t', text) as SchemaAndValue
      mine['replaced'] = outcome(() => written(envelopes, replaced))
      const theirs = Object.entries(made).map(([key, value]: [string, string | null]) => [
        key,
        value?.startsWith('!') === true ? '!' : value,
      ])
      expect(mine).toEqual(Object.fromEntries(theirs))
    },
  )

  test.each(pairs(cases.plain, vectors.plain, (text) => text))('without a schema: %s', (_title, given, made) => {
    if (differentJson.has(given)) return
    const plain = json(false, 'BASE64', true)
    const read = () => plain.toConnect('t', Buffer.from(given)) as SchemaAndValue
    if (made.error === undefined) expect(written(plain, read())).toBe(made.text)
    else expect(read).toThrow()
  })
})

const simple = simpleHeaderConverter.create({}, 'header')

describe('headers', () => {
  test.each(pairs(cases.headers, vectors.headers, (text) => text))('%s', (_title, given, made) => {
    if (differentHeaders.has(given)) return
    const read = simple.toConnect('t', Buffer.from(given)) as SchemaAndValue
    if (made.error !== undefined) {
      expect(written(simple, read)).toBe(made.text)
      return
    }
    const mine = { text: written(simple, read), read: parseExact(written(envelopes, read) ?? 'null', 'integers') }
    expect(mine).toEqual(made)
  })
})

function converterOf({ converter, encoding = 'UTF-8' }: ConverterCase): Converter {
  if (converter === 'bytes') return bytesConverter.create({}, 'value')
  if (converter === 'string') return stringConverter.create({ 'converter.encoding': encoding }, 'value')
  return numberConverters.find(({ name }) => name === converter)!.create({}, 'value')
}

describe('numbers, bytes and text', () => {
  const title = (one: ConverterCase) => stringifyExact(one)
  test.each(pairs(cases.write, vectors.write, title))('%s', async (_title, given, made) => {
    const { schema, value } = await envelopes.toConnect('t', bytesOf(given.connect))
    const write = () => converterOf(given).fromConnect('t', schema, value) as string | Uint8Array | null
    if (made.error !== undefined) {
      expect(write).toThrow(/^topic t: /)
      return
    }
    const bytes = write()
    expect(bytes === null ? null : Buffer.from(bytes as string).toString('hex')).toBe(made.bytes)
  })

  test.each(pairs(cases.read, vectors.read, title))('%s', (_title, given, made) => {
    const bytes = given.bytes === null ? null : Buffer.from(given.bytes, 'hex')
    const read = () => converterOf(given).toConnect('t', bytes) as SchemaAndValue
    if (made.error === undefined) {
      expect(parseExact(written(envelopes, read()) ?? 'null', 'integers')).toEqual(made.read)
    } else expect(read).toThrow(/^topic t: /)
  })
})

const int64 = fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).map((value) => {
  const number = Number(value)
  return Number.isSafeInteger(number) ? number : value
})
const integer = (bits: number) => fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 })

test.each<[string, fc.Arbitrary<unknown>]>([
  ['boolean', fc.boolean()],
  ['short', integer(16)],
  ['integer', integer(32)],
  ['long', int64],
  ['float', fc.float()],
  ['double', fc.double()],
])('any %s is read as it was written', (name, values) => {
  const converter = numberConverters.find((each) => each.name === name)!.create({}, 'key')
  fc.assert(
    fc.property(values, (value) => {
      const bytes = converter.fromConnect('t', undefined, value) as Uint8Array
      expect(converter.toConnect('t', bytes)).toMatchObject({ value })
    }),
  )
})
