/** What a broken or hostile client sends: it loses its own connection, and nobody else notices. */
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { Kafka, logLevel, type Producer } from 'kafkajs'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { apiVersions } from '../../core/src/protocol/messages/api-versions.ts'
import { fetch } from '../../core/src/protocol/messages/fetch.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { produce } from '../../core/src/protocol/messages/produce.ts'
import { decodeResponse, encodeRequest } from '../../core/src/protocol/codec.ts'
import { RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'
import { apis } from '../../core/src/protocol/apis.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'

let broker: TestBroker
let neighbour: Producer
const sockets: Socket[] = []

beforeAll(async () => {
  process.env['KAFKAJS_NO_PARTITIONER_WARNING'] = '1'
  broker = await testBroker({ config: { 'socket.request.max.bytes': 1_000_000 } })
  const kafka = new Kafka({ brokers: [broker.address], logLevel: logLevel.NOTHING, retry: { retries: 0 } })
  neighbour = kafka.producer({ retry: { retries: 0 } })
  await neighbour.connect()
  await neighbour.send({ topic: 'neighbour', messages: [{ value: 'x' }] })
})
afterAll(async () => {
  await neighbour.disconnect()
  for (const socket of sockets) socket.destroy()
  await broker.close()
})

/** One connection of before, which must not be touched by what the others do. */
const neighbourIsWell = async () => {
  const [result] = await neighbour.send({ topic: 'neighbour', messages: [{ value: 'y' }] })
  expect(result?.errorCode).toBe(0)
}

async function open(): Promise<Socket> {
  const socket = connect(broker.port, '127.0.0.1')
  socket.on('error', () => undefined)
  sockets.push(socket)
  await once(socket, 'connect')
  return socket
}

/** By a reset too, which events.once would take for a failure. */
const closed = async (socket: Socket): Promise<void> => {
  if (!socket.closed) await new Promise((resolve) => socket.once('close', resolve))
}

/** One frame back, without its size. */
async function answer(socket: Socket): Promise<Buffer> {
  const chunks: Buffer[] = []
  for (;;) {
    const [chunk] = (await once(socket, 'data')) as [Buffer]
    chunks.push(chunk)
    const all = Buffer.concat(chunks)
    if (all.length >= 4 && all.length >= 4 + all.readInt32BE(0)) return all.subarray(4, 4 + all.readInt32BE(0))
  }
}

const size = (n: number) => {
  const buffer = Buffer.alloc(4)
  buffer.writeInt32BE(n)
  return buffer
}

test.for([
  ['another protocol', Buffer.from('GET / HTTP/1.1\r\n\r\n')],
  ['a negative size', size(-1)],
  ['an empty frame', size(0)],
  ['a frame shorter than its header', Buffer.concat([size(4), Buffer.alloc(4)])],
  ['a frame larger than allowed', size(1_000_001)],
  ['an unknown API', Buffer.concat([size(10), Buffer.from('03e7000000000001ffff', 'hex')])],
  ['a version that is too new', Buffer.concat([size(10), Buffer.from('00030063000000010000', 'hex')])],
  ['a body that is cut off', Buffer.concat([size(14), Buffer.from('000300040000000100007fffffff', 'hex')])],
] as const)('closes the connection on %s', async ([, bytes]) => {
  const socket = await open()
  socket.resume()
  socket.write(bytes)
  await closed(socket)
  await neighbourIsWell()
})

test('survives random bytes, as frames and as they are', async () => {
  for (let i = 0; i < 200; i++) {
    const socket = await open()
    socket.resume()
    const body = randomBytes(8 + (i % 120))
    // Half of them with a real API and version, so that the bodies are decoded.
    const api = apis[i % apis.length]!
    if (i % 2 === 0) body.writeInt16BE(api.key, 0)
    if (i % 2 === 0) body.writeInt16BE(api.versions[1], 2)
    socket.end(i % 4 === 3 ? body : Buffer.concat([size(body.length), body]))
    await closed(socket)
  }
  await neighbourIsWell()
})

test('answers ApiVersions of a future version in version 0', async () => {
  const socket = await open()
  const [frame] = encodeRequest(apiVersions, 3, 7, null, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
  frame!.writeInt16BE(99, 6)
  socket.write(frame!)
  const { correlationId, body } = decodeResponse(apiVersions, 0, await answer(socket))
  expect(correlationId).toBe(7)
  expect(body.errorCode).toBe(35)
  expect(body.apiKeys).toContainEqual({ apiKey: 18, minVersion: 0, maxVersion: 4 })
  // The connection goes on.
  for (const chunk of encodeRequest(apiVersions, 4, 8, 'x', { clientSoftwareName: 'x', clientSoftwareVersion: '1' })) {
    socket.write(chunk)
  }
  expect(decodeResponse(apiVersions, 4, await answer(socket)).body.errorCode).toBe(0)
})

test('refuses topic ids in the versions of Metadata that cannot answer them', async () => {
  const socket = await open()
  const ask = async (version: number) => {
    const request = { topics: [{ name: null, topicId: 'eGm2JfA6yMUGKhneqb9cuA' }] }
    for (const chunk of encodeRequest(metadata, version, 1, 'x', request)) socket.write(chunk)
    return decodeResponse(metadata, version, await answer(socket)).body.topics
  }
  expect(await ask(11)).toMatchObject([{ errorCode: 42, name: '' }])
  expect(await ask(12)).toMatchObject([{ errorCode: 100, name: null }])
})

test('refuses a batch with a wrong checksum, and the connection goes on', async () => {
  const socket = await open()
  const send = async (damage: (batch: Buffer) => void) => {
    const builder = new RecordBatchBuilder()
    builder.tryAppend(null, 'value', undefined, Date.now())
    const batch = builder.build()
    damage(batch)
    const request = {
      acks: -1,
      timeoutMs: 1000,
      topicData: [{ name: 'neighbour', partitionData: [{ index: 0, records: batch }] }],
    }
    for (const chunk of encodeRequest(produce, 9, 1, 'x', request)) socket.write(chunk)
    return decodeResponse(produce, 9, await answer(socket)).body.responses[0]?.partitionResponses[0]?.errorCode
  }
  expect(await send((batch) => (batch[batch.length - 1]! ^= 1))).toBe(2)
  expect(await send((batch) => batch.writeInt32BE(1_000_000, 8))).toBe(2)
  expect(await send((batch) => (batch[16] = 1))).toBe(43)
  expect(await send(() => undefined)).toBe(0)
})

test('ends the connection where a request without acknowledgement fails', async () => {
  const socket = await open()
  socket.resume()
  const builder = new RecordBatchBuilder()
  builder.tryAppend(null, 'value', undefined, Date.now())
  const topicData = [{ name: 'nowhere', partitionData: [{ index: 0, records: builder.build() }] }]
  for (const chunk of encodeRequest(produce, 9, 1, 'x', { acks: 0, timeoutMs: 1000, topicData })) socket.write(chunk)
  await closed(socket)
  await neighbourIsWell()
})

test('a client that never reads is not served on, and holds no more than one answer', async () => {
  await neighbour.send({ topic: 'big', messages: Array.from({ length: 9 }, () => ({ value: 'x'.repeat(100_000) })) })
  for (let i = 0; i < 9; i++) {
    await neighbour.send({ topic: 'big', messages: Array.from({ length: 9 }, () => ({ value: 'x'.repeat(100_000) })) })
  }
  const socket = await open()
  socket.pause()
  const before = process.memoryUsage().rss
  const partition = { partition: 0, fetchOffset: 0, partitionMaxBytes: 8_000_000 }
  const request = {
    maxWaitMs: 0,
    minBytes: 1,
    maxBytes: 8_000_000,
    topics: [{ topic: 'big', partitions: [partition] }],
  }
  // 2000 answers of 8 MB each, were they all made.
  let written = 0
  for (; written < 2000; written++) {
    for (const chunk of encodeRequest(fetch, 4, written, 'x', request)) socket.write(chunk)
  }
  for (let i = 0; i < 20; i++) await neighbourIsWell()
  expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024)
  socket.destroy()
  await neighbourIsWell()
})

test('many that announce much and send nothing cost nothing', async () => {
  const before = process.memoryUsage()
  const stalled = await Promise.all(Array.from({ length: 200 }, open))
  for (const socket of stalled) socket.write(size(999_999))
  await neighbourIsWell()
  const after = process.memoryUsage()
  expect(after.rss + after.external - before.rss - before.external).toBeLessThan(100 * 1024 * 1024)
  for (const socket of stalled) socket.destroy()
  await neighbourIsWell()
})
