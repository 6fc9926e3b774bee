import type { ConfigProblems, Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../link/connect.ts'
import { addressOf, optionsOf, type SinkOptions } from './options.ts'
import type { PostgresSinkConfig } from './settings.ts'
import { parseTableName, type TableName } from './table-name.ts'
import { columnOf, TargetTables } from './target-tables.ts'

/**
 * Whether the database can be reached and written to, and, where the config alone names the table, whether that is there, with
 * the columns of its key, and may be written to.
 */
export async function tryOut(
  config: PostgresSinkConfig,
  { signal, log }: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  const options = optionsOf(config)
  const address = addressOf(config)
  let client
  try {
    client = await connect(address, { signal })
  } catch (error) {
    return { 'connection.url': (error as Error).message }
  }
  try {
    const problems: Record<string, string> = {}
    if (await isStandby(client))
      problems['connection.url'] = 'the server is a standby, which takes no writes: name the primary'
    if (!options.tableFormat.includes('${')) {
      const name = parseTableName(options.tableFormat, options.foldsNames, address.database)
      Object.assign(problems, await tryTable(client, name, options, log))
    } else if (options.creates && !(await mayCreate(client, undefined))) {
      problems['auto.create'] = 'the user may not make tables: GRANT CREATE ON the schema TO it, or make them by hand'
    }
    if (config['exactly.once']) {
      const table = parseTableName(config['offsets.table.name'], false, address.database)
      const problem = await tryOffsets(client, table)
      if (problem !== undefined) problems['offsets.table.name'] = problem
    }
    return problems
  } finally {
    await disconnect(client)
  }
}

async function tryTable(
  client: pg.Client,
  name: TableName,
  options: SinkOptions,
  log: Logger,
): Promise<ConfigProblems> {
  const tables = await TargetTables.load(client, options, log)
  let table
  try {
    table = await tables.find(name)
  } catch (error) {
    return { 'table.types': (error as Error).message }
  }
  if (table === undefined) {
    if (!options.creates) return { 'table.name.format': `there is no table ${name.sql}, and auto.create is off` }
    if (await mayCreate(client, name.schema)) return {}
    return { 'auto.create': `there is no table ${name.sql}, and the user may not make it: GRANT CREATE ON its schema` }
  }
  const lacking = options.keyFields.filter((field) => columnOf(table, field) === undefined)
  if (lacking.length > 0) return { 'pk.fields': `the table ${name.sql} has no column ${lacking.join(', ')}` }
  const missing = await missingRights(client, name, rightsFor(options))
  if (missing.length === 0) return {}
  return {
    'connection.user': `the user may not do all that is needed: GRANT ${missing.join(', ')} ON ${name.sql} TO it`,
  }
}

function rightsFor({ mode, keyMode, deletes, truncates }: SinkOptions): string[] {
  const rights = mode === 'insert' ? ['INSERT'] : mode === 'upsert' ? ['INSERT', 'UPDATE'] : ['UPDATE']
  // Keys are looked up.
  if (mode !== 'insert' || (deletes && keyMode !== 'none')) rights.push('SELECT')
  if (deletes) rights.push('DELETE')
  return truncates ? [...rights, 'TRUNCATE'] : rights
}

async function tryOffsets(client: pg.Client, table: TableName): Promise<string | undefined> {
  const { rows } = await client.query<{ exists: boolean }>('SELECT to_regclass($1) IS NOT NULL AS exists', [table.sql])
  if (!rows[0]!.exists) {
    if (await mayCreate(client, table.schema)) return undefined
    return `there is no table ${table.sql}, and the user may not make it: GRANT CREATE ON its schema`
  }
  const missing = await missingRights(client, table, ['SELECT', 'INSERT', 'UPDATE', 'DELETE'])
  return missing.length === 0 ? undefined : `GRANT ${missing.join(', ')} ON ${table.sql} TO the user`
}

async function isStandby(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ standby: boolean }>('SELECT pg_is_in_recovery() AS standby')
  return rows[0]!.standby
}

async function mayCreate(client: pg.Client, schema: string | undefined): Promise<boolean> {
  const { rows } = await client.query<{ may: boolean | null }>(
    `SELECT (SELECT has_schema_privilege(n.oid, 'CREATE') FROM pg_namespace n WHERE n.nspname = coalesce($1, current_schema())) AS may`,
    [schema ?? null],
  )
  return rows[0]!.may === true
}

async function missingRights(client: pg.Client, name: TableName, rights: readonly string[]): Promise<string[]> {
  const { rows } = await client.query<{ privilege: string }>(
    'SELECT privilege FROM unnest($2::text[]) AS privilege WHERE NOT has_table_privilege($1, privilege)',
    [name.sql, rights],
  )
  return rows.map(({ privilege }) => privilege)
}
