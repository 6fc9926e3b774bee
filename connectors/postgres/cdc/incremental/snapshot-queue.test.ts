import { expect, test } from 'vitest'
import { StoredQueue } from './snapshot-queue.ts'

test('StoredQueue is the same after it was stored', () => {
  const queue = new StoredQueue('shop', undefined)
  expect(queue.takeOffset()).toBeUndefined()
  queue.change({
    signals: [{ kind: 'pause' }],
    tables: [
      { schema: 'a', table: 'b', rows: 0 },
      { schema: 'a', table: 'c', condition: "x = 'y'", rows: 0 },
    ],
    isPaused: true,
  })
  queue.changeFirst({ order: ['id'], last: ['1\u0001'], to: ['9'], rows: 5 })
  const stored = queue.takeOffset()!
  expect(stored.partition).toEqual({ server: 'shop', incremental: 'snapshot' })
  expect(queue.isChanged).toBe(false)
  const again = new StoredQueue('shop', stored.offset)
  expect(again.now).toEqual(queue.now)
  again.changeFirst(undefined)
  expect(again.now.tables.map(({ table }) => table)).toEqual(['c'])
})

test('StoredQueue refuses what was damaged', () => {
  expect(() => new StoredQueue('shop', { tables: '{' })).toThrow(/"tables" is no list; delete it/)
})
