/**
 * The size of an LZ4 frame once decompressed, found without decompressing it: the library has no limit of its own, and
 * a frame may be 255 times larger than it looks.
 */
import { corrupt, ProtocolError } from './errors.ts'

const MAGIC = 0x184d2204
const BLOCK_CHECKSUM_BIT = 0x10
const CONTENT_SIZE_BIT = 0x08
const CONTENT_CHECKSUM_BIT = 0x04
const DICTIONARY_BIT = 0x01
const STORED_BIT = 0x80000000

/**
 * Adds up the blocks of one or more frames.
 * @throws ProtocolError where it is no LZ4 frame, and MESSAGE_TOO_LARGE beyond `maxBytes`
 */
export function checkLz4Size(data: Buffer, maxBytes: number): void {
  let total = 0
  let at = 0
  do {
    if (data.length - at < 7 || data.readUInt32LE(at) !== MAGIC) throw corrupt('lz4: no frame')
    const flags = data[at + 4]!
    const hasContentSize = (flags & CONTENT_SIZE_BIT) !== 0
    if (hasContentSize && at + 14 <= data.length && data.readBigUInt64LE(at + 6) > BigInt(maxBytes)) {
      throw tooLarge(maxBytes)
    }
    at += 7 + (hasContentSize ? 8 : 0) + ((flags & DICTIONARY_BIT) !== 0 ? 4 : 0)
    for (;;) {
      if (at + 4 > data.length) throw corrupt('lz4: a block is cut off')
      const word = data.readUInt32LE(at)
      at += 4
      if (word === 0) break
      const length = word & ~STORED_BIT
      const end = at + length
      if (end > data.length) throw corrupt('lz4: a block is cut off')
      total += word >= STORED_BIT ? length : blockBytes(data, at, end)
      if (total > maxBytes) throw tooLarge(maxBytes)
      at = end + ((flags & BLOCK_CHECKSUM_BIT) !== 0 ? 4 : 0)
    }
    at += (flags & CONTENT_CHECKSUM_BIT) !== 0 ? 4 : 0
  } while (at < data.length)
}

/** Walks the sequences of a block: literals to copy, then a match to repeat. */
function blockBytes(data: Buffer, start: number, end: number): number {
  let bytes = 0
  let at = start
  while (at < end) {
    const token = data[at++]!
    let literals = token >> 4
    if (literals === 15) {
      let more
      do {
        more = at < end ? data[at++]! : 0
        literals += more
      } while (more === 255)
    }
    bytes += literals
    at += literals
    // The last sequence of a block has literals alone.
    if (at >= end) return bytes
    at += 2
    let match = (token & 15) + 4
    if (match === 19) {
      let more
      do {
        more = at < end ? data[at++]! : 0
        match += more
      } while (more === 255)
    }
    bytes += match
  }
  return bytes
}

function tooLarge(maxBytes: number): ProtocolError {
  return new ProtocolError('MESSAGE_TOO_LARGE', `lz4: more than ${maxBytes} bytes decompressed`)
}
