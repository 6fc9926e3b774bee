import { NotFoundError, RetriableError } from '@tidewire/sdk'
import { afterEach, describe, expect, test } from 'vitest'
import { NotLeaderError } from '../cluster/cluster.ts'
import type { OffsetsChanged, OffsetsErrand } from '../worker/errand-messages.ts'
import { offsetChanges, type GivenOffset } from './offset-changes.ts'
import { startHerder, until, type Fixture } from './testing/fixture.ts'
import { MemoryLog } from './testing/memory-log.ts'

const running: Fixture[] = []
afterEach(async () => {
  await Promise.all(running.splice(0).map(({ herder }) => herder.close()))
})

const offset = { partition: { file: 'a' }, offset: { n: 1 } }
const alter = { kind: 'alter' as const, offsets: [offset] }
const never = new AbortController().signal

/** A connector `a` with tasks that run; its errands are noted, and say that all was done. */
async function deployed(config: Record<string, string>, tasks = 1) {
  const fixture = await startHerder(new MemoryLog())
  running.push(fixture)
  const { herder, runner } = fixture
  const errands: OffsetsErrand[] = []
  runner.errand = async (errand): Promise<OffsetsChanged> => {
    errands.push(errand as OffsetsErrand)
    return Promise.resolve({ offsets: [offset], isAll: true, warnings: [] })
  }
  runner.plan = async (_, max) => Array.from({ length: max }, () => ({}))
  await herder.writes.create('a', { 'tasks.max': String(tasks), ...config })
  await until(() => runner.running.size === tasks)
  const stop = () => herder.writes.setTargetState('a', 'STOPPED')
  return { ...fixture, errands, stop }
}

const exact = { 'connector.class': 'test-exact-source' }
const source = { 'connector.class': 'test-source', url: 'tcp://x' }
const sink = { 'connector.class': 'test-sink', topics: 't' }

describe('a change of offsets', () => {
  test('is refused while the connector is not stopped, or not there', async () => {
    const { herder, errands } = await deployed(source)
    await expect(herder.offsets.change('a', alter)).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining("'PUT' request to the '/connectors/a/stop'") as string,
    })
    await herder.writes.setTargetState('a', 'PAUSED')
    await expect(herder.offsets.change('a', { kind: 'reset' })).rejects.toMatchObject({ name: 'ConfigError' })
    await expect(herder.offsets.change('b', alter)).rejects.toBeInstanceOf(NotFoundError)
    expect(errands).toEqual([])
  })

  test('has to come again while a worker has one of its tasks', async () => {
    const { herder, errands, stop, cluster } = await deployed(source)
    await stop()
    cluster.stopping.add('a')
    await expect(herder.offsets.change('a', alter)).rejects.toBeInstanceOf(RetriableError)
    expect(errands).toEqual([])
    cluster.stopping.delete('a')
    expect(await herder.offsets.change('a', alter)).toEqual({ offsets: [offset], isAll: true, warnings: [] })
    expect(errands).toMatchObject([{ spec: { connector: 'a', type: 'source' }, work: alter }])
  })

  test('comes after the fencing of tasks that write in transactions, once for each time it was stopped', async () => {
    const { herder, log, stop } = await deployed(exact, 2)
    await stop()
    await herder.offsets.change('a', alter)
    await herder.offsets.change('a', { kind: 'reset' })
    expect(log.fenced).toEqual([['connect-cluster-a-0', 'connect-cluster-a-1']])
  })

  test('keeps the connector from being resumed until it is made', async () => {
    const { herder, runner, stop } = await deployed(source)
    await stop()
    const changing = Promise.withResolvers<OffsetsChanged>()
    runner.errand = () => changing.promise
    const change = herder.offsets.change('a', alter)
    await until(() => runner.calls.includes('offsets a'))
    let resumed = false
    const resuming = herder.writes.setTargetState('a', 'STARTED').then(() => (resumed = true))
    await herder.catchUp()
    expect(resumed).toBe(false)
    changing.resolve({ offsets: [], isAll: false, warnings: [] })
    expect(await change).toMatchObject({ isAll: false })
    await resuming
  })

  test('is the leader’s', async () => {
    const { herder, errands, stop, cluster } = await deployed(source)
    await stop()
    await cluster.lead(false)
    await expect(herder.offsets.change('a', alter)).rejects.toBeInstanceOf(NotLeaderError)
    expect(errands).toEqual([])
  })

  test('of a sink is looked at before it goes to work; only a sink has topics', async () => {
    const sinks = await deployed(sink)
    await sinks.stop()
    await expect(sinks.herder.offsets.change('a', alter)).rejects.toThrow("'kafka_topic' and 'kafka_partition'")
    await sinks.herder.offsets.change('a', { kind: 'from', from: 'latest', topics: ['t'] })
    expect(sinks.errands).toMatchObject([{ work: { kind: 'from', from: 'latest', topics: ['t'] } }])
    const sources = await deployed(source)
    await sources.stop()
    await expect(
      sources.herder.offsets.change('a', { kind: 'from', from: 'latest', topics: ['t'] }),
    ).rejects.toMatchObject({ name: 'ConfigError', setting: 'topics' })
  })
})

describe('offsets are read', () => {
  test('from the worker’s topic with no thread, as it is at the moment', async () => {
    const { herder, errands, log } = await deployed(source)
    expect(await herder.offsets.read('a', never)).toEqual([])
    log.append('connect-offsets', '["a",{"file":"a"}]', '{"n":1}')
    log.append('connect-offsets', '["b",{"file":"a"}]', '{"n":2}')
    expect(await herder.offsets.read('a', never)).toEqual([offset])
    log.append('connect-offsets', '["a",{"file":"a"}]', null)
    expect(await herder.offsets.read('a', never)).toEqual([])
    expect(errands).toEqual([])
    await expect(herder.offsets.read('c', never)).rejects.toBeInstanceOf(NotFoundError)
  })

  test.each([
    ['a topic of its own', { ...source, 'offsets.storage.topic': 'own' }],
    ['a client of its own', { ...sink, 'admin.override.client.id': 'me' }],
  ])('with the connector’s clients where it has %s', async (_, config) => {
    const { herder, errands } = await deployed(config)
    expect(await herder.offsets.read('a', never)).toEqual([offset])
    expect(errands).toMatchObject([{ work: { kind: 'read' } }])
  })
})

describe('offsets of a request', () => {
  const of = (type: 'source' | 'sink', ...given: readonly GivenOffset[]) => offsetChanges(type, given)
  const entry = (topic: unknown, partition: unknown, kafkaOffset: unknown): GivenOffset => ({
    partition: { kafka_topic: topic, kafka_partition: partition },
    offset: kafkaOffset === null ? null : { kafka_offset: kafkaOffset },
  })

  test('of a sink may be text; the last for a partition counts', () => {
    expect(of('sink', entry('t', '1', '+5'), entry('t', 1, 6), entry('t', 2, null))).toEqual([
      entry('t', 1, 6),
      entry('t', 2, null),
    ])
  })

  test.each<[GivenOffset, string]>([
    [{ partition: null, offset: null }, 'cannot be null or missing'],
    [entry(undefined, 1, 1), 'must contain the keys'],
    [entry(null, 1, 1), 'topic names'],
    [entry('t', null, 1), 'partitions must be'],
    [entry('t', 1.5, 1), "'1.5'. Partition values"],
    [entry('t', '99999999999', 1), 'Partition values'],
    [{ ...entry('t', 1, 1), offset: {} }, "the key 'kafka_offset'"],
    [entry('t', 1, true), "'true'. Offset values"],
    [entry('t', 1, '9'.repeat(19)), 'Offset values'],
    [entry('t', 1, -1), 'negative'],
  ])('of a sink: %j is refused', (given, message) => {
    expect(() => of('sink', given)).toThrow(message)
  })

  test('of a source are flat, and lose no digits; partitions are compared by what is in them', () => {
    const [one, other] = [
      { partition: { a: 1, b: 'x' }, offset: { n: 1 } },
      { partition: { b: 'x', a: 1 }, offset: null },
    ]
    expect(of('source', one, other)).toEqual([other])
    expect(() => of('source', { partition: null, offset: null })).toThrow('null or missing')
    expect(() => of('source', { ...one, offset: { n: { m: 1 } } })).toThrow("field 'n' holds an object")
    expect(() => of('source', { ...one, offset: { n: [1] } })).toThrow("field 'n' holds an array")
    expect(() => of('source', { ...one, offset: { n: 2 ** 53 } })).toThrow('lose digits')
  })
})
