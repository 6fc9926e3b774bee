import * as fc from 'fast-check'
import { describe, expect, test, vi } from 'vitest'
import { LogError, type Admin, type LogClient } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import { parseConfigRecord, taskRecord } from './config-records.ts'
import { ConfigStore, type ConfigStoreListener } from './config-store.ts'
import { ensureInternalTopics } from '../worker/internal-topics.ts'
import { StatusStore, type StatusStoreOptions } from './status-store.ts'
import { MemoryLog } from './testing/memory-log.ts'

const topic = 'connect-configs'

async function configStore(
  log: MemoryLog,
  listener: Partial<ConfigStoreListener> = {},
  client: LogClient = log.client(),
): Promise<ConfigStore> {
  await ensureInternalTopics(log.client().admin, [{ topic, partitions: 1, setting: 'config.storage.topic' }])
  const store = new ConfigStore({
    client,
    writer: { write: (...args) => log.writeAtomically(...args) },
    topic,
    logger: silentLogger,
    listener: {
      changed: () => undefined,
      changing: () => undefined,
      restartRequested: () => undefined,
      loggerLevelSet: () => undefined,
      ...listener,
    },
    readTimeoutMs: 1000,
  })
  await store.start()
  return store
}

describe('config store', () => {
  test('writes the records that Kafka Connect writes', async () => {
    const log = new MemoryLog()
    const store = await configStore(log)
    await store.putConnector('a', { name: 'a' }, 'STOPPED')
    await store.putTasks('a', [{ x: '0' }, { x: '1' }])
    await store.requestRestart('a', { includeTasks: true, onlyFailed: false })
    await store.putTargetState('a', 'STOPPED')
    await store.removeConnector('a')
    expect(log.records(topic)).toEqual([
      { key: 'target-state-a', value: '{"state":"PAUSED","state.v2":"STOPPED"}' },
      { key: 'connector-a', value: '{"properties":{"name":"a"}}' },
      { key: 'task-a-0', value: '{"properties":{"x":"0"}}' },
      { key: 'task-a-1', value: '{"properties":{"x":"1"}}' },
      { key: 'commit-a', value: '{"tasks":2}' },
      { key: 'restart-connector-a', value: '{"include-tasks":true,"only-failed":false}' },
      { key: 'commit-a', value: '{"tasks":0}' },
      { key: 'target-state-a', value: '{"state":"PAUSED","state.v2":"STOPPED"}' },
      { key: 'connector-a', value: null },
      { key: 'target-state-a', value: null },
    ])
    await store.close()
  })

  test('has the same state after a restart, and tells only what is new', async () => {
    const log = new MemoryLog()
    const changed = vi.fn<ConfigStoreListener['changed']>()
    const restartRequested = vi.fn<ConfigStoreListener['restartRequested']>()
    const first = await configStore(log, { changed, restartRequested })
    await first.putConnector('a', { name: 'a' }, 'PAUSED')
    await first.putTasks('a', [{ x: '0' }])
    await first.putConnector('gone', { name: 'gone' })
    await first.removeConnector('gone')
    await first.requestRestart('a', { includeTasks: false, onlyFailed: true })
    expect(changed.mock.calls.map(([name]) => name)).toEqual(['a', 'a', 'gone', 'gone'])
    expect(restartRequested.mock.calls).toEqual([['a', { includeTasks: false, onlyFailed: true }]])
    const second = await configStore(log, {
      changed: () => expect.unreachable(),
      restartRequested: () => expect.unreachable(),
    })
    expect(second.connectors()).toEqual(['a'])
    expect(second.get('a')).toEqual(first.get('a'))
    expect(second.get('a')).toEqual({
      config: { name: 'a' },
      targetState: 'PAUSED',
      tasks: [{ x: '0' }],
      appliedConfig: { name: 'a' },
      inconsistent: false,
      producers: undefined,
      fenced: false,
    })
    await Promise.all([first.close(), second.close()])
  })

  test('a commit without all its tasks makes the connector inconsistent; one without its connector means nothing', async () => {
    const log = new MemoryLog()
    const store = await configStore(log)
    log.append(topic, 'connector-a', '{"properties":{"name":"a"}}')
    log.append(topic, 'task-a-1', '{"properties":{"x":"1"}}')
    log.append(topic, 'commit-a', '{"tasks":2}')
    log.append(topic, 'task-b-0', '{"properties":{"x":"1"}}')
    log.append(topic, 'commit-b', '{"tasks":1}')
    await store.refresh()
    expect(store.get('a')).toMatchObject({ tasks: [], inconsistent: true, appliedConfig: undefined })
    expect(store.connectors()).toEqual(['a'])
    await store.putTasks('a', [{ x: '0' }])
    expect(store.get('a')).toMatchObject({ tasks: [{ x: '0' }], inconsistent: false })
    await store.close()
  })

  test('reads the same out of a compacted topic', async () => {
    const log = new MemoryLog()
    const store = await configStore(log)
    await store.putConnector('a', { name: 'a' })
    await store.putTasks('a', [{ x: '0' }, { x: '1' }])
    await store.putConnector('a', { name: 'a', y: '1' })
    await store.putTasks('a', [{ x: '2' }])
    await store.putTargetState('a', 'PAUSED')
    log.compact(topic)
    const again = await configStore(log)
    expect(again.get('a')).toEqual(store.get('a'))
    await Promise.all([store.close(), again.close()])
  })

  test('does not commit tasks of which one was refused', async () => {
    const log = new MemoryLog()
    const store = await configStore(log)
    await store.putConnector('a', { name: 'a' })
    log.refuse = ({ value }) =>
      value !== null && value.length > 1000
        ? new LogError('MESSAGE_TOO_LARGE', 'too large', { retriable: false })
        : undefined
    await expect(store.putTasks('a', [{ x: '0' }, { x: 'x'.repeat(2000) }])).rejects.toThrow('too large')
    await store.refresh()
    expect(log.records(topic).map(({ key }) => key)).not.toContain('commit-a')
    expect(store.get('a')!.tasks).toEqual([])
    await store.close()
  })

  test('goes on past records that make no sense', async () => {
    const log = new MemoryLog()
    const store = await configStore(log)
    const bad = [
      ['connector-a', '{'],
      ['connector-a', '{"properties":1}'],
      ['task-a', '{}'],
      ['task-a-x', '{"properties":{}}'],
      ['task-a-0', null],
      ['commit-a', 'null'],
      ['target-state-a', '{"state":"X"}'],
      ['nonsense', '1'],
      ['session-key', '{}'],
    ] as const
    for (const [key, value] of bad) log.append(topic, key, value)
    await store.putConnector('b', { name: 'b' })
    expect(store.connectors()).toEqual(['b'])
    await store.close()
  })

  test('says what has to run ahead of a write, so that one transaction can say by whom', async () => {
    const log = new MemoryLog()
    const seen: unknown[] = []
    const store = await configStore(log, { changing: () => seen.push([...store.ahead()]) })
    await store.putConnector('a', { name: 'a' })
    await store.putTasks('a', [{ x: '0' }])
    expect(seen.splice(0)).toEqual([[['a', []]], [['a', [{ x: '0' }]]]])
    expect([...store.ahead()]).toEqual([['a', [{ x: '0' }]]])
    // What was not written is taken back.
    log.writeError = new LogError('NETWORK', 'gone', { retriable: true })
    await expect(store.putConnector('b', { name: 'b' })).rejects.toThrow('gone')
    await expect(store.putTasks('a', [])).rejects.toThrow('gone')
    const a = ['a', [{ x: '0' }]]
    expect(seen).toEqual([[a, ['b', []]], [a], [['a', []]], [a]])
    log.writeError = undefined
    await store.close()
  })

  test('asks the log once for all who want to read to its end at a time, and again for who comes later', async () => {
    const log = new MemoryLog()
    const client = log.client()
    let holds = false
    const asking: (() => void)[] = []
    const held = vi.fn(async (...args: Parameters<Admin['offsets']>) => {
      const answer = await client.admin.offsets(...args)
      if (holds) await new Promise<void>((resolve) => asking.push(resolve))
      return answer
    })
    const store = await configStore(log, {}, { ...client, admin: { ...client.admin, offsets: held } })
    held.mockClear()
    holds = true
    const first = store.refresh()
    await vi.waitFor(() => expect(asking).toHaveLength(1), { timeout: 30_000 })
    log.append(topic, 'connector-a', '{"properties":{"name":"a"}}')
    const later = Promise.all(Array.from({ length: 100 }, async () => store.refresh()))
    asking.pop()!()
    await first
    await vi.waitFor(() => expect(asking).toHaveLength(1), { timeout: 30_000 })
    asking.pop()!()
    await later
    expect(store.get('a')).toBeDefined()
    expect(held).toHaveBeenCalledTimes(2)
    await store.close()
  })

  test('any connector name comes back from its records', () => {
    fc.assert(
      fc.property(fc.string({ minLength: 1 }), fc.nat(), (connector, task) => {
        expect(parseConfigRecord(taskRecord(connector, task, { a: 'b' }))).toEqual({
          kind: 'task',
          connector,
          task,
          properties: { a: 'b' },
        })
      }),
    )
  })
})

test('levels of loggers are told as they are set, in Kafka Connect’s records, and not once they are past', async () => {
  const log = new MemoryLog()
  const loggerLevelSet = vi.fn<ConfigStoreListener['loggerLevelSet']>()
  const first = await configStore(log, { loggerLevelSet })
  await first.putLoggerLevel('org.example', 'DEBUG')
  expect(log.records(topic)).toEqual([{ key: 'logger-cluster-org.example', value: '{"level":"DEBUG"}' }])
  expect(loggerLevelSet.mock.calls).toEqual([['org.example', 'DEBUG']])
  const second = await configStore(log, { loggerLevelSet })
  expect(loggerLevelSet).toHaveBeenCalledOnce()
  await Promise.all([first.close(), second.close()])
})

describe('status store', () => {
  const statusTopic = 'connect-status'
  async function statusStore(log: MemoryLog, options: Partial<StatusStoreOptions> = {}): Promise<StatusStore> {
    await ensureInternalTopics(log.client().admin, [
      { topic: statusTopic, partitions: 5, setting: 'status.storage.topic' },
    ])
    const store = new StatusStore({
      client: log.client(),
      topic: statusTopic,
      logger: silentLogger,
      workerId: 'w1:1',
      isMine: () => false,
      changed: () => undefined,
      progressed: () => undefined,
      topicsReset: () => undefined,
      ...options,
    })
    await store.start()
    return store
  }
  const running = { state: 'RUNNING', workerId: 'w1:1', generation: 1 } as const

  test('how a task gets on is known here at once, to others when it is written, and to nobody once the task has ended', async () => {
    const log = new MemoryLog()
    const changed = vi.fn<StatusStoreOptions['changed']>()
    const progressed = vi.fn<StatusStoreOptions['progressed']>()
    const first = await statusStore(log, { changed, progressed })
    const heard = vi.fn<StatusStoreOptions['progressed']>()
    const other = await statusStore(log, { workerId: 'w2:1', progressed: heard })
    const id = { connector: 'a', task: 0 }
    const news = (rows_done: number) => ({
      text: `${rows_done} rows`,
      figures: { rows_done },
      at: `2026-01-0${rows_done}`,
    })
    const written = async (): Promise<void> => {
      await first.flush(1000)
      await vi.waitUntil(() => other.task('a', 0)?.state === first.task('a', 0)?.state, { timeout: 30_000 })
    }

    first.putProgress(id, news(1))
    expect(first.task('a', 0)).toBeUndefined()
    first.putTask('a', 0, running)
    first.putProgress(id, news(1))
    first.putProgress(id, news(2))
    await written()
    expect(first.task('a', 0)?.progress).toEqual(news(2))
    expect(other.task('a', 0)?.progress).toBeUndefined()
    first.writeProgress()
    first.putProgress(id, news(3))
    await vi.waitUntil(() => other.task('a', 0)?.progress?.at === news(2).at, { timeout: 30_000 })
    expect(first.task('a', 0)?.progress).toEqual(news(3))
    expect(changed.mock.calls).toEqual([['a', 0, expect.objectContaining({ state: 'RUNNING' })]])
    expect(progressed.mock.calls).toEqual([['a', 0, news(2)]])
    expect(heard.mock.calls).toEqual([['a', 0, news(2)]])

    first.putTask('a', 0, { ...running, state: 'STALLED' })
    await vi.waitUntil(() => other.task('a', 0)?.state === 'STALLED', { timeout: 30_000 })
    expect(other.task('a', 0)?.progress).toEqual(news(3))
    first.putTask('a', 0, { ...running, state: 'RESTARTING' })
    first.putTask('a', 0, running)
    await vi.waitUntil(() => other.task('a', 0)?.progress === undefined, { timeout: 30_000 })
    expect(first.task('a', 0)?.progress).toBeUndefined()
    first.writeProgress()
    await first.flush(1000)
    expect(progressed).toHaveBeenCalledTimes(1)
    await Promise.all([first.close(), other.close()])
  })

  test('keeps the newest state of each, writes it as Kafka Connect does, and reads it again', async () => {
    const log = new MemoryLog()
    const store = await statusStore(log)
    store.putConnector('a', running)
    store.putTask('a', 10, running)
    store.putTask('a', 2, { ...running, state: 'FAILED', trace: 'boom' })
    store.putConnector('gone', running)
    store.putTask('gone', 0, running)
    store.remove('gone')
    expect(store.tasks('a').map(([task, { state }]) => [task, state])).toEqual([
      [2, 'FAILED'],
      [10, 'RUNNING'],
    ])
    await store.flush(1000)
    expect(log.records(statusTopic)).toContainEqual({
      key: 'status-task-a-2',
      value: '{"state":"FAILED","trace":"boom","worker_id":"w1:1","generation":1}',
    })
    const again = await statusStore(log)
    expect(again.connectors()).toEqual(['a'])
    expect(again.tasks('a')).toEqual(store.tasks('a'))
    expect(again.connector('a')).toEqual(running)
    await Promise.all([store.close(), again.close()])
  })

  test('writes the last word only, in few batches, also through failures', async () => {
    const log = new MemoryLog()
    const store = await statusStore(log)
    log.writeError = new LogError('NETWORK', 'down', { retriable: true })
    for (let i = 0; i < 1000; i++) store.putTask('a', 0, { ...running, state: i % 2 === 0 ? 'RESTARTING' : 'RUNNING' })
    log.writeError = undefined
    await store.flush(5000)
    expect(log.records(statusTopic).length).toBeLessThanOrEqual(2)
    expect(log.records(statusTopic).at(-1)!.value).toContain('RUNNING')
    await store.close()
  })

  test('a safe write gives way to another worker of a newer generation', async () => {
    const log = new MemoryLog()
    const store = await statusStore(log)
    store.putTask('a', 0, { ...running, workerId: 'w2:1', generation: 5 })
    store.putTask('a', 0, { ...running, state: 'UNASSIGNED' }, { safe: true })
    expect(store.task('a', 0)!.workerId).toBe('w2:1')
    store.putTask('a', 0, { ...running, generation: 5 }, { safe: true })
    expect(store.task('a', 0)!.workerId).toBe('w1:1')
    await store.close()
  })
})

describe('internal topics', () => {
  test('are made compacted, with as many replicas as three where there are brokers for them', async () => {
    const log = new MemoryLog()
    await ensureInternalTopics(log.client().admin, [{ topic, partitions: 1, setting: 's' }])
    expect(await log.client().admin.topicConfig(topic)).toMatchObject({ 'cleanup.policy': 'compact' })
    const strict = ensureInternalTopics(log.client().admin, [
      { topic: 'b', partitions: 1, replicationFactor: 2, setting: 's' },
    ])
    await expect(strict).rejects.toThrow(/only 1 broker/)
  })

  test('with the wrong settings are refused with the reason', async () => {
    const log = new MemoryLog()
    log.create('deleting', 1, { 'cleanup.policy': 'delete' })
    log.create('both', 1, { 'cleanup.policy': 'compact,delete' })
    log.create('many', 2, { 'cleanup.policy': 'compact' })
    for (const [name, reason] of [
      ['deleting', /cleanup.policy=delete/],
      ['both', /compact,delete/],
      ['many', /2 partitions/],
    ] as const) {
      const refused = ensureInternalTopics(log.client().admin, [
        { topic: name, partitions: 1, setting: 'config.storage.topic' },
      ])
      await expect(refused).rejects.toThrow(reason)
    }
  })
})
