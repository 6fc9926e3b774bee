import type { SinkRecord } from '@tidewire/sdk'
import type { ColumnSet } from './row-plan.ts'
import type { RowText } from './text/row-text.ts'

export type WriteKind = 'insert' | 'upsert' | 'update' | 'delete' | 'truncate'

/** Rows that one statement may write, in the order in which they are to be written. No key is there twice, save for inserts. */
export interface Group {
  readonly kind: WriteKind
  readonly set: ColumnSet
  readonly rows: RowText[]
  /** That the rows are of. */
  readonly records: SinkRecord[]
}

/** Puts what records ask for into groups. */
export interface Schedule {
  readonly groups: readonly Group[]
  add(kind: WriteKind, set: ColumnSet, row: RowText, record: SinkRecord): void
}

/**
 * Everything in the order of the log: a group ends where the next row is of another kind or its key is there already. Where
 * texts do not tell which keys are the same, a row that changes another may be one of the group's: an upsert of both is
 * refused and then halved, other changes have a group for each row.
 */
export class OrderedSchedule implements Schedule {
  readonly groups: Group[] = []
  #keys = new Set<string>()

  add(kind: WriteKind, set: ColumnSet, row: RowText, record: SinkRecord): void {
    const key = kind === 'insert' ? undefined : keyOf(row, set.keyCount)
    const last = this.groups.at(-1)
    const fits = last?.kind === kind && last.set === set && mayShare(kind, set)
    if (fits && (key === undefined || !this.#keys.has(key))) {
      last.rows.push(row)
      last.records.push(record)
    } else {
      this.groups.push({ kind, set, rows: [row], records: [record] })
      this.#keys.clear()
    }
    if (key !== undefined) this.#keys.add(key)
  }
}

function mayShare(kind: WriteKind, set: ColumnSet): boolean {
  if (kind === 'truncate') return false
  return set.hasPlainKeys || kind === 'insert' || kind === 'delete' || (kind === 'upsert' && !set.isPartial)
}

/**
 * As few groups as keep the order of each key: of several rows of a key that would replace one another the last is
 * written, and a row joins an earlier group where its key has nothing to wait for. Tables are written one after another. What
 * comes of it is the same, unless rows depend on other rows (a foreign key, another unique column): then the server
 * refuses one, and {@link OrderedSchedule} is to decide.
 */
export class GroupingSchedule implements Schedule {
  /** By name: a table that was given columns meanwhile is still the same. */
  readonly #tables = new Map<string, TableGroups>()
  readonly #hasDeletes: boolean

  /** @param hasDeletes whether inserted rows of a key may be deleted by the same batch */
  constructor(hasDeletes: boolean) {
    this.#hasDeletes = hasDeletes
  }

  get groups(): readonly Group[] {
    return [...this.#tables.values()].flatMap(({ groups }) => groups)
  }

  add(kind: WriteKind, set: ColumnSet, row: RowText, record: SinkRecord): void {
    let table = this.#tables.get(set.table.name.sql)
    if (table === undefined) {
      table = new TableGroups()
      this.#tables.set(set.table.name.sql, table)
    }
    table.add(kind, set, row, record, set.keyCount > 0 && (kind !== 'insert' || this.#hasDeletes))
  }
}

class TableGroups {
  readonly groups: Group[] = []
  /** Where the rows of keys are, of each group. */
  readonly #places: Map<string, number>[] = []
  /** The last group that has a key. */
  readonly #lastGroup = new Map<string, number>()
  /** Nothing moves before a truncate. */
  #floor = 0

  add(kind: WriteKind, set: ColumnSet, row: RowText, record: SinkRecord, hasKey: boolean): void {
    if (kind === 'truncate') {
      this.#append(kind, set)
      this.#floor = this.groups.length
      return
    }
    const key = hasKey ? keyOf(row, set.keyCount) : undefined
    if (key !== undefined && !set.hasPlainKeys) {
      this.#addInOrder(kind, set, row, record, key)
      return
    }
    const earliest = Math.max(this.#floor, key === undefined ? 0 : (this.#lastGroup.get(key) ?? 0))
    const at = this.#groupFor(kind, set, earliest)
    const { rows, records } = this.groups[at]!
    const place = key === undefined || kind === 'insert' ? undefined : this.#places[at]!.get(key)
    if (place === undefined) {
      if (key !== undefined) this.#places[at]!.set(key, rows.length)
      rows.push(row)
      records.push(record)
    } else {
      rows[place] = row
      records[place] = record
    }
    if (key !== undefined) this.#lastGroup.set(key, at)
  }

  /** After all that is there, and before all that comes later: any of these rows may be of the same key. */
  #addInOrder(kind: WriteKind, set: ColumnSet, row: RowText, record: SinkRecord, key: string): void {
    const last = this.groups.at(-1)
    const fits = last?.kind === kind && last.set === set && mayShare(kind, set)
    const at = fits && !this.#places.at(-1)!.has(key) ? this.groups.length - 1 : this.#append(kind, set)
    this.#places[at]!.set(key, this.groups[at]!.rows.length)
    this.groups[at]!.rows.push(row)
    this.groups[at]!.records.push(record)
    this.#lastGroup.set(key, at)
    this.#floor = at
  }

  #groupFor(kind: WriteKind, set: ColumnSet, earliest: number): number {
    for (let at = earliest; at < this.groups.length; at++) {
      if (this.groups[at]!.kind === kind && this.groups[at]!.set === set) return at
    }
    return this.#append(kind, set)
  }

  #append(kind: WriteKind, set: ColumnSet): number {
    this.#places.push(new Map())
    return this.groups.push({ kind, set, rows: [], records: [] }) - 1
  }
}

/** The records after which none is of the same row, as far as that can be told: they may be written after all others. */
export function lastRecords(groups: readonly Group[]): ReadonlySet<SinkRecord> {
  const tables = new Map<string, Map<unknown, SinkRecord>>()
  for (const { kind, set, rows, records } of groups) {
    const table = set.table.name.sql
    if (kind === 'truncate' || !tables.has(table)) tables.set(table, new Map())
    if (kind === 'truncate') continue
    const ofTable = tables.get(table)!
    if (!set.hasPlainKeys) continue
    records.forEach((record, at) => ofTable.set(set.keyCount === 0 ? record : keyOf(rows[at]!, set.keyCount), record))
  }
  return new Set([...tables.values()].flatMap((ofTable) => [...ofTable.values()]))
}

/** PostgreSQL's texts have no NUL in them. */
function keyOf(row: RowText, count: number): string {
  return count === 1
    ? (row[0] ?? '\0')
    : row
        .slice(0, count)
        .map((part) => part ?? '\0')
        .join('\0')
}
