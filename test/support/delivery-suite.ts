/** What must hold of records on their way through tasks, on any log, though the threads are killed under them. */
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder } from './broker.ts'
import { countable, testHosts, type TestHosts } from './task-hosts.ts'
import { until } from './until.ts'

interface LogUnderTest {
  readonly address: string
  close(): Promise<void>
}

const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []

/** Kills the thread that the tasks share, again and again at random moments, while `working` holds. */
async function killThreads(hosts: TestHosts, times: number, working: () => Promise<boolean>): Promise<number> {
  let kills = 0
  for (; kills < times && (await working()); kills++) {
    const connector = `bomb-${kills}`
    const after = Math.floor(Math.random() * 150)
    await hosts.start(connector, countable('misbehaving'), { how: 'exit', 'after.ms': String(after) })
    await hosts.reaches(connector, 'RESTARTING')
    await hosts.hosts.stopTask({ connector, task: 0 })
  }
  return kills
}

/** 0, 1, 2, … with nothing left out; going back is allowed, skipping is not. */
function expectNoGaps(values: readonly string[], end: number): void {
  let next = 0
  for (const value of values) {
    const number = Number(value)
    if (number > next) throw new Error(`after ${next - 1} came ${number}`)
    next = Math.max(next, number + 1)
  }
  expect(next).toBe(end)
}

const numbers = (end: number): string[] => Array.from({ length: end }, (_, i) => String(i))

/** Registers the suite for one kind of log. */
export function describeDelivery(name: string, start: () => Promise<LogUnderTest>): void {
  describe(`delivery on ${name}`, () => {
    const run = crypto.randomUUID().slice(0, 8)
    /** Of its own for each run: the log may be an old acquaintance. */
    const named = (what: string): string => `${what}-${run}`
    let log: LogUnderTest
    let folder: string
    let hosts: TestHosts

    beforeAll(async () => {
      log = await start()
      folder = await temporaryFolder()
    })

    afterEach(async () => hosts.close())

    afterAll(async () => {
      await log.close()
      await rm(folder, { recursive: true, force: true })
    })

    describe('a source whose thread is killed at random moments', () => {
      test('at least once: loses nothing, and told durable only what was in the log', async () => {
        hosts = await testHosts(log.address)
        const end = 20_000
        const file = join(folder, 'durable')
        await hosts.start(named('alo'), countable('counting'), {
          topic: named('alo'),
          end: String(end),
          'batch.size': '20',
          'pause.ms': '1',
          'durable.file': file,
        })
        const kills = await killThreads(
          hosts,
          10,
          async () => (await hosts.values(named('alo'))).at(-1) !== String(end - 1),
        )
        expect(kills).toBeGreaterThan(0)
        await until('all numbers', async () => (await hosts.values(named('alo'))).at(-1) === String(end - 1), 60_000)
        expectNoGaps(await hosts.values(named('alo')), end)
        // Every run tells in order. Between the store of an offset and the call a thread may die: some are never told.
        const told = linesOf(file).map(Number)
        expect(told.length).toBeGreaterThan(kills)
        expect(told).toEqual([...told].sort((a, b) => a - b))
        await hosts.hosts.stopTask({ connector: named('alo'), task: 0 })
      })

      test('exactly once: each number once, in order', async () => {
        hosts = await testHosts(log.address, { 'exactly.once.source.support': 'enabled' })
        const end = 20_000
        await hosts.start(named('eos'), countable('counting'), {
          topic: named('eos'),
          end: String(end),
          'batch.size': '20',
          'pause.ms': '1',
        })
        const kills = await killThreads(
          hosts,
          10,
          async () => (await hosts.values(named('eos'))).at(-1) !== String(end - 1),
        )
        expect(kills).toBeGreaterThan(0)
        await until('all numbers', async () => (await hosts.values(named('eos'))).length >= end, 60_000)
        expect(await hosts.values(named('eos'))).toEqual(numbers(end))
      })
    })

    describe('a sink', () => {
      const fill = async (topic: string, end: number): Promise<void> => {
        await hosts.client.admin.createTopics([{ topic, partitions: 1, replicationFactor: 1 }])
        const producer = hosts.client.producer()
        await producer.produce(numbers(end).map((value) => ({ topic, key: null, value, timestamp: 1000 })))
        await producer.close()
      }
      const committed = async (connector: string): Promise<number> =>
        (await hosts.client.admin.groupOffsets(`connect-${connector}`))[0]?.offset ?? -1

      // A kill in the middle of a rebalance has the group wait for the dead member's session.
      test('whose thread is killed takes every record, with put and flush failing in passing as well', async () => {
        hosts = await testHosts(log.address)
        const end = 50_000
        await fill(named('to-lines'), end)
        const file = join(folder, 'lines')
        const config = { topics: named('to-lines'), file, 'fail.every': '3', 'errors.retry.delay.max.ms': '20' }
        await hosts.start(named('lines'), countable('lines'), config)
        await killThreads(hosts, 6, async () => (await committed(named('lines'))) < end)
        await until('the last commit', async () => (await committed(named('lines'))) === end, 60_000)
        expectNoGaps(linesOf(file), end)
      }, 180_000)

      test('goes on where it was after a stop', async () => {
        hosts = await testHosts(log.address)
        await fill(named('stopped'), 1000)
        const file = join(folder, 'stopped')
        for (const end of [1000, 1500]) {
          await hosts.start(named('stopped'), countable('lines'), { topics: named('stopped'), file })
          await until('all lines', () => linesOf(file).length === end)
          await hosts.hosts.stopTask({ connector: named('stopped'), task: 0 })
          expect(await committed(named('stopped'))).toBe(end)
          await hosts.client
            .producer()
            .produce(numbers(500).map((value) => ({ topic: named('stopped'), key: null, value })))
        }
        expect(linesOf(file)).toEqual([...numbers(1000), ...numbers(500)])
      })

      test('puts what it rejects into the dead letter topic, as it was, with the reason', async () => {
        hosts = await testHosts(log.address)
        await fill(named('picky'), 5)
        const file = join(folder, 'picky')
        await hosts.start(named('picky'), countable('lines'), {
          topics: named('picky'),
          file,
          reject: '1,3',
          'errors.tolerance': 'all',
          'errors.deadletterqueue.topic.name': named('picky-dlq'),
          'errors.deadletterqueue.context.headers.enable': 'true',
        })
        await until('the commit', async () => (await committed(named('picky'))) === 5)
        expect(linesOf(file)).toEqual(['0', '2', '4'])
        const reader = hosts.client.reader()
        reader.assign([{ topic: named('picky-dlq'), partition: 0, offset: 'earliest' }])
        const letters = await until('the letters', async () => {
          const records = (await reader.poll({ maxWaitMs: 500 })).flatMap((fetched) => fetched.records)
          return records.length === 2 ? records : undefined
        })
        expect(letters.map(({ value, timestamp }) => [value?.toString(), timestamp])).toEqual([
          ['1', 1000],
          ['3', 1000],
        ])
        const headers = Object.fromEntries(letters[1]!.headers.map(({ key, value }) => [key, value?.toString()]))
        expect(headers).toMatchObject({
          '__connect.errors.topic': named('picky'),
          '__connect.errors.partition': '0',
          '__connect.errors.offset': '3',
          '__connect.errors.connector.name': named('picky'),
          '__connect.errors.task.id': '0',
          '__connect.errors.stage': 'TASK_PUT',
          '__connect.errors.exception.class.name': 'DataError',
          '__connect.errors.exception.message': 'no room for 3',
        })
      })
    })
  })
}
