/** Hundreds of clients at a time that mean harm, against a broker of small memory, beside one that only wants to work. */
import { readFile, rm } from 'node:fs/promises'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { encodeRequest } from '../../core/src/protocol/codec.ts'
import type { Api, RequestInput } from '../../core/src/protocol/message.ts'
import { apiVersions } from '../../core/src/protocol/messages/api-versions.ts'
import { fetch } from '../../core/src/protocol/messages/fetch.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { produce } from '../../core/src/protocol/messages/produce.ts'
import { RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { RawClient } from '../support/raw-client.ts'

const MiB = 1024 * 1024
/** Of requests, and again of answers. */
const memoryMiB = 16
const crowd = 250

let broker: BrokerProcess
let dataDir: string
let neighbour: RawClient
let log: string
let hostile: Socket[]
let idleMiB: number

beforeEach(async () => {
  log = ''
  hostile = []
  dataDir = await temporaryFolder()
  broker = await brokerProcess(dataDir, 0, (text) => (log += text), {
    'queued.max.request.bytes': memoryMiB * MiB,
    'queued.max.response.bytes': memoryMiB * MiB,
    'max.connections.per.ip': crowd + 50,
  })
  neighbour = await RawClient.connect(broker.port)
  await neighbour.request(metadata, 12, { topics: [{ name: 'work' }] })
  // Enough to be worth fetching: 30 batches of 500 KB.
  for (let i = 0; i < 30; i++) await work(500_000)
  idleMiB = await rssMiB()
})
afterEach(async () => {
  for (const socket of hostile) socket.destroy()
  neighbour.close()
  await broker.stop()
  await rm(dataDir, { recursive: true, force: true })
})

async function rssMiB(): Promise<number> {
  const status = await readFile(`/proc/${broker.pid}/status`, 'utf8')
  return Number(/VmRSS:\s+(\d+)/.exec(status)![1]) / 1024
}

let offset = 0
/** Produces and consumes a batch on the connection of before. */
async function work(bytes: number): Promise<void> {
  const builder = new RecordBatchBuilder()
  builder.tryAppend(null, Buffer.alloc(bytes, 1), undefined, Date.now())
  const topicData = [{ name: 'work', partitionData: [{ index: 0, records: builder.build() }] }]
  const { responses } = await neighbour.request(produce, 9, { acks: -1, timeoutMs: 30_000, topicData })
  const [answer] = responses[0]!.partitionResponses
  expect(answer!.errorCode).toBe(0)
  offset = answer!.baseOffset
  const read = await neighbour.request(fetch, 11, fetchFrom(offset, MiB))
  expect(read.responses[0]!.partitions[0]!.errorCode).toBe(0)
  expect(read.responses[0]!.partitions[0]!.records!.length).toBeGreaterThan(bytes)
}

const fetchFrom = (fetchOffset: number, maxBytes: number) => ({
  maxWaitMs: 500,
  minBytes: 1,
  maxBytes,
  topics: [{ topic: 'work', partitions: [{ partition: 0, fetchOffset, partitionMaxBytes: maxBytes }] }],
})

async function open(): Promise<Socket> {
  const socket = connect(broker.port, '127.0.0.1')
  socket.on('error', () => undefined)
  hostile.push(socket)
  await once(socket, 'connect')
  return socket
}

const openCrowd = () => Promise.all(Array.from({ length: crowd }, open))

function encoded<A extends Api>(api: A, version: number, body: RequestInput<A>): Buffer {
  return Buffer.concat(encodeRequest(api, version, 1, 'hostile', body))
}

/** The neighbour goes on, small and large, while `harm` is done again and again; the memory stays where it may be. */
async function goesOn(harm: (socket: Socket, round: number) => void): Promise<void> {
  let most = 0
  for (let round = 0; round < 12; round++) {
    for (const [i, socket] of hostile.entries()) {
      // Whoever lost the connection comes again.
      if (socket.destroyed) hostile[i] = connect(broker.port, '127.0.0.1').on('error', () => undefined)
      harm(hostile[i]!, round)
    }
    await work(1000)
    await work(500_000)
    most = Math.max(most, await rssMiB())
  }
  expect(most - idleMiB).toBeLessThan(limitMiB)
  expect(log.split('\n').filter((line) => line.includes('"level":50'))).toEqual([])
}

/** Twice the memory of requests and of answers, and as much again for what the heap and the system need besides. */
const limitMiB = 8 * memoryMiB + 100

const announcement = (size: number): Buffer => {
  const head = Buffer.alloc(12)
  head.writeInt32BE(size)
  head.writeInt16BE(0, 4)
  head.writeInt16BE(9, 6)
  return head
}

test('a hundred MiB announced, and a byte now and then', async () => {
  for (const socket of await openCrowd()) socket.write(announcement(100 * MiB))
  await goesOn((socket, round) => {
    socket.write(socket.connecting ? announcement(100 * MiB) : Buffer.alloc(1, round))
  })
  expect(hostile.filter(({ destroyed }) => !destroyed).length).toBeGreaterThan(0)
})

test('large requests that stop in the middle', async () => {
  const middle = Buffer.alloc(300 * 1024)
  for (const socket of await openCrowd()) socket.write(Buffer.concat([announcement(10 * MiB), middle]))
  await goesOn((socket) => {
    if (!socket.connecting) socket.write(Buffer.alloc(1))
  })
  await expect.poll(() => log).toContain('a large request came too slowly')
})

test('fetches of all there is, by clients that never read', async () => {
  const request = encoded(fetch, 11, fetchFrom(0, 50 * MiB))
  for (const socket of await openCrowd()) socket.pause().write(request)
  await goesOn((socket) => socket.pause().write(request))
  // Of those that came last, in its own time.
  await expect.poll(() => log).toContain('does not read its answers')
})

test('small answers without end, by clients that never read', async () => {
  const request = encoded(apiVersions, 3, { clientSoftwareName: 'x', clientSoftwareVersion: '1' })
  const many = Buffer.concat(Array.from({ length: 200 }, () => request))
  for (const socket of await openCrowd()) socket.pause().write(many)
  await goesOn((socket) => socket.pause().write(many))
})

test('more connections than may be are closed, and those there are stay', async () => {
  const sockets = await openCrowd()
  const more = await Promise.all(Array.from({ length: 100 }, open))
  await expect.poll(() => more.filter(({ closed }) => closed).length).toBeGreaterThan(40)
  expect(sockets.some(({ closed }) => closed)).toBe(false)
  await work(1000)
  for (const socket of sockets) socket.destroy()
  await expect
    .poll(async () => {
      const again = await RawClient.connect(broker.port)
      const answered = await again.request(metadata, 12, { topics: [] }).then(
        () => true,
        () => false,
      )
      again.close()
      return answered
    })
    .toBe(true)
  await expect.poll(() => log).toContain('max.connections.per.ip')
})
