import { RetriableError, type SourceRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf, sqlStateOf } from '../../link/errors.ts'
import { copyRows } from './copy-rows.ts'
import { isRead, segmentsOf, unread, type Progress, type Segment } from './segments.ts'

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
  /** The publication's, in SQL: the stream leaves out other rows. */
  readonly rowFilter?: string | undefined
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
  /** Whether the server says which values are kept out of line (PostgreSQL 17 and later). */
  readonly tellsOutOfLine: boolean
  /** What a batch may have: as many rows, or so many bytes of COPY's text, where one row may be more. */
  readonly batchRows: number
  readonly batchBytes: number
  /** Whether the table's file is another one now than the snapshot saw. */
  readonly isRewritten: (client: pg.Client, table: T) => Promise<boolean>
  /** Makes records of a row. */
  readonly emit: (table: T, row: R, mark: RowMark, into: SourceRecord[]) => void
  readonly signal: AbortSignal
}

export interface TableBatch<T> {
  readonly table: T
  /** Undefined: as it was. */
  readonly progress: Progress | undefined
  readonly records: SourceRecord[]
  readonly rows: number
  readonly isTableDone: boolean
}

interface Work<T> {
  readonly table: T
  readonly progress: Progress
}

/** Blocks that are read by one statement. 32 MiB. */
const stride = 4096

/**
 * The rows of all tables, in batches. One reader reads the tables in order; several share them and the segments of
 * large ones, and their batches come as they are ready.
 * @throws ConnectError
 */
export async function* readTables<R, T extends TableToRead<R>>(run: TablesRun<R, T>): AsyncGenerator<TableBatch<T>> {
  const work = run.tables.flatMap((table) => workOf(run, table))
  // Of tables of which a part had been read: what was written since is elsewhere in them.
  const moved = run.resumed === undefined ? [] : work.filter(({ table, progress }) => hasMoved(run, table, progress))
  const marks = new Marks(work)
  const readers = run.readers.map((client) => readWork(run, client, work, marks))
  yield* merged(readers)
  for (const table of new Set(moved.map((item) => item.table))) yield* readMoved(run, table, run.resumed!)
}

function hasMoved<R, T extends TableToRead<R>>(run: TablesRun<R, T>, table: T, { isAnew }: Progress): boolean {
  return isAnew !== true && table.toastable.length > 0 && !isWhole(run.seeksBlocks, table)
}

/**
 * Rows written since the snapshot that is gone on with, with values kept out of line: an update that left such a value alone
 * moved the row, and does not tell the value. Wherever in the table they are now.
 */
async function* readMoved<R, T extends TableToRead<R>>(
  run: TablesRun<R, T>,
  table: T,
  resumed: string,
): AsyncGenerator<TableBatch<T>> {
  const moved = `NOT ${isSeenBy(resumed)} AND (${isOutOfLine(run, table)})`
  const condition = table.rowFilter === undefined ? moved : `(${table.rowFilter}) AND ${moved}`
  const query = `SELECT ${table.columns} FROM ONLY ${table.relation} WHERE ${condition}`
  let records: SourceRecord[] = []
  try {
    for await (const { bytes, starts } of copyRows(run.readers[0]!, query)) {
      for (let line = 0; line + 1 < starts.length; line++) {
        run.emit(table, table.readRow(bytes, starts[line]!, starts[line + 1]! - 1), 'true', records)
      }
      if (run.signal.aborted) return
      yield { table, progress: undefined, records, rows: records.length, isTableDone: false }
      records = []
    }
  } catch (error) {
    throw problemOf(error, `reading the rows of ${table.name} for the snapshot`)
  }
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
  return segments.map(unread)
}

function workOf<R, T extends TableToRead<R>>(run: TablesRun<R, T>, table: T): Work<T>[] {
  return run
    .left(table)
    .filter((progress) => !isRead(progress))
    .map((progress) => ({ table, progress }))
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
    if (progress.next > progress.from || progress.item > 0 || progress.index > 0) return 'true'
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
      const what = `reading the rows of ${item.table.name} for the snapshot`
      // Dropped, renamed, or without a column since the tables were listed: they are listed anew.
      const isGone = ['42P01', '42703'].includes(sqlStateOf(error) ?? '')
      if (isGone && item.table.statement === undefined && item.table.condition === undefined) {
        throw new RetriableError(`${what}: it is no longer as it was listed`, { cause: error })
      }
      throw problemOf(error, what)
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
  const isCut = !isWhole(run.seeksBlocks, table)
  let { progress } = item
  let records: SourceRecord[] = []
  let rows = 0
  let size = 0
  // A row is told with the next one, since only then is it known that it is not the last.
  let held: HeldRow<R> | undefined
  let mark = marks.first(item)
  const tell = ({ row, block, item: number }: HeldRow<R>, as: RowMark): void => {
    run.emit(table, row, as, records)
    rows++
    if (isCut) progress = { ...progress, next: block, item: number }
  }
  const batch = (isTableDone: boolean): TableBatch<T> => {
    const full = { table, progress, records, rows, isTableDone }
    records = []
    rows = 0
    size = 0
    return full
  }
  for (const range of rangesOf(progress)) {
    for await (const { bytes, starts } of copyRows(client, queryOf(run, table, range, progress.isAnew === true))) {
      for (let line = 0; line + 1 < starts.length; line++) {
        if (held !== undefined) {
          tell(held, mark)
          mark = 'true'
        }
        held = rowAt(table, isCut, bytes, starts[line]!, starts[line + 1]! - 1)
        size += starts[line + 1]! - starts[line]!
        if (rows >= run.batchRows || (rows > 0 && size >= run.batchBytes)) yield batch(false)
      }
    }
    if (run.signal.aborted) return
  }
  // A snapshot that is older than the file sees none of its rows. The table is locked against that by now.
  if (await run.isRewritten(client, table)) {
    throw new RetriableError(
      `table ${table.name} was rewritten (ALTER TABLE, TRUNCATE, …) while the snapshot was read: it is read anew`,
    )
  }
  const last = marks.done(table)
  // The very first row is told as such, even where its table has no other.
  if (held !== undefined) tell(held, mark === 'first' && last !== 'last' ? mark : last)
  progress = { ...progress, next: progress.to, item: 0 }
  yield batch(last !== 'true')
}

interface HeldRow<R> {
  readonly row: R
  /** Of its `ctid`. */
  readonly block: number
  readonly item: number
}

const [openBracket, comma, closeBracket] = [0x28, 0x2c, 0x29]

/** The row of a line, which begins with its `ctid` where the table is cut: `(block,item)` and a tab. */
function rowAt<R>(table: TableToRead<R>, isCut: boolean, bytes: Buffer, start: number, end: number): HeldRow<R> {
  if (!isCut) return { row: table.readRow(bytes, start, end), block: 0, item: 0 }
  if (bytes[start] !== openBracket) throw new Error(`a row of ${table.name} has no ctid`)
  let at = start + 1
  let block = 0
  for (let byte = bytes[at]!; byte !== comma; byte = bytes[++at]!) block = block * 10 + byte - 0x30
  let item = 0
  at++
  for (let byte = bytes[at]!; byte !== closeBracket; byte = bytes[++at]!) item = item * 10 + byte - 0x30
  return { row: table.readRow(bytes, at + 2, end), block, item }
}

type Range = Pick<Progress, 'from' | 'to' | 'item'>

function rangesOf({ to, next, item }: Progress): Range[] {
  const ranges = []
  for (let at = next; at < to; at += stride)
    ranges.push({ from: at, item: at === next ? item : 0, to: Math.min(at + stride, to) })
  return ranges
}

function queryOf<R, T extends TableToRead<R>>(
  run: TablesRun<R, T>,
  table: T,
  { from, item, to }: Range,
  isAnew: boolean,
): string {
  if (table.statement !== undefined) return table.statement
  const isCut = !isWhole(run.seeksBlocks, table)
  const conditions = []
  if (isCut) conditions.push(`ctid > '(${from},${item})'::tid`, `ctid < '(${to},0)'::tid`)
  if (table.rowFilter !== undefined) conditions.push(`(${table.rowFilter})`)
  if (table.condition !== undefined) conditions.push(`(${table.condition})`)
  if (run.resumed !== undefined && !isAnew) {
    const isSeen = isSeenBy(run.resumed)
    // What is read by one statement needs no second look; see readMoved.
    conditions.push(isCut || table.toastable.length === 0 ? isSeen : `(${isSeen} OR ${isOutOfLine(run, table)})`)
  }
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `SELECT ${isCut ? 'ctid, ' : ''}${table.columns} FROM ONLY ${table.relation}${where}`
}

/**
 * Of a row that the resumed snapshot saw as it is. The others were written since, and come by the stream.
 *
 * `xmin` has 32 bits. As the row is visible, its transaction is the newest with those bits that has begun.
 */
function isSeenBy(snapshot: string): string {
  const now = '(txid_snapshot_xmax(txid_current_snapshot()))'
  const near = `((${now} >> 32 << 32) | xmin::text::bigint)`
  const xid = `(CASE WHEN ${near} >= ${now} THEN ${near} - 4294967296 ELSE ${near} END)`
  // Below 3 are the transactions that were before all others.
  return `(xmin::text::bigint < 3 OR txid_visible_in_snapshot(${xid}, '${snapshot}'::txid_snapshot))`
}

/** Of a row with a value that is, or may be, kept out of line. */
function isOutOfLine<R, T extends TableToRead<R>>({ tellsOutOfLine }: TablesRun<R, T>, { toastable }: T): string {
  return toastable
    .map((column) =>
      tellsOutOfLine
        ? `pg_column_toast_chunk_id(${column}) IS NOT NULL`
        : `pg_column_size(${column}) > ${shortestOutOfLine}`,
    )
    .join(' OR ')
}

/** A value that takes no more is never kept out of line, since the pointer to it would be no shorter. */
const shortestOutOfLine = 20

/** What several generators give, as it comes. Ends all of them when one fails or it is itself ended. */
async function* merged<B>(sources: readonly AsyncGenerator<B>[]): AsyncGenerator<B> {
  if (sources.length === 1) {
    yield* sources[0]!
    return
  }
  type Ready = { readonly source: AsyncGenerator<B>; readonly result: IteratorResult<B> }
  const next = (source: AsyncGenerator<B>): Promise<Ready> => {
    const ready = source.next().then((result) => ({ source, result }))
    // It is looked at in its turn; until then a failure is nobody's.
    ready.catch(() => undefined)
    return ready
  }
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
    await Promise.allSettled([...pending.keys()].map((source) => source.return(undefined)))
  }
}
