import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameReader } from './frame-reader.ts'

function framed(body: Uint8Array): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

/** Feeds a stream as a socket would: as much as there is room for, and no more than `most` bytes at a time. */
function feed(reader: FrameReader, stream: Buffer, most: () => number): void {
  for (let at = 0; at < stream.length;) {
    const count = Math.min(stream.length - at, most(), reader.buffer().length)
    stream.copy(reader.buffer(), 0, at, at + count)
    reader.advance(count)
    at += count
  }
}

test('cuts any stream into its frames, however it arrives', () => {
  const frame = fc.oneof(
    fc.uint8Array({ minLength: 4, maxLength: 50 }),
    fc.integer({ min: 4, max: 200_000 }).map((size) => new Uint8Array(size).fill(size)),
  )
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      fc.array(fc.integer({ min: 1, max: 100_000 }), { minLength: 1 }),
      (frames, sizes) => {
        const seen: Buffer[] = []
        const reader = new FrameReader((each) => seen.push(each), 1_000_000)
        let i = 0
        feed(reader, Buffer.concat(frames.map(framed)), () => sizes[i++ % sizes.length]!)
        expect(seen.map((each) => Buffer.compare(each, Buffer.from(frames[seen.indexOf(each)]!)))).toEqual(
          frames.map(() => 0),
        )
      },
    ),
    { numRuns: 50 },
  )
})

test('does not take the announced size on trust', () => {
  const reader = new FrameReader(() => undefined, 512 * 1024 * 1024)
  const announced = Buffer.alloc(4)
  announced.writeInt32BE(500 * 1024 * 1024)
  reader.push(announced)
  expect(reader.buffer().length).toBeLessThanOrEqual(16 * 1024 * 1024)
})

test.each([-1, 0, 3, 2_000])('refuses a frame of %i bytes', (size) => {
  const reader = new FrameReader(() => undefined, 1_000)
  const announced = Buffer.alloc(4)
  announced.writeInt32BE(size)
  expect(() => reader.push(announced)).toThrow(RangeError)
})
