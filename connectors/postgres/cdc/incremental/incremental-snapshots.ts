import { isDeepStrictEqual } from 'node:util'
import type { SourceRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../../link/connect.ts'
import { problemOf, sqlStateOf } from '../../link/errors.ts'
import type { Capture } from '../capture.ts'
import type { SourceState } from '../events/event-writer.ts'
import type { TableShape } from '../events/table-shape.ts'
import type { Relation, RowChange } from '../replication/wal-message.ts'
import { lookUpChunkTable, type ChunkTable } from './chunk-table.ts'
import { ChunkWindow } from './chunk-window.ts'
import { readChunk, type Chunk } from './read-chunk.ts'
import type { StoredQueue, TableTask } from './snapshot-queue.ts'
import { RecentTransactions } from './visible-transactions.ts'

/** A chunk on its way, from before it is read until its rows are told. */
interface Attempt {
  readonly task: TableTask
  readonly table: ChunkTable
  readonly shape: TableShape
  readonly window: ChunkWindow
  /** Transactions that the stream has told before. */
  readonly toldBefore: readonly number[]
  state: 'reading' | 'read' | 'outdated' | 'failed'
  chunk?: Chunk
  error?: unknown
}

const firstPauseMs = 50
const longestPauseMs = 1000
/** How often a chunk is read again that the server refuses to read. */
const mostRefusals = 3

/**
 * Reads tables in chunks while the stream goes on, and writes nothing to the database.
 *
 * A chunk is read in a transaction of its own. What this one saw was committed before a position that is asked for then;
 * once the stream has come there, all of it has been told. What the stream tells meanwhile of a row is newer than the
 * chunk's, or will have been followed by it, so each row that was told of is taken out of the chunk. The rest is told between
 * two transactions: of it, nothing was told that the chunk did not see, and all that is still to come is newer.
 *
 * One thing could be told before the chunk is begun, and yet not be seen by it: a transaction whose commit is in the log, but
 * not yet visible, as one that waits for a synchronous standby. The chunk is then read again. What a task before this one
 * has told is not remembered for that: by the time a task has begun anew, it is taken to be visible.
 */
export class IncrementalSnapshots {
  readonly #capture: Capture
  readonly #queue: StoredQueue
  readonly #wake: () => void
  readonly #recent = new RecentTransactions()
  /** By relation id. */
  readonly #relations = new Map<number, Relation>()
  #reader: pg.Client | undefined
  #table: Pick<Attempt, 'table' | 'shape'> | undefined
  #attempt: Attempt | undefined
  #limit: number
  #pauseMs = firstPauseMs
  #notBefore = 0
  #refusals = 0

  /** @param wake called when a chunk has been read */
  constructor(capture: Capture, queue: StoredQueue, wake: () => void) {
    this.#capture = capture
    this.#queue = queue
    this.#wake = wake
    this.#limit = capture.config['incremental.snapshot.chunk.size']
  }

  /** A transaction begins in the stream. */
  began(xid: number): void {
    this.#recent.add(xid)
  }

  announced(relation: Relation): void {
    this.#relations.set(relation.id, relation)
    if (this.#attempt?.table.oid === relation.id) this.#attempt.window.announced(relation)
  }

  changed(change: RowChange): void {
    if (this.#attempt?.table.oid === change.relationId) this.#attempt.window.change(change)
  }

  truncated(relationIds: readonly number[]): void {
    if (this.#attempt !== undefined && relationIds.includes(this.#attempt.table.oid)) this.#attempt.window.truncated()
  }

  /** The position that the stream has to come to before a chunk can be told; undefined: there is no chunk yet. */
  get awaitedLsn(): number | undefined {
    return this.#attempt?.chunk?.seenLsn
  }

  /** How long there is nothing to do, unless it is woken. */
  get waitMs(): number {
    if (this.#attempt !== undefined || this.#next() === undefined) return Infinity
    return Math.max(0, this.#notBefore - performance.now())
  }

  /** How it gets on; undefined: there is nothing to read. */
  get progress(): { readonly text: string; readonly figures: Readonly<Record<string, number>> } | undefined {
    const { tables, isPaused } = this.#queue.now
    const [task] = tables
    if (task === undefined) return undefined
    const rows = Math.max(this.#table?.table.rows ?? 0, task.rows)
    const paused = isPaused ? ' (paused)' : ''
    return {
      text: `incremental snapshot${paused}: ${nameOf(task)}, ${grouped(task.rows)} of about ${grouped(rows)} rows, ${tables.length - 1} more tables`,
      figures: {
        incremental_rows_done: task.rows,
        incremental_rows_estimated: rows,
        incremental_tables: tables.length,
      },
    }
  }

  /**
   * Tells the chunk that was read, if the stream has come far enough, and begins with the next one. To be called between two
   * transactions, with nothing in between that was read of the stream and not taken.
   * @param toldLsn all that was committed before has been told
   * @throws ConnectError
   */
  async *run(toldLsn: number): AsyncGenerator<SourceRecord[]> {
    const attempt = this.#attempt
    if (attempt !== undefined && attempt.state !== 'reading') {
      if (attempt.task !== this.#queue.now.tables[0]) this.#forget()
      else if (attempt.state === 'failed') await this.#refused(attempt)
      else if (attempt.state === 'outdated') this.#again('the table was altered')
      else yield* this.#told(attempt, attempt.chunk!, toldLsn)
    }
    if (this.#attempt === undefined && performance.now() >= this.#notBefore) await this.#begin()
  }

  async close(): Promise<void> {
    if (this.#reader !== undefined) await disconnect(this.#reader)
  }

  #next(): TableTask | undefined {
    return this.#queue.now.isPaused ? undefined : this.#queue.now.tables[0]
  }

  async *#told(attempt: Attempt, chunk: Chunk, toldLsn: number): AsyncGenerator<SourceRecord[]> {
    const { task, window, shape } = attempt
    if (window.spoilt !== undefined) {
      this.#again(window.spoilt)
      return
    }
    if (toldLsn < chunk.seenLsn) return
    const { config, events, context } = this.#capture
    const state: SourceState = {
      lsn: toldLsn,
      lastCommitLsn: toldLsn,
      txId: undefined,
      commitTimeUs: Date.now() * 1000,
      snapshot: 'incremental',
    }
    // In one batch, with the place behind it: it is bounded in bytes.
    const records: SourceRecord[] = []
    for (const { bytes, start, end } of window.rows.values()) {
      events.read(records, shape, shape.readCopyRow(bytes, start, end), state)
    }
    const rows = task.rows + window.rows.size
    if (chunk.isLastOfTable) {
      context.log.info('the incremental snapshot of a table is complete', { table: nameOf(task), rows })
      this.#queue.changeFirst(undefined)
      this.#table = undefined
    } else {
      this.#queue.changeFirst({ last: chunk.last, to: chunk.to, rows })
    }
    this.#attempt = undefined
    this.#pauseMs = firstPauseMs
    this.#refusals = 0
    this.#limit = chunk.isLastOfTable ? config['incremental.snapshot.chunk.size'] : chunk.nextLimit
    // It is read while these are delivered.
    await this.#begin()
    yield records
  }

  /** Begins to read the next chunk. */
  async #begin(): Promise<void> {
    const task = this.#next()
    if (task === undefined) {
      const reader = this.#reader
      this.#reader = undefined
      if (reader !== undefined) await disconnect(reader)
      return
    }
    this.#table ??= await this.#lookUp(task)
    if (this.#table === undefined) return
    const { table, shape } = this.#table
    const { context } = this.#capture
    const maxBytes = Math.ceil(context.maxBufferedBytes / 8)
    const attempt: Attempt = {
      task: this.#queue.now.tables[0]!,
      table,
      shape,
      window: new ChunkWindow(table.key, this.#relations.get(table.oid), maxBytes),
      toldBefore: this.#recent.list(),
      state: 'reading',
    }
    this.#attempt = attempt
    void this.#read(attempt, maxBytes)
  }

  /** @returns undefined: it cannot be read, and is passed over */
  async #lookUp(task: TableTask): Promise<Pick<Attempt, 'table' | 'shape'> | undefined> {
    const { client, config, context, tables } = this.#capture
    const table = await lookUpChunkTable(client, task, config['publication.name'], task.surrogateKey)
    const shape = typeof table === 'string' ? undefined : await tables.table(table.oid)
    if (typeof table === 'string' || shape === undefined) {
      context.log.warn(
        `the incremental snapshot passes over table ${nameOf(task)}: ${typeof table === 'string' ? table : 'it was dropped'}`,
      )
      this.#queue.changeFirst(undefined)
      this.#wake()
      return undefined
    }
    const order = table.order.map(({ name }) => name)
    if (isDeepStrictEqual(task.order, order)) return { table, shape }
    const isNew = task.order === undefined
    context.log.info(
      `the incremental snapshot of a table begins${isNew ? '' : ' anew, since its key is another one'}`,
      {
        table: nameOf(task),
        rows: table.rows,
      },
    )
    this.#queue.changeFirst({ order, last: undefined, to: undefined, rows: 0 })
    return { table, shape }
  }

  /** Never throws. */
  async #read(attempt: Attempt, maxBytes: number): Promise<void> {
    const { address, config, context } = this.#capture
    const { task, table, shape, window } = attempt
    try {
      this.#reader ??= await connect(address, { signal: context.signal })
      const chunk = await readChunk(this.#reader, {
        table,
        after: task.last,
        to: task.to,
        condition: both(table.rowFilter, task.condition),
        limit: this.#limit,
        maxBytes,
        shape,
        isCurrent: (client) => isCurrent(client, attempt, config['publication.name']),
      })
      if (chunk !== undefined) {
        attempt.chunk = chunk
        window.load(chunk.rows)
        if (attempt.toldBefore.some((xid) => !chunk.visible.sees(xid))) {
          window.spoil('a transaction that was told is not yet visible')
        }
      }
      attempt.state = chunk === undefined ? 'outdated' : 'read'
    } catch (error) {
      attempt.error = error
      attempt.state = 'failed'
    }
    this.#wake()
  }

  /** The chunk could not be read. What is wrong with the table or the condition is no reason to end the stream. */
  async #refused({ task, error }: Attempt): Promise<void> {
    const reader = this.#reader
    this.#reader = undefined
    if (reader !== undefined) await disconnect(reader)
    const what = `reading table ${nameOf(task)} for its incremental snapshot`
    const problem = problemOf(error, what)
    const state = sqlStateOf(error) ?? ''
    // A conflict with the recovery of a standby, or a deadlock.
    const passes = state.startsWith('40')
    // The statement is at fault, or a value, or a privilege is missing.
    if (!passes && !/^(42|22|0A)/.test(state)) throw problem
    if (passes || ++this.#refusals < mostRefusals) {
      this.#again(problem.message)
      return
    }
    this.#capture.context.log.error(`the incremental snapshot passes over table ${nameOf(task)}: ${problem.message}`)
    this.#queue.changeFirst(undefined)
    this.#forget()
  }

  #again(why: string): void {
    const { log } = this.#capture.context
    log.debug(`rows are read again: ${why}`, { table: this.#attempt === undefined ? '' : nameOf(this.#attempt.task) })
    this.#forget()
    this.#notBefore = performance.now() + this.#pauseMs
    this.#pauseMs = Math.min(2 * this.#pauseMs, longestPauseMs)
  }

  #forget(): void {
    this.#attempt = undefined
    this.#table = undefined
  }
}

async function isCurrent(client: pg.Client, { task, table }: Attempt, publication: string): Promise<boolean> {
  const now = await lookUpChunkTable(client, task, publication, task.surrogateKey)
  // Of its rows there is another estimate from time to time.
  return typeof now !== 'string' && isDeepStrictEqual({ ...now, rows: 0 }, { ...table, rows: 0 })
}

/** Both conditions, of those that there are. */
function both(one: string | undefined, other: string | undefined): string | undefined {
  return one === undefined || other === undefined ? (one ?? other) : `(${one}) AND (${other})`
}

const nameOf = ({ schema, table }: TableTask): string => `${schema}.${table}`
const grouped = (count: number): string => count.toLocaleString('en')
