import { expect, test } from 'vitest'
import { encodeControlBatch, RecordBatchBuilder, setBaseOffset } from '../protocol/record-batch.ts'
import { decodeFetch, nextOffsetOf, type AbortedTransaction } from './decode-fetch.ts'

interface Batch {
  readonly offset: number
  readonly values: readonly string[]
  /** Of a transaction of this producer. */
  readonly producerId?: number
}

function batch({ offset, values, producerId }: Batch): Buffer {
  const builder = new RecordBatchBuilder({
    isTransactional: producerId !== undefined,
    ...(producerId !== undefined && { producerId }),
  })
  for (const value of values) builder.tryAppend(null, value, undefined, 1)
  const bytes = builder.build()
  setBaseOffset(bytes, 0, offset)
  return bytes
}

function marker(type: 'ABORT' | 'COMMIT', producerId: number, offset: number): Buffer {
  const bytes = encodeControlBatch({ type, coordinatorEpoch: 0, producerId, producerEpoch: 0, timestamp: 1 })
  setBaseOffset(bytes, 0, offset)
  return bytes
}

const decode = (records: readonly Buffer[], offset = 0, aborted: readonly AbortedTransaction[] = []): string[] =>
  decodeFetch({ topic: 't', partition: 0, offset, records: Buffer.concat(records), aborted }).map(
    (each) => `${each.offset}:${String(each.value)}`,
  )

test('records before the offset asked for are left out', () => {
  const batches = [
    batch({ offset: 0, values: ['a', 'b'] }),
    batch({ offset: 2, values: ['c', 'd', 'e'] }),
    batch({ offset: 5, values: ['f'] }),
  ]
  expect(decode(batches, 3)).toEqual(['3:d', '4:e', '5:f'])
  expect(decode(batches, 5)).toEqual(['5:f'])
})

test('records of aborted transactions are left out, each from its first offset to its marker', () => {
  const batches = [
    batch({ offset: 0, values: ['a'], producerId: 1 }),
    batch({ offset: 1, values: ['b'], producerId: 2 }),
    batch({ offset: 2, values: ['c'] }),
    marker('ABORT', 1, 3),
    batch({ offset: 4, values: ['d'], producerId: 1 }),
    batch({ offset: 5, values: ['e'], producerId: 2 }),
    marker('COMMIT', 1, 6),
    marker('ABORT', 2, 7),
    batch({ offset: 8, values: ['f'], producerId: 2 }),
  ]
  const aborted = [
    { producerId: 1, firstOffset: 0 },
    { producerId: 2, firstOffset: 1 },
  ]
  expect(decode(batches, 0, aborted)).toEqual(['2:c', '4:d', '8:f'])
  expect(decode(batches)).toEqual(['0:a', '1:b', '2:c', '4:d', '5:e', '8:f'])
})

test('a transaction that began before what was fetched is left out from the start', () => {
  const batches = [
    batch({ offset: 10, values: ['a'], producerId: 1 }),
    marker('ABORT', 1, 11),
    batch({ offset: 12, values: ['b'], producerId: 1 }),
  ]
  expect(decode(batches, 10, [{ producerId: 1, firstOffset: 3 }])).toEqual(['12:b'])
})

test('reading goes on after control records, and before a batch that is cut off', () => {
  const whole = [batch({ offset: 0, values: ['a', 'b'] }), marker('COMMIT', 1, 2)]
  const cut = batch({ offset: 3, values: ['a long value that is cut off'] }).subarray(0, 70)
  expect(nextOffsetOf(Buffer.concat([...whole, cut]), 0)).toBe(3)
  expect(decode([...whole, cut])).toEqual(['0:a', '1:b'])
  expect(nextOffsetOf(cut, 3)).toBe(3)
  expect(nextOffsetOf(Buffer.alloc(0), 7)).toBe(7)
})

test('a damaged batch is an error that names the place', () => {
  const damaged = batch({ offset: 0, values: ['abc'] })
  damaged[damaged.length - 2]! ^= 1
  expect(() => decode([damaged])).toThrow(
    expect.objectContaining({ code: 'CORRUPT_MESSAGE', message: expect.stringContaining('t-0') }),
  )
})
