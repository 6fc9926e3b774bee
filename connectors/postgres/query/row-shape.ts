import { ConnectError, DataError, type Schema } from '@tidewire/sdk'
import { backslash, capitalN, tab, unescape } from '../link/copy-text.ts'
import { microsOfDay, readTimestamp, type Moment } from '../types/moment.ts'
import type { ColumnValue } from './column-values.ts'
import type { Position } from './position.ts'

type Row = Record<string, unknown>

/** A column of rows, in the order in which they are selected. */
export interface RowColumn extends ColumnValue {
  readonly name: string
  readonly nullable: boolean
  readonly isKey: boolean
}

/** What follows the columns in each line: the row's position, as the mode has it. */
export interface Tail {
  readonly timestamp: boolean
  readonly incrementing: boolean
}

/**
 * Reads lines of COPY's text form into rows. Lives for as long as the columns stay what they are, so that converters
 * know the schemas again.
 */
export class RowShape {
  readonly valueSchema: Schema
  readonly keySchema: Schema | undefined
  readonly #target: string
  readonly #columns: readonly RowColumn[]
  readonly #keys: readonly string[]
  readonly #tail: Tail
  #unescaped = Buffer.alloc(0)

  /** @param target what is read, for messages */
  constructor(target: string, schemaName: string | undefined, columns: readonly RowColumn[], tail: Tail) {
    this.#target = target
    this.#columns = columns
    this.#tail = tail
    this.valueSchema = structOf(columns, schemaName)
    const keys = columns.filter(({ isKey }) => isKey)
    this.#keys = keys.map(({ name }) => name)
    this.keySchema = keys.length === 0 ? undefined : structOf(keys, schemaName && `${schemaName}.Key`)
  }

  /**
   * The row of the line [start, end).
   * @throws DataError where a value has no place in its field; ConnectError where the line is not of this shape
   */
  readRow(bytes: Buffer, start: number, end: number): Row {
    const row: Row = {}
    let at = start
    for (const column of this.#columns) {
      let stop = at
      let isEscaped = false
      for (let byte = bytes[stop]!; stop < end && byte !== tab; byte = bytes[++stop]!) {
        if (byte !== backslash) continue
        isEscaped = true
        stop++
      }
      row[column.name] = this.#value(column, bytes, at, stop, isEscaped)
      at = stop + 1
    }
    return row
  }

  /** The struct of the key's columns, from a row; undefined without any. */
  keyOf(row: Row): Row | undefined {
    if (this.keySchema === undefined) return undefined
    const key: Row = {}
    for (const name of this.#keys) key[name] = row[name]
    return key
  }

  /** How far one has read with the row of the line [start, end): from the line's last columns. @throws ConnectError */
  positionAt(bytes: Buffer, start: number, end: number): Position {
    let stop = end
    let incrementing: bigint | undefined
    if (this.#tail.incrementing) {
      const at = bytes.lastIndexOf(tab, stop - 1) + 1
      incrementing = this.#integer(bytes.toString('latin1', Math.max(at, start), stop))
      stop = at - 1
    }
    if (!this.#tail.timestamp) return { incrementing }
    readTimestamp(bytes, Math.max(bytes.lastIndexOf(tab, stop - 1) + 1, start), stop, moment)
    const { days, micros } = moment
    const timestamp = {
      millis: days * (microsOfDay / 1000) + Math.floor(micros / 1000),
      micros: micros % 1000,
    }
    return incrementing === undefined ? { timestamp } : { timestamp, incrementing }
  }

  #integer(text: string): bigint {
    if (/^-?\d+$/.test(text)) return BigInt(text)
    throw new ConnectError(`${this.#target}: the incrementing column has the value ${text}, which is no whole number`)
  }

  #value(column: RowColumn, bytes: Buffer, start: number, end: number, isEscaped: boolean): unknown {
    try {
      if (!isEscaped) return column.read(bytes, start, end)
      if (end === start + 2 && bytes[start + 1] === capitalN) return null
      if (this.#unescaped.length < end - start) this.#unescaped = Buffer.allocUnsafe((end - start) * 2)
      return column.read(this.#unescaped, 0, unescape(bytes, start, end, this.#unescaped))
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause)
      throw new DataError(`${this.#target}, column ${column.name}: ${reason}`, { cause })
    }
  }
}

/** One for all lines: a position is read before the next begins. */
const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }

function structOf(columns: readonly RowColumn[], name: string | undefined): Schema {
  return {
    type: 'struct',
    ...(name !== undefined && { name }),
    fields: columns.map((column) => ({
      name: column.name,
      schema: column.nullable ? { ...column.schema, optional: true } : column.schema,
    })),
  }
}
