import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import { quoteIdentifier, tableName } from '../../link/identifier.ts'
import type { EventTables } from '../events/event-tables.ts'
import type { Row, TableShape } from '../events/table-shape.ts'
import type { TableToRead } from './read-tables.ts'

/** A captured table as a snapshot reads it. */
export interface CapturedTable extends TableToRead<Row> {
  readonly shape: TableShape
  /** `pg_relation_filenode`: another one once the table has been rewritten. */
  readonly file: number
  /** The planner's; 0 where it has none. */
  readonly rowEstimate: number
}

export type RowOrder = 'disabled' | 'ascending' | 'descending'

/**
 * The captured tables, in the order in which they are to be read. To be called once the snapshot is taken: rows that it
 * sees are in the blocks that a table has then.
 * @throws ConnectError
 */
export async function tablesToRead(tables: EventTables, client: pg.Client, order: RowOrder): Promise<CapturedTable[]> {
  const found = await tables.tables()
  const files = await fileNodes(
    client,
    found.map(({ relation }) => tableName(relation)),
  )
  const captured = found.map(({ shape, name, relation, statement, blocks, rows, toastable }, index) => {
    const columns = shape.readColumns.map((column) => quoteIdentifier(column.name)).join(', ')
    return {
      shape,
      name,
      relation: tableName(relation),
      columns,
      statement:
        statement === undefined ? undefined : `SELECT ${columns} FROM (${withoutEnd(statement)}) AS overridden`,
      blocks,
      toastable: toastable.map(quoteIdentifier),
      file: files[index]!,
      rowEstimate: Math.max(rows, 0),
      readRow: (bytes: Buffer, start: number, end: number) => shape.readCopyRow(bytes, start, end),
    }
  })
  if (order === 'disabled') return captured
  const sign = order === 'ascending' ? 1 : -1
  return captured.sort((one, other) => sign * (one.rowEstimate - other.rowEstimate))
}

const withoutEnd = (statement: string): string => statement.trim().replace(/;$/, '')

async function fileNodes(client: pg.Client, relations: readonly string[]): Promise<number[]> {
  try {
    const { rows } = await client.query<{ file: string | null }>(
      `SELECT pg_catalog.pg_relation_filenode(pg_catalog.to_regclass(name)) AS file
       FROM unnest($1::text[]) WITH ORDINALITY AS listed(name, place) ORDER BY place`,
      [relations],
    )
    return rows.map(({ file }) => Number(file ?? 0))
  } catch (error) {
    throw problemOf(error, 'looking up the tables to capture')
  }
}
