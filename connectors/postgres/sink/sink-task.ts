import {
  ConnectError,
  isRetriable,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
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
import { makeOffsetsTable, StoredOffsets } from './stored-offsets.ts'
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
  /** Passing failures in a row. */
  #failures = 0

  constructor(context: Context, options: SinkOptions, address: Address) {
    this.#context = context
    this.#options = options
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

  async open(partitions: readonly TopicPartition[]): Promise<void> {
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
      this.#failures = 0
    } catch (error) {
      throw this.#failed(error)
    } finally {
      end()
    }
  }

  close(partitions: readonly TopicPartition[]): void {
    this.#offsets?.release(partitions)
  }

  async stop(): Promise<void> {
    await this.#link.close()
  }

  async #write(records: readonly SinkRecord[]): Promise<void> {
    const session = await this.#link.session()
    const due = this.#offsets?.due(records) ?? records
    if (due.length < records.length) this.#tellStrays(records)
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

  #tellStrays(records: readonly SinkRecord[]): void {
    for (const { topic, partition, offset, opened } of this.#offsets!.strays(records)) {
      this.#context.log.warn(
        'records lie before the position in the database, and are passed over as written. If the topic was made anew, or ' +
          'its log cut, stop the connector, and change its offsets over REST (DELETE or PATCH /connectors/{name}/offsets)',
        { topic, partition, offset, position: opened },
      )
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
        return
      }
    }
    await this.#transaction(client, records, phase, async () => {
      for (const group of groups) await writeRows(client, group, 0, group.rows.length, batchRows)
      return refused
    })
  }

  /** @param checkAtOnce where it was the commit that failed, constraints that wait for it are checked with each statement */
  async #writeCarefully(session: Session, records: readonly SinkRecord[], checkAtOnce: boolean): Promise<void> {
    const { client, reader } = session
    const schedule = new OrderedSchedule()
    const unreadable = await reader.read(records, schedule)
    const phase = { committing: false }
    try {
      await this.#transaction(client, records, phase, async () => {
        if (checkAtOnce) await client.query('SET CONSTRAINTS ALL IMMEDIATE')
        return [...unreadable, ...(await this.#writeTwice(client, schedule.groups))]
      })
    } catch (error) {
      if (checkAtOnce || !phase.committing || !isRowError(error)) throw error
      await client.query('ROLLBACK')
      await this.#writeCarefully(session, records, true)
    }
  }

  /** Rows that are refused are tried once more at the end: what they refer to may have come after them. */
  async #writeTwice(client: pg.Client, groups: readonly Group[]): Promise<Refused[]> {
    const refused: RefusedRow[] = []
    for (const group of groups) await this.#writeHalving(client, group, 0, Math.max(1, group.rows.length), refused)
    if (refused.length === 0) return refused
    const last = lastRecords(groups)
    const again = new OrderedSchedule()
    for (const { group, at, record } of refused) {
      if (last.has(record)) again.add(group.kind, group.set, group.rows[at]!, record)
    }
    const forGood: RefusedRow[] = []
    for (const group of again.groups) await this.#writeHalving(client, group, 0, group.rows.length, forGood)
    return [...refused.filter(({ record }) => !last.has(record)), ...forGood]
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

interface Session {
  readonly client: pg.Client
  readonly reader: BatchReader
}
