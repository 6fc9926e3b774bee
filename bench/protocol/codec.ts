/**
 * What encoding and decoding of the hot messages costs. `node bench/protocol/codec.ts`
 *
 * Prints microseconds a message, the best of several rounds.
 */
import {
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  encodeRequest,
  encodeResponse,
} from '../../core/src/protocol/codec.ts'
import { fetch } from '../../core/src/protocol/messages/fetch.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { produce } from '../../core/src/protocol/messages/produce.ts'

const ROUNDS = 7

function measure(name: string, bytes: number, run: () => unknown): void {
  let best = Infinity
  let times = 1
  for (let round = 0; round < ROUNDS; round++) {
    const start = process.hrtime.bigint()
    for (let i = 0; i < times; i++) run()
    const ns = Number(process.hrtime.bigint() - start)
    best = Math.min(best, ns / times)
    times = Math.max(1, Math.round(2e8 / best))
  }
  console.log(`${name.padEnd(36)} ${String(bytes).padStart(6)} B ${(best / 1000).toFixed(2).padStart(8)} µs`)
}

const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i)

const metadataBody = {
  brokers: [{ nodeId: 0, host: 'localhost', port: 9092 }],
  clusterId: 'bench',
  controllerId: 0,
  topics: range(12).map((topic) => ({
    errorCode: 0,
    name: `some-topic-${topic}`,
    partitions: range(24).map((partition) => ({
      errorCode: 0,
      partitionIndex: partition,
      leaderId: 0,
      leaderEpoch: 0,
      replicaNodes: [0],
      isrNodes: [0],
    })),
  })),
}

const records = Buffer.alloc(16_384)

const produceBody = {
  acks: -1,
  timeoutMs: 30_000,
  topicData: [{ name: 'sensors', partitionData: range(12).map((index) => ({ index, records })) }],
}

const fetchBody = {
  responses: [
    {
      topic: 'sensors',
      partitions: range(12).map((partitionIndex) => ({
        partitionIndex,
        errorCode: 0,
        highWatermark: 1_000_000,
        lastStableOffset: 1_000_000,
        logStartOffset: 0,
        abortedTransactions: null,
        records: [records],
      })),
    },
  ],
}

const fetchRequestBody = {
  maxWaitMs: 500,
  minBytes: 1,
  isolationLevel: 1,
  topics: [
    {
      topic: 'sensors',
      partitions: range(12).map((partition) => ({ partition, fetchOffset: 1_000_000, partitionMaxBytes: 1_048_576 })),
    },
  ],
}

function frameOf(chunks: readonly Buffer[]): Buffer {
  return Buffer.concat(chunks).subarray(4)
}

for (const version of [5, 12] as const) {
  const frame = frameOf(encodeResponse(metadata, version, 1, metadataBody))
  measure(`metadata v${version} response, encode`, frame.length, () =>
    encodeResponse(metadata, version, 1, metadataBody),
  )
  measure(`metadata v${version} response, decode`, frame.length, () => decodeResponse(metadata, version, frame))
}

for (const version of [7, 9] as const) {
  const frame = frameOf(encodeRequest(produce, version, 1, 'bench', produceBody))
  const { bodyOffset } = decodeRequestHeader(frame)
  const small = frame.length - 12 * records.length
  measure(`produce v${version} request, encode`, small, () => encodeRequest(produce, version, 1, 'bench', produceBody))
  measure(`produce v${version} request, decode`, small, () => decodeRequest(produce, version, frame, bodyOffset))
}

for (const version of [11, 12] as const) {
  const request = frameOf(encodeRequest(fetch, version, 1, 'bench', fetchRequestBody))
  const { bodyOffset } = decodeRequestHeader(request)
  measure(`fetch v${version} request, encode`, request.length, () =>
    encodeRequest(fetch, version, 1, 'b', fetchRequestBody),
  )
  measure(`fetch v${version} request, decode`, request.length, () => decodeRequest(fetch, version, request, bodyOffset))
  const response = frameOf(encodeResponse(fetch, version, 1, fetchBody))
  const small = response.length - 12 * records.length
  measure(`fetch v${version} response, encode`, small, () => encodeResponse(fetch, version, 1, fetchBody))
  measure(`fetch v${version} response, decode`, small, () => decodeResponse(fetch, version, response))
}
