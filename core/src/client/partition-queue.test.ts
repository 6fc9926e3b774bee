import { expect, test } from 'vitest'
import { parseBatchHeader } from '../protocol/record-batch.ts'
import { advanceSequence, PartitionQueue } from './partition-queue.ts'
import { ProduceCall, ProducerBatch } from './producer-batch.ts'

const MAX_INT32 = 2 ** 31 - 1

function batchOf(order: number, count: number): ProducerBatch {
  const batch = new ProducerBatch({ compression: 'none', isTransactional: false, maxBytes: 1e6 }, order, 0)
  const call = new ProduceCall(Array.from({ length: count }, () => ({ topic: 't', key: null, value: 'v' })))
  call.records.forEach((record, index) => batch.tryAppend(call, index, record, 0))
  return batch
}

test('sequence numbers go back to 0 after the largest int32', () => {
  expect(advanceSequence(MAX_INT32 - 1, 1)).toBe(MAX_INT32)
  expect(advanceSequence(MAX_INT32, 1)).toBe(0)
  expect(advanceSequence(MAX_INT32 - 2, 5)).toBe(2)
})

test('a batch that was refused goes before those that were made after it', () => {
  const queue = new PartitionQueue('t', 0)
  const [a, b, c] = [batchOf(0, 1), batchOf(1, 2), batchOf(2, 1)] as const
  b.build({ producerId: 1, producerEpoch: 0, baseSequence: 0 })
  queue.queue.push(c)
  queue.requeue(a)
  queue.requeue(b)
  expect(queue.queue).toEqual([a, b, c])
  const [first, second] = b.split()
  queue.queue.splice(1, 1)
  queue.requeue(second)
  queue.requeue(first)
  expect(queue.queue).toEqual([a, first, second, c])
})

test('a new identity is taken when nothing is under way, and numbers begin at 0', () => {
  const queue = new PartitionQueue('t', 0)
  const identity = { producerId: 7, producerEpoch: 0 }
  const header = (batch: ProducerBatch): number[] => {
    const { producerId, producerEpoch, baseSequence } = parseBatchHeader(queue.send(batch, true))
    return [producerId, producerEpoch, baseSequence]
  }
  const batches = [batchOf(0, 3), batchOf(1, 2), batchOf(2, 2), batchOf(3, 1)] as const
  queue.queue.push(...batches)
  expect(header(queue.next(0, identity)!)).toEqual([7, 0, 0])
  // The first goes alone.
  expect(queue.next(0, identity)).toBeUndefined()
  queue.received(batches[0])
  queue.acknowledged(batches[0])
  expect(header(queue.next(0, identity)!)).toEqual([7, 0, 3])
  const bumped = { producerId: 7, producerEpoch: 1 }
  expect(header(queue.next(0, bumped)!)).toEqual([7, 0, 5])
  for (const batch of [batches[1], batches[2]]) {
    queue.received(batch)
    queue.acknowledged(batch)
  }
  expect(header(queue.next(0, bumped)!)).toEqual([7, 1, 0])
})

test('over a gap only what is in doubt is sent, one at a time, under its old number', () => {
  const queue = new PartitionQueue('t', 0)
  const identity = { producerId: 7, producerEpoch: 0 }
  const batches = [batchOf(0, 1), batchOf(1, 1), batchOf(2, 1)] as const
  queue.queue.push(...batches)
  for (const batch of batches) {
    expect(queue.next(0, identity)).toBe(batch)
    queue.send(batch, true)
    if (batch === batches[0]) {
      queue.received(batch)
      queue.acknowledged(batch)
    }
  }
  for (const batch of [batches[1], batches[2]]) {
    queue.received(batch)
    queue.requeue(batch)
  }
  batches[2].uncertain = true
  queue.gap = true
  expect(queue.canMendGap).toBe(false)
  expect(queue.next(0, identity)).toBe(batches[2])
  expect(parseBatchHeader(queue.send(batches[2], true)).baseSequence).toBe(2)
  expect(queue.next(0, identity)).toBeUndefined()
  queue.received(batches[2])
  batches[2].uncertain = false
  queue.requeue(batches[2])
  expect(queue.canMendGap).toBe(true)
  expect(queue.gapHasClosed).toBe(false)
  queue.restart({ producerId: 7, producerEpoch: 1 })
  expect(batches.map((each) => each.sequence)).toEqual([0, 0, 1])
})

test('nothing new is sent behind a batch in doubt, which the broker might then no longer recognise', () => {
  const queue = new PartitionQueue('t', 0)
  const identity = { producerId: 7, producerEpoch: 0 }
  const batches = [batchOf(0, 1), batchOf(1, 1), batchOf(2, 1)] as const
  queue.queue.push(...batches)
  queue.send(batches[0], true)
  queue.received(batches[0])
  queue.acknowledged(batches[0])
  queue.send(batches[1], true)
  expect(queue.next(0, identity)).toBe(batches[2])
  queue.received(batches[1])
  batches[1].uncertain = true
  queue.requeue(batches[1])
  expect(queue.next(0, identity)).toBe(batches[1])
  queue.send(batches[1], true)
  expect(queue.next(0, identity)).toBeUndefined()
  queue.received(batches[1])
  queue.acknowledged(batches[1])
  expect(queue.next(0, identity)).toBe(batches[2])
})
