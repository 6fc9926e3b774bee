import { join } from 'node:path'
import { decodeControl, decodeRecords } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
import type { ScannedBatch } from './batch-scan.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { snapshotName } from './producer-snapshots.ts'
import { ProducerStates } from './producer-state.ts'
import type { CompletedTransaction } from './producer-state.ts'
import type { Segment } from './segment.ts'
import type { StorageContext } from './storage-context.ts'

/**
 * Restores what is known of producers while a partition is opened: from the last snapshot, and the batches after it. Puts aborted
 * transactions that the transaction indexes do not have yet into them.
 */
export class ProducerReplay {
  readonly states = new ProducerStates()
  /** Offsets of the usable snapshots, ascending. */
  readonly snapshots: number[] = []
  readonly #context: StorageContext
  readonly #dir: string
  #next: number

  /** @param usableTo a snapshot from above may know of batches that did not reach the disk, and is removed */
  constructor(
    context: StorageContext,
    dir: string,
    names: readonly string[],
    usableTo: number,
    logStartOffset: number,
  ) {
    this.#context = context
    this.#dir = dir
    for (const name of names) {
      const match = /^(\d{20})\.snapshot$/.exec(name)
      if (match === null || !context.fs.existsSync(join(dir, name))) continue
      if (Number(match[1]) > usableTo) context.fs.unlinkSync(join(dir, name))
      else this.snapshots.push(Number(match[1]))
    }
    this.snapshots.sort((a, b) => a - b)
    this.#next = Math.max(this.#loadLast() ?? 0, logStartOffset)
  }

  /** Offset of the snapshot that it started from; 0 where there was none. */
  get snapshotOffset(): number {
    return this.snapshots.at(-1) ?? 0
  }

  /** Takes a batch, unless it was taken before. Those between have to be taken first: see {@link catchUp}. */
  take(segment: Segment, { header, bytes }: ScannedBatch): void {
    if (header.baseOffset < this.#next) return
    this.#next = header.baseOffset + header.lastOffsetDelta + 1
    if (header.producerId < 0) return
    if (!header.isControl) {
      this.states.addBatch(header, 'replay')
      return
    }
    const record = decodeRecords(bytes)[0]
    const marker = record === undefined ? null : decodeControl(record)
    const completed = marker === null ? undefined : this.states.addMarker(header, marker, 'replay')
    if (completed?.aborted === true && isNewer(segment, completed)) segment.transactionIndex.append(completed)
  }

  /** Takes all batches below an offset that were not taken yet. */
  catchUp(segments: readonly Segment[], to: number): void {
    if (this.#next >= to) return
    for (const [i, segment] of segments.entries()) {
      const from = this.#next
      if ((segments[i + 1]?.baseOffset ?? to) <= from || segment.baseOffset >= to || segment.size === 0) continue
      const start = from <= segment.baseOffset ? 0 : segment.offsetIndex.lookup(from).position
      const range = { from: start, to: segment.size, minOffset: 0, endOffset: to, checkCrc: false }
      segment.log.use((fd) =>
        scanBatches(this.#context.fs, fd, range, (batch) => {
          this.take(segment, batch)
          return undefined
        }),
      )
    }
    this.#next = to
  }

  /** Offset of the newest snapshot that reads; damaged ones are removed. */
  #loadLast(): number | undefined {
    const { fs, logger } = this.#context
    for (;;) {
      const offset = this.snapshots.at(-1)
      if (offset === undefined) return undefined
      const path = join(this.#dir, snapshotName(offset))
      const entries = decodeProducerSnapshot(fs.readFileSync(path))
      if (entries !== undefined) {
        this.states.load(entries)
        return offset
      }
      logger.warn('A producer snapshot is damaged', { path })
      fs.unlinkSync(path)
      this.snapshots.pop()
    }
  }
}

function isNewer(segment: Segment, completed: CompletedTransaction): boolean {
  const last = segment.transactionIndex.entries().at(-1)
  return last === undefined || completed.lastOffset > last.lastOffset
}
