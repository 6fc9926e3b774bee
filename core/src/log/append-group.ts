import { ProtocolError } from '../protocol/errors.ts'
import {
  decodeControl,
  decodeRecords,
  setBaseOffset,
  setLeaderEpoch,
  setLogAppendTime,
} from '../protocol/record-batch.ts'
import type { BatchHeader } from '../protocol/record-batch.ts'
import type { BatchToAppend } from './append-validation.ts'
import { LogStorageError } from './errors.ts'
import type { AppendOrigin, CompletedTransaction, ProducerStates } from './producer-state.ts'
import { summaryOf } from './segment.ts'
import type { BatchSummary } from './segment.ts'
import type { TopicConfig } from './topic-config.ts'

/** -1: answered once durable by the flush policy; 1 and 0: once written. */
export type Acks = -1 | 0 | 1

export interface AppendOptions {
  readonly acks: Acks
  readonly origin: AppendOrigin
}

export interface AppendResult {
  /** Offset of the first record; of the original one for a duplicate. */
  readonly baseOffset: number
  /** Offset of the last record. */
  readonly lastOffset: number
  /** The log's time where message.timestamp.type is LogAppendTime, else -1. */
  readonly logAppendTime: number
  /** An idempotent producer sent a batch again that is in the log already; nothing was appended. */
  readonly duplicate: boolean
}

/** An append that has passed the checks that need no state. */
export interface PendingAppend {
  readonly records: Buffer
  readonly batches: readonly BatchToAppend[]
  readonly options: AppendOptions
  readonly resolve: (result: AppendResult) => void
  readonly reject: (error: LogStorageError) => void
}

export interface PreparedAppend {
  readonly pending: PendingAppend
  readonly result: AppendResult
  /** What must be durable before an acks=all append is answered. */
  readonly end: number
}

/** One broker, one leader, one epoch. */
export const LEADER_EPOCH = 0

/** Appends that are written together. */
export class AppendGroup {
  readonly appends: PreparedAppend[] = []
  readonly buffers: Buffer[] = []
  readonly batches: BatchSummary[] = []
  readonly completed: CompletedTransaction[] = []
  bytes = 0
  /** Offset after the last record. */
  end: number

  constructor(end: number) {
    this.end = end
  }

  /**
   * Gives an append its offsets and takes what it says of its producer.
   * @throws LogStorageError; nothing has changed then
   */
  add(pending: PendingAppend, states: ProducerStates, config: TopicConfig, now: number): void {
    const { records, batches, options } = pending
    const first = batches[0]!.header
    const duplicate = options.origin === 'client' ? states.findDuplicate(first) : undefined
    if (duplicate !== undefined) {
      const { lastOffset, offsetDelta } = duplicate
      const result = { baseOffset: lastOffset - offsetDelta, lastOffset, logAppendTime: -1, duplicate: true }
      this.appends.push({ pending, result, end: lastOffset + 1 })
      return
    }
    const logAppendTime = config.messageTimestampType === 'LogAppendTime' ? now : -1
    const baseOffset = options.origin === 'replay' ? Math.max(first.baseOffset, this.end) : this.end
    let end = baseOffset
    for (const { at, size, header: given } of batches) {
      const header: BatchHeader = {
        ...given,
        baseOffset: end,
        maxTimestamp: logAppendTime === -1 ? given.maxTimestamp : logAppendTime,
      }
      if (header.producerId >= 0) this.#noteProducer(header, records, at, options.origin, states)
      setBaseOffset(records, at, end)
      setLeaderEpoch(records, at, LEADER_EPOCH)
      if (logAppendTime !== -1) setLogAppendTime(records, at, logAppendTime)
      this.batches.push(summaryOf(header, size))
      end += header.lastOffsetDelta + 1
    }
    this.buffers.push(records)
    this.bytes += records.length
    this.end = end
    const result = { baseOffset, lastOffset: end - 1, logAppendTime, duplicate: false }
    this.appends.push({ pending, result, end })
  }

  #noteProducer(header: BatchHeader, records: Buffer, at: number, origin: AppendOrigin, states: ProducerStates): void {
    if (!header.isControl) {
      states.addBatch(header, origin)
      return
    }
    const marker = readMarker(records, at)
    const completed = marker === null ? undefined : states.addMarker(header, marker, origin)
    if (completed !== undefined) this.completed.push(completed)
  }
}

function readMarker(records: Buffer, at: number) {
  try {
    const record = decodeRecords(records, at)[0]
    return record === undefined ? null : decodeControl(record)
  } catch (error) {
    if (error instanceof ProtocolError) throw new LogStorageError('INVALID_RECORD', error.message, { cause: error })
    throw error
  }
}
