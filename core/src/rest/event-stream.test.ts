import { PassThrough, type Readable } from 'node:stream'
import type { FastifyReply } from 'fastify'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { EventStream } from './event-stream.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setInterval', 'setTimeout', 'clearInterval', 'clearTimeout'] }))
afterEach(() => void vi.useRealTimers())

/** What is sent goes to `sent`, as a client reads it. */
function open(closing = new AbortController()) {
  let body: Readable | undefined
  const reply = {
    type: () => reply,
    header: () => reply,
    send: (stream: PassThrough) => {
      body = stream
    },
  }
  const stream = new EventStream(reply as unknown as FastifyReply, closing.signal)
  const sent = (): string => {
    let text = ''
    for (let chunk = body!.read() as Buffer | null; chunk !== null; chunk = body!.read() as Buffer | null)
      text += chunk.toString()
    return text
  }
  return { stream, sent, body: body! }
}

test('says how to come back, what happens, and now and then that it lives', () => {
  const { stream, sent } = open()
  expect(sent()).toBe('retry: 2000\n\n')
  stream.send({ id: '7', event: 'status', data: 'a\nb\r\nc\rd' })
  stream.send({ event: 'end', data: '{}' })
  expect(sent()).toBe('id: 7\nevent: status\ndata: a\ndata: b\ndata: c\ndata: d\n\nevent: end\ndata: {}\n\n')
  vi.advanceTimersByTime(15_000)
  expect(sent()).toBe(':\n\n')
})

test.each([
  ['after an hour', () => vi.advanceTimersByTime(3_600_000)],
  ['with its worker', (worker: AbortController) => worker.abort()],
])('ends %s', async (_, end) => {
  const worker = new AbortController()
  const { stream, sent, body } = open(worker)
  end(worker)
  stream.send({ event: 'late', data: '' })
  body.resume()
  await new Promise((resolve) => body.once('close', resolve))
  expect(stream.signal.aborted).toBe(true)
  expect(sent()).toBe('')
  expect(vi.getTimerCount()).toBe(0)
})

test('of a client that does not read breaks off', async () => {
  const { stream, body } = open()
  const text = 'x'.repeat(100_000)
  for (let i = 0; i < 10; i++) stream.send({ event: 'e', data: text })
  expect(body.destroyed).toBe(false)
  for (let i = 0; i < 2; i++) stream.send({ event: 'e', data: text })
  expect(body.destroyed).toBe(true)
  await new Promise((resolve) => body.once('close', resolve))
  expect(stream.signal.aborted).toBe(true)
})
