/**
 * Every case of test/vectors/transforms/transforms.json: what Kafka Connect's own transforms made of the records there.
 * Java's error texts are not ours, so of an error only that there is one is compared.
 */
import { isErrorKind, type ConnectRecord, type PredicateDefinition, type TransformDefinition } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import plugin from './plugin.ts'
import {
  JavaVectors,
  canonicalRecord,
  configure,
  unpacked,
  type Case,
  type RecordVector,
  type Result,
  type SchemaVector,
} from './testing/java-vectors.ts'

const java = new JavaVectors(new URL('../../../test/vectors/transforms/transforms.json', import.meta.url))
const { vectors } = java

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

type Definition = TransformDefinition | PredicateDefinition
const definitions = [...(plugin.transforms ?? []), ...(plugin.predicates ?? [])] as Definition[]

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
      const record = java.recordOf(vector)
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
        const expected = java.recordOf({ ...vector, ...result }, each.config['target.type'])
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
