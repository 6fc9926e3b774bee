import type { TableId } from '../../link/identifier.ts'
import { NamePatterns } from './name-patterns.ts'

/** `message.key.columns`: keys of one's own, by table. */
export interface KeyColumns {
  /** Columns of the key, in its order; undefined: the table has none of its own. */
  of(table: TableId, columns: readonly string[]): string[] | undefined
}

/** @throws TypeError with what is wrong with an entry */
export function parseKeyColumns(text: string): KeyColumns {
  const patterns = text
    .split(';')
    .filter((entry) => entry.trim() !== '')
    .flatMap((entry) => entryPatterns(entry))
  return {
    of({ schema, table }, columns) {
      const key = patterns.flatMap((pattern) => columns.filter((name) => pattern.covers(`${schema}.${table}.${name}`)))
      return key.length === 0 ? undefined : [...new Set(key)]
    },
  }
}

/** One for each column, since their order is the key's. */
function entryPatterns(entry: string): NamePatterns[] {
  const match = /^\s*([^:]+):([^:,]+(?:,[^:,]+)*)\s*$/.exec(entry)
  if (match === null) throw new TypeError(`'${entry.trim()}' is not of the form schema.table:column,column`)
  return match[2]!.split(',').map((column) => new NamePatterns(`${match[1]!.replaceAll(',', '\\,')}.${column.trim()}`))
}
