/** The topics that come with a source: those it writes to, and its own for offsets. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { readTopic } from '../support/read-topic.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

let broker: TestBroker
let worker: TestWorker
let folder: string

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tidewire-test-'))
  broker = await testBroker()
  await writeFile(join(folder, 'in.txt'), 'one\ntwo\n')
})
afterEach(async () => {
  await worker.close()
  await broker.close()
  await rm(folder, { recursive: true, force: true })
})

const source = (more: Readonly<Record<string, string>>) => ({
  'connector.class': 'file-source',
  file: join(folder, 'in.txt'),
  topic: 'lines',
  ...more,
})

const lines = async (count: number) => readTopic(broker.port, 'lines', (seen) => seen.length >= count)

async function offsetsIn(topic: string, count: number): Promise<unknown[]> {
  const records = await readTopic(broker.port, topic, (seen) => seen.length >= count)
  return records.map(({ key, value }) => [JSON.parse(key!), JSON.parse(value)] as unknown)
}

const traceOf = async (name: string) => (await worker.status(name)).tasks[0]?.trace

describe.each(['enabled', 'disabled'])('a source, exactly.once.source.support=%s', (support) => {
  beforeEach(async () => {
    worker = await testWorker(broker.address, { 'exactly.once.source.support': support })
  })

  test('makes its topics by topic.creation.*', async () => {
    await worker.deploy(
      'made',
      source({
        'topic.creation.default.partitions': '4',
        'topic.creation.default.replication.factor': '1',
        'topic.creation.default.retention.ms': '86400000',
      }),
    )
    const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
    // First, since a reader of a foreign client would make it too.
    await expect.poll(async () => client.admin.topics(['lines'])).toMatchObject([{ partitions: 4 }])
    await lines(2)
    expect(await client.admin.topicConfig('lines')).toMatchObject({ 'retention.ms': '86400000' })
    await client.close()
  })

  test('keeps its offsets in a topic of its own, goes on from there, and leaves a copy in the worker’s', async () => {
    const own = source({ 'offsets.storage.topic': 'own-offsets' })
    await worker.deploy('own', own)
    await lines(2)
    const [first] = await offsetsIn('own-offsets', 1)
    expect(first).toMatchObject([['own', {}], { position: 8 }])
    expect((await offsetsIn('connect-offsets', 1))[0]).toEqual(first)

    await worker.close()
    await writeFile(join(folder, 'in.txt'), 'one\ntwo\nthree\n')
    worker = await testWorker(broker.address, { 'exactly.once.source.support': support })
    const values = (await lines(3)).map(({ value }) => value)
    expect(values).toEqual(['"one"', '"two"', '"three"'])
  })

  test('does not write into its own offsets', async () => {
    await worker.deploy('loop', source({ 'offsets.storage.topic': 'lines' }))
    await expect.poll(async () => traceOf('loop')).toContain('topic lines is internal')
  })
})

test('an offsets topic that is not compacted is refused, with the way out', async () => {
  worker = await testWorker(broker.address)
  const client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  await client.admin.createTopics([{ topic: 'plain', partitions: 1, replicationFactor: 1 }])
  await client.close()
  await worker.deploy('refused', source({ 'offsets.storage.topic': 'plain' }))
  await expect
    .poll(async () => traceOf('refused'))
    .toContain("Topic 'plain' (offsets.storage.topic) has cleanup.policy=delete")
})
