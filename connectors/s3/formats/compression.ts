import { promisify } from 'node:util'
import { constants, gzip, zstdCompress } from 'node:zlib'

/** How whole objects are compressed, by `s3.compression.type`. */
export type Compression = 'none' | 'gzip' | 'zstd'

/** What names of compressed objects end in. */
export const compressionExtensions: Readonly<Record<Compression, string>> = { none: '', gzip: '.gz', zstd: '.zst' }

export type Compress = (bytes: Uint8Array) => Promise<Uint8Array>

const gzipped = promisify(gzip)
const zstdCompressed = promisify(zstdCompress)

/**
 * Compresses bytes by themselves, in the thread pool: to a whole member of gzip, a whole frame of zstd. Readers take any
 * number of those behind one another for one object, so nothing is kept between them.
 * @param level −1: the compression's own default
 * @returns undefined where there is nothing to do
 */
export function compressor(compression: Compression, level: number): Compress | undefined {
  if (compression === 'gzip') return (bytes) => gzipped(bytes, { level })
  if (compression === 'none') return undefined
  const params = level === -1 ? {} : { [constants.ZSTD_c_compressionLevel]: level }
  return (bytes) => zstdCompressed(bytes, { params })
}
