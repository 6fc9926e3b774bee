import { createRequire } from 'node:module'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { compressionTypes } from './compression.ts'
import { ProtocolError } from './errors.ts'
import {
  BATCH_HEADER_BYTES,
  checkRecords,
  decodeControl,
  decodeRecords,
  encodeControlBatch,
  iterateBatches,
  parseBatchHeader,
  RecordBatchBuilder,
  setBaseOffset,
  setLeaderEpoch,
  setLogAppendTime,
  setProducerState,
  verifyCrc,
} from './record-batch.ts'
import type { RecordBatchOptions, RecordHeaderInput } from './record-batch.ts'

interface Input {
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers: readonly RecordHeaderInput[]
  readonly timestamp: number
}

const content = fc.oneof(
  fc.constant(null),
  fc.string({ unit: 'grapheme', maxLength: 50 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 200 }),
  fc.uint8Array({ maxLength: 300 }),
)

const input: fc.Arbitrary<Input> = fc.record({
  key: content,
  value: content,
  headers: fc.array(fc.record({ key: fc.string({ unit: 'grapheme', maxLength: 10 }), value: content }), {
    maxLength: 3,
  }),
  timestamp: fc.oneof(
    fc.integer({ min: -1, max: 4e12 }),
    fc.integer({ min: 1_700_000_000_000, max: 1_700_000_001_000 }),
  ),
})

function build(inputs: readonly Input[], options?: RecordBatchOptions): Buffer {
  const builder = new RecordBatchBuilder({ maxBytes: Infinity, ...options })
  for (const { key, value, headers, timestamp } of inputs) {
    expect(builder.tryAppend(key, value, headers, timestamp)).toBe(true)
  }
  return builder.build()
}

const bytesOf = (value: Uint8Array | string | null): Buffer | null =>
  value === null ? null : Buffer.from(value as string)

function expectedRecords(inputs: readonly Input[], baseOffset = 0): unknown[] {
  return inputs.map(({ key, value, headers, timestamp }, i) => ({
    offset: baseOffset + i,
    timestamp,
    key: bytesOf(key),
    value: bytesOf(value),
    headers: headers.map((header) => ({ key: header.key, value: bytesOf(header.value) })),
  }))
}

const simple = (count: number, value: string | null = 'some value'): Input[] =>
  Array.from({ length: count }, (_, i) => ({ key: `key-${i}`, value, headers: [], timestamp: 1_700_000_000_000 + i }))

describe('building and reading', () => {
  test.each(compressionTypes)('%s: what is appended is read back', (compression) => {
    fc.assert(
      fc.property(fc.array(input, { minLength: 1, maxLength: 20 }), (inputs) => {
        const batch = build(inputs, { compression })
        expect(decodeRecords(batch)).toEqual(expectedRecords(inputs))
        expect(checkRecords(batch)).toEqual({ keyless: inputs.filter(({ key }) => key === null).length })
        expect(verifyCrc(batch)).toBe(true)
        expect(parseBatchHeader(batch)).toMatchObject({
          compression,
          recordCount: inputs.length,
          lastOffsetDelta: inputs.length - 1,
          baseTimestamp: inputs[0]!.timestamp,
          maxTimestamp: Math.max(...inputs.map(({ timestamp }) => timestamp)),
        })
      }),
      { numRuns: 60 },
    )
  })

  test('a batch says whose it is', () => {
    const state = { producerId: 2 ** 40, producerEpoch: 12, baseSequence: 99 }
    const batch = build(simple(2), { ...state, isTransactional: true })
    expect(parseBatchHeader(batch)).toMatchObject({ ...state, isTransactional: true, isControl: false })
    expect(parseBatchHeader(build(simple(1)))).toMatchObject({
      producerId: -1,
      producerEpoch: -1,
      baseSequence: -1,
      isTransactional: false,
    })
  })

  test('a full batch takes no more, and keeps what it has', () => {
    const builder = new RecordBatchBuilder({ maxBytes: 500 })
    let count = 0
    while (builder.tryAppend('key', 'x'.repeat(40), undefined, 0)) count++
    expect(builder.count).toBe(count)
    expect(builder.bytes).toBeLessThanOrEqual(500)
    expect(builder.bytes).toBeGreaterThan(400)
    const batch = builder.build()
    expect(batch.length).toBe(builder.bytes)
    expect(decodeRecords(batch)).toHaveLength(count)
  })

  test('the first record fits, whatever its size', () => {
    const builder = new RecordBatchBuilder({ maxBytes: 100 })
    expect(builder.tryAppend(null, Buffer.alloc(100_000, 7), undefined, 0)).toBe(true)
    expect(builder.tryAppend(null, null, undefined, 0)).toBe(false)
    expect(decodeRecords(builder.build())[0]!.value).toEqual(Buffer.alloc(100_000, 7))
  })

  test('grows through many records', () => {
    const inputs = simple(20_000)
    expect(decodeRecords(build(inputs))).toEqual(expectedRecords(inputs))
  })

  test('keys and values are views into an uncompressed batch', () => {
    const batch = build(simple(1))
    expect(decodeRecords(batch)[0]!.value!.buffer).toBe(batch.buffer)
  })
})

describe('changing a batch in place', () => {
  test('offset and leader epoch lie outside the checksum', () => {
    const batch = build(simple(3))
    setBaseOffset(batch, 0, 2 ** 45 + 1)
    setLeaderEpoch(batch, 0, 7)
    expect(verifyCrc(batch)).toBe(true)
    expect(parseBatchHeader(batch)).toMatchObject({ baseOffset: 2 ** 45 + 1, partitionLeaderEpoch: 7 })
    expect(decodeRecords(batch).map(({ offset }) => offset - 2 ** 45)).toEqual([1, 2, 3])
  })

  test('the log may give the time, and the producer its numbers anew', () => {
    const batch = build(simple(2))
    setLogAppendTime(batch, 0, 1_800_000_000_000)
    setProducerState(batch, 0, { producerId: 5, producerEpoch: 1, baseSequence: 10 })
    expect(verifyCrc(batch)).toBe(true)
    expect(parseBatchHeader(batch)).toMatchObject({ timestampType: 'LogAppendTime', producerId: 5, baseSequence: 10 })
    expect(decodeRecords(batch).map(({ timestamp }) => timestamp)).toEqual([1_800_000_000_000, 1_800_000_000_000])
  })
})

describe('several batches in one buffer', () => {
  test('are walked one after the other, and a torn one ends it', () => {
    const batches = [build(simple(1)), build(simple(5), { compression: 'gzip' }), build(simple(2))]
    const all = Buffer.concat(batches)
    const sizes = (buffer: Buffer): number[] => [...iterateBatches(buffer)].map(({ size }) => size)
    expect(sizes(all)).toEqual(batches.map(({ length }) => length))
    expect(sizes(all.subarray(0, -1))).toEqual(batches.slice(0, 2).map(({ length }) => length))
    expect(sizes(all.subarray(0, batches[0]!.length + 20))).toEqual([batches[0]!.length])
    expect(sizes(Buffer.alloc(0))).toEqual([])
    const second = [...iterateBatches(all)][1]!
    expect(verifyCrc(all, second.at)).toBe(true)
    expect(decodeRecords(all, second.at)).toHaveLength(5)
  })
})

/** What Kafka 4.3.1's own Java classes wrote: three records of an idempotent producer, and an abort marker. */
const javaBatches = {
  none:
    '00000000000000000000007effffffff028b1545260000000000020000018bcfe568000000018bcfe5687b00000000000000' +
    '2a00070000000b0000000322000000046b311276616c7565206f6e65006200f6010201447a77c3b66c66207a77c3b66c6620' +
    '7a77c3b66c66207a77c3b66c66207a77c3b66c66040268040102026e0110000104046b330100',
  gzip:
    '000000000000000000000079ffffffff02859f256a0001000000020000018bcfe568000000018bcfe5687b00000000000000' +
    '2a00070000000b000000031f8b08000000000000ff5362606060c936142a4bcc294d55c8cf4b654862f8c6c8c4e852557e78' +
    '5b4e9a021e8a852983859189298f518081918525db98910100519299a14d000000',
  snappy:
    '00000000000000000000007dffffffff0297b436e90002000000020000018bcfe568000000018bcfe5687b00000000000000' +
    '2a00070000000b0000000382534e41505059000000000100000001000000384d7c22000000046b311276616c7565206f6e65' +
    '006200f6010201447a77c3b66c66206a070044040268040102026e0110000104046b330100',
  lz4:
    '000000000000000000000079ffffffff0252f3aa260003000000020000018bcfe568000000018bcfe5687b00000000000000' +
    '2a00070000000b0000000304224d1860408239000000ff1122000000046b311276616c7565206f6e65006200f6010201447a' +
    '77c3b66c6620070008f003040268040102026e0110000104046b33010000000000',
  zstd:
    '000000000000000000000076ffffffff025f8a396d0004000000020000018bcfe568000000018bcfe5687b00000000000000' +
    '2a00070000000b0000000328b52ffd0058cc0100240322000000046b311276616c7565206f6e65006200f6010201447a77c3' +
    'b66c6620040268040102026e0110000104046b330100010050589e010000',
} as const

const javaAbortMarker =
  '000000000000000000000042ffffffff0231309f160030000000000000018bcfe568000000018bcfe5680000000000000000' +
  '2a0007ffffffff000000012000000008000000000c00000000000d00'

describe('batches of the Java client', () => {
  test.each(compressionTypes)('%s', (compression) => {
    const batch = Buffer.from(javaBatches[compression], 'hex')
    expect(verifyCrc(batch)).toBe(true)
    expect(parseBatchHeader(batch)).toMatchObject({ compression, producerId: 42, producerEpoch: 7, baseSequence: 11 })
    const text = Buffer.from('zwölf zwölf zwölf zwölf zwölf')
    const headers = [
      { key: 'h', value: Buffer.from([1, 2]) },
      { key: 'n', value: null },
    ]
    expect(decodeRecords(batch)).toEqual([
      { offset: 0, timestamp: 1_700_000_000_000, key: Buffer.from('k1'), value: Buffer.from('value one'), headers: [] },
      { offset: 1, timestamp: 1_700_000_000_123, key: null, value: text, headers },
      { offset: 2, timestamp: 1_699_999_999_999, key: Buffer.from('k3'), value: null, headers: [] },
    ])
  })

  test('ours is the same, byte for byte', () => {
    const builder = new RecordBatchBuilder({ producerId: 42, producerEpoch: 7, baseSequence: 11 })
    const headers = [
      { key: 'h', value: Buffer.from([1, 2]) },
      { key: 'n', value: null },
    ]
    builder.tryAppend('k1', 'value one', undefined, 1_700_000_000_000)
    builder.tryAppend(null, 'zwölf zwölf zwölf zwölf zwölf', headers, 1_700_000_000_123)
    builder.tryAppend(Buffer.from('k3'), null, [], 1_699_999_999_999)
    expect(builder.build().toString('hex')).toBe(javaBatches.none)
  })

  test('transaction markers, both ways', () => {
    const marker = Buffer.from(javaAbortMarker, 'hex')
    expect(parseBatchHeader(marker)).toMatchObject({ isControl: true, isTransactional: true, producerId: 42 })
    expect(decodeControl(decodeRecords(marker)[0]!)).toEqual({ type: 'ABORT', coordinatorEpoch: 13 })
    const ours = {
      type: 'ABORT',
      coordinatorEpoch: 13,
      producerId: 42,
      producerEpoch: 7,
      timestamp: 1_700_000_000_000,
    } as const
    expect(encodeControlBatch(ours).toString('hex')).toBe(javaAbortMarker)
    const commit = encodeControlBatch({ ...ours, type: 'COMMIT' })
    expect(decodeControl(decodeRecords(commit)[0]!)).toEqual({ type: 'COMMIT', coordinatorEpoch: 13 })
    expect(verifyCrc(commit)).toBe(true)
  })

  test('control records that are no transaction markers are told apart', () => {
    const record = { offset: 0, timestamp: 0, headers: [], value: Buffer.alloc(20) }
    expect(decodeControl({ ...record, key: Buffer.from('00000002', 'hex') })).toBeNull()
    expect(() => decodeControl({ ...record, key: Buffer.from('00', 'hex') })).toThrow(ProtocolError)
    expect(() => decodeControl({ ...record, key: null })).toThrow(ProtocolError)
  })
})

interface KafkajsRecord {
  readonly offset: string
  readonly timestamp: string
  readonly key: Buffer | null
  readonly value: Buffer | null
  readonly headers: Record<string, Buffer>
}

interface KafkajsEncoder {
  readonly buffer: Buffer
}

/** kafkajs' own encoder and decoder, which nothing here shares a line with. */
const require = createRequire(import.meta.url)
const kafkajs = {
  RecordBatch: (
    require('kafkajs/src/protocol/recordBatch/v0') as { RecordBatch: (batch: unknown) => Promise<KafkajsEncoder> }
  ).RecordBatch,
  Record: require('kafkajs/src/protocol/recordBatch/record/v0') as (record: unknown) => unknown,
  decodeBatch: require('kafkajs/src/protocol/recordBatch/v0/decoder') as (
    decoder: unknown,
  ) => Promise<{ readonly records: KafkajsRecord[] }>,
  Decoder: require('kafkajs/src/protocol/decoder') as new (buffer: Buffer) => unknown,
}

describe('kafkajs', () => {
  test.each([
    ['none', 0],
    ['gzip', 1],
  ] as const)('%s: what it writes is read here', async (compression, type) => {
    const records = [0, 1, 2].map((i) =>
      kafkajs.Record({
        offsetDelta: i,
        timestampDelta: i * 1000,
        key: `k${i}`,
        value: 'ä'.repeat(i),
        headers: { h: 'x' },
      }),
    )
    const encoded = await kafkajs.RecordBatch({
      compression: type,
      records,
      firstTimestamp: 1_700_000_000_000,
      maxTimestamp: 1_700_000_002_000,
      lastOffsetDelta: 2,
    })
    expect(verifyCrc(encoded.buffer)).toBe(true)
    expect(parseBatchHeader(encoded.buffer)).toMatchObject({ compression, recordCount: 3, producerId: -1 })
    expect(checkRecords(encoded.buffer)).toEqual({ keyless: 0 })
    const inputs = [0, 1, 2].map((i) => ({
      key: `k${i}`,
      value: 'ä'.repeat(i),
      headers: [{ key: 'h', value: 'x' }],
      timestamp: 1_700_000_000_000 + i * 1000,
    }))
    expect(decodeRecords(encoded.buffer)).toEqual(expectedRecords(inputs))
  })

  test.each(['none', 'gzip'] as const)('%s: it reads what is written here', async (compression) => {
    const inputs = [
      ...simple(50),
      { key: null, value: null, headers: [{ key: 'h', value: 'x' }], timestamp: 1_600_000_000_000 },
    ]
    const batch = build(inputs, { compression })
    setBaseOffset(batch, 0, 1000)
    const { records } = await kafkajs.decodeBatch(new kafkajs.Decoder(batch))
    expect(
      records.map(({ offset, timestamp, key, value }) => ({
        offset: Number(offset),
        timestamp: Number(timestamp),
        key,
        value,
      })),
    ).toEqual(
      inputs.map(({ key, value, timestamp }, i) => ({
        offset: 1000 + i,
        timestamp,
        key: bytesOf(key),
        value: bytesOf(value),
      })),
    )
    expect(records[50]!.headers['h']).toEqual(Buffer.from('x'))
  })
})

describe('damaged batches', () => {
  test('one changed byte anywhere after the checksum is noticed', () => {
    const batch = build(simple(3))
    for (let at = 17; at < batch.length; at++) {
      const changed = Buffer.from(batch)
      changed[at]! ^= 1
      expect(verifyCrc(changed)).toBe(false)
    }
  })

  test('formats from before record batches are told apart', () => {
    for (const magic of [0, 1]) {
      const batch = build(simple(1))
      batch[16] = magic
      expect(() => parseBatchHeader(batch)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT' }))
    }
    // A message set may be shorter than the header of a batch.
    expect(() => parseBatchHeader(Buffer.alloc(34))).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_FOR_MESSAGE_FORMAT' }),
    )
    const newer = build(simple(1))
    newer[16] = 3
    expect(() => parseBatchHeader(newer)).toThrow(expect.objectContaining({ code: 'CORRUPT_MESSAGE' }))
  })

  test('an unknown compression type is named', () => {
    const batch = build(simple(1))
    batch[22] = 5
    expect(() => parseBatchHeader(batch)).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_COMPRESSION_TYPE' }))
  })

  test('more records than the bytes can hold are refused before they are believed', () => {
    const batch = build(simple(1))
    batch.writeInt32BE(0x7fffffff, 57)
    expect(() => decodeRecords(batch)).toThrow(/2147483647 records/)
    batch.writeInt32BE(-1, 57)
    expect(() => decodeRecords(batch)).toThrow(ProtocolError)
  })

  test('a producer may not leave out offsets or records', () => {
    const batch = build(simple(3))
    batch.writeInt32BE(2, 57)
    expect(() => checkRecords(batch)).toThrow(ProtocolError)
    const more = build(simple(3))
    more.writeInt32BE(4, 23)
    expect(() => checkRecords(more)).toThrow(ProtocolError)
    expect(() => checkRecords(build([]))).toThrow(ProtocolError)
  })

  test('anything else gives ProtocolError, never another error', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { minLength: 1, maxLength: 5 })
    const batches = fc.array(input, { minLength: 1, maxLength: 5 })
    fc.assert(
      fc.property(
        batches,
        fc.constantFrom(...compressionTypes),
        changes,
        fc.nat(),
        (inputs, compression, edits, cut) => {
          const batch = build(inputs, { compression })
          for (const [at, byte] of edits) batch[at % batch.length] = byte
          const torn = batch.subarray(0, cut % (batch.length + 1))
          const uses = [decodeRecords, checkRecords, verifyCrc, parseBatchHeader, (b: Buffer) => [...iterateBatches(b)]]
          for (const use of uses) {
            for (const buffer of [batch, torn]) {
              try {
                use(buffer)
              } catch (error) {
                expect(error).toBeInstanceOf(ProtocolError)
              }
            }
          }
        },
      ),
      { numRuns: 1500 },
    )
  })

  test('a header alone has no records to give', () => {
    expect(() => decodeRecords(build(simple(1)).subarray(0, BATCH_HEADER_BYTES))).toThrow(ProtocolError)
  })
})
