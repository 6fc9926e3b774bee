import type { SourceRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import { copyRows } from './copy-rows.ts'
import { segmentsOf, type Progress, type Segment } from './segments.ts'

/** Debezium's marks of a snapshot's rows, in `source.snapshot`. */
export type RowMark = 'first' | 'first_in_data_collection' | 'true' | 'last_in_data_collection' | 'last'

/** A table as the snapshot reads it. `R` is a row as its shape makes it of COPY's text. */
export interface TableToRead<R> {
  /** `schema.table`. */
  readonly name: string
  /** As it stands in SQL, quoted. */
  readonly relation: string
  /** What is selected, as it stands in SQL. */
  readonly columns: string
  /** Conditions on the rows, in SQL. */
  readonly condition?: string | undefined
  /** Read instead of the table: cannot be cut into segments, and is read from its beginning after a crash. */
  readonly statement?: string | undefined
  /** Blocks that the table has; its rows are in them. */
  readonly blocks: number
  /** Columns whose values may be kept out of line, as they stand in SQL. */
  readonly toastable: readonly string[]
  readRow(bytes: Buffer, start: number, end: number): R
}

export interface TablesRun<R, T extends TableToRead<R>> {
  readonly tables: readonly T[]
  /** Sessions within a transaction that sees the snapshot, one for each reader. */
  readonly readers: readonly pg.Client[]
  /** `pg_current_snapshot()` of the snapshot that this one goes on with, in a session that sees more. */
  readonly resumed: string | undefined
  /** What is left of a table. */
  readonly left: (table: T) => readonly Progress[]
  /** Whether the server goes straight to a range of blocks (PostgreSQL 14 and later). */
  readonly seeksBlocks: boolean
  readonly batchRows: number
  /** Makes records of a row. */
  readonly emit: (table: T, row: R, mark: RowMark, into: SourceRecord[]) => void
  readonly signal: AbortSignal
}

export interface TableBatch<T> {
  readonly table: T
  readonly progress: Progress
  readonly records: SourceRecord[]
  readonly rows: number
  readonly isTableDone: boolean
}

interface Work<T> {
  readonly table: T
  readonly progress: Progress
}

/** Blocks that are read by one statement, and after which a crash goes on. 32 MiB. */
const stride = 4096

/**
 * The rows of all tables, in batches. One reader reads the tables in order; several share them and the segments of
 * large ones, and their batches come as they are ready.
 * @throws ConnectError
 */
export async function* readTables<R, T extends TableToRead<R>>(run: TablesRun<R, T>): AsyncGenerator<TableBatch<T>> {
  const work = run.tables.flatMap((table) => workOf(run, table))
  const marks = new Marks(work)
  const readers = run.readers.map((client) => readWork(run, client, work, marks))
  yield* merged(readers)
}

/** What is read by one statement counts as one block. */
const whole: Segment = { index: 0, of: 1, from: 0, to: 1 }

const isWhole = (seeksBlocks: boolean, { statement }: Pick<TableToRead<unknown>, 'statement'>): boolean =>
  statement !== undefined || !seeksBlocks

/** All of a table, cut for so many readers. */
export function allOf(
  table: Pick<TableToRead<unknown>, 'statement' | 'blocks'>,
  readers: number,
  seeksBlocks: boolean,
): Progress[] {
  const segments = isWhole(seeksBlocks, table) ? [whole] : segmentsOf(table.blocks, readers)
  return segments.map((segment) => ({ ...segment, next: segment.from }))
}

function workOf<R, T extends TableToRead<R>>(run: TablesRun<R, T>, table: T): Work<T>[] {
  return run.left(table).map((progress) => ({ table, progress }))
}

/** Says which rows are the first and the last. */
class Marks<T> {
  #isFirst = true
  readonly #open = new Map<T, number>()

  constructor(work: readonly Work<T>[]) {
    for (const { table } of work) this.#open.set(table, (this.#open.get(table) ?? 0) + 1)
  }

  first({ progress }: Work<T>): RowMark {
    const isFirst = this.#isFirst
    this.#isFirst = false
    // What is gone on with has had its first row.
    if (progress.next > progress.from || progress.index > 0) return 'true'
    return isFirst ? 'first' : 'first_in_data_collection'
  }

  /** A segment of the table has been read: the mark of its last row. */
  done(table: T): RowMark {
    const open = this.#open.get(table)! - 1
    if (open > 0) {
      this.#open.set(table, open)
      return 'true'
    }
    this.#open.delete(table)
    return this.#open.size === 0 ? 'last' : 'last_in_data_collection'
  }
}

async function* readWork<R, T extends TableToRead<R>>(
  run: TablesRun<R, T>,
  client: pg.Client,
  work: Work<T>[],
  marks: Marks<T>,
): AsyncGenerator<TableBatch<T>> {
  for (let item = work.shift(); item !== undefined && !run.signal.aborted; item = work.shift()) {
    try {
      yield* readSegment(run, client, item, marks)
    } catch (error) {
      throw problemOf(error, `reading the rows of ${item.table.name} for the snapshot`)
    }
  }
}

async function* readSegment<R, T extends TableToRead<R>>(
  run: TablesRun<R, T>,
  client: pg.Client,
  item: Work<T>,
  marks: Marks<T>,
): AsyncGenerator<TableBatch<T>> {
  const { table } = item
  let { progress } = item
  let records: SourceRecord[] = []
  let rows = 0
  // A row is told with the next one, since only then is it known that it is not the last.
  let held: { readonly row: R } | undefined
  let mark = marks.first(item)
  const tell = (row: R, as: RowMark): void => {
    run.emit(table, row, as, records)
    rows++
  }
  const batch = (isTableDone: boolean): TableBatch<T> => {
    const full = { table, progress, records, rows, isTableDone }
    records = []
    rows = 0
    return full
  }
  for (const range of rangesOf(progress)) {
    for await (const { bytes, starts } of copyRows(client, queryOf(run, table, range))) {
      for (let line = 0; line + 1 < starts.length; line++) {
        const row = table.readRow(bytes, starts[line]!, starts[line + 1]! - 1)
        if (held !== undefined) {
          tell(held.row, mark)
          mark = 'true'
        }
        held = { row }
        // All before this range has been told, now that a row of it is held.
        if (progress.next < range.from) progress = { ...progress, next: range.from }
        if (rows >= run.batchRows) yield batch(false)
      }
    }
    if (run.signal.aborted) return
  }
  const last = marks.done(table)
  // Of one row that is the first of all and its table's last, the former is said.
  if (held !== undefined) tell(held.row, mark === 'first' && last !== 'last' ? mark : last)
  progress = { ...progress, next: progress.to }
  yield batch(last !== 'true')
}

type Range = Pick<Segment, 'from' | 'to'>

function rangesOf({ to, next }: Progress): Range[] {
  const ranges = []
  for (let at = next; at < to; at += stride) ranges.push({ from: at, to: Math.min(at + stride, to) })
  return ranges
}

function queryOf<R, T extends TableToRead<R>>(run: TablesRun<R, T>, table: T, { from, to }: Range): string {
  if (table.statement !== undefined) return table.statement
  const conditions = []
  if (!isWhole(run.seeksBlocks, table)) conditions.push(`ctid >= '(${from},0)'::tid`, `ctid < '(${to},0)'::tid`)
  if (table.condition !== undefined) conditions.push(`(${table.condition})`)
  if (run.resumed !== undefined) conditions.push(unchangedSince(run.resumed, table.toastable))
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `SELECT ${table.columns} FROM ONLY ${table.relation}${where}`
}

/**
 * Rows that the resumed snapshot saw as they are. The others were written since, and come by the stream: but for values
 * kept out of line, which an update that did not touch them does not tell. Rows that may have one are read in any case,
 * and come twice, the newest state last.
 *
 * `xmin` has 32 bits. As the row is visible, its transaction is the newest with those bits that has begun.
 */
function unchangedSince(snapshot: string, toastable: readonly string[]): string {
  const now = '(txid_snapshot_xmax(txid_current_snapshot()))'
  const near = `((${now} >> 32 << 32) | xmin::text::bigint)`
  const xid = `(CASE WHEN ${near} >= ${now} THEN ${near} - 4294967296 ELSE ${near} END)`
  // Below 3 are the transactions that were before all others.
  const isSeen = `(xmin::text::bigint < 3 OR txid_visible_in_snapshot(${xid}, '${snapshot}'::txid_snapshot))`
  const isLong = toastable.map((column) => `pg_column_size(${column}) > ${shortestOutOfLine}`)
  return `(${[isSeen, ...isLong].join(' OR ')})`
}

/** A value that takes less is never kept out of line, since the pointer to it would be no shorter. */
const shortestOutOfLine = 32

/** What several generators give, as it comes. Ends all of them when one fails or it is itself ended. */
async function* merged<B>(sources: readonly AsyncGenerator<B>[]): AsyncGenerator<B> {
  if (sources.length === 1) return yield* sources[0]!
  type Ready = { readonly source: AsyncGenerator<B>; readonly result: IteratorResult<B> }
  const next = (source: AsyncGenerator<B>): Promise<Ready> => source.next().then((result) => ({ source, result }))
  const pending = new Map(sources.map((source) => [source, next(source)]))
  try {
    while (pending.size > 0) {
      const { source, result } = await Promise.race(pending.values())
      if (result.done === true) {
        pending.delete(source)
        continue
      }
      pending.set(source, next(source))
      yield result.value
    }
  } finally {
    for (const promise of pending.values()) promise.catch(() => undefined)
    await Promise.allSettled([...pending.keys()].map((source) => source.return(undefined)))
  }
}
