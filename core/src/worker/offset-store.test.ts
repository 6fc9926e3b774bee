import { beforeEach, describe, expect, test } from 'vitest'
import { silentLogger, type Logger } from '../logging/logger.ts'
import { OffsetStore } from './offset-store.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

describe('OffsetStore', () => {
  const topic = 'connect-offsets'
  let log: FakeLog
  let warnings: string[]
  let store: OffsetStore

  const open = (): OffsetStore => {
    const logger: Logger = { ...silentLogger, warn: (message) => void warnings.push(message) }
    return new OffsetStore({ client: fakeLogClient(log), topic, logger })
  }
  const put = (key: string, value: string | null): void => void log.append({ topic, key, value }, undefined)

  beforeEach(() => {
    log = new FakeLog()
    log.createTopic(topic, 3)
    warnings = []
    store = open()
  })

  test('reads what Kafka Connect wrote, comparing partitions by contents', async () => {
    put('["c",{"schema":"s","table":"t"}]', '{"lsn":5}')
    put('["other",{"schema":"s","table":"t"}]', '{"lsn":7}')
    await store.refresh()
    expect(store.get('c', { table: 't', schema: 's' })).toEqual({ lsn: 5 })
    expect(store.get('c', { table: 't' })).toBeUndefined()
    expect(store.all('c')).toEqual([{ partition: { schema: 's', table: 't' }, offset: { lsn: 5 } }])
  })

  test('writes a partition again with the key it was found under, and canonically otherwise', async () => {
    put('["c",{"table":"t","schema":"s"}]', '{"lsn":5}')
    await store.refresh()
    const producer = fakeLogClient(log).producer()
    await store.write(producer, 'c', [
      { partition: { schema: 's', table: 't' }, offset: { lsn: 6 } },
      { partition: { b: 2, a: 1 }, offset: { n: 1 } },
    ])
    const keys = log.records(topic).map(({ key }) => key!.toString())
    expect(keys.filter((key) => key === '["c",{"table":"t","schema":"s"}]')).toHaveLength(2)
    expect(keys).toContain('["c",{"a":1,"b":2}]')
    expect(store.get('c', { table: 't', schema: 's' })).toEqual({ lsn: 6 })
    const other = open()
    await other.refresh()
    expect(other.get('c', { schema: 's', table: 't' })).toEqual({ lsn: 6 })
    expect(other.get('c', { a: 1, b: 2 })).toEqual({ n: 1 })
  })

  test('null deletes', async () => {
    put('["c",{"a":1}]', '{"n":1}')
    put('["c",{"a":1}]', null)
    await store.refresh()
    expect(store.all('c')).toEqual([])
  })

  test('a second refresh reads only what came since, and one asked for meanwhile does not miss what came before it', async () => {
    put('["c",{"a":1}]', '{"n":1}')
    const first = store.refresh()
    put('["c",{"a":1}]', '{"n":2}')
    const second = store.refresh()
    await Promise.all([first, second])
    expect(store.get('c', { a: 1 })).toEqual({ n: 2 })
    put('["c",{"a":1}]', '{"n":3}')
    await store.refresh()
    expect(store.get('c', { a: 1 })).toEqual({ n: 3 })
  })

  test('what is not an offset is passed over with a warning', async () => {
    put('no json', '{"n":1}')
    put('["c"]', '{"n":1}')
    put('["c",{"a":[1]}]', '{"n":1}')
    put('["c",{"a":1}]', '[1]')
    put('["c",{"a":2}]', '{"n":1}')
    await store.refresh()
    expect(warnings).toHaveLength(4)
    expect(store.all('c')).toEqual([{ partition: { a: 2 }, offset: { n: 1 } }])
  })

  test('offsets of an aborted transaction are not seen; the end of an open one is waited for', async () => {
    const producer = fakeLogClient(log).producer({ transactionalId: 'x' })
    const write = (n: number) => producer.produce(store.records('c', [{ partition: { a: 1 }, offset: { n } }]))
    await producer.initTransactions()
    producer.begin()
    await write(1)
    await producer.abort()
    await store.refresh()
    expect(store.get('c', { a: 1 })).toBeUndefined()
    producer.begin()
    await write(2)
    let isRefreshed = false
    const refreshing = store.refresh().then(() => (isRefreshed = true))
    await new Promise((resolve) => setImmediate(resolve))
    expect(isRefreshed).toBe(false)
    await producer.commit()
    await refreshing
    expect(store.get('c', { a: 1 })).toEqual({ n: 2 })
  })

  test('a topic that does not exist yet holds nothing', async () => {
    const none = new OffsetStore({ client: fakeLogClient(log), topic: 'missing', logger: silentLogger })
    await none.refresh()
    expect(none.all('c')).toEqual([])
  })
})
