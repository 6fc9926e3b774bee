import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import { expect, test } from 'vitest'
import { backoffMs, retry } from './backoff.ts'
import { LogError } from './client.ts'
import { Connection } from './connection.ts'
import { createClient, parseAddress } from './log-client.ts'
import { metadata } from '../protocol/messages/metadata.ts'
import { encodeResponse, decodeRequestHeader } from '../protocol/codec.ts'
import { apiVersions } from '../protocol/messages/api-versions.ts'
import { FrameReader } from './frame-reader.ts'

test.each([
  ['localhost:9092', 'localhost', 9092],
  ['127.0.0.1:1', '127.0.0.1', 1],
  ['[::1]:9092', '::1', 9092],
  [' PLAINTEXT://kafka-0.example:65535 ', 'kafka-0.example', 65535],
])('bootstrap.servers %s', (text, host, port) => {
  expect(parseAddress(text)).toEqual({ host, port })
})

test.each(['localhost', 'localhost:', ':9092', 'a:b', 'a:99999', 'a:1/x', '::1:9092'])(
  'bootstrap.servers refuses %s',
  (text) => {
    expect(() => parseAddress(text)).toThrow(TypeError)
  },
)

test('options that make no sense are refused', () => {
  expect(() => createClient({ bootstrapServers: [], clientId: 'c' })).toThrow(TypeError)
  const client = createClient({ bootstrapServers: ['localhost:1'], clientId: 'c' })
  expect(() => client.producer({ acks: 'leader', idempotent: true })).toThrow(TypeError)
  expect(() => client.producer({ transactionalId: 'x', idempotent: false })).toThrow(TypeError)
  const calls = { onAssign: () => undefined, onRevoke: () => undefined, onLost: () => undefined }
  expect(() => client.groupConsumer({ groupId: 'g', ...calls })).toThrow(TypeError)
  expect(() => client.groupConsumer({ groupId: 'g', topics: ['t'], topicsPattern: /t/, ...calls })).toThrow(TypeError)
})

test('backoff doubles up to its maximum, with jitter', () => {
  const range = { baseMs: 100, maxMs: 1_000 }
  expect([1, 2, 3, 4, 5, 1_000].map((failures) => backoffMs(failures, range, () => 0.5))).toEqual([
    100, 200, 400, 800, 1_000, 1_000,
  ])
  expect(backoffMs(1, range, () => 0)).toBeCloseTo(80)
  expect(backoffMs(1, range, () => 1)).toBeCloseTo(120)
})

test('retry stops at an error that does not pass, at its time limit and when aborted', async () => {
  const backoff = { baseMs: 1, maxMs: 1 }
  const failing = (retriable: boolean) => () => Promise.reject(new LogError('X', 'x', { retriable }))
  await expect(retry(failing(false), { what: 'w', timeoutMs: 1_000, backoff })).rejects.toMatchObject({ message: 'x' })
  await expect(retry(failing(true), { what: 'w', timeoutMs: 10, backoff })).rejects.toMatchObject({
    code: 'X',
    message: 'w: gave up after 10 ms: x',
  })
  await expect(
    retry(failing(true), { what: 'w', timeoutMs: 1_000, signal: AbortSignal.abort(), backoff }),
  ).rejects.toMatchObject({
    code: 'CLOSED',
  })
})

const options = { clientId: 'c', requestTimeoutMs: 150 }

/** A server that answers each request with what `answer` gives, or not at all. */
async function server(
  answer: (apiKey: number, version: number, correlationId: number) => readonly Buffer[] | undefined,
) {
  const listening = createServer((socket) => {
    const reader = new FrameReader((frame) => {
      const header = decodeRequestHeader(frame)
      for (const chunk of answer(header.apiKey, header.apiVersion, header.correlationId) ?? []) socket.write(chunk)
    }, 1e6)
    socket.on('data', (chunk) => reader.push(chunk as Buffer))
    socket.on('error', () => undefined)
  }).listen(0, '127.0.0.1')
  await once(listening, 'listening')
  const { port } = listening.address() as AddressInfo
  return { address: { host: '127.0.0.1', port }, close: () => listening.close() }
}

const spoken = [
  { apiKey: 18, minVersion: 0, maxVersion: 0 },
  { apiKey: 3, minVersion: 2, maxVersion: 5 },
]

test('an old broker is asked again in the version that it names', async () => {
  const asked: number[] = []
  const broker = await server((_apiKey, version, correlationId) => {
    asked.push(version)
    return encodeResponse(apiVersions, 0, correlationId, { errorCode: version > 0 ? 35 : 0, apiKeys: spoken })
  })
  const connection = await Connection.open(broker.address, options)
  expect(asked).toEqual([4, 0])
  expect(connection.version(metadata)).toBe(5)
  expect(connection.version(metadata, 3)).toBe(3)
  expect(() => connection.version(metadata, 1)).toThrow(
    expect.objectContaining({ code: 'UNSUPPORTED_VERSION', retriable: false }),
  )
  connection.close()
  broker.close()
})

test('a broker that does not answer in time is given up', async () => {
  const broker = await server((apiKey, _version, correlationId) =>
    apiKey === 18 ? encodeResponse(apiVersions, 4, correlationId, { errorCode: 0, apiKeys: spoken }) : undefined,
  )
  const connection = await Connection.open(broker.address, options)
  const first = connection.request(metadata, { topics: [] }, { timeoutMs: 20 })
  const second = connection.request(metadata, { topics: [] })
  await expect(first).rejects.toMatchObject({ code: 'TIMEOUT', retriable: true })
  await expect(second).rejects.toMatchObject({ code: 'TIMEOUT' })
  expect(connection.closed).toBe(true)
  await expect(connection.request(metadata, { topics: [] })).rejects.toMatchObject({ code: 'TIMEOUT' })
  broker.close()
})

test.each([
  ['no Kafka', () => [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')]],
  ['an answer to nothing', () => [Buffer.from([0, 0, 0, 4, 0, 0, 0, 99])]],
])('what sends %s is no broker', async (_what, answer) => {
  const broker = await server(answer)
  await expect(Connection.open(broker.address, options)).rejects.toMatchObject({ code: 'PROTOCOL' })
  broker.close()
})

test('a broker that is not there', async () => {
  const broker = await server(() => undefined)
  broker.close()
  await expect(Connection.open(broker.address, options)).rejects.toMatchObject({ code: 'NETWORK', retriable: true })
})
