import { ConfigError, RetriableError } from '@tidewire/sdk'
import type pg from 'pg'
import { codes, problemOf } from '../../link/errors.ts'
import { parseLsn } from '../../link/lsn.ts'

/** What a server is, as far as change data capture asks. */
export interface Server {
  /** Such as 150018 for 15.18. */
  readonly version: number
  readonly walLevel: string
  readonly maxReplicationSlots: number
  readonly maxWalSenders: number
  /** 0: none. */
  readonly walSenderTimeoutMs: number
  /** A standby, which takes no writes. */
  readonly inRecovery: boolean
  /** Of the database. */
  readonly encoding: string
  readonly database: string
  readonly user: string
  readonly superuser: boolean
  /** Superuser, or with the attribute REPLICATION, or a member of the role that Amazon RDS has in its place. */
  readonly mayReplicate: boolean
}

export async function lookAtServer(client: pg.Client): Promise<Server> {
  try {
    const { rows } = await client.query<Record<string, string | boolean | null>>(`
      SELECT current_setting('server_version_num') AS version, current_setting('wal_level') AS wal_level,
        current_setting('max_replication_slots') AS slots, current_setting('max_wal_senders') AS senders,
        (SELECT setting FROM pg_catalog.pg_settings WHERE name = 'wal_sender_timeout') AS sender_timeout,
        pg_catalog.pg_is_in_recovery() AS standby, current_database() AS database, current_user AS "user",
        (SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database WHERE datname = current_database()) AS encoding,
        rolsuper AS superuser, rolreplication OR rolsuper OR EXISTS (
          SELECT FROM pg_catalog.pg_roles r WHERE r.rolname = 'rds_replication'
            AND pg_catalog.pg_has_role(r.oid, 'member')) AS replicates
      FROM pg_catalog.pg_roles WHERE rolname = current_user`)
    const row = rows[0]!
    return {
      version: Number(row['version']),
      walLevel: String(row['wal_level']),
      maxReplicationSlots: Number(row['slots']),
      maxWalSenders: Number(row['senders']),
      walSenderTimeoutMs: Number(row['sender_timeout']),
      inRecovery: row['standby'] === true,
      encoding: String(row['encoding']),
      database: String(row['database']),
      user: String(row['user']),
      superuser: row['superuser'] === true,
      mayReplicate: row['replicates'] === true,
    }
  } catch (error) {
    throw problemOf(error, 'asking the server for its settings')
  }
}

/**
 * Refuses a server that cannot stream changes of this database to this user, all problems in one message.
 * @throws ConfigError; RetriableError for a standby that cannot yet
 */
export function checkServer(server: Server): void {
  const problems: string[] = []
  if (server.version < 100_000) problems.push('it is older than PostgreSQL 10, which has no pgoutput')
  if (server.walLevel !== 'logical') {
    problems.push(`its wal_level is ${server.walLevel}: set wal_level=logical and restart it`)
  }
  // Changes are sent in UTF-8; a database without an encoding gives whatever bytes were put in.
  if (server.encoding === 'SQL_ASCII') {
    problems.push('the database has no encoding (SQL_ASCII), so that its texts cannot be read')
  }
  if (server.maxReplicationSlots === 0) problems.push('its max_replication_slots is 0: raise it and restart it')
  if (server.maxWalSenders === 0) problems.push('its max_wal_senders is 0: raise it and restart it')
  if (problems.length > 0) {
    throw new ConfigError(`the server cannot stream changes: ${problems.join('; ')}`, { code: codes.serverSetting })
  }
  // In the middle of a failover it is about to be promoted.
  if (server.inRecovery && server.version < 160_000) {
    throw new RetriableError(
      'the server is a standby, which can stream changes from PostgreSQL 16 on: connect to the primary if it stays so',
      { code: codes.serverStandby },
    )
  }
}

/** How far the server's log is: for how far behind a stream is. On a standby, how far it has replayed. */
export async function currentLsn(client: pg.Client): Promise<number> {
  try {
    const { rows } = await client.query<{ lsn: string }>(
      `SELECT CASE WHEN pg_catalog.pg_is_in_recovery() THEN pg_catalog.pg_last_wal_replay_lsn()
        ELSE pg_catalog.pg_current_wal_lsn() END AS lsn`,
    )
    return parseLsn(rows[0]!.lsn)
  } catch (error) {
    throw problemOf(error, 'asking how far the log of the server is')
  }
}
