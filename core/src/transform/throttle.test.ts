import { expect, test, vi } from 'vitest'
import type { ConnectRecord, Transform, TransformContext } from '@tidewire/sdk'
import { throttle } from './throttle.ts'

const record: ConnectRecord = { topic: 't', key: 'k', value: { text: 'x'.repeat(83), n: 1 } }

function make(settings: { records?: number; bytes?: number }, signal = new AbortController().signal): Transform {
  const config = { 'records.per.second': settings.records, 'bytes.per.second': settings.bytes }
  return throttle.create(config, { signal } as TransformContext) as Transform
}

/** How long it says that records have to wait, in all. */
async function waited(transform: Transform, records: number): Promise<number> {
  const began = performance.now()
  for (let i = 0; i < records; i++) await transform.apply(record)
  return performance.now() - began
}

test('lets no more records pass than its rate', async () => {
  expect(await waited(make({ records: 500 }), 101)).toBeGreaterThan(170)
})

test('lets no more bytes pass than its rate', async () => {
  // Some 97 bytes each.
  expect(await waited(make({ bytes: 97_000 }), 201)).toBeGreaterThan(170)
})

test('records below the rate do not wait', () => {
  const transform = make({ records: 1e9 })
  for (let i = 0; i < 1000; i++) expect(transform.apply(record)).toBe(record)
})

test('the end of the task ends a wait, and the record passes', async () => {
  const ending = new AbortController()
  const transform = make({ records: 0.0001 }, ending.signal)
  expect(transform.apply(record)).toBe(record)
  const waiting = transform.apply(record)
  const passed = vi.fn()
  void Promise.resolve(waiting).then(passed)
  await new Promise((resolve) => setImmediate(resolve))
  expect(passed).not.toHaveBeenCalled()
  ending.abort()
  expect(await waiting).toBe(record)
})

test('a wait may be longer than a timer can be set to', async () => {
  const ending = new AbortController()
  const warned = vi.fn()
  process.on('warning', warned)
  const transform = make({ records: 1e-9 }, ending.signal)
  void transform.apply(record)
  const waiting = transform.apply(record)
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', warned)
  ending.abort()
  await waiting
  expect(warned).not.toHaveBeenCalled()
})

test('a rate is needed, and more than nothing', () => {
  const check = (records?: number) =>
    throttle.check!({ 'records.per.second': records, 'bytes.per.second': undefined })['records.per.second']
  expect(check()).toContain('neither')
  expect(check(0)).toContain('more than 0')
  expect(check(5)).toBeUndefined()
})
