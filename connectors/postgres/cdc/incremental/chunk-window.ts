import { isDeepStrictEqual } from 'node:util'
import { columnAt, lengthAt, text } from '../events/tuple.ts'
import type { Relation, RowChange } from '../replication/wal-message.ts'

/** A line of COPY, from its first value that is of the row. */
export interface Line {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** What takes the room of a set's entry beside its text, roughly. */
const entryBytes = 64

/**
 * From before a chunk is read until its rows are told: takes out of it each row that the stream has told a change of
 * since. The chunk's row may be older than that, while all that is newer than the row is still to come.
 */
export class ChunkWindow {
  readonly #key: readonly string[]
  readonly #maxBytes: number
  #relation: Relation | undefined
  /** Of the key's columns in the stream's tuples. */
  #columns: readonly number[] | undefined
  /** Keys that were changed before the rows had come. */
  readonly #changed = new Set<string>()
  #changedBytes = 0
  #rows: Map<string, Line> | undefined
  #spoilt: string | undefined

  /** @param relation the table as the stream has announced it, if it has */
  constructor(key: readonly string[], relation: Relation | undefined, maxBytes: number) {
    this.#key = key
    this.#maxBytes = maxBytes
    this.#setRelation(relation)
  }

  /** Why the rows cannot be told, and are to be read again; undefined: they can. */
  get spoilt(): string | undefined {
    return this.#spoilt
  }

  /** The rows that nothing has changed, in the order in which they were read. */
  get rows(): ReadonlyMap<string, Line> {
    return this.#rows ?? new Map()
  }

  /** The rows that were read, by {@link keyOf}. */
  load(rows: Map<string, Line>): void {
    for (const key of this.#changed) rows.delete(key)
    this.#changed.clear()
    this.#rows = rows
  }

  /** The stream announces the table. */
  announced(relation: Relation): void {
    if (this.#relation !== undefined && !isDeepStrictEqual(this.#relation, relation)) this.spoil('it was altered')
    this.#setRelation(relation)
  }

  /** The stream tells a change of the table. */
  change({ bytes, newAt, oldAt }: RowChange): void {
    const columns = this.#columns
    // Without its key the stream tells of no change but inserts, and a row that is told twice is none that is wrong.
    if (columns === undefined) return
    const old = oldAt < 0 ? undefined : keyAt(bytes, oldAt, columns, undefined)
    const current = newAt < 0 ? undefined : keyAt(bytes, newAt, columns, oldAt < 0 ? undefined : oldAt)
    if ((oldAt >= 0 && old === undefined) || (newAt >= 0 && current === undefined)) {
      this.spoil('a change of it was told without its key')
    }
    if (old !== undefined) this.#touch(old)
    if (current !== undefined && current !== old) this.#touch(current)
  }

  /** The stream tells that the table was emptied; what was put into it since comes after that. */
  truncated(): void {
    if (this.#rows === undefined) this.spoil('it was truncated')
    else this.#rows.clear()
  }

  /** The rows are not to be told. */
  spoil(why: string): void {
    this.#spoilt ??= why
    this.#changed.clear()
  }

  #touch(key: string): void {
    if (this.#rows !== undefined) {
      this.#rows.delete(key)
      return
    }
    if (this.#spoilt !== undefined || this.#changed.has(key)) return
    this.#changedBytes += 2 * key.length + entryBytes
    this.#changed.add(key)
    if (this.#changedBytes > this.#maxBytes) this.spoil('too much of it has changed meanwhile')
  }

  #setRelation(relation: Relation | undefined): void {
    if (relation === undefined) return
    this.#relation = relation
    const columns = this.#key.map((name) => relation.columns.findIndex((column) => column.name === name))
    this.#columns = columns.includes(-1) ? undefined : columns
  }
}

/** Tells rows apart, by the values of the key: no value has a NUL in it. */
export const keyOf = (values: readonly string[]): string => values.join('\0')

/** The key of a tuple; a value that was not sent is taken from the old tuple. Undefined: it was not sent. */
function keyAt(bytes: Buffer, at: number, columns: readonly number[], oldAt: number | undefined): string | undefined {
  const values: string[] = []
  for (const column of columns) {
    let value = columnAt(bytes, at, column)
    if (bytes[value] !== text && oldAt !== undefined) value = columnAt(bytes, oldAt, column)
    if (bytes[value] !== text) return undefined
    values.push(bytes.toString('utf8', value + 5, value + 5 + lengthAt(bytes, value + 1)))
  }
  return keyOf(values)
}
