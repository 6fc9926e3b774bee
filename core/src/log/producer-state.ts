import type { BatchHeader, ControlRecord } from '../protocol/record-batch.ts'
import { LogStorageError } from './errors.ts'

/** Who appends: a client, a coordinator (markers, group offsets), or a tool that replays batches as they were. */
export type AppendOrigin = 'client' | 'coordinator' | 'replay'

/** As many batches may be in flight from an idempotent producer (`max.in.flight.requests.per.connection`). */
const REMEMBERED_BATCHES = 5

export interface ProducerBatch {
  readonly lastSequence: number
  readonly lastOffset: number
  /** Last offset less first offset. */
  readonly offsetDelta: number
  readonly timestamp: number
}

/** What a partition knows of one producer. Replaced, never changed. */
export interface ProducerEntry {
  readonly producerId: number
  readonly producerEpoch: number
  /** Oldest first; empty where only a marker was seen in this epoch. */
  readonly batches: readonly ProducerBatch[]
  readonly coordinatorEpoch: number
  readonly lastTimestamp: number
  /** First offset of its ongoing transaction; -1 where it has none. */
  readonly currentTransactionFirstOffset: number
}

/** A transaction that a marker has ended. */
export interface CompletedTransaction {
  readonly producerId: number
  readonly firstOffset: number
  /** Offset of the marker. */
  readonly lastOffset: number
  readonly aborted: boolean
  /** Where undecided offsets start after it. */
  readonly lastStableOffset: number
}

const NO_BATCHES: readonly ProducerBatch[] = []
const MAX_SEQUENCE = 0x7fffffff

function lastSequenceOf(header: BatchHeader): number {
  if (header.baseSequence < 0) return -1
  const last = header.baseSequence + header.lastOffsetDelta
  return last > MAX_SEQUENCE ? last - MAX_SEQUENCE - 1 : last
}

/**
 * Idempotence and transactions of one partition, by Kafka's rules (KIP-98, KIP-360): sequence numbers, fencing by epoch, and where
 * transactions are open.
 *
 * Changes belong to a group of batches that is written at once: `commit` keeps them, `rollback` undoes them when the write failed.
 */
export class ProducerStates {
  #entries: Map<number, ProducerEntry> | undefined
  /** First offsets of open transactions by producer. */
  #ongoing: Map<number, number> | undefined
  #undo: Map<number, ProducerEntry | undefined> | undefined

  get size(): number {
    return this.#entries?.size ?? 0
  }

  entries(): Iterable<ProducerEntry> {
    return this.#entries?.values() ?? []
  }

  get(producerId: number): ProducerEntry | undefined {
    return this.#entries?.get(producerId)
  }

  /** First offset that belongs to an open transaction; Infinity where there is none. */
  get firstUndecidedOffset(): number {
    let first = Infinity
    if (this.#ongoing !== undefined) for (const offset of this.#ongoing.values()) first = Math.min(first, offset)
    return first
  }

  /** The earlier append of the same batch, where an idempotent producer sends one again. */
  findDuplicate(header: BatchHeader): ProducerBatch | undefined {
    const entry = this.get(header.producerId)
    if (entry === undefined || entry.producerEpoch !== header.producerEpoch || header.baseSequence < 0) return undefined
    const lastSequence = lastSequenceOf(header)
    return entry.batches.find(
      (batch) => batch.lastSequence === lastSequence && batch.offsetDelta === header.lastOffsetDelta,
    )
  }

  /**
   * Takes a batch of records, whose header has its final offset.
   * @throws LogStorageError INVALID_PRODUCER_EPOCH, OUT_OF_ORDER_SEQUENCE_NUMBER, INVALID_TXN_STATE; nothing has changed then
   */
  addBatch(header: BatchHeader, origin: AppendOrigin): void {
    const entry = this.get(header.producerId)
    if (origin !== 'replay') checkEpoch(entry, header.producerId, header.producerEpoch)
    if (origin === 'client') checkSequence(entry, header)
    const open = entry?.currentTransactionFirstOffset ?? -1
    if (open >= 0 && !header.isTransactional && origin !== 'replay') {
      throw new LogStorageError(
        'INVALID_TXN_STATE',
        `Producer ${header.producerId} wrote outside of the transaction that it has open since offset ${open}`,
      )
    }
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    const batch: ProducerBatch = {
      lastSequence: lastSequenceOf(header),
      lastOffset,
      offsetDelta: header.lastOffsetDelta,
      timestamp: header.maxTimestamp,
    }
    const earlier = entry?.producerEpoch === header.producerEpoch ? entry.batches : NO_BATCHES
    this.#set({
      producerId: header.producerId,
      producerEpoch: header.producerEpoch,
      batches: [...earlier.slice(1 - REMEMBERED_BATCHES), batch],
      coordinatorEpoch: entry?.coordinatorEpoch ?? -1,
      lastTimestamp: header.maxTimestamp,
      currentTransactionFirstOffset: open >= 0 ? open : header.isTransactional ? header.baseOffset : -1,
    })
  }

  /**
   * Takes the marker that ends a transaction. Returns what it ended, if the producer had written anything here.
   * @throws LogStorageError INVALID_PRODUCER_EPOCH, TRANSACTION_COORDINATOR_FENCED; nothing has changed then
   */
  addMarker(header: BatchHeader, marker: ControlRecord, origin: AppendOrigin): CompletedTransaction | undefined {
    const { producerId, producerEpoch } = header
    const entry = this.get(producerId)
    if (origin !== 'replay') {
      checkEpoch(entry, producerId, producerEpoch)
      if (entry !== undefined && entry.coordinatorEpoch > marker.coordinatorEpoch) {
        throw new LogStorageError(
          'TRANSACTION_COORDINATOR_FENCED',
          `A marker of coordinator epoch ${marker.coordinatorEpoch} for producer ${producerId}; ${entry.coordinatorEpoch} is current`,
        )
      }
    }
    this.#set({
      producerId,
      producerEpoch,
      batches: entry?.producerEpoch === producerEpoch ? entry.batches : NO_BATCHES,
      coordinatorEpoch: marker.coordinatorEpoch,
      lastTimestamp: header.maxTimestamp,
      currentTransactionFirstOffset: -1,
    })
    if (entry === undefined || entry.currentTransactionFirstOffset < 0) return undefined
    return {
      producerId,
      firstOffset: entry.currentTransactionFirstOffset,
      lastOffset: header.baseOffset,
      aborted: marker.type === 'ABORT',
      lastStableOffset: Math.min(this.firstUndecidedOffset, header.baseOffset + 1),
    }
  }

  /** Keeps what has changed since the last commit or rollback. */
  commit(): void {
    this.#undo = undefined
  }

  /** Undoes what has changed since the last commit or rollback. */
  rollback(): void {
    const undo = this.#undo
    this.#undo = undefined
    if (undo === undefined) return
    for (const [producerId, entry] of undo) this.#put(producerId, entry)
  }

  /** Forgets everything and takes the entries of a snapshot. */
  load(entries: Iterable<ProducerEntry>): void {
    this.#entries = undefined
    this.#ongoing = undefined
    this.#undo = undefined
    for (const entry of entries) this.#put(entry.producerId, entry)
  }

  /** Forgets producers that have written nothing since, unless they have a transaction open. */
  expire(olderThan: number): void {
    for (const entry of this.entries()) {
      if (entry.lastTimestamp < olderThan && entry.currentTransactionFirstOffset < 0) {
        this.#put(entry.producerId, undefined)
      }
    }
  }

  #set(entry: ProducerEntry): void {
    this.#undo ??= new Map()
    if (!this.#undo.has(entry.producerId)) this.#undo.set(entry.producerId, this.get(entry.producerId))
    this.#put(entry.producerId, entry)
  }

  #put(producerId: number, entry: ProducerEntry | undefined): void {
    if (entry === undefined) this.#entries?.delete(producerId)
    else (this.#entries ??= new Map()).set(producerId, entry)
    const open = entry?.currentTransactionFirstOffset ?? -1
    if (open >= 0) (this.#ongoing ??= new Map()).set(producerId, open)
    else this.#ongoing?.delete(producerId)
  }
}

function checkEpoch(entry: ProducerEntry | undefined, producerId: number, producerEpoch: number): void {
  if (entry === undefined || producerEpoch >= entry.producerEpoch) return
  throw new LogStorageError(
    'INVALID_PRODUCER_EPOCH',
    `Producer ${producerId} writes with epoch ${producerEpoch}; ${entry.producerEpoch} is current`,
  )
}

function checkSequence(entry: ProducerEntry | undefined, header: BatchHeader): void {
  // Of an unknown producer every sequence is taken: its earlier batches may have been deleted by retention.
  if (entry === undefined) return
  const sequence = header.baseSequence
  if (header.producerEpoch !== entry.producerEpoch) {
    if (sequence === 0) return
    throw new LogStorageError(
      'OUT_OF_ORDER_SEQUENCE_NUMBER',
      `Producer ${header.producerId} starts epoch ${header.producerEpoch} with sequence number ${sequence}`,
    )
  }
  const last = entry.batches.at(-1)?.lastSequence ?? -1
  if (sequence === last + 1 || (sequence === 0 && last === MAX_SEQUENCE)) return
  throw new LogStorageError(
    'OUT_OF_ORDER_SEQUENCE_NUMBER',
    `Producer ${header.producerId} sends sequence number ${sequence} after ${last}`,
  )
}
