import {
  isErrorKind,
  RetriableError,
  type Logger,
  type SourceBatch,
  type SourcePartition,
  type SourceRecord,
} from '@tidewire/sdk'
import type pg from 'pg'
import { copyRows } from '../cdc/snapshot/copy-rows.ts'
import { socketOf } from '../link/connect.ts'
import type { TypeCatalog } from '../types/type-catalog.ts'
import type { QueryConfig } from './config.ts'
import { lookAhead, stillWriting, type Ahead, type Writer } from './late-writers.ts'
import { offsetOf, type Instant, type Position } from './position.ts'
import { Structure } from './structure.ts'
import type { Target } from './targets.ts'

/** What all targets of a task share. */
export interface Session {
  readonly client: pg.Client
  readonly catalog: TypeCatalog
  readonly config: QueryConfig
  readonly log: Logger
}

/** A bound below which transactions may still commit rows. */
interface Awaited {
  readonly bound: string
  readonly writers: readonly Writer[]
  readonly since: number
  readonly told: boolean
}

/** How often it is looked whether transactions have ended. */
const lookAgainMs = 100
/** How long before somebody is told that transactions are waited for. */
const patienceMs = 30_000
/** So many rows of one timestamp, in batches, go into one batch, before it ends in their middle. */
const batchesOfOneTime = 4
const maxBatchBytes = 256 * 1024
/** How long a transaction is left open for whoever takes the rows. */
const mostHeldMs = 5 * 60_000

/** Polls one table, or the query: what is new since its position. */
export class TargetReader {
  readonly target: Target
  /** When it is to be polled next, by `performance.now()`. */
  dueAt = 0
  rows = 0
  /** Whom it waits for. */
  get writers(): readonly Writer[] {
    return this.#awaited?.writers ?? []
  }
  readonly #session: Session
  readonly #partition: SourcePartition
  #position: Position
  #structure: Structure | undefined
  #awaited: Awaited | undefined
  /** Whether its position is one that nobody has stored: it would be another one after a restart. */
  #isUnstored: boolean

  /** @param partition where its position is stored */
  constructor(session: Session, target: Target, partition: SourcePartition, position: Position) {
    this.#session = session
    this.target = target
    this.#partition = partition
    this.#position = position
    this.#isUnstored = session.config['timestamp.initial'] === -1 && position.timestamp !== undefined
  }

  /** @throws ConnectError, or the driver's error */
  async *poll(): AsyncGenerator<SourceBatch> {
    if (this.#isUnstored) {
      yield { records: [], offsets: [{ partition: this.#partition, offset: offsetOf(this.#position) }] }
      this.#isUnstored = false
    }
    const next = await this.#next()
    if (next === 'awaited') {
      this.dueAt = performance.now() + lookAgainMs
      return
    }
    if (next !== 'nothing') yield* this.#read(next.bound)
    this.dueAt = performance.now() + this.#session.config['poll.interval.ms']
  }

  /**
   * What can be read with no row missing: up to a bound, where the mode has one; `nothing` where nothing is new; or, while
   * others are writing, that it is `awaited`.
   */
  async #next(): Promise<{ readonly bound: string | undefined } | 'nothing' | 'awaited'> {
    const { client } = this.#session
    if (this.#awaited !== undefined) {
      const { bound, writers } = this.#awaited
      const left = await stillWriting(client, writers)
      if (left.length > 0) {
        this.#awaited = { ...this.#awaited, writers: left, told: this.#tell(this.#awaited, left) }
        return 'awaited'
      }
      this.#awaited = undefined
      return { bound }
    }
    const boundQuery = (await this.#structureNow()).boundQuery(this.#position)
    if (boundQuery === undefined) return { bound: undefined }
    const { bound, writers } = await this.#ahead(boundQuery)
    if (bound === null) return 'nothing'
    if (writers.length === 0) return { bound }
    this.#awaited = { bound, writers, since: performance.now(), told: false }
    return 'awaited'
  }

  async #ahead(boundQuery: string): Promise<Ahead> {
    const { client, config } = this.#session
    if (config['late.commits'] === 'wait') return lookAhead(client, this.target.relation, boundQuery)
    const { rows } = await client.query<{ bound: string | null }>(boundQuery)
    return { bound: rows[0]!.bound, writers: [] }
  }

  #tell({ told, since }: Awaited, writers: readonly Writer[]): boolean {
    if (told || performance.now() - since < patienceMs) return told
    const who = writers.map(({ pid, transaction }) => (pid === null ? `prepared ${transaction}` : `pid ${pid}`))
    this.#session.log.warn(
      `${this.target.name} is not read until transactions that write to it have ended: ${who.join(', ')}. End them ` +
        '(pg_terminate_backend) if they hang; late.commits=ignore reads on, without the rows that they commit',
    )
    return true
  }

  /** What is known of the columns; at first they are looked at, since a bound is asked for by their names. */
  async #structureNow(): Promise<Structure> {
    const { client, config, catalog } = this.#session
    this.#structure ??= await Structure.of(client, this.target, config, catalog)
    return this.#structure
  }

  async *#read(bound: string | undefined): AsyncGenerator<SourceBatch> {
    const { client, config, catalog } = this.#session
    await client.query(beginning(config))
    const structure = await Structure.of(client, this.target, config, catalog, this.#structure)
    this.#structure = structure
    const batches = new Batches(this.target, this.#partition, structure, config, this.#position)
    for await (const { bytes, starts } of copyRows(client, structure.rowsQuery(this.#position, bound))) {
      for (let line = 0; line + 1 < starts.length; line++) {
        batches.add(bytes, starts[line]!, starts[line + 1]! - 1)
        if (batches.isFull) yield* this.#within(batches.take())
      }
    }
    // Before the last batch, since it may be long until the next one is asked for: nobody is to wait for a lock of ours.
    await client.query('COMMIT')
    this.rows += batches.rows
    yield* batches.last()
    this.#position = batches.position
  }

  /**
   * A batch in the midst of reading. Nobody may ask for the next one for hours, where the connector is paused or the log is
   * away; a transaction that stayed open meanwhile would keep the server from cleaning up.
   */
  async *#within(batch: SourceBatch): AsyncGenerator<SourceBatch> {
    const over = new AbortController()
    const timer = setTimeout(() => {
      over.abort()
      socketOf(this.#session.client).destroy()
    }, mostHeldMs)
    try {
      yield batch
    } finally {
      clearTimeout(timer)
    }
    if (over.signal.aborted) {
      throw new RetriableError(
        `reading ${this.target.name} was given up, since for ${mostHeldMs / 60_000} minutes nobody took more rows; it goes on from ` +
          'the stored position',
      )
    }
  }
}

function beginning(config: QueryConfig): string {
  const mode = config['transaction.isolation.mode']
  return `BEGIN${mode === 'DEFAULT' ? '' : ` ISOLATION LEVEL ${mode.replace('_', ' ')}`} READ ONLY`
}

/** Makes batches of a poll's rows, each record with the position from which reading can go on after it. */
class Batches {
  rows = 0
  /** After the last record. */
  position: Position
  readonly #target: Target
  readonly #partition: SourcePartition
  readonly #structure: Structure
  readonly #isBulk: boolean
  /**
   * In mode timestamp, rows of one time have no order among them: only the last one of a time has that time as its
   * position, those before it the time before.
   */
  readonly #isByTime: boolean
  readonly #maxRows: number
  #offset: SourceRecord['sourceOffset']
  /** The time of the last row. */
  #time: Instant | undefined
  #last: SourceRecord | undefined
  #records: SourceRecord[] = []
  #bytes = 0
  /** Whether the records end where a time ends. */
  #isWhole = true

  constructor(target: Target, partition: SourcePartition, structure: Structure, config: QueryConfig, from: Position) {
    this.#target = target
    this.#partition = partition
    this.#structure = structure
    this.position = from
    this.#isBulk = config.mode === 'bulk'
    this.#isByTime = config.mode === 'timestamp'
    this.#maxRows = config['batch.max.rows']
    this.#offset = offsetOf(from)
  }

  /** Adds the row of a line of COPY. */
  add(bytes: Buffer, start: number, end: number): void {
    const record = this.#recordOf(bytes, start, end)
    this.#bytes += end - start
    this.rows++
    if (this.#isBulk) {
      this.#records.push(record)
      return
    }
    const position = this.#structure.shape.positionAt(bytes, start, end)
    record.sourcePartition = this.#partition
    if (!this.#isByTime) {
      this.position = position
      record.sourceOffset = offsetOf(position)
      this.#records.push(record)
      return
    }
    const time = position.timestamp!
    const isNewTime = time.millis !== this.#time?.millis || time.micros !== this.#time.micros
    this.#release(isNewTime)
    this.#time = time
    this.#last = record
  }

  /** Whether there is enough for a batch. One ends where a time ends, if that does not take too long. */
  get isFull(): boolean {
    const rows = this.#records.length
    if (rows === 0) return false
    if (rows < this.#maxRows && this.#bytes < maxBatchBytes) return false
    return this.#isWhole || rows >= this.#maxRows * batchesOfOneTime || this.#bytes >= maxBatchBytes * batchesOfOneTime
  }

  take(): SourceBatch {
    const records = this.#records
    this.#records = []
    this.#bytes = 0
    return this.#isBulk || !this.#isWhole ? { records } : { records, transaction: 'commit' }
  }

  /** The rest, with the end of the transaction. */
  *last(): Generator<SourceBatch> {
    this.#release(true)
    if (this.rows > 0) yield { records: this.#records, transaction: 'commit' }
  }

  /** Gives the row that was held back, now that it is known whether it is the last of its time. */
  #release(isLastOfTime: boolean): void {
    const record = this.#last
    if (record === undefined) return
    if (isLastOfTime) {
      this.position = { timestamp: this.#time }
      this.#offset = offsetOf(this.position)
    }
    record.sourceOffset = this.#offset!
    this.#records.push(record)
    this.#isWhole = isLastOfTime
    this.#last = undefined
  }

  #recordOf(bytes: Buffer, start: number, end: number): SourceRecord {
    const { shape } = this.#structure
    const { topic } = this.#target
    try {
      const value = shape.readRow(bytes, start, end)
      const record: SourceRecord = { topic, value, valueSchema: shape.valueSchema }
      if (shape.keySchema !== undefined) {
        record.key = shape.keyOf(value)
        record.keySchema = shape.keySchema
      }
      return record
    } catch (error) {
      if (!isErrorKind(error, 'DataError')) throw error
      // The line as COPY writes it, for whoever looks into the dead letter topic.
      return { topic, value: Buffer.from(bytes.subarray(start, end)), error }
    }
  }
}
