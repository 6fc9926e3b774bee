import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { apis } from './apis.ts'
import {
  decodeMessage,
  decodeRequest,
  decodeRequestHeader,
  decodeResponse,
  decodeVersioned,
  encodeMessage,
  encodeRequest,
  encodeResponse,
  encodeVersioned,
} from './codec.ts'
import { ProtocolError } from './errors.ts'
import type { Message } from './message.ts'
import { apiVersions } from './messages/api-versions.ts'
import { consumerProtocolAssignment, consumerProtocolSubscription } from './messages/consumer-protocol.ts'
import {
  groupMetadataKey,
  groupMetadataValue,
  offsetCommitKey,
  offsetCommitValue,
} from './messages/consumer-offsets.ts'
import { controlRecordKey, endTxnMarker } from './messages/control-record.ts'
import { fetch } from './messages/fetch.ts'
import { metadata } from './messages/metadata.ts'
import { produce } from './messages/produce.ts'
import { transactionLogKey, transactionLogValue } from './messages/transaction-state.ts'
import { arbitraryFields } from './testing/arbitrary-message.ts'

const records: readonly Message[] = [
  offsetCommitKey,
  offsetCommitValue,
  groupMetadataKey,
  groupMetadataValue,
  transactionLogKey,
  transactionLogValue,
  consumerProtocolSubscription,
  consumerProtocolAssignment,
  controlRecordKey,
  endTxnMarker,
]

const messages: readonly Message[] = [...apis.flatMap((api) => [api.request, api.response]), ...records]

const versionsOf = ({ versions: [first, last] }: Pick<Message, 'versions'>): number[] =>
  Array.from({ length: last - first + 1 }, (_, i) => first + i)

/** The frame without its size. */
const frameOf = (chunks: readonly Buffer[]): Buffer => Buffer.concat(chunks).subarray(4)

/** A message of any API, side and version. */
const anyMessage = fc
  .constantFrom(...apis.flatMap((api) => versionsOf(api).map((version) => ({ api, version }))))
  .chain(({ api, version }) =>
    fc.constantFrom('request' as const, 'response' as const).chain((side) =>
      arbitraryFields(api[side].fields, version).map(({ given, expected }) => ({
        api,
        version,
        side,
        given: given as never,
        expected,
      })),
    ),
  )

describe.each(messages.map((message) => [message.name, message] as const))('%s', (_, message) => {
  test.each(versionsOf(message))('v%i: what is encoded is decoded', (version) => {
    fc.assert(
      fc.property(arbitraryFields(message.fields, version), ({ given, expected }) => {
        const bytes = Buffer.concat(encodeMessage(message, version, given as never))
        expect(decodeMessage(message, version, bytes)).toEqual(expected)
        // Nothing is left over, and nothing is read beyond the end.
        if (bytes.length > 0) {
          expect(() => decodeMessage(message, version, bytes.subarray(0, -1))).toThrow(ProtocolError)
        }
      }),
      { numRuns: 20 },
    )
  })
})

interface Capture {
  readonly api: string
  readonly side: 'request' | 'response'
  readonly version: number
  readonly body: Record<string, unknown>
  readonly hex: string
}

/** Made by Kafka 4.3.1's own Java classes from the JSON beside the bytes; each has the fields of its version alone. */
const captures = readFileSync(new URL('./testing/captures.jsonl', import.meta.url), 'utf8')
  .trim()
  .split('\n')
  .map(
    (line) =>
      JSON.parse(line, (_, value: unknown) =>
        typeof value === 'object' && value !== null && '$bytes' in value
          ? Buffer.from(String(value.$bytes), 'base64')
          : value,
      ) as Capture,
  )

describe('bytes captured from Kafka', () => {
  test('there are some for every API and side', () => {
    const seen = new Set(captures.map(({ api, side }) => `${api} ${side}`))
    expect(seen.size).toBeGreaterThanOrEqual(apis.length * 2 - 4)
  })

  test.each(captures.map((capture) => [`${capture.api} ${capture.side} v${capture.version}`, capture] as const))(
    '%s',
    (_, { api: name, side, version, body, hex }) => {
      const message = apis.find((api) => api.name === name)![side]
      expect(Buffer.concat(encodeMessage(message, version, body as never)).toString('hex')).toBe(hex)
      expect(decodeMessage(message, version, Buffer.from(hex, 'hex'))).toMatchObject(body)
    },
  )
})

describe('headers', () => {
  test('are read back in every version, and the body starts where they end', () => {
    const clientIds = fc.option(fc.string({ unit: 'grapheme' }))
    fc.assert(
      fc.property(
        anyMessage,
        fc.integer(),
        clientIds,
        ({ api, version, side, given, expected }, correlationId, clientId) => {
          const chunks =
            side === 'request'
              ? encodeRequest(api, version, correlationId, clientId, given)
              : encodeResponse(api, version, correlationId, given)
          const whole = Buffer.concat(chunks)
          const frame = whole.subarray(4)
          expect(whole.readInt32BE(0)).toBe(frame.length)
          if (side === 'response') {
            expect(decodeResponse(api, version, frame)).toEqual({ correlationId, body: expected })
            return
          }
          const { bodyOffset, ...header } = decodeRequestHeader(frame)
          expect(header).toEqual({ apiKey: api.key, apiVersion: version, correlationId, clientId })
          expect(decodeRequest(api, version, frame, bodyOffset)).toEqual(expected)
        },
      ),
      { numRuns: 600 },
    )
  })

  test('of an ApiVersions response is never flexible', () => {
    const body = { errorCode: 0, apiKeys: [] }
    expect(frameOf(encodeResponse(apiVersions, 3, 7, body)).toString('hex')).toBe(
      '00000007' + '0000' + '01' + '00000000' + '00',
    )
    const flexible = frameOf(encodeResponse(metadata, 9, 7, { brokers: [], topics: [] }))
    expect(flexible.subarray(0, 5).toString('hex')).toBe('0000000700')
  })

  test('of a version newer than any declared keep the correlation id and the client id', () => {
    const frame = frameOf(
      encodeRequest(apiVersions, 4, 99, 'me', { clientSoftwareName: 'x', clientSoftwareVersion: '1' }),
    )
    frame.writeInt16BE(900, 2)
    expect(decodeRequestHeader(frame)).toMatchObject({ apiKey: 18, apiVersion: 900, correlationId: 99, clientId: 'me' })
  })

  test('of an unknown API are read as far as they go', () => {
    const frame = Buffer.from('7fff' + '0001' + '0000002a' + 'ffff', 'hex')
    expect(decodeRequestHeader(frame)).toEqual({
      apiKey: 0x7fff,
      apiVersion: 1,
      correlationId: 42,
      clientId: null,
      bodyOffset: 10,
    })
  })
})

describe('encoding', () => {
  test('refuses versions that are not declared', () => {
    const refused = expect.objectContaining({ code: 'UNSUPPORTED_VERSION' })
    const encode = (version: number) => () =>
      encodeRequest(produce, version, 1, null, { acks: 1, timeoutMs: 1, topicData: [] })
    expect(encode(2)).toThrow(refused)
    expect(encode(14)).toThrow(refused)
    expect(encode(3.5)).toThrow(refused)
    expect(() => decodeRequest(produce, 99, Buffer.alloc(10), 0)).toThrow(refused)
  })

  test('passes record batches on without copying them', () => {
    const batches = [Buffer.alloc(10_000, 1), Buffer.alloc(20_000, 2)]
    const partition = { partitionIndex: 0, errorCode: 0, highWatermark: 1, abortedTransactions: null, records: batches }
    for (const version of [11, 16]) {
      const chunks = encodeResponse(fetch, version, 1, {
        responses: [{ topic: 't', partitions: [partition, partition] }],
      })
      expect(chunks.filter((chunk) => chunk === batches[0] || chunk === batches[1])).toHaveLength(4)
      const { body } = decodeResponse(fetch, version, frameOf(chunks))
      expect(body.responses[0]!.partitions[1]!.records!.equals(Buffer.concat(batches))).toBe(true)
    }
  })

  test('decodes records as views into the frame', () => {
    const topicData = [{ name: 't', partitionData: [{ index: 0, records: Buffer.from('abc') }] }]
    const frame = frameOf(encodeRequest(produce, 7, 1, null, { acks: 1, timeoutMs: 1, topicData }))
    const { bodyOffset } = decodeRequestHeader(frame)
    const { records } = decodeRequest(produce, 7, frame, bodyOffset).topicData[0]!.partitionData[0]!
    expect(records!.buffer).toBe(frame.buffer)
  })

  test.each([
    ['a null where none is allowed', { topics: [{ name: null }] }, 9],
    ['a number where text is due', { topics: [{ name: 7 }] }, 5],
    ['a uuid of the wrong length', { topics: [{ topicId: 'abc', name: 'x' }] }, 12],
  ])('refuses %s, naming the message', (_, body, version) => {
    expect(() => encodeRequest(metadata, version, 1, null, body as never)).toThrow(/MetadataRequest v\d+/)
  })

  test('refuses strings and integers that do not fit', () => {
    expect(() => encodeRequest(metadata, 5, 1, null, { topics: [{ name: 'x'.repeat(40_000) }] })).toThrow(TypeError)
    const responses = (throttleTimeMs: number) => () => encodeResponse(produce, 3, 1, { responses: [], throttleTimeMs })
    expect(responses(2 ** 31)).toThrow(TypeError)
    expect(() => encodeMessage(offsetCommitValue, 3, { offset: 2 ** 60, metadata: '', commitTimestamp: 0 })).toThrow(
      TypeError,
    )
  })
})

describe('decoding', () => {
  test('clamps int64 beyond the safe integers', () => {
    const bytes = Buffer.concat(encodeMessage(offsetCommitValue, 0, { offset: 0, metadata: '', commitTimestamp: 0 }))
    const read = (offset: bigint): number => {
      bytes.writeBigInt64BE(offset, 0)
      return decodeMessage(offsetCommitValue, 0, bytes).offset
    }
    expect(read(2n ** 63n - 1n)).toBe(Number.MAX_SAFE_INTEGER)
    expect(read(-(2n ** 63n))).toBe(Number.MIN_SAFE_INTEGER)
    for (const exact of [2n ** 53n - 1n, -(2n ** 53n - 1n), 2n ** 32n, -1n, -(2n ** 32n)])
      expect(read(exact)).toBe(Number(exact))
  })

  test('passes over tagged fields it does not know', () => {
    const known = Buffer.concat(encodeMessage(metadata.request, 9, { topics: null }))
    const unknown = Buffer.concat([
      known.subarray(0, -1),
      Buffer.from('02' + '05' + '03' + 'aabbcc' + '8101' + '00', 'hex'),
    ])
    expect(decodeMessage(metadata.request, 9, unknown).topics).toBeNull()
    // In a message that has tagged fields of its own, too.
    const response = Buffer.concat(
      encodeMessage(apiVersions.response, 3, { errorCode: 0, apiKeys: [], finalizedFeaturesEpoch: 8 }),
    )
    const more = Buffer.concat([
      response.subarray(0, -11),
      Buffer.from('02' + '0108' + '0000000000000008' + '6301ff', 'hex'),
    ])
    expect(decodeMessage(apiVersions.response, 3, more).finalizedFeaturesEpoch).toBe(8)
  })

  test('refuses a tagged field whose size is not that of its content', () => {
    const response = Buffer.concat(
      encodeMessage(apiVersions.response, 3, { errorCode: 0, apiKeys: [], finalizedFeaturesEpoch: 8 }),
    )
    expect(response.at(-9)).toBe(8)
    response[response.length - 9] = 7
    expect(() => decodeMessage(apiVersions.response, 3, response)).toThrow(ProtocolError)
  })

  test.each([
    ['more elements than bytes', '7fffffff'],
    ['a negative length', 'fffffffe'],
    ['null in a version without it', 'ffffffff'],
  ])('refuses an array of %s', (_, hex) => {
    expect(() => decodeMessage(metadata.request, 0, Buffer.from(hex + '00000000', 'hex'))).toThrow(ProtocolError)
  })

  test('refuses a request of more elements than any client sends, before it holds them', () => {
    const frame = Buffer.alloc(4 + 2 * 1_000_001)
    frame.writeInt32BE(1_000_001, 0)
    expect(() => decodeRequest(metadata, 0, frame, 0)).toThrow(/array of 1000001 elements/)
  })

  test('reads newer versions of the consumer protocol as the newest that is known', () => {
    const subscription = encodeVersioned(consumerProtocolSubscription, 3, { topics: ['a'], rackId: 'r' })
    subscription.writeInt16BE(9, 0)
    const { version, value } = decodeVersioned(
      consumerProtocolSubscription,
      Buffer.concat([subscription, Buffer.from([1])]),
    )
    expect(version).toBe(3)
    expect(value).toEqual({ topics: ['a'], userData: null, ownedPartitions: [], generationId: -1, rackId: 'r' })
    const offset = encodeVersioned(offsetCommitValue, 3, { offset: 1, metadata: '', commitTimestamp: 2 })
    offset.writeInt16BE(9, 0)
    expect(() => decodeVersioned(offsetCommitValue, offset)).toThrow(
      expect.objectContaining({ code: 'UNSUPPORTED_VERSION' }),
    )
  })
})

describe('hostile frames', () => {
  /** Gives anything, or throws ProtocolError; fails the test on any other error. */
  function attempt(decode: () => unknown): void {
    try {
      decode()
    } catch (error) {
      expect(error).toBeInstanceOf(ProtocolError)
    }
  }

  test('random bytes', () => {
    fc.assert(
      fc.property(anyMessage, fc.uint8Array({ maxLength: 300 }), ({ api, version, side }, bytes) => {
        const frame = Buffer.from(bytes)
        attempt(() => decodeRequestHeader(frame))
        attempt(() => decodeMessage(api[side], version, frame))
        attempt(() => decodeResponse(api, version, frame))
      }),
      { numRuns: 2000 },
    )
  })

  test('frames with a few bytes changed, cut off anywhere', () => {
    const changes = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 })
    fc.assert(
      fc.property(anyMessage, changes, fc.nat(), ({ api, version, side, given }, edits, cut) => {
        const body = Buffer.concat(encodeMessage(api[side], version, given))
        for (const [at, byte] of edits) if (body.length > 0) body[at % body.length] = byte
        attempt(() => decodeMessage(api[side], version, body))
        attempt(() => decodeMessage(api[side], version, body.subarray(0, cut % (body.length + 1))))
      }),
      { numRuns: 2000 },
    )
  })
})
