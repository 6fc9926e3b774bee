import { expect, test } from 'vitest'
import { AnswerMemory, type AnswerHolder } from './answer-memory.ts'

const MiB = 1024 * 1024

class FakeHolder implements AnswerHolder {
  refused: string | undefined

  refuse(reason: string): void {
    this.refused = reason
  }
}

let now = 0
const clock = () => now

test('the fuller it is, the less a fetch may read', () => {
  const memory = new AnswerMemory(16 * MiB, clock)
  const grants = Array.from({ length: 10 }, () => memory.reserve(50 * MiB)) as number[]
  expect(grants[0]).toBe(4 * MiB)
  expect(grants.every((grant, i) => i === 0 || grant < grants[i - 1]!)).toBe(true)
  for (const grant of grants) memory.release(grant)
  expect(memory.used).toBe(0)
  expect(memory.reserve(1000)).toBe(1000)
})

test('without room fetches wait, until something is read', async () => {
  const memory = new AnswerMemory(MiB, clock)
  const holder = new FakeHolder()
  memory.hold(holder, MiB)
  const waiting = memory.reserve(MiB)
  expect(waiting).toBeInstanceOf(Promise)
  memory.hold(holder, MiB / 2)
  expect(await waiting).toBe(MiB / 8)
  expect(holder.refused).toBeUndefined()
})

test('who reads nothing while others wait has to end, the one stalled for longest first', async () => {
  const memory = new AnswerMemory(4 * MiB, clock)
  const [first, second, reader] = [new FakeHolder(), new FakeHolder(), new FakeHolder()]
  memory.hold(first, 2 * MiB)
  memory.hold(reader, MiB)
  now += 900
  memory.hold(second, MiB)
  // Took some of it.
  memory.hold(reader, MiB - 1)
  memory.hold(reader, MiB)
  const waiting = memory.reserve(MiB)
  memory.dropStalled()
  expect(first.refused).toBeUndefined()
  now += 200
  memory.dropStalled()
  expect([first, second, reader].map(({ refused }) => refused !== undefined)).toEqual([true, false, false])
  expect(await waiting).toBe(MiB / 2)
})

test('never holds more than twice the limit', () => {
  const memory = new AnswerMemory(4 * MiB, clock)
  const holders = Array.from({ length: 20 }, () => new FakeHolder())
  for (const holder of holders) {
    memory.hold(holder, MiB)
    expect(memory.used).toBeLessThanOrEqual(8 * MiB)
  }
  expect(holders.filter(({ refused }) => refused !== undefined)).toEqual(holders.slice(0, 12))
})
