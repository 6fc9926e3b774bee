import type { Segment } from './segment.ts'
import type { SegmentSet } from './segment-set.ts'
import type { TopicConfig } from './topic-config.ts'

export interface CompactionState {
  /** Segments that may be compacted, ascending. */
  readonly segments: readonly Segment[]
  readonly firstDirtyOffset: number
  /** Where the segments that may be compacted end. */
  readonly endOffset: number
  readonly dirtyBytes: number
  /** Share of the dirty bytes in all that may be compacted. */
  readonly dirtyRatio: number
  /** Whether max.compaction.lag.ms has passed for the oldest dirty segment. */
  readonly overdue: boolean
}

/**
 * What of a partition may be compacted: closed segments, below the last stable offset, older than min.compaction.lag.ms; and how much
 * of it is new since the last time.
 */
export function compactionState(
  set: SegmentSet,
  config: TopicConfig,
  at: { readonly compactedTo: number; readonly lastStableOffset: number; readonly now: number },
): CompactionState {
  const { list } = set
  const segments: Segment[] = []
  let endOffset = list[0]!.baseOffset
  let cleanBytes = 0
  let dirtyBytes = 0
  let overdue = false
  for (let i = 0; i + 1 < list.length; i++) {
    const segment = list[i]!
    const end = list[i + 1]!.baseOffset
    const dirty = end > at.compactedTo
    const { timestamp } = segment.maxTimestamp
    if (end > at.lastStableOffset) break
    if (dirty && config.minCompactionLagMs > 0 && timestamp > at.now - config.minCompactionLagMs) break
    segments.push(segment)
    endOffset = end
    if (dirty) {
      dirtyBytes += segment.size
      overdue ||= segment.size > 0 && timestamp < at.now - config.maxCompactionLagMs
    } else cleanBytes += segment.size
  }
  return {
    segments,
    firstDirtyOffset: Math.max(at.compactedTo, list[0]!.baseOffset),
    endOffset,
    dirtyBytes,
    dirtyRatio: dirtyBytes === 0 ? 0 : dirtyBytes / (cleanBytes + dirtyBytes),
    overdue,
  }
}
