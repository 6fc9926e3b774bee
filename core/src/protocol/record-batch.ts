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
import { ProtocolError } from './errors.ts'

/** Bytes of a batch before its first record. */
export const BATCH_HEADER_BYTES = 61
/** Base offset and length: what is not counted in the length. */
export const BATCH_PREFIX_BYTES = 12

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

/** A record header. The value is a view into the batch. */
export interface RecordHeader {
  readonly key: string
  readonly value: Buffer | null
}

/** A record out of a batch. Key and value are views into the batch: copy what is kept for long. */
export interface DecodedRecord {
  readonly offset: number
  readonly timestamp: number
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: readonly RecordHeader[]
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
  /** The batch is full when its records take this many bytes, before compression. The first record always fits. */
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

const NO_HEADERS: readonly RecordHeader[] = []

function readInt64(buffer: Buffer, at: number): number {
  const value = buffer.readInt32BE(at) * TWO_32 + buffer.readUInt32BE(at + 4)
  return Math.min(Math.max(value, Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER)
}

function writeInt64(buffer: Buffer, value: number, at: number): void {
  const high = Math.floor(value / TWO_32)
  buffer.writeInt32BE(high, at)
  buffer.writeUInt32BE(value - high * TWO_32, at + 4)
}

/** Builds one batch. Spent after {@link RecordBatchBuilder.build}. */
export class RecordBatchBuilder {
  count = 0
  private buffer: Buffer
  private at = BATCH_HEADER_BYTES
  private baseTimestamp = 0
  private maxTimestamp = -1
  private readonly options: RecordBatchOptions
  private readonly maxBytes: number

  constructor(options: RecordBatchOptions = {}) {
    this.options = options
    this.maxBytes = options.maxBytes ?? 1_000_000
    this.buffer = Buffer.allocUnsafe(Math.min(this.maxBytes, 16_384) + BATCH_HEADER_BYTES)
  }

  /** Bytes of the batch as far as it goes, before compression. */
  get bytes(): number {
    return this.at
  }

  /** False, and nothing done, where the record does not fit any more. */
  tryAppend(
    key: Uint8Array | string | null,
    value: Uint8Array | string | null,
    headers: readonly RecordHeaderInput[] | undefined,
    timestamp: number,
  ): boolean {
    if (this.count === 0) this.baseTimestamp = timestamp
    const timestampDelta = timestamp - this.baseTimestamp
    const keyBytes = byteLength(key)
    const valueBytes = byteLength(value)
    const body =
      1 +
      varlongSize(timestampDelta) +
      varintSize(this.count) +
      varintSize(keyBytes) +
      Math.max(keyBytes, 0) +
      varintSize(valueBytes) +
      Math.max(valueBytes, 0) +
      headersSize(headers)
    const size = varintSize(body) + body
    if (this.at + size > this.maxBytes && this.count > 0) return false
    this.ensure(size)
    const buffer = this.buffer
    let at = writeVarint(buffer, body, this.at)
    buffer[at++] = 0
    at = writeVarlong(buffer, timestampDelta, at)
    at = writeVarint(buffer, this.count, at)
    at = writeNullable(buffer, key, keyBytes, at)
    at = writeNullable(buffer, value, valueBytes, at)
    at = writeHeaders(buffer, headers, at)
    this.at = at
    this.count++
    if (timestamp > this.maxTimestamp) this.maxTimestamp = timestamp
    return true
  }

  private ensure(size: number): void {
    if (this.at + size <= this.buffer.length) return
    const grown = Buffer.allocUnsafe(Math.max(this.buffer.length * 2, this.at + size))
    this.buffer.copy(grown, 0, 0, this.at)
    this.buffer = grown
  }

  /** @param state where it is known only now; else that of the options */
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
  batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, 8)
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
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
}

function byteLength(value: Uint8Array | string | null): number {
  if (value === null) return -1
  return typeof value === 'string' ? Buffer.byteLength(value) : value.length
}

function headersSize(headers: readonly RecordHeaderInput[] | undefined): number {
  if (headers === undefined || headers.length === 0) return 1
  let size = varintSize(headers.length)
  for (const header of headers) {
    const keyBytes = Buffer.byteLength(header.key)
    const valueBytes = byteLength(header.value)
    size += varintSize(keyBytes) + keyBytes + varintSize(valueBytes) + Math.max(valueBytes, 0)
  }
  return size
}

function writeHeaders(buffer: Buffer, headers: readonly RecordHeaderInput[] | undefined, start: number): number {
  if (headers === undefined || headers.length === 0) {
    buffer[start] = 0
    return start + 1
  }
  let at = writeVarint(buffer, headers.length, start)
  for (const { key, value } of headers) {
    at = writeNullable(buffer, key, Buffer.byteLength(key), at)
    at = writeNullable(buffer, value, byteLength(value), at)
  }
  return at
}

function writeNullable(buffer: Buffer, value: Uint8Array | string | null, length: number, start: number): number {
  const at = writeVarint(buffer, length, start)
  if (value === null) return at
  if (typeof value === 'string') buffer.write(value, at, length, 'utf8')
  else buffer.set(value, at)
  return at + length
}

/** Bytes of a zigzag varint of 32 bits. */
function varintSize(value: number): number {
  const zigzag = ((value << 1) ^ (value >> 31)) >>> 0
  return zigzag < 0x80 ? 1 : zigzag < 0x4000 ? 2 : zigzag < 0x200000 ? 3 : zigzag < 0x10000000 ? 4 : 5
}

function varlongSize(value: number): number {
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  let size = 1
  for (; rest >= 128; size++) rest = Math.floor(rest / 128)
  return size
}

function writeVarint(buffer: Buffer, value: number, start: number): number {
  let at = start
  let rest = ((value << 1) ^ (value >> 31)) >>> 0
  while (rest > 127) {
    buffer[at++] = (rest & 0x7f) | 0x80
    rest >>>= 7
  }
  buffer[at++] = rest
  return at
}

function writeVarlong(buffer: Buffer, value: number, start: number): number {
  let at = start
  let rest = value < 0 ? -value * 2 - 1 : value * 2
  while (rest > 127) {
    buffer[at++] = (rest % 128) | 0x80
    rest = Math.floor(rest / 128)
  }
  buffer[at++] = rest
  return at
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
  const batchLength = buffer.readInt32BE(at + 8)
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

/** Whether the batch at `at`, which has to be complete, is undamaged. */
export function verifyCrc(buffer: Buffer, at = 0): boolean {
  const end = at + BATCH_PREFIX_BYTES + buffer.readInt32BE(at + 8)
  return crc32c(buffer.subarray(at + ATTRIBUTES_AT, end)) === buffer.readUInt32BE(at + CRC_AT)
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
  const end = at + BATCH_PREFIX_BYTES + buffer.readInt32BE(at + 8)
  buffer.writeUInt32BE(crc32c(buffer.subarray(at + ATTRIBUTES_AT, end)), at + CRC_AT)
}

/** In place, with the checksum: for a producer that sends a batch anew under another epoch. */
export function setProducerState(buffer: Buffer, at: number, state: ProducerState): void {
  writeInt64(buffer, state.producerId, at + PRODUCER_ID_AT)
  buffer.writeInt16BE(state.producerEpoch, at + PRODUCER_EPOCH_AT)
  buffer.writeInt32BE(state.baseSequence, at + BASE_SEQUENCE_AT)
  const end = at + BATCH_PREFIX_BYTES + buffer.readInt32BE(at + 8)
  buffer.writeUInt32BE(crc32c(buffer.subarray(at + ATTRIBUTES_AT, end)), at + CRC_AT)
}

/**
 * The records of the complete batch at `at`, control records included. Does not check the checksum.
 * @throws ProtocolError
 */
export function decodeRecords(buffer: Buffer, at = 0, maxBytes = MAX_DECOMPRESSED_BYTES): DecodedRecord[] {
  const header = parseBatchHeader(buffer, at)
  const end = at + BATCH_PREFIX_BYTES + header.batchLength
  if (end > buffer.length) throw corrupt('the batch is cut off')
  const stored = buffer.subarray(at + BATCH_HEADER_BYTES, end)
  const body = header.compression === 'none' ? stored : decompress(header.compression, stored, maxBytes)
  // A record takes seven bytes at least.
  if (header.recordCount < 0 || header.recordCount * 7 > body.length) {
    throw corrupt(`${header.recordCount} records in ${body.length} bytes`)
  }
  const reader = new RecordReader(body)
  const records: DecodedRecord[] = []
  for (let i = 0; i < header.recordCount; i++) records.push(reader.record(header))
  return records
}

class RecordReader {
  private readonly buffer: Buffer
  private at = 0

  constructor(buffer: Buffer) {
    this.buffer = buffer
  }

  record(header: BatchHeader): DecodedRecord {
    const length = this.varint()
    const end = this.at + length
    if (length < 0 || end > this.buffer.length) throw corrupt(`record of ${length} bytes`)
    this.at++
    const timestampDelta = this.varlong()
    const offsetDelta = this.varint()
    const key = this.bytes()
    const value = this.bytes()
    const headers = this.headers()
    if (this.at !== end) throw corrupt(`record of ${length} bytes that ends elsewhere`)
    return {
      offset: header.baseOffset + offsetDelta,
      timestamp: header.timestampType === 'LogAppendTime' ? header.maxTimestamp : header.baseTimestamp + timestampDelta,
      key,
      value,
      headers,
    }
  }

  private headers(): readonly RecordHeader[] {
    const count = this.varint()
    if (count === 0) return NO_HEADERS
    if (count < 0 || count > this.buffer.length - this.at) throw corrupt(`${count} headers`)
    const headers: RecordHeader[] = []
    for (let i = 0; i < count; i++) {
      const key = this.bytes()
      if (key === null) throw corrupt('a header without a key')
      headers.push({ key: key.toString(), value: this.bytes() })
    }
    return headers
  }

  private bytes(): Buffer | null {
    const length = this.varint()
    if (length < 0) return null
    const at = this.at
    if (length > this.buffer.length - at) throw corrupt(`${length} bytes in a record, ${this.buffer.length - at} left`)
    this.at = at + length
    return this.buffer.subarray(at, at + length)
  }

  private varint(): number {
    let value = 0
    for (let shift = 0; shift < 35; shift += 7) {
      const byte = this.buffer[this.at++]
      if (byte === undefined) throw corrupt('the records are cut off')
      value |= (byte & 0x7f) << shift
      if (byte < 128) return (value >>> 1) ^ -(value & 1)
    }
    throw corrupt('varint of more than five bytes')
  }

  private varlong(): number {
    let value = 0
    let factor = 1
    for (let i = 0; i < 10; i++) {
      const byte = this.buffer[this.at++]
      if (byte === undefined) throw corrupt('the records are cut off')
      value += (byte & 0x7f) * factor
      if (byte < 128) return value % 2 === 0 ? value / 2 : -(value + 1) / 2
      factor *= 128
    }
    throw corrupt('varint of more than ten bytes')
  }
}

export interface ControlRecord {
  readonly type: 'ABORT' | 'COMMIT'
  readonly coordinatorEpoch: number
}

/** The marker that ends a transaction in a partition: a batch of one control record. */
export function encodeControlBatch(
  marker: ControlRecord & { readonly producerId: number; readonly producerEpoch: number; readonly timestamp: number },
): Buffer {
  const key = Buffer.alloc(4)
  key.writeInt16BE(marker.type === 'COMMIT' ? 1 : 0, 2)
  const value = Buffer.alloc(6)
  value.writeInt32BE(marker.coordinatorEpoch, 2)
  const builder = new RecordBatchBuilder({ producerId: marker.producerId, producerEpoch: marker.producerEpoch })
  builder.tryAppend(key, value, undefined, marker.timestamp)
  const batch = builder.build()
  batch.writeInt16BE(TRANSACTIONAL_BIT | CONTROL_BIT, ATTRIBUTES_AT)
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

/**
 * What the control record of a control batch says; null for types that are no transaction markers.
 * @throws ProtocolError
 */
export function decodeControl(record: DecodedRecord): ControlRecord | null {
  const { key, value } = record
  if (key === null || key.length < 4) throw corrupt('control record without a type')
  const type = key.readInt16BE(2)
  if (type !== 0 && type !== 1) return null
  if (value === null || value.length < 6) throw corrupt('transaction marker without a coordinator epoch')
  return { type: type === 1 ? 'COMMIT' : 'ABORT', coordinatorEpoch: value.readInt32BE(2) }
}

function corrupt(message: string): ProtocolError {
  return new ProtocolError('CORRUPT_MESSAGE', message)
}
