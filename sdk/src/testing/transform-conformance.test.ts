import { describe, expect, test } from 'vitest'
import {
  DataError,
  changed,
  definePredicate,
  defineTransform,
  schema,
  type ConnectRecord,
  type Transform,
} from '../index.ts'
import { predicateConformance, transformConformance } from './transform-conformance.ts'
import { runTransform, testPredicate } from './transform-run.ts'

const config = { field: { type: 'string', required: true, doc: 'Which.' } } as const
const given = { field: 'at' }

const of = (apply: (record: ConnectRecord) => unknown) =>
  defineTransform({ name: 'under-test', doc: '', config, create: () => ({ apply: apply as Transform['apply'] }) })

/** The names of the cases that fail. */
async function failing(apply: (record: ConnectRecord) => unknown): Promise<string[]> {
  const names: string[] = []
  for (const { name, run } of transformConformance({ transform: of(apply), config: given })) {
    await run().catch(() => names.push(name))
  }
  return names
}

describe('a transform', () => {
  const kind = 'takes records of any kind, or says with a DataError that it cannot'
  const leaves = 'leaves the records that it is given as they are'
  const keeps = 'keeps what the framework has with a record'
  const fits = 'gives values that fit their schemas'

  test.each<[string, (record: ConnectRecord) => unknown, string[]]>([
    ['changes nothing', (record) => record, []],
    ['drops all', () => null, []],
    ['forgets to answer', () => undefined, [kind]],
    ['changes the topic', (record) => changed(record, { topic: 'other' }), []],
    [
      'refuses what is no object',
      (record) => {
        if (typeof record.value !== 'object') throw new DataError('no')
        return record
      },
      [],
    ],
    [
      'refuses all',
      () => {
        throw new DataError('no')
      },
      [kind],
    ],
    [
      'stumbles over null',
      (record) => changed(record, { topic: (record.value as Date).toISOString() }),
      [kind, leaves, keeps, fits],
    ],
    ['changes what it is given', (record) => Object.assign(record, { topic: `${record.topic}x` }), [leaves]],
    ['makes a record of its own', ({ topic, value }) => ({ topic, value }), [keeps]],
    ['forgets the schema', (record) => changed(record, { value: 1, valueSchema: schema.string() }), [fits]],
  ])('that %s', async (_, apply, expected) => expect(await failing(apply)).toEqual(expected))
})

test('a run has topics to follow, and tells what is held and logged', async () => {
  const joining = defineTransform({
    name: 'joining',
    doc: '',
    config: {},
    async create(_, context) {
      const names = new Map<string, string>()
      const text = (bytes: Uint8Array | null) => new TextDecoder().decode(bytes ?? undefined)
      await context.followTopic('names', ({ key, value }) => {
        names.set(text(key), text(value))
        context.holds(names.size)
      })
      context.log.info('ready')
      return { apply: (record) => changed(record, { value: names.get(String(record.value)) ?? null }) }
    },
  })
  const run = runTransform(joining, {}, { topics: { names: [{ key: '1', value: 'one' }] } })
  expect(await run.applyAll([{ topic: 't', value: '1' }])).toEqual([{ topic: 't', value: 'one' }])
  await run.write('names', { key: '2', value: 'two' })
  expect(await run.apply({ topic: 't', value: '2' })).toEqual({ topic: 't', value: 'two' })
  expect([run.heldBytes, run.logs.map(({ message }) => message)]).toEqual([2, ['ready']])
  await run.close()
  await expect(runTransform(joining).apply({ topic: 't', value: '1' })).rejects.toThrow('topic names does not exist')
})

describe('a predicate', () => {
  const long = definePredicate({
    name: 'long',
    doc: '',
    config: { than: { type: 'int', required: true, doc: 'What.' } },
    create: ({ than }) => ({ test: ({ value }) => typeof value === 'string' && value.length > than }),
  })

  test('says what it says of a record', () => {
    expect(testPredicate(long, { than: 2 }, { topic: 't', value: 'abc' })).toBe(true)
    expect(() => testPredicate(long, {}, { topic: 't', value: 'abc' })).toThrow('than: is required')
  })

  test.each(predicateConformance({ predicate: long, config: { than: 2 } }))('$name', async ({ run }) => run())

  test('that stumbles is found out', async () => {
    const hasty = definePredicate({
      name: 'hasty',
      doc: '',
      config: {},
      create: () => ({ test: ({ value }) => (value as string).length > 2 }),
    })
    const [, any] = predicateConformance({ predicate: hasty })
    await expect(any!.run()).rejects.toThrow('a tombstone: it throws what is no DataError')
  })
})
