import { ConfigError, type Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { problemOf } from '../../link/errors.ts'
import { quoteIdentifier, tableName, type TableId } from '../../link/identifier.ts'

/** What a table is to write to the log about rows that are updated or deleted. */
export type ReplicaIdentity =
  { readonly kind: 'DEFAULT' | 'FULL' | 'NOTHING' } | { readonly kind: 'INDEX'; readonly index: string }

interface Rule {
  readonly text: string
  readonly tables: RegExp
  readonly identity: ReplicaIdentity
}

/** The rules of replica.identity.autoset.values: which tables get which replica identity. */
export class ReplicaIdentityRules {
  readonly #rules: readonly Rule[]

  /**
   * Of `regex:DEFAULT|FULL|NOTHING|INDEX name, …`; a regex has to match all of `schema.table`, in any case.
   * @throws ConfigError
   */
  constructor(text: string) {
    this.#rules = text.split(',').map((rule) => parseRule(rule.trim()))
  }

  /** @throws ConfigError where several rules match the table */
  of(table: TableId): ReplicaIdentity | undefined {
    const name = `${table.schema}.${table.table}`
    const matching = this.#rules.filter(({ tables }) => tables.test(name))
    if (matching.length > 1) {
      throw problem(`${matching.map(({ text }) => `"${text}"`).join(' and ')} both match the table ${name}`)
    }
    return matching[0]?.identity
  }
}

function parseRule(text: string): Rule {
  const [, pattern, kind, index] = /^([^\s:]+):(?:(DEFAULT|FULL|NOTHING)|INDEX\s+(\S+))$/i.exec(text) ?? []
  if (pattern === undefined) {
    throw problem(`"${text}" is not <regular expression for schema.table>:<DEFAULT, FULL, NOTHING or INDEX name>`)
  }
  try {
    const tables = new RegExp(`^(?:${pattern})$`, 'i')
    const identity: ReplicaIdentity =
      index === undefined ? { kind: kind!.toUpperCase() as 'DEFAULT' | 'FULL' | 'NOTHING' } : { kind: 'INDEX', index }
    return { text, tables, identity }
  } catch (cause) {
    throw problem(`"${pattern}" is no regular expression: ${(cause as Error).message}`)
  }
}

function problem(text: string): ConfigError {
  return new ConfigError(`replica.identity.autoset.values: ${text}`, { setting: 'replica.identity.autoset.values' })
}

/**
 * Sets the replica identity of tables where a rule asks for another than they have. A table that this user may not
 * alter is logged as an error and left as it is, as Debezium does: capturing goes on, with less in `before`.
 * @throws ConnectError where the connection breaks
 */
export async function setReplicaIdentities(
  client: pg.Client,
  rules: ReplicaIdentityRules,
  tables: readonly TableId[],
  log: Logger,
): Promise<void> {
  for (const table of tables) {
    const wanted = rules.of(table)
    if (wanted === undefined) continue
    const clause = wanted.kind === 'INDEX' ? `USING INDEX ${quoteIdentifier(wanted.index)}` : wanted.kind
    const what = `setting the replica identity of ${tableName(table)} to ${clause}`
    try {
      const current = await replicaIdentityOf(client, table)
      if (current === undefined || same(current, wanted)) continue
      await client.query(`ALTER TABLE ${tableName(table)} REPLICA IDENTITY ${clause}`)
      log.info('replica identity set', { table: tableName(table), identity: clause })
    } catch (error) {
      const reason = problemOf(error, what)
      if (reason.retriable) throw reason
      log.error(reason.message)
    }
  }
}

/** Undefined where there is no such table. */
export async function replicaIdentityOf(client: pg.Client, table: TableId): Promise<ReplicaIdentity | undefined> {
  const { rows } = await client.query<{ kind: string; index: string | null }>(
    `SELECT c.relreplident AS kind, i.relname AS index FROM pg_catalog.pg_class c
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     LEFT JOIN pg_catalog.pg_index x ON x.indrelid = c.oid AND x.indisreplident AND c.relreplident = 'i'
     LEFT JOIN pg_catalog.pg_class i ON i.oid = x.indexrelid
     WHERE n.nspname = $1 AND c.relname = $2`,
    [table.schema, table.table],
  )
  const row = rows[0]
  if (row === undefined) return undefined
  switch (row.kind) {
    case 'f':
      return { kind: 'FULL' }
    case 'n':
      return { kind: 'NOTHING' }
    case 'i':
      // Of an index that was dropped since nothing is left, which is the same as NOTHING.
      return row.index === null ? { kind: 'NOTHING' } : { kind: 'INDEX', index: row.index }
    default:
      return { kind: 'DEFAULT' }
  }
}

function same(a: ReplicaIdentity, b: ReplicaIdentity): boolean {
  return a.kind === b.kind && (a.kind !== 'INDEX' || b.kind !== 'INDEX' || a.index === b.index)
}
