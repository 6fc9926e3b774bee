import { DataError, isErrorKind, type Logger, type Schema, type SinkRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { changeOf, type Change } from './change.ts'
import type { SinkOptions } from './options.ts'
import { keyColumnsOf, RowPlan, valueColumnsOf, type ColumnSet } from './row-plan.ts'
import type { Schedule } from './schedule.ts'
import type { TableName, TableNames } from './table-name.ts'
import { TargetTables, type TargetTable } from './target-tables.ts'

/** Schemas come and go; those of records without one are as many as there are combinations of their fields. */
const maxPlans = 2_000

type Write = Extract<Change, { kind: 'write' }>

/** Makes rows of records, with what is known of the tables. Of one session. */
export class BatchReader {
  readonly #options: SinkOptions
  readonly #names: TableNames
  readonly #log: Logger
  readonly #tables: TargetTables
  #plans = new Map<string, Map<unknown, Map<unknown, RowPlan>>>()
  #planCount = 0

  private constructor(tables: TargetTables, options: SinkOptions, names: TableNames, log: Logger) {
    this.#tables = tables
    this.#options = options
    this.#names = names
    this.#log = log
  }

  static async load(client: pg.Client, options: SinkOptions, names: TableNames, log: Logger): Promise<BatchReader> {
    return new BatchReader(await TargetTables.load(client, options, log), options, names, log)
  }

  /** What is known of tables may be wrong. */
  forget(): void {
    this.#plans = new Map()
    this.#planCount = 0
    this.#tables.forget()
  }

  /**
   * Hands what records ask for to a schedule; makes tables and columns where that is due, so not to be called in a transaction.
   * @returns records that cannot be written, with the reason
   */
  async read(records: readonly SinkRecord[], schedule: Schedule): Promise<{ record: SinkRecord; error: Error }[]> {
    this.#tables.forgetFreshness()
    const refused: { record: SinkRecord; error: Error }[] = []
    for (const record of records) {
      try {
        // A promise only for the first record of its kind.
        const pending = this.#readRecord(record, schedule)
        if (pending !== undefined) await pending
      } catch (error) {
        if (!isErrorKind(error, 'DataError')) throw error
        refused.push({ record, error })
      }
    }
    return refused
  }

  #readRecord(record: SinkRecord, schedule: Schedule): Promise<void> | undefined {
    const change = changeOf(record)
    if (change === undefined) return undefined
    if (change.kind === 'delete' && !this.#options.deletes) return undefined
    if (change.kind === 'truncate' && !this.#options.truncates) return undefined
    const name = this.#names.of(record)
    if (name === undefined) return undefined
    const [value, valueShape] =
      change.kind === 'write' ? [change.value, shapeOf(change.value, change.schema)] : [undefined, change.kind]
    const keyShape = this.#options.keyMode === 'record_key' ? shapeOf(record.key, record.keySchema) : undefined
    const known = this.#plans.get(name.sql)?.get(valueShape)?.get(keyShape)
    if (known !== undefined) {
      this.#schedule(known, change, record, value, schedule)
      return undefined
    }
    return this.#plan(name, record, change).then((plan) => {
      if (plan === undefined) return
      this.#remember(name, valueShape, keyShape, plan)
      this.#schedule(plan, change, record, value, schedule)
    })
  }

  #schedule(plan: RowPlan, change: NonNullable<Change>, record: SinkRecord, value: unknown, schedule: Schedule): void {
    const row: (string | null)[] = []
    const set = plan.read(record, value, row)
    schedule.add(change.kind === 'write' ? this.#options.mode : change.kind, set, row, record)
  }

  /** @returns undefined where there is nothing to delete from */
  async #plan(name: TableName, record: SinkRecord, change: NonNullable<Change>): Promise<RowPlan | undefined> {
    if (change.kind === 'write') return this.#planOfRows(name, record, change)
    const keys = change.kind === 'delete' ? keyColumnsOf(this.#options, record, undefined, undefined) : []
    const exists = (await this.#tables.find(name)) !== undefined
    // It will be made with the first row.
    if (!exists && this.#options.creates) return undefined
    return new RowPlan(await this.#tables.withColumns(name, keys), keys, this.#options, true)
  }

  async #planOfRows(name: TableName, record: SinkRecord, { value, schema, isEvent }: Write): Promise<RowPlan> {
    const keys = keyColumnsOf(this.#options, record, value, schema)
    const columns = [...keys, ...valueColumnsOf(this.#options, value, schema, keys)]
    const table: TargetTable = await this.#tables.withColumns(name, columns)
    const plan = new RowPlan(table, columns, this.#options, isEvent)
    requireColumns(plan.all)
    return plan
  }

  #remember(name: TableName, valueShape: unknown, keyShape: unknown, plan: RowPlan): void {
    if (this.#planCount++ > maxPlans) {
      this.#log.debug('records are of very many shapes; what is known of them is begun anew', { shapes: maxPlans })
      this.#plans = new Map()
      this.#planCount = 0
    }
    let ofTable = this.#plans.get(name.sql)
    if (ofTable === undefined) this.#plans.set(name.sql, (ofTable = new Map<unknown, Map<unknown, RowPlan>>()))
    let ofValue = ofTable.get(valueShape)
    if (ofValue === undefined) ofTable.set(valueShape, (ofValue = new Map<unknown, RowPlan>()))
    ofValue.set(keyShape, plan)
  }
}

/** The same for all records that one plan is for: the schema itself, or the names of the fields. No plan is for a null. */
function shapeOf(value: unknown, schema: Schema | undefined): unknown {
  if (value === null || value === undefined) return 'null'
  if (schema !== undefined) return schema
  if (typeof value !== 'object') return typeof value
  return `object ${JSON.stringify(Object.keys(value))}`
}

function requireColumns({ columns }: ColumnSet): void {
  if (columns.length === 0) {
    throw new DataError('the record has no field for a column', { code: 'POSTGRES_SINK_VALUE' })
  }
}
