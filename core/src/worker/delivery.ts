/**
 * What became of the batches that a source task gave: which are acknowledged, which source offsets may be stored, and
 * whose `durable` may be called. Pure book-keeping; it sends nothing and waits for nothing.
 *
 * Two orders are kept. Per source partition, an offset may be stored once all records before it in that partition are
 * acknowledged: one late acknowledgement holds back its own partitions only. Over all, `durable` is called in the order
 * of the batches: one late acknowledgement holds back every call after it.
 */
import type { SourceBatch, SourceOffset, SourcePartition, SourceRecord } from '@tidewire/sdk'
import { partitionKey } from './source-partition.ts'

/** A position to store. `key` is the partition's canonical form. */
export interface PartitionOffset {
  readonly key: string
  readonly partition: SourcePartition
  readonly offset: SourceOffset
}

/** The last offset that a batch holds for one source partition. */
interface Position {
  readonly partition: PartitionState
  readonly batch: Batch
  offset: SourceOffset
}

interface PartitionState {
  readonly key: string
  readonly partition: SourcePartition
  /** Not acknowledged yet, or behind one that is not; in yield order. */
  readonly waiting: Position[]
  /** Acknowledged with all before them, not handed out for storing yet. The last one counts. */
  ready: Position[]
}

/** A batch under way. */
export interface TrackedBatch {
  readonly records: readonly SourceRecord[]
  readonly durable: (() => void | Promise<void>) | undefined
  /** How the connector ends its transaction, after this batch. */
  readonly transaction: 'commit' | 'abort' | undefined
  readonly positions: readonly object[]
  /** Size that counts against the task's buffer, until the batch is acknowledged. */
  bytes: number
}

interface Batch extends TrackedBatch {
  readonly positions: Position[]
  acknowledged: boolean
  /** Positions of this batch that are not stored yet. */
  unstored: number
}

/** Offsets on their way into the offset store. */
export interface OffsetSnapshot {
  readonly offsets: readonly PartitionOffset[]
  readonly positions: readonly object[]
}

/** See the head of the file. */
export class DeliveryTracker {
  readonly #partitions = new Map<string, PartitionState>()
  /** In yield order; a batch leaves when it is acknowledged and its `durable` was handed out (or it has none). */
  readonly #order: Batch[] = []
  readonly #ready = new Set<PartitionState>()
  #bytes = 0

  /** Bytes of batches that are not acknowledged, and have not been released. */
  get bytes(): number {
    return this.#bytes
  }

  /** Whether there are offsets to store. */
  get hasOffsets(): boolean {
    return this.#ready.size > 0
  }

  /** Whether the next `durable` call waits for nothing but its offsets to be stored. */
  get storeIsAwaited(): boolean {
    const next = this.#order[0]
    return next !== undefined && next.acknowledged && next.unstored > 0 && this.#ready.size > 0
  }

  /** Takes a batch in yield order. Its size is added with {@link addBytes} when it is known. */
  track(given: readonly SourceRecord[] | SourceBatch): TrackedBatch {
    const batch = isBatch(given) ? given : { records: given }
    const tracked: Batch = {
      records: batch.records,
      durable: batch.durable,
      transaction: batch.transaction,
      positions: [],
      bytes: 0,
      acknowledged: false,
      unstored: 0,
    }
    this.#trackPositions(tracked, batch)
    tracked.unstored = tracked.positions.length
    this.#order.push(tracked)
    return tracked
  }

  addBytes(batch: TrackedBatch, bytes: number): void {
    batch.bytes += bytes
    this.#bytes += bytes
  }

  /** Does not count against the buffer any more, though it is not acknowledged. */
  release(batch: TrackedBatch): void {
    this.#bytes -= batch.bytes
    batch.bytes = 0
  }

  /** Every record of the batch is in the log, or is not to be. */
  acknowledge(tracked: TrackedBatch): void {
    const batch = tracked as Batch
    if (batch.acknowledged) return
    batch.acknowledged = true
    this.release(batch)
    for (const { partition } of batch.positions) this.#advance(partition)
  }

  /** The newest offset of each source partition in batches that are consecutive, whether acknowledged or not. */
  offsetsOf(batches: readonly TrackedBatch[]): PartitionOffset[] {
    const newest = new Map<string, PartitionOffset>()
    for (const { positions } of batches as readonly Batch[]) {
      for (const { partition: state, offset } of positions) {
        newest.set(state.key, { key: state.key, partition: state.partition, offset })
      }
    }
    return [...newest.values()]
  }

  /** The newest offsets that may be stored, once; undefined when there are none. */
  takeOffsets(): OffsetSnapshot | undefined {
    if (this.#ready.size === 0) return undefined
    const offsets: PartitionOffset[] = []
    const positions: Position[] = []
    for (const state of this.#ready) {
      const { offset } = state.ready.at(-1)!
      offsets.push({ key: state.key, partition: state.partition, offset })
      positions.push(...state.ready)
      state.ready = []
      this.#forgetIfIdle(state)
    }
    this.#ready.clear()
    return { offsets, positions }
  }

  /** The snapshot's offsets are in the offset store. */
  stored(snapshot: OffsetSnapshot): void {
    for (const position of snapshot.positions as readonly Position[]) position.batch.unstored--
  }

  /** The snapshot could not be stored: what is not overtaken by now is to be stored next time. */
  putBack(snapshot: OffsetSnapshot): void {
    // By key, since a partition may have been forgotten meanwhile, and tracked again under a state of its own.
    const earlier = new Map<string, Position[]>()
    for (const position of snapshot.positions as readonly Position[]) {
      const list = earlier.get(position.partition.key)
      if (list === undefined) earlier.set(position.partition.key, [position])
      else list.push(position)
    }
    for (const [key, positions] of earlier) {
      const state = this.#partitions.get(key) ?? this.#remember(positions[0]!.partition)
      state.ready = [...positions, ...state.ready]
      this.#ready.add(state)
    }
  }

  /** The batches whose `durable` is to be called now, in order, each once. */
  takeDurable(): TrackedBatch[] {
    const durable: TrackedBatch[] = []
    let taken = 0
    for (const batch of this.#order) {
      if (!batch.acknowledged) break
      if (batch.durable !== undefined) {
        if (batch.unstored > 0) break
        durable.push(batch)
      }
      taken++
    }
    this.#order.splice(0, taken)
    return durable
  }

  #trackPositions(batch: Batch, { records, offsets }: SourceBatch): void {
    let last: Position | undefined
    let lastPartition: SourcePartition | undefined
    let byState: Map<PartitionState, Position> | undefined
    const add = (partition: SourcePartition, offset: SourceOffset): void => {
      // Records mostly come in runs of one partition, often the very same object.
      if (last !== undefined && partition === lastPartition) {
        last.offset = offset
        return
      }
      const state = this.#state(partition)
      const known = last?.partition === state ? last : byState?.get(state)
      if (known !== undefined) {
        known.offset = offset
        last = known
      } else {
        if (last !== undefined) byState ??= new Map([[last.partition, last]])
        last = { partition: state, batch, offset }
        byState?.set(state, last)
        batch.positions.push(last)
        state.waiting.push(last)
      }
      lastPartition = partition
    }
    for (const { sourcePartition, sourceOffset } of records) {
      if (sourcePartition !== undefined && sourceOffset !== undefined) add(sourcePartition, sourceOffset)
    }
    for (const { partition, offset } of offsets ?? []) add(partition, offset)
  }

  #state(partition: SourcePartition): PartitionState {
    const key = partitionKey(partition)
    return this.#partitions.get(key) ?? this.#remember({ key, partition, waiting: [], ready: [] })
  }

  #remember(state: PartitionState): PartitionState {
    this.#partitions.set(state.key, state)
    return state
  }

  #advance(state: PartitionState): void {
    let acknowledged = 0
    while (state.waiting[acknowledged]?.batch.acknowledged === true) acknowledged++
    if (acknowledged === 0) return
    state.ready.push(...state.waiting.splice(0, acknowledged))
    this.#ready.add(state)
  }

  /** A source may go through any number of partitions (files, say) in its life. */
  #forgetIfIdle(state: PartitionState): void {
    if (state.waiting.length === 0) this.#partitions.delete(state.key)
  }
}

function isBatch(given: readonly SourceRecord[] | SourceBatch): given is SourceBatch {
  return !Array.isArray(given)
}
