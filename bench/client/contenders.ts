/** The clients compared, each behind the same two calls. */
import { Consumer, Producer, ProduceAcks, stringSerializers } from '@platformatic/kafka'
import { Kafka, logLevel } from 'kafkajs'
import { createClient } from '../../core/src/client/log-client.ts'

/** What is measured of a run: the records between the first that counts and the last. */
export interface Measured {
  readonly records: number
  readonly wallMs: number
  readonly cpuMs: number
}

export interface ProduceTask {
  readonly bootstrap: string
  readonly topic: string
  readonly valueBytes: number
  readonly records: number
  /** Records in a call. */
  readonly batch: number
  /** Calls under way at once. */
  readonly overlap: number
}

export interface ConsumeTask {
  readonly bootstrap: string
  readonly topic: string
  readonly records: number
}

export interface Contender {
  produce(task: ProduceTask): Promise<Measured>
  consume(task: ConsumeTask): Promise<Measured>
}

class Stopwatch {
  readonly #wall = performance.now()
  readonly #cpu = process.cpuUsage()

  stop(records: number): Measured {
    const { user, system } = process.cpuUsage(this.#cpu)
    return { records, wallMs: performance.now() - this.#wall, cpuMs: (user + system) / 1_000 }
  }
}

/** Keeps `overlap` calls under way until all is sent; the first fifth only warms up. */
async function drive(task: ProduceTask, send: (first: number) => Promise<unknown>): Promise<Measured> {
  const calls = Math.ceil(task.records / task.batch)
  const warmUp = Math.ceil(calls / 5)
  let next = 0
  const worker = async (end: number): Promise<void> => {
    while (next < end) await send(next++ * task.batch)
  }
  const all = (end: number): Promise<unknown> => Promise.all(Array.from({ length: task.overlap }, () => worker(end)))
  await all(warmUp)
  const watch = new Stopwatch()
  await all(calls + warmUp)
  return watch.stop(calls * task.batch)
}

/** Starts with the first records, whose number does not count; `done` when all are there. */
class ConsumeCount {
  readonly done: Promise<Measured>
  readonly #expected: number
  #watch: Stopwatch | undefined
  #uncounted = 0
  #seen = 0
  bytes = 0
  #finish!: (measured: Measured) => void

  constructor(expected: number) {
    this.#expected = expected
    this.done = new Promise((resolve) => (this.#finish = resolve))
  }

  add(records: number): void {
    this.#seen += records
    // The first fifth warms up.
    if (this.#watch === undefined && this.#seen >= this.#expected / 5) {
      this.#watch = new Stopwatch()
      this.#uncounted = this.#seen
    }
    if (this.#seen >= this.#expected && this.#watch !== undefined) {
      this.#finish(this.#watch.stop(this.#seen - this.#uncounted))
    }
  }
}

const keyOf = (i: number): string => `device-${i % 1000}`

const ours: Contender = {
  async produce(task) {
    const client = createClient({ bootstrapServers: [task.bootstrap], clientId: 'bench' })
    const producer = client.producer()
    const value = 'x'.repeat(task.valueBytes)
    const { topic } = task
    const measured = await drive(task, (first) =>
      producer.produce(Array.from({ length: task.batch }, (_, i) => ({ topic, key: keyOf(first + i), value }))),
    )
    await client.close()
    return measured
  },
  async consume(task) {
    const client = createClient({ bootstrapServers: [task.bootstrap], clientId: 'bench' })
    const consumer = client.groupConsumer({
      groupId: `bench-${crypto.randomUUID()}`,
      topics: [task.topic],
      onAssign: () => undefined,
      onRevoke: () => undefined,
      onLost: () => undefined,
    })
    const count = new ConsumeCount(task.records)
    let running = true
    void count.done.then(() => (running = false))
    while (running) {
      for (const { records } of await consumer.poll({ maxWaitMs: 1_000 })) {
        for (const record of records) count.bytes += record.value?.length ?? 0
        count.add(records.length)
      }
    }
    await client.close()
    return count.done
  },
}

const kafkajs: Contender = {
  async produce(task) {
    const producer = kafkajsClient(task.bootstrap).producer()
    await producer.connect()
    const value = 'x'.repeat(task.valueBytes)
    const measured = await drive(task, (first) =>
      producer.send({
        topic: task.topic,
        acks: -1,
        messages: Array.from({ length: task.batch }, (_, i) => ({ key: keyOf(first + i), value })),
      }),
    )
    await producer.disconnect()
    return measured
  },
  async consume(task) {
    const consumer = kafkajsClient(task.bootstrap).consumer({
      groupId: `bench-${crypto.randomUUID()}`,
      maxBytes: 8 << 20,
    })
    await consumer.connect()
    await consumer.subscribe({ topic: task.topic, fromBeginning: true })
    const count = new ConsumeCount(task.records)
    await consumer.run({
      eachBatch: async ({ batch }) => {
        for (const message of batch.messages) count.bytes += message.value?.length ?? 0
        count.add(batch.messages.length)
      },
    })
    const measured = await count.done
    await consumer.disconnect()
    return measured
  },
}

const kafkajsClient = (bootstrap: string): Kafka =>
  new Kafka({ brokers: [bootstrap], clientId: 'bench', logLevel: logLevel.NOTHING })

const platformatic: Contender = {
  async produce(task) {
    const producer = new Producer({
      clientId: 'bench',
      bootstrapBrokers: [task.bootstrap],
      serializers: stringSerializers,
    })
    const value = 'x'.repeat(task.valueBytes)
    const { topic } = task
    const measured = await drive(task, (first) =>
      producer.send({
        acks: ProduceAcks.ALL,
        messages: Array.from({ length: task.batch }, (_, i) => ({ topic, key: keyOf(first + i), value })),
      }),
    )
    await producer.close()
    return measured
  },
  async consume(task) {
    const consumer = new Consumer({
      clientId: 'bench',
      groupId: `bench-${crypto.randomUUID()}`,
      bootstrapBrokers: [task.bootstrap],
    })
    const stream = await consumer.consume({
      topics: [task.topic],
      mode: 'earliest',
      autocommit: false,
      maxBytes: 8 << 20,
      maxWaitTime: 500,
    })
    const count = new ConsumeCount(task.records)
    stream.on('data', (message: { value: Buffer }) => {
      count.bytes += message.value.length
      count.add(1)
    })
    const measured = await count.done
    await consumer.close(true)
    return measured
  },
}

export const contenders: Readonly<Record<string, Contender>> = {
  tidewire: ours,
  kafkajs,
  '@platformatic/kafka': platformatic,
}
