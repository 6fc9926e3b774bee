import type { ConnectRecord } from '@tidewire/sdk'
import { runTransform } from '@tidewire/sdk/testing'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { dedupe } from './dedupe.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['performance'] }))
afterEach(() => void vi.useRealTimers())

const record = (id: unknown, more: Partial<ConnectRecord> = {}): ConnectRecord => ({
  topic: 't',
  value: { id },
  ...more,
})
const ids = (records: readonly ConnectRecord[]) => records.map(({ value }) => (value as { id: unknown }).id)

test('drops what came before within the time, and what has no key passes', async () => {
  const run = runTransform(dedupe, { key: 'value.id', 'window.ms': '1000' })
  const made = await run.applyAll([1, 2, 1, '2', null, null, { a: 1, b: 2 }, { b: 2, a: 1 }].map((id) => record(id)))
  expect(ids(made)).toEqual([1, 2, null, null, { a: 1, b: 2 }])
  vi.advanceTimersByTime(999)
  expect(await run.apply(record(1))).toBeNull()
  vi.advanceTimersByTime(1)
  expect(await run.apply(record(1))).not.toBeNull()
  await run.close()
})

test('forgets the oldest where memory ends', async () => {
  const run = runTransform(dedupe, { key: 'value.id', 'max.bytes': '1024' })
  await run.applyAll([1, 2, 3, 4, 5, 6, 7].map((id) => record(id)))
  expect(await run.apply(record(7))).toBeNull()
  expect(await run.apply(record(1))).not.toBeNull()
  await run.close()
})

test('a record that a sink reads again passes again', async () => {
  const run = runTransform(dedupe, { key: 'value.id' }, { type: 'sink' })
  const first = record(1, { partition: 0, offset: 5 })
  expect(await run.apply(first)).not.toBeNull()
  expect(await run.apply(first)).not.toBeNull()
  expect(await run.apply(record(1, { partition: 0, offset: 6 }))).toBeNull()
  await run.close()
})
