/** Valid requests of every API and version with random contents, damaged and cut, against a broker in a process of its own. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { handlers } from '../../core/src/broker/handlers/registry.ts'
import { credentialLines } from '../../core/src/broker/sasl/credentials.ts'
import { encodeRequest } from '../../core/src/protocol/codec.ts'
import type { RequestInput } from '../../core/src/protocol/message.ts'
import { apiVersions } from '../../core/src/protocol/messages/api-versions.ts'
import { metadata } from '../../core/src/protocol/messages/metadata.ts'
import { produce } from '../../core/src/protocol/messages/produce.ts'
import { saslAuthenticate } from '../../core/src/protocol/messages/sasl-authenticate.ts'
import { saslHandshake } from '../../core/src/protocol/messages/sasl-handshake.ts'
import { RecordBatchBuilder } from '../../core/src/protocol/record-batch.ts'
import { arbitraryFields } from '../../core/src/protocol/testing/arbitrary-message.ts'
import { brokerProcess, temporaryFolder, type BrokerProcess } from '../support/broker.ts'
import { RawClient } from '../support/raw-client.ts'

/** How long all cases together may take. */
const budgetMs = 8_000
/** How long a request may wait for an answer: some are meant to wait. */
const patienceMs = 15

let broker: BrokerProcess
let dataDir: string
let neighbour: RawClient
let log = ''

beforeAll(async () => {
  dataDir = await temporaryFolder()
  broker = await brokerProcess(dataDir, 0, (text) => (log += text))
  neighbour = await RawClient.connect(broker.port)
  await neighbourIsWell()
})
afterAll(async () => {
  neighbour.close()
  await broker.stop()
  await rm(dataDir, { recursive: true, force: true })
})

/** One connection of before, which must not be touched by what the others do. */
async function neighbourIsWell(): Promise<void> {
  await neighbour.request(metadata, 12, { topics: [{ name: 'neighbour' }] })
  const builder = new RecordBatchBuilder()
  builder.tryAppend(null, 'value', undefined, Date.now())
  const topicData = [{ name: 'neighbour', partitionData: [{ index: 0, records: builder.build() }] }]
  const { responses } = await neighbour.request(produce, 9, { acks: -1, timeoutMs: 30_000, topicData })
  expect(responses[0]!.partitionResponses[0]!.errorCode).toBe(0)
}

const rssMiB = (): number =>
  Number(execFileSync('ps', ['-o', 'rss=', '-p', String(broker.pid)], { encoding: 'utf8' })) / 1024

/** Sends it on a connection of its own; over when there is an answer, or the connection is closed, or nothing happens. */
async function send(bytes: Uint8Array): Promise<void> {
  const socket = connect(broker.port, '127.0.0.1')
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  socket.write(bytes)
  await new Promise<void>((resolve) => {
    const timer = setTimeout(resolve, patienceMs)
    for (const event of ['data', 'close']) {
      socket.once(event, () => {
        clearTimeout(timer)
        resolve()
      })
    }
  })
  socket.destroy()
}

/** Half of the names are those of things that exist, and half of the partitions. */
function meetWhatExists(value: unknown, dice: () => number, key = ''): unknown {
  if (Array.isArray(value)) return value.map((each) => meetWhatExists(each, dice, key))
  if (Buffer.isBuffer(value)) return value
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, each]) => [name, meetWhatExists(each, dice, name)]))
  }
  if (typeof value === 'string' && !/id$/i.test(key) && dice() < 0.5) return 'fuzzed'
  if (typeof value === 'string' && /^(group|transactional|member)id$/i.test(key) && dice() < 0.5) return 'fuzzed'
  if (typeof value === 'number' && /partition|index/i.test(key) && dice() < 0.5) return 0
  return value
}

const cases = fc.constantFrom(...handlers).chain(({ api, versions: [first, last] }) =>
  fc.integer({ min: first, max: last }).chain((version) =>
    fc.record({
      frame: fc
        .tuple(
          arbitraryFields(api.request.fields, version),
          fc.infiniteStream(fc.double({ min: 0, max: 1, noNaN: true })),
        )
        .map(([{ given }, dice]) => {
          const body = meetWhatExists(given, () => dice.next().value as number) as RequestInput<typeof api>
          return Buffer.concat(encodeRequest(api, version, 1, 'fuzz', body))
        }),
      edits: fc.oneof(
        fc.constant([]),
        fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 4 }),
      ),
      cut: fc.oneof({ weight: 3, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.nat({ max: 40 }) }),
    }),
  ),
)

/** Damaged behind the size, API and version, which stay true unless the size is what is damaged. */
function damaged({ frame, edits, cut }: { frame: Buffer; edits: readonly [number, number][]; cut: number }): Buffer {
  const result = Buffer.from(frame.subarray(0, Math.max(12, frame.length - cut)))
  result.writeInt32BE(result.length - 4)
  for (const [at, byte] of edits) result[8 + (at % (result.length - 8))] = byte
  return result
}

test('damaged requests of every API harm nobody and cost nothing', async () => {
  let sent = 0
  await fc.assert(
    fc.asyncProperty(fc.array(cases, { minLength: 20, maxLength: 20 }), async (some) => {
      await Promise.all(some.map((each) => send(damaged(each))))
      sent += some.length
      await neighbourIsWell()
    }),
    { numRuns: 1000, interruptAfterTimeLimit: budgetMs, markInterruptAsFailure: false, endOnFailure: true },
  )
  expect(sent).toBeGreaterThan(500)
  // Whatever they may do to the broker, it is foreseen.
  expect(log.split('\n').filter((line) => line.includes('"level":50'))).toEqual([])
  expect(rssMiB()).toBeLessThan(400)
})

test('valid requests of every API in any order harm nobody', async () => {
  let sent = 0
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(cases, { minLength: 1, maxLength: 12 }), { minLength: 8 }), async (clients) => {
      // One connection each; what a request finds there is what those before it have left.
      await Promise.all(clients.map((some) => send(Buffer.concat(some.map(({ frame }) => frame)))))
      sent += clients.flat().length
      await neighbourIsWell()
    }),
    { numRuns: 1000, interruptAfterTimeLimit: budgetMs, markInterruptAsFailure: false, endOnFailure: true },
  )
  expect(sent).toBeGreaterThan(500)
  expect(log.split('\n').filter((line) => line.includes('"level":50'))).toEqual([])
  expect(rssMiB()).toBeLessThan(400)
})

/** Steps of a client that wants in without a password, or does not know how it is done. */
const steps = fc.oneof(
  fc.record({
    step: fc.constant('handshake' as const),
    mechanism: fc.constantFrom('PLAIN', 'SCRAM-SHA-256', 'SCRAM-SHA-512', 'GSSAPI', ''),
  }),
  fc.record({
    step: fc.constant('token' as const),
    token: fc.oneof(
      fc.constantFrom('\0nobody\0guess', '\0known\0guess', '\0known\0', 'n,,n=known,r=abc', 'n,,n=nobody,r=abc'),
      fc.constantFrom('c=biws,r=abc,p=AAAA', `c=biws,r=NONCE,p=${Buffer.alloc(32).toString('base64')}`),
      fc.string({ maxLength: 100 }),
    ),
  }),
  fc.record({ step: fc.constant('versions' as const) }),
  fc.record({ step: fc.constant('request' as const) }),
)

test('no order of SASL requests lets anyone in without the password', async () => {
  const folder = await temporaryFolder()
  await writeFile(`${folder}/users`, (await credentialLines('known', 'secret')).join('\n'))
  const secured = await brokerProcess(`${folder}/data`, 0, (text) => (log += text), {
    'log.listeners': ['SASL_PLAINTEXT://127.0.0.1:0'],
    'sasl.users.file': `${folder}/users`,
    'connection.failed.authentication.delay.ms': 0,
  })
  const port = Number(/\d+$/.exec(secured.listeners[1]!)![0])
  let finished = 0
  await fc.assert(
    fc.asyncProperty(fc.array(steps, { minLength: 1, maxLength: 8 }), async (some) => {
      const client = await RawClient.connect(port)
      let nonce = 'NONCE'
      try {
        for (const each of some) {
          if (each.step === 'handshake') await client.request(saslHandshake, 1, { mechanism: each.mechanism })
          else if (each.step === 'versions') await client.request(apiVersions, 0, {})
          else if (each.step === 'token') {
            const authBytes = Buffer.from(each.token.replace('NONCE', nonce))
            const answer = await client.request(saslAuthenticate, 2, { authBytes })
            nonce = /^r=([^,]+)/.exec(String(answer.authBytes))?.[1] ?? nonce
            // What is left without an error is the first half of SCRAM.
            if (answer.errorCode === 0) expect(String(answer.authBytes)).toMatch(/^r=.*,s=.*,i=/)
          } else {
            const answered = await client.request(metadata, 1, { topics: null }).then(
              () => true,
              () => false,
            )
            expect(answered).toBe(false)
          }
        }
      } catch (error) {
        if (!(error instanceof Error) || error.message !== 'the connection is closed') throw error
      } finally {
        client.close()
        finished++
      }
    }),
    { numRuns: 1000, interruptAfterTimeLimit: budgetMs, markInterruptAsFailure: false },
  )
  expect(finished).toBeGreaterThan(50)
  const client = await RawClient.connect(port)
  await client.request(saslHandshake, 1, { mechanism: 'PLAIN' })
  expect(await client.request(saslAuthenticate, 2, { authBytes: Buffer.from('\0known\0secret') })).toMatchObject({
    errorCode: 0,
  })
  expect((await client.request(metadata, 1, { topics: null })).brokers).toHaveLength(1)
  client.close()
  await secured.stop()
  await rm(folder, { recursive: true, force: true })
})
