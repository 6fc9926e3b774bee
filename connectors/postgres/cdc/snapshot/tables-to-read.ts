import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import { quoteIdentifier, tableName } from '../../link/identifier.ts'
import type { EventTables } from '../events/event-tables.ts'
import type { Row, TableShape } from '../events/table-shape.ts'
import type { TableToRead } from './read-tables.ts'

/** A captured table as a snapshot reads it. */
export interface CapturedTable extends TableToRead<Row> {
  readonly shape: TableShape
  /** `schema.table` of what it is a partition of. */
  readonly parents: readonly string[]
  /** Its file as the session's snapshot sees it: another one once the table has been rewritten. */
  readonly file: number
  /** The planner's; 0 where it has none. */
  readonly rowEstimate: number
}

export type RowOrder = 'disabled' | 'ascending' | 'descending'

/**
 * The captured tables, in the order in which they are to be read. To be called once the snapshot is taken: rows that it
 * sees are in the blocks that a table has then.
 * @param isAsked which of them, by `schema.table`; left out: those of `snapshot.include.collection.list`
 * @throws ConnectError
 */
export async function tablesToRead(
  tables: EventTables,
  client: pg.Client,
  order: RowOrder,
  isAsked?: (name: string) => boolean,
): Promise<CapturedTable[]> {
  const found = await tables.tables(isAsked)
  const files = await filesOf(
    client,
    found.map(({ relation }) => tableName(relation)),
  )
  const captured = found.map(
    ({ shape, name, parents, relation, statement, rowFilter, blocks, rows, toastable }, index) => {
      const columns = shape.readColumns.map((column) => quoteIdentifier(column.name)).join(', ')
      return {
        shape,
        name,
        parents,
        relation: tableName(relation),
        columns,
        statement:
          statement === undefined ? undefined : `SELECT ${columns} FROM (${withoutEnd(statement)}) AS overridden`,
        rowFilter,
        blocks,
        toastable: files[index]!.hasToast ? toastable.map(quoteIdentifier) : [],
        file: files[index]!.node,
        rowEstimate: Math.max(rows, 0),
        readRow: (bytes: Buffer, start: number, end: number) => shape.readCopyRow(bytes, start, end),
      }
    },
  )
  if (order === 'disabled') return captured
  const sign = order === 'ascending' ? 1 : -1
  return captured.sort((one, other) => sign * (one.rowEstimate - other.rowEstimate))
}

const withoutEnd = (statement: string): string => statement.trim().replace(/;$/, '')

interface TableFiles {
  readonly node: number
  /** Whether any value is kept out of line. */
  readonly hasToast: boolean
}

async function filesOf(client: pg.Client, relations: readonly string[]): Promise<TableFiles[]> {
  try {
    const { rows } = await client.query<{ node: string | null; toast: boolean }>(
      `SELECT c.relfilenode::text AS node,
        coalesce(pg_catalog.pg_relation_size(nullif(c.reltoastrelid, 0)), 0) > 0 AS toast
       FROM unnest($1::text[]) WITH ORDINALITY AS listed(name, place)
       LEFT JOIN pg_catalog.pg_class c ON c.oid = pg_catalog.to_regclass(name) ORDER BY place`,
      [relations],
    )
    return rows.map(({ node, toast }) => ({ node: Number(node ?? 0), hasToast: toast }))
  } catch (error) {
    throw problemOf(error, 'looking up the tables to capture')
  }
}

/** Whether the table's file is another one now than the session's snapshot sees. @throws ConnectError */
export async function isRewritten(client: pg.Client, { relation, file, name }: CapturedTable): Promise<boolean> {
  try {
    const { rows } = await client.query<{ node: string | null }>(
      'SELECT pg_catalog.pg_relation_filenode(pg_catalog.to_regclass($1))::text AS node',
      [relation],
    )
    return Number(rows[0]?.node ?? 0) !== file
  } catch (error) {
    throw problemOf(error, `looking whether table ${name} was rewritten`)
  }
}
