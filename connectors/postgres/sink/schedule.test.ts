import { sinkRecord } from '@tidewire/sdk/testing'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { ColumnSet } from './row-plan.ts'
import {
  GroupingSchedule,
  lastRecords,
  OrderedSchedule,
  type Group,
  type Schedule,
  type WriteKind,
} from './schedule.ts'
import type { TargetColumn, TargetTable } from './target-tables.ts'

const column = (name: string): TargetColumn => ({
  name,
  type: { name: 'text', delimiter: ',' },
  castType: 'text',
  isDeterministic: true,
  isGenerated: false,
  isAlwaysIdentity: false,
})

const tableOf = (name: string): TargetTable => ({
  name: { schema: undefined, table: name, sql: name },
  takesCopy: true,
  columns: new Map(),
})

function setOf(table: TargetTable, names: readonly string[], isPartial = false): ColumnSet {
  return { table, columns: names.map(column), keyCount: 1, hasPlainKeys: true, isPartial }
}

// Looked at anew, as after a column was added: another object, and the same table.
const sets = [
  setOf(tableOf('t'), ['k', 'a', 'b']),
  setOf(tableOf('t'), ['k', 'a'], true),
  setOf(tableOf('u'), ['k', 'a', 'b']),
]

type Row = Readonly<Record<string, string | null>>

/** What a database would hold after these groups. */
function outcome(groups: readonly Group[]): Record<string, Row> {
  const rows = new Map<string, Row>()
  for (const { kind, set, rows: written } of groups) {
    const table = set.table.name.sql
    if (kind === 'truncate') {
      for (const key of [...rows.keys()]) if (key.startsWith(`${table} `)) rows.delete(key)
    }
    const seen = new Set<string>()
    for (const row of written) {
      if (kind === 'truncate') break
      const key = `${table} ${row[0]!}`
      if (seen.has(key)) throw new Error(`key ${key} is twice in one ${kind}`)
      seen.add(key)
      const values = Object.fromEntries(set.columns.map(({ name }, at) => [name, row[at] ?? null]))
      if (kind === 'delete') rows.delete(key)
      else if (kind === 'upsert' || rows.has(key)) rows.set(key, { ...rows.get(key), ...values })
    }
  }
  return Object.fromEntries([...rows].toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

const changes = fc.array(
  fc.record({
    kind: fc.constantFrom<WriteKind>('upsert', 'upsert', 'update', 'delete', 'truncate'),
    set: fc.constantFrom(...sets),
    key: fc.constantFrom('1', '2', '3', '4'),
  }),
  { maxLength: 60 },
)

describe('the order of writing', () => {
  test('groups come to the same as one record after the other', () => {
    fc.assert(
      fc.property(changes, (made) => {
        const [grouping, ordered, single]: [Schedule, Schedule, Group[]] = [
          new GroupingSchedule(true),
          new OrderedSchedule(),
          [],
        ]
        for (const [at, { kind, set, key }] of made.entries()) {
          const record = sinkRecord({ offset: at })
          const row = kind === 'truncate' ? [] : set.columns.map(({ name }) => (name === 'k' ? key : `${name}${at}`))
          grouping.add(kind, set, row, record)
          ordered.add(kind, set, row, record)
          single.push({ kind, set, rows: [row], records: [record] })
        }
        expect(outcome(ordered.groups)).toEqual(outcome(single))
        expect(outcome(grouping.groups)).toEqual(outcome(single))
      }),
    )
  })

  test('where texts do not tell which keys are the same, all rows of a table stay in order, updates one by one', () => {
    const foreign = sets.slice(0, 2).map((set) => ({ ...set, hasPlainKeys: false }))
    fc.assert(
      fc.property(changes, (made) => {
        for (const schedule of [new GroupingSchedule(true), new OrderedSchedule()]) {
          for (const [offset, { kind, set, key }] of made.entries()) {
            const changed = foreign[sets.indexOf(set)] ?? foreign[0]!
            const row = kind === 'truncate' ? [] : changed.columns.map(() => key)
            schedule.add(kind, changed, row, sinkRecord({ offset }))
          }
          const written = schedule.groups.flatMap(({ records }) => records.map(({ offset }) => offset))
          const truncates = new Set(made.flatMap(({ kind }, at) => (kind === 'truncate' ? [at] : [])))
          expect(written.filter((offset) => !truncates.has(offset))).toEqual(
            [...made.keys()].filter((offset) => !truncates.has(offset)),
          )
          for (const { kind, rows } of schedule.groups) if (kind === 'update') expect(rows).toHaveLength(1)
        }
      }),
    )
  })

  test('a stream of changes of many keys takes few groups', () => {
    const schedule = new GroupingSchedule(true)
    for (let n = 0; n < 1000; n++) {
      schedule.add(n % 10 === 9 ? 'delete' : 'upsert', sets[0]!, [String(n), 'a', 'b'], sinkRecord({ offset: n }))
    }
    expect(schedule.groups.map(({ kind, rows }) => [kind, rows.length])).toEqual([
      ['upsert', 900],
      ['delete', 100],
    ])
  })

  test('inserts are never made one', () => {
    for (const schedule of [new GroupingSchedule(true), new GroupingSchedule(false), new OrderedSchedule()]) {
      for (const offset of [0, 1]) schedule.add('insert', sets[0]!, ['1', 'a', 'b'], sinkRecord({ offset }))
      expect(schedule.groups.map(({ rows }) => rows.length)).toEqual([2])
    }
  })

  test('records stay with their rows', () => {
    const schedule = new GroupingSchedule(false)
    for (const [offset, key] of ['1', '2', '1'].entries()) {
      schedule.add('upsert', sets[0]!, [key, `a${offset}`, 'b'], sinkRecord({ offset }))
    }
    const [group] = schedule.groups
    expect(group!.rows).toEqual([
      ['1', 'a2', 'b'],
      ['2', 'a1', 'b'],
    ])
    expect(group!.records.map(({ offset }) => offset)).toEqual([2, 1])
  })

  test('the last records of their rows', () => {
    const schedule = new OrderedSchedule()
    const add = (kind: WriteKind, offset: number, key: string, set = sets[0]!): void =>
      schedule.add(kind, set, [key], sinkRecord({ offset }))
    add('upsert', 0, '1')
    add('upsert', 1, '1', sets[2])
    add('truncate', 2, '')
    add('upsert', 3, '1')
    add('upsert', 4, '2')
    add('delete', 5, '1')
    expect([...lastRecords(schedule.groups)].map(({ offset }) => offset).toSorted((a, b) => a - b)).toEqual([1, 4, 5])
  })
})
