import { isRetriable, type SourceOffset, type SourcePartition, type SourceRecord } from '@tidewire/sdk'
import { formatLsn } from '../../link/lsn.ts'
import type { Capture } from '../capture.ts'
import type { CreatedSlot } from '../replication/slot.ts'
import type { Relation, RowChange } from '../replication/wal-message.ts'
import { snapshotSlot } from '../snapshot-slot.ts'
import { blockingSnapshot } from './blocking-snapshot.ts'
import { IncrementalSnapshots } from './incremental-snapshots.ts'
import { SignalTable } from './signal-table.ts'
import { SignalTopic } from './signal-topic.ts'
import { conditionFor, covers, type ExecuteSignal, type Signal } from './signal.ts'
import { queuePartition, StoredQueue } from './snapshot-queue.ts'

/** Something to store with a batch. */
interface StoredOffset {
  readonly partition: SourcePartition
  readonly offset: SourceOffset
}

/**
 * What signals ask for while the stream runs: snapshots in chunks beside it, and such that it waits for. The stream tells it
 * all that it takes, and lets it tell rows between two transactions.
 */
export class SignalledSnapshots {
  readonly #capture: Capture
  readonly #queue: StoredQueue
  readonly #topic: SignalTopic | undefined
  readonly #table: SignalTable
  readonly #incremental: IncrementalSnapshots
  /** Of the blocking snapshot that comes next: the stream is to tell all up to its consistent point. */
  #slot: CreatedSlot | undefined

  private constructor(capture: Capture, queue: StoredQueue, topic: SignalTopic | undefined, wake: () => void) {
    this.#capture = capture
    this.#queue = queue
    this.#topic = topic
    this.#table = new SignalTable(capture)
    this.#incremental = new IncrementalSnapshots(capture, queue, wake)
  }

  /**
   * Goes on where the last task ended.
   * @param wake called when there is something to do, though nothing has come by the stream
   */
  static async open(capture: Capture, wake: () => void): Promise<SignalledSnapshots> {
    const prefix = capture.config['topic.prefix']
    const queue = new StoredQueue(prefix, await capture.context.offsets.get(queuePartition(prefix)))
    return new SignalledSnapshots(capture, queue, await SignalTopic.follow(capture, wake), wake)
  }

  async close(): Promise<void> {
    await this.#slot?.release()
    await this.#incremental.close()
  }

  began(xid: number): void {
    this.#incremental.began(xid)
  }

  announced(relation: Relation): void {
    this.#table.announced(relation)
    this.#incremental.announced(relation)
  }

  /** @param isNew whether this is told, and not only passed over since a task before has told it */
  changed(change: RowChange, isNew: boolean): void {
    this.#incremental.changed(change)
    const signal = isNew ? this.#table.signalOf(change) : undefined
    if (signal !== undefined) this.#add([signal])
  }

  truncated(relationIds: readonly number[]): void {
    this.#incremental.truncated(relationIds)
  }

  /** Where the stream has to come for anything to go on; undefined: nothing waits for it. */
  get awaitedLsn(): number | undefined {
    return this.#slot?.consistentLsn ?? this.#incremental.awaitedLsn
  }

  /** How long there is nothing to do, unless something comes. */
  get waitMs(): number {
    return this.#incremental.waitMs
  }

  get progress(): IncrementalSnapshots['progress'] {
    return this.#incremental.progress
  }

  /** Whether {@link run} has to be called before a transaction with this commit is told. */
  isBefore(commitLsn: number): boolean {
    return this.#slot !== undefined && commitLsn >= this.#slot.consistentLsn
  }

  /** Whether there is something to store that should not wait for the next batch. */
  get isChanged(): boolean {
    return this.#queue.isChanged
  }

  /** What is to be stored with the next batch. */
  takeOffsets(): StoredOffset[] {
    return [this.#queue.takeOffset(), this.#topic?.takeOffset()].filter((offset) => offset !== undefined)
  }

  /**
   * Rows to tell, each list as a batch of its own or the last part of one. To be called between two transactions.
   * @param toldLsn all that was committed before has been told
   * @throws ConnectError
   */
  async *run(toldLsn: number): AsyncGenerator<SourceRecord[]> {
    this.#add(this.#topic?.take() ?? [])
    for (let [signal] = this.#queue.now.signals; signal !== undefined; [signal] = this.#queue.now.signals) {
      await this.#carryOut(signal, toldLsn)
      this.#queue.change({ signals: this.#queue.now.signals.slice(1) })
    }
    const [blocking] = this.#queue.now.blocking
    if (blocking !== undefined) yield* this.#blocking(blocking, toldLsn)
    yield* this.#incremental.run(toldLsn)
  }

  #add(signals: readonly Signal[]): void {
    if (signals.length > 0) this.#queue.change({ signals: [...this.#queue.now.signals, ...signals] })
  }

  async #carryOut(signal: Signal, toldLsn: number): Promise<void> {
    const { log } = this.#capture.context
    switch (signal.kind) {
      case 'execute':
        if (signal.type === 'blocking') this.#queue.change({ blocking: [...this.#queue.now.blocking, signal] })
        else await this.#queueTables(signal)
        break
      case 'stop':
        this.#stop(signal.collections)
        break
      case 'pause':
      case 'resume':
        this.#queue.change({ isPaused: signal.kind === 'pause' })
        log.info(signal.kind === 'pause' ? 'incremental snapshots are paused' : 'incremental snapshots go on')
        break
      case 'log':
        log.info(signal.message.replaceAll('{}', formatLsn(toldLsn)))
        break
    }
  }

  async #queueTables({ collections, conditions, surrogateKey }: ExecuteSignal): Promise<void> {
    const { tables, context } = this.#capture
    const wanted = await tables.names((name) => covers(collections, name))
    if (wanted.length === 0) context.log.warn('no captured table is of that name', { collections })
    const added = wanted.map(({ schema, table, parents }) => {
      const condition = conditionFor(conditions, [`${schema}.${table}`, ...parents])
      return { schema, table, parents, condition, surrogateKey, rows: 0 }
    })
    const queued = this.#queue.now.tables
    const isQueued = (task: (typeof added)[number]): boolean =>
      queued.some(
        ({ schema, table, condition }) =>
          schema === task.schema && table === task.table && condition === task.condition,
      )
    this.#queue.change({ tables: [...queued, ...added.filter((task) => !isQueued(task))] })
  }

  #stop(collections: readonly string[] | undefined): void {
    const { tables } = this.#queue.now
    const kept = tables.filter(
      ({ schema, table, parents = [] }) =>
        collections !== undefined && ![`${schema}.${table}`, ...parents].some((name) => covers(collections, name)),
    )
    this.#capture.context.log.info('incremental snapshots are stopped', { tables: tables.length - kept.length })
    this.#queue.change({ tables: kept })
  }

  /**
   * A task that ends meanwhile begins with it anew. What is wrong with what was asked for is no reason to end the stream.
   */
  async *#blocking(signal: ExecuteSignal, toldLsn: number): AsyncGenerator<SourceRecord[]> {
    const { context } = this.#capture
    try {
      // Meanwhile the stream waits, since nothing may be told that was committed after the point.
      this.#slot ??= await snapshotSlot(this.#capture)
      if (toldLsn < this.#slot.consistentLsn) return
      context.log.info('a blocking snapshot begins', { collections: signal.collections })
      yield* blockingSnapshot(this.#capture, this.#slot, signal)
    } catch (error) {
      if (context.signal.aborted || isRetriable(error)) throw error
      context.log.error(`the blocking snapshot is given up: ${String(error)}`)
    }
    if (context.signal.aborted) return
    this.#slot = undefined
    this.#queue.change({ blocking: this.#queue.now.blocking.slice(1) })
    yield []
  }
}
