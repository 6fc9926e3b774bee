import { ConfigError, type Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { codes, problemOf } from '../../link/errors.ts'
import { quoteIdentifier, quoteLiteral, tableName, type TableId } from '../../link/identifier.ts'

const operations = ['insert', 'update', 'delete', 'truncate'] as const

export type PublishedOperation = (typeof operations)[number]

export interface PublicationOptions {
  readonly name: string
  /** Debezium's publication.autocreate.mode. */
  readonly mode: 'all_tables' | 'filtered' | 'no_tables' | 'disabled'
  /** All tables to capture; asked for only where the mode is `filtered`. */
  readonly tables: () => Promise<readonly TableId[]>
  /** What to publish. Undefined, where skipped.operations was not set: the server's default, which is all. */
  readonly publish: readonly PublishedOperation[] | undefined
  readonly viaPartitionRoot: boolean
  /** For each statement. */
  readonly timeoutMs: number
  readonly log: Logger
}

/** A publication as it is now. */
export interface Publication {
  readonly allTables: boolean
  readonly publish: readonly PublishedOperation[]
  readonly viaPartitionRoot: boolean
  /** It was made just now. A slot made before it cannot use it. */
  readonly created: boolean
}

/**
 * Makes or mends the publication as its mode asks. In `filtered` mode tables are added and dropped one by one, so that
 * row filters and column lists of those that stay are kept. Has to come before the slot is made.
 * @throws ConfigError where it is missing, or cannot be as it should
 */
export async function ensurePublication(client: pg.Client, options: PublicationOptions): Promise<Publication> {
  try {
    const existing = await lookAtPublication(client, options.name)
    const standby = await inRecovery(client)
    if (existing === undefined) {
      refuseToCreate(options, standby)
      await run(client, options, await createStatement(options))
    } else if (options.mode === 'filtered') {
      await mend(client, options, existing, standby)
    }
    const now = await lookAtPublication(client, options.name)
    if (now === undefined) throw missing(options.name, 'it was dropped again at once')
    warnOfDifferences(options, now)
    return { ...now, created: existing === undefined }
  } catch (error) {
    throw problemOf(error, `publication "${options.name}"`)
  }
}

/** The publication of that name; undefined where there is none. */
export async function lookAtPublication(
  client: pg.Client,
  name: string,
): Promise<Omit<Publication, 'created'> | undefined> {
  const { rows } = await client.query<{ row: Record<string, unknown> }>(
    'SELECT pg_catalog.to_jsonb(p) AS row FROM pg_catalog.pg_publication p WHERE pubname = $1',
    [name],
  )
  const row = rows[0]?.row
  if (row === undefined) return undefined
  return {
    allTables: row['puballtables'] === true,
    publish: operations.filter((operation) => row[`pub${operation}`] === true),
    // PostgreSQL 13 and later.
    viaPartitionRoot: row['pubviaroot'] === true,
  }
}

async function inRecovery(client: pg.Client): Promise<boolean> {
  const { rows } = await client.query<{ standby: boolean }>('SELECT pg_catalog.pg_is_in_recovery() AS standby')
  return rows[0]!.standby
}

function missing(name: string, advice: string): ConfigError {
  return new ConfigError(`publication "${name}" does not exist: ${advice}`, {
    code: codes.publicationMissing,
    setting: 'publication.name',
  })
}

function refuseToCreate({ name, mode }: PublicationOptions, standby: boolean): void {
  if (mode === 'disabled') {
    const example = `CREATE PUBLICATION ${quoteIdentifier(name)} FOR TABLE …`
    throw missing(name, `create it (${example}), or set publication.autocreate.mode to something else than disabled`)
  }
  if (standby) throw missing(name, 'this server is a standby, where it cannot be created: create it on the primary')
}

async function createStatement(options: PublicationOptions): Promise<string> {
  const what =
    options.mode === 'all_tables'
      ? ' FOR ALL TABLES'
      : options.mode === 'filtered'
        ? ` FOR TABLE ${(await wantedTables(options)).map(tableName).join(', ')}`
        : ''
  const settings = [
    ...(options.viaPartitionRoot ? ['publish_via_partition_root = true'] : []),
    ...(options.publish === undefined ? [] : [publishSetting(options.publish)]),
  ]
  const having = settings.length === 0 ? '' : ` WITH (${settings.join(', ')})`
  return `CREATE PUBLICATION ${quoteIdentifier(options.name)}${what}${having}`
}

function publishSetting(publish: readonly PublishedOperation[]): string {
  return `publish = ${quoteLiteral(publish.join(', '))}`
}

async function wantedTables(options: PublicationOptions): Promise<readonly TableId[]> {
  const tables = await options.tables()
  if (tables.length > 0) return tables
  throw new ConfigError(
    'no table of the database passes the filters: check schema.include.list, table.include.list and their exclude lists',
    { code: 'PG_NO_TABLES', setting: 'table.include.list' },
  )
}

async function mend(
  client: pg.Client,
  options: PublicationOptions,
  existing: Omit<Publication, 'created'>,
  standby: boolean,
): Promise<void> {
  if (existing.allTables) {
    throw new ConfigError(
      `publication "${options.name}" is for all tables, and cannot become one of some: drop it, choose another publication.name, ` +
        'or set publication.autocreate.mode=all_tables',
      { code: 'PG_PUBLICATION_UNFIT', setting: 'publication.autocreate.mode' },
    )
  }
  const statements = await tableChanges(client, options)
  const publish = options.publish
  if (publish !== undefined && publish.join() !== existing.publish.join()) {
    statements.push(`ALTER PUBLICATION ${quoteIdentifier(options.name)} SET (${publishSetting(publish)})`)
  }
  if (statements.length === 0) return
  if (standby) {
    throw new ConfigError(
      `publication "${options.name}" is not as the config asks, and this server is a standby: run on the primary: ${statements.join('; ')}`,
      { code: 'PG_PUBLICATION_UNFIT', setting: 'publication.autocreate.mode' },
    )
  }
  await run(client, options, ...statements)
}

/** Adds what is wanted and not published yet, drops what it names and nobody wants. */
async function tableChanges(client: pg.Client, options: PublicationOptions): Promise<string[]> {
  const wanted = await wantedTables(options)
  const named = await relations(
    client,
    `SELECT n.nspname AS schema, c.relname AS table FROM pg_catalog.pg_publication_rel r
     JOIN pg_catalog.pg_publication p ON p.oid = r.prpubid JOIN pg_catalog.pg_class c ON c.oid = r.prrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE p.pubname = $1`,
    options.name,
  )
  // Also by their schema, or as parts of a table that is named.
  const published = await relations(
    client,
    'SELECT schemaname AS schema, tablename AS table FROM pg_catalog.pg_publication_tables WHERE pubname = $1',
    options.name,
  )
  const wantedNames = new Set(wanted.map(tableName))
  const added = wanted.map(tableName).filter((table) => !named.has(table) && !published.has(table))
  const dropped = [...named].filter((table) => !wantedNames.has(table))
  if (added.length > 0 || dropped.length > 0) {
    options.log.info('the publication follows the filters', { publication: options.name, added, dropped })
  }
  const alter = `ALTER PUBLICATION ${quoteIdentifier(options.name)}`
  return [
    ...(added.length > 0 ? [`${alter} ADD TABLE ${added.join(', ')}`] : []),
    ...(dropped.length > 0 ? [`${alter} DROP TABLE ${dropped.join(', ')}`] : []),
  ]
}

async function relations(client: pg.Client, sql: string, publication: string): Promise<Set<string>> {
  const { rows } = await client.query<TableId>(sql, [publication])
  return new Set(rows.map(tableName))
}

/** In one transaction, each statement with its timeout. */
async function run(client: pg.Client, options: PublicationOptions, ...statements: string[]): Promise<void> {
  await client.query('BEGIN')
  try {
    await client.query(`SET LOCAL statement_timeout = ${quoteLiteral(String(options.timeoutMs))}`)
    for (const statement of statements) {
      options.log.info(`running: ${statement}`)
      await client.query(statement)
    }
    await client.query('COMMIT')
  } catch (error) {
    // The first error is the one to tell.
    await client.query('ROLLBACK').catch(() => undefined)
    throw error
  }
}

/** What the publication leaves out never comes, and nobody would see why. */
function warnOfDifferences(options: PublicationOptions, now: Omit<Publication, 'created'>): void {
  // Truncates are left out by default on this side too.
  const wanted = options.publish ?? ['insert', 'update', 'delete']
  const lacking = wanted.filter((operation) => !now.publish.includes(operation))
  if (lacking.length > 0) {
    options.log.warn('the publication leaves out operations: they will not be captured', {
      publication: options.name,
      operations: lacking,
    })
  }
  if (now.viaPartitionRoot !== options.viaPartitionRoot) {
    options.log.warn('publish.via.partition.root is not what the publication has; the publication decides', {
      publication: options.name,
      publish_via_partition_root: now.viaPartitionRoot,
    })
  }
}
