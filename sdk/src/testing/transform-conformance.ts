import assert from 'node:assert/strict'
import { inspect } from 'node:util'
import type { Settings } from '../config.ts'
import { isErrorKind, isRetriable } from '../errors.ts'
import { Decimal, schema, type Schema } from '../schema.ts'
import type { ConnectRecord, PredicateDefinition, TransformDefinition } from '../transform.ts'
import type { ConformanceCase } from './conformance.ts'
import { parseConfig, type RawConfig } from './parse-config.ts'
import { schemaProblem } from './schema-problem.ts'
import { runTransform, testPredicate, type TransformRunOptions } from './transform-run.ts'

/** A transform under test. */
export interface TransformConformance<S extends Settings> {
  readonly transform: TransformDefinition<S>
  /** All settings that it needs. */
  readonly config?: RawConfig
  /** Records that it is meant for, beside those of all kinds that it is given anyway. */
  readonly records?: readonly ConnectRecord[]
  readonly options?: TransformRunOptions
}

/** A predicate under test. */
export interface PredicateConformance<S extends Settings> {
  readonly predicate: PredicateDefinition<S>
  readonly config?: RawConfig
  readonly records?: readonly ConnectRecord[]
}

/**
 * What every transform has to do, whatever a record is: leave the one that it is given as it is, keep what it does not
 * mean to change, give values that fit their schemas, and throw nothing but a DataError for what it cannot deal with.
 *
 * ```ts
 * for (const { name, run } of transformConformance({ transform: stamp, config: { field: 'at' } })) test(name, run)
 * ```
 */
export function transformConformance<S extends Settings>(spec: TransformConformance<S>): ConformanceCase[] {
  const { transform, config = {}, records = [], options } = spec
  const each = (name: string, given: readonly Sample[], check: (made: ConnectRecord, sample: Sample) => void) => ({
    name,
    run: async () => {
      const run = runTransform(transform, config, options)
      try {
        for (const sample of given) {
          const made = await unlessDataError(sample, async () => run.apply(sample.record))
          if (made === undefined || made === null) continue
          check(made, sample)
        }
      } finally {
        await run.close()
      }
    },
  })
  const all: Sample[] = [...samples, ...records.map((record, i) => ({ what: `record ${i}`, record }))]
  return [
    reportsMissing(transform, config),
    {
      name: 'takes records of any kind, or says with a DataError that it cannot',
      run: async () => {
        const run = runTransform(transform, config, options)
        let refused = 0
        try {
          for (const sample of all) {
            const { what } = sample
            const answer = await unlessDataError(sample, async () => ({ made: await run.apply(sample.record) }))
            if (answer === undefined) refused++
            if (answer === undefined || answer.made === null) continue
            const { made } = answer
            assert.equal(typeof made, 'object', `${what}: apply answers neither a record nor null`)
            assert.ok(typeof made.topic === 'string' && made.topic !== '', `${what}: the record has no topic any more`)
          }
          // Or nothing has been tested.
          assert.ok(refused < all.length, 'it refuses all records: give it some that it is meant for, in records')
        } finally {
          await run.close()
        }
      },
    },
    {
      name: 'leaves the records that it is given as they are',
      run: async () => {
        const run = runTransform(transform, config, options)
        for (const sample of all) {
          const before = text(sample.record)
          await unlessDataError(sample, async () => run.apply(sample.record))
          assert.equal(text(sample.record), before, `${sample.what}: it was changed`)
        }
        await run.close()
      },
    },
    each('keeps what the framework has with a record', all, (made, { what }) => {
      const { sourceOffset } = made as { sourceOffset?: unknown }
      const expected = all.find((sample) => sample.what === what)!.record as { sourceOffset?: unknown }
      assert.deepEqual(sourceOffset, expected.sourceOffset, `${what}: make copies with changed(record, { … })`)
    }),
    each('gives values that fit their schemas', all, (made, { what }) => {
      for (const part of ['key', 'value'] as const) {
        const problem = made[`${part}Schema`] && schemaProblem(made[`${part}Schema`]!, made[part], part)
        assert.equal(problem, undefined, `${what}: ${problem}`)
      }
      for (const { key, value, schema: of } of made.headers ?? []) {
        const problem = of && schemaProblem(of, value, `header ${key}`)
        assert.equal(problem, undefined, `${what}: ${problem}`)
      }
    }),
  ]
}

/** What every predicate has to do: the same, and answer with true or false. */
export function predicateConformance<S extends Settings>(spec: PredicateConformance<S>): ConformanceCase[] {
  const { predicate, config = {}, records = [] } = spec
  const all: Sample[] = [...samples, ...records.map((record, i) => ({ what: `record ${i}`, record }))]
  return [
    reportsMissing(predicate, config),
    {
      name: 'answers for records of any kind, leaves them as they are, or says with a DataError that it cannot',
      run: async () => {
        for (const sample of all) {
          const before = text(sample.record)
          const answer = await unlessDataError(sample, async () =>
            Promise.resolve(testPredicate(predicate, config, sample.record)),
          )
          assert.ok(answer === undefined || typeof answer === 'boolean', `${sample.what}: ${String(answer)}`)
          assert.equal(text(sample.record), before, `${sample.what}: it was changed`)
        }
      },
    },
  ]
}

interface Sample {
  readonly what: string
  readonly record: ConnectRecord
}

function reportsMissing<S extends Settings>(
  part: TransformDefinition<S> | PredicateDefinition<S>,
  config: RawConfig,
): ConformanceCase {
  return {
    name: 'reports each required setting that is missing',
    run: async () => {
      for (const [name, { required }] of Object.entries(part.config)) {
        if (required !== true) continue
        const without = Object.fromEntries(Object.entries(config).filter(([key]) => key !== name))
        assert.throws(() => parseConfig(part, without), /is required/, `a config without ${name} is taken`)
      }
      parseConfig(part, config)
      return Promise.resolve()
    },
  }
}

/** Undefined where it cannot deal with the record, and says so. */
async function unlessDataError<T>({ what }: Sample, work: () => Promise<T>): Promise<T | undefined> {
  try {
    return await work()
  } catch (error) {
    if (isErrorKind(error, 'DataError') || isRetriable(error)) return undefined
    throw new Error(`${what}: it throws what is no DataError: ${String(error)}`, { cause: error })
  }
}

function text(record: ConnectRecord): string {
  return inspect(record, { depth: Infinity, maxArrayLength: Infinity, maxStringLength: Infinity })
}

const point = schema.struct({ x: schema.int32(), y: schema.float64({ optional: true }) }, { name: 'Point' })
const whole = schema.struct({
  id: schema.int64(),
  name: schema.string({ optional: true }),
  price: schema.decimal(2, { optional: true }),
  at: schema.timestamp(),
  raw: schema.bytes(),
  tags: schema.array(schema.string()),
  counts: schema.map(schema.string(), schema.int32()),
  point,
  inner: schema.struct({ point }, { optional: true }),
})
const full = {
  id: 2n ** 60n,
  name: 'n',
  price: new Decimal(1250n, 2),
  at: 1_700_000_000_000,
  raw: new Uint8Array([1, 2]),
  tags: ['a', 'b'],
  counts: new Map([['a', 1]]),
  point: { x: 1, y: 1.5 },
  inner: { point: { x: 2, y: null } },
}
const own = { sourcePartition: { file: 'f' }, sourceOffset: { at: 7 } }
const sample = (what: string, parts: Omit<ConnectRecord, 'topic'>): Sample => ({
  what,
  record: { topic: 'topic', timestamp: 1_700_000_000_000, ...own, ...parts },
})
const valueSchema = (of: Schema, value: unknown) => ({ key: 'k', keySchema: schema.string(), value, valueSchema: of })

const samples: readonly Sample[] = [
  sample('a tombstone', { key: 'k', value: null }),
  sample('a record without a key', { value: { id: 1 } }),
  sample('a null with a schema', valueSchema({ ...whole, optional: true }, null)),
  sample('a struct', valueSchema(whole, full)),
  sample('a struct with nulls', valueSchema(whole, { ...full, name: null, price: null, inner: null })),
  sample('a struct as key', { key: { x: 1, y: 2 }, keySchema: point, value: full, valueSchema: whole }),
  sample('an object without a schema', { key: { x: 1 }, value: { id: 1, name: null, deep: { a: [1, { b: 2 }] } } }),
  sample('a text', { key: 'k', value: 'text' }),
  sample('a text with a schema', valueSchema(schema.string(), 'text')),
  sample('a number', { key: 1, value: 1.5 }),
  sample('a big number', { key: 2n ** 60n, value: -(2n ** 60n) }),
  sample('a boolean', { value: true }),
  sample('bytes', { key: new Uint8Array([1]), value: new Uint8Array([2, 3]) }),
  sample('an array', { value: [1, 'a', null] }),
  sample('a map', { value: new Map<unknown, unknown>([[1, 'a']]) }),
  sample('a map with a schema', valueSchema(schema.map(schema.int32(), schema.string()), new Map([[1, 'a']]))),
  sample('headers', {
    key: 'k',
    value: { id: 1 },
    headers: [
      { key: 'a', value: 'text' },
      { key: 'a', value: 1, schema: schema.int32() },
      { key: 'empty', value: null },
    ],
  }),
  sample('no timestamp', { key: 'k', value: { id: 1 }, timestamp: undefined }),
  sample('a record of a sink', { key: 'k', value: { id: 1 }, partition: 3, offset: 12, timestamp: -1 }),
]
