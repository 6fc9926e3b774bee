import { expect, test } from 'vitest'
import { UploadSlots } from './upload-slots.ts'

test('no more at a time than requests and bytes allow, in the order of asking', async () => {
  const slots = new UploadSlots(3, 10)
  const begun: number[] = []
  const ends: (() => void)[] = []
  const runs = [4, 4, 4, 1, 20, 1].map((bytes, i) =>
    slots.run(bytes, () => {
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
  await expect(slots.run(1, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await slots.run(1, () => Promise.resolve('yes'))).toBe('yes')
})
