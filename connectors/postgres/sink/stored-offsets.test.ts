import { sinkRecord } from '@tidewire/sdk/testing'
import type pg from 'pg'
import { expect, test } from 'vitest'
import { StoredOffsets } from './stored-offsets.ts'

test('records from before where their partition was opened are told, of each partition once', async () => {
  const rows = [
    { topic: 't', partition: 0, next_offset: 5 },
    { topic: 't', partition: 1, next_offset: null },
  ]
  const client = { query: () => Promise.resolve({ rows, rowCount: 1 }) } as unknown as pg.Client
  const offsets = new StoredOffsets('positions', 'sink')
  await offsets.claim(client, rows)
  const at = (partition: number, offset: number) => sinkRecord({ topic: 't', partition, offset })
  const committed = await offsets.advance(client, [at(0, 5), at(0, 6)])
  committed()
  // A repeat, after a commit whose answer was lost.
  expect(offsets.due([at(0, 5), at(0, 6), at(0, 7)])).toEqual([at(0, 7)])
  expect(offsets.strays([at(0, 5), at(0, 6), at(1, 0)])).toEqual([])
  const stray = { topic: 't', partition: 0, offset: 3, opened: 5 }
  expect(offsets.strays([at(0, 3), at(0, 4)])).toEqual([stray])
  expect(offsets.strays([at(0, 3)])).toEqual([])
  await offsets.claim(client, rows)
  expect(offsets.strays([at(0, 3)])).toEqual([stray])
  offsets.release(rows)
  expect(offsets.strays([at(0, 3)])).toEqual([])
})
