import { expect, test } from 'vitest'
import { RequestMemory, type Arrival } from './request-memory.ts'

const KiB = 1024

class FakeArrival implements Arrival {
  resumed = 0
  refused: string | undefined

  resume(): void {
    this.resumed++
  }

  refuse(reason: string): void {
    this.refused = reason
  }
}

let now = 0
const clock = () => now

test('what is announced costs nothing, what has come does', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const [a, b] = [new FakeArrival(), new FakeArrival()]
  expect(memory.arrived(a, 10)).toBe(true)
  expect(memory.arrived(b, 20)).toBe(true)
  expect(memory.used).toBe(30)
  expect(memory.arrived(a, 100)).toBe(true)
  memory.begin(a, 200)
  expect(memory.used).toBe(220)
  memory.forget(b)
  memory.release(200)
  expect(memory.used).toBe(0)
})

test('beyond the limit requests wait for those in work', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const [a, b] = [new FakeArrival(), new FakeArrival()]
  memory.begin(a, 900 * KiB)
  expect(memory.arrived(b, 64 * KiB)).toBe(true)
  expect(memory.arrived(b, 128 * KiB)).toBe(false)
  memory.release(900 * KiB)
  expect(b.resumed).toBe(1)
  expect(memory.arrived(b, 900 * KiB)).toBe(true)
})

test('with none in work the eldest goes on, however large it gets', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const [a, b] = [new FakeArrival(), new FakeArrival()]
  memory.arrived(a, 500 * KiB)
  memory.arrived(b, 400 * KiB)
  expect(memory.arrived(b, 600 * KiB)).toBe(false)
  expect(memory.arrived(a, 5000 * KiB)).toBe(true)
  memory.begin(a, 6000 * KiB)
  expect(b.resumed).toBe(0)
  memory.release(6000 * KiB)
  expect(b.resumed).toBe(1)
})

test('who is slow while others wait has to end, and who is not gets on', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const slow = Array.from({ length: 10 }, () => new FakeArrival())
  for (const each of slow) memory.arrived(each, 99 * KiB)
  const fast = new FakeArrival()
  expect(memory.arrived(fast, 100 * KiB)).toBe(false)
  // All have sent something in this second.
  now += 1100
  for (const each of slow) memory.arrived(each, 99 * KiB + 1)
  memory.dropSlow()
  expect(slow.some(({ refused }) => refused !== undefined)).toBe(false)
  expect(fast.resumed).toBe(1)
  expect(memory.arrived(fast, 170 * KiB)).toBe(false)
  now += 1100
  for (const each of slow) memory.arrived(each, 99 * KiB + 2)
  memory.dropSlow()
  expect(slow.every(({ refused }) => refused !== undefined)).toBe(true)
  expect([fast.resumed, fast.refused]).toEqual([2, undefined])
  expect(memory.used).toBe(170 * KiB)
})

test('where incomplete requests fill all there is, the eldest go', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const arrivals = Array.from({ length: 40 }, () => new FakeArrival())
  for (const each of arrivals) memory.arrived(each, 60 * KiB)
  const late = new FakeArrival()
  expect(memory.arrived(late, 70 * KiB)).toBe(false)
  now += 500
  memory.dropSlow()
  expect(arrivals.some(({ refused }) => refused !== undefined)).toBe(false)
  now += 500
  // All of the others have sent, and now wait.
  for (const each of arrivals) memory.arrived(each, 70 * KiB)
  memory.dropSlow()
  expect(memory.used).toBeLessThanOrEqual(1000 * KiB)
  expect(memory.used).toBeGreaterThan(900 * KiB)
  expect(arrivals.slice(0, 20).every(({ refused }) => refused !== undefined)).toBe(true)
  expect([late.refused, late.resumed]).toEqual([undefined, 1])
})

test('never holds much more than twice the limit', () => {
  const memory = new RequestMemory(1000 * KiB, clock)
  const arrivals = Array.from({ length: 100 }, () => ({ arrival: new FakeArrival(), bytes: 0, goesOn: true }))
  for (let round = 0; round < 200; round++) {
    for (const each of arrivals) {
      if (each.arrival.resumed > 0) each.goesOn = true
      each.arrival.resumed = 0
      if (!each.goesOn || each.arrival.refused !== undefined) continue
      each.bytes += 16 * KiB
      each.goesOn = memory.arrived(each.arrival, each.bytes)
      // One piece of each may come before it is told to wait; the eldest goes on.
      const eldest = arrivals.find(({ arrival }) => arrival.refused === undefined)!
      expect(memory.used - eldest.bytes).toBeLessThan(2000 * KiB + 100 * 16 * KiB)
    }
    now += 300
    memory.dropSlow()
  }
})
