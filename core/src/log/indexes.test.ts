import fc from 'fast-check'
import { appendFileSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { FilePool } from './file-pool.ts'
import { nodeFileSystem } from './file-system.ts'
import { OffsetIndex } from './offset-index.ts'
import { temporaryDirectory } from './testing/test-log.ts'
import { TimeIndex } from './time-index.ts'
import { TransactionIndex } from './transaction-index.ts'

const pool = () => new FilePool(nodeFileSystem, 4)

function offsetIndex(path: string): OffsetIndex {
  return new OffsetIndex(nodeFileSystem, pool().file(path), 1000)
}

describe('offset index', () => {
  test("is Kafka's layout: relative offset and position, int32 each", () => {
    const path = join(temporaryDirectory(), 'index')
    const index = offsetIndex(path)
    index.append(1005, 4097)
    index.append(1300, 70_000)
    expect(() => statSync(path)).toThrow()
    index.flush()
    expect(readFileSync(path).toString('hex')).toBe('00000005000010010000012c00011170')
  })

  test('finds the last entry not above an offset, in memory and in the file, and after truncation', () => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant('append' as const), gap: fc.integer({ min: 1, max: 20 }) }),
      fc.record({ kind: fc.constant('flush' as const) }),
      fc.record({ kind: fc.constant('reopen' as const) }),
      fc.record({ kind: fc.constant('truncate' as const), at: fc.integer({ min: 1000, max: 3000 }) }),
      fc.record({ kind: fc.constant('lookup' as const), at: fc.integer({ min: 1000, max: 3000 }) }),
    )
    fc.assert(
      fc.property(fc.array(command, { maxLength: 300 }), (commands) => {
        const path = join(temporaryDirectory(), 'index')
        let index = offsetIndex(path)
        let model: { offset: number; position: number }[] = []
        for (const step of commands) {
          if (step.kind === 'append') {
            const offset = (model.at(-1)?.offset ?? 1000) + step.gap
            const position = (model.at(-1)?.position ?? 0) + 5000
            index.append(offset, position)
            model.push({ offset, position })
          } else if (step.kind === 'flush') index.flush()
          else if (step.kind === 'reopen') {
            index.flush()
            index = offsetIndex(path)
          } else if (step.kind === 'truncate') {
            index.truncateTo(step.at)
            model = model.filter(({ offset }) => offset < step.at)
          } else {
            const expected = model.findLast(({ offset }) => offset <= step.at) ?? { offset: 1000, position: 0 }
            expect(index.lookup(step.at)).toEqual(expected)
          }
          expect(index.entries).toBe(model.length)
          expect(index.last()).toEqual(model.at(-1))
        }
      }),
      { numRuns: 50 },
    )
  })

  test('large ones are searched block by block', () => {
    const index = offsetIndex(join(temporaryDirectory(), 'index'))
    for (let i = 0; i < 5000; i++) index.append(1000 + i * 3, i * 10)
    for (let i = 0; i < 15_000; i += 7) expect(index.lookup(1000 + i).position).toBe(Math.floor(i / 3) * 10)
  })

  test('half an entry at the end is passed over', () => {
    const path = join(temporaryDirectory(), 'index')
    const index = offsetIndex(path)
    index.append(1005, 100)
    index.flush()
    appendFileSync(path, Buffer.alloc(5))
    const again = offsetIndex(path)
    expect(again.entries).toBe(1)
    again.append(1010, 200)
    again.flush()
    expect(offsetIndex(path).last()).toEqual({ offset: 1010, position: 200 })
  })
})

test('the time index takes only what is later, as timestamp int64 and relative offset int32', () => {
  const path = join(temporaryDirectory(), 'timeindex')
  const index = new TimeIndex(nodeFileSystem, pool().file(path), 1000)
  index.maybeAppend(500, 1001)
  index.maybeAppend(400, 1002)
  index.maybeAppend(500, 1003)
  index.maybeAppend(2 ** 33, 1004)
  index.flush()
  expect(readFileSync(path).toString('hex')).toBe('00000000000001f400000001000000020000000000000004')
  expect(index.lookup(499)).toEqual({ timestamp: -1, offset: 1000 })
  expect(index.lookup(501)).toEqual({ timestamp: 500, offset: 1001 })
  index.truncateTo(1004)
  expect(index.last()).toEqual({ timestamp: 500, offset: 1001 })
})

test("the transaction index is Kafka's layout, and is cut by markers", () => {
  const path = join(temporaryDirectory(), 'txnindex')
  const index = new TransactionIndex(nodeFileSystem, pool().file(path))
  const entry = (n: number) => ({
    producerId: n,
    firstOffset: n * 10,
    lastOffset: n * 10 + 5,
    lastStableOffset: n * 10 + 6,
  })
  for (const n of [1, 2, 3]) index.append(entry(n))
  index.flush()
  expect(readFileSync(path).subarray(0, 34).toString('hex')).toBe(
    '00000000000000000001000000000000000a000000000000000f0000000000000010',
  )
  const again = new TransactionIndex(nodeFileSystem, pool().file(path))
  expect(again.entries()).toEqual([1, 2, 3].map(entry))
  again.truncateTo(25)
  again.append(entry(4))
  again.flush()
  expect(new TransactionIndex(nodeFileSystem, pool().file(path)).entries()).toEqual([entry(1), entry(4)])
})
