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

/** Which table a record belongs to. Remembers names, and the parts of the format by topic. */
export class TableNames {
  readonly #options: SinkOptions
  readonly #database: string
  readonly #dependsOnSource: boolean
  readonly #parts = new Map<string, readonly string[]>()
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
    let parts = this.#parts.get(record.topic)
    if (parts === undefined) {
      parts = this.#partsFor(record.topic)
      this.#parts.set(record.topic, parts)
    }
    // What the origin is called has no parts: a dot in it is its own.
    const filled = this.#dependsOnSource ? parts.map((part) => withSource(part, record)) : parts
    const id = filled.join('\0')
    let name = this.#known.get(id)
    if (name === undefined) {
      name = nameOf(filled, this.#options.foldsNames, this.#database)
      this.#known.set(id, name)
    }
    return name
  }

  #partsFor(topic: string): readonly string[] {
    const inserted = this.#options.topicDots === 'underscore' ? topic.replaceAll('.', '_') : topic
    return partsOf(this.#options.tableFormat.replaceAll('${topic}', () => inserted))
  }
}

function withSource(part: string, record: SinkRecord): string {
  const source = sourceOf(record)
  return part.replaceAll(/\$\{source\.(\w+)\}/g, (placeholder, field: string) => {
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
  return nameOf(partsOf(text), fold, database)
}

/** The parts between dots, without their quotes; `${source.…}` is of one part. */
function partsOf(text: string): string[] {
  const trimmed = text.trim()
  const pattern = /"((?:[^"]|"")+)"|((?:\$\{source\.\w+\}|[^".])+)/y
  const parts: string[] = []
  for (;;) {
    const match = pattern.exec(trimmed)
    if (match === null) throw noName(text)
    parts.push(match[1]?.replaceAll('""', '"') ?? match[2]!)
    const end = pattern.lastIndex
    if (end === trimmed.length) return parts
    if (trimmed[end] !== '.') throw noName(text)
    pattern.lastIndex = end + 1
  }
}

function nameOf(all: readonly string[], fold: boolean, database: string): TableName {
  const folded = fold ? all.map((part) => part.toLowerCase()) : all
  const parts = folded.length === 3 && folded[0] === database ? folded.slice(1) : folded
  if (parts.length > 2) throw noName(all.join('.'))
  const table = parts.at(-1)!
  const schema = parts.length === 2 ? parts[0]! : undefined
  const sql = schema === undefined ? quoteIdentifier(table) : `${quoteIdentifier(schema)}.${quoteIdentifier(table)}`
  return { schema, table, sql }
}

function noName(text: string): ConfigError {
  return new ConfigError(
    `"${text}" is no name of a table: a dot comes between schema and table. Set table.name.format, for instance to ` +
      '${source.schema}.${source.table} for change events, or collection.name.format=${topic} for underscores in place of dots',
    { setting: 'table.name.format', code: 'POSTGRES_SINK_TABLE' },
  )
}
