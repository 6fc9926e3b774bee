import { beforeEach, expect, test } from 'vitest'
import { LogError } from '../client/client.ts'
import { silentLogger } from '../logging/logger.ts'
import { ConnectorOffsetStore } from './connector-offset-store.ts'
import { OffsetStore } from './offset-store.ts'
import { FakeLog, fakeLogClient } from './testing/fake-log-client.ts'

let log: FakeLog
const a = { file: 'a' }
const b = { file: 'b' }

beforeEach(() => {
  log = new FakeLog()
  log.createTopic('own')
  log.createTopic('workers')
})

function storeOver(topic: string): OffsetStore {
  return new OffsetStore({ client: fakeLogClient(log), topic, logger: silentLogger })
}

function both(): ConnectorOffsetStore {
  return new ConnectorOffsetStore({
    own: storeOver('own'),
    workers: storeOver('workers'),
    prepare: async () => Promise.resolve(),
    makeProducer: () => fakeLogClient(log).producer(),
    logger: silentLogger,
  })
}

test('its own topic is the truth, the worker’s stands in for what it lacks', async () => {
  const producer = fakeLogClient(log).producer()
  await storeOver('workers').write(producer, 'c', [
    { partition: a, offset: { at: 1 } },
    { partition: b, offset: { at: 2 } },
  ])
  await storeOver('own').write(producer, 'c', [{ partition: a, offset: { at: 9 } }])
  const store = both()
  await store.refresh()
  expect(store.get('c', a)).toEqual({ at: 9 })
  expect(store.get('c', b)).toEqual({ at: 2 })
})

test('what is stored goes to its own topic, and a copy of the newest to the worker’s', async () => {
  const store = both()
  await store.write(fakeLogClient(log).producer(), 'c', [{ partition: a, offset: { at: 1 } }])
  store.remember('c', [{ partition: a, offset: { at: 2 } }])
  store.remember('c', [{ partition: a, offset: { at: 3 } }])
  expect(store.get('c', a)).toEqual({ at: 3 })
  await store.close()
  const workers = storeOver('workers')
  await workers.refresh()
  expect(workers.get('c', a)).toEqual({ at: 3 })
  expect(store.records('c', [{ partition: b, offset: { at: 1 } }])).toMatchObject([{ topic: 'own' }])
})

test('a copy that cannot be written is no loss', async () => {
  const store = both()
  const producer = fakeLogClient(log).producer()
  await store.write(producer, 'c', [{ partition: b, offset: { at: 1 } }])
  await store.close()
  const later = both()
  log.failNext('produce', new LogError('TOPIC_AUTHORIZATION_FAILED', 'no', { retriable: false }))
  later.remember('c', [{ partition: a, offset: { at: 1 } }])
  expect(later.get('c', a)).toEqual({ at: 1 })
  later.remember('c', [{ partition: b, offset: { at: 2 } }])
  await later.close()
  const workers = storeOver('workers')
  await workers.refresh()
  expect(workers.get('c', a)).toBeUndefined()
  expect(workers.get('c', b)).toEqual({ at: 2 })
})
