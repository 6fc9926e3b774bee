import { sinkRecord } from '@tidewire/sdk/testing'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { StoredOffsets } from './stored-offsets.ts'

const at = (partition: number, offset: number) => sinkRecord({ topic: 't', partition, offset })
const anew = expect.objectContaining({ code: 'POSTGRES_SINK_TOPIC_ANEW', retriable: false }) as Error

function positions(...rows: { partition: number; next_offset: number | null; topic_id?: string | null }[]) {
  const all = rows.map((row) => ({ topic: 't', topic_id: null, ...row }))
  return { query: () => Promise.resolve({ rows: all, rowCount: 1 }) } as unknown as pg.Client
}

test('records from before where their partition goes on are refused; those of an attempt with an unknown end are not', async () => {
  const client = positions({ partition: 0, next_offset: 5 }, { partition: 1, next_offset: null })
  const partitions = [0, 1].map((partition) => ({ topic: 't', partition }))
  const offsets = new StoredOffsets('positions', 'sink')
  await offsets.claim(client, partitions)
  expect(() => offsets.due([at(0, 4)])).toThrow(anew)
  const committed = await offsets.advance(client, [at(0, 5), at(0, 6)])
  committed()
  // The put failed after its commit, and comes again, perhaps with more.
  expect(offsets.due([at(0, 5), at(0, 6), at(1, 0), at(0, 7)])).toEqual([at(1, 0), at(0, 7)])
  offsets.written([at(0, 5), at(1, 0), at(0, 6)])
  expect(() => offsets.due([at(1, 1), at(0, 6)])).toThrow(/t-0 is written up to offset 7, and .* from offset 6 on/)
  expect(() => offsets.due([at(1, 0)])).toThrow(anew)
  expect(offsets.due([at(0, 7), at(1, 1)])).toHaveLength(2)
  offsets.release(partitions)
  expect(offsets.due([at(0, 0)])).toHaveLength(1)
})

test('a position of a topic with another id is none of this one', async () => {
  const claim = (topicId: string | undefined, next_offset: number | null, topic_id: string | null) =>
    new StoredOffsets('positions', 'sink').claim(positions({ partition: 0, next_offset, topic_id }), [
      { topic: 't', partition: 0, topicId },
    ])
  await expect(claim('new', 5, 'old')).rejects.toThrow(anew)
  expect(await claim('one', 5, 'one')).toEqual([{ topic: 't', partition: 0, offset: 5 }])
  expect(await claim(undefined, 5, 'old')).toEqual([{ topic: 't', partition: 0, offset: 5 }])
  expect(await claim('new', null, 'new')).toEqual([])
})
