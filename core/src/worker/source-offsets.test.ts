import { ConfigError, defineSource, RetriableError, type SourceOffsetChange } from '@tidewire/sdk'
import { beforeEach, describe, expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import type { ErrandSurroundings, ErrandTask } from './errand-task.ts'
import type { HostSettings } from './host-messages.ts'
import { StoredSourceOffsets } from './source-offsets.ts'
import type { TaskSpec } from './task-spec.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

let log: FakeLog

beforeEach(() => {
  log = new FakeLog()
  log.createTopic('offsets', 1)
})

type Hooks = Partial<Pick<ReturnType<typeof defineSource>, 'alterOffsets' | 'offsetsFrom' | 'exactlyOnce'>>

function offsetsOf(hooks: Hooks = {}, config: Record<string, string> = {}): StoredSourceOffsets {
  const client = fakeLogClient(log)
  const definition = defineSource({
    name: 'test',
    doc: 'Reads nothing.',
    config: {},
    async *read() {
      // Nothing to read.
    },
    ...hooks,
  })
  const clients = { producer: client, consumer: client, admin: client, producerOptions: {} }
  const settings = { offsetTopic: 'offsets', offsetTopicShape: { partitions: 1 }, groupId: 'g', exactlyOnce: true }
  const around = { settings: settings as HostSettings, logger: silentLogger, signal: new AbortController().signal }
  const spec = { connector: 'a', config: { name: 'a', 'connector.class': 'test', ...config } }
  return new StoredSourceOffsets(
    definition,
    { client, clients, config: {} } as unknown as ErrandTask,
    spec as unknown as TaskSpec,
    around as ErrandSurroundings,
  )
}

const change = (file: string, n: number | null): SourceOffsetChange => ({
  partition: { file },
  offset: n === null ? null : { n },
})
const own = { 'offsets.storage.topic': 'own' }
const stored = async (config: Record<string, string> = {}) => offsetsOf({}, config).read()

describe('stored offsets of a source', () => {
  test('are set one by one, and all forgotten', async () => {
    expect(await offsetsOf().alter([change('x', 1), change('y', 2)])).toEqual({
      offsets: [change('x', 1), change('y', 2)],
      isAll: false,
      warnings: [],
    })
    await offsetsOf().alter([change('y', null)])
    expect(await stored()).toEqual([change('x', 1)])
    expect(await offsetsOf().reset()).toMatchObject({ offsets: [change('x', null)] })
    expect(await offsetsOf().reset()).toMatchObject({ offsets: [] })
    expect(await stored()).toEqual([])
  })

  test('are written with the id of the first task, which fences that and is fenced by it', async () => {
    const task = fakeLogClient(log).producer({ transactionalId: 'g-a-0' })
    await task.initTransactions()
    task.begin()
    await offsetsOf({ exactlyOnce: true }).alter([change('x', 1)])
    expect(log.epochs.get('g-a-0')).toBe(2)
    await expect(task.produce([{ topic: 'offsets', key: '["a",{"file":"x"}]', value: '{"n":9}' }])).rejects.toThrow(
      'a newer producer',
    )
    expect(await stored()).toEqual([change('x', 1)])
  })

  test('stay where the connector refuses; what passes, and what is no answer, is told as it is', async () => {
    const says = (error: Error) => offsetsOf({ alterOffsets: () => Promise.reject(error) }).alter([change('x', 1)])
    await expect(says(new ConfigError('no such file'))).rejects.toMatchObject({ name: 'ConfigError' })
    await expect(says(new RetriableError('not now'))).rejects.toMatchObject({ name: 'RetriableError' })
    await expect(says(new TypeError('a bug'))).rejects.toBeInstanceOf(TypeError)
    expect(await stored()).toEqual([])
    expect(await offsetsOf({ alterOffsets: () => true }).alter([change('x', 1)])).toMatchObject({ isAll: true })
  })

  test('of a place to begin from are the connector’s to say', async () => {
    await offsetsOf().alter([change('x', 1)])
    await expect(offsetsOf().startFrom('latest')).rejects.toMatchObject({ name: 'ConfigError' })
    const offsetsFrom: Hooks['offsetsFrom'] = (_, from, context) => {
      expect({ from, stored: context.stored }).toEqual({ from: { timestamp: 5 }, stored: [change('x', 1)] })
      return [change('x', 7)]
    }
    expect(await offsetsOf({ offsetsFrom }).startFrom({ timestamp: 5 })).toMatchObject({ offsets: [change('x', 7)] })
    expect(await stored()).toEqual([change('x', 7)])
  })

  test('in a topic of its own are above the worker’s; what is forgotten is gone from both, from the worker’s first', async () => {
    log.topicConfig = { 'cleanup.policy': 'compact' }
    log.createTopic('own', 1)
    await offsetsOf().alter([change('x', 1), change('y', 1)])
    await offsetsOf({}, own).alter([change('x', 2)])
    expect(await stored(own)).toEqual([change('x', 2), change('y', 1)])
    expect(await stored()).toEqual([change('x', 2), change('y', 1)])

    log.hold(([record]) => record!.topic === 'own')
    const resetting = offsetsOf({}, own).reset()
    await expect.poll(() => log.held.length).toBe(1)
    log.held[0]!.fail(new LogError('NOT_ENOUGH_REPLICAS', 'not now', { retriable: true }))
    await expect(resetting).rejects.toThrow('not now')
    expect(await stored()).toEqual([])
    expect(await stored(own)).toEqual([change('x', 2)])

    log.release()
    await offsetsOf({}, own).reset()
    expect(await stored(own)).toEqual([])
  })
})
