/**
 * The codecs of record batches. Decompression is bounded in output bytes before anything of that size is allocated, so
 * that a small batch cannot fill the memory.
 *
 * All synchronous: a batch takes less time than a hop to another thread and back costs.
 */
import { createRequire } from 'node:module'
import { ProtocolError } from './errors.ts'
import { checkLz4Size } from './lz4-frame.ts'
import { compressSnappy, decompressSnappy } from './snappy-framing.ts'

/** The codecs are loaded when a batch first asks for one: most processes never do. */
const require = createRequire(import.meta.url)
const zlib = () => require('node:zlib') as typeof import('node:zlib')
const lz4 = () => require('lz4-napi') as typeof import('lz4-napi')

/** By the number in the lowest three bits of a batch's attributes. */
export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type CompressionType = (typeof compressionTypes)[number]

export function compress(type: CompressionType, data: Buffer): Buffer {
  switch (type) {
    case 'none':
      return data
    case 'gzip':
      return zlib().gzipSync(data)
    case 'snappy':
      return compressSnappy(data)
    case 'lz4':
      return lz4().compressFrameSync(data)
    case 'zstd':
      return zlib().zstdCompressSync(data)
  }
}

/**
 * @throws ProtocolError CORRUPT_MESSAGE where the data is damaged, MESSAGE_TOO_LARGE where it would be larger than
 * `maxBytes`
 */
export function decompress(type: CompressionType, data: Buffer, maxBytes: number): Buffer {
  try {
    switch (type) {
      case 'none':
        return data
      case 'gzip':
        return zlib().gunzipSync(data, { maxOutputLength: maxBytes })
      case 'snappy':
        return decompressSnappy(data, maxBytes)
      case 'lz4':
        checkLz4Size(data, maxBytes)
        return lz4().decompressFrameSync(data)
      case 'zstd':
        return zlib().zstdDecompressSync(data, { maxOutputLength: maxBytes })
    }
  } catch (error) {
    if (error instanceof ProtocolError) throw error
    const tooLarge = (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE'
    throw new ProtocolError(tooLarge ? 'MESSAGE_TOO_LARGE' : 'CORRUPT_MESSAGE', `${type}: ${String(error)}`, {
      cause: error,
    })
  }
}
