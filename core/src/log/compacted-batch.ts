import { crc32c } from '@node-rs/crc32'
import { compress, compressionTypes } from '../protocol/compression.ts'
import { BATCH_HEADER_BYTES, BATCH_PREFIX_BYTES } from '../protocol/record-batch.ts'
import type { BatchHeader, DecodedRecord } from '../protocol/record-batch.ts'
import { varintBytes, varlongBytes, writeVarint, writeVarlong } from '../protocol/varint.ts'
import { writeInt64 } from './int64.ts'

const CRC_AT = 17
const ATTRIBUTES_AT = 21

/**
 * A batch with only some of its records: its offsets, producer and sequence numbers stay, so that it ends where it ended before
 * and its producer is still known.
 *
 * @param deleteHorizonMs when its tombstones or its marker may go (KIP-534); kept in place of the base timestamp, from which the
 *   records' timestamps then count
 */
export function rebuildBatch(
  header: BatchHeader,
  records: readonly DecodedRecord[],
  deleteHorizonMs: number | undefined,
): Buffer {
  const baseTimestamp = deleteHorizonMs ?? records[0]?.timestamp ?? -1
  const plain = encodeRecords(records, header.baseOffset, baseTimestamp)
  const compression = records.length === 0 ? 'none' : header.compression
  const body = compression === 'none' ? plain : compress(compression, plain)
  const attributes =
    compressionTypes.indexOf(compression) |
    (header.timestampType === 'LogAppendTime' ? 0x08 : 0) |
    (header.isTransactional ? 0x10 : 0) |
    (header.isControl ? 0x20 : 0) |
    (deleteHorizonMs === undefined ? 0 : 0x40)
  const batch = Buffer.allocUnsafe(BATCH_HEADER_BYTES + body.length)
  writeInt64(batch, header.baseOffset, 0)
  batch.writeInt32BE(batch.length - BATCH_PREFIX_BYTES, 8)
  batch.writeInt32BE(header.partitionLeaderEpoch, 12)
  batch[16] = 2
  batch.writeInt16BE(attributes, ATTRIBUTES_AT)
  batch.writeInt32BE(header.lastOffsetDelta, 23)
  writeInt64(batch, baseTimestamp, 27)
  writeInt64(batch, maxTimestamp(header, records), 35)
  writeInt64(batch, header.producerId, 43)
  batch.writeInt16BE(header.producerEpoch, 51)
  batch.writeInt32BE(header.baseSequence, 53)
  batch.writeInt32BE(records.length, 57)
  body.copy(batch, BATCH_HEADER_BYTES)
  batch.writeUInt32BE(crc32c(batch.subarray(ATTRIBUTES_AT)), CRC_AT)
  return batch
}

function maxTimestamp(header: BatchHeader, records: readonly DecodedRecord[]): number {
  if (header.timestampType === 'LogAppendTime' || records.length === 0) return header.maxTimestamp
  return records.reduce((latest, record) => Math.max(latest, record.timestamp), -1)
}

function encodeRecords(records: readonly DecodedRecord[], baseOffset: number, baseTimestamp: number): Buffer {
  const sizes = records.map((record) => bodyBytes(record, baseOffset, baseTimestamp))
  const total = sizes.reduce((sum, size) => sum + varintBytes(size) + size, 0)
  const buffer = Buffer.allocUnsafe(total)
  let at = 0
  for (const [i, record] of records.entries()) {
    at = writeVarint(buffer, sizes[i]!, at)
    buffer[at++] = 0
    at = writeVarlong(buffer, record.timestamp - baseTimestamp, at)
    at = writeVarint(buffer, record.offset - baseOffset, at)
    at = writeBytes(buffer, record.key, at)
    at = writeBytes(buffer, record.value, at)
    at = writeVarint(buffer, record.headers.length, at)
    for (const { key, value } of record.headers) {
      at = writeBytes(buffer, Buffer.from(key), at)
      at = writeBytes(buffer, value, at)
    }
  }
  return buffer
}

function bodyBytes(record: DecodedRecord, baseOffset: number, baseTimestamp: number): number {
  let size = 1 + varlongBytes(record.timestamp - baseTimestamp) + varintBytes(record.offset - baseOffset)
  size += nullableBytes(record.key) + nullableBytes(record.value) + varintBytes(record.headers.length)
  for (const { key, value } of record.headers) size += nullableBytes(Buffer.from(key)) + nullableBytes(value)
  return size
}

function nullableBytes(value: Buffer | null): number {
  return value === null ? 1 : varintBytes(value.length) + value.length
}

function writeBytes(buffer: Buffer, value: Buffer | null, start: number): number {
  if (value === null) return writeVarint(buffer, -1, start)
  const at = writeVarint(buffer, value.length, start)
  value.copy(buffer, at)
  return at + value.length
}
