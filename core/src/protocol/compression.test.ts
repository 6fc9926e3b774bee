import { gzipSync, zstdCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { compressFrameSync } from 'lz4-napi'
import { compressSync } from 'snappy'
import { describe, expect, test } from 'vitest'
import { compress, compressionTypes, decompress } from './compression.ts'
import type { CompressionType } from './compression.ts'
import { ProtocolError } from './errors.ts'

const MIB = 1024 * 1024

const codecs = compressionTypes.filter((type) => type !== 'none')

/** What the client libraries call, with none of our framing or limits in it. */
const makeBomb: Readonly<Record<Exclude<CompressionType, 'none'>, (data: Buffer) => Buffer>> = {
  gzip: (data) => gzipSync(data),
  snappy: (data) => compressSync(data),
  lz4: (data) => compressFrameSync(data),
  zstd: (data) => zstdCompressSync(data),
}

describe.each(codecs)('%s', (type) => {
  test('gives back what went in', () => {
    const data = fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc.tuple(fc.nat(255), fc.nat(300_000)).map(([byte, length]) => Buffer.alloc(length, byte)),
    )
    fc.assert(
      fc.property(data, (bytes) => {
        const given = Buffer.from(bytes)
        expect(decompress(type, compress(type, given), given.length + 1).equals(given)).toBe(true)
      }),
      { numRuns: 40 },
    )
  })

  test('refuses a bomb', () => {
    const bomb = makeBomb[type](Buffer.alloc(40 * MIB))
    expect(bomb.length).toBeLessThan(3 * MIB)
    expect(() => decompress(type, bomb, MIB)).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }))
    expect(decompress(type, bomb, 40 * MIB)).toHaveLength(40 * MIB)
  })

  test('gives ProtocolError for damaged data, and nothing larger than allowed', () => {
    const original = compress(type, Buffer.from('some text, some more text, some text again. '.repeat(30)))
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 4 })
    fc.assert(
      fc.property(changes, fc.nat(original.length), (edits, length) => {
        const data = Buffer.from(original.subarray(0, length))
        for (const [at, byte] of edits) if (length > 0) data[at % length] = byte
        try {
          expect(decompress(type, data, 10_000).length).toBeLessThanOrEqual(10_000)
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError)
        }
      }),
      { numRuns: 500 },
    )
  })
})

describe('snappy', () => {
  test('takes one raw block, as librdkafka writes it', () => {
    const data = Buffer.from('abc'.repeat(1000))
    expect(decompress('snappy', compressSync(data), 3000).equals(data)).toBe(true)
  })

  test('writes blocks as the Java client reads them', () => {
    const data = Buffer.from('abc'.repeat(30_000))
    const framed = compress('snappy', data)
    expect(framed.subarray(0, 16).toString('hex')).toBe('82534e4150505900' + '00000001' + '00000001')
    const first = framed.readInt32BE(16)
    expect(decompress('snappy', framed.subarray(20, 20 + first), 32_768)).toHaveLength(32_768)
    expect(decompress('snappy', framed, 90_000).equals(data)).toBe(true)
    expect(() => decompress('snappy', framed, 89_999)).toThrow(expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }))
  })

  test('does not believe a length that its bytes cannot give', () => {
    const lie = Buffer.from([0xff, 0xff, 0xff, 0x0f, 0x00, 0x61])
    expect(() => decompress('snappy', lie, 64 * MIB)).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE' }))
  })
})

describe('lz4', () => {
  test('takes frames with checksums of blocks and content', () => {
    const data = Buffer.from('some text, some more text. '.repeat(5000))
    const frame = compressFrameSync(data, { contentChecksum: true, blockChecksums: true })
    expect(decompress('lz4', frame, data.length).equals(data)).toBe(true)
    expect(() => decompress('lz4', frame, data.length - 1)).toThrow(
      expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
    )
  })

  test('writes independent blocks, which alone the Java client reads', () => {
    expect(compress('lz4', Buffer.alloc(1000))[4]! & 0x20).toBe(0x20)
  })
})
