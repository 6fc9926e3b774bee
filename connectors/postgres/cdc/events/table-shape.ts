import { isDeepStrictEqual } from 'node:util'
import { ConnectError, type Schema } from '@tidewire/sdk'
import { backslash, capitalN, tab, unescape } from '../../link/copy-text.ts'
import type { TableId } from '../../link/identifier.ts'
import type { ColumnReader } from '../../types/column-reader.ts'
import {
  columnAt,
  columnCount,
  firstColumn,
  isSameColumn,
  lengthAt,
  nextColumn,
  nullValue,
  text,
  unchanged,
} from './tuple.ts'

/** Fields of a row or a key by their names. */
export type Fields = Record<string, unknown>

/** A row as events have it. */
export interface Row {
  /** null: the table has no key. */
  readonly key: Fields | null
  readonly value: Fields
}

/** What becomes of a column. */
export interface ShapeColumn {
  readonly name: string
  /** Undefined: its type has no place in events. */
  readonly reader: ColumnReader | undefined
  /** Its name in `before` and `after`; undefined: it is left out. */
  readonly field: string | undefined
  /** Its name in the key; undefined: it is not in it. */
  readonly keyField: string | undefined
  /** What a rule makes of its values; not in the key. */
  readonly rule: ((value: unknown) => unknown) | undefined
  /** What NULL becomes. */
  readonly absent: unknown
  /** Of an enum: its labels, where an unknown one shows that the shape is out of date. */
  readonly labels: ReadonlySet<string> | undefined
}

export interface TableShapeOptions {
  readonly id: TableId
  readonly topic: string
  readonly keySchema: Schema | undefined
  readonly rowSchema: Schema
  readonly valueSchema: Schema
  /** As they come in tuples. */
  readonly columns: readonly ShapeColumn[]
  /** A value that its reader does not take. Returns to have NULL in its place, or throws. */
  readonly onBadValue: (column: string, error: unknown) => void
}

/**
 * How the rows of a table become records, as long as its structure and what is looked up of it stay: its topic, its
 * schemas, and what reads rows, of the stream and of COPY. Schemas are the same objects for as long.
 */
export class TableShape {
  readonly id: TableId
  /** `schema.table`. */
  readonly name: string
  readonly topic: string
  /** Undefined: the table has no key. */
  readonly keySchema: Schema | undefined
  readonly rowSchema: Schema
  /** Of the whole event: the envelope. */
  readonly valueSchema: Schema
  readonly columns: readonly ShapeColumn[]
  /** Those that events have, in their order: what a snapshot selects, and {@link readCopyRow} reads. */
  readonly readColumns: readonly ShapeColumn[]
  readonly #onBadValue: TableShapeOptions['onBadValue']
  readonly #hasKey: boolean
  #unescaped = Buffer.alloc(0)

  constructor(options: TableShapeOptions) {
    this.id = options.id
    this.name = `${options.id.schema}.${options.id.table}`
    this.topic = options.topic
    this.keySchema = options.keySchema
    this.rowSchema = options.rowSchema
    this.valueSchema = options.valueSchema
    this.columns = options.columns
    this.readColumns = options.columns.filter(({ field, keyField }) => field !== undefined || keyField !== undefined)
    this.#onBadValue = options.onBadValue
    this.#hasKey = options.keySchema !== undefined
  }

  /**
   * The row of the tuple at `at`. A value that was not sent is taken from the tuple at `oldAt`, if there is one and it has it;
   * else its placeholder stands for it.
   * @param oldAt −1: there is none
   * @returns undefined: an enum has a label that the shape does not know, so that it is to be renewed
   * @throws ConnectError where the tuple is not of this shape
   */
  readTuple(bytes: Buffer, at: number, oldAt = -1): Row | undefined {
    const { columns } = this
    if (columnCount(bytes, at) !== columns.length) throw this.#mismatch(columnCount(bytes, at))
    const value: Fields = {}
    const key: Fields | null = this.#hasKey ? {} : null
    let position = firstColumn(at)
    for (let index = 0; index < columns.length; index++) {
      const column = columns[index]!
      const start = position
      position = nextColumn(bytes, start)
      if (column.reader === undefined) continue
      let read = this.#valueAt(column, column.reader, bytes, start, position)
      if (read === column.reader.unavailable && bytes[start] === unchanged && oldAt >= 0) {
        read = this.#oldValue(column, column.reader, bytes, columnAt(bytes, oldAt, index))
      }
      if (column.labels !== undefined && !isKnown(column, column.labels, read)) return undefined
      put(column, read, value, key)
    }
    return { key, value }
  }

  /** Whether an update left the key as it was. */
  hasSameKey(bytes: Buffer, oldAt: number, newAt: number): boolean {
    return this.#isSame(bytes, oldAt, newAt, ({ keyField }) => keyField === undefined)
  }

  /** Whether an update left all that `before` and `after` have as it was; what a rule changes, in its changed form. */
  hasSameValues(bytes: Buffer, oldAt: number, newAt: number, before: Row, after: Row): boolean {
    return (
      this.#isSame(bytes, oldAt, newAt, ({ field, rule }) => field === undefined || rule !== undefined) &&
      this.columns.every(
        ({ field, rule }) =>
          field === undefined || rule === undefined || isDeepStrictEqual(before.value[field], after.value[field]),
      )
    )
  }

  /**
   * The row of a line of COPY's text form: the columns of {@link readColumns}. `end` is where its line break is.
   * @throws ConnectError where the line is not of this shape
   */
  readCopyRow(bytes: Buffer, start: number, end: number): Row {
    const value: Fields = {}
    const key: Fields | null = this.#hasKey ? {} : null
    let at = start
    for (const column of this.readColumns) {
      if (at > end) throw this.#mismatch('fewer')
      let stop = at
      let isEscaped = false
      for (let byte = bytes[stop]!; stop < end && byte !== tab; byte = bytes[++stop]!) {
        if (byte !== backslash) continue
        isEscaped = true
        stop++
      }
      put(column, this.#copied(column, bytes, at, stop, isEscaped), value, key)
      at = stop + 1
    }
    if (at !== end + 1 && this.readColumns.length > 0) throw this.#mismatch('more')
    return { key, value }
  }

  #copied(column: ShapeColumn, bytes: Buffer, start: number, end: number, isEscaped: boolean): unknown {
    const reader = column.reader!
    if (!isEscaped) return this.#read(column, reader, bytes, start, end)
    if (end === start + 2 && bytes[start + 1] === capitalN) return column.absent
    if (this.#unescaped.length < end - start) this.#unescaped = Buffer.allocUnsafe((end - start) * 2)
    return this.#read(column, reader, this.#unescaped, 0, unescape(bytes, start, end, this.#unescaped))
  }

  #valueAt(column: ShapeColumn, reader: ColumnReader, bytes: Buffer, start: number, end: number): unknown {
    switch (bytes[start]) {
      case text:
        return this.#read(column, reader, bytes, start + 5, end)
      case nullValue:
        return column.absent
      case unchanged:
        return reader.unavailable
      default:
        throw new ConnectError(
          `table ${this.name}: the server sends column ${column.name} in binary form, which was not asked for; remove "binary" from slot.stream.params`,
        )
    }
  }

  #oldValue(column: ShapeColumn, reader: ColumnReader, bytes: Buffer, start: number): unknown {
    if (bytes[start] !== text) return reader.unavailable
    return this.#read(column, reader, bytes, start + 5, start + 5 + lengthAt(bytes, start + 1))
  }

  #read(column: ShapeColumn, reader: ColumnReader, bytes: Buffer, start: number, end: number): unknown {
    try {
      return reader.read(bytes, start, end)
    } catch (error) {
      this.#onBadValue(column.name, error)
      return column.absent
    }
  }

  #isSame(bytes: Buffer, oldAt: number, newAt: number, ignores: (column: ShapeColumn) => boolean): boolean {
    let old = firstColumn(oldAt)
    let current = firstColumn(newAt)
    for (const column of this.columns) {
      if (!ignores(column) && !isSameColumn(bytes, old, current)) return false
      old = nextColumn(bytes, old)
      current = nextColumn(bytes, current)
    }
    return true
  }

  #mismatch(count: number | string): ConnectError {
    return new ConnectError(
      `table ${this.name}: a row has ${count} columns where ${this.columns.length} were announced; restart the connector, which reads the table's structure again`,
    )
  }
}

function put({ field, keyField, rule }: ShapeColumn, read: unknown, value: Fields, key: Fields | null): void {
  if (field !== undefined) value[field] = rule === undefined ? read : rule(read)
  if (keyField !== undefined) key![keyField] = read
}

function isKnown(column: ShapeColumn, labels: ReadonlySet<string>, read: unknown): boolean {
  if (read === column.absent || read === column.reader?.unavailable) return true
  return typeof read !== 'string' || labels.has(read)
}
