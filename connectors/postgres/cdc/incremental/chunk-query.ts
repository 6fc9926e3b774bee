import { backslash, tab, unescape } from '../../link/copy-text.ts'
import { quoteIdentifier, quoteLiteral } from '../../link/identifier.ts'
import type { ChunkTable, OrderColumn } from './chunk-table.ts'

/** Values of the order's columns, in the text forms of their types. */
export type Place = readonly string[]

/** Which rows of a table are still to be read. */
export interface ChunkRange {
  /** Undefined: from the first. */
  readonly after: Place | undefined
  /** The last row of all. */
  readonly to: Place
  /** In SQL. */
  readonly condition: string | undefined
}

/** Selects the next so many rows: first the columns of the order, then others. */
export function chunkQuery(
  { from, order }: Pick<ChunkTable, 'from' | 'order'>,
  columns: readonly string[],
  { after, to, condition }: ChunkRange,
  limit: number,
): string {
  const names = order.map(({ name }) => quoteIdentifier(name))
  const conditions = [
    ...(after === undefined ? [] : [`(${names.join(', ')}) > (${literals(order, after)})`]),
    `(${names.join(', ')}) <= (${literals(order, to)})`,
    ...(condition === undefined ? [] : [`(${condition})`]),
  ]
  const selected = [...names, ...columns.map(quoteIdentifier)].join(', ')
  return `SELECT ${selected} FROM ${from} WHERE ${conditions.join(' AND ')} ORDER BY ${names.join(', ')} LIMIT ${limit}`
}

/** Selects the place of the last row. */
export function lastPlaceQuery(
  { from, order }: Pick<ChunkTable, 'from' | 'order'>,
  condition: string | undefined,
): string {
  const names = order.map(({ name }) => quoteIdentifier(name))
  const where = condition === undefined ? '' : ` WHERE (${condition})`
  return `SELECT ${names.join(', ')} FROM ${from}${where} ORDER BY ${names.map((name) => `${name} DESC`).join(', ')} LIMIT 1`
}

const literals = (order: readonly OrderColumn[], place: Place): string =>
  order.map(({ type }, index) => `${quoteLiteral(place[index]!)}::${type}`).join(', ')

/**
 * Reads the first `count` values of a line of COPY's text form; none of them is NULL.
 * @returns the values, and where the next one begins
 */
export function readPlace(bytes: Buffer, start: number, end: number, count: number): { place: string[]; next: number } {
  const place: string[] = []
  let at = start
  while (place.length < count) {
    // A tab within a value is written as `\t`.
    const found = bytes.indexOf(tab, at)
    const stop = found === -1 || found > end ? end : found
    place.push(textOf(bytes, at, stop))
    at = stop + 1
  }
  return { place, next: at }
}

function textOf(bytes: Buffer, start: number, end: number): string {
  const escape = bytes.indexOf(backslash, start)
  if (escape === -1 || escape >= end) return bytes.toString('utf8', start, end)
  const plain = Buffer.allocUnsafe(end - start)
  return plain.toString('utf8', 0, unescape(bytes, start, end, plain))
}
