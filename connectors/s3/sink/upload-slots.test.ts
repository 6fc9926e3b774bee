import { expect, test } from 'vitest'
import { UploadSlots } from './upload-slots.ts'

const never = new AbortController().signal

test('no more at a time than requests and bytes allow, in the order of asking', async () => {
  const slots = new UploadSlots(3, 10)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const runs = [4, 4, 4, 1, 20, 1].map((bytes, i) =>
    slots.run(bytes, never, () => {
      begun.push(i)
      return new Promise<void>((resolve) => (ends[i] = resolve))
    }),
  )
  const end = async (i: number): Promise<void> => {
    ends[i]!()
    await runs[i]
    await Promise.resolve()
  }
  expect(begun).toEqual([0, 1])
  await end(0)
  expect(begun).toEqual([0, 1, 2, 3])
  for (const i of [1, 2]) await end(i)
  expect(begun).toEqual([0, 1, 2, 3])
  await end(3)
  // Larger than all the room: alone.
  expect(begun).toEqual([0, 1, 2, 3, 4])
  await end(4)
  expect(begun).toEqual([0, 1, 2, 3, 4, 5])
  await end(5)
})

test('what fails gives its room back', async () => {
  const slots = new UploadSlots(1, 1)
  await expect(slots.run(1, never, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await slots.run(1, never, () => Promise.resolve('yes'))).toBe('yes')
})

test('who waits may be called off, and the others go on', async () => {
  const slots = new UploadSlots(1, 10)
  const first = Promise.withResolvers<void>()
  const running = slots.run(1, never, () => first.promise)
  const waiting = new AbortController()
  const off = slots.run(20, waiting.signal, () => Promise.resolve('ran'))
  const last = slots.run(1, never, () => Promise.resolve('ran'))
  waiting.abort(new Error('off'))
  await expect(off).rejects.toThrow('off')
  first.resolve()
  await running
  expect(await last).toBe('ran')
})
