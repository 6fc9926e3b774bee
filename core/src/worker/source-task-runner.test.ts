import {
  ConnectError,
  DataError,
  isErrorKind,
  RetriableError,
  type SourceBatch,
  type SourceBatches,
  type SourceRecord,
  type SourceTaskContext,
} from '@tidewire/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { bytesConverter } from '../convert/bytes-converter.ts'
import { simpleHeaderConverter } from '../convert/simple-header-converter.ts'
import { stringConverter } from '../convert/string-converter.ts'
import { silentLogger } from '../logging/logger.ts'
import { AtLeastOnceCommit } from './at-least-once-commit.ts'
import { DeadLetterQueue } from './dead-letter-queue.ts'
import { budgetBuffer, ByteBudget, guaranteedBytes, loansBuffer, shareOfItsOwn, type ByteShare } from './byte-budget.ts'
import { DeliveryTracker } from './delivery.ts'
import { ErrorPolicy } from './error-policy.ts'
import { ExactlyOnceCommit } from './exactly-once-commit.ts'
import { followFrom } from './follow-topic.ts'
import { OffsetStore } from './offset-store.ts'
import { SourceConversion } from './source-conversion.ts'
import { SourceTaskRunner } from './source-task-runner.ts'
import { parseTopicCreation } from '../config/topic-creation.ts'
import { SourceTopics } from './source-topics.ts'
import { unwatchedActivity } from './task-activity.ts'
import { until } from './testing/conditions.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

type Context = SourceTaskContext<Record<string, unknown>>

interface Setup {
  read: (context: Context) => SourceBatches | Promise<SourceBatches>
  exactlyOnce?: boolean
  tolerance?: 'none' | 'all'
  deadLetters?: string
  maxBufferedBytes?: number
  share?: ByteShare
  flushIntervalMs?: number
  bytes?: boolean
  paused?: boolean
}

const offsetTopic = 'connect-offsets'
const partition = { file: 'f' }

/** Records n, n + 1, … with their offsets. */
const batchOf = (from: number, count: number): SourceRecord[] =>
  Array.from({ length: count }, (_, i) => ({
    topic: 't',
    key: `k${(from + i) % 3}`,
    value: `v${from + i}`,
    sourcePartition: partition,
    sourceOffset: { next: from + i + 1 },
  }))

const values = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `v${from + i}`)

/** A countable source: gives batches from the stored offset up to `end`, then waits for the stop. */
const counting = (end: number, size = 10, more: (batch: SourceRecord[]) => Partial<SourceBatch> = () => ({})) =>
  async function* read({ offsets, signal }: Context): SourceBatches {
    let next = Number((await offsets.get(partition))?.['next'] ?? 0)
    while (next < end && !signal.aborted) {
      const records = batchOf(next, Math.min(size, end - next))
      next += records.length
      yield { records, ...more(records) }
    }
    await aborted(signal)
  }

const aborted = async (signal: AbortSignal): Promise<void> => {
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
}

describe.each([
  ['at least once', false],
  ['exactly once', true],
])('a source task, %s', (_name, exactlyOnce) => {
  let log: FakeLog

  beforeEach(() => {
    log = new FakeLog()
    log.createTopic(offsetTopic, 2)
    log.createTopic('t')
  })

  function start(setup: Setup): { runner: SourceTaskRunner; ended: Promise<unknown>; running: () => boolean } {
    const client = fakeLogClient(log)
    const abort = new AbortController()
    const topics = new SourceTopics({
      admin: client.admin,
      internalTopics: [offsetTopic],
      create: true,
      creation: parseTopicCreation({}).creation,
    })
    const policy = new ErrorPolicy({
      tolerance: setup.tolerance ?? 'none',
      retryTimeoutMs: 0,
      retryDelayMaxMs: 1000,
      log: false,
      logMessages: false,
      logger: silentLogger,
      deadLetters:
        setup.deadLetters === undefined
          ? undefined
          : new DeadLetterQueue({
              client,
              topic: setup.deadLetters,
              replicationFactor: 1,
              contextHeaders: true,
              connector: 'c',
              task: 0,
              scrub: (error) => error,
            }),
    })
    const string = { name: 'string', converter: stringConverter.create({ 'converter.encoding': 'UTF-8' }, 'key') }
    const bytes = { name: 'bytes', converter: bytesConverter.create({}, 'value') }
    const header = { name: 'simple', converter: simpleHeaderConverter.create({}, 'header') }
    const converters = { key: string, value: setup.bytes === true ? bytes : string, header }
    const conversion = new SourceConversion(converters, policy, topics, abort.signal)
    const tracker = new DeliveryTracker()
    const offsets = new OffsetStore({ client, topic: offsetTopic, logger: silentLogger })
    const producer = client.producer(exactlyOnce ? { transactionalId: 'g-c-0' } : {})
    const share = setup.share ?? shareOfItsOwn(setup.maxBufferedBytes ?? 16 << 20)
    const runner = new SourceTaskRunner({
      definition: setup,
      connector: 'c',
      task: 0,
      config: {},
      offsets,
      tracker,
      conversion,
      topics,
      policy,
      activity: unwatchedActivity(),
      abort,
      maxBufferedBytes: setup.maxBufferedBytes ?? 16 << 20,
      share,
      logger: silentLogger,
      paused: setup.paused ?? false,
      progress: () => undefined,
      follow: async (following) =>
        followFrom({
          ...following,
          client,
          clientId: undefined,
          memory: share.holder(),
          logger: silentLogger,
          create: async () => log.createTopic(following.topic),
        }),
      close: async () => Promise.resolve(),
      makeCommit: (callbacks) => {
        const activity = unwatchedActivity()
        const context = { connector: 'c', activity, producer, offsets, tracker, conversion, ...callbacks }
        return exactlyOnce
          ? new ExactlyOnceCommit(context, {
              boundary: { kind: 'poll' },
              isFull: () => share.isFull,
            })
          : new AtLeastOnceCommit(context, setup.flushIntervalMs ?? 3_600_000)
      },
    })
    let isRunning = false
    const ended = runner
      .run(() => (isRunning = true))
      .then(
        () => undefined,
        (error: unknown) => error,
      )
    return { runner, ended, running: () => isRunning }
  }

  const storedOffset = async (): Promise<unknown> => {
    const store = new OffsetStore({ client: fakeLogClient(log), topic: offsetTopic, logger: silentLogger })
    await store.refresh()
    return store.get('c', partition)?.['next']
  }

  test('what a source holds counts against the worker’s memory, is told to it, and does not keep it from being asked', async () => {
    const MiB = 1 << 20
    const budget = new ByteBudget(budgetBuffer(4 * MiB), loansBuffer())
    const answers: boolean[] = []
    const { runner, ended } = start({
      share: budget.share(64 * MiB),
      read: async function* (context: Context): SourceBatches {
        answers.push(context.holds(2 * MiB), context.holds(6 * MiB))
        // Full of what it holds itself: only to ask it can make room.
        yield batchOf(0, 10)
        yield batchOf(10, 10)
        answers.push(context.holds(1 * MiB))
        await aborted(context.signal)
      },
    })
    await until(() => log.values('t').length === 20 && answers.length === 3)
    expect(answers).toEqual([true, false, true])
    expect(budget.leftBytes).toBe(3 * MiB + guaranteedBytes)
    await runner.stop(1000)
    await ended
    expect(budget.leftBytes).toBe(4 * MiB)
  })

  test('brings records into the log in order, and the last offset into the store when it is stopped', async () => {
    const { runner, ended } = start({ read: counting(95) })
    await until(() => log.values('t').length === 95)
    expect(await runner.stop(1000)).toBe('ended')
    expect(await ended).toBeUndefined()
    expect(log.values('t')).toEqual(values(0, 95))
    expect(await storedOffset()).toBe(95)
  })

  test('what it follows is told to the reading that asked for it, and to none that is over', async () => {
    const told: string[] = []
    let readings = 0
    const { runner } = start({
      read: async function* (context: Context): SourceBatches {
        const { signal } = context
        const reading = ++readings
        await context.followTopic('signals', undefined, () => void told.push(`reading ${reading}`))
        yield batchOf(0, 1)
        if (reading === 1) throw new RetriableError('once')
        await aborted(signal)
      },
    })
    await until(() => readings === 2 && log.values('t').length === 2)
    log.append({ topic: 'signals', partition: 0, key: null, value: 'x' }, undefined)
    await until(() => told.length > 0)
    await runner.stop(1000)
    expect(told).toEqual(['reading 2'])
  })

  test('goes on from the stored offset', async () => {
    for (const end of [30, 70]) {
      const { runner } = start({ read: counting(end) })
      await until(() => log.values('t').length === end)
      await runner.stop(1000)
    }
    expect(log.values('t')).toEqual(values(0, 70))
  })

  test('durable comes in order, after the acknowledgement and with the offset stored, without waiting for the interval', async () => {
    const told: string[] = []
    const { runner } = start({
      read: counting(30, 10, (records) => ({
        durable: async () => {
          const last = records.at(-1)!
          const inLog = log.values('t').includes(last.value as string)
          const stored = Number(await storedOffset()) >= Number(last.sourceOffset!['next'])
          told.push(`${String(last.value)} ${inLog} ${stored}`)
        },
      })),
    })
    await until(() => told.length === 3)
    expect(told).toEqual(['v9 true true', 'v19 true true', 'v29 true true'])
    await runner.stop(1000)
  })

  test('every durable is called, be there one batch after the other or many at once', async () => {
    const told: number[] = []
    const { runner } = start({
      read: counting(600, 1, (records) => ({
        durable: () => void told.push(Number(records[0]!.sourceOffset!['next'])),
      })),
    })
    await until(() => told.length === 600)
    expect(told).toEqual(Array.from({ length: 600 }, (_, i) => i + 1))
    await runner.stop(1000)
    const slowly = start({
      read: async function* ({ signal }: Context) {
        for (let next = 600; next < 650 && !signal.aborted; next++) {
          yield { records: batchOf(next, 1), durable: () => void told.push(next + 1) }
          await until(() => told.at(-1) === next + 1)
        }
        await aborted(signal)
      },
    })
    await until(() => told.length === 650)
    await slowly.runner.stop(1000)
  })

  test('durable is not called for what was not acknowledged', async () => {
    const told: number[] = []
    log.hold((records) => records.some(({ value }) => value === 'v10'))
    const { runner, ended } = start({
      read: counting(30, 10, (records) => ({
        durable: () => void told.push(Number(records[0]!.sourceOffset!['next'])),
      })),
    })
    await until(() => log.held.length > 0)
    expect(await runner.stop(50)).toBe('cut off')
    expect(await ended).toBeInstanceOf(Error)
    expect(told.length).toBeLessThanOrEqual(1)
    log.release()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(told.length).toBeLessThanOrEqual(1)
    expect(Number((await storedOffset()) ?? 0)).toBeLessThanOrEqual(10)
  })

  test('a durable that throws fails the task', async () => {
    const { ended } = start({
      read: counting(10, 10, () => ({
        durable: () => {
          throw new Error('the device is gone')
        },
      })),
    })
    expect(await ended).toMatchObject({ message: 'the device is gone' })
  })

  test('the source is not asked for more than fits', async () => {
    log.hold()
    let given = 0
    const { runner } = start({
      maxBufferedBytes: 2000,
      read: async function* ({ signal }: Context) {
        while (!signal.aborted) {
          given++
          yield batchOf(given * 10, 10)
        }
      },
    })
    await until(() => log.held.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(given).toBe(3)
    log.release()
    await until(() => given > 10)
    await runner.stop(1000)
  })

  test('a source that failed in passing is opened again from the stored offset', async () => {
    let opened = 0
    const { runner } = start({
      read: async function* (context: Context) {
        opened++
        const next = Number((await context.offsets.get(partition))?.['next'] ?? 0)
        yield batchOf(next, 5)
        if (opened < 3) throw new RetriableError('connection lost')
        await aborted(context.signal)
      },
    })
    await until(() => log.values('t').length === 15)
    await runner.stop(1000)
    expect(log.values('t')).toEqual(values(0, 15))
  })

  test('any other error fails the task, with what was given before it delivered', async () => {
    const { ended } = start({
      read: async function* () {
        yield batchOf(0, 5)
        throw new ConnectError('broken')
      },
    })
    expect(await ended).toMatchObject({ message: 'broken' })
    expect(log.values('t')).toEqual(values(0, 5))
    expect(await storedOffset()).toBe(5)
  })

  test('paused: nothing more is asked for or sent, what is under way is committed; then it goes on', async () => {
    let given = 0
    const { runner, ended } = start({
      read: async function* ({ signal }: Context) {
        while (!signal.aborted) {
          yield batchOf(given, 1)
          given++
          await new Promise((resolve) => setTimeout(resolve, 1))
        }
      },
    })
    await until(() => given > 5)
    runner.pause()
    let before = -1
    await until(() => {
      const now = log.values('t').length
      const same = now === before
      before = now
      return same
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.values('t')).toHaveLength(before)
    expect(await storedOffset()).toBe(before)
    runner.resume()
    await until(() => log.values('t').length > before + 5)
    runner.pause()
    await runner.stop(1000)
    expect(await ended).toBeUndefined()
    expect(log.values('t')).toEqual(values(0, log.values('t').length))
  })

  test('a task that begins paused is stopped cleanly', async () => {
    const { runner, ended, running } = start({ read: counting(10), paused: true })
    await until(running)
    expect(await runner.stop(1000)).toBe('ended')
    expect(await ended).toBeUndefined()
    expect(log.values('t')).toEqual([])
  })

  test('a source that has no more to give stays idle, with its offsets stored', async () => {
    const { runner, ended } = start({
      read: async function* () {
        yield batchOf(0, 5)
      },
    })
    await until(() => log.records(offsetTopic).length === 1)
    expect(await runner.stop(1000)).toBe('ended')
    expect(await ended).toBeUndefined()
    expect(await storedOffset()).toBe(5)
  })

  test('a source that does not heed the stop is cut off, and nothing of it is written any more', async () => {
    let more: (() => void) | undefined
    const { runner } = start({
      read: async function* () {
        yield batchOf(0, 5)
        await new Promise<void>((resolve) => (more = resolve))
        yield batchOf(5, 5)
      },
    })
    await until(() => more !== undefined && log.values('t').length === 5)
    expect(await runner.stop(20)).toBe('cut off')
    more!()
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(log.values('t')).toEqual(values(0, 5))
  })

  test('the resources of the source are given up when it is stopped and when it fails', async () => {
    let closed = 0
    const read = (fails: boolean) =>
      async function* ({ signal }: Context): SourceBatches {
        try {
          yield batchOf(0, 1)
          if (fails) await Promise.reject(new Error('fails'))
          await aborted(signal)
        } finally {
          closed++
        }
      }
    const stopped = start({ read: read(false) })
    await until(() => log.values('t').length === 1)
    await stopped.runner.stop(1000)
    expect(closed).toBe(1)
    await start({ read: read(true) }).ended
    expect(closed).toBe(2)
  })

  test('an error from outside ends the wait that the source is in', async () => {
    const { runner, ended, running } = start({ read: counting(0) })
    await until(running)
    runner.fail(new Error('thrown in a timer'))
    expect(await ended).toMatchObject({ message: 'thrown in a timer' })
  })

  test('a log that refuses for good fails the task, though the source is waiting', async () => {
    const { ended, running } = start({ read: counting(10) })
    log.failNext('produce', new LogError('TOPIC_AUTHORIZATION_FAILED', 'not allowed', { retriable: false }))
    await until(running)
    expect(await ended).toMatchObject({ code: 'TOPIC_AUTHORIZATION_FAILED' })
  })

  test('missing topics are made; internal ones and none at all are refused', async () => {
    const { runner } = start({
      read: async function* ({ signal }: Context) {
        yield [{ topic: 'new', value: 'x' }]
        await aborted(signal)
      },
    })
    await until(() => log.values('new').length === 1)
    await runner.stop(1000)
    for (const topic of [offsetTopic, '__consumer_offsets', undefined, 'a/b', '..']) {
      const { ended } = start({
        read: async function* () {
          yield [{ topic, value: 'x' } as SourceRecord]
        },
      })
      const error = await ended
      expect([topic, isErrorKind(error, 'DataError')]).toEqual([topic, true])
    }
    expect(log.topics.has('__consumer_offsets')).toBe(false)
  })

  test('a record that cannot be converted fails the task, naming stage and place', async () => {
    const { ended } = start({ read: counting(3), bytes: true })
    const error = await ended
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect((error as Error).message).toMatch(/topic t, partition \{"file":"f"\}.*VALUE_CONVERTER \(bytes\)/)
    expect(await storedOffset()).toBeUndefined()
  })

  test('tolerated, it becomes a dead letter with its context, and counts as delivered', async () => {
    const told: number[] = []
    const { runner } = start({
      bytes: true,
      tolerance: 'all',
      deadLetters: 'dlq',
      read: async function* ({ signal }: Context) {
        const [first, second] = batchOf(0, 2) as [SourceRecord, SourceRecord]
        yield { records: [first, { ...second, value: Buffer.from('fine') }], durable: () => void told.push(1) }
        await aborted(signal)
      },
    })
    await until(() => told.length === 1)
    expect(log.values('t')).toEqual(['fine'])
    expect(log.values('dlq')).toEqual(['v0'])
    const headers = Object.fromEntries(log.records('dlq')[0]!.headers.map(({ key, value }) => [key, value?.toString()]))
    expect(headers).toMatchObject({
      '__connect.errors.topic': 't',
      '__connect.errors.partition': '{"file":"f"}',
      '__connect.errors.offset': '{"next":1}',
      '__connect.errors.connector.name': 'c',
      '__connect.errors.task.id': '0',
      '__connect.errors.stage': 'VALUE_CONVERTER',
      '__connect.errors.class.name': 'bytes',
      '__connect.errors.exception.class.name': 'DataError',
    })
    await runner.stop(1000)
    expect(await storedOffset()).toBe(2)
  })

  test('a record that the log refuses: the others of its batch arrive', async () => {
    const { runner } = start({
      tolerance: 'all',
      read: async function* ({ signal }: Context) {
        yield [...batchOf(0, 2), { topic: 't', value: 'this is too large' }, ...batchOf(2, 2)]
        await aborted(signal)
      },
    })
    await until(() => log.values('t').length === 4)
    await runner.stop(1000)
    expect(log.values('t')).toEqual(values(0, 4))
    expect(await storedOffset()).toBe(4)
  })

  test('a dead letter that the log does not take fails the task: it would be lost', async () => {
    const { ended } = start({
      bytes: true,
      tolerance: 'all',
      deadLetters: 'dlq3',
      read: async function* ({ signal }: Context) {
        yield [{ topic: 't', value: 'not bytes, and too large' }]
        await aborted(signal)
      },
    })
    expect(await ended).toMatchObject({ message: expect.stringMatching(/dead letter topic dlq3/) })
  })

  if (exactlyOnce) {
    test('a failure leaves nothing of its transaction, and the next copy goes on without a double', async () => {
      const first = start({ read: counting(50) })
      log.failNext('commit', new LogError('TIMEOUT', 'no answer', { retriable: true }))
      expect(await first.ended).toMatchObject({ code: 'TIMEOUT' })
      const second = start({ read: counting(50) })
      await until(() => log.values('t').length === 50)
      await second.runner.stop(1000)
      expect(log.values('t')).toEqual(values(0, 50))
    })

    test('an older copy is fenced: nothing that it still sends is seen', async () => {
      log.hold()
      const zombie = start({ read: counting(20) })
      await until(() => log.held.length > 0)
      const held = log.held.splice(0)
      log.release()
      const next = start({ read: counting(20) })
      await until(() => log.values('t').length === 20)
      for (const produce of held) produce.acknowledge()
      expect(await zombie.ended).toMatchObject({ code: 'INVALID_PRODUCER_EPOCH' })
      await next.runner.stop(1000)
      expect(log.values('t')).toEqual(values(0, 20))
    })
  } else {
    test('offsets are stored at each interval', async () => {
      const { runner } = start({ read: counting(20), flushIntervalMs: 5 })
      await until(() => log.records(offsetTopic).length > 0 && log.values('t').length === 20)
      let stored: unknown
      await until(() => {
        void storedOffset().then((offset) => (stored = offset))
        return stored === 20
      })
      await runner.stop(1000)
    })

    test('a late acknowledgement holds back the offset', async () => {
      log.hold((records) => records[0]?.value === 'v10')
      const { runner } = start({ read: counting(40), flushIntervalMs: 2 })
      await until(() => log.values('t').length === 30)
      await until(() => log.records(offsetTopic).length > 0)
      expect(await storedOffset()).toBe(10)
      log.release()
      await until(() => log.values('t').length === 40)
      await runner.stop(1000)
      expect(await storedOffset()).toBe(40)
    })
  }

  test('an error that is DataError stays recognisable as permanent', async () => {
    const { ended } = start({
      read: async function* () {
        yield batchOf(0, 1)
        throw new DataError('no such table')
      },
    })
    expect(isErrorKind(await ended, 'DataError')).toBe(true)
  })
})
