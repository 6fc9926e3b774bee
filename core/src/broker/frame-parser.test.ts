import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameError, FrameParser } from './frame-parser.ts'

function framed(body: Buffer): Buffer {
  const size = Buffer.alloc(4)
  size.writeInt32BE(body.length)
  return Buffer.concat([size, body])
}

test('gives the frames back however the bytes are cut', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 8, maxLength: 200 }), { maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 150 }), { minLength: 1, maxLength: 50 }),
      (bodies, cuts) => {
        const parser = new FrameParser(1000)
        const stream = Buffer.concat(bodies.map((body) => framed(Buffer.from(body))))
        const got: Buffer[] = []
        for (let at = 0, i = 0; at < stream.length; i++) {
          const end = at + cuts[i % cuts.length]!
          parser.push(stream.subarray(at, end))
          at = end
          for (let frame = parser.take(); frame !== undefined; frame = parser.take()) got.push(frame)
        }
        expect(got.map((frame) => [...frame])).toEqual(bodies.map((body) => [...body]))
        expect(parser.bufferedBytes).toBe(0)
      },
    ),
  )
})

test('a frame in one piece is not copied', () => {
  const parser = new FrameParser(1000)
  const chunk = framed(Buffer.from('a whole frame'))
  parser.push(chunk)
  expect(parser.take()?.buffer).toBe(chunk.buffer)
})

test('what comes behind a large frame does not hold it in memory', () => {
  const parser = new FrameParser(1_000_000)
  const stream = Buffer.concat([framed(Buffer.alloc(200_000, 7)), framed(Buffer.alloc(8, 8))])
  for (let at = 0; at < stream.length; at += 50_000) parser.push(Buffer.from(stream.subarray(at, at + 50_000)))
  const large = parser.take()
  const small = parser.take()
  expect(large).toEqual(Buffer.alloc(200_000, 7))
  expect(small).toEqual(Buffer.alloc(8, 8))
  expect(small?.buffer).not.toBe(large?.buffer)
})

test.for([-1, 0, 7, 1001, 0x47455420])('refuses a size of %i before anything more is read', (size) => {
  const parser = new FrameParser(1000)
  const bytes = Buffer.alloc(4)
  bytes.writeInt32BE(size)
  parser.push(bytes)
  expect(() => parser.frameSize()).toThrow(FrameError)
})

test('bytes that come one by one take little more than their own room', () => {
  const parser = new FrameParser(1_000_000)
  const frame = framed(Buffer.alloc(200_000, 7))
  let chunks = 0
  for (let i = 0; i < 150_000; i++) {
    parser.push(frame.subarray(i, i + 1))
    chunks = Math.max(chunks, parser.chunks)
  }
  expect(chunks).toBeLessThan(40)
  parser.push(frame.subarray(150_000))
  expect(parser.take()?.equals(frame.subarray(4))).toBe(true)
})
