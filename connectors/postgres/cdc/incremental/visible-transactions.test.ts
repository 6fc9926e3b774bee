import { describe, expect, test } from 'vitest'
import { RecentTransactions, VisibleTransactions } from './visible-transactions.ts'

describe('VisibleTransactions', () => {
  test('sees what had ended, and neither what was running nor what had not begun', () => {
    const visible = new VisibleTransactions('100:105:100,103')
    expect([99, 100, 101, 103, 104, 105, 106].map((xid) => visible.sees(xid))).toEqual([
      true,
      false,
      true,
      false,
      true,
      false,
      false,
    ])
    expect(new VisibleTransactions('7:7:').sees(6)).toBe(true)
    expect(new VisibleTransactions('7:7:').sees(7)).toBe(false)
  })

  test('goes by the lowest 32 bits, across their overflow', () => {
    const epoch = 3 * 2 ** 32
    const visible = new VisibleTransactions(`${epoch - 2}:${epoch + 5}:${epoch - 2},${epoch + 4}`)
    expect(visible.sees(2 ** 32 - 3)).toBe(true)
    expect(visible.sees(2 ** 32 - 2)).toBe(false)
    expect(visible.sees(2 ** 32 - 1)).toBe(true)
    expect(visible.sees(3)).toBe(true)
    expect(visible.sees(4)).toBe(false)
    expect(visible.sees(5)).toBe(false)
  })

  test('refuses what is no snapshot', () => {
    expect(() => new VisibleTransactions('100')).toThrow(TypeError)
  })
})

test('RecentTransactions keeps the newest', () => {
  const recent = new RecentTransactions(3)
  expect(recent.list()).toEqual([])
  for (const xid of [1, 2, 3, 2 ** 32 - 1]) recent.add(xid)
  expect(recent.list().sort()).toEqual([2, 3, 2 ** 32 - 1])
})
