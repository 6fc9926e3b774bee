import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  decodeControl,
  decodeRecords,
  parseBatchHeader,
} from '../protocol/record-batch.ts'
import type { BatchHeader, ControlRecord, DecodedRecord } from '../protocol/record-batch.ts'
import { rebuildBatch } from './compacted-batch.ts'
import { DecidedTransactions } from './decided-transactions.ts'
import { OffsetMap } from './offset-map.ts'
import type { ProducerStates } from './producer-state.ts'
import { Segment } from './segment.ts'
import { readSegment } from './segment-read.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'
import type { AbortedTransactionEntry } from './transaction-index.ts'

/** Handled without letting anything else run: a millisecond or two. */
const SLICE_BYTES = 128 * 1024
const WRITE_BYTES = 1024 * 1024

/** What a compaction works on. Nothing of it changes while it runs, except that segments may be taken away. */
export interface CompactionPlan {
  readonly context: StorageContext
  readonly dir: string
  readonly config: TopicConfig
  /** All closed segments below the first one that may not be compacted, ascending. */
  readonly segments: readonly Segment[]
  /** What lies below was compacted before. */
  readonly firstDirtyOffset: number
  /** Base offset of the first segment that may not be compacted. All transactions below are decided. */
  readonly endOffset: number
  readonly aborted: readonly AbortedTransactionEntry[]
  readonly states: ProducerStates
  readonly maxMapBytes: number
  /** Throws when it has to end, the log being closed. */
  readonly checkGoOn: () => void
}

interface BatchView {
  readonly header: BatchHeader
  readonly bytes: Buffer
}

/**
 * Which offset each key of the dirty part has last, as far as there is memory for keys; the next run goes on from there.
 */
export async function mapDirtyKeys(plan: CompactionPlan): Promise<OffsetMap> {
  const map = new OffsetMap(plan.endOffset - plan.firstDirtyOffset, plan.maxMapBytes)
  const transactions = new DecidedTransactions(plan.aborted)
  for (const [i, segment] of plan.segments.entries()) {
    const end = plan.segments[i + 1]?.baseOffset ?? plan.endOffset
    if (end <= plan.firstDirtyOffset) continue
    const from = segment.offsetIndex.lookup(plan.firstDirtyOffset).position
    const whole = await forEachBatch(plan, segment, from, (batch) => mapBatch(batch, plan, map, transactions))
    if (!whole) return map
    map.latestOffset = end - 1
  }
  return map
}

/** False when the map is full. */
function mapBatch(
  { header, bytes }: BatchView,
  { firstDirtyOffset }: CompactionPlan,
  map: OffsetMap,
  transactions: DecidedTransactions,
): boolean {
  const lastOffset = header.baseOffset + header.lastOffsetDelta
  if (lastOffset < firstDirtyOffset) return true
  if (header.isControl) transactions.marker(header, markerOf(bytes))
  else if (!transactions.isAborted(header)) {
    for (const { key, offset } of decodeRecords(bytes)) {
      if (key === null || offset < firstDirtyOffset) continue
      if (map.full) return false
      map.put(key, offset)
    }
  }
  map.latestOffset = Math.max(map.latestOffset, lastOffset)
  return true
}

/** Consecutive segments that make no more than one together, so that compacted segments do not become ever smaller. */
export function groupSegments(segments: readonly Segment[], config: TopicConfig): Segment[][] {
  const groups: Segment[][] = []
  let size = 0
  for (const segment of segments) {
    const group = groups.at(-1)
    const fits =
      group !== undefined &&
      size + segment.size <= config.segmentBytes &&
      segment.baseOffset - group[0]!.baseOffset < 0x40000000
    if (fits) {
      group.push(segment)
      size += segment.size
    } else {
      groups.push([segment])
      size = segment.size
    }
  }
  return groups
}

/**
 * Copies what is still of use of a group of segments into one, with the suffix `.cleaned` and on disk when the promise resolves.
 *
 * Kept is the last record of each key, with two exceptions that Kafka makes as well: tombstones and the markers of emptied
 * transactions stay for delete.retention.ms after they were first met here, so that slow readers see them; and the last batch of each
 * producer, and of the group, stays without its records for the sequence numbers and offsets it carries.
 */
export class GroupCopy {
  readonly #plan: CompactionPlan
  readonly #map: OffsetMap
  readonly #transactions: DecidedTransactions
  readonly #now: number

  constructor(plan: CompactionPlan, map: OffsetMap) {
    this.#plan = plan
    this.#map = map
    this.#transactions = new DecidedTransactions(plan.aborted)
    this.#now = plan.context.clock()
  }

  async copy(group: readonly Segment[]): Promise<Segment> {
    const { context, dir, config } = this.#plan
    const cleaned = new Segment(context.fs, context.pool, dir, group[0]!.baseOffset, 0, '.cleaned')
    const out: Buffer[] = []
    let outBytes = 0
    const write = async () => {
      if (outBytes > 0) await writeAll(context, cleaned, out.splice(0))
      outBytes = 0
    }
    try {
      for (const [i, segment] of group.entries()) {
        const last = i === group.length - 1
        await forEachBatch(this.#plan, segment, 0, async (batch, atEnd) => {
          const kept = this.#keep(batch, last && atEnd, cleaned)
          if (kept === undefined) return true
          out.push(kept)
          outBytes += kept.length
          const { baseOffset, lastOffsetDelta, maxTimestamp } = parseBatchHeader(kept)
          const summary = { lastOffset: baseOffset + lastOffsetDelta, maxTimestamp, size: kept.length }
          cleaned.append(summary, config.indexIntervalBytes)
          if (outBytes >= WRITE_BYTES) await write()
          return true
        })
      }
      await write()
      cleaned.seal()
      for (const file of cleaned.files()) {
        if (context.fs.existsSync(file.path)) await context.syncs.syncFile(file)
      }
      cleaned.markIndexesSynced()
      return cleaned
    } catch (error) {
      removeCleaned(context, cleaned)
      throw error
    }
  }

  /** What is left of a batch; undefined where that is nothing. */
  #keep({ header, bytes }: BatchView, mustStay: boolean, cleaned: Segment): Buffer | undefined {
    const stays = mustStay || this.#isLastOfProducer(header)
    const horizon = header.hasDeleteHorizon ? header.baseTimestamp : undefined
    if (header.isControl) {
      const { obsolete, aborted } = this.#transactions.marker(header, markerOf(bytes))
      if (aborted !== undefined) cleaned.transactionIndex.append(aborted)
      if (!obsolete || header.recordCount === 0) return obsolete && !stays ? undefined : Buffer.from(bytes)
      if (horizon === undefined) return rebuildBatch(header, decodeRecords(bytes), this.#horizon())
      if (this.#now < horizon) return Buffer.from(bytes)
      return stays ? rebuildBatch(header, [], undefined) : undefined
    }
    const aborted = this.#transactions.isAborted(header)
    const records = aborted ? [] : decodeRecords(bytes)
    const kept = records.filter((record) => this.#keepRecord(record, horizon))
    if (kept.length === 0) return stays ? rebuildBatch(header, [], undefined) : undefined
    const needsHorizon = horizon === undefined && kept.some((record) => record.value === null)
    if (kept.length === header.recordCount && !needsHorizon) return Buffer.from(bytes)
    return rebuildBatch(header, kept, needsHorizon ? this.#horizon() : horizon)
  }

  #keepRecord(record: DecodedRecord, horizon: number | undefined): boolean {
    if (record.offset > this.#map.latestOffset) return true
    if (record.key === null || record.offset < this.#map.get(record.key)) return false
    return record.value !== null || horizon === undefined || this.#now < horizon
  }

  #horizon(): number {
    return this.#now + this.#plan.config.deleteRetentionMs
  }

  /** The batch from which a restart learns where the producer was. */
  #isLastOfProducer(header: BatchHeader): boolean {
    const entry = header.producerId < 0 ? undefined : this.#plan.states.get(header.producerId)
    if (entry === undefined) return false
    const last = entry.batches.at(-1)
    if (last !== undefined) return header.baseOffset + header.lastOffsetDelta === last.lastOffset
    return header.isControl && header.producerEpoch === entry.producerEpoch
  }
}

export function removeCleaned(context: StorageContext, cleaned: Segment): void {
  cleaned.close()
  // The log first: without it the others are leftovers that the next start removes.
  for (const file of cleaned.files()) if (context.fs.existsSync(file.path)) context.fs.unlinkSync(file.path)
}

function markerOf(bytes: Buffer): ControlRecord | null {
  const record = decodeRecords(bytes)[0]
  return record === undefined ? null : decodeControl(record)
}

/**
 * Shows the batches of a segment from a position on, in slices between which other work goes on. Ends early, with false, where the
 * call returns false. What it is shown is valid during the call only.
 */
async function forEachBatch(
  plan: CompactionPlan,
  segment: Segment,
  from: number,
  call: (batch: BatchView, atEnd: boolean) => boolean | Promise<boolean>,
): Promise<boolean> {
  let wanted = SLICE_BYTES
  for (let position = from; position < segment.size;) {
    plan.checkGoOn()
    const slice = await readSegment(plan.context.fs, segment, position, Math.min(wanted, segment.size - position))
    let at = 0
    while (slice.length - at >= BATCH_HEADER_BYTES) {
      const header = parseBatchHeader(slice, at)
      const size = header.batchLength + BATCH_PREFIX_BYTES
      if (size > slice.length - at) break
      const batch = { header, bytes: slice.subarray(at, at + size) }
      at += size
      if (!(await call(batch, position + at >= segment.size))) return false
    }
    // A batch larger than a slice.
    if (at === 0) {
      const size = slice.readInt32BE(8) + BATCH_PREFIX_BYTES
      if (size > segment.size - position) throw new Error(`${segment.log.path} is damaged at ${position}`)
      wanted = size
    } else wanted = SLICE_BYTES
    position += at
  }
  return true
}

async function writeAll(context: StorageContext, segment: Segment, buffers: Buffer[]): Promise<void> {
  const bytes = Buffer.concat(buffers)
  // The batches are counted already; their bytes are what is new in the segment's size.
  const start = segment.size - bytes.length
  const fd = segment.log.pin(true)
  try {
    for (let done = 0; done < bytes.length;) {
      done += await new Promise<number>((resolve, reject) => {
        context.fs.writev(fd, [bytes.subarray(done)], start + done, (error, written) => {
          if (error) reject(error)
          else resolve(written)
        })
      })
    }
  } finally {
    segment.log.unpin()
  }
}
