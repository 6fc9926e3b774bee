import { expect, test } from 'vitest'
import type { FetchedRecords, InRecord } from '../client/client.ts'
import { SinkBacklog } from './sink-backlog.ts'

/** Every second offset is there; after the last one comes a marker of a transaction. */
function fetched(topic: string, count: number): FetchedRecords {
  const records = Array.from({ length: count }, (_, i): InRecord => {
    return { offset: i * 2, timestamp: 0, key: null, value: null, headers: [] }
  })
  return { topic, partition: 0, records, nextOffset: count * 2 + 1, highWatermark: 0, bytes: 10 }
}

const at = (topic: string, offset: number) => ({ topic, partition: 0, offset })
const rangesOf = (backlog: SinkBacklog): string[] =>
  backlog.take(100).slices.map(({ topic, from, to }) => `${topic} ${from}-${to}`)

test('what is put back is taken again, from that record on', () => {
  const backlog = new SinkBacklog()
  backlog.add([fetched('a', 3), fetched('b', 4), fetched('c', 5)])
  expect(backlog.take(9).ends).toEqual([at('a', 7), at('b', 9), at('c', 4)])
  expect(backlog.putBack(1, 1)).toEqual([at('a', 7), at('b', 2)])
  expect(backlog.bytes).toBe(20)
  expect(rangesOf(backlog)).toEqual(['b 1-4', 'c 0-5'])
  expect(backlog.isEmpty).toBe(true)
})

test('partitions that are dropped meanwhile do not come back', () => {
  const backlog = new SinkBacklog()
  backlog.add([fetched('a', 3), fetched('b', 4)])
  backlog.take(100)
  backlog.drop([{ topic: 'b', partition: 0 }])
  expect(backlog.putBack(0, 2)).toEqual([at('a', 4)])
  expect(rangesOf(backlog)).toEqual(['a 2-3'])
})
