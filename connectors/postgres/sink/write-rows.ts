import { pipeline } from 'node:stream/promises'
import type pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import type { Group } from './schedule.ts'
import { copyStatement, preparedIn, statementFor, truncateStatement } from './statements.ts'
import { columnText, copyText, type RowText } from './text/row-text.ts'

/** From so many rows on COPY is faster than INSERT: at 200 rows by half, at 5,000 nearly twice as fast. */
const copyFromRows = 100

/** A statement's rows end where their text gets larger: a parameter may have 1 GiB, and memory is to be spared. */
const maxStatementChars = 8 * 2 ** 20

/** Writes rows [from, to) of a group, in as many statements as it takes. */
export async function writeRows(
  client: pg.Client,
  group: Group,
  from: number,
  to: number,
  maxRows: number,
): Promise<void> {
  if (group.kind === 'truncate') {
    await client.query(truncateStatement(group.set))
    return
  }
  for (let start = from; start < to;) {
    const end = endOf(group.rows, start, Math.min(to, start + maxRows))
    const rows = start === 0 && end === group.rows.length ? group.rows : group.rows.slice(start, end)
    if (group.kind === 'insert' && group.set.table.takesCopy && rows.length >= copyFromRows)
      await copy(client, group, rows)
    else await write(client, group, rows)
    start = end
  }
}

/** How many statements {@link writeRows} takes for all of a group. */
export function isOneStatement(group: Group, maxRows: number): boolean {
  return group.rows.length <= maxRows && endOf(group.rows, 0, group.rows.length) === group.rows.length
}

function endOf(rows: readonly RowText[], start: number, end: number): number {
  let chars = 0
  for (let at = start; at < end; at++) {
    for (const value of rows[at]!) chars += value === null ? 2 : value.length
    if (chars > maxStatementChars && at > start) return at
  }
  return end
}

async function copy(client: pg.Client, { set }: Group, rows: readonly RowText[]): Promise<void> {
  await pipeline([Buffer.from(copyText(rows))], client.query(copyFrom(copyStatement(set))))
}

async function write(client: pg.Client, { kind, set }: Group, rows: readonly RowText[]): Promise<void> {
  if (kind === 'truncate') return
  const statement = statementFor(kind, set)
  if (statement === undefined) return
  await client.query({
    ...preparedIn(client, statement),
    values: set.columns.map((_, column) => columnText(rows, column)),
  })
}
