import { expect, test } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { LatestWrites } from './latest-writes.ts'
import type { TopicLogRecord } from './topic-log.ts'

/** A log whose writes wait until they are answered. */
function openHeld() {
  const written: Record<string, string | null>[] = []
  const answers: { ok: () => void; fail: () => void }[] = []
  const log = {
    write: (records: readonly TopicLogRecord[]) => {
      written.push(Object.fromEntries(records.map(({ key, value }) => [key, value])))
      return new Promise<ReadonlyMap<number, number>>((resolve, reject) => {
        answers.push({ ok: () => resolve(new Map()), fail: () => reject(new Error('not now')) })
      })
    },
  }
  const stop = new AbortController()
  const warnings: string[] = []
  const logger = { ...silentLogger, warn: (message: string) => void warnings.push(message) }
  const writes = new LatestWrites({ log, topic: 't', logger, signal: stop.signal })
  const answer = async (how: 'ok' | 'fail') => {
    await expect.poll(() => answers.length).toBeGreaterThan(0)
    answers.shift()![how]()
  }
  return { writes, written, answer, stop, warnings }
}

test('what is told while a write is under way goes with the next, the latest of each key', async () => {
  const { writes, written, answer } = openHeld()
  const all = [writes.tell({ key: 'a', value: '1' })]
  for (const value of ['2', '3', null])
    all.push(writes.tell({ key: 'a', value }), writes.tell({ key: 'b', value: '1' }))
  await answer('ok')
  await answer('ok')
  await Promise.all(all)
  expect(written).toEqual([{ a: '1' }, { a: null, b: '1' }])
  expect(writes.underWay).toBeUndefined()
})

test('a write that fails is tried again, with what is newer in its place, and told once', async () => {
  const { writes, written, answer, warnings } = openHeld()
  const first = writes.tell({ key: 'a', value: '1' })
  void writes.tell({ key: 'b', value: '1' })
  await answer('fail')
  void writes.tell({ key: 'a', value: '2' })
  await answer('fail')
  await answer('ok')
  await first
  expect(written).toEqual([{ a: '1' }, { a: '2', b: '1' }, { a: '2', b: '1' }])
  expect(warnings).toHaveLength(1)
})

test('what is told just as a write ends is written too', async () => {
  for (let turns = 0; turns < 10; turns++) {
    const { writes, written, answer } = openHeld()
    const first = writes.tell({ key: 'a', value: '1' })
    await answer('ok')
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    const second = writes.tell({ key: 'a', value: '2' })
    await answer('ok')
    await Promise.all([first, second])
    expect(written.at(-1)).toEqual({ a: '2' })
  }
})

test('nothing more is written once it is to stop', async () => {
  const { writes, written, answer, stop } = openHeld()
  const told = writes.tell({ key: 'a', value: '1' })
  await answer('fail')
  stop.abort()
  await told
  await writes.tell({ key: 'a', value: '2' })
  expect(written).toHaveLength(1)
})
