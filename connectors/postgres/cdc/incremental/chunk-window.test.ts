import { describe, expect, test } from 'vitest'
import type { Relation, RowChange } from '../replication/wal-message.ts'
import { ChunkWindow, keyOf, type Line } from './chunk-window.ts'

const line: Line = { bytes: Buffer.alloc(0), start: 0, end: 0 }
const relation: Relation = {
  id: 1,
  schema: 'public',
  table: 'item',
  replicaIdentity: 'd',
  columns: ['name', 'a', 'b'].map((name) => ({ name, typeOid: 25, typeModifier: -1, isKey: name !== 'name' })),
}

/** null: NULL; undefined: not sent. */
type Value = string | null | undefined

function tuple(values: readonly Value[]): Buffer {
  const parts = values.map((value) => {
    if (value === null) return Buffer.from('n')
    if (value === undefined) return Buffer.from('u')
    const head = Buffer.from('t\0\0\0\0')
    head.writeUInt32BE(Buffer.byteLength(value), 1)
    return Buffer.concat([head, Buffer.from(value)])
  })
  return Buffer.concat([Buffer.from([0, values.length]), ...parts])
}

function change(
  kind: RowChange['kind'],
  old: readonly Value[] | undefined,
  now: readonly Value[] | undefined,
): RowChange {
  const before = old === undefined ? Buffer.alloc(0) : tuple(old)
  const after = now === undefined ? Buffer.alloc(0) : tuple(now)
  return {
    kind,
    lsn: 1,
    relationId: 1,
    bytes: Buffer.concat([before, after]),
    oldAt: old === undefined ? -1 : 0,
    newAt: now === undefined ? -1 : before.length,
    oldKind: old === undefined ? undefined : 'K',
  }
}

const rowsOf = (...keys: string[][]): Map<string, Line> => new Map(keys.map((key) => [keyOf(key), line]))
const keysOf = (window: ChunkWindow): string[] => [...window.rows.keys()].map((key) => key.replace('\0', '/'))
const open = (maxBytes = 10_000): ChunkWindow => new ChunkWindow(['b', 'a'], relation, maxBytes)

describe('ChunkWindow', () => {
  test('takes out what was changed, before the rows came and after', () => {
    const window = open()
    window.change(change('insert', undefined, ['x', '1', '1']))
    window.change(change('update', undefined, [undefined, '2', '2']))
    window.load(rowsOf(['1', '1'], ['2', '2'], ['3', '3'], ['4', '4'], ['5', '5'], ['6', '6']))
    window.change(change('delete', [null, '3', '3'], undefined))
    window.change(change('update', [null, '4', '4'], ['x', '5', '5']))
    expect(keysOf(window)).toEqual(['6/6'])
    expect(window.spoilt).toBeUndefined()
  })

  test('tells keys of several columns apart', () => {
    const window = new ChunkWindow(['a', 'b'], relation, 10_000)
    window.load(rowsOf(['1', '12'], ['11', '2']))
    window.change(change('delete', [null, '1', '12'], undefined))
    expect(keysOf(window)).toEqual(['11/2'])
  })

  test('finds the value that an update did not send in its old key', () => {
    const window = open()
    window.load(rowsOf(['1', '1'], ['2', '1']))
    window.change(change('update', [null, '1', '1'], ['x', undefined, '2']))
    expect(keysOf(window)).toEqual([])
    expect(window.spoilt).toBeUndefined()
  })

  test('learns where the key is when the table is announced, and has no use for one that is never told', () => {
    const window = new ChunkWindow(['a'], undefined, 10_000)
    window.load(rowsOf(['1'], ['2']))
    window.announced(relation)
    window.change(change('insert', undefined, ['x', '1', '1']))
    expect(keysOf(window)).toEqual(['2'])
    const other = new ChunkWindow(['c'], relation, 10_000)
    other.load(rowsOf(['1']))
    other.change(change('insert', undefined, ['x', '1', '1']))
    expect(keysOf(other)).toEqual(['1'])
    expect(other.spoilt).toBeUndefined()
  })

  test('is spoilt by what leaves open which rows have changed', () => {
    const altered = open()
    altered.announced({ ...relation, columns: [...relation.columns] })
    expect(altered.spoilt).toBeUndefined()
    altered.announced({ ...relation, columns: relation.columns.slice(0, 2) })
    expect(altered.spoilt).toMatch(/altered/)
    const keyless = open()
    keyless.change(change('update', undefined, ['x', undefined, '1']))
    expect(keyless.spoilt).toMatch(/without its key/)
    const full = open(1000)
    for (let id = 0; id < 20; id++) full.change(change('insert', undefined, ['x', String(id), '1']))
    expect(full.spoilt).toMatch(/too much/)
  })

  test('a truncate leaves no row, and rows that are still to come are read again', () => {
    const window = open()
    window.load(rowsOf(['1', '1']))
    window.truncated()
    expect(keysOf(window)).toEqual([])
    expect(window.spoilt).toBeUndefined()
    const early = open()
    early.truncated()
    expect(early.spoilt).toMatch(/truncated/)
  })
})
