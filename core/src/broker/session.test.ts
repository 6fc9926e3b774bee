import { expect, test } from 'vitest'
import { ManualClock } from './clock.ts'
import { Session } from './session.ts'

test('a session lasts as long as was agreed, also where the clock of the machine is set meanwhile', () => {
  const clock = new ManualClock()
  let setBy = 0
  let expired = 0
  const session = new Session(
    { now: () => clock.now() + setBy, elapsed: () => clock.elapsed(), after: (ms, run) => clock.after(ms, run) },
    () => expired++,
  )
  session.renew(10_000)
  setBy = 3_600_000
  clock.advance(9999)
  expect(session.hasExpired).toBe(false)
  setBy = -3_600_000
  clock.advance(1)
  expect([session.hasExpired, expired]).toEqual([true, 1])
})
