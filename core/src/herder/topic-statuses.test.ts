import { expect, test, vi } from 'vitest'
import { silentLogger } from '../logging/logger.ts'
import { ensureInternalTopics } from '../worker/internal-topics.ts'
import { MemoryLog } from './testing/memory-log.ts'
import { StatusStore } from './status-store.ts'
import { parseTopicKey } from './topic-statuses.ts'

const topic = 'connect-status'

async function statusStore(
  log: MemoryLog,
  topicsReset: (connector: string) => void = () => undefined,
): Promise<StatusStore> {
  await ensureInternalTopics(log.client().admin, [{ topic, partitions: 5, setting: 'status.storage.topic' }])
  const store = new StatusStore({
    client: log.client(),
    topic,
    logger: silentLogger,
    workerId: 'w1:1',
    isMine: () => false,
    changed: () => undefined,
    progressed: () => undefined,
    topicsReset,
  })
  await store.start()
  return store
}

const used = { topic: 'lines', connector: 'a:connector-b', task: 1, discoveredAt: 1234 }

test('a topic in use is written once, as Kafka Connect does, and read again', async () => {
  const log = new MemoryLog()
  const first = await statusStore(log)
  first.putTopic(used)
  first.putTopic({ ...used, task: 2, discoveredAt: 5678 })
  first.putTopic({ ...used, topic: 'other' })
  await first.flush(1000)
  expect(log.records(topic)).toEqual([
    {
      key: 'status-topic-lines:connector-a:connector-b',
      value: '{"topic":{"name":"lines","connector":"a:connector-b","task":1,"discoverTimestamp":1234}}',
    },
    expect.objectContaining({ key: 'status-topic-other:connector-a:connector-b' }),
  ])
  await first.close()
  const second = await statusStore(log)
  expect(second.topics('a:connector-b').sort()).toEqual(['lines', 'other'])
  expect(second.connectors()).toEqual(['a:connector-b'])
  await second.close()
})

test('a reset empties the list on every worker, and each lets its tasks tell anew what they use', async () => {
  const log = new MemoryLog()
  const heard = vi.fn<(connector: string) => void>()
  const asked = await statusStore(log)
  const other = await statusStore(log, heard)
  asked.putTopic(used)
  await vi.waitFor(() => expect(other.topics(used.connector)).toEqual(['lines']), { timeout: 30_000 })
  asked.resetTopics(used.connector)
  expect(asked.topics(used.connector)).toEqual([])
  await vi.waitFor(() => expect(heard.mock.calls).toEqual([[used.connector]]), { timeout: 30_000 })
  expect(other.topics(used.connector)).toEqual([])
  other.putTopic(used)
  await vi.waitFor(() => expect(asked.topics(used.connector)).toEqual(['lines']), { timeout: 30_000 })
  await Promise.all([asked.close(), other.close()])
})

test('with a connector go the topics that it used', async () => {
  const log = new MemoryLog()
  const store = await statusStore(log)
  store.putTopic(used)
  store.remove(used.connector)
  await store.flush(1000)
  expect(store.topics(used.connector)).toEqual([])
  expect(store.connectors()).toEqual([])
  await store.close()
  const again = await statusStore(log)
  expect(again.connectors()).toEqual([])
  await again.close()
})

test.each(['status-topic-:connector-a', 'status-topic-a:connector-', 'status-topic-a', 'status-task-a:connector-b-0'])(
  'a key that names no topic and connector is none: %s',
  (key) => {
    expect(parseTopicKey(key)).toBeUndefined()
  },
)
