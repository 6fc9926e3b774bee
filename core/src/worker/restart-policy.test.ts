import { ConfigError, DataError, RetriableError } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { isPermanent, RestartPolicy } from './restart-policy.ts'

describe('RestartPolicy', () => {
  const limits = { firstDelayMs: 100, maxDelayMs: 1000, maxRestarts: 5, windowMs: 10_000 }

  test('pauses grow up to the limit, and there is an end', () => {
    const policy = new RestartPolicy(
      limits,
      () => 0,
      () => 0,
    )
    expect(Array.from({ length: 6 }, () => policy.next(false))).toEqual([100, 200, 400, 800, 1000, undefined])
    policy.reset()
    expect(policy.next(false)).toBe(100)
  })

  test('what happened long ago does not count', () => {
    let now = 0
    const policy = new RestartPolicy(
      limits,
      () => now,
      () => 0,
    )
    for (let i = 0; i < 5; i++) policy.next(false)
    now = 10_000
    expect(policy.next(false)).toBe(100)
  })

  test('the pause is spread, never more than half', () => {
    const policy = new RestartPolicy(
      limits,
      () => 0,
      () => 1,
    )
    expect(policy.next(false)).toBe(50)
  })

  test('no restart for what would only fail again', () => {
    expect(new RestartPolicy(limits).next(true)).toBeUndefined()
    expect([new ConfigError('x'), new DataError('x')].map(isPermanent)).toEqual([true, true])
    expect([new RetriableError('x'), new Error('x'), 'x'].map(isPermanent)).toEqual([false, false, false])
  })
})
