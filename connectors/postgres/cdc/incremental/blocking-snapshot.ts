import type { SourceRecord } from '@tidewire/sdk'
import type pg from 'pg'
import { disconnect } from '../../link/connect.ts'
import type { Capture } from '../capture.ts'
import type { Row } from '../events/table-shape.ts'
import type { CreatedSlot } from '../replication/slot.ts'
import { allOf, readTables, type RowMark } from '../snapshot/read-tables.ts'
import { batchBytes, openReaders, whatIsSeen } from '../snapshot/run-snapshot.ts'
import { SnapshotProgress } from '../snapshot/snapshot-progress.ts'
import { isRewritten, tablesToRead, type CapturedTable } from '../snapshot/tables-to-read.ts'
import { conditionFor, covers, type ExecuteSignal } from './signal.ts'

/**
 * The rows of the tables that the signal names, as of the consistent point of a temporary slot: all that was committed before
 * it has been told, and nothing else.
 * @throws ConnectError
 */
export async function* blockingSnapshot(
  capture: Capture,
  slot: CreatedSlot,
  { collections, conditions }: ExecuteSignal,
): AsyncGenerator<SourceRecord[]> {
  const { config, context, events, server } = capture
  const readers: pg.Client[] = []
  try {
    await openReaders(capture, slot.snapshotName, readers)
    await slot.release()
    const seen = await whatIsSeen(readers[0]!)
    const order = config['snapshot.tables.order.by.row.count']
    const found = await tablesToRead(capture.tables, readers[0]!, order, (name) => covers(collections, name))
    const tables = found.map((table) => filtered(table, conditionFor(conditions, [table.shape.name, ...table.parents])))
    if (tables.length === 0) context.log.warn('no captured table is of that name', { collections })
    const progress = new SnapshotProgress(tables, 0, (said) => {
      context.progress(said)
    })
    const seeksBlocks = server.version >= 140_000
    const batches = readTables({
      tables,
      readers,
      resumed: undefined,
      left: (table) => allOf(table, readers.length, seeksBlocks),
      seeksBlocks,
      tellsOutOfLine: server.version >= 170_000,
      batchRows: config['max.batch.size'],
      batchBytes: batchBytes(capture),
      isRewritten,
      signal: context.signal,
      emit: (table: CapturedTable, row: Row, snapshot: RowMark, into: SourceRecord[]): void => {
        events.read(into, table.shape, row, {
          lsn: slot.consistentLsn,
          lastCommitLsn: undefined,
          txId: seen.xid,
          commitTimeUs: seen.timeUs,
          snapshot,
        })
      },
    })
    for await (const { table, rows, isTableDone, records } of batches) {
      progress.read(table, rows, isTableDone)
      yield records
    }
    if (!context.signal.aborted) context.log.info('the snapshot is complete', { rows: progress.rowsDone })
  } finally {
    await slot.release()
    await Promise.all(readers.map(disconnect))
  }
}

/** A filter is a condition, or a whole statement. */
function filtered(table: CapturedTable, filter: string | undefined): CapturedTable {
  if (filter === undefined) return table
  const statement = /^\(\s*((?:select|with)\s[\s\S]*)\)$/i.exec(filter)?.[1]
  if (statement === undefined) return { ...table, condition: filter }
  return { ...table, statement: `SELECT ${table.columns} FROM (${statement.replace(/;\s*$/, '')}) AS filtered` }
}
