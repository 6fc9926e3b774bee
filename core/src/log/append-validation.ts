import { BATCH_PREFIX_BYTES, checkRecords, parseBatchHeader, verifyCrc } from '../protocol/record-batch.ts'
import type { BatchHeader } from '../protocol/record-batch.ts'
import { ProtocolError } from '../protocol/errors.ts'
import { LogStorageError } from './errors.ts'
import type { AppendOrigin } from './producer-state.ts'
import type { TopicConfig } from './topic-config.ts'

/** Most bytes that a batch for a compacted topic may decompress to; its keys have to be looked at. */
const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024

/** A batch within the buffer of one append. */
export interface BatchToAppend {
  readonly at: number
  readonly size: number
  readonly header: BatchHeader
}

/**
 * Checks what an append brings as far as that does not depend on the state of the partition: sizes, format, checksum, counts,
 * timestamps, keys where the topic is compacted.
 * @throws LogStorageError
 */
export function checkBatches(records: Buffer, config: TopicConfig, origin: AppendOrigin, now: number): BatchToAppend[] {
  const batches: BatchToAppend[] = []
  try {
    for (let at = 0; at < records.length;) {
      const header = parseBatchHeader(records, at)
      const size = header.batchLength + BATCH_PREFIX_BYTES
      if (size > records.length - at) throw new LogStorageError('CORRUPT_MESSAGE', 'The batch is cut off.')
      checkSize(size, config)
      if (!verifyCrc(records, at)) throw new LogStorageError('CORRUPT_MESSAGE', 'The checksum does not match.')
      checkCounts(header, origin)
      if (origin !== 'replay') checkTimestamps(header, config, now)
      if (origin !== 'replay' && !header.isControl) checkContent(records, at, header, config, origin)
      batches.push({ at, size, header })
      at += size
    }
  } catch (error) {
    if (error instanceof ProtocolError) throw new LogStorageError(codeOf(error), error.message, { cause: error })
    throw error
  }
  if (batches.length === 0) throw new LogStorageError('INVALID_RECORD', 'There is no record batch to append.')
  // An append is taken whole or not at all, and so is a change to what is known of a producer: one batch at a time.
  if (batches.length > 1 && origin !== 'replay' && batches.some(({ header }) => header.producerId >= 0)) {
    throw new LogStorageError('INVALID_RECORD', 'An idempotent producer sends one batch for a partition at a time.')
  }
  return batches
}

function codeOf(error: ProtocolError): LogStorageError['code'] {
  switch (error.code) {
    case 'CORRUPT_FRAME':
    case 'UNSUPPORTED_VERSION':
      return 'CORRUPT_MESSAGE'
    case 'CORRUPT_MESSAGE':
    case 'UNSUPPORTED_FOR_MESSAGE_FORMAT':
    case 'UNSUPPORTED_COMPRESSION_TYPE':
    case 'MESSAGE_TOO_LARGE':
      return error.code
  }
}

function checkSize(size: number, config: TopicConfig): void {
  if (size > config.maxMessageBytes) {
    throw new LogStorageError(
      'MESSAGE_TOO_LARGE',
      `A batch of ${size} bytes; max.message.bytes is ${config.maxMessageBytes}.`,
    )
  }
  if (size > config.segmentBytes) {
    throw new LogStorageError(
      'RECORD_LIST_TOO_LARGE',
      `A batch of ${size} bytes; segment.bytes is ${config.segmentBytes}.`,
    )
  }
}

function checkCounts(header: BatchHeader, origin: AppendOrigin): void {
  const invalid = (message: string) => new LogStorageError('INVALID_RECORD', message)
  if (header.lastOffsetDelta < 0) throw invalid(`A batch with the last offset delta ${header.lastOffsetDelta}.`)
  if (origin === 'replay') return
  if (header.recordCount <= 0 || header.recordCount !== header.lastOffsetDelta + 1) {
    throw invalid(`A batch of ${header.recordCount} records with the last offset delta ${header.lastOffsetDelta}.`)
  }
  if (header.isTransactional && header.producerId < 0) throw invalid('A transactional batch without a producer id.')
  if (header.producerId >= 0 && header.producerEpoch < 0) throw invalid('A producer id without an epoch.')
  if (origin === 'coordinator') return
  if (header.isControl) throw invalid('Clients may not write control records.')
  if (header.producerId >= 0 && header.baseSequence < 0) throw invalid('A producer id without a sequence number.')
}

function checkTimestamps(header: BatchHeader, config: TopicConfig, now: number): void {
  if (config.messageTimestampType === 'LogAppendTime' || header.isControl) return
  const { messageTimestampAfterMaxMs: after, messageTimestampBeforeMaxMs: before } = config
  const first = header.baseTimestamp
  if (header.maxTimestamp > now + after || (first >= 0 && first < now - before)) {
    throw new LogStorageError(
      'INVALID_TIMESTAMP',
      `Timestamps ${first} to ${header.maxTimestamp} are outside of what message.timestamp.before.max.ms and message.timestamp.after.max.ms allow at ${now}.`,
    )
  }
}

/**
 * Looks into the records, since what no consumer can read would stop them all at its offset. That costs 0.1 to 0.4 ms a MiB where
 * they are not compressed, and 10 to 20 ms a MiB where they are, against 0.3 ms for all the rest: so compressed batches are opened only
 * where keys are needed, or where it is asked for.
 */
function checkContent(
  records: Buffer,
  at: number,
  header: BatchHeader,
  config: TopicConfig,
  origin: AppendOrigin,
): void {
  const { compact } = config.cleanupPolicy
  if (!compact && origin === 'coordinator') return
  if (!compact && header.compression !== 'none' && !config.validatesCompressed) return
  const keyless = checkedKeyless(records, at)
  if (compact && keyless > 0) throw new LogStorageError('INVALID_RECORD', 'A record of a compacted topic needs a key.')
}

/**
 * @throws LogStorageError INVALID_RECORD where the records are not what the header says. The checksum is right, so that they
 * were made like this: sending them again, as clients do after CORRUPT_MESSAGE, cannot help.
 */
function checkedKeyless(records: Buffer, at: number): number {
  try {
    return checkRecords(records, at, MAX_DECOMPRESSED_BYTES).keyless
  } catch (error) {
    if (!(error instanceof ProtocolError) || error.code !== 'CORRUPT_MESSAGE') throw error
    throw new LogStorageError('INVALID_RECORD', error.message, { cause: error })
  }
}
