/** Tasks in their threads: those that misbehave harm nobody else. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { createLogger } from '../../core/src/logging/logger.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { countable, testHosts, type TestHosts } from '../support/task-hosts.ts'
import type { TaskStatus } from '../../core/src/worker/task-spec.ts'
import { until } from '../support/until.ts'

let broker: TestBroker
let hosts: TestHosts

beforeAll(async () => {
  broker = await testBroker()
})

afterEach(async () => hosts.close())

afterAll(async () => broker.close())

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
    ['block', /^task bad-0 blocked its thread for 5 s \(in next\)$/],
    ['no-memory', /^task bad-0 took the last of its thread's memory \(64 MB of heap\) \(in next\)$/],
    ['exit', /^task bad-0 ended its thread \(exit code 7\) \(in next\)$/],
  ])(
    '%s: it is named, and goes on in a thread of its own; its neighbour is started again at once, and never failed',
    async (how, reason) => {
      hosts = await testHosts(broker.address, { 'task.threads': '1' }, { blockedAfterS: 5, heapMb: 64 })
      await hosts.start('good', countable('counting'), {
        ...endless,
        topic: `apart-${how}`,
        'task.isolation': 'thread',
      })
      await hosts.start('neighbour', countable('counting'), { ...endless, topic: `with-${how}` })
      await hosts.reaches('neighbour', 'RUNNING')
      await hosts.start('bad', countable('misbehaving'), { how, 'after.ms': '50' })
      const failures = (): TaskStatus[] =>
        hosts.statuses.filter(({ connector, state }) => connector === 'bad' && state === 'RESTARTING')
      await until('failed twice', () => failures().length >= 2)
      for (const { trace } of failures()) expect(trace).toMatch(reason)
      await hosts.hosts.stopTask({ connector: 'bad', task: 0 })
      await hosts.reaches('neighbour', 'RUNNING')
      await alive(`with-${how}`)
      await alive(`apart-${how}`)
      expect(hosts.statesOf('good')).toEqual(['RUNNING'])
      // Only the first time: after that the other was alone.
      expect(hosts.statesOf('neighbour')).toEqual(['RUNNING', 'RESTARTING', 'RUNNING'])
      expect(hosts.statuses.find(({ connector, trace }) => connector === 'neighbour' && trace)?.trace).toMatch(
        /^its thread was lost: task bad-0 /,
      )
    },
  )

  test('tasks go where there is least to do, by weight: whose thread is lost shows who shared it', async () => {
    hosts = await testHosts(broker.address, { 'task.threads': '2' })
    await hosts.start('heavy', countable('counting'), { ...endless, topic: 'heavy', 'task.weight': '3' })
    await hosts.start('light', countable('counting'), { ...endless, topic: 'light' })
    await hosts.reaches('heavy', 'RUNNING')
    await hosts.reaches('light', 'RUNNING')
    await hosts.start('bad', countable('misbehaving'), { how: 'exit' })
    await hosts.reaches('bad', 'RESTARTING')
    await until('light again', () => hosts.statesOf('light').join() === 'RUNNING,RESTARTING,RUNNING')
    expect(hosts.statesOf('heavy')).toEqual(['RUNNING'])
  })

  test('a turn that does not end is reported, with the task and what it is in', async () => {
    const warnings: object[] = []
    const write = (level: string, message: string, details: object) => {
      if (level === 'warn') warnings.push({ message, ...details })
    }
    hosts = await testHosts(broker.address, {}, { blockedAfterS: 3, logger: createLogger({ write }) })
    await hosts.start('bad', countable('misbehaving'), { how: 'block' })
    await hosts.reaches('bad', 'RESTARTING')
    expect(warnings).toContainEqual(
      expect.objectContaining({
        message: 'a task keeps its thread to itself for longer than a second',
        task: 'bad-0',
        step: 'next',
      }),
    )
  })

  test('one that runs elsewhere by now has not failed: it is not warned of, and leaves no stack', async () => {
    const lines: string[] = []
    const write = (level: string, message: string) => lines.push(`${level} ${message}`)
    hosts = await testHosts(
      broker.address,
      {},
      { mayRun: async () => Promise.resolve(false), logger: createLogger({ write }) },
    )
    await hosts.start('moved', countable('counting'), { ...endless, topic: 'moved' })
    const { trace } = await hosts.reaches('moved', 'RESTARTING')
    expect(trace).toBe('the task runs on another worker, or with another config, by now')
    await hosts.hosts.stopTask({ connector: 'moved', task: 0 })
    expect(lines).toContain('info task overtaken')
    expect(lines.filter((line) => /^(warn|error) /.test(line))).toEqual([])
  })

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

  // One after the other they would take longer than a test may.
  test('tasks that do not stop, in shared threads and in their own, are cut off within one graceful timeout', async () => {
    hosts = await testHosts(broker.address, { 'task.shutdown.graceful.timeout.ms': '2000', 'task.threads': '2' })
    const names = Array.from({ length: 30 }, (_, i) => `bad${i}`)
    const isolation = (i: number) => (i < 3 ? { 'task.isolation': 'thread' } : {})
    for (const [i, name] of names.entries()) {
      await hosts.start(name, countable('misbehaving'), { how: 'never-stop', ...isolation(i) })
    }
    for (const name of names) await hosts.reaches(name, 'RUNNING')
    await hosts.hosts.close()
    for (const name of names) expect(hosts.statesOf(name)).toEqual(['RUNNING', 'UNASSIGNED'])
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
    // Where the new thread takes its time to start, that is cut off too.
    const next = await until('an answer', () => plan({ how: 'fail' }).catch(() => undefined))
    expect(next).toEqual([{}])
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
