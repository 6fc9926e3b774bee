import fc from 'fast-check'
import { expect, test } from 'vitest'
import { FrameBuffer } from './frame-buffer.ts'

function frame(type: number, body: Uint8Array): Buffer {
  const bytes = Buffer.alloc(5 + body.length)
  bytes[0] = type
  bytes.writeUInt32BE(body.length + 4, 1)
  bytes.set(body, 5)
  return bytes
}

function all(frames: FrameBuffer): [number, string][] {
  const found: [number, string][] = []
  while (frames.next()) found.push([frames.type, frames.bytes.toString('hex', frames.start, frames.end)])
  return found
}

test('messages come out whole and in order, however they were cut', () => {
  const messages = fc.array(fc.tuple(fc.nat(255), fc.uint8Array({ maxLength: 30 })), { minLength: 1 })
  fc.assert(
    fc.property(
      messages,
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      fc.boolean(),
      (sent, cuts, eager) => {
        const bytes = Buffer.concat(sent.map(([type, body]) => frame(type, body)))
        const frames = new FrameBuffer()
        const found: [number, string][] = []
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = cuts[n % cuts.length]!
          frames.push(bytes.subarray(at, at + size))
          at += size
          if (eager) found.push(...all(frames))
        }
        found.push(...all(frames))
        expect(found).toEqual(sent.map(([type, body]) => [type, Buffer.from(body).toString('hex')]))
        expect(frames.waitingBytes).toBe(0)
      },
    ),
  )
})

test('what was not asked for is counted; a message without its end is not, once that was found out', () => {
  const frames = new FrameBuffer()
  const bytes = frame(1, Buffer.alloc(100))
  frames.push(bytes)
  frames.push(bytes.subarray(0, 50))
  expect(frames.waitingBytes).toBe(155)
  expect(frames.next()).toBe(true)
  expect(frames.waitingBytes).toBe(50)
  expect(frames.next()).toBe(false)
  expect(frames.waitingBytes).toBe(0)
  frames.push(bytes.subarray(50))
  expect(frames.waitingBytes).toBe(55)
  expect(frames.next()).toBe(true)
  expect(frames.waitingBytes).toBe(0)
})
