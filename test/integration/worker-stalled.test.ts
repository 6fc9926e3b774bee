/** Tasks that have work to do and do not get on with it say so, and what they wait for. */
import { rmSync, writeFileSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { cuttableProxy, type CuttableProxy } from '../support/cuttable-proxy.ts'
import { countable, testHosts, type TestHosts } from '../support/task-hosts.ts'
import { until } from '../support/until.ts'

let broker: TestBroker
let hosts: TestHosts
let folder: string

beforeAll(async () => {
  broker = await testBroker()
  folder = await mkdtemp(join(tmpdir(), 'stalled-'))
})

let proxy: CuttableProxy | undefined

afterEach(async () => {
  await hosts.close()
  await proxy?.close()
  proxy = undefined
})

afterAll(async () => {
  await broker.close()
  rmSync(folder, { recursive: true })
})

const limits = { 'task.stalled.after.ms': '1200', 'offset.flush.interval.ms': '200' }
const endless = { end: '1000000000', 'batch.size': '1', 'pause.ms': '5' }

describe('a sink', () => {
  test.each([
    ['hold.file', /^put has not returned \(since .*Z\)$/],
    ['refuse.file', /^put has failed .* the last time with: the other side is away \(since/],
    ['keep.file', /^the sink keeps back what it was given of 1 partition: flush does not make it durable \(since/],
  ])(
    '%s: STALLED with the reason, RUNNING when it is gone; who has nothing to do is not STALLED',
    async (name, reason) => {
      const topic = `sink-${name}`
      const obstacle = join(folder, name)
      writeFileSync(obstacle, '')
      hosts = await testHosts(broker.address, limits)
      await hosts.start('idle', countable('misbehaving'), { how: 'never-stop', 'after.ms': '900000' })
      await hosts.start('other', countable('lines'), { topics: `none-${name}`, file: join(folder, 'none') })
      await hosts.start('from', countable('counting'), { topic, end: '10' })
      const file = join(folder, `${name}.out`)
      await hosts.start('to', countable('lines'), { topics: topic, file, [name]: obstacle })
      const { trace } = await hosts.reaches('to', 'STALLED')
      expect(trace).toMatch(reason)
      rmSync(obstacle)
      await hosts.reaches('to', 'RUNNING')
      for (const connector of ['idle', 'other']) expect(hosts.statesOf(connector)).toEqual(['RUNNING'])
      // It had something to do before, for which a slow log may have kept it waiting.
      expect(hosts.statesOf('from').at(-1)).toBe('RUNNING')
      // A slow log may have kept it waiting once more.
      expect(hosts.statesOf('to').join()).toMatch(/^RUNNING(,STALLED,RUNNING)+$/)
    },
  )

  test('that is paused is not STALLED; a connector may have a limit of its own', async () => {
    const obstacle = join(folder, 'own')
    writeFileSync(obstacle, '')
    hosts = await testHosts(broker.address, limits)
    await hosts.start('from', countable('counting'), { topic: 'paused-sink', end: '10' })
    const to = { topics: 'paused-sink', 'refuse.file': obstacle }
    await hosts.start('patient', countable('lines'), { ...to, file: join(folder, 'p'), 'task.stalled.after.ms': '0' })
    await hosts.start('stalled', countable('lines'), { ...to, file: join(folder, 's') })
    await hosts.reaches('stalled', 'STALLED')
    await hosts.hosts.pauseTask({ connector: 'stalled', task: 0 })
    await hosts.reaches('stalled', 'PAUSED')
    await hosts.hosts.resumeTask({ connector: 'stalled', task: 0 })
    await until('stalled again', () => hosts.statesOf('stalled').at(-1) === 'STALLED')
    expect(hosts.statesOf('stalled')).toEqual(['RUNNING', 'STALLED', 'PAUSED', 'RUNNING', 'STALLED'])
    expect(hosts.statesOf('patient')).toEqual(['RUNNING'])
  })
})

describe('a source', () => {
  test.each([
    // Offsets were on their way when the log went, or batches were.
    ['disabled', /^waits for the log to (acknowledge \d+ batch.*(bytes|KiB|MiB)\)|take source offsets) \(since/],
    ['enabled', /^waits for the log to take a transaction of \d+ batch/],
  ])('exactly once %s: while the log is away, it says that it waits for it', async (support, reason) => {
    proxy = await cuttableProxy(broker.address)
    hosts = await testHosts(proxy.address, { ...limits, 'exactly.once.source.support': support })
    const topic = `source-${support}`
    await hosts.start('from', countable('counting'), { ...endless, topic })
    await hosts.reaches('from', 'RUNNING')
    await until('records', async () => (await hosts.values(topic)).length > 0)
    proxy.cut('silent')
    const { trace } = await hosts.reaches('from', 'STALLED')
    expect(trace).toMatch(reason)
    proxy.heal()
    await hosts.reaches('from', 'RUNNING')
  })
})
