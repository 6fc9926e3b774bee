import { join } from 'node:path'
import { scanBatches } from './batch-scan.ts'
import type { ScanResult } from './batch-scan.ts'
import { isNotFound, syncDirectory } from './file-system.ts'
import { ProducerReplay } from './producer-replay.ts'
import { ProducerStates } from './producer-state.ts'
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

  const { context, dir, recoveryPoint, cutAt = Infinity } = options
  const firstOffset = Math.max(options.logStartOffset, found[0]!.baseOffset)
  let replay = new ProducerReplay(context, dir, names, Math.min(recoveryPoint, cutAt), firstOffset)
  const nextOffset = checkSegments(options, found, new Set(names), replay)
  if (options.logStartOffset > nextOffset) {
    const logged = { dir, logStartOffset: options.logStartOffset, logEndOffset: nextOffset }
    context.logger.error('The log ends before its start offset; what is left is dropped', logged)
    for (const segment of found) discardSegment(options, segment, 'below-start')
    return emptyPartition(options, true)
  }
  if (replay.snapshotOffset > nextOffset) replay = new ProducerReplay(context, dir, names, nextOffset, firstOffset)
  replay.catchUp(found, nextOffset)
  replay.states.commit()
  for (const segment of found) segment.transactionIndex.flush()
  const { states, snapshots } = replay
  return { segments: found, states, logStartOffset: firstOffset, nextOffset, snapshots, exists: true }
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
function checkSegments(
  options: LoadOptions,
  segments: Segment[],
  names: ReadonlySet<string>,
  replay: ProducerReplay,
): number {
  const { context, recoveryPoint, cutAt = Infinity } = options
  let nextOffset = segments[0]!.baseOffset
  for (let i = 0; i < segments.length; i++) {
    const segment = segments[i]!
    const following = segments[i + 1]
    if (segment.baseOffset >= cutAt && i > 0) {
      for (const later of segments.splice(i)) discardSegment(options, later, undefined)
      break
    }
    const indexed =
      segment.size <= options.config.indexIntervalBytes || names.has(`${segmentName(segment.baseOffset)}.index`)
    const trusted = Math.min(recoveryPoint, cutAt)
    if (following !== undefined && following.baseOffset <= trusted && indexed) {
      nextOffset = following.baseOffset
      continue
    }
    if (trusted !== Infinity) segment.truncateIndexes(trusted)
    if (!indexed) segment.clearSparseIndexes()
    const walk = { options, segments: segments.slice(0, i + 1), replay, checkCrc: trusted !== Infinity || !indexed }
    const result = checkSegment(walk)
    nextOffset = result.nextOffset
    if (result.problem !== undefined && following !== undefined) {
      const details = { file: segment.log.path, position: result.end, problem: result.problem }
      context.logger.error('A segment is damaged; the ones behind it are set aside', details)
      for (const later of segments.splice(i + 1)) discardSegment(options, later, 'behind-damage')
    }
  }
  return nextOffset
}

interface SegmentWalk {
  readonly options: LoadOptions
  /** The last one is walked; those before are in order already. */
  readonly segments: readonly Segment[]
  readonly replay: ProducerReplay
  /** Not after a clean shutdown: that is only to find the end. */
  readonly checkCrc: boolean
}

/** Walks a segment from its last index entry on, indexes what is not indexed yet, and truncates it at the first bad batch. */
function checkSegment(walk: SegmentWalk): ScanResult {
  const { options, segments, checkCrc } = walk
  const segment = segments.at(-1)!
  const result = walkFromIndex(walk, segment) ?? walkFrom(walk, segment, 0, undefined)!
  if (result.problem !== undefined && !checkCrc) {
    const details = { file: segment.log.path, problem: result.problem }
    options.context.logger.warn('A segment does not end well although the shutdown was clean', details)
    segment.clearSparseIndexes()
    return checkSegment({ ...walk, checkCrc: true })
  }
  truncateSegment(options, segment, result)
  return result
}

/** undefined, with an empty index, where the index does not agree with the log. */
function walkFromIndex(walk: SegmentWalk, segment: Segment): ScanResult | undefined {
  const last = segment.offsetIndex.last()
  if (last === undefined) return undefined
  const agrees = last.position > 0 && last.position < segment.size
  const result = agrees ? walkFrom(walk, segment, last.position, last.offset) : undefined
  if (result === undefined) segment.clearSparseIndexes()
  return result
}

/** undefined where the first batch should end at an offset and does not. */
function walkFrom(
  { options, segments, replay, checkCrc }: SegmentWalk,
  segment: Segment,
  from: number,
  firstLastOffset: number | undefined,
): ScanResult | undefined {
  const { context, config, cutAt } = options
  let agrees = firstLastOffset === undefined
  const range = { from, to: segment.size, minOffset: segment.baseOffset, endOffset: cutAt ?? Infinity, checkCrc }
  const result = segment.log.use((fd) =>
    scanBatches(context.fs, fd, range, (batch) => {
      const { header, position, size } = batch
      if (position === from) {
        agrees ||= header.baseOffset + header.lastOffsetDelta === firstLastOffset
        if (!agrees) return false
        replay.catchUp(segments, header.baseOffset)
      }
      // The batch that the last index entry points at is in the index already.
      segment.noteBatch(summaryOf(header, size), position, position === from ? Infinity : config.indexIntervalBytes)
      replay.take(segment, batch)
      return undefined
    }),
  )
  return agrees ? result : undefined
}

function truncateSegment({ context }: LoadOptions, segment: Segment, result: ScanResult): void {
  const before = segment.size
  segment.size = result.end
  if (result.end < before) {
    const details = { file: segment.log.path, from: before, to: result.end, logEndOffset: result.nextOffset }
    context.logger.warn('Truncated the end of a segment', { ...details, problem: result.problem })
    segment.log.use((fd) => context.fs.ftruncateSync(fd, result.end))
  }
  segment.flushIndexes()
}

/** Sets a segment's file aside, with a suffix, where it may still be of use to a person; its indexes go. */
function discardSegment({ context }: LoadOptions, segment: Segment, suffix: string | undefined): void {
  segment.close()
  if (suffix === undefined) context.fs.unlinkSync(segment.log.path)
  else context.fs.renameSync(segment.log.path, `${segment.log.path}.${suffix}`)
  for (const file of [segment.offsetIndex.file, segment.timeIndex.file, segment.transactionIndex.file]) {
    if (context.fs.existsSync(file.path)) context.fs.unlinkSync(file.path)
  }
}
