import type pg from 'pg'

/**
 * Transactions that have written to a table, or are about to, and have not ended. What they commit may lie before rows that can be seen
 * already: numbers and times are given when a row is written, and seen when it is committed. Whoever finds no such
 * transaction after having fixed a bound, by numbers or by the clock, has all below it: the lock that is looked for is
 * taken before the statement gives the first number or time, and let go when what was written can be seen.
 */
export interface Writer {
  /** As pg_locks names it; of a prepared transaction with no session. */
  readonly transaction: string
  readonly pid: number | null
}

export interface Ahead {
  /** Null: nothing is new. */
  readonly bound: string | null
  /** Who wrote to the table when the bound was known. */
  readonly writers: readonly Writer[]
}

/** The first oid that is not one of the system's own. */
const firstOid = 16384

/**
 * Of all tables that this transaction has touched, views looked through, of their partitions, and of what they are
 * partitions of: an INSERT locks the table that it names, has its number, and only then locks the partition that the row
 * goes to. Up and down apart, since the other partitions of a parent do not matter.
 */
const selectWriters = `
  WITH RECURSIVE here AS (
    SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database()),
  touched AS (
    SELECT relation AS oid FROM pg_catalog.pg_locks
    WHERE pid = pg_catalog.pg_backend_pid() AND locktype = 'relation' AND relation >= ${firstOid}
      AND database = (SELECT oid FROM here)),
  below AS (
    SELECT oid FROM touched UNION SELECT inhrelid FROM pg_catalog.pg_inherits JOIN below ON inhparent = oid),
  above AS (
    SELECT oid FROM touched UNION SELECT inhparent FROM pg_catalog.pg_inherits JOIN above ON inhrelid = oid)
  SELECT DISTINCT virtualtransaction AS transaction, pid FROM pg_catalog.pg_locks
  WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND granted AND database = (SELECT oid FROM here)
    AND relation IN (SELECT oid FROM below UNION ALL SELECT oid FROM above)`

/**
 * Fixes the bound, then looks who is writing: in this order.
 * @throws the driver's error
 */
export async function lookAhead(client: pg.Client, relation: string, boundQuery: string): Promise<Ahead> {
  const results = (await client.query(
    `BEGIN READ ONLY; SELECT FROM ${relation} WHERE false; ${boundQuery}; ${selectWriters}; COMMIT`,
  )) as unknown as pg.QueryResult[]
  const [, , bounds, writers] = results as [
    unknown,
    unknown,
    pg.QueryResult<{ bound: string | null }>,
    pg.QueryResult<Writer>,
  ]
  return { bound: bounds.rows[0]!.bound, writers: writers.rows }
}

/** Those of the writers that have not ended. @throws the driver's error */
export async function stillWriting(client: pg.Client, writers: readonly Writer[]): Promise<readonly Writer[]> {
  const { rows } = await client.query<Writer>(
    `SELECT DISTINCT virtualtransaction AS transaction, pid FROM pg_catalog.pg_locks
     WHERE locktype = 'relation' AND mode = 'RowExclusiveLock' AND virtualtransaction = ANY ($1)`,
    [writers.map(({ transaction }) => transaction)],
  )
  return rows
}
