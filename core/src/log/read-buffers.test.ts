import { expect, test } from 'vitest'
import { ReadBuffers } from './read-buffers.ts'
import { batchOf, openLog, recordsOf, temporaryDirectory } from './testing/test-log.ts'

const MIB = 1024 * 1024

test('takes a buffer again that was given back, and only then', () => {
  const buffers = new ReadBuffers()
  const first = buffers.take(MIB)!
  expect(buffers.take(MIB)).not.toBe(first)
  buffers.release(first)
  expect(buffers.take(MIB / 2)).toBe(first)
})

test('leaves small reads and very large ones alone', () => {
  const buffers = new ReadBuffers()
  expect(buffers.take(1000)).toBeUndefined()
  expect(buffers.take(MIB + 1)).toBeUndefined()
})

test('keeps a bounded number', () => {
  const buffers = new ReadBuffers()
  const taken = Array.from({ length: 20 }, () => buffers.take(MIB)!)
  for (const each of taken) buffers.release(each)
  const again = Array.from({ length: 20 }, () => buffers.take(MIB)!)
  expect(again.filter((each) => taken.includes(each)).length).toBe(8)
})

test('what was read stays as it is until it is given back', async () => {
  const manager = await openLog(temporaryDirectory())
  await manager.createTopic('t', 1)
  const log = manager.partition('t', 0)!
  const values = ['a', 'b'].map((letter) => letter.repeat(400_000))
  for (const value of values) await log.append(batchOf([value]), { acks: -1, origin: 'client' })
  const first = await log.read(0, 500_000, 'read_uncommitted')
  const second = await log.read(1, 500_000, 'read_uncommitted')
  expect(first.records[0]!.buffer).not.toBe(second.records[0]!.buffer)
  expect(recordsOf(first.records)[0]!.value).toBe(values[0])
  first.release!()
  const third = await log.read(1, 500_000, 'read_uncommitted')
  expect(third.records[0]!.buffer).toBe(first.records[0]!.buffer)
  expect(recordsOf(third.records)[0]!.value).toBe(values[1])
  expect(recordsOf(second.records)[0]!.value).toBe(values[1])
  await manager.close()
})
