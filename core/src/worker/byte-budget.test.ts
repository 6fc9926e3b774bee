import { describe, expect, test } from 'vitest'
import { budgetBuffer, ByteBudget, guaranteedBytes, loansBuffer, settleLoans, shareOfItsOwn } from './byte-budget.ts'

const MiB = 1024 * 1024

function worker(bytes: number) {
  const buffer = budgetBuffer(bytes)
  const thread = () => {
    const loans = loansBuffer()
    return { loans, budget: new ByteBudget(buffer, loans) }
  }
  return { buffer, thread }
}

describe('the byte budget of a worker', () => {
  test('what is guaranteed is not borrowed; beyond it one task’s gain is the others’ loss, in whatever thread', () => {
    const { thread } = worker(10 * MiB)
    const [one, two] = [thread(), thread()]
    const [a, b] = [one.budget.share(16 * MiB), two.budget.share(16 * MiB)]
    const [held, other] = [a.holder(), b.holder()]
    held.holds(guaranteedBytes)
    expect(two.budget.leftBytes).toBe(10 * MiB)
    expect(b.mostBytes).toBe(10 * MiB + guaranteedBytes)
    held.holds(8 * MiB + guaranteedBytes)
    expect(two.budget.leftBytes).toBe(2 * MiB)
    expect(b.mostBytes).toBe(2 * MiB + guaranteedBytes)
    expect([a.isFull, b.isFull]).toEqual([false, false])
    other.holds(2 * MiB + guaranteedBytes)
    expect(b.isFull).toBe(true)
    expect(b.mostBytes).toBe(2 * MiB + guaranteedBytes)
    held.holds(0)
    expect(two.budget.leftBytes).toBe(8 * MiB)
    other.holds(1 * MiB)
    expect(b.isFull).toBe(false)
  })

  test('with nothing left, each task still has what is guaranteed', () => {
    const { thread } = worker(1)
    const shares = Array.from({ length: 100 }, () => thread().budget.share(16 * MiB))
    for (const share of shares) {
      share.holder().holds(guaranteedBytes)
      expect(share.isFull).toBe(false)
      expect(share.mostBytes).toBe(guaranteedBytes)
    }
  })

  test('a task’s own limit holds however much is left', () => {
    const share = shareOfItsOwn(1000)
    const [one, two] = [share.holder(), share.holder()]
    one.holds(400)
    expect(two.mostBytes).toBe(600)
    two.holds(600)
    expect([share.isFull, one.mostBytes, two.mostBytes]).toEqual([true, 400, 600])
    one.holds(0)
    expect([share.isFull, two.mostBytes]).toEqual([false, 1000])
  })

  test('all is given back by a task that ends, and by a thread that is gone', () => {
    const { buffer, thread } = worker(10 * MiB)
    const { loans, budget } = thread()
    const [ended, lost] = [budget.share(16 * MiB), budget.share(16 * MiB)]
    const late = ended.holder()
    late.holds(3 * MiB)
    lost.holder().holds(4 * MiB)
    ended.close()
    late.holds(3 * MiB)
    const next = thread().budget
    expect(next.leftBytes).toBe(10 * MiB - (4 * MiB - guaranteedBytes))
    settleLoans(buffer, loans)
    settleLoans(buffer, loans)
    expect(next.leftBytes).toBe(10 * MiB)
  })
})
