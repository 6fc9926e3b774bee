import { describe, expect, test } from 'vitest'
import { eventConfig } from '../../test/event-fixtures.ts'
import { checkEvents, overriddenTables } from './settings.ts'
import { snapshotTables } from './snapshot-tables.ts'
import { TableFilter } from './table-filter.ts'
import type { CatalogRelation } from './table-look-up.ts'

describe('checkEvents', () => {
  test('the defaults are right', () => {
    expect(checkEvents(eventConfig(), {})).toEqual({})
  })

  test.each([
    ['schema.include.list', 'schema.exclude.list'],
    ['table.include.list', 'table.exclude.list'],
    ['column.include.list', 'column.exclude.list'],
    ['message.prefix.include.list', 'message.prefix.exclude.list'],
  ] as const)('%s and %s exclude each other', (include, exclude) => {
    expect(Object.keys(checkEvents(eventConfig({ [include]: 'a', [exclude]: 'b' }), {}))).toEqual([exclude])
  })

  test.each([
    [{ 'table.include.list': 'public.(' }, {}, 'table.include.list'],
    [{ 'message.key.columns': 'public.t' }, {}, 'message.key.columns'],
    [{ 'skipped.operations': ['none', 'c'] }, {}, 'skipped.operations'],
    [{ 'snapshot.select.statement.overrides': 'public.t' }, {}, 'snapshot.select.statement.overrides'],
    [{}, { 'column.mask.hash.NOPE.with.salt.x': 'a' }, 'column.mask.hash.NOPE.with.salt.x'],
    [{ 'column.propagate.source.type': '[' }, {}, 'column.propagate.source.type'],
  ] as const)('%j with %j is refused by %s', (settings, named, setting) => {
    expect(Object.keys(checkEvents(eventConfig(settings), named))).toEqual([setting])
  })

  test('tables read by a statement', () => {
    const config = eventConfig({ 'snapshot.select.statement.overrides': ' public.a , s.b' })
    expect(overriddenTables(config)).toEqual(['public.a', 's.b'])
    const named = {
      'snapshot.select.statement.overrides.public.a': 'SELECT 1',
      'snapshot.select.statement.overrides.s.b': 'SELECT 2',
    }
    expect(checkEvents(config, named)).toEqual({})
  })
})

describe('TableFilter', () => {
  const captures = (settings: Parameters<typeof eventConfig>[0], ...names: string[]): boolean[] => {
    const filter = new TableFilter(eventConfig(settings))
    return names.map((name) => {
      const [schema, table] = name.split('.') as [string, string]
      return filter.captures({ schema, table })
    })
  }

  test('all but what is built in', () => {
    const names = ['public.t', 'pg_catalog.pg_class', 'information_schema.x', 'pg_temp_3.t', 'public.spatial_ref_sys']
    expect(captures({}, ...names)).toEqual([true, false, false, false, false])
    expect(captures({ 'table.ignore.builtin': false }, ...names)).toEqual([true, true, true, true, true])
  })

  test('schemas and tables go together', () => {
    const settings = { 'schema.include.list': 'public,s.*', 'table.exclude.list': 'sales.old' }
    expect(captures(settings, 'public.t', 'sales.t', 'sales.old', 'other.t')).toEqual([true, true, false, false])
  })

  test('the table of signals is captured in any case', () => {
    const settings = { 'table.include.list': 'public.a', 'signal.data.collection': 'dbz.signals' }
    expect(captures(settings, 'public.a', 'public.b', 'dbz.signals')).toEqual([true, false, true])
  })

  test('columns', () => {
    const filter = new TableFilter(eventConfig({ 'column.exclude.list': 'public.t.(a|b),.*.secret' }))
    const has = (column: string): boolean => filter.hasColumn({ schema: 'public', table: 't' }, column)
    expect(['a', 'ab', 'Secret', 'c'].map(has)).toEqual([false, true, false, true])
  })
})

describe('snapshotTables', () => {
  const relation = (oid: number, table: string, more: Partial<CatalogRelation> = {}): CatalogRelation => ({
    oid,
    schema: 'public',
    table,
    isPartitioned: false,
    parentOid: 0,
    blocks: 1,
    rows: -1,
    ...more,
  })
  const relations = [
    relation(1, 'a'),
    relation(2, 'b'),
    relation(3, 'root', { isPartitioned: true }),
    relation(4, 'sub', { isPartitioned: true, parentOid: 3 }),
    relation(5, 'leaf', { parentOid: 4 }),
  ]
  const all = { captures: () => true, viaRoot: false, order: undefined, include: undefined }
  const told = (choice: { viaRoot?: boolean; order?: string; include?: string }): string[] =>
    snapshotTables(relations, { ...all, ...choice }).map(({ root, relation: read }) => `${read.table} as ${root.table}`)

  test('partitions are tables of their own, or of their root', () => {
    expect(told({})).toEqual(['a as a', 'b as b', 'leaf as leaf'])
    expect(told({ viaRoot: true })).toEqual(['a as a', 'b as b', 'leaf as root'])
  })

  test('the list of tables gives the order, that of the snapshot leaves out', () => {
    expect(told({ order: 'public.b,public.[ab]' })).toEqual(['b as b', 'a as a', 'leaf as leaf'])
    expect(told({ order: 'public.b,.*', include: 'public.leaf,public.b' })).toEqual(['b as b', 'leaf as leaf'])
  })
})
