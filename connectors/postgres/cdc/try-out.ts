import { ConfigError, type ConfigProblems, type Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../link/connect.ts'
import { addressOf } from '../link/connection-settings.ts'
import { codes, problemOf } from '../link/errors.ts'
import { tableName, type TableId } from '../link/identifier.ts'
import type { CdcConfig } from './config.ts'
import { snapshotTables } from './events/snapshot-tables.ts'
import { TableFilter } from './events/table-filter.ts'
import { listRelations } from './events/table-look-up.ts'
import { lookAtPublication } from './replication/publication.ts'
import { checkServer, lookAtServer, type Server } from './replication/server.ts'
import { lookAtSlot } from './replication/slot.ts'

type Problems = Map<string, string[]>

/**
 * Whether the connector could start: the server is reached, takes the login and streams changes, slot and publication are
 * there or may be made, and the captured tables may be read. Makes and changes nothing.
 */
export async function tryCapture(
  config: CdcConfig,
  context: { readonly signal: AbortSignal; readonly log: Logger },
): Promise<ConfigProblems> {
  const problems: Problems = new Map()
  const attempt = async (setting: string, work: () => Promise<void> | void): Promise<void> => {
    try {
      await work()
    } catch (error) {
      const problem = problemOf(error, 'trying out the configuration')
      const at = problem instanceof ConfigError ? problem.setting : undefined
      add(problems, at ?? settingOf(problem.code) ?? setting, problem.message)
    }
  }
  let client: pg.Client | undefined
  try {
    await attempt('database.hostname', async () => {
      client = await connect(addressOf(config, 'tidewire validation'), { signal: context.signal })
    })
    if (client !== undefined) await tryServer(client, config, attempt, problems)
  } finally {
    if (client !== undefined) await disconnect(client)
  }
  return Object.fromEntries(problems)
}

async function tryServer(
  client: pg.Client,
  config: CdcConfig,
  attempt: (setting: string, work: () => Promise<void> | void) => Promise<void>,
  problems: Problems,
): Promise<void> {
  const server = await lookAtServer(client)
  if (config['snapshot.mode'] !== 'initial_only') {
    await attempt('database.hostname', () => checkServer(server))
    if (!server.mayReplicate) {
      add(
        problems,
        'database.user',
        `user "${server.user}" may not stream changes: ALTER ROLE "${server.user}" REPLICATION (on hosted servers GRANT their replication role)`,
      )
    }
    await attempt('slot.name', () => trySlot(client, config))
    await attempt('publication.name', () => tryPublication(client, config, server, problems))
  }
  await attempt('table.include.list', () => tryTables(client, config, problems))
}

async function trySlot(client: pg.Client, config: CdcConfig): Promise<void> {
  const slot = await lookAtSlot(client, config['slot.name'])
  if (slot?.lost === undefined || config['snapshot.mode'] === 'when_needed') return
  throw new ConfigError(`slot "${slot.name}" is lost: ${slot.lost}`, { setting: 'slot.name' })
}

async function tryPublication(client: pg.Client, config: CdcConfig, server: Server, problems: Problems): Promise<void> {
  const name = config['publication.name']
  const mode = config['publication.autocreate.mode']
  if ((await lookAtPublication(client, name)) !== undefined) return
  if (mode === 'disabled') {
    add(problems, 'publication.name', `publication "${name}" does not exist, and publication.autocreate.mode=disabled`)
  } else if (mode === 'all_tables' && !server.superuser) {
    const text = `publication "${name}" does not exist, and only a superuser makes one for all tables: set publication.autocreate.mode=filtered, or have it made by CREATE PUBLICATION`
    add(problems, 'publication.autocreate.mode', text)
  } else {
    const { rows } = await client.query<{ may: boolean }>(
      "SELECT pg_catalog.has_database_privilege(current_database(), 'CREATE') AS may",
    )
    if (rows[0]?.may === true) return
    const text = `publication "${name}" does not exist, and user "${server.user}" may not make one: GRANT CREATE ON DATABASE "${server.database}" TO "${server.user}"`
    add(problems, 'database.user', text)
  }
}

/** Most tables that a problem names. */
const mostNamed = 10

async function tryTables(client: pg.Client, config: CdcConfig, problems: Problems): Promise<void> {
  const filter = new TableFilter(config)
  const chosen = snapshotTables(await listRelations(client), {
    captures: (id) => filter.captures(id),
    viaRoot: config['publish.via.partition.root'],
    order: undefined,
    include: undefined,
  })
  // The filter may be meant for tables to come.
  if (chosen.length === 0) {
    const text =
      'no table of the database passes the filters: check schema.include.list, table.include.list and their exclude lists'
    add(problems, 'table.include.list', text)
    return
  }
  const { rows } = await client.query<TableId>(
    `SELECT schema, "table" FROM unnest($1::text[], $2::text[]) AS t(schema, "table")
     WHERE NOT coalesce(pg_catalog.has_table_privilege(pg_catalog.to_regclass(format('%I.%I', schema, "table")), 'SELECT'), true)
        OR NOT pg_catalog.has_schema_privilege(schema, 'USAGE')`,
    [chosen.map(({ relation }) => relation.schema), chosen.map(({ relation }) => relation.table)],
  )
  if (rows.length === 0) return
  const named = rows.slice(0, mostNamed).map(tableName).join(', ')
  const more = rows.length > mostNamed ? ` and ${rows.length - mostNamed} more` : ''
  add(
    problems,
    'database.user',
    `user "${config['database.user']}" may not read ${named}${more}: GRANT SELECT on them, and USAGE on their schemas`,
  )
}

function add(problems: Problems, setting: string, text: string): void {
  const known = problems.get(setting)
  if (known === undefined) problems.set(setting, [text])
  else known.push(text)
}

/** The setting that an error is about, where its code says it. */
function settingOf(code: string): string | undefined {
  const settings: Readonly<Record<string, string>> = {
    [codes.loginRefused]: 'database.user',
    [codes.privilegeMissing]: 'database.user',
    [codes.noDatabase]: 'database.dbname',
    [codes.unreachable]: 'database.hostname',
    [codes.tls]: 'database.sslmode',
  }
  return settings[code]
}
