/**
 * Record batches of format v2 (KIP-98), the hot path of producing, storing and consuming. Not messages of the codec:
 * written and read here by hand.
 *
 * Layout, big-endian: base offset 8, length 4 (of what follows), leader epoch 4, magic 1, CRC-32C 4 (of what follows),
 * attributes 2, last offset delta 4, base timestamp 8, max timestamp 8, producer id 8, producer epoch 2, base sequence
 * 4, record count 4, records. Base offset and leader epoch lie outside the checksum: the log sets them in place.
 */
import { crc32c } from '@node-rs/crc32'
import { compress, compressionTypes, decompress } from './compression.ts'
import type { CompressionType } from './compression.ts'
import { decodeVersioned, encodeVersioned } from './codec.ts'
import { corrupt, ProtocolError } from './errors.ts'
import { controlRecordKey, endTxnMarker } from './messages/control-record.ts'
import { RecordReader } from './record-reader.ts'
import type { DecodedRecord } from './record-reader.ts'
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from './varint.ts'

export type { DecodedRecord } from './record-reader.ts'

/** Bytes of a batch before its first record. */
export const BATCH_HEADER_BYTES = 61
/** Base offset and length: what is not counted in the length. */
export const BATCH_PREFIX_BYTES = 12

const BATCH_LENGTH_AT = 8
const LEADER_EPOCH_AT = 12
const MAGIC_AT = 16
const CRC_AT = 17
const ATTRIBUTES_AT = 21
const LAST_OFFSET_DELTA_AT = 23
const BASE_TIMESTAMP_AT = 27
const MAX_TIMESTAMP_AT = 35
const PRODUCER_ID_AT = 43
const PRODUCER_EPOCH_AT = 51
const BASE_SEQUENCE_AT = 53
const COUNT_AT = 57

const LOG_APPEND_TIME_BIT = 0x08
const TRANSACTIONAL_BIT = 0x10
const CONTROL_BIT = 0x20
const DELETE_HORIZON_BIT = 0x40

const ABORT_TYPE = 0
const COMMIT_TYPE = 1

/** Length, attributes, deltas of timestamp and offset, lengths of key and value, count of headers. */
const LEAST_RECORD_BYTES = 7

const TWO_32 = 2 ** 32

/** Decompressed bytes of one batch, unless the caller says otherwise. */
const MAX_DECOMPRESSED_BYTES = 128 * 1024 * 1024

export interface BatchHeader {
  readonly baseOffset: number
  /** Bytes after the length field; the whole batch has {@link BATCH_PREFIX_BYTES} more. */
  readonly batchLength: number
  readonly partitionLeaderEpoch: number
  readonly magic: number
  readonly crc: number
  readonly compression: CompressionType
  readonly timestampType: 'CreateTime' | 'LogAppendTime'
  readonly isTransactional: boolean
  readonly isControl: boolean
  readonly hasDeleteHorizon: boolean
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  /** -1 where the producer is not idempotent. */
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

/** A record header on its way out. A string stands for its UTF-8 bytes. */
export interface RecordHeaderInput {
  readonly key: string
  readonly value: Uint8Array | string | null
}

export interface RecordBatchOptions {
  readonly compression?: CompressionType
  readonly producerId?: number
  readonly producerEpoch?: number
  readonly baseSequence?: number
  readonly isTransactional?: boolean
  /** Most bytes of the batch, header included, before compression. Default 1 000 000. */
  readonly maxBytes?: number
}

/** What the log tells a batch sent twice by: the producer, and the batch's place in what it sends to the partition. */
export interface ProducerState {
  /** -1 where the producer is not idempotent. */
  readonly producerId: number
  readonly producerEpoch: number
  /** Sequence number of the first record. */
  readonly baseSequence: number
}

function readInt64(buffer: Buffer, at: number): number {
  const value = buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}

function writeInt64(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * TWO_32, at + 4)
}

/** What a new batch starts with; it grows as records come. */
const FIRST_BUFFER_BYTES = 4096
const DEFAULT_MAX_BYTES = 1_000_000

/** Builds one batch. Spent after {@link RecordBatchBuilder.build}. */
export class RecordBatchBuilder {
  /** Records so far. */
  count = 0
  private buffer: Buffer
  private at = BATCH_HEADER_BYTES
  private baseTimestamp = 0
  private maxTimestamp = -1
  private readonly options: RecordBatchOptions
  private readonly maxBytes: number

  constructor(options: RecordBatchOptions = {}) {
    this.options = options
    this.maxBytes = options.maxBytes ?? DEFAULT_MAX_BYTES
    this.buffer = Buffer.allocUnsafe(FIRST_BUFFER_BYTES)
  }

  /** Bytes of the batch as far as it goes, header included, before compression. */
  get bytes(): number {
    return this.at
  }

  /** False, and nothing done, where the record does not fit any more. The first one always does. */
  tryAppend(
    key: Uint8Array | string | null,
    value: Uint8Array | string | null,
    headers: readonly RecordHeaderInput[] | undefined,
    timestamp: number,
  ): boolean {
    const index = this.count
    if (index === 0) this.baseTimestamp = timestamp
    const timestampDelta = timestamp - this.baseTimestamp
    const keyBytes = byteLength(key)
    const valueBytes = byteLength(value)
    const body =
      1 +
      varlongBytes(timestampDelta) +
      varintBytes(index) +
      sizeOf(keyBytes) +
      sizeOf(valueBytes) +
      (headers === undefined || headers.length === 0 ? 1 : headersSize(headers))
    const start = this.at
    const end = start + varintBytes(body) + body
    if (end > this.maxBytes && index > 0) return false
    if (end > this.buffer.length) this.grow(end)
    const buffer = this.buffer
    let at = writeVarint(buffer, body, start)
    buffer[at++] = 0
    at = writeVarlong(buffer, timestampDelta, at)
    at = writeVarint(buffer, index, at)
    at = writeNullable(buffer, key, keyBytes, at)
    at = writeNullable(buffer, value, valueBytes, at)
    if (headers === undefined || headers.length === 0) buffer[at] = 0
    else writeHeaders(buffer, headers, at)
    this.at = end
    this.count = index + 1
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return true
  }

  private grow(least: number): void {
    const grown = Buffer.allocUnsafe(Math.max(Math.min(this.buffer.length * 4, this.maxBytes), least))
    grown.set(this.buffer.subarray(0, this.at))
    this.buffer = grown
  }

  /**
   * The batch as it goes over the wire, with base offset 0.
   * @param state where it is known only now; else that of the options
   */
  build(state?: ProducerState): Buffer {
    const { compression = 'none', isTransactional = false } = this.options
    let batch = this.buffer.subarray(0, this.at)
    if (compression !== 'none') {
      const records = compress(compression, batch.subarray(BATCH_HEADER_BYTES))
      batch = Buffer.concat([batch.subarray(0, BATCH_HEADER_BYTES), records])
    }
    const attributes = compressionTypes.indexOf(compression) | (isTransactional ? TRANSACTIONAL_BIT : 0)
    writeHeader(batch, {
      attributes,
      lastOffsetDelta: this.count - 1,
      baseTimestamp: this.baseTimestamp,
      maxTimestamp: this.maxTimestamp,
      producerId: state?.producerId ?? this.options.producerId ?? -1,
      producerEpoch: state?.producerEpoch ?? this.options.producerEpoch ?? -1,
      baseSequence: state?.baseSequence ?? this.options.baseSequence ?? -1,
      recordCount: this.count,
    })
    return batch
  }
}

interface HeaderFields {
  readonly attributes: number
  readonly lastOffsetDelta: number
  readonly baseTimestamp: number
  readonly maxTimestamp: number
  readonly producerId: number
  readonly producerEpoch: number
  readonly baseSequence: number
  readonly recordCount: number
}

function writeHeader(batch: Buffer, header: HeaderFields): void {
  writeInt64(batch, 0, 0)
  batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, BATCH_LENGTH_AT)
  batch.writeInt32BE(-1, LEADER_EPOCH_AT)
  batch[MAGIC_AT] = 2
  batch.writeInt16BE(header.attributes, ATTRIBUTES_AT)
  batch.writeInt32BE(header.lastOffsetDelta, LAST_OFFSET_DELTA_AT)
  writeInt64(batch, header.baseTimestamp, BASE_TIMESTAMP_AT)
  writeInt64(batch, header.maxTimestamp, MAX_TIMESTAMP_AT)
  writeInt64(batch, header.producerId, PRODUCER_ID_AT)
  batch.writeInt16BE(header.producerEpoch, PRODUCER_EPOCH_AT)
  batch.writeInt32BE(header.baseSequence, BASE_SEQUENCE_AT)
  batch.writeInt32BE(header.recordCount, COUNT_AT)
  writeCrc(batch, 0)
}

/** Up to here a loop over the characters is faster than a call into native code. */
const SHORT_STRING = 32

/** -1 for null. */
function byteLength(value: Uint8Array | string | null): number {
  if (value === null) return -1
  const length = value.length
  if (typeof value !== 'string') return length
  if (length > SHORT_STRING) return Buffer.byteLength(value)
  for (let i = 0; i < length; i++) {
    if (value.charCodeAt(i) > 127) return Buffer.byteLength(value)
  }
  return length
}

/** Bytes of a length and what it counts. */
function sizeOf(length: number): number {
  return length < 0 ? 1 : varintBytes(length) + length
}

function headersSize(headers: readonly RecordHeaderInput[]): number {
  let size = varintBytes(headers.length)
  for (const { key, value } of headers) size += sizeOf(byteLength(key)) + sizeOf(byteLength(value))
  return size
}

function writeHeaders(buffer: Buffer, headers: readonly RecordHeaderInput[], start: number): void {
  let at = writeVarint(buffer, headers.length, start)
  for (const { key, value } of headers) {
    at = writeNullable(buffer, key, byteLength(key), at)
    at = writeNullable(buffer, value, byteLength(value), at)
  }
}

function writeNullable(buffer: Buffer, value: Uint8Array | string | null, length: number, start: number): number {
  const at = writeVarint(buffer, length, start)
  if (value === null) return at
  if (typeof value !== 'string') buffer.set(value, at)
  else if (length !== value.length) buffer.write(value, at, length, 'utf8')
  // As many bytes as characters: all of them are ASCII.
  else if (length > SHORT_STRING) buffer.write(value, at, length, 'latin1')
  else for (let i = 0; i < length; i++) buffer[at + i] = value.charCodeAt(i)
  return at + length
}

/**
 * Reads the header of the batch at `at`, without its checksum.
 * @throws ProtocolError where fewer bytes are there than a header has, or the batch is of an old format
 */
export function parseBatchHeader(buffer: Buffer, at = 0): BatchHeader {
  if (buffer.length - at < BATCH_PREFIX_BYTES + 5) throw corrupt(`${buffer.length - at} bytes are no record batch`)
  const magic = buffer[at + MAGIC_AT]!
  if (magic !== 2) {
    if (magic < 2) throw new ProtocolError('UNSUPPORTED_FOR_MESSAGE_FORMAT', `records of format v${magic}`)
    throw corrupt(`magic ${magic}`)
  }
  const batchLength = buffer.readInt32BE(at + BATCH_LENGTH_AT)
  if (batchLength < BATCH_HEADER_BYTES - BATCH_PREFIX_BYTES || buffer.length - at < BATCH_HEADER_BYTES) {
    throw corrupt(`batch length ${batchLength}, ${buffer.length - at} bytes left`)
  }
  const attributes = buffer.readInt16BE(at + ATTRIBUTES_AT)
  const compression = compressionTypes[attributes & 7]
  if (compression === undefined) {
    throw new ProtocolError('UNSUPPORTED_COMPRESSION_TYPE', `compression type ${attributes & 7}`)
  }
  return {
    baseOffset: readInt64(buffer, at),
    batchLength,
    partitionLeaderEpoch: buffer.readInt32BE(at + LEADER_EPOCH_AT),
    magic,
    crc: buffer.readUInt32BE(at + CRC_AT),
    compression,
    timestampType: (attributes & LOG_APPEND_TIME_BIT) === 0 ? 'CreateTime' : 'LogAppendTime',
    isTransactional: (attributes & TRANSACTIONAL_BIT) !== 0,
    isControl: (attributes & CONTROL_BIT) !== 0,
    hasDeleteHorizon: (attributes & DELETE_HORIZON_BIT) !== 0,
    lastOffsetDelta: buffer.readInt32BE(at + LAST_OFFSET_DELTA_AT),
    baseTimestamp: readInt64(buffer, at + BASE_TIMESTAMP_AT),
    maxTimestamp: readInt64(buffer, at + MAX_TIMESTAMP_AT),
    producerId: readInt64(buffer, at + PRODUCER_ID_AT),
    producerEpoch: buffer.readInt16BE(at + PRODUCER_EPOCH_AT),
    baseSequence: buffer.readInt32BE(at + BASE_SEQUENCE_AT),
    recordCount: buffer.readInt32BE(at + COUNT_AT),
  }
}

/** A complete batch within a buffer. */
export interface BatchAt {
  /** Where it starts. */
  readonly at: number
  /** Bytes of the whole batch. */
  readonly size: number
  readonly header: BatchHeader
}

/**
 * The complete batches of a buffer, one after the other. A batch cut off at the end, as fetches may have, ends it.
 * @throws ProtocolError where what follows is no batch
 */
export function* iterateBatches(buffer: Buffer): Generator<BatchAt, void, void> {
  let at = 0
  while (buffer.length - at >= BATCH_HEADER_BYTES) {
    const header = parseBatchHeader(buffer, at)
    const size = header.batchLength + BATCH_PREFIX_BYTES
    if (buffer.length - at < size) return
    yield { at, size, header }
    at += size
  }
}

/**
 * Whether the batch at `at` is undamaged.
 * @throws ProtocolError where it is not complete
 */
export function verifyCrc(buffer: Buffer, at = 0): boolean {
  return crcOf(buffer, at) === buffer.readUInt32BE(at + CRC_AT)
}

/** In place; outside the checksum. */
export function setBaseOffset(buffer: Buffer, at: number, offset: number): void {
  writeInt64(buffer, offset, at)
}

/** In place; outside the checksum. */
export function setLeaderEpoch(buffer: Buffer, at: number, epoch: number): void {
  buffer.writeInt32BE(epoch, at + LEADER_EPOCH_AT)
}

/** In place, with the checksum: for topics with `message.timestamp.type=LogAppendTime`. */
export function setLogAppendTime(buffer: Buffer, at: number, timestamp: number): void {
  buffer.writeInt16BE(buffer.readInt16BE(at + ATTRIBUTES_AT) | LOG_APPEND_TIME_BIT, at + ATTRIBUTES_AT)
  writeInt64(buffer, timestamp, at + MAX_TIMESTAMP_AT)
  writeCrc(buffer, at)
}

/** In place, with the checksum: for a producer that sends a batch anew under another epoch. */
export function setProducerState(buffer: Buffer, at: number, state: ProducerState): void {
  writeInt64(buffer, state.producerId, at + PRODUCER_ID_AT)
  buffer.writeInt16BE(state.producerEpoch, at + PRODUCER_EPOCH_AT)
  buffer.writeInt32BE(state.baseSequence, at + BASE_SEQUENCE_AT)
  writeCrc(buffer, at)
}

/** The record bytes of the complete batch at `at`, decompressed, as far as its header can be true. */
function recordBytes(buffer: Buffer, at: number, header: BatchHeader, maxBytes: number): Buffer {
  const end = at + BATCH_PREFIX_BYTES + header.batchLength
  if (end > buffer.length) throw corrupt('the batch is cut off')
  const stored = buffer.subarray(at + BATCH_HEADER_BYTES, end)
  const bytes = header.compression === 'none' ? stored : decompress(header.compression, stored, maxBytes)
  if (header.recordCount < 0 || header.recordCount * LEAST_RECORD_BYTES > bytes.length) {
    throw corrupt(`${header.recordCount} records in ${bytes.length} bytes`)
  }
  return bytes
}

/**
 * The records of the complete batch at `at`, control records included. Does not check the checksum.
 * @param maxBytes of the records, decompressed
 * @throws ProtocolError
 */
export function decodeRecords(buffer: Buffer, at = 0, maxBytes = MAX_DECOMPRESSED_BYTES): DecodedRecord[] {
  const header = parseBatchHeader(buffer, at)
  const reader = new RecordReader(recordBytes(buffer, at, header, maxBytes))
  const appendTime = header.timestampType === 'LogAppendTime' ? header.maxTimestamp : undefined
  const records: DecodedRecord[] = []
  for (let i = 0; i < header.recordCount; i++)
    records.push(reader.record(header.baseOffset, header.baseTimestamp, appendTime))
  return records
}

/** What {@link checkRecords} found. */
export interface CheckedRecords {
  /** Records without a key, which a compacted topic refuses. */
  readonly keyless: number
}

/**
 * Walks the records of a batch from a producer without making objects of them: whether they are what the header says,
 * with offsets that count up from 0. A batch whose checksum is right can still hold what no consumer could read.
 * @throws ProtocolError
 */
export function checkRecords(buffer: Buffer, at = 0, maxBytes = MAX_DECOMPRESSED_BYTES): CheckedRecords {
  const header = parseBatchHeader(buffer, at)
  const { recordCount } = header
  if (recordCount < 1 || header.lastOffsetDelta !== recordCount - 1) {
    throw corrupt(`${recordCount} records with a last offset delta of ${header.lastOffsetDelta}`)
  }
  const reader = new RecordReader(recordBytes(buffer, at, header, maxBytes))
  let keyless = 0
  for (let i = 0; i < recordCount; i++) if (!reader.check(i)) keyless++
  reader.expectEnd()
  return { keyless }
}

export interface ControlRecord {
  readonly type: 'ABORT' | 'COMMIT'
  readonly coordinatorEpoch: number
}

/** The marker that ends a transaction in a partition: a batch of one control record. */
export function encodeControlBatch(
  marker: ControlRecord & { readonly producerId: number; readonly producerEpoch: number; readonly timestamp: number },
): Buffer {
  const key = encodeVersioned(controlRecordKey, 0, { type: marker.type === 'COMMIT' ? COMMIT_TYPE : ABORT_TYPE })
  const value = encodeVersioned(endTxnMarker, 0, { coordinatorEpoch: marker.coordinatorEpoch })
  const builder = new RecordBatchBuilder({ producerId: marker.producerId, producerEpoch: marker.producerEpoch })
  builder.tryAppend(key, value, undefined, marker.timestamp)
  const batch = builder.build()
  batch.writeInt16BE(TRANSACTIONAL_BIT | CONTROL_BIT, ATTRIBUTES_AT)
  writeCrc(batch, 0)
  return batch
}

/**
 * What the record of a control batch says; null for types that are no transaction markers.
 * @throws ProtocolError
 */
export function decodeControl(record: DecodedRecord): ControlRecord | null {
  const { key, value } = record
  if (key === null || value === null) throw corrupt('control record without a type or a value')
  const { type } = decodeVersioned(controlRecordKey, key).value
  if (type !== ABORT_TYPE && type !== COMMIT_TYPE) return null
  const { coordinatorEpoch } = decodeVersioned(endTxnMarker, value).value
  return { type: type === COMMIT_TYPE ? 'COMMIT' : 'ABORT', coordinatorEpoch }
}

/** Of the complete batch at `at`. */
function crcOf(buffer: Buffer, at: number): number {
  if (buffer.length - at < BATCH_HEADER_BYTES) throw corrupt('the batch is cut off')
  const end = at + BATCH_PREFIX_BYTES + buffer.readInt32BE(at + BATCH_LENGTH_AT)
  if (end - at < BATCH_HEADER_BYTES || end > buffer.length) throw corrupt('the batch is cut off')
  return crc32c(buffer.subarray(at + ATTRIBUTES_AT, end))
}

function writeCrc(buffer: Buffer, at: number): void {
  buffer.writeUInt32BE(crcOf(buffer, at), at + CRC_AT)
}
