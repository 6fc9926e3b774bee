/**
 * Snappy as Kafka's clients use it. The Java client frames it (the format of the xerial library: a header, then blocks
 * with their lengths), librdkafka writes one raw block; readers have to take both.
 */
import { createRequire } from 'node:module'
import { corrupt, ProtocolError } from './errors.ts'

/** Native, and loaded only when a batch asks for it. */
const require = createRequire(import.meta.url)
const snappy = () => require('snappy') as typeof import('snappy')

const XERIAL_HEADER = Buffer.from([0x82, 0x53, 0x4e, 0x41, 0x50, 0x50, 0x59, 0, 0, 0, 0, 1, 0, 0, 0, 1])
const XERIAL_MAGIC_BYTES = 8
/** As the Java client has it: what its reader keeps in memory at a time. */
const BLOCK_BYTES = 32 * 1024
/** No snappy element gives more bytes than this for each of its own. */
const MOST_EXPANSION = 32

export function compressSnappy(data: Buffer): Buffer {
  const chunks: Buffer[] = [XERIAL_HEADER]
  for (let at = 0; at < data.length; at += BLOCK_BYTES) {
    const block = snappy().compressSync(data.subarray(at, at + BLOCK_BYTES))
    const length = Buffer.allocUnsafe(4)
    length.writeInt32BE(block.length)
    chunks.push(length, block)
  }
  return Buffer.concat(chunks)
}

/** @throws ProtocolError */
export function decompressSnappy(data: Buffer, maxBytes: number): Buffer {
  if (data.compare(XERIAL_HEADER, 0, XERIAL_MAGIC_BYTES, 0, XERIAL_MAGIC_BYTES) !== 0) return rawBlock(data, maxBytes)
  const blocks: Buffer[] = []
  let left = maxBytes
  for (let at = XERIAL_HEADER.length; at < data.length;) {
    const length = at + 4 <= data.length ? data.readInt32BE(at) : -1
    at += 4
    if (length < 0 || length > data.length - at) throw corrupt('snappy: a block is cut off')
    const block = rawBlock(data.subarray(at, at + length), left)
    left -= block.length
    at += length
    blocks.push(block)
  }
  return blocks.length === 1 ? blocks[0]! : Buffer.concat(blocks)
}

/** A raw block says first how long it is when decompressed; that is checked before it is believed. */
function rawBlock(data: Buffer, maxBytes: number): Buffer {
  let length = 0
  let factor = 1
  for (let at = 0; ; at++) {
    const byte = data[at]
    if (byte === undefined || at > 4) throw corrupt('snappy: no length')
    length += (byte & 0x7f) * factor
    factor *= 128
    if (byte < 128) break
  }
  if (length > maxBytes) {
    throw new ProtocolError('MESSAGE_TOO_LARGE', `snappy: ${length} bytes decompressed, ${maxBytes} are allowed`)
  }
  if (length > data.length * MOST_EXPANSION) throw corrupt(`snappy: length ${length}`)
  return snappy().uncompressSync(data, { asBuffer: true }) as Buffer
}
