import { ConfigError, DataError, type SinkRecord } from '@tidewire/sdk'
import { quoteIdentifier } from '../link/identifier.ts'
import { sourceOf } from './change.ts'
import type { SinkOptions } from './options.ts'

/** A table's name, for SQL. The schema is left out where the search path is to find it. */
export interface TableName {
  readonly schema: string | undefined
  readonly table: string
  /** Quoted. */
  readonly sql: string
}

/** Which table a record belongs to. Remembers names by topic, where they depend on nothing else. */
export class TableNames {
  readonly #options: SinkOptions
  readonly #database: string
  readonly #dependsOnSource: boolean
  readonly #known = new Map<string, TableName>()

  constructor(options: SinkOptions, database: string) {
    this.#options = options
    this.#database = database
    this.#dependsOnSource = options.tableFormat.includes('${source.')
  }

  /**
   * @returns undefined of a tombstone, where the origin decides: it tells none, and nothing that the delete before it did not
   * @throws DataError where the record does not tell what the name is made of, ConfigError for a name of too many parts
   */
  of(record: SinkRecord): TableName | undefined {
    if (this.#dependsOnSource && (record.value === null || record.value === undefined)) return undefined
    const text = this.#dependsOnSource ? withSource(this.#options.tableFormat, record) : this.#options.tableFormat
    const topic = this.#options.topicDots === 'underscore' ? record.topic.replaceAll('.', '_') : record.topic
    const full = text.replaceAll('${topic}', topic)
    let name = this.#known.get(full)
    if (name === undefined) {
      name = parseTableName(full, this.#options.foldsNames, this.#database)
      this.#known.set(full, name)
    }
    return name
  }
}

function withSource(format: string, record: SinkRecord): string {
  const source = sourceOf(record)
  return format.replaceAll(/\$\{source\.(\w+)\}/g, (placeholder, field: string) => {
    const value = source?.[field]
    if (typeof value === 'string' && value !== '') return value
    throw new DataError(`the record does not tell its ${placeholder.slice(2, -1)}, which its table is named by`, {
      code: 'POSTGRES_SINK_TABLE',
    })
  })
}

/**
 * `table`, `schema.table` or `database.schema.table`; a part in double quotes may hold dots.
 * @throws ConfigError where it is none of these
 */
export function parseTableName(text: string, fold: boolean, database: string): TableName {
  const parts = [...text.trim().matchAll(/"((?:[^"]|"")*)"(?:\.|$)|([^".]+)(?:\.|$)/g)].map((match) => {
    const part = match[1]?.replaceAll('""', '"') ?? match[2]!
    return fold ? part.toLowerCase() : part
  })
  if (parts.length === 3 && parts[0] === database) parts.shift()
  if (parts.length === 0 || parts.length > 2) {
    throw new ConfigError(
      `"${text}" is no name of a table: a dot comes between schema and table. Set table.name.format, for instance to ` +
        '${source.schema}.${source.table} for change events, or collection.name.format=${topic} for underscores in place of dots',
      { setting: 'table.name.format', code: 'POSTGRES_SINK_TABLE' },
    )
  }
  const table = parts.at(-1)!
  const schema = parts.length === 2 ? parts[0]! : undefined
  const sql = schema === undefined ? quoteIdentifier(table) : `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
  return { schema, table, sql }
}
