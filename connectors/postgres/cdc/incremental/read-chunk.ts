import type pg from 'pg'
import { parseLsn } from '../../link/lsn.ts'
import type { TableShape } from '../events/table-shape.ts'
import { copyRows } from '../snapshot/copy-rows.ts'
import { chunkQuery, lastPlaceQuery, readPlace, type ChunkRange, type Place } from './chunk-query.ts'
import type { ChunkTable } from './chunk-table.ts'
import { keyOf, type Line } from './chunk-window.ts'
import { VisibleTransactions } from './visible-transactions.ts'

export interface ChunkRequest {
  readonly table: ChunkTable
  readonly after: Place | undefined
  /** Undefined: to be found, since this is the first chunk. */
  readonly to: Place | undefined
  readonly condition: string | undefined
  readonly limit: number
  /** Of the rows; at least one is taken. */
  readonly maxBytes: number
  readonly shape: TableShape
  /** Looks up whether the table is still what the request says. */
  readonly isCurrent: (client: pg.Client) => Promise<boolean>
}

export interface Chunk {
  readonly rows: Map<string, Line>
  /** Of the table; undefined: it has no rows. */
  readonly to: Place | undefined
  /** Of the last row taken; undefined: there was none. */
  readonly last: Place | undefined
  readonly isLastOfTable: boolean
  /** How many rows the next one should have, so that they take no more than `maxBytes`. */
  readonly nextLimit: number
  /** All that the chunk has seen was committed before this position. */
  readonly seenLsn: number
  readonly visible: VisibleTransactions
}

/**
 * Reads the next rows of a table in a transaction of its own.
 * @returns undefined: the table is not what the request says any more
 * @throws the driver's error, with the transaction still open
 */
export async function readChunk(client: pg.Client, request: ChunkRequest): Promise<Chunk | undefined> {
  await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
  const { visible, lsn } = await whatIsSeen(client)
  if (!(await request.isCurrent(client))) {
    await client.query('ROLLBACK')
    return undefined
  }
  const to = request.to ?? (await lastPlace(client, request))
  const range = to === undefined ? undefined : { after: request.after, to, condition: request.condition }
  const read = range === undefined ? { ...nothing, nextLimit: request.limit } : await readRows(client, request, range)
  await client.query('COMMIT')
  const seenLsn = lsn ?? (await replayedLsn(client))
  return { ...read, to, seenLsn, visible: new VisibleTransactions(visible) }
}

const nothing = { rows: new Map<string, Line>(), last: undefined, isLastOfTable: true }

/** What transactions the snapshot sees, and a position that they were committed before; of a standby that is asked for later. */
async function whatIsSeen(client: pg.Client): Promise<{ visible: string; lsn: number | undefined }> {
  const { rows } = await client.query<{ visible: string; lsn: string | null; page: string }>(
    `SELECT pg_catalog.txid_current_snapshot()::text AS visible, current_setting('wal_block_size') AS page,
       CASE WHEN pg_catalog.pg_is_in_recovery() THEN NULL ELSE pg_catalog.pg_current_wal_insert_lsn() END AS lsn`,
  )
  const { visible, lsn, page } = rows[0]!
  return { visible, lsn: lsn === null ? undefined : endOfRecords(parseLsn(lsn), Number(page)) }
}

/** The longest header of a page of the log. */
const pageHeaderBytes = 40

/**
 * Where the log is written next, less the header of a page that has nothing else yet: no record ends in it, so the stream of
 * an idle server would never get there.
 */
export function endOfRecords(insertLsn: number, pageBytes: number): number {
  const inPage = insertLsn % pageBytes
  return inPage <= pageHeaderBytes ? insertLsn - inPage : insertLsn
}

/** A standby makes visible what it is about to count as replayed, so this is asked after the rows were read. */
async function replayedLsn(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ lsn: string }>('SELECT pg_catalog.pg_last_wal_replay_lsn() AS lsn')
  return parseLsn(rows[0]!.lsn)
}

async function lastPlace(client: pg.Client, { table, condition }: ChunkRequest): Promise<Place | undefined> {
  let last: Place | undefined
  for await (const { bytes, starts } of copyRows(client, lastPlaceQuery(table, condition))) {
    last = readPlace(bytes, starts[0]!, starts[1]! - 1, table.order.length).place
  }
  return last
}

async function readRows(
  client: pg.Client,
  { table, shape, limit, maxBytes }: ChunkRequest,
  range: ChunkRange,
): Promise<Pick<Chunk, 'rows' | 'last' | 'isLastOfTable' | 'nextLimit'>> {
  const columns = shape.readColumns.map(({ name }) => name)
  const keyPlaces = table.key.map((name) => table.order.findIndex((column) => column.name === name))
  const rows = new Map<string, Line>()
  let last: Place | undefined
  let count = 0
  let isFull = false
  let takenBytes = 0
  for await (const lines of copyRows(client, chunkQuery(table, columns, range, limit))) {
    // Too large a chunk is read to its end, and what is over comes with the next one.
    isFull ||= takenBytes >= maxBytes
    if (isFull) continue
    const bytes = Buffer.from(lines.bytes)
    takenBytes += bytes.length
    for (let line = 0; line + 1 < lines.starts.length; line++) {
      const end = lines.starts[line + 1]! - 1
      const { place, next } = readPlace(bytes, lines.starts[line]!, end, table.order.length)
      rows.set(keyOf(keyPlaces.map((index) => place[index]!)), { bytes, start: next, end })
      last = place
      count++
    }
  }
  return { rows, last, isLastOfTable: !isFull && count < limit, nextLimit: isFull ? count : limit }
}
