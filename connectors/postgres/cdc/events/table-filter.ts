import type { TableId } from '../../link/identifier.ts'
import { NamePatterns } from './name-patterns.ts'
import type { EventConfig } from './settings.ts'

const systemSchemas = new Set(['pg_catalog', 'information_schema'])
/** PostGIS fills it with the coordinate systems of the world. */
const systemTables = new Set(['spatial_ref_sys'])
const temporary = 'pg_temp'

/** Whether a name is let through by the include list, if there is one, or else by the exclude list. */
type NameFilter = (name: string) => boolean

/** Which tables and columns are captured. */
export class TableFilter {
  readonly #schemas: NameFilter
  readonly #tables: NameFilter
  readonly #columns: NameFilter
  readonly #signals: string | undefined
  readonly #ignoresBuiltin: boolean

  /** @throws TypeError with what is wrong with an expression */
  constructor(config: EventConfig) {
    this.#schemas = filterOf(config['schema.include.list'], config['schema.exclude.list'])
    this.#tables = filterOf(config['table.include.list'], config['table.exclude.list'])
    this.#columns = filterOf(config['column.include.list'], config['column.exclude.list'])
    this.#signals = config['signal.data.collection']?.trim()
    this.#ignoresBuiltin = config['table.ignore.builtin']
  }

  captures({ schema, table }: TableId): boolean {
    const name = `${schema}.${table}`
    if (name === this.#signals) return true
    return !this.#isBuiltin(schema, table) && this.#schemas(schema) && this.#tables(name)
  }

  /** Whether events have the column; keys do not go by it. */
  hasColumn({ schema, table }: TableId, column: string): boolean {
    return this.#columns(`${schema}.${table}.${column}`)
  }

  #isBuiltin(schema: string, table: string): boolean {
    if (!this.#ignoresBuiltin) return false
    return (
      systemSchemas.has(schema.toLowerCase()) || systemTables.has(table.toLowerCase()) || schema.startsWith(temporary)
    )
  }
}

function filterOf(include: string | undefined, exclude: string | undefined): NameFilter {
  if (include !== undefined && include.trim() !== '') {
    const patterns = new NamePatterns(include)
    return (name) => patterns.covers(name)
  }
  const patterns = new NamePatterns(exclude ?? '')
  return (name) => !patterns.covers(name)
}
