import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { SinkWaits } from './sink-waits.ts'

const records = (count: number) =>
  Array.from({ length: count }, (_, offset) => ({
    topic: 't',
    partition: 0,
    offset,
    key: null,
    value: null,
    headers: [],
    timestamp: 0,
  }))

describe('what a sink task waits for', () => {
  let waits: SinkWaits

  beforeEach(() => {
    vi.useFakeTimers({ now: 1000 })
    waits = new SinkWaits()
  })

  afterEach(() => vi.useRealTimers())

  const at = (time: number): void => void vi.setSystemTime(time)

  test('nothing, to begin with', () => expect(waits.longest).toBeUndefined())

  test('a put that fails again and again, since the first time; not once a part of it has gone', () => {
    waits.putAnswered(records(5), 'ECONNREFUSED')
    at(2000)
    waits.putAnswered(records(5), 'ECONNRESET')
    expect(waits.longest).toMatchObject({
      what: 'put has failed 2 times in a row, the last time with: ECONNRESET',
      since: 1000,
    })
    at(3000)
    waits.putAnswered(records(3), 'ECONNRESET')
    expect(waits.longest?.since).toBe(3000)
    waits.putAnswered([], '')
    expect(waits.longest).toBeUndefined()
  })

  test('records kept back while nothing moves from one flush to the next', () => {
    waits.flushed(['t-0:5/9'])
    expect(waits.longest).toBeUndefined()
    at(2000)
    waits.flushed(['t-0:5/12'])
    expect(waits.longest).toBeUndefined()
    at(3000)
    waits.flushed(['t-0:5/12'])
    expect(waits.longest).toMatchObject({ since: 2000, what: expect.stringContaining('1 partition:') as string })
    waits.flushed(['t-0:12/13'])
    expect(waits.longest).toBeUndefined()
  })

  test('the longest of several', () => {
    waits.commits.failed('no coordinator')
    at(2000)
    waits.waitsForLease(true)
    expect(waits.longest?.what).toMatch(/^the commit of offsets has failed once.*no coordinator/)
    waits.commits.progressed()
    at(3000)
    waits.waitsForLease(true)
    expect(waits.longest).toMatchObject({ kind: 'lease', since: 2000 })
    waits.waitsForLease(false)
    expect(waits.longest).toBeUndefined()
  })

  test('the log, until it has answered', async () => {
    const answer = Promise.withResolvers<number>()
    const waiting = waits.log.during('waits for the log', answer.promise)
    expect(waits.longest).toMatchObject({ what: 'waits for the log', since: 1000 })
    answer.resolve(3)
    expect(await waiting).toBe(3)
    expect(waits.longest).toBeUndefined()
  })
})
