import type { Segment } from './segment.ts'
import type { StorageContext } from './storage-context.ts'
import type { TopicConfig } from './topic-config.ts'

/**
 * The oldest segments that retention.ms and retention.bytes no longer keep, as Kafka decides it: a segment is as old as its latest
 * record; the log may be larger than retention.bytes by less than its oldest segment. Nothing above the high watermark goes.
 */
export function expiredSegments(
  segments: readonly Segment[],
  config: TopicConfig,
  context: StorageContext,
  highWatermark: number,
): Segment[] {
  const { retentionMs, retentionBytes } = config
  const expired: Segment[] = []
  let size = segments.reduce((sum, segment) => sum + segment.size, 0)
  for (const [i, segment] of segments.entries()) {
    if (segment.size === 0 || (segments[i + 1]?.baseOffset ?? highWatermark) > highWatermark) break
    const tooOld = retentionMs >= 0 && context.clock() - latestOf(segment, context) > retentionMs
    const tooLarge = retentionBytes >= 0 && size - segment.size >= retentionBytes
    if (!tooOld && !tooLarge) break
    expired.push(segment)
    size -= segment.size
  }
  return expired
}

function latestOf(segment: Segment, context: StorageContext): number {
  const { timestamp } = segment.maxTimestamp
  return timestamp >= 0 ? timestamp : context.fs.statSync(segment.log.path).mtimeMs
}
