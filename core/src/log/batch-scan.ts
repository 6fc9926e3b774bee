import { BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES, parseBatchHeader, verifyCrc } from '../protocol/record-batch.ts'
import type { BatchHeader } from '../protocol/record-batch.ts'
import type { FileSystem } from './file-system.ts'

const WHOLE_CHUNK_BYTES = 1024 * 1024
const HEADER_CHUNK_BYTES = 64 * 1024

export interface ScannedBatch {
  readonly header: BatchHeader
  readonly position: number
  readonly size: number
  /** The whole batch where `checkCrc` or `whole` was asked for and for control batches, else its header; valid during the call only. */
  readonly bytes: Buffer
}

export interface ScanOptions {
  readonly from: number
  /** End of the file, or of what is of interest in it. */
  readonly to: number
  /** No batch may start below this offset; each must start at or above the end of the one before. */
  readonly minOffset: number
  /** The walk ends before a batch that starts at or above this offset. */
  readonly endOffset?: number
  readonly checkCrc: boolean
  /** Gives whole batches, not only their headers. */
  readonly whole?: boolean
}

export interface ScanResult {
  /** End of the last good batch. */
  readonly end: number
  /** Offset after the last good batch; `minOffset` where there is none. */
  readonly nextOffset: number
  /** Why the scan ended before `to`. */
  readonly problem: string | undefined
}

/**
 * Walks the batches of a log file from a position on, and ends at the first that is torn or damaged. Synchronous: for opening and
 * recovery, where nothing else can go on. `onBatch` may return false to end the walk after that batch.
 */
export function scanBatches(
  fs: FileSystem,
  fd: number,
  options: ScanOptions,
  onBatch: (batch: ScannedBatch) => boolean | undefined,
): ScanResult {
  const { from, to, checkCrc, endOffset = Infinity } = options
  const whole = checkCrc || options.whole === true
  let chunk = Buffer.allocUnsafe(Math.min(whole ? WHOLE_CHUNK_BYTES : HEADER_CHUNK_BYTES, Math.max(to - from, 1)))
  let chunkAt = from
  let chunkBytes = 0
  let position = from
  let nextOffset = options.minOffset

  /** Makes [position, position + bytes) available in the chunk; undefined past the end of the file. */
  const load = (bytes: number): number | undefined => {
    if (position + bytes > chunkAt + chunkBytes) {
      if (bytes > chunk.length) chunk = Buffer.allocUnsafe(bytes)
      chunkAt = position
      chunkBytes = readFully(fs, fd, chunk, position, Math.min(chunk.length, to - position))
    }
    return bytes > chunkBytes - (position - chunkAt) ? undefined : position - chunkAt
  }
  const result = (problem?: string): ScanResult => ({ end: position, nextOffset, problem })

  while (position < to) {
    if (to - position < BATCH_HEADER_BYTES) return result('a batch is cut off within its header')
    let at = load(BATCH_HEADER_BYTES)
    if (at === undefined) return result('the file is shorter than it was')
    let header: BatchHeader
    try {
      header = parseBatchHeader(chunk, at)
    } catch (error) {
      return result(error instanceof Error ? error.message : 'no batch')
    }
    if (header.baseOffset >= endOffset) return result()
    const size = header.batchLength + BATCH_PREFIX_BYTES
    if (position + size > to) return result('a batch is cut off')
    if (header.baseOffset < nextOffset || header.lastOffsetDelta < 0) {
      return result(`offset ${header.baseOffset} where at least ${nextOffset} is due`)
    }
    const needed = whole || header.isControl ? size : BATCH_HEADER_BYTES
    if (needed > BATCH_HEADER_BYTES) {
      at = load(needed)
      if (at === undefined) return result('the file is shorter than it was')
    }
    if (checkCrc && !verifyCrc(chunk, at)) return result('the checksum does not match')
    const goOn = onBatch({ header, position, size, bytes: chunk.subarray(at, at + needed) })
    position += size
    nextOffset = header.baseOffset + header.lastOffsetDelta + 1
    if (goOn === false) break
  }
  return result()
}

function readFully(fs: FileSystem, fd: number, into: Buffer, position: number, length: number): number {
  let done = 0
  while (done < length) {
    const bytes = fs.readSync(fd, into, done, length - done, position + done)
    if (bytes === 0) break
    done += bytes
  }
  return done
}
