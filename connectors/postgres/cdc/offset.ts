import { ConfigError, type SourceOffset, type SourcePartition } from '@tidewire/sdk'
import { formatLsn } from '../link/lsn.ts'
import type { LogIdentity } from './replication/server-log.ts'

/**
 * How far the connector has come. Stored under Debezium's partition and with its field names, so that a connector can be
 * taken over from it with the same name and `topic.prefix`, and goes on where that one ended.
 */
export type Position = SnapshotPosition | StreamPosition

/** A snapshot has begun and is not complete: what its tables have come to is stored beside it, see {@link tablePartition}. */
export interface SnapshotPosition {
  readonly kind: 'snapshot'
  /** The slot's consistent point: whatever was committed before it is in the snapshot, the rest comes by the stream. */
  readonly lsn: number
  /** `pg_current_snapshot()` of the snapshot; undefined: of Debezium's, which cannot be gone on with. */
  readonly visible: string | undefined
  /** Undefined: of Debezium's, which does not tell. */
  readonly log?: LogIdentity | undefined
}

export interface StreamPosition {
  readonly kind: 'stream'
  /** End of the last transaction that was delivered whole. The server is asked for what was committed after it. */
  readonly commitLsn: number
  /** Of a transaction after it that was delivered in part; undefined: of none. */
  readonly partial: PartialTransaction | undefined
  /** Undefined: of Debezium's, which does not tell. */
  readonly log?: LogIdentity | undefined
}

export interface PartialTransaction {
  readonly xid: number
  /** Of the last change that was delivered. */
  readonly lsn: number
  /** How many changes with this LSN were: a COPY writes many at one. */
  readonly changes: number
  /** Where it was committed; undefined: of Debezium's, which does not tell. */
  readonly commitLsn?: number | undefined
}

export const serverPartition = (prefix: string): SourcePartition => ({ server: prefix })

/** Under which it is stored how far the snapshot has come with a part of a table. */
export const tablePartition = (prefix: string, table: string, segment: number): SourcePartition => ({
  server: prefix,
  table,
  segment,
})

/** Details of the newest event, for those who read offsets. */
interface Seen {
  /** Commit time of its transaction, µs since the epoch. */
  readonly timeUs?: number | undefined
  readonly xid?: number | undefined
}

export function snapshotOffset(
  { lsn, visible, log }: Omit<SnapshotPosition, 'kind'>,
  { timeUs, xid }: Seen,
): SourceOffset {
  return {
    lsn,
    snapshot: 'INITIAL',
    snapshot_completed: false,
    last_snapshot_record: false,
    ...(visible === undefined ? {} : { snapshot_xids: visible }),
    ...(timeUs === undefined ? {} : { ts_usec: timeUs }),
    ...(xid === undefined ? {} : { txId: xid }),
    ...logFields(log),
  }
}

export function streamOffset(
  { commitLsn, partial, log }: Omit<StreamPosition, 'kind'>,
  { timeUs, xid }: Seen,
): SourceOffset {
  return {
    lsn: partial?.lsn ?? commitLsn,
    lsn_proc: partial?.lsn ?? commitLsn,
    lsn_commit: commitLsn,
    ...(partial === undefined ? { messageType: 'COMMIT' } : { lsn_events_processed: partial.changes }),
    ...(partial === undefined ? (xid === undefined ? {} : { txId: xid }) : { txId: partial.xid }),
    ...(partial?.commitLsn === undefined ? {} : { lsn_partial_commit: partial.commitLsn }),
    ...(timeUs === undefined ? {} : { ts_usec: timeUs }),
    ...logFields(log),
  }
}

function logFields(log: LogIdentity | undefined): SourceOffset {
  if (log === undefined) return {}
  return { system_id: log.systemId, ...(log.timeline === undefined ? {} : { timeline: log.timeline }) }
}

/**
 * Reads what {@link snapshotOffset}, {@link streamOffset} or Debezium has stored.
 * @throws ConfigError where no position can be made of it
 */
export function positionOf(stored: SourceOffset | undefined): Position | undefined {
  if (stored === undefined) return undefined
  const lsn = numberIn(stored, 'lsn')
  const processed = numberIn(stored, 'lsn_proc') ?? lsn
  const commit = numberIn(stored, 'lsn_commit')
  if (stored['snapshot'] !== undefined && stored['snapshot'] !== null && stored['snapshot_completed'] !== true) {
    // Debezium tells the last row of a snapshot by a mark of its own; after it only the stream is left.
    if (stored['last_snapshot_record'] !== true) {
      const visible = stored['snapshot_xids']
      return {
        kind: 'snapshot',
        lsn: required(lsn, stored),
        visible: typeof visible === 'string' ? visible : undefined,
        log: logOf(stored),
      }
    }
  }
  const changes = numberIn(stored, 'lsn_events_processed') ?? 0
  const xid = numberIn(stored, 'txId')
  const commitLsn = commit ?? required(processed, stored)
  const position = { kind: 'stream', commitLsn, partial: undefined, log: logOf(stored) } as const
  if (changes === 0 || xid === undefined || processed === undefined || processed === 0) return position
  const partialCommit = numberIn(stored, 'lsn_partial_commit')
  return { ...position, partial: { xid, lsn: processed, changes, commitLsn: partialCommit } }
}

/** The end of what has been delivered: the server's log was that long. */
export function reachedLsn(position: Position): number {
  if (position.kind === 'snapshot') return position.lsn
  const { commitLsn, partial } = position
  return Math.max(commitLsn, partial?.lsn ?? 0, partial?.commitLsn ?? 0)
}

function logOf(stored: SourceOffset): LogIdentity | undefined {
  const systemId = stored['system_id']
  return typeof systemId === 'string' ? { systemId, timeline: numberIn(stored, 'timeline') } : undefined
}

/** What `lsn` and its like are in the server's own words, for messages. */
export const shownPosition = (position: Position): string =>
  formatLsn(position.kind === 'snapshot' ? position.lsn : position.commitLsn)

function required(lsn: number | undefined, stored: SourceOffset): number {
  if (lsn !== undefined) return lsn
  throw new ConfigError(
    `the stored offset ${JSON.stringify(stored)} has neither "lsn" nor "lsn_commit" (a WAL position as a number); set or delete it over REST`,
  )
}

function numberIn(stored: SourceOffset, field: string): number | undefined {
  const value = stored[field]
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value
  throw new ConfigError(
    `the stored offset ${JSON.stringify(stored)}: "${field}" is no WAL position or count (a whole number from 0); set or delete it over REST`,
  )
}
