import { ConfigError, type ConnectError, DataError } from '@tidewire/sdk'
import { problemOf, sqlStateOf } from '../link/errors.ts'

/**
 * What the contents of a row may be refused for: classes 22 (a value that its type does not take) and 23 (a constraint), a
 * view's check option, rows too large for an index or a page, a trigger's own exception, a key twice in one statement.
 */
const ofRow = /^(22|23|44000$|54000$|54001$|P0001$|21000$)/

/** Whether another batch, or part of this one, might be taken. */
export function isRowError(error: unknown): boolean {
  const state = sqlStateOf(error)
  if (state === undefined) return false
  // A policy of row security does not take the row: the same code as for a privilege that is missing.
  if (state === '42501') return (error as { routine?: unknown }).routine === 'ExecWithCheckOptions'
  return ofRow.test(state)
}

/** Whether a table has another shape than when it was looked at: a table, a column or a type is gone, or is another. */
export function isStaleShape(error: unknown): boolean {
  const state = sqlStateOf(error)
  return state !== undefined && /^(42P01|42703|42704|42804|42846|42883|3F000|428C9)$/.test(state)
}

/** What is told of a record that was refused; the server's detail is left out, since it quotes the row. */
export function refusal(error: unknown, table: string): DataError {
  return new DataError(`${table} does not take the row: ${(error as Error).message}`, {
    code: `PG_${sqlStateOf(error) ?? 'ERROR'}`,
    cause: error,
  })
}

/** The error to throw for a statement or a transaction that failed. */
export function writeProblem(error: unknown): ConnectError {
  if (sqlStateOf(error) !== '42P10') return problemOf(error, 'writing rows')
  return new ConfigError(
    'an upsert needs a unique index on exactly the columns of the key, and the table has none: CREATE UNIQUE INDEX, or make ' +
      'them its primary key; or set pk.mode and pk.fields to what its key is',
    { setting: 'pk.fields', code: 'POSTGRES_SINK_KEY', cause: error },
  )
}
