import { crc32c } from '@node-rs/crc32'
import { expect, test } from 'vitest'
import { decodeProducerSnapshot, encodeProducerSnapshot } from './producer-snapshot.ts'
import type { ProducerEntry } from './producer-state.ts'

const entry = (producerId: number, batches: number): ProducerEntry => ({
  producerId,
  producerEpoch: 3,
  batches: Array.from({ length: batches }, (_, i) => ({
    lastSequence: i * 2 + 1,
    lastOffset: 100 + i * 2,
    offsetDelta: 1,
    timestamp: 5000 + i,
  })),
  coordinatorEpoch: 7,
  lastTimestamp: 5000 + Math.max(batches - 1, 0),
  currentTransactionFirstOffset: batches === 5 ? 98 : -1,
})

test('gives back what was put in, all remembered batches included', () => {
  const entries = [entry(1, 5), entry(2 ** 40, 1), entry(3, 0)]
  expect(decodeProducerSnapshot(encodeProducerSnapshot(entries))).toEqual(entries)
  expect(decodeProducerSnapshot(encodeProducerSnapshot([]))).toEqual([])
})

test("is Kafka's ProducerSnapshot v1 as far as Kafka reads", () => {
  const bytes = encodeProducerSnapshot([entry(1, 1)])
  expect(bytes.subarray(6).toString('hex')).toBe(
    ['00000001', '0000000000000001', '0003', '00000001', '0000000000000064', '00000001']
      .concat(['0000000000001388', '00000007', 'ffffffffffffffff'])
      .join(''),
  )
  expect(bytes.readInt16BE(0)).toBe(1)
  expect(bytes.readUInt32BE(2)).toBe(crc32c(bytes.subarray(6)))
})

test('any damage is seen', () => {
  const bytes = encodeProducerSnapshot([entry(1, 5), entry(2, 2)])
  for (let at = 0; at < bytes.length; at++) {
    const damaged = Buffer.from(bytes)
    damaged[at]! ^= 0x40
    expect(decodeProducerSnapshot(damaged)).toBeUndefined()
    expect(decodeProducerSnapshot(bytes.subarray(0, at))).toBeUndefined()
  }
})
