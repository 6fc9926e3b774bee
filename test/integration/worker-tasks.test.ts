/** Tasks in their threads: those that misbehave harm nobody else. */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { countable, testHosts, type TestHosts } from '../support/task-hosts.ts'
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
