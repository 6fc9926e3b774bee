import { setTimeout as delay } from 'node:timers/promises'
import { ConfigError, ConnectError, RetriableError, type Logger } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../../link/connect.ts'
import type { Address } from '../../link/connection-settings.ts'
import { codes, problemOf, sqlStateOf } from '../../link/errors.ts'
import { quoteIdentifier } from '../../link/identifier.ts'
import { parseLsn } from '../../link/lsn.ts'

/** A replication slot as the server has it. */
export interface Slot {
  readonly name: string
  readonly temporary: boolean
  readonly active: boolean
  /** Of the session that holds it. */
  readonly activePid: number | undefined
  /** From here on the server keeps its log for the slot. Undefined: no more. */
  readonly restartLsn: number | undefined
  /** Up to here it was confirmed; a stream begins here at the earliest. Undefined while the slot is being made. */
  readonly confirmedLsn: number | undefined
  readonly catalogXmin: number | undefined
  /** `reserved`, `extended`, `unreserved` (about to be removed), `lost`. PostgreSQL 13 and later. */
  readonly walStatus: string | undefined
  /** How many more bytes of log may be written before it is lost; undefined: any number. */
  readonly safeWalBytes: number | undefined
  /** Whether standbys have it too. PostgreSQL 17 and later. */
  readonly failover: boolean
  /** Why the server can no longer stream from it, where that is so. */
  readonly lost: string | undefined
}

/**
 * The slot of that name; undefined where there is none.
 * @throws ConfigError where it is not one for pgoutput in the database of the client; RetriableError for a standby's copy
 */
export async function lookAtSlot(client: pg.Client, name: string): Promise<Slot | undefined> {
  let row: SlotRow | undefined
  try {
    const result = await client.query<{ row: SlotRow; here: string; standby: boolean }>(
      `SELECT pg_catalog.to_jsonb(s) AS row, pg_catalog.current_database() AS here, pg_catalog.pg_is_in_recovery() AS standby
       FROM pg_catalog.pg_replication_slots s WHERE slot_name = $1`,
      [name],
    )
    row = result.rows[0]?.row
    if (row === undefined) return undefined
    checkUse(row, result.rows[0]!.here, result.rows[0]!.standby)
  } catch (error) {
    throw problemOf(error, `looking at slot "${name}"`)
  }
  return {
    name,
    temporary: row.temporary,
    active: row.active,
    activePid: row.active_pid ?? undefined,
    restartLsn: row.restart_lsn == null ? undefined : parseLsn(row.restart_lsn),
    confirmedLsn: row.confirmed_flush_lsn == null ? undefined : parseLsn(row.confirmed_flush_lsn),
    catalogXmin: row.catalog_xmin == null ? undefined : Number(row.catalog_xmin),
    walStatus: row.wal_status ?? undefined,
    safeWalBytes: row.safe_wal_size ?? undefined,
    failover: row.failover ?? false,
    lost: lossOf(row),
  }
}

/** Of pg_replication_slots; some columns came with a version. */
interface SlotRow {
  readonly slot_name: string
  readonly plugin: string | null
  readonly slot_type: string
  readonly database: string | null
  readonly temporary: boolean
  readonly active: boolean
  readonly active_pid: number | null
  readonly catalog_xmin: string | number | null
  readonly restart_lsn: string | null
  readonly confirmed_flush_lsn: string | null
  readonly wal_status?: string | null
  readonly safe_wal_size?: number | null
  readonly conflicting?: boolean | null
  readonly failover?: boolean
  readonly synced?: boolean
  readonly invalidation_reason?: string | null
}

function checkUse(row: SlotRow, database: string, standby: boolean): void {
  // It stays marked so on a standby that was promoted, where it is used like any other.
  if (row.synced === true && standby) {
    throw new RetriableError(
      `slot "${row.slot_name}" is the copy that this standby keeps of its primary's: it can be read when the standby is promoted. Connect to the primary if it stays so`,
      { code: codes.serverStandby },
    )
  }
  const wrong =
    row.slot_type !== 'logical'
      ? 'it is a physical slot'
      : row.plugin !== 'pgoutput'
        ? `its output plugin is ${row.plugin}, not pgoutput`
        : row.database !== database
          ? `it belongs to database "${row.database}", not "${database}"`
          : undefined
  if (wrong === undefined) return
  throw new ConfigError(
    `slot "${row.slot_name}" cannot be used: ${wrong}. Choose another slot.name, or drop the slot if nobody needs it`,
    { code: 'PG_SLOT_UNFIT', setting: 'slot.name' },
  )
}

function lossOf(row: SlotRow): string | undefined {
  if (row.invalidation_reason != null) {
    return `the server has invalidated it (${row.invalidation_reason.replaceAll('_', ' ')})`
  }
  if (row.conflicting === true) return 'the server has invalidated it, for a conflict with recovery'
  if (row.wal_status === 'lost') return 'the server has removed log that it still needed (max_slot_wal_keep_size)'
  return undefined
}

export interface CreateSlotOptions {
  readonly name: string
  /** Ends with its session: what a snapshot alone is wanted from. */
  readonly temporary: boolean
  /** Whether to export the snapshot of the consistent point. */
  readonly exportSnapshot: boolean
  /** Whether standbys get it too. Without effect before PostgreSQL 17, on a standby, and for a temporary one. */
  readonly failover: boolean
  /** The server waits for the transactions under way to end; how long, and how often again after a pause. */
  readonly timeoutMs: number
  readonly retries: number
  readonly retryDelayMs: number
  readonly signal: AbortSignal
  readonly log: Logger
}

/** A new slot, and the session that made it. */
export interface CreatedSlot {
  readonly consistentLsn: number
  /**
   * For `SET TRANSACTION SNAPSHOT`: what is visible there is what was committed before the consistent point. It can be
   * imported until the release; transactions that have imported it keep it.
   */
  readonly snapshotName: string | undefined
  /** Ends the session: a temporary slot is gone then. Never throws. */
  release(): Promise<void>
}

/**
 * Makes a slot for pgoutput.
 * @throws ConnectError; one that exists already among them, with code PG_42710
 */
export async function createSlot(address: Address, options: CreateSlotOptions): Promise<CreatedSlot> {
  for (let triesLeft = options.retries; ; triesLeft--) {
    const client = await connect(address, { signal: options.signal, replication: true })
    try {
      const { slot, snapshot } = await withTimeout(address, client, options)
      return { consistentLsn: parseLsn(slot), snapshotName: snapshot, release: () => disconnect(client) }
    } catch (error) {
      await disconnect(client)
      options.signal.throwIfAborted()
      const problem = problemOf(error, `making slot "${options.name}"`)
      // Cancelled, or a lock was not to be had.
      if (triesLeft <= 0 || !['57014', '55P03'].includes(sqlStateOf(error) ?? '')) throw problem
      options.log.warn(`${problem.message}; trying again`, { slot: options.name, triesLeft })
      await delay(options.retryDelayMs, undefined, { signal: options.signal })
    }
  }
}

async function withTimeout(address: Address, client: pg.Client, options: CreateSlotOptions) {
  const command = await createCommand(client, options)
  const { rows } = await client.query<{ pid: number }>('SELECT pg_catalog.pg_backend_pid() AS pid')
  const pid = rows[0]!.pid
  let waitedFor: string | undefined
  const cancel = async (): Promise<void> => {
    const other = await connect(address, { signal: AbortSignal.timeout(10_000) })
    try {
      waitedFor = await oldestTransactions(other, pid)
      await other.query('SELECT pg_catalog.pg_cancel_backend($1)', [pid])
    } finally {
      await disconnect(other)
    }
  }
  // A session that is merely closed would go on waiting, and make the slot in the end.
  const onEnd = (): void => {
    cancel().catch((error: unknown) => {
      options.log.warn('the making of a slot could not be cancelled', { slot: options.name, error: String(error) })
    })
  }
  const timer = setTimeout(onEnd, options.timeoutMs)
  options.signal.addEventListener('abort', onEnd, { once: true })
  try {
    const result = await client.query<{ consistent_point: string; snapshot_name: string | null }>(command)
    const made = result.rows[0]!
    return { slot: made.consistent_point, snapshot: made.snapshot_name ?? undefined }
  } catch (error) {
    if (waitedFor === undefined || sqlStateOf(error) !== '57014') throw error
    throw new RetriableError(
      `making slot "${options.name}" has taken longer than ${options.timeoutMs} ms: the server waits for all transactions that were under way to end: ${waitedFor}`,
      { code: 'PG_57014', cause: error },
    )
  } finally {
    clearTimeout(timer)
    options.signal.removeEventListener('abort', onEnd)
  }
}

async function createCommand(client: pg.Client, options: CreateSlotOptions): Promise<string> {
  const { rows } = await client.query<{ version: string; standby: boolean }>(
    "SELECT pg_catalog.current_setting('server_version_num') AS version, pg_catalog.pg_is_in_recovery() AS standby",
  )
  const version = Number(rows[0]!.version)
  const head = `CREATE_REPLICATION_SLOT ${quoteIdentifier(options.name)} ${options.temporary ? 'TEMPORARY ' : ''}LOGICAL pgoutput`
  const snapshot = options.exportSnapshot ? 'export' : 'nothing'
  if (version < 150_000) return `${head} ${snapshot === 'export' ? 'EXPORT_SNAPSHOT' : 'NOEXPORT_SNAPSHOT'}`
  const failover = options.failover && !options.temporary && version >= 170_000 && !rows[0]!.standby
  if (options.failover && !failover && !options.temporary) {
    options.log.warn('slot.failover has no effect: only a primary with PostgreSQL 17 or later makes failover slots', {
      slot: options.name,
    })
  }
  return `${head} (SNAPSHOT '${snapshot}'${failover ? ', FAILOVER' : ''})`
}

/** Those that hold up a new slot, the oldest first, in words. */
async function oldestTransactions(client: pg.Client, ownPid: number): Promise<string> {
  const { rows } = await client.query<{ text: string }>(
    `SELECT pg_catalog.format('pid %s (user %s, %s, %s) since %s', pid, usename, coalesce(nullif(application_name, ''), 'unnamed'),
       state, xact_start) AS text
     FROM pg_catalog.pg_stat_activity WHERE backend_xid IS NOT NULL AND pid <> $1 ORDER BY xact_start LIMIT 3`,
    [ownPid],
  )
  const { rows: prepared } = await client.query<{ text: string }>(
    "SELECT pg_catalog.format('prepared transaction %s since %s', gid, prepared) AS text FROM pg_catalog.pg_prepared_xacts ORDER BY prepared LIMIT 3",
  )
  const found = [...rows, ...prepared].map(({ text }) => text)
  return found.length === 0 ? 'which ones is not to be seen' : found.join('; ')
}

/**
 * Drops a slot. One that does not exist is no error; one that a session holds, as ours may that just ended, is waited
 * for up to `waitMs`.
 */
export async function dropSlot(client: pg.Client, name: string, waitMs: number): Promise<void> {
  const deadline = performance.now() + waitMs
  while (true) {
    try {
      await client.query('SELECT pg_catalog.pg_drop_replication_slot($1)', [name])
      return
    } catch (error) {
      const problem: ConnectError = problemOf(error, `dropping slot "${name}"`)
      if (problem.code === codes.slotMissing) return
      if (problem.code !== codes.slotActive || performance.now() > deadline) throw problem
      await delay(50)
    }
  }
}
