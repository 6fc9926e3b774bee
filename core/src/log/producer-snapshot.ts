import { crc32c } from '@node-rs/crc32'
import { readInt64, writeInt64 } from './int64.ts'
import type { ProducerBatch, ProducerEntry } from './producer-state.ts'

/**
 * Kafka's `.snapshot` (ProducerSnapshot v1): version int16, CRC-32C of what follows it, number of producers, then 46 bytes each.
 * Kafka keeps only the last batch of each producer. What is behind that, and what Kafka's own reader passes over, is ours: the
 * batches before, so that a restart forgets none of those that a producer may send again.
 */
const VERSION = 1
const CRC_AT = 2
const ENTRIES_AT = 6
const ENTRY_BYTES = 46
const BATCH_BYTES = 24
const EARLIER_BATCHES = 0x54574231 // "TWB1"

export function encodeProducerSnapshot(entries: Iterable<ProducerEntry>): Buffer {
  const all = [...entries]
  const earlier = all.reduce((count, entry) => count + Math.max(entry.batches.length - 1, 0), 0)
  const length = ENTRIES_AT + 4 + all.length * ENTRY_BYTES + (earlier > 0 ? 8 + earlier * (BATCH_BYTES + 8) : 0)
  const buffer = Buffer.alloc(length)
  buffer.writeInt16BE(VERSION, 0)
  buffer.writeInt32BE(all.length, ENTRIES_AT)
  let at = ENTRIES_AT + 4
  for (const entry of all) {
    writeEntry(buffer, entry, at)
    at += ENTRY_BYTES
  }
  if (earlier > 0) {
    buffer.writeInt32BE(EARLIER_BATCHES, at)
    buffer.writeInt32BE(earlier, at + 4)
    at += 8
    for (const { producerId, batches } of all) {
      for (const batch of batches.slice(0, -1)) {
        writeInt64(buffer, producerId, at)
        writeBatch(buffer, batch, at + 8)
        at += BATCH_BYTES + 8
      }
    }
  }
  buffer.writeUInt32BE(crc32c(buffer.subarray(ENTRIES_AT)), CRC_AT)
  return buffer
}

/** The producers of a snapshot; undefined where it is damaged or of another version. */
export function decodeProducerSnapshot(buffer: Buffer): ProducerEntry[] | undefined {
  if (buffer.length < ENTRIES_AT + 4 || buffer.readInt16BE(0) !== VERSION) return undefined
  if (crc32c(buffer.subarray(ENTRIES_AT)) !== buffer.readUInt32BE(CRC_AT)) return undefined
  const count = buffer.readInt32BE(ENTRIES_AT)
  let at = ENTRIES_AT + 4
  if (count < 0 || at + count * ENTRY_BYTES > buffer.length) return undefined
  const batchesAt = at + count * ENTRY_BYTES
  const earlier = readEarlierBatches(buffer, batchesAt)
  const entries: ProducerEntry[] = []
  for (; at < batchesAt; at += ENTRY_BYTES) entries.push(readEntry(buffer, at, earlier))
  return entries
}

function writeEntry(buffer: Buffer, entry: ProducerEntry, at: number): void {
  const last = entry.batches.at(-1)
  writeInt64(buffer, entry.producerId, at)
  buffer.writeInt16BE(entry.producerEpoch, at + 8)
  buffer.writeInt32BE(last?.lastSequence ?? -1, at + 10)
  writeInt64(buffer, last?.lastOffset ?? -1, at + 14)
  buffer.writeInt32BE(last?.offsetDelta ?? 0, at + 22)
  writeInt64(buffer, entry.lastTimestamp, at + 26)
  buffer.writeInt32BE(entry.coordinatorEpoch, at + 34)
  writeInt64(buffer, entry.currentTransactionFirstOffset, at + 38)
}

function readEntry(buffer: Buffer, at: number, earlier: ReadonlyMap<number, ProducerBatch[]>): ProducerEntry {
  const producerId = readInt64(buffer, at)
  const lastTimestamp = readInt64(buffer, at + 26)
  const batches = earlier.get(producerId) ?? []
  const lastOffset = readInt64(buffer, at + 14)
  if (lastOffset >= 0) {
    batches.push({
      lastSequence: buffer.readInt32BE(at + 10),
      lastOffset,
      offsetDelta: buffer.readInt32BE(at + 22),
      timestamp: lastTimestamp,
    })
  }
  return {
    producerId,
    producerEpoch: buffer.readInt16BE(at + 8),
    batches,
    coordinatorEpoch: buffer.readInt32BE(at + 34),
    lastTimestamp,
    currentTransactionFirstOffset: readInt64(buffer, at + 38),
  }
}

function writeBatch(buffer: Buffer, batch: ProducerBatch, at: number): void {
  buffer.writeInt32BE(batch.lastSequence, at)
  writeInt64(buffer, batch.lastOffset, at + 4)
  buffer.writeInt32BE(batch.offsetDelta, at + 12)
  writeInt64(buffer, batch.timestamp, at + 16)
}

function readEarlierBatches(buffer: Buffer, start: number): Map<number, ProducerBatch[]> {
  const byProducer = new Map<number, ProducerBatch[]>()
  if (buffer.length < start + 8 || buffer.readInt32BE(start) !== EARLIER_BATCHES) return byProducer
  const count = buffer.readInt32BE(start + 4)
  if (count < 0 || start + 8 + count * (BATCH_BYTES + 8) > buffer.length) return byProducer
  for (let i = 0, at = start + 8; i < count; i++, at += BATCH_BYTES + 8) {
    const producerId = readInt64(buffer, at)
    let batches = byProducer.get(producerId)
    if (batches === undefined) byProducer.set(producerId, (batches = []))
    batches.push({
      lastSequence: buffer.readInt32BE(at + 8),
      lastOffset: readInt64(buffer, at + 12),
      offsetDelta: buffer.readInt32BE(at + 20),
      timestamp: readInt64(buffer, at + 24),
    })
  }
  return byProducer
}
