import { ConfigError, type SourceOffset, type SourcePartition } from '@tidewire/sdk'
import type { TableId } from '../../link/identifier.ts'
import type { Place } from './chunk-query.ts'
import type { ExecuteSignal, Signal } from './signal.ts'

/** A table that is read, or waits to be read, in chunks. Stored, so plain data. */
export interface TableTask extends TableId {
  /** `schema.table` of what it is a partition of, by whose names it can be stopped too. */
  readonly parents?: readonly string[] | undefined
  readonly condition?: string | undefined
  readonly surrogateKey?: string | undefined
  /** Names of the columns that the places are of. */
  readonly order?: readonly string[] | undefined
  /** Of the last row that was told; undefined: none was. */
  readonly last?: Place | undefined
  /** Of the last row of all; undefined: not found yet. */
  readonly to?: Place | undefined
  /** How many rows were told. */
  readonly rows: number
}

/** What signals have asked for and is not done. */
export interface SnapshotQueue {
  /** Not looked at yet. */
  readonly signals: readonly Signal[]
  /** The first is the one being read. */
  readonly tables: readonly TableTask[]
  readonly blocking: readonly ExecuteSignal[]
  readonly isPaused: boolean
}

const emptyQueue: SnapshotQueue = { signals: [], tables: [], blocking: [], isPaused: false }

/** The queue as it is, and whether it is stored so. */
export class StoredQueue {
  readonly #prefix: string
  #queue: SnapshotQueue
  #isChanged = false

  /** @throws ConfigError where what is stored is damaged */
  constructor(prefix: string, stored: SourceOffset | undefined) {
    this.#prefix = prefix
    this.#queue = queueOf(stored)
  }

  get now(): SnapshotQueue {
    return this.#queue
  }

  get isChanged(): boolean {
    return this.#isChanged
  }

  change(changed: Partial<SnapshotQueue>): void {
    this.#queue = { ...this.#queue, ...changed }
    this.#isChanged = true
  }

  /** Changes the table that is being read; undefined: it is done with. */
  changeFirst(changed: Partial<TableTask> | undefined): void {
    const [first, ...others] = this.#queue.tables
    if (first === undefined) return
    this.change({ tables: changed === undefined ? others : [{ ...first, ...changed }, ...others] })
  }

  /** What is to be stored, if that has changed. */
  takeOffset(): { partition: SourcePartition; offset: SourceOffset } | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return { partition: queuePartition(this.#prefix), offset: queueOffset(this.#queue) }
  }
}

/** Under which the queue is stored. */
export const queuePartition = (prefix: string): SourcePartition => ({ server: prefix, incremental: 'snapshot' })

const queueOffset = ({ signals, tables, blocking, isPaused }: SnapshotQueue): SourceOffset => ({
  signals: JSON.stringify(signals),
  tables: JSON.stringify(tables),
  blocking: JSON.stringify(blocking),
  paused: isPaused,
})

/** @throws ConfigError where what is stored is none of {@link queueOffset} */
function queueOf(stored: SourceOffset | undefined): SnapshotQueue {
  if (stored === undefined) return emptyQueue
  return {
    signals: listIn(stored, 'signals'),
    tables: listIn(stored, 'tables'),
    blocking: listIn(stored, 'blocking'),
    isPaused: stored['paused'] === true,
  }
}

function listIn<T>(stored: SourceOffset, field: string): T[] {
  try {
    const list: unknown = JSON.parse(String(stored[field] ?? '[]'))
    if (Array.isArray(list)) return list as T[]
  } catch {
    // As any other text that is none.
  }
  throw new ConfigError(
    `the stored offset of incremental snapshots is damaged: "${field}" is no list; delete it over REST, and ask for the snapshot again`,
  )
}
