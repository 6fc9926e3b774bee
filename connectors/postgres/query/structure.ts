import { ConfigError } from '@tidewire/sdk'
import type pg from 'pg'
import { quoteIdentifier, quoteLiteral } from '../link/identifier.ts'
import { oids } from '../types/oids.ts'
import type { TypeCatalog } from '../types/type-catalog.ts'
import { columnValue, valueOptionsOf, type ResultColumn } from './column-values.ts'
import type { QueryConfig } from './config.ts'
import { timestampText, type Instant, type Position } from './position.ts'
import { RowShape, type RowColumn } from './row-shape.ts'
import type { Target } from './targets.ts'

/** What pg_attribute says of a table's column. */
interface TableColumn {
  readonly name: string
  readonly nullable: boolean
  readonly increments: boolean
  readonly is_key: boolean
}

/** A column of the result, with what is known of it as one of a table. */
interface Column extends ResultColumn {
  readonly table: TableColumn | undefined
}

const utc = /^(UTC|Etc\/UTC|GMT|Z)$/i

/** The columns of a target as they are now, and the statements that they make. */
export class Structure {
  readonly shape: RowShape
  /** What tells whether it is still the same. */
  readonly signature: string
  readonly #target: Target
  readonly #config: QueryConfig
  readonly #selected: string
  /** In SQL; undefined where the mode has none. */
  readonly #incrementing: string | undefined
  readonly #timestamp: string | undefined
  /** Whether the timestamp is one without a zone, in a zone other than UTC. */
  readonly #isLocal: boolean

  private constructor(
    target: Target,
    config: QueryConfig,
    columns: readonly Column[],
    catalog: TypeCatalog,
    signature: string,
  ) {
    this.#target = target
    this.#config = config
    this.signature = signature
    refuseTwins(target, columns)
    const root = (column: Column) => catalog.rootOf(column.typeOid, column.typeModifier)?.type.oid ?? 0
    const incrementing = incrementingOf(target, columns, config)
    if (incrementing !== undefined) checkIncrementing(target, incrementing, root(incrementing), config)
    const timestamps = target.timestamps.map((name) => columnNamed(target, columns, name, config))
    checkTimestamps(target, timestamps, timestamps.map(root), config)
    const zone = quoteLiteral(config['db.timezone'])
    const isUtc = utc.test(config['db.timezone'])
    this.#isLocal = !isUtc && timestamps[0] !== undefined && root(timestamps[0]) === oids.timestamp
    this.#incrementing = incrementing && quoteIdentifier(incrementing.name)
    this.#timestamp = coalesced(timestamps)
    // Texts of timestamps are in db.timezone, all else is in UTC.
    const moved = config['timestamp.granularity'].endsWith('iso_datetime_string') ? oids.timestamptz : oids.timestamp
    const options = valueOptionsOf(config)
    const rowColumns: RowColumn[] = columns.map((column) => ({
      ...columnValue(column, catalog, options),
      name: column.name,
      nullable: column.table?.nullable ?? true,
      isKey: config['key.mode'] === 'primary_key' && column.table?.is_key === true,
    }))
    this.shape = new RowShape(target.name, target.schemaName, rowColumns, {
      timestamp: this.#timestamp !== undefined,
      incrementing: this.#incrementing !== undefined,
    })
    const selected = columns.map((column) => {
      const name = quoteIdentifier(column.name)
      return !isUtc && root(column) === moved ? `${name} AT TIME ZONE ${zone}` : name
    })
    if (this.#timestamp !== undefined) {
      selected.push(this.#isLocal ? `${this.#timestamp} AT TIME ZONE ${zone}` : this.#timestamp)
    }
    if (this.#incrementing !== undefined) selected.push(this.#incrementing)
    this.#selected = selected.join(', ')
  }

  /**
   * Looks at the columns. Inside of a transaction they stay as they are until its end, since looking at them locks the
   * table against changes of its structure.
   * @param known given back where nothing has changed
   * @throws ConfigError where a column that the settings name is not there or not fit; the driver's error
   */
  static async of(
    client: pg.Client,
    target: Target,
    config: QueryConfig,
    catalog: TypeCatalog,
    known?: Structure,
  ): Promise<Structure> {
    const { fields } = await client.query(`SELECT * FROM ${target.relation} WHERE false`)
    const ofTable = target.table === undefined ? [] : (await client.query<TableColumn>(columnsOf(target))).rows
    const byName = new Map(ofTable.map((column) => [column.name, column]))
    const columns = fields.map((field) => ({
      name: field.name,
      typeOid: field.dataTypeID,
      typeModifier: field.dataTypeModifier,
      table: byName.get(field.name),
    }))
    const signature = JSON.stringify(columns)
    if (known?.signature === signature) return known
    const unknown = columns.map(({ typeOid }) => typeOid).filter((oid) => catalog.get(oid) === undefined)
    if (unknown.length > 0) await catalog.refresh(client, unknown)
    return new Structure(target, config, columns, catalog, signature)
  }

  /** What is read after a position, up to a bound: see {@link boundQuery}. */
  rowsQuery(after: Position, bound: string | undefined): string {
    const { conditions, order } = this.#criterion(after, bound)
    const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
    // In bulk mode a query has its suffix inside.
    const suffix = this.#target.table === undefined && order === '' ? '' : this.#config['query.suffix']
    return `SELECT ${this.#selected} FROM ${this.#target.relation}${where}${order}${suffix === '' ? '' : ` ${suffix}`}`
  }

  /**
   * Asks for the text of the bound, in one row's column `bound`; what it gives is read in a later statement. For times it is
   * now, less the delay; for numbers the greatest that is there, null where nothing is new. Undefined in bulk mode.
   */
  boundQuery(after: Position): string | undefined {
    if (this.#timestamp !== undefined) {
      const delayMs = this.#config['timestamp.delay.interval.ms']
      return `SELECT (pg_catalog.clock_timestamp() - interval '${delayMs} milliseconds')::text AS bound`
    }
    if (this.#incrementing === undefined) return undefined
    const where = after.incrementing === undefined ? '' : ` WHERE ${this.#incrementing} > ${after.incrementing}`
    return `SELECT pg_catalog.max(${this.#incrementing})::text AS bound FROM ${this.#target.relation}${where}`
  }

  #criterion(after: Position, bound: string | undefined): { conditions: string[]; order: string } {
    const { timestamp, incrementing } = after
    const id = this.#incrementing
    if (this.#timestamp === undefined) {
      if (id === undefined) return { conditions: [], order: '' }
      const conditions = incrementing === undefined ? [] : [`${id} > ${incrementing}`]
      if (bound !== undefined) conditions.push(`${id} <= ${quoteLiteral(bound)}`)
      return { conditions, order: ` ORDER BY ${id}` }
    }
    const time = this.#timestamp
    const conditions = [`${time} < ${this.#time(bound!)}`]
    if (timestamp === undefined) conditions.push(`${time} > '-infinity'`)
    else if (id === undefined || incrementing === undefined) conditions.push(`${time} > ${this.#instant(timestamp)}`)
    else {
      const last = this.#instant(timestamp)
      // The first alone is one that an index is of use for.
      conditions.push(`${time} >= ${last}`, `(${time} > ${last} OR ${id} > ${incrementing})`)
    }
    return { conditions, order: ` ORDER BY ${time}${id === undefined ? '' : `, ${id}`}` }
  }

  #instant(instant: Instant): string {
    return this.#time(timestampText(instant))
  }

  /** A time in UTC as the timestamp column has it; without a type of its own it takes the column's. */
  #time(text: string): string {
    if (!this.#isLocal) return quoteLiteral(text)
    return `(${quoteLiteral(text)}::timestamptz AT TIME ZONE ${quoteLiteral(this.#config['db.timezone'])})`
  }
}

function columnsOf({ relation }: Target): string {
  return `
    SELECT a.attname::text AS name, NOT a.attnotnull AS nullable, i.indrelid IS NOT NULL AS is_key,
           a.attidentity <> '' OR pg_catalog.pg_get_expr(d.adbin, d.adrelid) ~ '^nextval\\(' IS TRUE AS increments
    FROM pg_catalog.pg_attribute a
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_catalog.pg_index i ON i.indrelid = a.attrelid AND i.indisprimary AND a.attnum = ANY (i.indkey)
    WHERE a.attrelid = ${quoteLiteral(relation)}::regclass AND a.attnum > 0 AND NOT a.attisdropped`
}

function refuseTwins(target: Target, columns: readonly Column[]): void {
  const names = new Set<string>()
  for (const { name } of columns) {
    if (names.has(name)) {
      throw new ConfigError(`${target.name} has two columns of the name "${name}": give one another by AS`, {
        setting: 'query',
      })
    }
    names.add(name)
  }
}

function columnNamed(target: Target, columns: readonly Column[], name: string, config: QueryConfig): Column {
  const wanted = name.trim().replace(/^"(.*)"$/, '$1')
  const folded = config['quote.sql.identifiers'] === 'never' ? wanted.toLowerCase() : wanted
  const column = columns.find((known) => known.name === wanted) ?? columns.find((known) => known.name === folded)
  if (column !== undefined) return column
  const near = columns.find((known) => known.name.toLowerCase() === wanted.toLowerCase())
  throw new ConfigError(
    `${target.name} has no column "${wanted}"${near === undefined ? '' : `; it has "${near.name}"`}`,
    { setting: target.timestamps.includes(name) ? 'timestamp.column.name' : 'incrementing.column.name' },
  )
}

function incrementingOf(target: Target, columns: readonly Column[], config: QueryConfig): Column | undefined {
  if (target.incrementing === undefined) return undefined
  if (target.incrementing !== '') return columnNamed(target, columns, target.incrementing, config)
  const found = columns.filter(({ table }) => table?.increments === true)
  if (found.length === 1) return found[0]
  throw new ConfigError(
    `${target.name} has ${found.length === 0 ? 'no column' : 'several columns'} with an identity or a sequence: ` +
      'name the incrementing one by incrementing.column.name or incrementing.column.mapping',
    { setting: 'incrementing.column.name' },
  )
}

const integerTypes = new Set<number>([oids.int2, oids.int4, oids.int8, oids.numeric])

function checkIncrementing(target: Target, column: Column, type: number, config: QueryConfig): void {
  const refuse = (why: string) =>
    new ConfigError(`${target.name}: the incrementing column "${column.name}" ${why}`, {
      setting: 'incrementing.column.name',
    })
  if (!integerTypes.has(type)) throw refuse('is neither smallint, integer, bigint nor numeric')
  if (config['validate.non.null'] && column.table?.nullable === true) {
    throw refuse('may be null, and such rows are never read: SET NOT NULL, or set validate.non.null=false')
  }
}

function checkTimestamps(target: Target, columns: readonly Column[], types: number[], config: QueryConfig): void {
  const refuse = (why: string) => {
    const names = columns.map(({ name }) => `"${name}"`).join(', ')
    return new ConfigError(`${target.name}: ${why}: ${names}`, { setting: 'timestamp.column.name' })
  }
  if (columns.length === 0) {
    if (target.timestamps.length === 0 && config.mode.startsWith('timestamp')) {
      throw refuse('the settings name no timestamp column for it')
    }
    return
  }
  const kinds = new Set(types)
  if (![...kinds].every((type) => type === oids.timestamp || type === oids.timestamptz)) {
    throw refuse('the timestamp columns have to be timestamp or timestamptz')
  }
  if (kinds.size > 1) throw refuse('the timestamp columns have to be all with a time zone, or all without')
  if (config['validate.non.null'] && target.table !== undefined && columns.every(({ table }) => table?.nullable)) {
    throw refuse(
      'rows in which all timestamp columns are null are never read: SET NOT NULL on one, or set validate.non.null=false',
    )
  }
}

function coalesced(columns: readonly Column[]): string | undefined {
  const names = columns.map(({ name }) => quoteIdentifier(name))
  return names.length > 1 ? `COALESCE(${names.join(', ')})` : names[0]
}

/** The server's clock, in milliseconds since 1970. @throws the driver's error */
export async function serverMillis(client: pg.Client): Promise<number> {
  const { rows } = await client.query<{ millis: number }>(
    'SELECT pg_catalog.floor(extract(epoch FROM pg_catalog.clock_timestamp()) * 1000)::float8 AS millis',
  )
  return rows[0]!.millis
}
