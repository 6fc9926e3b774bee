import {
  BATCH_HEADER_BYTES,
  BATCH_PREFIX_BYTES,
  decodeControl,
  decodeRecords,
  iterateBatches,
  verifyCrc,
  type BatchAt,
} from '../protocol/record-batch.ts'
import { LogError, type InRecord } from './client.ts'

export interface AbortedTransaction {
  readonly producerId: number
  readonly firstOffset: number
}

export interface FetchedChunk {
  readonly topic: string
  readonly partition: number
  /** Where reading was to go on; records before it, which the first batch may hold, are not for the reader. */
  readonly offset: number
  readonly records: Buffer
  /** By first offset; empty for readers that take uncommitted records too. */
  readonly aborted: readonly AbortedTransaction[]
}

const LAST_OFFSET_DELTA_AT = 23

/**
 * The offset after the last complete batch; `offset` where there is none. Looks at lengths alone, so that the next
 * fetch can be on its way before this one is decoded.
 */
export function nextOffsetOf(records: Buffer, offset: number): number {
  let next = offset
  let at = 0
  while (records.length - at >= BATCH_HEADER_BYTES) {
    const size = records.readInt32BE(at + 8) + BATCH_PREFIX_BYTES
    if (size < BATCH_HEADER_BYTES || records.length - at < size) break
    const base = records.readInt32BE(at) * 2 ** 32 + records.readUInt32BE(at + 4)
    next = Math.max(next, base + records.readInt32BE(at + LAST_OFFSET_DELTA_AT) + 1)
    at += size
  }
  return next
}

/**
 * The records that the reader is to see: no control records, none of aborted transactions, none before the offset.
 * @throws LogError CORRUPT_MESSAGE where a batch is damaged
 */
export function decodeFetch(chunk: FetchedChunk): InRecord[] {
  const runs: InRecord[][] = []
  const aborting = new Set<number>()
  let nextAborted = 0
  for (const batch of batchesOf(chunk)) {
    const { at, header } = batch
    const lastOffset = header.baseOffset + header.lastOffsetDelta
    for (; nextAborted < chunk.aborted.length; nextAborted++) {
      const transaction = chunk.aborted[nextAborted]!
      if (transaction.firstOffset > lastOffset) break
      aborting.add(transaction.producerId)
    }
    if (header.isControl) {
      if (isAbort(chunk, at)) aborting.delete(header.producerId)
      continue
    }
    if (lastOffset < chunk.offset || (header.isTransactional && aborting.has(header.producerId))) continue
    if (!verifyCrc(chunk.records, at)) throw corrupt(chunk, `checksum of the batch at offset ${header.baseOffset}`)
    const records: InRecord[] = decodeRecords(chunk.records, at)
    runs.push(header.baseOffset >= chunk.offset ? records : records.filter((record) => record.offset >= chunk.offset))
  }
  return runs.length === 1 ? runs[0]! : runs.flat()
}

function* batchesOf(chunk: FetchedChunk): Generator<BatchAt, void, void> {
  try {
    yield* iterateBatches(chunk.records)
  } catch (cause) {
    throw corrupt(chunk, String(cause), cause)
  }
}

function isAbort(chunk: FetchedChunk, at: number): boolean {
  const [record] = decodeRecords(chunk.records, at)
  return record !== undefined && decodeControl(record)?.type === 'ABORT'
}

function corrupt(chunk: FetchedChunk, what: string, cause?: unknown): LogError {
  const message = `${chunk.topic}-${chunk.partition}, reading at offset ${chunk.offset}: damaged: ${what}`
  return new LogError('CORRUPT_MESSAGE', message, { retriable: true, cause })
}
