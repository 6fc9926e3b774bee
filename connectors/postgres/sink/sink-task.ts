import {
  ConfigError,
  ConnectError,
  isRetriable,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type AssignedPartition,
  type TopicPartition,
} from '@tidewire/sdk'
import type pg from 'pg'
import type { Address } from '../link/connection-settings.ts'
import { problemOf } from '../link/errors.ts'
import { BatchReader } from './batch-reader.ts'
import { addressOf, optionsOf, type SinkOptions } from './options.ts'
import { isRowError, isStaleShape, refusal, writeProblem } from './row-errors.ts'
import { GroupingSchedule, lastRecords, OrderedSchedule, type Group } from './schedule.ts'
import type { PostgresSinkConfig } from './settings.ts'
import { SinkLink } from './sink-link.ts'
import { SinkProgress } from './sink-progress.ts'
import { fenced, makeOffsetsTable, StoredOffsets } from './stored-offsets.ts'
import { parseTableName, TableNames } from './table-name.ts'
import { isOneStatement, writeRows } from './write-rows.ts'

type Context = SinkTaskContext<PostgresSinkConfig>

/** Connects, and with `exactly.once` makes the table of positions. */
export async function openPostgresSink(context: Context): Promise<SinkTask> {
  const options = optionsOf(context.config)
  const address = addressOf(context.config)
  const task = new PostgresSinkTask(context, options, address)
  await task.start()
  return task
}

/** With the pauses between them that is minutes: the group takes partitions from a task that it has not heard of much sooner. */
const mostFencings = 10

interface Refused {
  readonly record: SinkRecord
  readonly error: Error
}

/** Of a group: what the server refused may be tried again. */
interface RefusedRow extends Refused {
  readonly group: Group
  readonly at: number
}

/**
 * Each `put` is one transaction, so that a flush has nothing left to do. It is tried as a whole, in as few statements as
 * possible; where the server refuses a row, it is done again in the order of the log, and the refused rows are found by halving.
 */
class PostgresSinkTask implements SinkTask {
  readonly #context: Context
  readonly #options: SinkOptions
  readonly #link: SinkLink
  readonly #names: TableNames
  readonly #offsets: StoredOffsets | undefined
  readonly #offsetsTable: string
  readonly #progress: SinkProgress
  /** Passing failures in a row. */
  #failures = 0
  /** Of these, attempts at partitions that another task has made its own. */
  #fencings = 0

  constructor(context: Context, options: SinkOptions, address: Address) {
    this.#context = context
    this.#options = options
    this.#progress = new SinkProgress((progress) => context.progress(progress))
    this.#names = new TableNames(options, address.database)
    this.#offsetsTable = parseTableName(context.config['offsets.table.name'], false, address.database).sql
    // Dead letters that are put back have offsets that the positions are past, and move none.
    const keepsOffsets = context.config['exactly.once'] && context.redrive === undefined
    this.#offsets = keepsOffsets ? new StoredOffsets(this.#offsetsTable, context.connector) : undefined
    this.#link = new SinkLink(address, context.signal, async (client) => {
      await this.#offsets?.reload(client)
      return BatchReader.load(client, options, this.#names, context.log)
    })
  }

  async start(): Promise<void> {
    const end = this.#link.begin()
    try {
      await this.#link.open(async (client) => {
        if (this.#offsets !== undefined) await makeOffsetsTable(client, this.#offsetsTable)
      })
    } finally {
      end()
    }
  }

  async open(partitions: readonly AssignedPartition[]): Promise<void> {
    if (this.#offsets === undefined || partitions.length === 0) return
    const end = this.#link.begin()
    try {
      const { client } = await this.#link.session()
      for (const position of await this.#offsets.claim(client, partitions)) this.#context.seek(position)
    } catch (error) {
      this.#link.drop()
      throw problemOf(error, `reading positions in ${this.#offsetsTable}`)
    } finally {
      end()
    }
  }

  async put(records: readonly SinkRecord[]): Promise<void> {
    if (records.length === 0) return
    const end = this.#link.begin()
    try {
      await this.#write(records)
      this.#offsets?.written(records)
      this.#failures = 0
      this.#fencings = 0
    } catch (error) {
      throw this.#failed(error)
    } finally {
      end()
    }
  }

  close(partitions: readonly TopicPartition[]): void {
    this.#fencings = 0
    this.#offsets?.release(partitions)
  }

  async stop(): Promise<void> {
    await this.#link.close()
  }

  async #write(records: readonly SinkRecord[]): Promise<void> {
    const session = await this.#link.session()
    const due = this.#offsets?.due(records) ?? records
    if (due.length === 0) return
    const phase = { committing: false }
    try {
      await this.#writeWhole(session, due, phase)
    } catch (error) {
      if (!isRowError(error) && !isStaleShape(error)) throw error
      await session.client.query('ROLLBACK')
      // Tables may have changed since they were looked at.
      session.reader.forget()
      await this.#writeCarefully(session, due, phase.committing)
    }
  }

  async #writeWhole(
    { client, reader }: Session,
    records: readonly SinkRecord[],
    phase: { committing: boolean },
  ): Promise<void> {
    const { batchRows, deletes } = this.#options
    const schedule = new GroupingSchedule(deletes)
    const refused = await reader.read(records, schedule)
    const { groups } = schedule
    if (this.#offsets === undefined && refused.length === 0) {
      if (groups.length === 0) return
      // One statement is a transaction by itself.
      if (groups.length === 1 && isOneStatement(groups[0]!, batchRows)) {
        await writeRows(client, groups[0]!, 0, groups[0]!.rows.length, batchRows)
        this.#progress.wrote(groups, rowsOf(groups), 0)
        return
      }
    }
    await this.#transaction(client, records, phase, async () => {
      for (const group of groups) await writeRows(client, group, 0, group.rows.length, batchRows)
      return refused
    })
    this.#progress.wrote(groups, rowsOf(groups), refused.length)
  }

  /** @param checkAtOnce where it was the commit that failed, constraints that wait for it are checked with each statement */
  async #writeCarefully(session: Session, records: readonly SinkRecord[], checkAtOnce: boolean): Promise<void> {
    const { client, reader } = session
    const schedule = new OrderedSchedule()
    const unreadable = await reader.read(records, schedule)
    const phase = { committing: false }
    let refused: readonly Refused[] = []
    try {
      await this.#transaction(client, records, phase, async () => {
        if (checkAtOnce) await client.query('SET CONSTRAINTS ALL IMMEDIATE')
        refused = await this.#writeRepeatedly(client, schedule.groups)
        return [...unreadable, ...refused]
      })
      this.#progress.wrote(
        schedule.groups,
        rowsOf(schedule.groups) - refused.length,
        unreadable.length + refused.length,
      )
    } catch (error) {
      if (checkAtOnce || !phase.committing || !isRowError(error)) throw error
      await client.query('ROLLBACK')
      await this.#writeCarefully(session, records, true)
    }
  }

  /**
   * Rows that are refused are tried again at the end, for as long as some of them are taken: what they refer to may have
   * come after them. Each time the other way round, so that chains of rows need no attempt for each link.
   */
  async #writeRepeatedly(client: pg.Client, groups: readonly Group[]): Promise<Refused[]> {
    const refused: RefusedRow[] = []
    for (const group of groups) await this.#writeHalving(client, group, 0, Math.max(1, group.rows.length), refused)
    if (refused.length === 0) return refused
    const last = lastRecords(groups)
    let left = refused.filter(({ record }) => last.has(record))
    for (let before = Infinity; left.length > 0 && left.length < before;) {
      before = left.length
      const again = new OrderedSchedule()
      for (const { group, at, record } of left.toReversed()) again.add(group.kind, group.set, group.rows[at]!, record)
      left = []
      for (const group of again.groups) await this.#writeHalving(client, group, 0, group.rows.length, left)
    }
    return [...refused.filter(({ record }) => !last.has(record)), ...left]
  }

  /** Writes rows [from, to); of those that are refused, tells why each is. */
  async #writeHalving(client: pg.Client, group: Group, from: number, to: number, refused: RefusedRow[]): Promise<void> {
    await client.query('SAVEPOINT tidewire_rows')
    try {
      await writeRows(client, group, from, to, this.#options.batchRows)
      await client.query('RELEASE SAVEPOINT tidewire_rows')
    } catch (error) {
      if (!isRowError(error)) throw error
      await client.query('ROLLBACK TO SAVEPOINT tidewire_rows; RELEASE SAVEPOINT tidewire_rows')
      if (to - from === 1) {
        const problem = refusal(error, group.set.table.name.sql)
        refused.push({ record: group.records[from]!, error: problem, group, at: from })
        return
      }
      const middle = from + Math.floor((to - from) / 2)
      await this.#writeHalving(client, group, from, middle, refused)
      await this.#writeHalving(client, group, middle, to, refused)
    }
  }

  /** @param work gives what cannot be written */
  async #transaction(
    client: pg.Client,
    records: readonly SinkRecord[],
    phase: { committing: boolean },
    work: () => Promise<readonly Refused[]>,
  ): Promise<void> {
    await client.query('BEGIN')
    const committed = await this.#offsets?.advance(client, records)
    const refused = await work()
    phase.committing = true
    if (refused.length > 0) {
      // Nothing is told of what another attempt would tell again: what waits for the commit to be checked is checked now.
      await client.query('SET CONSTRAINTS ALL IMMEDIATE')
      await this.#report(refused)
    }
    await client.query('COMMIT')
    committed?.()
  }

  /**
   * Refused records are told before the transaction is committed: with positions in it, nobody would read them again if their
   * dead letters were not in the log by then. Where errors are not tolerated it throws, and nothing is written.
   */
  async #report(refused: readonly Refused[]): Promise<void> {
    await Promise.all(refused.map(({ record, error }) => this.#context.report(record, error)))
  }

  /** Whatever it was, the session's transaction is over: a new session begins with what the table of positions says. */
  #failed(error: unknown): ConnectError {
    this.#link.drop()
    const problem = error instanceof ConnectError ? error : writeProblem(error)
    if (!isRetriable(problem)) return problem
    this.#progress.failed()
    if (problem.code === fenced && ++this.#fencings === mostFencings) {
      return new ConfigError(
        `${problem.message}. The consumer group has left them to this task for ${mostFencings} attempts: another cluster writes ` +
          'to the same offsets.table.name under this name. Give one of the two another table of positions, or another name',
        { code: fenced, cause: problem },
      )
    }
    const limit = this.#context.config['max.retries']
    if (limit !== undefined && ++this.#failures > limit) {
      return new ConnectError(`${problem.message} (${limit} retries, as max.retries says)`, {
        code: problem.code,
        cause: problem,
      })
    }
    return problem
  }
}

function rowsOf(groups: readonly Group[]): number {
  return groups.reduce((sum, { rows }) => sum + rows.length, 0)
}

interface Session {
  readonly client: pg.Client
  readonly reader: BatchReader
}
