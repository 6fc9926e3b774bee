import { ConfigError, ConnectError, DataError, type Logger, type Schema } from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf, sqlStateOf } from '../link/errors.ts'
import { quoteIdentifier } from '../link/identifier.ts'
import { TypeCatalog } from '../types/type-catalog.ts'
import { columnTypeOf, defaultClause } from './column-types.ts'
import type { SinkOptions } from './options.ts'
import type { TableName } from './table-name.ts'
import { targetTypeOf, type TargetType } from './text/target-type.ts'

/** A column of a table that is written to. */
export interface TargetColumn {
  readonly name: string
  readonly type: TargetType
  /** The type without length or precision, for SQL: a cast to it refuses what does not fit, rather than cutting it off. */
  readonly castType: string
  /** Whether its collation, if it has one, takes different texts for different. */
  readonly isDeterministic: boolean
  /** Computed by the server, which takes no value for it. */
  readonly isGenerated: boolean
  /** An identity that is always the server's: an update cannot set it. */
  readonly isAlwaysIdentity: boolean
}

/** A table as it was when it was looked at. */
export interface TargetTable {
  readonly name: TableName
  /** Whether COPY can write to it with the same result as INSERT. */
  readonly takesCopy: boolean
  readonly columns: ReadonlyMap<string, TargetColumn>
}

/** A column that records have a value for. */
export interface WantedColumn {
  readonly name: string
  /** Undefined for records without a schema. */
  readonly schema: Schema | undefined
  readonly isKey: boolean
}

interface ColumnRow {
  readonly kind: string
  readonly row_security: boolean
  readonly has_rules: boolean
  readonly name: string | null
  readonly type: number
  readonly cast_type: string
  readonly deterministic: boolean
  readonly generated: string
  readonly identity: string
}

// As float8, which the driver gives as a number. With −1 for the modifier, char stays of any length.
const selectColumns = `
  SELECT c.relkind::text AS kind, c.relrowsecurity AS row_security, c.relhasrules AS has_rules, a.attname::text AS name,
         a.atttypid::int8::float8 AS type, pg_catalog.format_type(a.atttypid, -1) AS cast_type,
         a.attgenerated::text AS generated, a.attidentity::text AS identity,
         coalesce(o.collisdeterministic, true) AS deterministic
  FROM pg_catalog.pg_class c
  LEFT JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
  LEFT JOIN pg_catalog.pg_collation o ON o.oid = a.attcollation
  WHERE c.oid = pg_catalog.to_regclass($1)
  ORDER BY a.attnum`

/** Somebody else has made the same table or column at the same time. */
const madeMeanwhile = new Set(['42P07', '42710', '42701', '23505'])

/** The tables that are written to: looked up, made, and given columns as the settings allow. Of one connection. */
export class TargetTables {
  readonly #client: pg.Client
  readonly #options: SinkOptions
  readonly #log: Logger
  readonly #catalog: TypeCatalog
  readonly #tables = new Map<string, TargetTable>()
  /** Looked at since the last {@link forgetFreshness}: what they lack, they lack. */
  readonly #fresh = new Set<string>()

  private constructor(client: pg.Client, catalog: TypeCatalog, options: SinkOptions, log: Logger) {
    this.#client = client
    this.#catalog = catalog
    this.#options = options
    this.#log = log
  }

  static async load(client: pg.Client, options: SinkOptions, log: Logger): Promise<TargetTables> {
    return new TargetTables(client, await TypeCatalog.load(client), options, log)
  }

  /** Somebody else may have changed tables: one that lacks a column is looked at again. */
  forgetFreshness(): void {
    this.#fresh.clear()
  }

  /** What is known of tables may be wrong. */
  forget(): void {
    this.#tables.clear()
    this.#fresh.clear()
  }

  /**
   * The table with these columns, made or given them where it is due. Not to be called within a transaction.
   * @throws ConfigError where it or a column is missing and nothing may be made, with the statement that makes it; DataError
   *   where records without a schema have a field that the table lacks
   */
  async withColumns(name: TableName, wanted: readonly WantedColumn[]): Promise<TargetTable> {
    const lacks = (table: TargetTable): readonly WantedColumn[] =>
      wanted.filter((column) => columnOf(table, column.name) === undefined)
    let table = await this.find(name)
    table ??= await this.#create(name, wanted)
    if (lacks(table).length > 0 && !this.#fresh.has(name.sql)) table = (await this.#look(name)) ?? table
    if (lacks(table).length > 0) table = await this.#addColumns(table, lacks(table))
    return table
  }

  /** @returns undefined where there is no such table */
  async find(name: TableName): Promise<TargetTable | undefined> {
    return this.#tables.get(name.sql) ?? (await this.#look(name))
  }

  async #look(name: TableName): Promise<TargetTable | undefined> {
    const { rows } = await this.#client.query<ColumnRow>(selectColumns, [name.sql])
    const [first] = rows
    if (first === undefined) return undefined
    if (!this.#options.relationKinds.has(first.kind)) {
      throw new ConfigError(
        `${name.sql} is not of a kind that table.types allows to write to (${kindNames[first.kind] ?? 'other'})`,
        {
          setting: 'table.types',
          code: 'POSTGRES_SINK_TABLE',
        },
      )
    }
    const columns = rows.filter((row) => row.name !== null)
    const unknown = columns.map(({ type }) => type).filter((oid) => this.#catalog.get(oid) === undefined)
    if (unknown.length > 0) await this.#catalog.refresh(this.#client, unknown)
    const table: TargetTable = {
      name,
      // COPY passes rewrite rules by.
      takesCopy: first.kind !== 'v' && !first.row_security && !first.has_rules,
      columns: new Map(columns.map((row) => [row.name!, this.#columnOf(row)])),
    }
    this.#tables.set(name.sql, table)
    this.#fresh.add(name.sql)
    return table
  }

  #columnOf(row: ColumnRow): TargetColumn {
    return {
      name: row.name!,
      type: targetTypeOf(row.type, this.#catalog),
      castType: row.cast_type,
      isDeterministic: row.deterministic,
      isGenerated: row.generated !== '',
      isAlwaysIdentity: row.identity === 'a',
    }
  }

  async #create(name: TableName, wanted: readonly WantedColumn[]): Promise<TargetTable> {
    if (wanted.some(({ schema }) => schema === undefined)) {
      throw new ConfigError(
        `there is no table ${name.sql}, and records without a schema do not tell the types of its columns: make it by hand, ` +
          'or use a converter with schemas',
        { code: 'POSTGRES_SINK_TABLE' },
      )
    }
    const statement = this.#createStatement(name, wanted)
    if (!this.#options.creates) {
      throw new ConfigError(`there is no table ${name.sql}, and auto.create is off. It would be: ${statement}`, {
        setting: 'auto.create',
        code: 'POSTGRES_SINK_TABLE',
      })
    }
    await this.#define(statement, `making the table ${name.sql}`)
    const table = await this.#look(name)
    if (table === undefined) {
      throw new ConnectError(`the table ${name.sql} is not there after it was made`, { code: 'POSTGRES_SINK_TABLE' })
    }
    this.#log.info('made a table', { table: name.sql })
    return table
  }

  #createStatement(name: TableName, wanted: readonly WantedColumn[]): string {
    const columns = wanted.map(
      ({ name: column, schema, isKey }) =>
        `${quoteIdentifier(column)} ${columnTypeOf(schema!)}${defaultClause(schema!, this.#options)}${
          isKey || schema!.optional !== true ? ' NOT NULL' : ''
        }`,
    )
    const keys = wanted.filter(({ isKey }) => isKey).map(({ name: column }) => quoteIdentifier(column))
    const parts = keys.length === 0 ? columns : [...columns, `PRIMARY KEY (${keys.join(', ')})`]
    return `CREATE TABLE ${name.sql} (${parts.join(', ')})`
  }

  async #addColumns(table: TargetTable, missing: readonly WantedColumn[]): Promise<TargetTable> {
    const names = missing.map(({ name }) => quoteIdentifier(name)).join(', ')
    if (missing.some(({ schema }) => schema === undefined)) {
      throw new DataError(
        `the table ${table.name.sql} has no column ${names}, and a record without a schema has no type for it`,
        {
          code: 'POSTGRES_SINK_COLUMN',
        },
      )
    }
    // Rows that are there have no value for it, so it cannot be NOT NULL unless there is a default.
    const added = missing.map(({ name, schema }) => {
      const byDefault = defaultClause(schema!, this.#options)
      const notNull = byDefault !== '' && schema!.optional !== true ? ' NOT NULL' : ''
      return `ADD COLUMN ${quoteIdentifier(name)} ${columnTypeOf(schema!)}${byDefault}${notNull}`
    })
    const statement = `ALTER TABLE ${table.name.sql} ${added.join(', ')}`
    if (!this.#options.evolves || missing.some(({ isKey }) => isKey)) {
      const reason = this.#options.evolves ? 'a column of the key is not added' : 'auto.evolve is off'
      throw new ConfigError(
        `the table ${table.name.sql} has no column ${names}, and ${reason}. To add it: ${statement}`,
        {
          setting: 'auto.evolve',
          code: 'POSTGRES_SINK_COLUMN',
        },
      )
    }
    await this.#define(statement, `adding columns to ${table.name.sql}`)
    this.#log.info('added columns', { table: table.name.sql, columns: missing.map(({ name }) => name) })
    const grown = await this.#look(table.name)
    const lacking = missing.filter(({ name }) => grown === undefined || columnOf(grown, name) === undefined)
    // Another task has added some of them, so that the statement failed as a whole.
    if (grown !== undefined && lacking.length > 0 && lacking.length < missing.length) {
      return this.#addColumns(grown, lacking)
    }
    if (grown === undefined || lacking.length > 0) {
      throw new ConnectError(`columns of ${table.name.sql} are not there after they were added`, {
        code: 'POSTGRES_SINK_COLUMN',
      })
    }
    return grown
  }

  /** Runs a statement that another task may be running too. */
  async #define(statement: string, what: string): Promise<void> {
    try {
      await this.#client.query(statement)
    } catch (error) {
      const state = sqlStateOf(error)
      if (state !== undefined && madeMeanwhile.has(state)) return
      if (state === '3F000') throw missing(error, what, 'Make the schema by hand: CREATE SCHEMA')
      if (state === '42704') {
        throw missing(
          error,
          what,
          'The type is one of an extension: CREATE EXTENSION, or make the table or column by hand',
        )
      }
      throw problemOf(error, what)
    }
  }
}

function missing(error: unknown, what: string, advice: string): ConfigError {
  return new ConfigError(`${what}: ${(error as Error).message}. ${advice}`, {
    code: 'POSTGRES_SINK_TABLE',
    cause: error,
  })
}

const kindNames: Readonly<Record<string, string>> = {
  r: 'TABLE',
  p: 'PARTITIONED TABLE',
  v: 'VIEW',
  f: 'FOREIGN TABLE',
  m: 'a materialized view',
  S: 'a sequence',
  i: 'an index',
}

/** By its name, or, where none has it, the only one with that name in another case. */
export function columnOf({ columns }: TargetTable, name: string): TargetColumn | undefined {
  const found = columns.get(name)
  if (found !== undefined) return found
  const alike = [...columns.values()].filter((column) => column.name.toLowerCase() === name.toLowerCase())
  return alike.length === 1 ? alike[0] : undefined
}
