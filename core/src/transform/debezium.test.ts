/**
 * Every case of test/vectors/debezium-transforms/debezium-transforms.json: what Debezium's own transforms made of the records
 * there. Java's error texts are not ours, so of an error only that there is one is compared.
 */
import {
  isErrorKind,
  type ConnectRecord,
  type Transform,
  type TransformContext,
  type TransformDefinition,
} from '@tidewire/sdk'
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
} from './testing/java-vectors.ts'

const java = new JavaVectors(
  new URL('../../../test/vectors/debezium-transforms/debezium-transforms.json', import.meta.url),
)
const { vectors } = java

const shown = (json: unknown): string =>
  JSON.stringify(json, (_key, value: unknown) => (typeof value === 'bigint' ? String(value) : value))

interface Difference {
  readonly why: string
  readonly is: (each: Case, record: RecordVector, result: Result) => boolean
}

/** Where we differ from Debezium on purpose. A case that is none any more fails the last test. */
const differences: readonly Difference[] = [
  {
    why: 'drop.fields.header.name with a tombstone: there is nothing to take out of it; Debezium fails with a NullPointerException.',
    is: ({ config }, _record, result) =>
      config['delete.tombstone.handling.mode'] === 'delete-to-tombstone' &&
      config['drop.fields.header.name'] !== undefined &&
      result === '!NullPointerException',
  },
  {
    why: 'JSON that has objects of several kinds and null in one array: Debezium keeps the text, under the schema of the struct.',
    is: ({ config }, { value }) =>
      config['table.expand.json.payload'] === 'true' && shown(vectors.parts[value]).includes(String.raw`z\"},null]`),
  },
]

/** Those that the vectors still show. */
const met = new Set<Difference>()

const quiet = (): void => undefined
const context = { log: { debug: quiet, info: quiet, warn: quiet, error: quiet } } as unknown as TransformContext

function tryApply(transform: Transform, record: ConnectRecord): ConnectRecord | string {
  try {
    return (transform.apply(record) as ConnectRecord | null) ?? '-'
  } catch (error) {
    if (!isErrorKind(error, 'DataError')) throw error
    return `! ${error.message}`
  }
}

describe.each([...new Set(vectors.cases.map(({ type }) => type))])('%s', (type) => {
  const definitions = (plugin.transforms ?? []) as readonly TransformDefinition[]
  const definition = definitions.find(({ aliases }) => aliases?.includes(`io.debezium.transforms.${type}`))!
  const cases = vectors.cases.filter((each) => each.type === type)

  test.each(cases.map((each) => [JSON.stringify(each.config), each] as const))('%s', async (_name, each) => {
    const configured = configure(definition, each.config)
    if (each.configError !== undefined) {
      expect('errors' in configured, each.configError).toBe(true)
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
      const what = `record ${i}: ${shown(vectors.parts[vector.value])} gives ${shown(result)}`
      const before = canonicalRecord(record)
      const answer = tryApply(made, record)
      expect(canonicalRecord(record), `${what}; the record itself is not changed`).toEqual(before)
      if (typeof answer === 'string') {
        expect(typeof result === 'string' ? result[0] : 'a record', `${what}; here ${answer}`).toBe(answer[0])
        continue
      }
      const expected = typeof result === 'object' ? canonicalRecord(java.recordOf({ ...vector, ...result })) : before
      if (typeof result !== 'object') expect(result, what).toBe('=')
      expect(withoutNothing(canonicalRecord(answer)), what).toEqual(withoutNothing(expected))
    }
  })
})

/** Null and undefined both stand for a partition or a timestamp that is not there. */
function withoutNothing(record: unknown): unknown {
  return Object.fromEntries(
    Object.entries(record as object).filter(([, value]) => value !== null && value !== undefined),
  )
}

test('every difference is one still', () => {
  expect(differences.filter((difference) => !met.has(difference)).map(({ why }) => why)).toEqual([])
})
