import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { RegistryState } from './registry-state.ts'
import {
  clearSubjectRecord,
  configRecord,
  contextRecord,
  deleteSubjectRecord,
  modeRecord,
  schemaRecord,
  schemaTombstone,
  type LogRecord,
  type SchemaValue,
} from './schema-records.ts'

function stateOf(...records: readonly LogRecord[]): RegistryState {
  const state = new RegistryState(silentLogger)
  for (const record of records) state.apply(record, 1)
  return state
}

function version(subject: string, number: number, id: number, rest: Partial<SchemaValue> = {}): LogRecord {
  const value = { subject, version: number, id, schemaType: 'AVRO', references: [], deleted: false } as const
  return schemaRecord({ ...value, schema: `"schema ${id}"`, ...rest })
}

const numbers = (state: RegistryState, subject: string, which: 'live' | 'all' | 'deleted' = 'live') =>
  state.versions(subject, which).map((each) => each.version)

describe('what records make of the state', () => {
  test('subjects, versions, ids', () => {
    const state = stateOf(version('a', 1, 1), version('a', 2, 2), version('b', 1, 1))
    expect(state.subjects(':*:', 'live')).toEqual(['a', 'b'])
    expect(numbers(state, 'a')).toEqual([1, 2])
    expect(state.latest('a')).toMatchObject({ version: 2, id: 2 })
    expect(state.byId(1, undefined)).toMatchObject({ subject: 'a' })
    expect(state.byId(1, 'b')).toMatchObject({ subject: 'b' })
    expect(state.withId(1, '.', 'live').map(({ subject }) => subject)).toEqual(['a', 'b'])
    expect(state.maxId('.')).toBe(2)
    expect(state.idOf(state.latest('a')!, '.')).toBe(2)
    expect(state.byGuid(state.latest('a')!.guid)).toEqual([{ context: '.', id: 2 }])
  })

  test('a subject that is deleted, and written again', () => {
    const state = stateOf(version('a', 1, 1), version('a', 2, 2), deleteSubjectRecord('a', 2))
    expect(numbers(state, 'a')).toEqual([])
    expect(numbers(state, 'a', 'deleted')).toEqual([1, 2])
    expect(state.subjects(':*:', 'live')).toEqual([])
    expect(state.hasSubjects('a', 'all')).toBe(true)
    state.apply(version('a', 3, 2), 1)
    expect(numbers(state, 'a')).toEqual([3])
    expect(state.versionWithId('a', 2)).toMatchObject({ version: 3, deleted: false })
  })

  test('what goes for good takes its id along, unless another has it', () => {
    const state = stateOf(version('a', 1, 1), version('b', 1, 1), schemaTombstone('a', 1))
    expect(state.subjects(':*:', 'all')).toEqual(['b'])
    expect(state.byId(1, undefined)).toMatchObject({ subject: 'b' })
    const guid = state.latest('b')!.guid
    state.apply(schemaTombstone('b', 1), 1)
    expect(state.byId(1, undefined)).toBeUndefined()
    expect(state.byGuid(guid)).toEqual([])
    // No id is given twice while somebody may have records with it.
    expect(state.maxId('.')).toBe(1)
  })

  test('of two versions with one id, the live one counts', () => {
    const state = stateOf(version('a', 1, 1, { deleted: true }), version('a', 2, 1))
    expect(state.versionWithId('a', 1)).toMatchObject({ version: 2 })
    state.apply(version('a', 1, 1, { deleted: true }), 1)
    expect(state.versionWithId('a', 1)).toMatchObject({ version: 2 })
    state.apply(schemaTombstone('a', 2), 1)
    expect(state.versionWithId('a', 1)).toMatchObject({ version: 1, deleted: true })
  })

  test('references, also of versions that are deleted', () => {
    const references = [{ name: 'A', subject: 'a', version: 1 }]
    const state = stateOf(version('a', 1, 1), version('b', 1, 2, { references }))
    expect(state.referrers('a', 1, 'live').map(({ subject }) => subject)).toEqual(['b'])
    state.apply(deleteSubjectRecord('b', 1), 1)
    expect(state.referrers('a', 1, 'live')).toEqual([])
    expect(state.referrers('a', 1, 'all')).toHaveLength(1)
    state.apply(schemaTombstone('b', 1), 1)
    expect(state.referrers('a', 1, 'all')).toEqual([])
  })

  test('contexts keep ids and references apart', () => {
    const references = [{ name: 'A', subject: 'a', version: 1 }]
    const state = stateOf(
      contextRecord('.c', true),
      version('a', 1, 1),
      version(':.c:a', 1, 1, { schema: '"other"' }),
      version(':.c:b', 1, 2, { references }),
    )
    expect(state.contexts()).toEqual(['.c'])
    expect(state.byId(1, ':.c:')).toMatchObject({ schema: '"other"' })
    expect(state.byId(1, undefined)).toMatchObject({ schema: '"schema 1"' })
    expect(state.byId(2, 'b')).toMatchObject({ subject: ':.c:b' })
    expect(state.referrers(':.c:a', 1, 'live')).toHaveLength(1)
    expect(state.referrers('a', 1, 'live')).toEqual([])
    expect(state.subjects('', 'live')).toEqual(['a'])
    expect(state.subjects(':.c:', 'live')).toEqual([':.c:a', ':.c:b'])
    expect(state.subjects(':*:a', 'live')).toEqual([':.c:a', 'a'])
    expect(state.hasSubjects(':.c:', 'live')).toBe(true)
    state.apply(contextRecord('.c', false), 1)
    expect(state.contexts()).toEqual([])
  })

  test('a subject that is cleared', () => {
    const state = stateOf(version('a', 1, 1, { deleted: true }), version('a', 2, 2), clearSubjectRecord('a'))
    expect(numbers(state, 'a', 'all')).toEqual([2])
    expect(state.byId(1, undefined)).toBeUndefined()
  })

  test('settings', () => {
    const state = stateOf(configRecord('a', { compatibilityLevel: 'FULL' }), modeRecord(null, 'READONLY'))
    expect(state.ownConfig('a')).toEqual({ compatibilityLevel: 'FULL' })
    expect(state.ownMode(null)).toBe('READONLY')
    state.apply(configRecord('a', null), 1)
    expect(state.ownConfig('a')).toBeUndefined()
  })

  test('an id that another schema has, and what is no record, is passed over', () => {
    const state = stateOf(version('a', 1, 1), version('b', 1, 1, { schema: '"another"' }), { key: '?', value: '?' })
    expect(state.subjects(':*:', 'all')).toEqual(['a'])
  })
})

describe('what is applied tentatively', () => {
  test('can be built upon, and is taken back', () => {
    const references = [{ name: 'A', subject: 'a', version: 1 }]
    const before = [version('a', 1, 1), version('a', 2, 2, { deleted: true }), contextRecord('.c', true)]
    const state = stateOf(...before)
    const takeBack = state.tentatively([
      contextRecord('.d', true),
      schemaTombstone('a', 2),
      version('a', 3, 2),
      version(':.d:b', 1, 1, { references }),
    ])!
    expect(numbers(state, 'a', 'all')).toEqual([1, 3])
    expect(state.contexts()).toEqual(['.c', '.d'])
    expect(state.maxId('.d')).toBe(1)
    takeBack()
    expect(shown(state)).toEqual(shown(stateOf(...before)))
    expect(state.contexts()).toEqual(['.c'])
    expect(state.referrers(':.d:a', 1, 'all')).toEqual([])
    expect(state.byId(1, ':.d:')).toBeUndefined()
  })

  test('is nothing where it could not be taken back', () => {
    const state = stateOf(version('a', 1, 1))
    expect(state.tentatively([schemaTombstone('a', 1), configRecord('a', null)])).toBeUndefined()
    expect(() => state.tentatively([version('b', 1, 2), version('c', 1, 1, { schema: '"x"' })])).toThrow(/id 1/)
    expect(state.subjects(':*:', 'all')).toEqual(['a'])
  })

  test('content that was imported under two ids has the lower one, whatever came last', () => {
    const same = { schema: '"same"' }
    const state = stateOf(version('a', 1, 5, same), version('b', 1, 9, same))
    const content = state.latest('a')!
    expect(state.idOf(content, '.')).toBe(5)
    state.apply(schemaTombstone('a', 1), 1)
    expect(state.idOf(content, '.')).toBe(9)
    state.tentatively([version('a', 1, 5, same)])!()
    expect(state.idOf(content, '.')).toBe(9)
  })
})

test('what is left after compaction makes the same state', () => {
  const subject = fc.constantFrom('a', 'b', ':.c:a')
  const number = fc.integer({ min: 1, max: 4 })
  const record = fc.oneof(
    {
      weight: 4,
      arbitrary: fc
        .tuple(subject, number, number, fc.boolean())
        .map(([s, n, id, deleted]) => version(s, n, id, { deleted })),
    },
    fc.tuple(subject, number).map(([s, n]) => schemaTombstone(s, n)),
    // The registry never names a lower number than before: compaction keeps the last alone.
    subject.map((s) => deleteSubjectRecord(s, s === 'a' ? 2 : 4)),
    subject.map((s) => configRecord(s, { compatibilityLevel: 'NONE' })),
    subject.map((s) => configRecord(s, null)),
  )
  fc.assert(
    fc.property(fc.array(record, { maxLength: 40 }), (records) => {
      const last = new Map(records.map((each, i) => [each.key, i]))
      const compacted = records.filter(({ key, value }, i) => last.get(key) === i && value !== null)
      expect(shown(stateOf(...compacted))).toEqual(shown(stateOf(...records)))
    }),
  )
})

function shown(state: RegistryState): unknown {
  const ids = [1, 2, 3, 4]
  return state
    .subjects(':*:', 'all')
    .map((subject) => [
      state.versions(subject, 'all').map(({ version, id, deleted }) => [version, id, deleted]),
      ids.map((id) => state.versionWithId(subject, id)?.version),
      state.ownConfig(subject),
    ])
}
