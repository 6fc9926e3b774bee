import type { SourceBatch, SourceRecord } from '@tidewire/sdk'
import { problemOf } from '../link/errors.ts'
import type { Capture } from './capture.ts'
import type { SourceState } from './events/event-writer.ts'
import type { TableShape } from './events/table-shape.ts'
import { serverPartition, streamOffset, type PartialTransaction, type StreamPosition } from './offset.ts'
import type { RowChange, WalMessage } from './replication/wal-message.ts'
import type { WalStream } from './replication/wal-stream.ts'
import { SlotXmin } from './slot-xmin.ts'
import { StreamProgress } from './stream-progress.ts'

type Message<K extends WalMessage['kind']> = Extract<WalMessage, { readonly kind: K }>

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
  /** By relation id; undefined: not captured. */
  readonly #shapes = new Map<number, TableShape | undefined>()
  /** Takes what is not told. */
  readonly #unheard: SourceRecord[] = []
  #records: SourceRecord[] = []
  /** End of the last transaction that was read whole. */
  #commitLsn: number
  #commitTimeUs: number | undefined
  #xid: number | undefined
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

  constructor(capture: Capture, wal: WalStream, from: StreamPosition) {
    this.#capture = capture
    this.#wal = wal
    this.#progress = new StreamProgress(capture, () => this.#givenLsn)
    this.#slotXmin = new SlotXmin(capture)
    this.#commitLsn = from.commitLsn
    this.#givenLsn = from.commitLsn
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
        const pending = this.#take(message)
        if (pending !== undefined) await pending
        if (index === lastEnd && this.#records.length > 0) yield this.#batch()
      }
      await this.#beat()
      await this.#slotXmin.refresh()
      if (this.#records.length > 0) yield this.#batch()
      else if (this.#isStoreDue()) yield this.#batch()
      this.#progress.tell()
    }
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
    this.#shapes.set(relation.id, await this.#capture.tables.relation(relation))
  }

  #begin({ lsn, xid, commitTimeUs }: Message<'begin'>): void {
    this.#isOpen = true
    this.#xid = xid
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
    this.#isOpen = false
    this.#delivered = undefined
    this.#changes = 0
  }

  #change(change: RowChange): Promise<void> | undefined {
    const into = this.#into(this.#wasDelivered(change.lsn))
    const shape = this.#shapes.get(change.relationId)
    if (shape === undefined) return undefined
    this.#progress.count(change.kind)
    const state = this.#state(change.lsn)
    if (this.#capture.events.change(into, shape, change, state)) return undefined
    return this.#changeOfRenewed(into, shape, change, state)
  }

  async #changeOfRenewed(into: SourceRecord[], old: TableShape, change: RowChange, state: SourceState): Promise<void> {
    const shape = await this.#capture.tables.renew(old)
    this.#shapes.set(change.relationId, shape)
    this.#capture.events.change(into, shape, change, state)
  }

  #truncate({ lsn, relationIds }: Message<'truncate'>): void {
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
    if (!this.#capture.messages.captures(prefix)) return
    this.#capture.events.message(into, message, this.#state(lsn, transactional))
    this.#progress.count('message')
  }

  /** Counts a change of the open transaction, and says whether it was delivered before this task began. */
  #wasDelivered(lsn: number): boolean {
    this.#changes = lsn === this.#changeLsn ? this.#changes + 1 : 1
    this.#changeLsn = lsn
    const last = this.#delivered
    return last !== undefined && (lsn < last.lsn || (lsn === last.lsn && this.#changes <= last.changes))
  }

  #into(isDelivered: boolean): SourceRecord[] {
    if (!isDelivered) return this.#records
    this.#unheard.length = 0
    return this.#unheard
  }

  #state(lsn: number, isInTransaction = true): SourceState {
    return {
      lsn,
      lastCommitLsn: this.#commitLsn,
      txId: isInTransaction ? this.#xid : undefined,
      commitTimeUs: (isInTransaction ? this.#commitTimeUs : undefined) ?? Date.now() * 1000,
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
    // An idle stream has nothing before its position that is still to come.
    const isIdle = !this.#isOpen && this.#wal.idle && this.#capture.confirmsIdle
    const commitLsn = Math.max(this.#commitLsn, this.#givenLsn, isIdle ? this.#wal.walEnd : 0)
    const isPartial = this.#isOpen && this.#changes > 0
    const partial = isPartial ? { xid: this.#xid!, lsn: this.#changeLsn, changes: this.#changes } : undefined
    const offset = streamOffset({ commitLsn, partial }, { timeUs: this.#commitTimeUs, xid: this.#xid })
    this.#givenLsn = commitLsn
    this.#storeAt = performance.now() + this.#capture.config['status.update.interval.ms']
    return {
      records,
      offsets: [{ partition: serverPartition(this.#capture.config['topic.prefix']), offset }],
      durable: () => {
        if (this.#capture.confirms) this.#wal.confirm(commitLsn)
      },
      ...(this.#isOpen ? {} : { transaction: 'commit' as const }),
    }
  }

  /** Whether a position is to be stored though nothing was captured, so that the server need not keep its log. */
  #isStoreDue(): boolean {
    if (this.#isOpen || performance.now() < this.#storeAt) return false
    return (
      Math.max(this.#commitLsn, this.#wal.idle && this.#capture.confirmsIdle ? this.#wal.walEnd : 0) > this.#givenLsn
    )
  }

  #waitMs(): number {
    const next = Math.min(this.#heartbeatAt, this.#storeAt)
    return Math.min(Math.max(next - performance.now(), 1), 1000)
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
