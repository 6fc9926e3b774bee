import type { PartitionWriter } from './partition-writer.ts'
import type { ObjectStream } from './object-stream.ts'
import type { Uploads } from './uploads.ts'

/** Memory is given back until this part of the most is left, so that it is not asked for again at once. */
const relievedPart = 0.75
/** Objects on their way to the store; more wait for these, however small they are. */
const maxCompleting = 512
/** So many files are written at a time. */
const spillsAtATime = 8

/** Whether a task holds more than it may. */
export function isOver(uploads: Uploads, maxBytes: number): boolean {
  return uploads.heldBytes > maxBytes || uploads.completing > maxCompleting
}

/**
 * Brings what a task holds in memory below what it may hold: waits for uploads that are under way, and puts the largest open
 * objects on disk.
 * @returns whether there is room now; it does not take much longer than that time
 */
export async function relieve(
  uploads: Uploads,
  writers: readonly PartitionWriter[],
  maxBytes: number,
  withinMs: number,
): Promise<boolean> {
  const until = performance.now() + withinMs
  while (isOver(uploads, maxBytes)) {
    const streams = spillable(writers)
    let open = 0
    for (const stream of streams) open += stream.spillableBytes
    const excess = uploads.heldBytes - maxBytes * relievedPart
    // What is under way is given back without anything being done.
    if (excess > 0 && (uploads.heldBytes - open < excess || uploads.trouble !== undefined) && streams.length > 0) {
      await spill(streams, excess)
      if (!isOver(uploads, maxBytes)) return true
    }
    const leftMs = until - performance.now()
    if (leftMs <= 0 || uploads.trouble !== undefined || uploads.diskTrouble !== undefined)
      return !isOver(uploads, maxBytes)
    await uploads.change(leftMs)
  }
  return true
}

/** The open objects that have something to put on disk, the largest first. */
function spillable(writers: readonly PartitionWriter[]): ObjectStream[] {
  const streams: ObjectStream[] = []
  for (const writer of writers) {
    for (const file of writer.openFiles) {
      for (const stream of file.streams) if (stream.spillableBytes > 0) streams.push(stream)
    }
  }
  return streams.sort((a, b) => b.spillableBytes - a.spillableBytes)
}

async function spill(streams: readonly ObjectStream[], excess: number): Promise<void> {
  const chosen: ObjectStream[] = []
  let bytes = 0
  for (const stream of streams) {
    if (bytes >= excess) break
    chosen.push(stream)
    bytes += stream.spillableBytes
  }
  for (let at = 0; at < chosen.length; at += spillsAtATime) {
    await Promise.all(chosen.slice(at, at + spillsAtATime).map((stream) => stream.spill()))
  }
}
