import { BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, decodeRecords, parseBatchHeader } from '../protocol/record-batch.ts'
import type { BatchHeader } from '../protocol/record-batch.ts'
import type { AbortedTransactionEntry } from './transaction-index.ts'
import { readInt64 } from './int64.ts'
import type { Segment, TimestampOffset } from './segment.ts'
import { readSegment, readSegmentNow } from './segment-read.ts'
import type { SegmentSet } from './segment-set.ts'
import type { StorageContext } from './storage-context.ts'

const LAST_OFFSET_DELTA_AT = 23
/** Read at a time while a batch is looked for. */
const SEARCH_BYTES = 16 * 1024
/**
 * What was written this recently is in the page cache, and is read on the spot up to this size: 7 µs for 16 KiB, against 60 µs in
 * another thread. This is what consumers do that keep up, so that a cache of our own would save next to nothing.
 */
const READ_NOW_BYTES = 128 * 1024
const HOT_BYTES = 4 * 1024 * 1024
const HOT_MS = 60_000
/** Readers of one partition whose next position is remembered. */
const REMEMBERED_READERS = 8

export interface BatchesRead {
  readonly records: readonly Buffer[]
  readonly bytes: number
  /** Offset after the last batch returned; the one asked for where there is none. */
  readonly nextOffset: number
  /** See {@link ReadResult.release}. */
  readonly release?: () => void
}

interface NextRead {
  readonly offset: number
  readonly segment: Segment
  readonly position: number
}

interface FoundBatch {
  readonly header: BatchHeader
  readonly position: number
  readonly size: number
}

/** Reads batches out of segments. Knows nothing of what may be read: bounds are the caller's. */
export class PartitionReader {
  readonly #context: StorageContext
  readonly #segments: SegmentSet
  /** Where readers go on that read one batch after the other: they need no look-up. */
  #next: NextRead[] | undefined
  #nextSlot = 0

  constructor(context: StorageContext, segments: SegmentSet) {
    this.#context = context
    this.#segments = segments
  }

  /** Whole batches that start below `limit`, from the one that holds `offset` (or the next one there is). */
  async read(offset: number, limit: number, maxBytes: number, minOneBatch: boolean): Promise<BatchesRead> {
    const { list } = this.#segments
    const first = offset < limit ? this.#segments.indexOf(offset) : list.length
    for (let i = first; i < list.length && list[i]!.baseOffset < limit; i++) {
      const read = await this.#readSegment(list[i]!, offset, limit, maxBytes, minOneBatch)
      if (read !== undefined) return read
    }
    return { records: [], bytes: 0, nextOffset: offset }
  }

  /** Aborted transactions that reach into a range of offsets. */
  abortedTransactions(from: number, to: number): AbortedTransactionEntry[] {
    const { list } = this.#segments
    const found: AbortedTransactionEntry[] = []
    for (let i = this.#segments.indexOf(from); i < list.length; i++) {
      for (const entry of list[i]!.transactionIndex.entries()) {
        if (entry.lastOffset >= from && entry.firstOffset < to) found.push(entry)
        // All that started below this is decided by here; later markers are of later transactions.
        if (entry.lastStableOffset >= to) return found
      }
    }
    return found
  }

  /** The first record that is not earlier than `timestamp`, within [from, limit). */
  async offsetForTimestamp(timestamp: number, from: number, limit: number): Promise<TimestampOffset | null> {
    const { list } = this.#segments
    for (let i = this.#segments.indexOf(from); i < list.length && list[i]!.baseOffset < limit; i++) {
      const found = await this.#firstNotBefore(timestamp, list[i]!, from, limit)
      if (found !== null) return found
    }
    return null
  }

  /** The first record with the largest timestamp within [from, limit). */
  async maxTimestamp(from: number, limit: number): Promise<TimestampOffset | null> {
    const readable = this.#segments.list
      .slice(this.#segments.indexOf(from))
      .filter((segment) => segment.size > 0 && segment.baseOffset < limit)
    let latest: TimestampOffset | null = null
    for (const segment of readable.toSorted((a, b) => b.maxTimestamp.timestamp - a.maxTimestamp.timestamp)) {
      if (latest !== null && segment.maxTimestamp.timestamp <= latest.timestamp) break
      const found = await this.#latestIn(segment, from, limit)
      if (found !== null && found.timestamp > (latest?.timestamp ?? -1)) latest = found
    }
    return latest
  }

  async #firstNotBefore(
    timestamp: number,
    segment: Segment,
    from: number,
    limit: number,
  ): Promise<TimestampOffset | null> {
    if (segment.maxTimestamp.timestamp < timestamp) return null
    const start = Math.max(segment.timeIndex.lookup(timestamp).offset, from)
    let { position } = segment.offsetIndex.lookup(start)
    for (;;) {
      const batch = await this.#findBatch(segment, position, (header) => header.maxTimestamp >= timestamp)
      if (batch === undefined || batch.header.baseOffset >= limit) return null
      for (const record of decodeRecords(await this.#readAt(segment, batch.position, batch.size))) {
        if (record.timestamp >= timestamp && record.offset >= from && record.offset < limit) {
          return { timestamp: record.timestamp, offset: record.offset }
        }
      }
      position = batch.position + batch.size
    }
  }

  async #latestIn(segment: Segment, from: number, limit: number): Promise<TimestampOffset | null> {
    const known = await this.#firstNotBefore(segment.maxTimestamp.timestamp, segment, from, limit)
    if (known !== null) return known
    // The latest of all may not be read yet, or not any more: the batches tell, as far as the index does not.
    const indexed = segment.baseOffset < from ? { timestamp: -1, offset: from } : segment.timeIndex.before(limit)
    let { timestamp } = indexed
    let { position } = segment.offsetIndex.lookup(indexed.offset)
    for (;;) {
      const latest = timestamp
      const batch = await this.#findBatch(segment, position, (header) => header.maxTimestamp > latest)
      if (batch === undefined || batch.header.baseOffset >= limit) break
      if (batch.header.baseOffset >= from) timestamp = batch.header.maxTimestamp
      else {
        for (const record of decodeRecords(await this.#readAt(segment, batch.position, batch.size))) {
          if (record.offset >= from) timestamp = Math.max(timestamp, record.timestamp)
        }
      }
      position = batch.position + batch.size
    }
    return timestamp < 0 ? null : this.#firstNotBefore(timestamp, segment, from, limit)
  }

  async #readSegment(
    segment: Segment,
    offset: number,
    limit: number,
    maxBytes: number,
    minOneBatch: boolean,
  ): Promise<BatchesRead | undefined> {
    const position = this.#remembered(segment, offset) ?? (await this.#locate(segment, offset))
    if (position === undefined || position >= segment.size) return undefined
    const wanted = Math.max(Math.min(maxBytes, segment.size - position), BATCH_HEADER_BYTES)
    const { fs, buffers } = this.#context
    let pooled = buffers.take(wanted)
    let buffer =
      pooled === undefined
        ? await this.#readAt(segment, position, wanted)
        : await readSegment(fs, segment, position, wanted, pooled)
    const firstSize = buffer.readInt32BE(8) + BATCH_PREFIX_BYTES
    if (firstSize < BATCH_HEADER_BYTES || firstSize > segment.size - position) {
      throw new Error(`${segment.log.path} is damaged at ${position}: a batch of ${firstSize} bytes`)
    }
    if (firstSize > buffer.length) {
      if (!minOneBatch) return { records: [], bytes: 0, nextOffset: offset }
      buffer = await this.#readAt(segment, position, firstSize)
      pooled = undefined
    }
    const { bytes, nextOffset } = wholeBatches(buffer, limit)
    if (bytes === 0 || (bytes > maxBytes && !minOneBatch)) return { records: [], bytes: 0, nextOffset: offset }
    this.#remember({ offset: nextOffset, segment, position: position + bytes })
    const records = [bytes === buffer.length ? buffer : buffer.subarray(0, bytes)]
    return pooled === undefined
      ? { records, bytes, nextOffset }
      : { records, bytes, nextOffset, release: () => buffers.release(pooled) }
  }

  /** Position of the first batch that ends at or above an offset. */
  async #locate(segment: Segment, offset: number): Promise<number | undefined> {
    const { position } = segment.offsetIndex.lookup(offset)
    const batch = await this.#findBatch(
      segment,
      position,
      (header) => header.baseOffset + header.lastOffsetDelta >= offset,
    )
    return batch?.position
  }

  async #findBatch(
    segment: Segment,
    from: number,
    matches: (header: BatchHeader) => boolean,
  ): Promise<FoundBatch | undefined> {
    for (let position = from; segment.size - position >= BATCH_HEADER_BYTES;) {
      const chunk = await this.#readAt(segment, position, Math.min(SEARCH_BYTES, segment.size - position))
      let at = 0
      while (chunk.length - at >= BATCH_HEADER_BYTES) {
        const header = parseBatchHeader(chunk, at)
        const size = header.batchLength + BATCH_PREFIX_BYTES
        if (matches(header)) return { header, position: position + at, size }
        at += size
      }
      position += at
    }
    return undefined
  }

  async #readAt(segment: Segment, position: number, length: number): Promise<Buffer> {
    const { fs, clock } = this.#context
    const inPageCache =
      length <= READ_NOW_BYTES &&
      segment === this.#segments.active &&
      position >= segment.size - HOT_BYTES &&
      clock() - this.#segments.lastWriteAt < HOT_MS
    return inPageCache ? readSegmentNow(fs, segment, position, length) : readSegment(fs, segment, position, length)
  }

  #remembered(segment: Segment, offset: number): number | undefined {
    return this.#next?.find((next) => next.offset === offset && next.segment === segment)?.position
  }

  #remember(next: NextRead): void {
    this.#next ??= []
    this.#next[this.#nextSlot] = next
    this.#nextSlot = (this.#nextSlot + 1) % REMEMBERED_READERS
  }
}

/** How far whole batches go that start below the limit. */
function wholeBatches(buffer: Buffer, limit: number): { bytes: number; nextOffset: number } {
  let at = 0
  let nextOffset = 0
  while (buffer.length - at >= BATCH_HEADER_BYTES) {
    const baseOffset = readInt64(buffer, at)
    const size = buffer.readInt32BE(at + 8) + BATCH_PREFIX_BYTES
    if (baseOffset >= limit || size < BATCH_HEADER_BYTES || size > buffer.length - at) break
    nextOffset = baseOffset + buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1
    at += size
  }
  return { bytes: at, nextOffset }
}
