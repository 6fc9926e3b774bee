import { join } from 'node:path'
import { decodeControl, decodeRecords } from '../protocol/record-batch.ts'
import { scanBatches } from './batch-scan.ts'
import type { ScannedBatch, ScanResult } from './batch-scan.ts'
import { isNotFound, syncDirectory } from './file-system.ts'
import { decodeProducerSnapshot } from './producer-snapshot.ts'
import { snapshotName } from './producer-snapshots.ts'
import { ProducerStates } from './producer-state.ts'
import type { CompletedTransaction } from './producer-state.ts'
import { Segment, segmentName, summaryOf } from './segment.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'

export interface LoadOptions {
  readonly context: StorageContext
  readonly dir: string
  readonly config: TopicConfig
  /** From the checkpoint; what lies below is deleted. */
  readonly logStartOffset: number
  /**
   * What lies below this offset, indexes included, was on disk at the last checkpoint; what lies above is checked. Infinity
   * after a clean shutdown.
   */
  readonly recoveryPoint: number
  /** Cuts the log off at this offset, where a batch starts. */
  readonly cutAt?: number
}

export interface LoadedPartition {
  /** Ascending; the last one is appended to. At least one. */
  readonly segments: Segment[]
  readonly states: ProducerStates
  readonly logStartOffset: number
  readonly nextOffset: number
  /** Offsets of the producer snapshots in the directory, ascending. */
  readonly snapshots: number[]
  /** False: nothing was ever written, not even the directory. */
  readonly exists: boolean
}

/**
 * Opens a partition's directory: finishes what a crash interrupted, checks and truncates the tail after an unclean shutdown, mends
 * indexes, and restores what is known of producers. Synchronous.
 */
export function loadPartition(options: LoadOptions): LoadedPartition {
  const listed = listDirectory(options)
  if (listed === undefined) return emptyPartition(options, false)
  const names = finishSwaps(options, listed)
  const found = findSegments(options, names)
  if (found.length === 0) return emptyPartition(options, true)

  const nextOffset = checkSegments(options, found, new Set(names))
  if (options.logStartOffset > nextOffset) {
    options.context.logger.error('The log ends before its start offset; what is left is dropped', {
      dir: options.dir,
      logStartOffset: options.logStartOffset,
      logEndOffset: nextOffset,
    })
    for (const segment of found) discardSegment(options, segment, 'below-start')
    return emptyPartition(options, true)
  }
  const logStartOffset = Math.max(options.logStartOffset, found[0]!.baseOffset)
  const { states, snapshots } = restoreProducers(options, found, names, logStartOffset, nextOffset)
  return { segments: found, states, logStartOffset, nextOffset, snapshots, exists: true }
}

function listDirectory({ context, dir }: LoadOptions): string[] | undefined {
  try {
    return context.fs.readdirSync(dir)
  } catch (error) {
    if (isNotFound(error)) return undefined
    throw error
  }
}

function emptyPartition(options: LoadOptions, exists: boolean): LoadedPartition {
  const { context, dir, logStartOffset } = options
  return {
    segments: [new Segment(context.fs, context.pool, dir, logStartOffset, 0)],
    states: new ProducerStates(),
    logStartOffset,
    nextOffset: logStartOffset,
    snapshots: [],
    exists,
  }
}

/**
 * Finishes what a crash left of putting a compacted segment in the place of others; see {@link SegmentSet.swap}. Its indexes, if they
 * had their names already, are taken for old ones and made anew.
 */
function finishSwaps({ context, dir }: LoadOptions, names: readonly string[]): string[] {
  const { fs } = context
  const swaps = names.filter((name) => name.endsWith('.log.swap'))
  if (swaps.length === 0) return [...names]
  for (const swap of swaps) {
    const baseOffset = Number(swap.slice(0, 20))
    const path = join(dir, swap)
    const fd = fs.openSync(path, 'r')
    const scan = { from: 0, to: fs.fstatSync(fd).size, minOffset: baseOffset, checkCrc: false }
    const { nextOffset } = scanBatches(fs, fd, scan, () => undefined)
    fs.closeSync(fd)
    for (const name of fs.readdirSync(dir)) {
      const match = /^(\d{20})\.(log|index|timeindex|txnindex)$/.exec(name)
      if (match === null || Number(match[1]) < baseOffset || Number(match[1]) >= nextOffset) continue
      fs.unlinkSync(join(dir, name))
    }
    for (const suffix of ['index', 'timeindex', 'txnindex', 'log']) {
      const part = join(dir, `${segmentName(baseOffset)}.${suffix}`)
      if (fs.existsSync(`${part}.swap`)) fs.renameSync(`${part}.swap`, part)
    }
  }
  syncDirectory(fs, dir)
  return fs.readdirSync(dir)
}

const LEFTOVER = /\.(deleted|cleaned|swap|tmp)$/

function findSegments({ context, dir }: LoadOptions, names: readonly string[]): Segment[] {
  const { fs, pool } = context
  const segments: Segment[] = []
  const present = new Set(names)
  for (const name of names) {
    const index = /^(\d{20})\.(index|timeindex|txnindex)$/.exec(name)
    if (LEFTOVER.test(name) || (index !== null && !present.has(`${index[1]!}.log`))) fs.unlinkSync(join(dir, name))
    const match = /^(\d{20})\.log$/.exec(name)
    if (match === null) continue
    segments.push(new Segment(fs, pool, dir, Number(match[1]), fs.statSync(join(dir, name)).size))
  }
  return segments.sort((a, b) => a.baseOffset - b.baseOffset)
}

/** Brings segments and indexes into agreement. Returns the offset after the last good batch; drops segments behind damage. */
function checkSegments(options: LoadOptions, segments: Segment[], names: ReadonlySet<string>): number {
  const { context, recoveryPoint, cutAt = Infinity } = options
  let nextOffset = segments[0]!.baseOffset
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!
    const following = segments[i + 1]
    const end = following?.baseOffset ?? Infinity
    if (segment.baseOffset >= cutAt && i > 0) {
      for (const later of segments.splice(i)) discardSegment(options, later, 'cut')
      break
    }
    const indexed =
      segment.size <= options.config.indexIntervalBytes || names.has(`${segmentName(segment.baseOffset)}.index`)
    if (following !== undefined && end <= Math.min(recoveryPoint, cutAt) && indexed) {
      nextOffset = end
      continue
    }
    const trusted = indexed ? Math.min(recoveryPoint, cutAt) : segment.baseOffset
    const result = checkSegment(options, segment, trusted, following === undefined && recoveryPoint === Infinity)
    nextOffset = result.nextOffset
    if (result.problem !== undefined && following !== undefined) {
      context.logger.error('A segment is damaged; the ones behind it are set aside', {
        file: segment.log.path,
        position: result.end,
        problem: result.problem,
      })
      for (const later of segments.splice(i + 1)) discardSegment(options, later, 'behind-damage')
    }
  }
  return nextOffset
}

/**
 * Walks a segment from the last index entry below `trusted` on, truncates it at the first bad batch and indexes what is new.
 * After a clean shutdown there is nothing new: that is only to find the end, so checksums are not looked at.
 */
function checkSegment(options: LoadOptions, segment: Segment, trusted: number, clean: boolean): ScanResult {
  const { context, config, cutAt = Infinity } = options
  const { fs } = context
  if (trusted !== Infinity) segment.truncateIndexes(trusted)
  const start = indexStart(segment, fs)
  const fileSize = segment.size
  const result = segment.log.use((fd) =>
    scanBatches(
      fs,
      fd,
      { from: start.position, to: fileSize, minOffset: start.minOffset, endOffset: cutAt, checkCrc: !clean },
      ({ header, position, size }) => {
        // The batch that the last index entry points at is in the index already.
        const interval = position === start.position ? Infinity : config.indexIntervalBytes
        segment.noteBatch(summaryOf(header, size), position, interval)
        return undefined
      },
    ),
  )
  if (result.problem !== undefined && clean) {
    context.logger.warn('A segment does not end well although the shutdown was clean; it is checked', {
      file: segment.log.path,
      problem: result.problem,
    })
    return checkSegment(options, segment, segment.baseOffset, false)
  }
  truncateSegment(options, segment, result, fileSize)
  return result
}

function truncateSegment(options: LoadOptions, segment: Segment, result: ScanResult, fileSize: number): void {
  const { context } = options
  const { fs } = context
  segment.size = result.end
  if (result.end < fileSize) {
    context.logger.warn('Truncated the end of a segment', {
      file: segment.log.path,
      from: fileSize,
      to: result.end,
      logEndOffset: result.nextOffset,
      problem: result.problem,
    })
    segment.log.use((fd) => fs.ftruncateSync(fd, result.end))
  }
  segment.flushIndexes()
}

/** Where to go on from what the index says, if the batch there agrees with it. */
function indexStart(segment: Segment, fs: StorageContext['fs']): { position: number; minOffset: number } {
  const last = segment.offsetIndex.last()
  if (last !== undefined && last.position > 0 && last.position < segment.size) {
    let minOffset: number | undefined
    segment.log.use((fd) =>
      scanBatches(
        fs,
        fd,
        { from: last.position, to: segment.size, minOffset: segment.baseOffset, checkCrc: true },
        ({ header }) => {
          if (header.baseOffset + header.lastOffsetDelta === last.offset) minOffset = header.baseOffset
          return false
        },
      ),
    )
    if (minOffset !== undefined) return { position: last.position, minOffset }
  }
  if (last !== undefined) segment.truncateIndexes(segment.baseOffset)
  return { position: 0, minOffset: segment.baseOffset }
}

/** Sets a segment's file aside rather than deleting what may still be of use to a person; its indexes go. */
function discardSegment({ context, dir }: LoadOptions, segment: Segment, reason: string): void {
  segment.close()
  const aside = join(dir, `${segmentName(segment.baseOffset)}.log.${reason}`)
  context.fs.renameSync(segment.log.path, aside)
  for (const file of [segment.offsetIndex.file, segment.timeIndex.file, segment.transactionIndex.file]) {
    if (context.fs.existsSync(file.path)) context.fs.unlinkSync(file.path)
  }
}

function restoreProducers(
  options: LoadOptions,
  segments: readonly Segment[],
  names: readonly string[],
  logStartOffset: number,
  nextOffset: number,
): { states: ProducerStates; snapshots: number[] } {
  const { context, dir } = options
  const { fs } = context
  const usableTo = Math.min(options.recoveryPoint, nextOffset)
  const states = new ProducerStates()
  const snapshots: number[] = []
  for (const name of names) {
    const match = /^(\d{20})\.snapshot$/.exec(name)
    if (match === null) continue
    // A snapshot from after the checkpoint may not have reached the disk whole, or know of batches that did not.
    if (Number(match[1]) > usableTo) fs.unlinkSync(join(dir, name))
    else snapshots.push(Number(match[1]))
  }
  snapshots.sort((a, b) => a - b)
  let replayFrom = logStartOffset
  while (snapshots.length > 0) {
    const offset = snapshots.at(-1)!
    const entries = decodeProducerSnapshot(fs.readFileSync(join(dir, snapshotName(offset))))
    if (entries !== undefined) {
      states.load(entries)
      replayFrom = Math.max(offset, logStartOffset)
      break
    }
    context.logger.warn('A producer snapshot is damaged', { dir, offset })
    fs.unlinkSync(join(dir, snapshotName(offset)))
    snapshots.pop()
  }
  replayProducers(context, segments, states, replayFrom, nextOffset)
  return { states, snapshots }
}

function replayProducers(
  context: StorageContext,
  segments: readonly Segment[],
  states: ProducerStates,
  from: number,
  to: number,
): void {
  if (from >= to) return
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!
    if ((segments[i + 1]?.baseOffset ?? to) <= from || segment.size === 0) continue
    const start = from <= segment.baseOffset ? 0 : segment.offsetIndex.lookup(from).position
    segment.log.use((fd) =>
      scanBatches(context.fs, fd, { from: start, to: segment.size, minOffset: 0, checkCrc: false }, (batch) => {
        if (batch.header.baseOffset < from) return undefined
        const completed = replayBatch(states, batch)
        if (completed?.aborted === true && isNewer(segment, completed)) segment.transactionIndex.append(completed)
        return undefined
      }),
    )
    segment.transactionIndex.flush()
  }
  states.commit()
}

function isNewer(segment: Segment, completed: CompletedTransaction): boolean {
  const last = segment.transactionIndex.entries().at(-1)
  return last === undefined || completed.lastOffset > last.lastOffset
}

function replayBatch(states: ProducerStates, { header, bytes }: ScannedBatch): CompletedTransaction | undefined {
  if (header.producerId < 0) return undefined
  if (!header.isControl) {
    states.addBatch(header, 'replay')
    return undefined
  }
  const record = decodeRecords(bytes)[0]
  const marker = record === undefined ? null : decodeControl(record)
  return marker === null ? undefined : states.addMarker(header, marker, 'replay')
}
