import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { setImmediate } from 'node:timers/promises'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { createLogger } from '../logging/logger.ts'
import { Connection, type Dispatch } from './connection.ts'
import type { RequestContext } from './handler.ts'
import { AnswerMemory } from './answer-memory.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { RequestMemory } from './request-memory.ts'

/** A request as the handler under test met it, and how to answer it. */
interface Arrived {
  readonly id: number
  readonly context: RequestContext
  answer(text: string | null): void
  fail(error: Error): void
}

let server: Server
let client: Socket
let arrived: Arrived[]
let connection: Connection
/** For connections that were answered before. */
let memory: RequestMemory
let strangers: RequestMemory
let answers: AnswerMemory
let maxIdleMs: number
const logged: string[] = []

beforeEach(async () => {
  arrived = []
  logged.length = 0
  maxIdleMs = 60_000
  memory = new RequestMemory(1_000_000)
  strangers = new RequestMemory(1_000_000)
  answers = new AnswerMemory(100_000_000)
  const dispatch: Dispatch = (header, _frame, context) =>
    new Promise((resolve, reject) =>
      arrived.push({
        id: header.correlationId,
        context,
        answer: (text) => resolve(text === null ? null : [Buffer.from(text)]),
        fail: reject,
      }),
    )
  server = createServer((socket) => {
    const logger = createLogger({ write: (level, message) => logged.push(`${level} ${message}`) })
    connection = new Connection(socket, {
      logger,
      warning: new RareWarning(logger),
      memories: { known: memory, strangers },
      answers,
      dispatch,
      maxRequestBytes: 500_000,
      maxIdleMs,
      advertised: { host: 'h', port: 1 },
      sasl: null,
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  client = connect((server.address() as { port: number }).port, '127.0.0.1')
  await once(client, 'connect')
})
afterEach(async () => {
  client.destroy()
  connection.close()
  server.close()
  await once(server, 'close')
})

/** A frame of Metadata v1 with this correlation id. */
function request(id: number, bytes = 10): Buffer {
  const frame = Buffer.alloc(4 + Math.max(bytes, 10))
  frame.writeInt32BE(frame.length - 4, 0)
  frame.writeInt16BE(3, 4)
  frame.writeInt16BE(1, 6)
  frame.writeInt32BE(id, 8)
  frame.writeInt16BE(-1, 12)
  return frame
}

const ids = () => arrived.map(({ id }) => id)

test('starts the next request when the one before it is answered', async () => {
  client.write(Buffer.concat([request(1), request(2)]))
  await expect.poll(ids).toEqual([1])
  arrived[0]!.answer('one')
  await expect.poll(ids).toEqual([1, 2])
})

test('starts it earlier where that is allowed, and still answers in order', async () => {
  client.write(Buffer.concat([request(1), request(2), request(3)]))
  await expect.poll(ids).toEqual([1])
  arrived[0]!.context.allowNext()
  arrived[1]!.context.allowNext()
  expect(ids()).toEqual([1, 2, 3])
  const received: string[] = []
  client.on('data', (chunk: Buffer) => received.push(chunk.toString()))
  arrived[2]!.answer('three')
  arrived[1]!.answer(null)
  arrived[0]!.answer('one ')
  await expect.poll(() => received.join('')).toBe('one three')
})

test('a failure closes the connection and is logged', async () => {
  client.write(request(1))
  await expect.poll(ids).toEqual([1])
  const closing = once(client, 'close')
  client.resume()
  arrived[0]!.fail(new Error('broken handler'))
  await closing
  expect(logged[0]).toContain('error Closed the connection')
})

test('gives back the memory of its requests, and waits where there is none', async () => {
  memory.begin({ resume: () => undefined, refuse: () => undefined }, 980_000)
  client.write(Buffer.concat([request(1), request(2, 400_000)]))
  await expect.poll(ids).toEqual([1])
  arrived[0]!.answer('one')
  // Small ones pass, large ones wait.
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(ids()).toEqual([1])
  memory.release(980_000)
  await expect.poll(ids).toEqual([1, 2])
  arrived[1]!.answer('two')
  await expect.poll(() => memory.used).toBe(0)
})

test('who was answered before does not wait for memory that strangers hold; a stranger does', async () => {
  const others = { resume: () => undefined, refuse: () => undefined }
  strangers.begin(others, 980_000)
  client.write(Buffer.concat([request(1), request(2, 400_000)]))
  await expect.poll(ids).toEqual([1])
  arrived[0]!.answer('one')
  await expect.poll(ids).toEqual([1, 2])
  arrived[1]!.answer('two')
  await expect.poll(() => memory.used).toBe(0)
  expect(strangers.used).toBe(980_000)

  const stranger = connect((server.address() as { port: number }).port, '127.0.0.1')
  stranger.write(request(3, 400_000))
  await expect.poll(() => strangers.used).toBeGreaterThan(1_000_000)
  expect(ids()).toEqual([1, 2])
  strangers.release(980_000)
  await expect.poll(ids).toEqual([1, 2, 3])
  stranger.destroy()
})

test('what a connection gives up at its end does not count as answers held', async () => {
  client.pause()
  client.write(Buffer.concat([request(1), request(2)]))
  await expect.poll(ids).toEqual([1])
  arrived[0]!.context.allowNext()
  // More than the system takes; the second waits behind the first.
  arrived[0]!.answer('a'.repeat(30_000_000))
  await setImmediate()
  arrived[1]!.answer('b'.repeat(10_000_000))
  await setImmediate()
  expect(answers.used).toBeGreaterThan(30_000_000)
  const held = vi.spyOn(answers, 'hold')
  const closed = new Promise<void>((resolve) => connection.onClose(resolve))
  connection.refuse('the client reads nothing')
  await closed
  expect(held.mock.calls.map(([, bytes]) => bytes)).toEqual([0])
})

test('an ended connection tells those who wait for it', async () => {
  client.write(request(1))
  await expect.poll(ids).toEqual([1])
  const told = new Promise<void>((resolve) => arrived[0]!.context.signal.onClose(resolve))
  client.destroy()
  await told
  expect(arrived[0]!.context.signal.closed).toBe(true)
})

test('a silent connection is closed after a while, one with a request in work is not', async () => {
  maxIdleMs = 200
  client.destroy()
  client = connect((server.address() as { port: number }).port, '127.0.0.1')
  client.resume()
  client.write(request(1))
  await expect.poll(ids).toEqual([1])
  await new Promise((resolve) => setTimeout(resolve, 500))
  expect(client.destroyed).toBe(false)
  arrived[0]!.answer('one')
  await once(client, 'close')
})
