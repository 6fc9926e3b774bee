import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { checkOffsets, offsetOf, positionOf, type Position } from './offset.ts'
import { elasticsearchSource } from './source.ts'

const config = (settings: Readonly<Record<string, string>>) =>
  parseConfig(elasticsearchSource, { 'connection.url': 'http://127.0.0.1:9200', 'index.names': 'orders', ...settings })

test('a position is stored and read again; long integers are texts then', () => {
  const positions: Position[] = [
    { ids: [] },
    { uuid: 'u', value: 17, seqNo: 0, ids: ['a', 'b "c"'] },
    { uuid: 'u', value: 'word', seqNo: 3, ids: ['a'] },
    { uuid: 'u', ids: [], doneAt: 5 },
  ]
  for (const position of positions) expect(positionOf(offsetOf(position))).toEqual(position)
  expect(offsetOf({ value: 2n ** 62n, ids: [] })).toEqual({ value: '4611686018427387904' })
})

describe('offsets that somebody gives', () => {
  const partition = { index: 'orders' }

  test.each([
    ['timestamp', { value: 1_700_000_000_000 }],
    ['timestamp', { value: '1700000000000000000', seq_no: 4, ids: '["a"]', uuid: 'u' }],
    ['incrementing', { value: 'word' }],
    ['once', { seq_no: 4 }],
    ['bulk', { done_at: 5, uuid: 'u' }],
  ])('mode %s takes %j', (mode, offset) => {
    const settings = config({ mode, 'incrementing.field.name': 'n' })
    expect(checkOffsets(settings, [{ partition, offset }])).toBe(true)
  })

  test.each([
    ['timestamp', {}, 'has no value'],
    ['timestamp', { value: 'yesterday' }, 'is no time'],
    ['incrementing', { value: true }, 'neither number nor text'],
    ['incrementing', { value: 1, seq_no: -1 }, 'seq_no'],
    ['incrementing', { value: 1, ids: 'a' }, 'ids'],
    ['incrementing', { value: 1, done_at: 1 }, 'done_at'],
    ['incrementing', { value: 1, position: 3 }, 'position, which is not known'],
    ['once', { value: 1 }, 'has a value'],
    ['bulk', { done_at: 'x' }, 'done_at'],
  ])('mode %s refuses %j', (mode, offset, problem) => {
    const settings = config({ mode, 'incrementing.field.name': 'n' })
    expect(() => checkOffsets(settings, [{ partition, offset }])).toThrow(problem)
  })

  test('of a partition that is none of an index', () => {
    const change = { partition: { table: 'orders' }, offset: { value: 1 } }
    expect(() => checkOffsets(config({ mode: 'timestamp' }), [change])).toThrow('is not {"index": "<name>"}')
    expect(checkOffsets(config({ mode: 'timestamp' }), [{ ...change, offset: null }])).toBe(true)
  })
})
