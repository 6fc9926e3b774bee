/** What Confluent's converters answered: test/vectors/registry-converters/README.md says how it was made. */
import { readFileSync } from 'node:fs'
import type { Schema, SchemaAndValue } from '@tidewire/sdk'
import { expect } from 'vitest'
import { parseExact, stringifyExact } from '@tidewire/sdk/exact-json'
import { jsonConverter } from '../json-converter.ts'

const folder = new URL('../../../../test/vectors/registry-converters/', import.meta.url)

export function loadVectors(name: string): unknown {
  return parseExact(readFileSync(new URL(name, folder), 'utf8'), 'integers')
}

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

/** Records stand in the vectors as the JSON converter writes them, with their schemas. */
export function fromEnvelope(schema: unknown, payload: unknown): SchemaAndValue {
  return envelopes.toConnect('t', Buffer.from(stringifyExact({ schema, payload }))) as SchemaAndValue
}

export function toEnvelope(schema: Schema | undefined, value: unknown): unknown {
  return parseExact((envelopes.fromConnect('t', schema, value) as Buffer).toString(), 'integers')
}

/** Cases with their answers. Where Confluent's own fails on something that it could express, ours need not. */
export function answered<
  C extends { readonly name: string },
  V extends { readonly name: string; readonly error?: string },
>(cases: readonly C[], vectors: readonly V[]): [string, C, V][] {
  return cases.flatMap((one, index) => {
    const vector = vectors[index]!
    expect(vector.name).toBe(one.name)
    return vector.error === undefined ? [[one.name, one, vector]] : []
  })
}
