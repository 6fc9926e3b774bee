import { describe, expect, test } from 'vitest'
import { errorCodes } from '../protocol/errors.ts'
import { decodeRecords, parseBatchHeader, RecordBatchBuilder, verifyCrc } from '../protocol/record-batch.ts'
import { LogError } from './client.ts'
import { ProduceCall } from './producer-batch.ts'
import { Sender, type ProduceChannel, type ProducerSession, type ProduceTransport, type Shipment } from './sender.ts'

/** A generator of numbers from 0 to 1, the same for the same seed. */
function seeded(seed: number): () => number {
  let state = seed + 1
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}

type Answer = Awaited<ReturnType<ProduceChannel['send']>>['responses'][number]['partitionResponses'][number]

function answer(index: number, errorCode: number, baseOffset = -1, more: Partial<Answer> = {}): Answer {
  return {
    index,
    errorCode,
    baseOffset,
    logAppendTimeMs: -1,
    logStartOffset: 0,
    recordErrors: [],
    errorMessage: null,
    currentLeader: { leaderId: -1, leaderEpoch: -1 },
    ...more,
  }
}

/** One partition of a broker, with what Kafka does about idempotent producers. */
class ModelPartition {
  readonly log: string[] = []
  readonly #producers = new Map<
    number,
    { epoch: number; last: number; recent: { first: number; last: number; offset: number }[] }
  >()

  append(index: number, records: Buffer): Answer {
    expect(verifyCrc(records)).toBe(true)
    const { producerId, producerEpoch, baseSequence, recordCount } = parseBatchHeader(records)
    const values = decodeRecords(records).map((record) => record.value!.toString())
    const bad = values.flatMap((value, batchIndex) =>
      value.startsWith('bad') ? [{ batchIndex, batchIndexErrorMessage: 'bad' }] : [],
    )
    if (values.length > 4) return answer(index, errorCodes.MESSAGE_TOO_LARGE)
    if (bad.length > 0) return answer(index, errorCodes.INVALID_RECORD, -1, { recordErrors: bad })
    const state = this.#producers.get(producerId)
    const last = baseSequence + recordCount - 1
    if (state !== undefined) {
      if (producerEpoch < state.epoch) return answer(index, errorCodes.INVALID_PRODUCER_EPOCH)
      const known =
        state.epoch === producerEpoch && state.recent.find((each) => each.first === baseSequence && each.last === last)
      if (known) return answer(index, 0, known.offset)
      const expected = producerEpoch > state.epoch ? 0 : state.last + 1
      if (baseSequence !== expected) return answer(index, errorCodes.OUT_OF_ORDER_SEQUENCE_NUMBER)
    }
    const recent = state?.epoch === producerEpoch ? state.recent.slice(-4) : []
    recent.push({ first: baseSequence, last, offset: this.log.length })
    if (producerId >= 0) this.#producers.set(producerId, { epoch: producerEpoch, last, recent })
    this.log.push(...values)
    return answer(index, 0, this.log.length - values.length)
  }

  /** As a log that was not synced may, on a crash. */
  forget(): void {
    this.#producers.clear()
  }
}

/** A broker whose connection breaks and which refuses for a moment, by chance. */
class ModelBroker implements ProduceTransport {
  readonly partitions = [new ModelPartition(), new ModelPartition(), new ModelPartition()]
  mostInFlight = 0
  onWake: () => void = () => undefined
  readonly #random: () => number
  readonly #trouble: number
  #channel: { send: ProduceChannel['send']; break(): void } | undefined

  constructor(random: () => number, trouble: number) {
    this.#random = random
    this.#trouble = trouble
  }

  leader(): string {
    return 'broker'
  }

  channel(): ProduceChannel | undefined {
    if (this.#channel === undefined) {
      this.#channel = this.#open()
      setImmediate(this.onWake)
      return undefined
    }
    return this.#channel
  }

  refresh(): void {
    setImmediate(this.onWake)
  }

  #process(shipments: readonly Shipment[]): Answer[] {
    return shipments.map(({ partition, records }) =>
      this.#random() < this.#trouble / 3
        ? answer(partition, errorCodes.NOT_LEADER_OR_FOLLOWER)
        : this.partitions[partition]!.append(partition, Buffer.from(records)),
    )
  }

  #open(): { send: ProduceChannel['send']; break(): void } {
    const waiting: {
      shipments: readonly Shipment[]
      resolve: (answers: Answer[]) => void
      reject: (error: LogError) => void
    }[] = []
    let broken = false
    const breakNow = (): void => {
      broken = true
      this.#channel = undefined
      for (const each of waiting.splice(0)) each.reject(new LogError('NETWORK', 'broken', { retriable: true }))
    }
    const serve = (): void => {
      const request = waiting[0]
      if (broken || request === undefined) return
      const chance = this.#random()
      if (chance < this.#trouble / 3) {
        breakNow()
        return
      }
      const answers = this.#process(request.shipments)
      if (chance < (this.#trouble * 2) / 3) {
        // In the log, and some of what follows too, but nobody hears of it.
        for (const each of waiting.slice(1, 1 + Math.floor(this.#random() * 5))) this.#process(each.shipments)
        breakNow()
        return
      }
      waiting.shift()
      request.resolve(answers)
      setImmediate(serve)
    }
    return {
      break: breakNow,
      send: async (shipments) => {
        const answers = await new Promise<Answer[]>((resolve, reject) => {
          waiting.push({ shipments, resolve, reject })
          this.mostInFlight = Math.max(this.mostInFlight, waiting.length)
          if (waiting.length === 1) setImmediate(serve)
        })
        const response = { name: 't', topicId: '', partitionResponses: answers }
        return { responses: [response], throttleTimeMs: 0, nodeEndpoints: [] }
      },
    }
  }
}

class ModelSession implements ProducerSession {
  readonly transactional = false
  producerId = 1
  producerEpoch = 0
  admits = (): boolean => true
  acknowledged = (): void => undefined
  failed = (): void => undefined
  bumpEpoch(): void {
    this.producerEpoch++
  }
  replace(): void {
    this.producerId++
    this.producerEpoch = 0
  }
}

function senderOn(broker: ModelBroker, session: ProducerSession | undefined, deliveryTimeoutMs = Infinity): Sender {
  const options = {
    compression: 'none',
    isTransactional: false,
    maxRequestBytes: 1_000_000,
    maxBatchBytes: 120,
  } as const
  const backoff = { baseMs: 1, maxMs: 3 }
  const sender: Sender = new Sender(broker, session, { ...options, deliveryTimeoutMs, backoff }, () => undefined)
  broker.onWake = () => sender.wake()
  return sender
}

/** Calls of one to a few records, spread over the turns of the event loop. */
async function produceMany(
  sender: Sender,
  random: () => number,
  calls: number,
  bad: number,
): Promise<PromiseSettledResult<void>[]> {
  const results: Promise<void>[] = []
  const acknowledged: string[] = []
  for (let i = 0; i < calls; i++) {
    const partition = Math.floor(random() * 3)
    const records = Array.from({ length: 1 + Math.floor(random() * 3) }, (_, k) => ({
      topic: 't',
      key: null,
      value: `${random() < bad ? 'bad' : 'good'} ${partition} ${i}.${k}`,
    }))
    const call = new ProduceCall(records)
    records.forEach((record, index) => sender.append(call, index, record, partition, 0))
    const result = call.result.then(({ failures }) => {
      const refused = new Set(failures.map((each) => each.index))
      expect(records.filter((_, index) => refused.has(index)).filter(({ value }) => !value.startsWith('bad'))).toEqual(
        [],
      )
      acknowledged.push(...records.filter((_, index) => !refused.has(index)).map(({ value }) => value))
    })
    result.catch(() => undefined)
    results.push(result)
    if (random() < 0.4) await new Promise(setImmediate)
  }
  const settled = await Promise.allSettled(results)
  acknowledgedBy.set(sender, acknowledged)
  return settled
}

const acknowledgedBy = new WeakMap<Sender, string[]>()

const place = (value: string): number => {
  const [call = 0, record = 0] = value.split(' ')[2]!.split('.').map(Number)
  return call * 10 + record
}

function expectInOrderAndOnce(log: readonly string[]): void {
  const places = log.map(place)
  expect(places).toEqual([...new Set(places)].sort((a, b) => a - b))
}

const seeds = Array.from({ length: 25 }, (_, i) => i)

describe('an idempotent sender', () => {
  test.each(seeds)('loses, doubles and reorders nothing (seed %i)', async (seed) => {
    const random = seeded(seed)
    const broker = new ModelBroker(random, 0.3)
    const sender = senderOn(broker, new ModelSession())
    const settled = await produceMany(sender, random, 150, seed % 2 === 0 ? 0 : 0.05)
    expect(settled.filter((each) => each.status === 'rejected')).toEqual([])
    for (const { log } of broker.partitions) expectInOrderAndOnce(log)
    expect(broker.partitions.flatMap(({ log }) => log).sort()).toEqual(acknowledgedBy.get(sender)!.sort())
    expect(sender.bufferedBytes).toBe(0)
    expect(sender.isIdle).toBe(true)
  })

  test.each(seeds)(
    'when it gives up on some, doubles and reorders nothing and keeps its word (seed %i)',
    async (seed) => {
      const random = seeded(seed + 1_000)
      const broker = new ModelBroker(random, 0.7)
      const sender = senderOn(broker, new ModelSession(), 15)
      await produceMany(sender, random, 150, 0)
      for (const { log } of broker.partitions) expectInOrderAndOnce(log)
      expect(broker.partitions.flatMap(({ log }) => log)).toEqual(expect.arrayContaining(acknowledgedBy.get(sender)!))
      expect(sender.bufferedBytes).toBe(0)
    },
  )

  test('keeps several requests under way', async () => {
    const random = seeded(1)
    const broker = new ModelBroker(random, 0)
    await produceMany(senderOn(broker, new ModelSession()), random, 300, 0)
    expect(broker.mostInFlight).toBeGreaterThan(2)
    expect(broker.mostInFlight).toBeLessThanOrEqual(5)
  })

  test('goes on under the next epoch when the broker has forgotten it', async () => {
    const random = seeded(2)
    const broker = new ModelBroker(random, 0)
    const session = new ModelSession()
    const sender = senderOn(broker, session)
    await produceMany(sender, random, 30, 0)
    const before = broker.partitions.map(({ log }) => log.length)
    // Kafka takes any number from a producer it does not know, but this one asks for the one after what it remembers.
    for (const partition of broker.partitions) {
      partition.forget()
      partition.append(0, batchOf(session, 7))
    }
    await produceMany(sender, random, 30, 0)
    expect(session.producerEpoch).toBeGreaterThan(0)
    broker.partitions.forEach(({ log }, i) => expectInOrderAndOnce(log.slice(before[i]! + 1)))
  })
})

test('a sender that is not idempotent keeps the order by sending one batch at a time', async () => {
  const random = seeded(3)
  const broker = new ModelBroker(random, 0)
  const sender = senderOn(broker, undefined)
  const settled = await produceMany(sender, random, 100, 0)
  expect(settled.filter((each) => each.status === 'rejected')).toEqual([])
  for (const { log } of broker.partitions) expectInOrderAndOnce(log)
})

test('what is left when it is closed fails', async () => {
  const broker = new ModelBroker(seeded(4), 0)
  const sender = senderOn(broker, new ModelSession())
  const call = new ProduceCall([{ topic: 't', key: null, value: 'x' }])
  sender.append(call, 0, call.records[0]!, 0, 0)
  sender.close()
  await expect(call.result).rejects.toMatchObject({ code: 'CLOSED' })
})

function batchOf(session: ModelSession, baseSequence: number): Buffer {
  const builder = new RecordBatchBuilder()
  builder.tryAppend(null, 'good 0 0.0', undefined, 0)
  return builder.build({ producerId: session.producerId, producerEpoch: session.producerEpoch, baseSequence })
}
