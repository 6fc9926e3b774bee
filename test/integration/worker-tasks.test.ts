/** Tasks in their threads, on the bundled log: threads are killed under them, and nothing is lost. */
import { existsSync, readFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { temporaryFolder, testBroker, type TestBroker } from '../support/broker.ts'
import { countable, testHosts, type TestHosts } from '../support/task-hosts.ts'
import { until } from '../support/until.ts'

let broker: TestBroker
let folder: string
let hosts: TestHosts

beforeAll(async () => {
  broker = await testBroker()
  folder = await temporaryFolder()
})

afterEach(async () => hosts.close())

afterAll(async () => {
  await broker.close()
  await rm(folder, { recursive: true, force: true })
})

const linesOf = (file: string): string[] =>
  existsSync(file) ? readFileSync(file, 'utf8').split('\n').slice(0, -1) : []

/** Kills the thread that the tasks share, again and again at random moments, while `working` holds. */
async function killThreads(times: number, working: () => Promise<boolean>): Promise<number> {
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

describe('a source whose thread is killed at random moments', () => {
  test('at least once: loses nothing, and told durable only what was in the log', async () => {
    hosts = await testHosts(broker.address)
    const end = 20_000
    const file = join(folder, 'durable')
    await hosts.start('alo', countable('counting'), {
      topic: 'alo',
      end: String(end),
      'batch.size': '20',
      'pause.ms': '1',
      'durable.file': file,
    })
    const kills = await killThreads(10, async () => (await hosts.values('alo')).at(-1) !== String(end - 1))
    expect(kills).toBeGreaterThan(0)
    await until('all numbers', async () => (await hosts.values('alo')).at(-1) === String(end - 1), 60_000)
    expectNoGaps(await hosts.values('alo'), end)
    // Every run tells in order. Between the store of an offset and the call a thread may die: some are never told.
    const told = linesOf(file).map(Number)
    expect(told.length).toBeGreaterThan(kills)
    expect(told).toEqual([...told].sort((a, b) => a - b))
    await hosts.hosts.stopTask({ connector: 'alo', task: 0 })
  })

  test('exactly once: each number once, in order', async () => {
    hosts = await testHosts(broker.address, { 'exactly.once.source.support': 'enabled' })
    const end = 20_000
    await hosts.start('eos', countable('counting'), {
      topic: 'eos',
      end: String(end),
      'batch.size': '20',
      'pause.ms': '1',
    })
    const kills = await killThreads(10, async () => (await hosts.values('eos')).at(-1) !== String(end - 1))
    expect(kills).toBeGreaterThan(0)
    await until('all numbers', async () => (await hosts.values('eos')).length >= end, 60_000)
    expect(await hosts.values('eos')).toEqual(numbers(end))
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

  test('whose thread is killed takes every record, with put and flush failing in passing as well', async () => {
    hosts = await testHosts(broker.address)
    const end = 50_000
    await fill('to-lines', end)
    const file = join(folder, 'lines')
    const config = { topics: 'to-lines', file, 'fail.every': '3', 'errors.retry.delay.max.ms': '20' }
    await hosts.start('lines', countable('lines'), config)
    await killThreads(6, async () => (await committed('lines')) < end)
    await until('the last commit', async () => (await committed('lines')) === end, 60_000)
    expectNoGaps(linesOf(file), end)
  })

  test('goes on where it was after a stop', async () => {
    hosts = await testHosts(broker.address)
    await fill('stopped', 1000)
    const file = join(folder, 'stopped')
    for (const end of [1000, 1500]) {
      await hosts.start('stopped', countable('lines'), { topics: 'stopped', file })
      await until('all lines', () => linesOf(file).length === end)
      await hosts.hosts.stopTask({ connector: 'stopped', task: 0 })
      expect(await committed('stopped')).toBe(end)
      await hosts.client.producer().produce(numbers(500).map((value) => ({ topic: 'stopped', key: null, value })))
    }
    expect(linesOf(file)).toEqual([...numbers(1000), ...numbers(500)])
  })

  test('puts what it rejects into the dead letter topic, as it was, with the reason', async () => {
    hosts = await testHosts(broker.address)
    await fill('picky', 5)
    const file = join(folder, 'picky')
    await hosts.start('picky', countable('lines'), {
      topics: 'picky',
      file,
      reject: '1,3',
      'errors.tolerance': 'all',
      'errors.deadletterqueue.topic.name': 'picky-dlq',
      'errors.deadletterqueue.context.headers.enable': 'true',
    })
    await until('the commit', async () => (await committed('picky')) === 5)
    expect(linesOf(file)).toEqual(['0', '2', '4'])
    const reader = hosts.client.reader()
    reader.assign([{ topic: 'picky-dlq', partition: 0, offset: 'earliest' }])
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
      '__connect.errors.topic': 'picky',
      '__connect.errors.partition': '0',
      '__connect.errors.offset': '3',
      '__connect.errors.connector.name': 'picky',
      '__connect.errors.task.id': '0',
      '__connect.errors.stage': 'TASK_PUT',
      '__connect.errors.exception.class.name': 'DataError',
      '__connect.errors.exception.message': 'no room for 3',
    })
  })
})

describe('a task that misbehaves', () => {
  const endless = { end: '1000000000', 'batch.size': '1', 'pause.ms': '5' }
  const alive = async (topic: string): Promise<void> => {
    const before = (await hosts.values(topic)).length
    await until('more records', async () => (await hosts.values(topic)).length > before)
  }

  test.each(['throw-in-timer', 'reject'])('%s: fails with the trace, and its neighbour goes on', async (how) => {
    hosts = await testHosts(
      broker.address,
      {},
      { restartLimits: { firstDelayMs: 1, maxDelayMs: 1, maxRestarts: 0, windowMs: 1 } },
    )
    await hosts.start('good', countable('counting'), { ...endless, topic: `beside-${how}` })
    await hosts.reaches('good', 'RUNNING')
    await hosts.start('bad', countable('misbehaving'), { how })
    const { trace } = await hosts.reaches('bad', 'FAILED')
    expect(trace).toMatch(/thrown in a timer|rejected by nobody/)
    await alive(`beside-${how}`)
    expect(hosts.statesOf('good')).toEqual(['RUNNING'])
  })

  test.each([
    ['block', /blocked for 2 s by the code of .*bad-0/],
    ['no-memory', /memory/],
  ])(
    '%s: its thread is replaced, with the reason; a task in a thread of its own is not touched',
    async (how, reason) => {
      hosts = await testHosts(broker.address, {}, { blockedAfterS: 2, heapMb: 64 })
      await hosts.start('good', countable('counting'), {
        ...endless,
        topic: `apart-${how}`,
        'task.isolation': 'thread',
      })
      await hosts.start('neighbour', countable('counting'), { ...endless, topic: `with-${how}` })
      await hosts.reaches('neighbour', 'RUNNING')
      await hosts.start('bad', countable('misbehaving'), { how, 'after.ms': '50' })
      const { trace } = await hosts.reaches('bad', 'RESTARTING')
      expect(trace).toMatch(reason)
      await hosts.hosts.stopTask({ connector: 'bad', task: 0 })
      await hosts.reaches('neighbour', 'RUNNING')
      await alive(`with-${how}`)
      await alive(`apart-${how}`)
      expect(hosts.statesOf('good')).toEqual(['RUNNING'])
    },
  )

  test('never stops: is cut off after the graceful timeout, and its neighbour goes on', async () => {
    hosts = await testHosts(broker.address, { 'task.shutdown.graceful.timeout.ms': '100' })
    await hosts.start('good', countable('counting'), { ...endless, topic: 'beside-endless' })
    await hosts.start('bad', countable('misbehaving'), { how: 'never-stop' })
    await hosts.reaches('bad', 'RUNNING')
    await hosts.hosts.stopTask({ connector: 'bad', task: 0 })
    await hosts.reaches('bad', 'UNASSIGNED')
    await alive('beside-endless')
    expect(hosts.statesOf('good')).toEqual(['RUNNING'])
  })

  test('fails again and again: is restarted so many times, and then stays failed', async () => {
    hosts = await testHosts(
      broker.address,
      {},
      { restartLimits: { firstDelayMs: 1, maxDelayMs: 5, maxRestarts: 3, windowMs: 60_000 } },
    )
    await hosts.start('bad', countable('misbehaving'), { how: 'fail' })
    await hosts.reaches('bad', 'FAILED')
    expect(hosts.statesOf('bad').filter((state) => state === 'RESTARTING')).toHaveLength(3)
  })

  test('a config that cannot work fails at once, naming every setting', async () => {
    hosts = await testHosts(broker.address)
    await hosts.start('bad', countable('counting'), { end: 'many' })
    const { trace } = await hosts.reaches('bad', 'FAILED')
    expect(trace).toMatch(/ConfigError: .*topic/s)
    expect(trace).toMatch(/end: /)
    expect(hosts.statesOf('bad')).toEqual(['FAILED'])
  })
})

describe('planning', () => {
  const plan = async (config: Readonly<Record<string, string>>) =>
    hosts.hosts.planTasks(countable('misbehaving'), { name: 'x', ...config }, 2)

  test('gives the maps of the connector; refuses what its check refuses', async () => {
    hosts = await testHosts(broker.address)
    expect(await plan({ how: 'fail', times: '2' })).toEqual([{}, {}])
    await expect(plan({ how: 'fail', times: '9' })).rejects.toMatchObject({
      name: 'ConfigError',
      message: 'times: fails five times at most',
    })
    expect(await hosts.hosts.check(countable('misbehaving'), { how: 'sing' })).toHaveProperty('how')
    expect(await hosts.hosts.planTasks(countable('lines'), { file: 'f' }, 3)).toEqual([{}, {}, {}])
  })

  test('a connector that does not answer is given up, and the next one is asked in a new thread', async () => {
    hosts = await testHosts(broker.address, {}, { planTimeoutMs: 3000 })
    await expect(plan({ how: 'fail', 'after.ms': '99999' })).rejects.toThrow(/did not say within 3000 ms/)
    expect(await plan({ how: 'fail' })).toEqual([{}])
  })
})

test('paused and resumed', async () => {
  hosts = await testHosts(broker.address)
  await hosts.start('p', countable('counting'), {
    topic: 'paused',
    end: '1000000000',
    'batch.size': '1',
    'pause.ms': '1',
  })
  await hosts.reaches('p', 'RUNNING')
  await until('records', async () => (await hosts.values('paused')).length > 5)
  await hosts.hosts.pauseTask({ connector: 'p', task: 0 })
  await hosts.reaches('p', 'PAUSED')
  let seen = -1
  await until('quiet', async () => {
    const before = seen
    seen = (await hosts.values('paused')).length
    return seen === before
  })
  await hosts.hosts.resumeTask({ connector: 'p', task: 0 })
  await hosts.reaches('p', 'RUNNING')
  await until('more', async () => (await hosts.values('paused')).length > seen + 5)
})
