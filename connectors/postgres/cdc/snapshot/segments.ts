import type { SourceOffset } from '@tidewire/sdk'

/** Blocks of a table, `from` up to and without `to`, that one reader reads in order. */
export interface Segment {
  readonly index: number
  /** Into how many the table is cut. */
  readonly of: number
  readonly from: number
  readonly to: number
}

/** How far a segment has been read: all blocks before `next` are in the log, and of that one the rows up to `item`. */
export interface Progress extends Segment {
  readonly next: number
  /** A row's number within its block, from 1; 0: none of it. */
  readonly item: number
  /**
   * The table was rewritten since the snapshot was taken, so that its rows no longer tell whether it saw them: all that are
   * there now are read.
   */
  readonly isAnew?: boolean
}

/** Nothing of it has been read. */
export const unread = (segment: Segment): Progress => ({ ...segment, next: segment.from, item: 0 })

/** Cutting costs a sort of its own at the server for nothing, below this. 16 MiB. */
const leastBlocks = 2048

/** A table's segments: as many as there are readers, where it is large enough for them. */
export function segmentsOf(blocks: number, readers: number): Segment[] {
  const of = Math.max(1, Math.min(readers, Math.floor(blocks / leastBlocks)))
  return Array.from({ length: of }, (_, index) => ({
    index,
    of,
    from: Math.floor((blocks * index) / of),
    to: Math.floor((blocks * (index + 1)) / of),
  }))
}

/** Whether nothing of it is left; so is a table without blocks. */
export const isRead = ({ next, to }: Progress): boolean => next >= to

/** Tells what is stored from what another snapshot has left, or was true of the table before it was rewritten. */
export interface ProgressKey {
  /** The consistent point of the snapshot. */
  readonly lsn: number
  /** The file of the table as the snapshot sees it: another one after VACUUM FULL, CLUSTER, TRUNCATE, and some of ALTER TABLE. */
  readonly file: number
}

export const progressOffset = (
  { of, from, to, next, item, isAnew }: Progress,
  { lsn, file }: ProgressKey,
): SourceOffset => ({
  lsn,
  file,
  of,
  from,
  to,
  next,
  item,
  ...(isAnew === true ? { anew: true } : {}),
})

/** What is stored; undefined: nothing that still holds. */
export function progressOf(
  stored: SourceOffset | undefined,
  index: number,
  { lsn, file }: ProgressKey,
): Progress | undefined {
  if (stored?.['lsn'] !== lsn || stored['file'] !== file) return undefined
  const [of, from, to, next, item] = ['of', 'from', 'to', 'next', 'item'].map((name) => stored[name])
  if (!isCount(of) || !isCount(from) || !isCount(to) || !isCount(next) || !isCount(item)) return undefined
  return { index, of, from, to, next, item, ...(stored['anew'] === true ? { isAnew: true } : {}) }
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value)
