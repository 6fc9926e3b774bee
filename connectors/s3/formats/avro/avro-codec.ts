/** How the blocks of Avro's files are compressed. */
import { promisify } from 'node:util'
import { crc32, deflateRaw, inflateRaw, zstdCompress, zstdDecompress } from 'node:zlib'
import { DataError } from '@tidewire/sdk'

/** Codecs that are written, by their names in `avro.codec`; they are read as well. */
export type AvroCodec = 'null' | 'deflate' | 'snappy' | 'zstandard'

const deflated = promisify(deflateRaw)
const inflated = promisify(inflateRaw)
const zstdCompressed = promisify(zstdCompress)
const zstdDecompressed = promisify(zstdDecompress)

/** Compresses in the thread pool. Undefined: blocks stay as they are. */
export function blockCompressor(codec: AvroCodec): ((block: Buffer) => Promise<Buffer>) | undefined {
  switch (codec) {
    case 'null':
      return undefined
    case 'deflate':
      return (block) => deflated(block)
    case 'zstandard':
      return (block) => zstdCompressed(block)
    case 'snappy':
      return async (block) => {
        const { compress } = await import('snappy')
        return Buffer.concat([await compress(block), checksum(block)])
      }
  }
}

/** The checksum that stands behind a block of snappy, of what it unpacks to. */
function checksum(block: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(4)
  bytes.writeUInt32BE(crc32(block))
  return bytes
}

/**
 * Unpacks a block, of `maxBytes` unpacked at most.
 * @throws DataError where the codec is none that is read, or the block is none of it
 */
export function blockDecompressor(codec: string, maxBytes: number): (block: Buffer) => Promise<Buffer> {
  const limit = { maxOutputLength: maxBytes }
  switch (codec) {
    case 'null':
      return (block) => Promise.resolve(block)
    case 'deflate':
      return (block) => unpacked(inflated(block, limit))
    case 'zstandard':
      return (block) => unpacked(zstdDecompressed(block, limit))
    case 'snappy':
      return (block) => unpacked(unsnapped(block, maxBytes))
    default:
      throw new DataError(`Avro's codec ${codec} is not read; null, deflate, snappy and zstandard are`)
  }
}

async function unpacked(block: Promise<Buffer>): Promise<Buffer> {
  try {
    return await block
  } catch (cause) {
    throw new DataError(`a block of the Avro file cannot be unpacked: ${(cause as Error).message}`, { cause })
  }
}

async function unsnapped(block: Buffer, maxBytes: number): Promise<Buffer> {
  const { uncompress } = await import('snappy')
  const packed = block.subarray(0, -4)
  const size = snappyLength(packed)
  if (size > maxBytes) throw new RangeError(`it has ${size} bytes unpacked, more than the ${maxBytes} that are allowed`)
  const data = (await uncompress(packed, { asBuffer: true })) as Buffer
  if (!checksum(data).equals(block.subarray(-4))) throw new Error('its checksum is another')
  return data
}

/** The length that a block of snappy unpacks to, which stands at its beginning. */
function snappyLength(block: Buffer): number {
  let length = 0
  for (let index = 0; index < 5; index++) {
    const byte = block[index]
    if (byte === undefined) break
    length += (byte & 0x7f) * 128 ** index
    if (byte <= 0x7f) return length
  }
  throw new Error('it is no block of snappy')
}
