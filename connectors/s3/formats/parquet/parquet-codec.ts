/** How pages of Parquet are compressed. By the library's design that happens in place, not in the thread pool. */
import {
  brotliCompressSync,
  brotliDecompressSync,
  gunzipSync,
  gzipSync,
  zstdCompressSync,
  zstdDecompressSync,
} from 'node:zlib'
import type { CompressionCodec } from 'hyparquet'
import { compressSync, uncompressSync } from 'snappy'

/** Codecs that are written, by their names in `parquet.codec`. */
export type ParquetCodec = 'none' | 'gzip' | 'snappy' | 'zstd' | 'brotli'

export const codecNames: Readonly<Record<ParquetCodec, CompressionCodec>> = {
  none: 'UNCOMPRESSED',
  gzip: 'GZIP',
  snappy: 'SNAPPY',
  zstd: 'ZSTD',
  brotli: 'BROTLI',
}

/** What names of objects have before `.parquet`, as Parquet's Java library has it. */
export const codecExtensions: Readonly<Record<ParquetCodec, string>> = {
  none: '',
  gzip: '.gz',
  snappy: '.snappy',
  zstd: '.zstd',
  brotli: '.br',
}

export const pageCompressors = {
  GZIP: (page: Uint8Array): Uint8Array => gzipSync(page),
  SNAPPY: (page: Uint8Array): Uint8Array => compressSync(page),
  ZSTD: (page: Uint8Array): Uint8Array => zstdCompressSync(page),
  BROTLI: (page: Uint8Array): Uint8Array => brotliCompressSync(page),
} as const

/** The same codecs, and LZ4, whose blocks a library unpacks. @param length of the page unpacked */
export async function pageDecompressors(): Promise<
  Readonly<Record<string, (page: Uint8Array, length: number) => Uint8Array>>
> {
  const { decompressLz4, decompressLz4Raw } = await import('hyparquet-compressors')
  return {
    GZIP: (page, length) => gunzipSync(page, { maxOutputLength: Math.max(length, 1) }),
    SNAPPY: (page) => uncompressSync(page, { asBuffer: true }) as Buffer,
    ZSTD: (page, length) => zstdDecompressSync(page, { maxOutputLength: Math.max(length, 1) }),
    BROTLI: (page, length) => brotliDecompressSync(page, { maxOutputLength: Math.max(length, 1) }),
    LZ4: decompressLz4,
    // Of nothing at all it is a block that the library does not take.
    LZ4_RAW: (page, length) => (length === 0 ? page.subarray(0, 0) : decompressLz4Raw(page, length)),
  }
}
