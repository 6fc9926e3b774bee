import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { compress, decompress, type CompressionType } from '../protocol/compression.ts'
import { BATCH_HEADER_BYTES, RecordBatchBuilder } from '../protocol/record-batch.ts'
import { checkBatches } from './append-validation.ts'
import { resolveTopicConfig } from './topic-config.ts'

const now = 1_700_000_000_000

/** A batch of three records with something changed in it, and all lengths and the checksum made right again. */
function batch(
  compression: CompressionType,
  change: { header?: (header: Buffer) => void; records?: (records: Buffer) => Buffer },
): Buffer {
  const builder = new RecordBatchBuilder({ compression })
  for (const value of ['one', 'two', 'three']) builder.tryAppend('key', value, [{ key: 'h', value: 'v' }], now)
  const built = builder.build()
  const header = Buffer.from(built.subarray(0, BATCH_HEADER_BYTES))
  const content = Buffer.from(decompress(compression, built.subarray(BATCH_HEADER_BYTES), 1_000_000))
  change.header?.(header)
  const result = Buffer.concat([header, compress(compression, change.records?.(content) ?? content)])
  result.writeInt32BE(result.length - 12, 8)
  result.writeUInt32BE(crc32c(result.subarray(21)), 17)
  return result
}

const check = (records: Buffer, config: Record<string, string> = {}) =>
  checkBatches(records, resolveTopicConfig(config), 'client', now)

const poison: [string, Parameters<typeof batch>[1]][] = [
  ['more records than there are', { header: (header) => (header.writeInt32BE(3, 23), header.writeInt32BE(4, 57)) }],
  ['fewer records than there are', { header: (header) => (header.writeInt32BE(1, 23), header.writeInt32BE(2, 57)) }],
  ['a count that is not that of the offsets', { header: (header) => header.writeInt32BE(7, 57) }],
  ['an offset that does not count up', { records: (records) => ((records[3] = 4), records) }],
  ['a record longer than the batch', { records: (records) => ((records[0] = 0x7e), records) }],
  ['a record shorter than what is in it', { records: (records) => ((records[0] = 8), records) }],
  ['a key longer than the record', { records: (records) => ((records[4] = 0x7e), records) }],
  ['bytes after the last record', { records: (records) => Buffer.concat([records, Buffer.alloc(3)]) }],
  ['a last record that is cut off', { records: (records) => records.subarray(0, -2) }],
  ['no records at all', { records: () => Buffer.alloc(0) }],
]

test.each(poison)('a batch with %s is refused, however right its checksum', (_, change) => {
  expect(() => check(batch('none', change))).toThrow(expect.objectContaining({ code: 'INVALID_RECORD' }))
  for (const compression of ['gzip', 'snappy', 'lz4', 'zstd'] as const) {
    const records = batch(compression, change)
    for (const config of [{ 'compressed.records.validate': 'true' }, { 'cleanup.policy': 'compact' }]) {
      expect(() => check(records, config), compression).toThrow(expect.objectContaining({ code: 'INVALID_RECORD' }))
    }
  }
})

test.each(['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const)('what is right passes, and so does %s', (compression) => {
  const records = batch(compression, {})
  expect(check(records)).toHaveLength(1)
  expect(check(records, { 'compressed.records.validate': 'true' })).toHaveLength(1)
  expect(check(records, { 'cleanup.policy': 'compact' })).toHaveLength(1)
})

test('what is compressed and cannot be decompressed is refused where it is opened', () => {
  const records = batch('zstd', {})
  records.fill(0xff, BATCH_HEADER_BYTES)
  records.writeUInt32BE(crc32c(records.subarray(21)), 17)
  expect(() => check(records, { 'compressed.records.validate': 'true' })).toThrow(
    expect.objectContaining({ code: 'INVALID_RECORD' }),
  )
})

test('a batch that decompresses to far more than it is, is refused before that is held', () => {
  const bomb = batch('gzip', { records: () => Buffer.alloc(200 * 1024 * 1024) })
  expect(bomb.length).toBeLessThan(1_000_000)
  expect(() => check(bomb, { 'compressed.records.validate': 'true' })).toThrow(
    expect.objectContaining({ code: 'MESSAGE_TOO_LARGE' }),
  )
})
