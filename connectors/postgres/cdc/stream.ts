import type { SourceBatch, SourceRecord } from '@tidewire/sdk'
import { problemOf } from '../link/errors.ts'
import { formatLsn } from '../link/lsn.ts'
import type { Capture } from './capture.ts'
import type { SourceState } from './events/event-writer.ts'
import type { TableShape } from './events/table-shape.ts'
import type { SignalledSnapshots } from './incremental/signalled-snapshots.ts'
import { serverPartition, streamOffset, type PartialTransaction, type StreamPosition } from './offset.ts'
import type { RowChange, WalMessage } from './replication/wal-message.ts'
import type { WalStream } from './replication/wal-stream.ts'
import { SlotXmin } from './slot-xmin.ts'
import { StreamProgress } from './stream-progress.ts'

type Message<K extends WalMessage['kind']> = Extract<WalMessage, { readonly kind: K }>

/** How often the server is asked for its position, while that is waited for. */
const askMs = 10

/**
 * Makes the messages of the stream into batches of events, from a position on.
 *
 * The server begins with the first transaction that ended after the position, and sends it whole. Of one that was
 * delivered in part, the changes up to the stored one are counted and not told.
 */
export class Stream {
  readonly #capture: Capture
  readonly #wal: WalStream
  readonly #progress: StreamProgress
  readonly #slotXmin: SlotXmin
  readonly #signalled: SignalledSnapshots
  /** By relation id; undefined: not captured. */
  readonly #shapes = new Map<number, TableShape | undefined>()
  /** Takes what is not told. */
  readonly #unheard: SourceRecord[] = []
  #records: SourceRecord[] = []
  /** End of the last transaction that was read whole. */
  #commitLsn: number
  /** The same as events tell it: as in Debezium none after a snapshot, and a message outside of transactions is one of its own. */
  #toldCommitLsn: number | undefined
  #commitTimeUs: number | undefined
  #xid: number | undefined
  /** Where the open transaction was committed. */
  #openCommitLsn = 0
  #isOpen = false
  #origin: Pick<Message<'origin'>, 'name' | 'originLsn'> | undefined
  /** Of the newest change of the open transaction, and how many had this LSN. */
  #changeLsn = 0
  #changes = 0
  /** What was delivered of a transaction before this task began; undefined: there is none, or it is passed. */
  #delivered: PartialTransaction | undefined
  /** The position that was last given with a batch: that end, or of an idle stream one beyond it. */
  #givenLsn: number
  #heartbeatAt = Infinity
  #storeAt: number
  /** Whether all that was read of the slot has been taken. */
  #isAllTaken = true
  #askedAt = 0

  /** @param isFirst whether nothing was streamed before: the position is that of a snapshot, or of the slot */
  constructor(capture: Capture, wal: WalStream, from: StreamPosition, isFirst: boolean, signalled: SignalledSnapshots) {
    this.#capture = capture
    this.#wal = wal
    this.#progress = new StreamProgress(
      capture,
      () => this.#givenLsn,
      () => signalled.progress,
    )
    this.#slotXmin = new SlotXmin(capture)
    this.#signalled = signalled
    this.#commitLsn = from.commitLsn
    this.#givenLsn = from.commitLsn
    this.#toldCommitLsn = isFirst ? undefined : from.commitLsn
    this.#delivered = from.partial
    const { config } = capture
    if (config['heartbeat.interval.ms'] > 0) this.#heartbeatAt = performance.now() + config['heartbeat.interval.ms']
    this.#storeAt = performance.now() + config['status.update.interval.ms']
  }

  /** The batches, until the task ends. */
  async *batches(): AsyncGenerator<SourceBatch> {
    const { config, context } = this.#capture
    while (!context.signal.aborted) {
      const messages = await this.#wal.read(config['max.batch.size'], this.#waitMs())
      // A batch ends where a transaction does, if one does: such a batch can be a transaction of its own.
      const lastEnd = messages.findLastIndex(({ kind }) => kind === 'commit')
      for (const [index, message] of messages.entries()) {
        this.#isAllTaken = false
        if (message.kind === 'begin' && this.#signalled.isBefore(message.commitLsn)) {
          yield* this.#signalledRows(message.commitLsn)
        }
        const pending = this.#take(message)
        if (pending !== undefined) await pending
        if (index !== lastEnd) continue
        if (this.#records.length > 0) yield this.#batch()
        yield* this.#signalledRows(this.#commitLsn)
      }
      this.#isAllTaken = true
      await this.#beat()
      await this.#slotXmin.refresh()
      if (!this.#isOpen) yield* this.#signalledRows(this.#isIdle ? this.#wal.walEnd : this.#commitLsn)
      // That a transaction has begun can be told with its first change: before, no position says that it was.
      const isJustBegun = this.#isOpen && this.#partial === undefined
      if ((this.#records.length > 0 && !isJustBegun) || this.#isStoreDue()) yield this.#batch()
      this.#progress.tell()
    }
  }

  /**
   * Between two transactions: what signals have asked for.
   * @param toldLsn all that was committed before has been told
   */
  async *#signalledRows(toldLsn: number): AsyncGenerator<SourceBatch> {
    for await (const records of this.#signalled.run(toldLsn)) {
      for (const record of records) this.#records.push(record)
      yield this.#batch()
    }
    const { awaitedLsn } = this.#signalled
    if (awaitedLsn === undefined || toldLsn >= awaitedLsn || performance.now() < this.#askedAt + askMs) return
    this.#askedAt = performance.now()
    this.#wal.askPosition()
  }

  /** @returns a promise only where the database has to be asked */
  #take(message: WalMessage): Promise<void> | undefined {
    switch (message.kind) {
      case 'insert':
      case 'update':
      case 'delete':
        return this.#change(message)
      case 'relation':
        return this.#relation(message)
      case 'begin':
        this.#begin(message)
        break
      case 'commit':
        this.#end(message)
        break
      case 'truncate':
        this.#truncate(message)
        break
      case 'message':
        this.#logicalMessage(message)
        break
      case 'origin':
        this.#origin = message
        break
      case 'type':
        // What it says of a type is looked up where a column has it.
        break
    }
    return undefined
  }

  async #relation({ relation }: Message<'relation'>): Promise<void> {
    this.#signalled.announced(relation)
    this.#shapes.set(relation.id, await this.#capture.tables.relation(relation))
  }

  #begin({ lsn, xid, commitLsn, commitTimeUs }: Message<'begin'>): void {
    this.#signalled.began(xid)
    this.#isOpen = true
    this.#xid = xid
    this.#openCommitLsn = commitLsn
    this.#commitTimeUs = commitTimeUs
    this.#origin = undefined
    this.#changes = 0
    this.#changeLsn = lsn
    if (this.#delivered !== undefined && this.#delivered.xid !== xid) this.#delivered = undefined
    this.#capture.events.begin(this.#into(this.#delivered !== undefined), this.#state(lsn))
  }

  #end({ lsn, endLsn }: Message<'commit'>): void {
    // Told even of a transaction whose changes were all delivered: its end was not, or the offset would say so.
    this.#capture.events.end(this.#records, this.#state(lsn))
    this.#progress.ended(this.#commitTimeUs)
    this.#commitLsn = endLsn
    this.#toldCommitLsn = endLsn
    this.#isOpen = false
    this.#delivered = undefined
    this.#changes = 0
  }

  #change(change: RowChange): Promise<void> | undefined {
    const wasDelivered = this.#wasDelivered(change.lsn)
    this.#signalled.changed(change, !wasDelivered)
    const into = this.#into(wasDelivered)
    const shape = this.#shapes.get(change.relationId)
    if (shape === undefined) return undefined
    this.#progress.count(change.kind)
    const state = this.#state(change.lsn)
    if (this.#tell(into, shape, change, state)) return undefined
    return this.#changeOfRenewed(into, shape, change, state)
  }

  async #changeOfRenewed(into: SourceRecord[], old: TableShape, change: RowChange, state: SourceState): Promise<void> {
    let shape = old
    // Twice at most: a shape that looking up does not change takes any label.
    do {
      shape = await this.#capture.tables.renew(shape)
      this.#shapes.set(change.relationId, shape)
    } while (!this.#tell(into, shape, change, state))
  }

  /** As the writer's `change`; what it can make no event of goes by `event.processing.failure.handling.mode`. */
  #tell(into: SourceRecord[], shape: TableShape, change: RowChange, state: SourceState): boolean {
    const { config, context, events } = this.#capture
    const mode = config['event.processing.failure.handling.mode']
    if (mode === 'fail') return events.change(into, shape, change, state)
    const told = into.length
    try {
      return events.change(into, shape, change, state)
    } catch (error) {
      into.length = told
      if (mode === 'warn') {
        const details = { table: shape.name, kind: change.kind, position: formatLsn(change.lsn), error: String(error) }
        context.log.warn('a change that no event can be made of is left out', details)
      }
      return true
    }
  }

  #truncate({ lsn, relationIds }: Message<'truncate'>): void {
    this.#signalled.truncated(relationIds)
    const into = this.#into(this.#wasDelivered(lsn))
    for (const id of relationIds) {
      const shape = this.#shapes.get(id)
      if (shape !== undefined) this.#capture.events.truncate(into, shape, this.#state(lsn))
    }
    this.#progress.count('truncate')
  }

  #logicalMessage(message: Message<'message'>): void {
    const { lsn, transactional, prefix } = message
    // Outside of a transaction there is nothing to count in; after a crash it may come again.
    const into = this.#into(transactional && this.#wasDelivered(lsn))
    if (!transactional) this.#toldCommitLsn = lsn
    if (!this.#capture.messages.captures(prefix)) return
    this.#capture.events.message(into, message, this.#state(lsn, transactional))
    this.#progress.count('message')
  }

  /** Counts a change of the open transaction, and says whether it was delivered before this task began. */
  #wasDelivered(lsn: number): boolean {
    this.#changes = lsn === this.#changeLsn ? this.#changes + 1 : 1
    this.#changeLsn = lsn
    const last = this.#delivered
    if (last === undefined) return false
    if (lsn < last.lsn || (lsn === last.lsn && this.#changes <= last.changes)) return true
    this.#delivered = undefined
    return false
  }

  /** What was told of the transaction that comes next, or is open; undefined: nothing. */
  get #partial(): PartialTransaction | undefined {
    // Until all that was delivered before is passed, that is still how far it goes.
    if (this.#delivered !== undefined) return this.#delivered
    if (!this.#isOpen || this.#changes === 0) return undefined
    return { xid: this.#xid!, lsn: this.#changeLsn, changes: this.#changes, commitLsn: this.#openCommitLsn }
  }

  #into(isDelivered: boolean): SourceRecord[] {
    if (!isDelivered) return this.#records
    this.#unheard.length = 0
    return this.#unheard
  }

  #state(lsn: number, isInTransaction = true): SourceState {
    return {
      lsn,
      lastCommitLsn: this.#toldCommitLsn,
      txId: isInTransaction ? this.#xid : undefined,
      // Outside of a transaction that of the one before, as Debezium has it.
      commitTimeUs: this.#commitTimeUs ?? Date.now() * 1000,
      snapshot: 'false',
      xmin: this.#slotXmin.value,
      origin: this.#origin?.name,
      originLsn: this.#origin?.originLsn,
    }
  }

  /** What has been gathered, with the position behind it. */
  #batch(): SourceBatch {
    const records = this.#records
    this.#records = []
    const commitLsn = Math.max(this.#commitLsn, this.#givenLsn, this.#idleLsn)
    const position = { commitLsn, partial: this.#partial, log: this.#capture.log }
    const offset = streamOffset(position, { timeUs: this.#commitTimeUs, xid: this.#xid })
    this.#givenLsn = commitLsn
    this.#storeAt = performance.now() + this.#capture.config['status.update.interval.ms']
    return {
      records,
      offsets: [
        { partition: serverPartition(this.#capture.config['topic.prefix']), offset },
        ...this.#signalled.takeOffsets(),
      ],
      durable: () => {
        if (this.#capture.confirms) this.#wal.confirm(commitLsn)
      },
      ...(this.#isOpen ? {} : { transaction: 'commit' as const }),
    }
  }

  /** Whether a position is to be stored though nothing was captured, so that the server need not keep its log. */
  #isStoreDue(): boolean {
    if (this.#isOpen) return false
    if (this.#signalled.isChanged) return true
    return performance.now() >= this.#storeAt && Math.max(this.#commitLsn, this.#idleLsn) > this.#givenLsn
  }

  /** Whether nothing is still to come of what was committed before the position of the server. */
  get #isIdle(): boolean {
    return !this.#isOpen && this.#isAllTaken && this.#wal.idle
  }

  /** That position, where it may be stored; else 0. */
  get #idleLsn(): number {
    return this.#isIdle && this.#capture.confirmsIdle ? this.#wal.walEnd : 0
  }

  #waitMs(): number {
    const next = Math.min(this.#heartbeatAt, this.#storeAt)
    const waitMs = Math.min(Math.max(next - performance.now(), 1), 1000)
    // Within a transaction nothing else can be told.
    if (this.#isOpen) return waitMs
    return Math.min(waitMs, this.#signalled.waitMs, this.#signalled.awaitedLsn === undefined ? waitMs : askMs)
  }

  async #beat(): Promise<void> {
    const { config, client, events } = this.#capture
    if (performance.now() < this.#heartbeatAt) return
    this.#heartbeatAt = performance.now() + config['heartbeat.interval.ms']
    // Within a transaction it would count as one of its changes.
    if (!this.#isOpen) events.heartbeat(this.#records)
    const query = config['heartbeat.action.query']
    if (query === undefined || query.trim() === '') return
    try {
      await client.query(query)
    } catch (error) {
      throw problemOf(error, 'carrying out heartbeat.action.query')
    }
  }
}
