import { ConfigError, type SourcePartition } from '@tidewire/sdk'
import type pg from 'pg'
import { tableName, type TableId } from '../link/identifier.ts'
import { columnMappings, queryOf, readsIncrementing, readsTimestamps, wholeName, type QueryConfig } from './config.ts'
import { queryPartition, tablePartitions } from './position.ts'

/** What is polled: a table, or the query. */
export interface Target {
  /** For messages, and to tell it from others: `schema.table`, or `the query`. */
  readonly name: string
  readonly table: TableId | undefined
  /** What stands after FROM. */
  readonly relation: string
  readonly topic: string
  /** Of the struct of its rows. */
  readonly schemaName: string | undefined
  /** Where its position may be stored, the first being where one that has none yet is put. */
  readonly partitions: readonly [SourcePartition, ...SourcePartition[]]
  /** As the settings name it; empty: the table's own. Undefined: the mode has none. */
  readonly incrementing: string | undefined
  readonly timestamps: readonly string[]
}

const relationKinds: Readonly<Record<string, string>> = {
  TABLE: 'r',
  'PARTITIONED TABLE': 'p',
  VIEW: 'v',
  'MATERIALIZED VIEW': 'm',
  'FOREIGN TABLE': 'f',
}

const selectTables = `
  SELECT current_database()::text AS database, n.nspname::text AS schema, c.relname::text AS "table"
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind::text = ANY($1) AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    AND n.nspname !~ '^pg_(toast|temp)' AND ($2::text IS NULL OR n.nspname LIKE $2)
    AND ($3::text IS NULL OR current_database() LIKE $3)
  ORDER BY n.nspname, c.relname`

/**
 * What is to be polled: the query, or all tables that there are now and that the settings ask for.
 * @throws ConfigError where two would share a topic; the driver's error
 */
export async function findTargets(client: pg.Client, config: QueryConfig): Promise<Target[]> {
  const query = queryOf(config)
  if (query !== undefined) return [queryTarget(query, config)]
  const kinds = config['table.types'].map((type) => relationKinds[type])
  const { rows } = await client.query<TableId & { database: string }>(selectTables, [
    kinds,
    config['schema.pattern'] ?? null,
    config['catalog.pattern'] ?? null,
  ])
  const isAskedFor = tableFilter(config)
  const columns = columnsFor(config)
  const targets = rows
    .filter(({ database, schema, table }) => isAskedFor(namesOf(database, schema, table)))
    .map(({ database, schema, table }) => ({
      name: `${schema}.${table}`,
      table: { schema, table },
      relation: tableName({ schema, table }),
      topic: `${config['topic.prefix']}${table}`,
      schemaName: table,
      partitions: tablePartitions(database, { schema, table }),
      ...columns(namesOf(database, schema, table)),
    }))
  for (const [topic, sharing] of Map.groupBy(targets, (target) => target.topic)) {
    if (sharing.length === 1) continue
    throw new ConfigError(
      `tables ${sharing.map(({ name }) => name).join(' and ')} would both go to topic ${topic}: ` +
        'leave out all but one by schema.pattern or table.include.list, and read the others by a connector with another topic.prefix',
    )
  }
  return targets
}

function queryTarget(query: string, config: QueryConfig): Target {
  // In bulk nothing comes between query and suffix; a line comment may end the query.
  const text = config.mode === 'bulk' ? `${query}\n${config['query.suffix']}` : query
  return {
    name: 'the query',
    table: undefined,
    relation: `(${text}\n) AS "query"`,
    topic: config['topic.prefix'],
    schemaName: undefined,
    partitions: [queryPartition],
    incrementing: readsIncrementing(config) ? config['incrementing.column.name'] : undefined,
    timestamps: readsTimestamps(config) ? config['timestamp.column.name'] : [],
  }
}

/** All names that a setting may call it by. */
function namesOf(database: string, schema: string, table: string): string[] {
  return [table, `${schema}.${table}`, `${database}.${schema}.${table}`]
}

function tableFilter(config: QueryConfig): (names: readonly string[]) => boolean {
  const named = (list: readonly string[]) => {
    const listed = new Set(list.map((name) => name.trim().replaceAll('"', '')))
    return (names: readonly string[]) => names.some((name) => listed.has(name))
  }
  const matching = (list: readonly string[]) => {
    const expressions = list.map(wholeName)
    return (names: readonly string[]) => names.some((name) => expressions.some((expression) => expression.test(name)))
  }
  const included = [named(config['table.whitelist']), matching(config['table.include.list'])]
  const excluded = [named(config['table.blacklist']), matching(config['table.exclude.list'])]
  const includesAll = config['table.whitelist'].length === 0 && config['table.include.list'].length === 0
  return (names) => (includesAll || included.some((has) => has(names))) && !excluded.some((has) => has(names))
}

function columnsFor(config: QueryConfig): (names: readonly string[]) => Pick<Target, 'incrementing' | 'timestamps'> {
  const incrementing = columnMappings(config['incrementing.column.mapping'])
  const timestamps = columnMappings(config['timestamp.columns.mapping'])
  const mapped = (mappings: typeof timestamps, names: readonly string[]) =>
    mappings.find(({ tables }) => names.some((name) => tables.test(name)))?.columns
  return (names) => ({
    incrementing: readsIncrementing(config)
      ? (mapped(incrementing, names)?.[0] ?? config['incrementing.column.name'])
      : undefined,
    timestamps: readsTimestamps(config) ? (mapped(timestamps, names) ?? config['timestamp.column.name']) : [],
  })
}

/** The settings of each task: the tables there are now are divided evenly, and one that comes later goes by its name. */
export function dividedAmong(targets: readonly Target[], maxTasks: number): Record<string, string>[] {
  const count = Math.min(maxTasks, targets.length)
  if (count <= 1) return [{}]
  const tables = JSON.stringify(targets.map(({ name }) => name))
  return Array.from({ length: count }, (_, task) => ({ 'task.share': `${task}/${count}`, 'task.tables': tables }))
}

/** Whether a target is this task's. */
export function shareOf(config: QueryConfig): (target: Target) => boolean {
  const [task, count] = (config['task.share'] ?? '0/1').split('/').map(Number) as [number, number]
  const planned = new Map((JSON.parse(config['task.tables'] ?? '[]') as string[]).map((name, index) => [name, index]))
  return ({ name }) => (planned.get(name) ?? hashOf(name)) % count === task
}

/** FNV-1a. */
function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(text)) hash = Math.imul(hash ^ byte, 0x01000193)
  return hash >>> 0
}
