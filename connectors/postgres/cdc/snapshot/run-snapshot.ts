import { RetriableError, type SourceBatch, type SourceRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { connect, disconnect } from '../../link/connect.ts'
import { problemOf, sqlStateOf } from '../../link/errors.ts'
import { quoteLiteral } from '../../link/identifier.ts'
import type { Capture } from '../capture.ts'
import type { SourceState } from '../events/event-writer.ts'
import type { Row } from '../events/table-shape.ts'
import { serverPartition, snapshotOffset, streamOffset, tablePartition } from '../offset.ts'
import { allOf, readTables, type RowMark } from './read-tables.ts'
import { isRead, progressOf, progressOffset, type Progress } from './segments.ts'
import { SnapshotProgress } from './snapshot-progress.ts'
import { isRewritten, tablesToRead, type CapturedTable } from './tables-to-read.ts'

export interface SnapshotStart {
  /** The consistent point: where the stream is to begin. */
  readonly lsn: number
  /** Name of the exported snapshot; undefined: what is committed now is read, to go on with a snapshot, or to look at one. */
  readonly exported: string | undefined
  /** What the snapshot that is gone on with saw; undefined: this is a new one. */
  readonly resumed: string | undefined
  /** Called once all readers see the snapshot, so that the session that holds it may end. */
  readonly release: () => Promise<void>
}

/** How a snapshot's state is told by the database. */
export interface Seen {
  readonly visible: string
  readonly xid: number
  readonly timeUs: number
}

/**
 * Reads all captured tables as of the consistent point. The offset says so before the first row; with each batch it says
 * how far its table has been read, and at the end that the stream comes next.
 * @throws ConnectError
 */
export async function* runSnapshot(capture: Capture, start: SnapshotStart): AsyncGenerator<SourceBatch> {
  const { config, context, events, tables: eventTables } = capture
  const prefix = config['topic.prefix']
  const { lsn, resumed } = start
  const readers: pg.Client[] = []
  try {
    await openReaders(capture, start.exported, readers)
    await start.release()
    const seen = await whatIsSeen(readers[0]!)
    const tables = await tablesToRead(eventTables, readers[0]!, config['snapshot.tables.order.by.row.count'])
    if (config['snapshot.locking.mode'] === 'shared') await lock(capture, readers[0]!, tables)
    const seeksBlocks = capture.server.version >= 140_000
    const known =
      resumed === undefined ? undefined : await whatIsLeft(capture, tables, lsn, readers.length, seeksBlocks)
    const left = new Map(
      tables.map((table) => [table, known?.get(table) ?? allOf(table, readers.length, seeksBlocks)] as const),
    )
    const done = tables.filter((table) => left.get(table)!.every(isRead))
    const progress = new SnapshotProgress(tables, done.length, (said) => {
      context.progress(said)
    })
    context.log.info(resumed === undefined ? 'the snapshot begins' : 'the snapshot goes on', {
      tables: tables.length,
      position: lsn,
    })
    const offset = snapshotOffset({ lsn, visible: resumed ?? seen.visible, log: capture.log }, seen)
    // With how each table is cut, since that is what a crash goes on with.
    const cuts = tables.flatMap((table) =>
      known?.has(table) === true && left.get(table)!.every(({ isAnew }) => isAnew !== true)
        ? []
        : left.get(table)!.map((segment) => tableOffset(prefix, table, segment, lsn)),
    )
    yield { records: [], offsets: [{ partition: serverPartition(prefix), offset }, ...cuts], transaction: 'commit' }
    const states = statesOf(lsn, seen)
    const batches = readTables({
      tables,
      readers,
      resumed,
      left: (table) => left.get(table)!,
      seeksBlocks,
      tellsOutOfLine: capture.server.version >= 170_000,
      batchRows: config['max.batch.size'],
      batchBytes: batchBytes(capture),
      isRewritten,
      signal: context.signal,
      emit: (table: CapturedTable, row: Row, snapshot: RowMark, into: SourceRecord[]): void => {
        events.read(into, table.shape, row, states[snapshot])
      },
    })
    for await (const { table, rows, isTableDone, records, progress: place } of batches) {
      progress.read(table, rows, isTableDone)
      const offsets = place === undefined ? [] : [tableOffset(prefix, table, place, lsn)]
      yield { records, offsets, transaction: 'commit' }
    }
    if (context.signal.aborted) return
    progress.done()
    context.log.info('the snapshot is complete', { tables: tables.length, rows: progress.rowsDone })
    const complete = streamOffset({ commitLsn: lsn, partial: undefined, log: capture.log }, seen)
    yield { records: [], offsets: [{ partition: serverPartition(prefix), offset: complete }], transaction: 'commit' }
  } finally {
    await Promise.all(readers.map(disconnect))
  }
}

/** What the events of rows tell of where they are, by their marks. */
function statesOf(lsn: number, { xid, timeUs }: Seen): Record<RowMark, SourceState> {
  const state = (snapshot: RowMark): SourceState => ({
    lsn,
    lastCommitLsn: undefined,
    txId: xid,
    commitTimeUs: timeUs,
    snapshot,
  })
  return {
    first: state('first'),
    first_in_data_collection: state('first_in_data_collection'),
    true: state('true'),
    last_in_data_collection: state('last_in_data_collection'),
    last: state('last'),
  }
}

/** Batches of all readers together take no more than a part of what the task may buffer. */
export const batchBytes = ({ config, context }: Capture): number =>
  Math.ceil(context.maxBufferedBytes / 8 / config['snapshot.max.threads'])

const tableOffset = (prefix: string, { name, file }: CapturedTable, progress: Progress, lsn: number) => ({
  partition: tablePartition(prefix, name, progress.index),
  offset: progressOffset(progress, { lsn, file }),
})

/**
 * Opens as many sessions as are to read, which all see the same; whoever asked ends them.
 * @param exported undefined: what is committed now
 * @throws ConnectError
 */
export async function openReaders(
  { address, config, context }: Capture,
  exported: string | undefined,
  readers: pg.Client[],
): Promise<void> {
  let snapshot = exported
  for (let index = 0; index < config['snapshot.max.threads']; index++) {
    const client = await connect(address, { signal: context.signal, statementTimeoutMs: 0 })
    readers.push(client)
    try {
      await client.query('BEGIN TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY')
      if (snapshot !== undefined) {
        await client.query(`SET TRANSACTION SNAPSHOT ${quoteLiteral(snapshot)}`)
      } else if (config['snapshot.max.threads'] > 1) {
        const { rows } = await client.query<{ name: string }>('SELECT pg_catalog.pg_export_snapshot() AS name')
        snapshot = rows[0]!.name
      }
    } catch (error) {
      const problem = problemOf(error, 'beginning to read the snapshot')
      // The session that held the snapshot has ended meanwhile: a new one is to be had.
      if (snapshot !== undefined && ['22023', '42704'].includes(sqlStateOf(error) ?? '')) {
        throw new RetriableError(problem.message, { cause: error })
      }
      throw problem
    }
  }
}

/** @throws ConnectError */
export async function whatIsSeen(client: pg.Client): Promise<Seen> {
  try {
    const { rows } = await client.query<{ visible: string; xid: string; time: string }>(
      `SELECT pg_catalog.txid_current_snapshot()::text AS visible,
        pg_catalog.txid_snapshot_xmax(pg_catalog.txid_current_snapshot())::text AS xid,
        (extract(epoch FROM pg_catalog.clock_timestamp()) * 1000000)::bigint::text AS time`,
    )
    const { visible, xid, time } = rows[0]!
    return { visible, xid: Number(xid), timeUs: Number(time) }
  } catch (error) {
    throw problemOf(error, 'asking what the snapshot sees')
  }
}

/** Keeps the tables from being altered or dropped; that their rows change is no harm. */
async function lock({ config }: Capture, client: pg.Client, tables: readonly CapturedTable[]): Promise<void> {
  try {
    await client.query(`SET LOCAL lock_timeout = ${quoteLiteral(String(config['snapshot.lock.timeout.ms']))}`)
    for (const { relation } of tables) await client.query(`LOCK TABLE ${relation} IN ACCESS SHARE MODE`)
  } catch (error) {
    throw problemOf(error, 'locking the tables of the snapshot (snapshot.locking.mode=shared)')
  }
}

/** What was stored of a snapshot that is gone on with: by table its segments, where there are any that still hold. */
async function whatIsLeft(
  { config, context }: Capture,
  tables: readonly CapturedTable[],
  lsn: number,
  readers: number,
  seeksBlocks: boolean,
): Promise<Map<CapturedTable, Progress[]>> {
  const prefix = config['topic.prefix']
  const stored = (names: readonly (readonly [string, number])[]) =>
    context.offsets.getAll(names.map(([name, index]) => tablePartition(prefix, name, index)))
  const first = await stored(tables.map(({ name }) => [name, 0]))
  const left = new Map<CapturedTable, Progress[]>()
  for (const [at, table] of tables.entries()) {
    const key = { lsn, file: table.file }
    const of = numberOf(first[at]?.['of'])
    if (first[at]?.['lsn'] === lsn && first[at]['file'] !== table.file) {
      left.set(
        table,
        allOf(table, readers, seeksBlocks).map((segment) => ({ ...segment, isAnew: true })),
      )
      continue
    }
    const all = await stored(Array.from({ length: of }, (_, index) => [table.name, index] as const))
    const segments = all.map((offset, index) => progressOf(offset, index, key))
    const known = segments.filter((segment) => segment !== undefined)
    if (of > 0 && known.length === of) left.set(table, known)
  }
  return left
}

const numberOf = (value: unknown): number => (Number.isSafeInteger(value) ? (value as number) : 0)
