import { beforeEach, describe, expect, test } from 'vitest'
import { endlessLease, Lease } from './lease.ts'
import { taskClient, type TaskClientOptions } from './task-client.ts'
import { until } from './testing/conditions.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

describe('the log as a task may use it', () => {
  let log: FakeLog
  let buffer: SharedArrayBuffer
  let abort: AbortController

  beforeEach(() => {
    log = new FakeLog()
    log.createTopic('t')
    buffer = endlessLease()
    abort = new AbortController()
  })

  const expire = (): void => void (new Float64Array(buffer)[0] = 0)
  const renew = (): void => void (new Float64Array(buffer)[0] = Infinity)
  const client = (options: Partial<TaskClientOptions> = {}) =>
    taskClient(fakeLogClient(log), {
      lease: new Lease(buffer),
      signal: abort.signal,
      mayRun: async () => Promise.resolve(true),
      ...options,
    })
  const record = (value: string) => ({ topic: 't', key: null, value })
  /** Longer than a task takes to look at the lease again. */
  const aWhile = async (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 150))

  test('nothing is written while the lease has expired; after its renewal all is, in order', async () => {
    const producer = client().producer()
    await producer.produce([record('before')])
    expire()
    const waiting = [producer.produce([record('1')]), producer.produce([record('2'), record('3')])]
    await aWhile()
    expect(log.values('t')).toEqual(['before'])
    renew()
    // What comes between the renewal and the moment at which it is seen does not overtake.
    waiting.push(producer.produce([record('4')]))
    await Promise.all(waiting)
    expect(log.values('t')).toEqual(['before', '1', '2', '3', '4'])
  })

  test('what waits is given up, and not written, when the task is stopped', async () => {
    const producer = client().producer()
    expire()
    const waiting = producer.produce([record('1')])
    const refused = expect(waiting).rejects.toThrow('nothing is written')
    abort.abort()
    await refused
    await expect(producer.produce([record('2')])).rejects.toThrow('nothing is written')
    expect(log.values('t')).toEqual([])
  })

  test('with the lease held, a task that is stopped writes what it has', async () => {
    const producer = client().producer()
    abort.abort()
    await producer.produce([record('1')])
    expect(log.values('t')).toEqual(['1'])
  })

  test('a transaction is neither begun nor committed without the lease', async () => {
    const producer = client().producer({ transactionalId: 'g-c-0' })
    expire()
    let isReady = false
    const ready = producer.initTransactions().then(() => (isReady = true))
    await aWhile()
    expect(isReady).toBe(false)
    expect(log.epochs.size).toBe(0)
    renew()
    await ready
    producer.begin()
    await producer.produce([record('1')])
    expire()
    let isCommitted = false
    const committed = producer.commit().then(() => (isCommitted = true))
    await aWhile()
    expect(isCommitted).toBe(false)
    renew()
    await committed
    expect(log.values('t')).toEqual(['1'])
  })

  test('a task that is another’s by now learns it when it has fenced its predecessor, and before it reads', async () => {
    const asked: number[] = []
    const mayRun = async (): Promise<boolean> => Promise.resolve(asked.push(log.epochs.size) > 1)
    const producer = client({ mayRun }).producer({ transactionalId: 'g-c-0' })
    await expect(producer.initTransactions()).rejects.toMatchObject({ name: 'RetriableError' })
    expect(asked).toEqual([1])
    await client({ mayRun }).producer({ transactionalId: 'g-c-0' }).initTransactions()
  })

  test('a task that is stopped does not wait to be told whether it may run', async () => {
    let isAsked = false
    const mayRun = async (): Promise<boolean> => {
      isAsked = true
      return new Promise(() => undefined)
    }
    const starting = client({ mayRun }).producer({ transactionalId: 'g-c-0' }).initTransactions()
    const refused = expect(starting).rejects.toThrow('another worker')
    await until(() => isAsked)
    abort.abort()
    await refused
  })
})
