/** The codecs of record batches. Decompression is bounded in output bytes, so that a small batch cannot fill memory. */
import { gunzipSync, gzipSync, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import lz4 from 'lz4-napi'
import snappy from 'snappy'
import { ProtocolError } from './errors.ts'

/** By the number in the lowest three bits of a batch's attributes. */
export const compressionTypes = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const

export type CompressionType = (typeof compressionTypes)[number]

export function compress(type: CompressionType, data: Buffer): Buffer {
  switch (type) {
    case 'none':
      return data
    case 'gzip':
      return gzipSync(data)
    case 'snappy':
      return snappy.compressSync(data)
    case 'lz4':
      return lz4.compressFrameSync(data)
    case 'zstd':
      return zstdCompressSync(data)
  }
}

/** @throws ProtocolError where the data is damaged, or larger than `maxBytes` when decompressed */
export function decompress(type: CompressionType, data: Buffer, maxBytes: number): Buffer {
  try {
    switch (type) {
      case 'none':
        return data
      case 'gzip':
        return gunzipSync(data, { maxOutputLength: maxBytes })
      case 'snappy':
        return snappy.uncompressSync(data, { asBuffer: true }) as Buffer
      case 'lz4':
        return lz4.decompressFrameSync(data)
      case 'zstd':
        return zstdDecompressSync(data, { maxOutputLength: maxBytes })
    }
  } catch (error) {
    throw new ProtocolError('CORRUPT_MESSAGE', `${type}: ${String(error)}`, { cause: error })
  }
}
