import {
  ConnectError,
  DataError,
  isErrorKind,
  RetriableError,
  type SinkRecord,
  type SinkTask,
  type SinkTaskContext,
  type TopicPartition,
} from '@tidewire/sdk'
import fc from 'fast-check'
import { beforeEach, describe, expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { jsonConverter } from '../convert/json-converter.ts'
import { simpleHeaderConverter } from '../convert/simple-header-converter.ts'
import { stringConverter } from '../convert/string-converter.ts'
import { silentLogger } from '../logging/logger.ts'
import { DeadLetterQueue } from './dead-letter-queue.ts'
import { shareOfItsOwn, type ByteShare } from './byte-budget.ts'
import { ErrorPolicy } from './error-policy.ts'
import { endlessLease, Lease } from './lease.ts'
import { SinkConversion } from './sink-conversion.ts'
import { SinkTaskRunner } from './sink-task-runner.ts'
import { unwatchedActivity } from './task-activity.ts'
import { until } from './testing/conditions.ts'
import { FakeLog, fakeLogClient, type FakeGroupConsumer } from './testing/fake-log-client.ts'

type Context = SinkTaskContext<Record<string, unknown>>

interface Setup {
  lease?: SharedArrayBuffer
  write: (context: Context) => SinkTask | Promise<SinkTask>
  tolerance?: 'none' | 'all'
  deadLetters?: boolean
  flushIntervalMs?: number
  paused?: boolean
  json?: boolean
  share?: ByteShare
}

let log: FakeLog

beforeEach(() => {
  log = new FakeLog()
  log.createTopic('in', 2)
})

function start(setup: Setup) {
  const client = fakeLogClient(log)
  const abort = new AbortController()
  const deadLetters = new DeadLetterQueue({
    client,
    topic: 'dlq',
    replicationFactor: undefined,
    contextHeaders: true,
    connector: 'c',
    task: 0,
    scrub: (error) => error,
  })
  const policy = new ErrorPolicy({
    tolerance: setup.tolerance ?? 'none',
    retryTimeoutMs: 0,
    retryDelayMaxMs: 2,
    log: false,
    logMessages: false,
    logger: silentLogger,
    deadLetters: setup.deadLetters === true ? deadLetters : undefined,
  })
  const string = { name: 'string', converter: stringConverter.create({ 'converter.encoding': 'UTF-8' }, 'key') }
  const settings = {
    'schemas.enable': false,
    'schemas.cache.size': 10,
    'decimal.format': 'BASE64',
    'replace.null.with.default': true,
    'schema.content': undefined,
  }
  const json = { name: 'json', converter: jsonConverter.create(settings, 'value') }
  const header = { name: 'simple', converter: simpleHeaderConverter.create({}, 'header') }
  const converters = { key: string, value: setup.json === true ? json : string, header }
  const runner = new SinkTaskRunner({
    definition: setup,
    connector: 'c',
    task: 0,
    config: {},
    makeConsumer: (rebalance) => client.groupConsumer({ groupId: 'connect-c', topics: ['in'], ...rebalance }),
    conversion: new SinkConversion(converters, policy, abort.signal),
    policy,
    activity: unwatchedActivity(),
    abort,
    lease: new Lease(setup.lease ?? endlessLease()),
    share: setup.share ?? shareOfItsOwn(1 << 20),
    flushIntervalMs: setup.flushIntervalMs ?? 3_600_000,
    retryDelayMaxMs: 2,
    logger: silentLogger,
    progress: () => undefined,
    paused: setup.paused ?? false,
  })
  let isRunning = false
  const ended = runner
    .run(() => (isRunning = true))
    .then(
      () => undefined,
      (error: unknown) => error,
    )
  return { runner, ended, running: () => isRunning, consumer: (): FakeGroupConsumer => [...log.consumers][0]! }
}

function fill(count: number, partition = 0, from = 0): void {
  for (let i = from; i < from + count; i++) {
    log.append({ topic: 'in', partition, key: `k${i}`, value: `${i}`, timestamp: 1000 + i }, undefined)
  }
}

const committed = (partition = 0): number => log.groups.get('connect-c')?.get(`in-${partition}`)?.offset ?? -1

/** A sink that keeps what it takes, and counts as durable what was flushed. */
class Kept implements SinkTask {
  readonly taken: string[] = []
  readonly calls: string[] = []
  empties = 0

  put(records: readonly SinkRecord[]): ReturnType<SinkTask['put']> {
    if (records.length === 0) this.empties++
    for (const { value } of records) this.taken.push(value as string)
  }

  open(partitions: readonly TopicPartition[]): void {
    this.calls.push(`open ${partitions.map(({ partition }) => partition).join()}`)
  }

  close(partitions: readonly TopicPartition[]): void {
    this.calls.push(`close ${partitions.map(({ partition }) => partition).join()}`)
  }

  flush(): ReturnType<NonNullable<SinkTask['flush']>> {
    this.calls.push('flush')
  }

  stop(): void {
    this.calls.push('stop')
  }
}

const numbers = (from: number, to: number): string[] => Array.from({ length: to - from }, (_, i) => `${from + i}`)

describe('a sink task', () => {
  test('takes the records in order; on the stop all is flushed, committed and closed, in that order', async () => {
    fill(25)
    const sink = new Kept()
    const { runner, ended } = start({ write: () => sink })
    await until(() => sink.taken.length === 25)
    expect(await runner.stop(1000)).toBe('ended')
    expect(await ended).toBeUndefined()
    expect(sink.taken).toEqual(numbers(0, 25))
    expect(committed()).toBe(25)
    expect(sink.calls).toEqual(['open 0,1', 'flush', 'close 0,1', 'stop'])
  })

  test('gives the record with all that the log has of it', async () => {
    log.append(
      { topic: 'in', partition: 1, key: null, value: 'v', timestamp: 5, headers: [{ key: 'h', value: '7' }] },
      undefined,
    )
    const records: SinkRecord[] = []
    const { runner } = start({ write: () => ({ put: (batch) => void records.push(...batch) }) })
    await until(() => records.length === 1)
    await runner.stop(1000)
    expect(records[0]).toMatchObject({
      topic: 'in',
      partition: 1,
      offset: 0,
      key: null,
      value: 'v',
      headers: [{ key: 'h', value: 7 }],
      timestamp: 5,
    })
  })

  test('goes on from the committed offset', async () => {
    fill(10)
    for (const [from, to] of [
      [0, 10],
      [10, 15],
    ] as const) {
      const sink = new Kept()
      const { runner } = start({ write: () => sink })
      await until(() => sink.taken.length === to - from)
      await runner.stop(1000)
      expect(sink.taken).toEqual(numbers(from, to))
      fill(5, 0, to)
    }
  })

  test('offsets are committed at each interval, only up to what flush says', async () => {
    fill(10)
    const { runner } = start({
      flushIntervalMs: 3,
      write: () => ({
        put: () => undefined,
        flush: (offsets) => offsets.map((position) => ({ ...position, offset: Math.min(position.offset, 4) })),
      }),
    })
    await until(() => committed() === 4)
    await runner.stop(1000)
    expect(committed()).toBe(4)
  })

  test('flush cannot commit what was not put, or is not of this task', async () => {
    fill(3)
    const { runner } = start({
      flushIntervalMs: 3,
      write: () => ({
        put: () => undefined,
        flush: () => [
          { topic: 'in', partition: 0, offset: 99 },
          { topic: 'other', partition: 0, offset: 1 },
          { topic: 'in', partition: 1, offset: -1 },
        ],
      }),
    })
    await new Promise((resolve) => setTimeout(resolve, 20))
    await runner.stop(1000)
    expect(log.groups.get('connect-c')).toBeUndefined()
  })

  test('requestCommit commits soon', async () => {
    fill(3)
    const { runner } = start({
      write: (context) => ({ put: (records) => (records.length > 0 ? context.requestCommit() : undefined) }),
    })
    await until(() => committed() === 3)
    await runner.stop(1000)
  })

  test('a commit that the group does not take is made later', async () => {
    fill(3)
    log.failNext('groupCommit', new LogError('REBALANCE_IN_PROGRESS', 'rebalancing', { retriable: true }))
    const { runner } = start({ flushIntervalMs: 3, write: () => new Kept() })
    await until(() => committed() === 3)
    await runner.stop(1000)
  })

  test('a batch that failed in passing is put again, before anything newer, while the group goes on', async () => {
    fill(5)
    const batches: string[][] = []
    let failures = 3
    const sink: SinkTask = {
      put(records) {
        if (records.length === 0) return
        batches.push(records.map(({ value }) => value as string))
        if (batches.length === 1) fill(5, 0, 5)
        if (failures-- > 0) throw new RetriableError('busy')
      },
    }
    const { runner } = start({ flushIntervalMs: 1, write: () => sink })
    await until(() => batches.length >= 5)
    await runner.stop(1000)
    expect(batches).toEqual([numbers(0, 5), numbers(0, 5), numbers(0, 5), numbers(0, 5), numbers(5, 10)])
    expect(committed()).toBe(10)
  })

  test('nothing beyond a record that is to be put again is committed', async () => {
    fill(5)
    const offsets: number[] = []
    let released = false
    const { runner } = start({
      flushIntervalMs: 1,
      write: () => ({
        put: (records) => ({ retry: released ? [] : records.filter(({ offset }) => offset >= 2) }),
        flush: (positions) => void offsets.push(...positions.map(({ offset }) => offset)),
      }),
    })
    await until(() => committed() === 2)
    expect(Math.max(...offsets)).toBe(2)
    released = true
    await until(() => committed() === 5)
    await runner.stop(1000)
  })

  test('rejected records fail the task, or become dead letters as they were', async () => {
    fill(3)
    const rejecting = (): SinkTask => ({
      put: (records) => ({
        rejected: records
          .filter(({ value }) => value === '1')
          .map((record) => ({ record, error: new Error('no such column') })),
      }),
    })
    const failing = start({ write: rejecting })
    const error = await failing.ended
    expect(isErrorKind(error, 'DataError')).toBe(true)
    expect((error as Error).message).toMatch(/topic in, partition 0, offset 1\) failed at TASK_PUT.*no such column/)
    expect(committed()).toBeLessThanOrEqual(1)

    const { runner } = start({ write: rejecting, tolerance: 'all', deadLetters: true, flushIntervalMs: 1 })
    await until(() => committed() === 3)
    await runner.stop(1000)
    const [letter, ...more] = log.records('dlq')
    expect(more).toEqual([])
    expect(letter).toMatchObject({ key: Buffer.from('k1'), value: Buffer.from('1'), timestamp: 1001 })
    const headers = Object.fromEntries(letter!.headers.map(({ key, value }) => [key, value?.toString()]))
    expect(headers).toMatchObject({
      '__connect.errors.topic': 'in',
      '__connect.errors.partition': '0',
      '__connect.errors.offset': '1',
      '__connect.errors.stage': 'TASK_PUT',
      '__connect.errors.exception.message': 'no such column',
    })
  })

  test('a batch that fails over its contents is put one by one, where errors are tolerated', async () => {
    fill(5)
    const taken: string[] = []
    const { runner } = start({
      tolerance: 'all',
      deadLetters: true,
      flushIntervalMs: 1,
      write: () => ({
        put(records) {
          if (records.some(({ value }) => value === '3')) throw new DataError('cannot parse 3')
          taken.push(...records.map(({ value }) => value as string))
        },
      }),
    })
    await until(() => committed() === 5)
    await runner.stop(1000)
    expect(taken).toEqual(['0', '1', '2', '4'])
    expect(log.values('dlq')).toEqual(['3'])
  })

  test('a task that fails while its records are put one by one commits none whose turn had not come', async () => {
    fill(2, 0)
    fill(2, 1, 10)
    const { ended } = start({
      tolerance: 'all',
      write: () => ({
        put(records) {
          if (records.length > 1) throw new DataError('one of these')
          if (records[0]?.value === '1') throw new ConnectError('disk full')
        },
      }),
    })
    expect(await ended).toMatchObject({ message: 'disk full' })
    expect([committed(0), committed(1)]).toEqual([1, 0])
  })

  test('poison fails the task with nothing of its batch committed, or is passed over', async () => {
    fill(2)
    log.append({ topic: 'in', partition: 0, key: null, value: '{' }, undefined)
    fill(2, 0, 3)
    const sink = new Kept()
    const error = await start({ write: () => sink, json: true, flushIntervalMs: 1 }).ended
    expect((error as Error).message).toMatch(/topic in, partition 0, offset 2.*VALUE_CONVERTER \(json\)/)
    expect(committed()).toBe(-1)

    const { runner } = start({ write: () => sink, json: true, tolerance: 'all', deadLetters: true, flushIntervalMs: 1 })
    await until(() => committed() === 5)
    await runner.stop(1000)
    expect(sink.taken).toEqual([0, 1, 3, 4])
    expect(log.values('dlq')).toEqual(['{'])
  })

  test('an offset past a dead letter is not committed before the letter is in the log', async () => {
    log.append({ topic: 'in', partition: 0, key: null, value: '{' }, undefined)
    log.hold((records) => records[0]?.topic === 'dlq')
    const { runner } = start({
      write: () => new Kept(),
      json: true,
      tolerance: 'all',
      deadLetters: true,
      flushIntervalMs: 1,
    })
    await until(() => log.held.length === 1)
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(committed()).toBe(-1)
    log.release()
    await until(() => committed() === 1)
    await runner.stop(1000)
  })

  test('while the log does not take dead letters, no more than a few are made', async () => {
    const poison = '{'.repeat(100_000)
    for (let i = 0; i < 60; i++) log.append({ topic: 'in', partition: 0, key: null, value: poison }, undefined)
    log.hold((records) => records[0]?.topic === 'dlq')
    const { runner } = start({ write: () => new Kept(), json: true, tolerance: 'all', deadLetters: true })
    await until(() => log.held.length > 0)
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(log.held.length).toBeLessThan(30)
    log.release()
    await until(() => log.records('dlq').length === 60)
    await runner.stop(1000)
    expect(committed()).toBe(60)
  })

  test('any other error fails the task; what was accepted before is flushed and committed', async () => {
    fill(3)
    let puts = 0
    const calls: string[] = []
    const { ended } = start({
      write: () => ({
        put(records) {
          if (records.length === 0) return
          if (++puts === 2) throw new ConnectError('disk full')
          fill(2, 0, 3)
        },
        flush: () => void calls.push('flush'),
        stop: () => void calls.push('stop'),
      }),
    })
    expect(await ended).toMatchObject({ message: 'disk full' })
    expect(calls).toEqual(['flush', 'stop'])
    expect(committed()).toBe(3)
  })

  test('a flush that fails is not followed by a commit', async () => {
    fill(3)
    const { ended } = start({
      flushIntervalMs: 1,
      write: () => ({
        put: () => undefined,
        flush: () => {
          throw new Error('connection lost')
        },
      }),
    })
    expect(await ended).toMatchObject({ message: 'connection lost' })
    expect(committed()).toBe(-1)
  })

  test('a revoked partition is flushed, committed and closed; its records are not put any more', async () => {
    fill(2, 0)
    fill(2, 1, 10)
    const sink = new Kept()
    const { runner, consumer } = start({ write: () => sink })
    await until(() => sink.taken.length === 4)
    consumer().revoke([{ topic: 'in', partition: 1 }])
    await until(() => sink.calls.includes('close 1'))
    expect(sink.calls).toEqual(['open 0,1', 'flush', 'close 1'])
    expect([committed(0), committed(1)]).toEqual([-1, 2])
    await runner.stop(1000)
    expect(committed(0)).toBe(2)
  })

  test('records to put again are forgotten when their partition is revoked, and not committed', async () => {
    fill(2, 0)
    fill(2, 1, 10)
    const seen: string[][] = []
    const { runner, consumer } = start({
      write: () => ({
        put(records) {
          if (records.length === 0) return
          seen.push(records.map(({ value }) => value as string))
          throw new RetriableError('busy')
        },
      }),
    })
    await until(() => seen.length > 1)
    consumer().revoke([{ topic: 'in', partition: 1 }])
    await until(() => seen.at(-1)!.length === 2)
    expect(seen.at(-1)).toEqual(['0', '1'])
    await runner.stop(1000)
    expect(committed(1)).toBeLessThanOrEqual(0)
  })

  test('a lost partition is closed without a commit', async () => {
    fill(2, 1)
    const sink = new Kept()
    const { runner, consumer } = start({ write: () => sink })
    await until(() => sink.taken.length === 2)
    consumer().revoke([{ topic: 'in', partition: 1 }], 'lost')
    await until(() => sink.calls.includes('close 1'))
    await runner.stop(1000)
    expect(committed(1)).toBe(-1)
  })

  test('open may seek', async () => {
    fill(10)
    const taken: string[] = []
    const { runner } = start({
      write: (context) => ({
        open: () => context.seek({ topic: 'in', partition: 0, offset: 7 }),
        put: (records) => void taken.push(...records.map(({ value }) => value as string)),
      }),
    })
    await until(() => taken.length === 3)
    await runner.stop(1000)
    expect(taken).toEqual(numbers(7, 10))
  })

  test('put may seek back: what it was given then comes again, after what is before it, and only then', async () => {
    fill(10)
    const taken: string[] = []
    let isLost = false
    const { runner } = start({
      write: (context) => ({
        put: (records) => {
          if (!isLost && taken.length > 0) {
            isLost = true
            taken.length = 0
            context.seek({ topic: 'in', partition: 0, offset: 0 })
            throw new RetriableError('all is gone')
          }
          taken.push(...records.map(({ value }) => value as string))
          if (!isLost) fill(10, 0, 10)
        },
      }),
    })
    await until(() => taken.length >= 20)
    await runner.stop(1000)
    expect(taken).toEqual(numbers(0, 20))
  })

  test('paused: commits what it has, takes no more, stays a member; then goes on', async () => {
    fill(3)
    const sink = new Kept()
    const { runner } = start({ write: () => sink })
    await until(() => sink.taken.length === 3)
    runner.pause()
    await until(() => committed() === 3)
    fill(3, 0, 3)
    await new Promise((resolve) => setTimeout(resolve, 30))
    expect(sink.taken).toHaveLength(3)
    runner.resume()
    await until(() => sink.taken.length === 6)
    await runner.stop(1000)
  })

  test('put is called with nothing about once a second, when there is nothing', async () => {
    const sink = new Kept()
    const { runner } = start({ write: () => sink })
    await until(() => sink.empties === 2)
    await runner.stop(1000)
  })

  test('a sink that cannot start yet tries again', async () => {
    let tries = 0
    const sink = new Kept()
    const { runner, running } = start({
      write: () => {
        if (++tries < 3) throw new RetriableError('not up yet')
        return sink
      },
    })
    await until(running)
    expect(tries).toBe(3)
    await runner.stop(1000)
  })

  test('a put that hangs is cut off, and nothing is committed for it', async () => {
    fill(3)
    let hanging = false
    const { runner } = start({
      write: () => ({
        put: async (records) => {
          if (records.length === 0) return
          hanging = true
          await new Promise(() => undefined)
        },
      }),
    })
    await until(() => hanging)
    expect(await runner.stop(20)).toBe('cut off')
    expect(committed()).toBe(-1)
  })

  test('an error from outside fails the task, though put hangs', async () => {
    fill(1)
    let hanging = false
    const { runner, ended } = start({
      write: () => ({
        put: async (records) => {
          if (records.length === 0) return
          hanging = true
          await new Promise(() => undefined)
        },
      }),
    })
    await until(() => hanging)
    runner.fail(new Error('socket error'))
    expect(await ended).toMatchObject({ message: 'socket error' })
  })
})

test('whatever a sink answers: every record is taken, in order per partition, and no commit overtakes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 9 }), { maxLength: 30 }),
      fc.array(fc.constantFrom('accept', 'throw', 'retry all', 'retry some'), { maxLength: 12 }),
      async (sizes, answers) => {
        log = new FakeLog()
        log.createTopic('in', 2)
        sizes.forEach((size, i) => fill(size, i % 2, i * 10))
        const total = sizes.reduce((sum, size) => sum + size, 0)
        const accepted: SinkRecord[] = []
        let turn = 0
        const durable = new Map<number, number>()
        const { runner } = start({
          flushIntervalMs: 0,
          write: () => ({
            put(records) {
              if (records.length === 0) return
              const answer = answers[turn++] ?? 'accept'
              if (answer === 'throw') throw new RetriableError('busy')
              if (answer === 'retry all') return { retry: records }
              const retry = answer === 'retry some' ? records.filter((_, i) => i % 3 === 1) : []
              for (const record of records) if (!retry.includes(record)) accepted.push(record)
              return { retry }
            },
            flush(offsets) {
              for (const { partition, offset } of offsets) {
                const before = accepted.filter((record) => record.partition === partition && record.offset < offset)
                expect(new Set(before.map((record) => record.offset)).size).toBe(offset)
                durable.set(partition, offset)
              }
            },
          }),
        })
        await until(() => accepted.length === total)
        await runner.stop(1000)
        const seen = accepted.map(({ partition, offset }) => `${partition}-${offset}`)
        expect(new Set(seen).size).toBe(total)
        for (const [partition, offset] of durable) expect(committed(partition)).toBe(offset)
      },
    ),
    { numRuns: 60 },
  )
})

describe('without the lease', () => {
  const expired = (): SharedArrayBuffer => new SharedArrayBuffer(Float64Array.BYTES_PER_ELEMENT)
  const aWhile = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150))

  test('nothing is put, flushed or committed; with it again all is, and nothing is lost', async () => {
    const lease = endlessLease()
    const kept = new Kept()
    const { runner } = start({ write: () => kept, lease, flushIntervalMs: 1 })
    fill(10)
    await until(() => kept.taken.length === 10 && committed() === 10)
    new Float64Array(lease)[0] = 0
    // A step that had begun may end.
    await aWhile()
    const before = { taken: kept.taken.length, calls: kept.calls.length, committed: committed() }
    fill(10, 0, 10)
    await aWhile()
    expect({ taken: kept.taken.length, calls: kept.calls.length, committed: committed() }).toEqual(before)
    new Float64Array(lease)[0] = Infinity
    await until(() => committed() === 20)
    expect(kept.taken).toEqual(Array.from({ length: 20 }, (_, i) => String(i)))
    await runner.stop(1000)
  })

  test('a task that is stopped commits nothing', async () => {
    const kept = new Kept()
    const { runner, running } = start({ write: () => kept, lease: expired(), flushIntervalMs: 1 })
    await until(running)
    fill(10)
    await aWhile()
    expect(await runner.stop(1000)).toBe('ended')
    expect(kept.taken).toEqual([])
    expect(kept.calls).not.toContain('flush')
    expect(committed()).toBe(-1)
  })
})

describe('the memory that tasks share', () => {
  test('a sink that holds some is flushed before its time when it comes to an end, and is told how much is left', async () => {
    const share = shareOfItsOwn(100_000)
    const others = share.holder()
    const sink = new Kept()
    const most: number[] = []
    const { runner, ended } = start({
      share,
      write: (context) =>
        Object.assign(sink, {
          put: (records: readonly SinkRecord[]) => {
            for (const { value } of records) sink.taken.push(value as string)
            context.holds(sink.taken.length * 1000)
            most.push(context.maxBufferedBytes)
          },
          flush: () => {
            sink.calls.push('flush')
            context.holds(0)
          },
        }),
    })
    fill(10)
    await until(() => sink.taken.length === 10)
    expect(sink.calls).not.toContain('flush')
    others.holds(95_000)
    await until(() => sink.calls.includes('flush'))
    expect(committed()).toBe(10)
    await until(() => most.at(-1)! <= 5000)
    expect(await runner.stop(5000)).toBe('ended')
    expect(await ended).toBeUndefined()
  })
})
