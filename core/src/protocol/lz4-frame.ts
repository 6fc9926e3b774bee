/**
 * The size of an LZ4 frame once decompressed, found without decompressing it: the library has no limit of its own, and
 * a frame may be 255 times larger than it looks.
 */
import { corrupt, ProtocolError } from './errors.ts'

const MAGIC = 0x184d2204
const BLOCK_CHECKSUM_BIT = 0x10
const CONTENT_SIZE_BIT = 0x08
const DICTIONARY_BIT = 0x01
const STORED_BIT = 0x80000000

/**
 * Adds up the blocks of the frame. What follows the frame is left alone, as the library does.
 * @throws ProtocolError CORRUPT_MESSAGE where it is no LZ4 frame, MESSAGE_TOO_LARGE beyond `maxBytes`
 */
export function checkLz4Size(data: Buffer, maxBytes: number): void {
  if (data.length < 7 || data.readUInt32LE(0) !== MAGIC) throw corrupt('lz4: no frame')
  const flags = data[4]!
  const hasContentSize = (flags & CONTENT_SIZE_BIT) !== 0
  if (hasContentSize && data.length >= 14 && data.readBigUInt64LE(6) > BigInt(maxBytes)) throw tooLarge(maxBytes)
  const checksumBytes = (flags & BLOCK_CHECKSUM_BIT) !== 0 ? 4 : 0
  let total = 0
  let at = 7 + (hasContentSize ? 8 : 0) + ((flags & DICTIONARY_BIT) !== 0 ? 4 : 0)
  for (;;) {
    if (at + 4 > data.length) throw corrupt('lz4: a block is cut off')
    const word = data.readUInt32LE(at)
    if (word === 0) return
    at += 4
    const isStored = word >= STORED_BIT
    const end = at + (isStored ? word - STORED_BIT : word)
    if (end > data.length) throw corrupt('lz4: a block is cut off')
    total += isStored ? end - at : blockBytes(data, at, end)
    if (total > maxBytes) throw tooLarge(maxBytes)
    at = end + checksumBytes
  }
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
