/** Enrich, expressions, Debezium's filter and router in a worker's tasks, with the bundled log and real connectors. */
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import type { LogClient } from '../../core/src/client/client.ts'
import { createClient } from '../../core/src/client/log-client.ts'
import { testBroker, type TestBroker } from '../support/broker.ts'
import { readTopic } from '../support/read-topic.ts'
import { until } from '../support/until.ts'
import { testWorker, type TestWorker } from '../support/worker.ts'

let broker: TestBroker
let folder: string
let running: TestWorker
let client: LogClient

beforeEach(async () => {
  broker = await testBroker()
  folder = await mkdtemp(join(tmpdir(), 'tidewire-enrich-'))
  client = createClient({ bootstrapServers: [broker.address], clientId: 'test' })
  const paths = ['countable', 'shaping'].map((name) => join(import.meta.dirname, '../fixtures/plugins', name))
  running = await testWorker(broker.address, { 'plugin.path': paths.join(',') })
  await client.admin.createTopics(['names', 'values'].map((topic) => ({ topic, partitions: 1, replicationFactor: 1 })))
})
afterEach(async () => {
  await running.close()
  await client.close()
  await broker.close()
  await rm(folder, { recursive: true })
})

async function produce(topic: string, ...records: readonly (readonly [string | null, string])[]): Promise<void> {
  const producer = client.producer()
  const { failures } = await producer.produce(records.map(([key, value]) => ({ topic, key, value })))
  expect(failures).toEqual([])
  await producer.close()
}

const strings = { 'key.converter': 'string', 'value.converter': 'string' }
const joining = {
  'transforms.shape.type': 'expression',
  'transforms.shape.value': '{"id": value}',
  'transforms.join.type': 'enrich',
  'transforms.join.table.topic': 'names',
  'transforms.join.table.value.converter': 'string',
  'transforms.join.key': 'value.id',
  'transforms.join.field': 'name',
  'transforms.text.type': 'expression',
  'transforms.text.value': 'value.id + "=" + (value.name == null ? "?" : value.name)',
}
const linesOf = async () => (await readFile(join(folder, 'out.txt'), 'utf8').catch(() => '')).split('\n').slice(0, -1)

test('enrich joins with a table that goes on being read, and is read again by a task that starts again', async () => {
  await produce('names', ['1', 'one'])
  await produce('values', [null, '1'], [null, '2'])
  await running.deploy('out', {
    'connector.class': 'lines',
    file: join(folder, 'out.txt'),
    topics: 'values',
    ...strings,
    transforms: 'shape,join,text',
    ...joining,
  })
  await until('the first two', async () => (await linesOf()).join() === '1=one,2=?')
  await produce('names', ['2', 'two'], ['1', 'uno'])
  await until('what the table has now', async () => {
    await produce('values', [null, '2'])
    return (await linesOf()).at(-1) === '2=two'
  })
  await running.ask('POST', '/connectors/out/restart?includeTasks=true')
  await until('the newest of the table after a restart', async () => {
    await produce('values', [null, '1'])
    return (await linesOf()).at(-1) === '1=uno'
  })
})

test("of a source: expressions, Debezium's filter and router", async () => {
  await running.deploy('numbers', {
    'connector.class': 'counting',
    topic: 'numbers',
    end: '10',
    ...strings,
    transforms: 'even,high',
    'transforms.even.type': 'io.debezium.transforms.Filter',
    'transforms.even.language': 'cel',
    'transforms.even.condition': 'int(value) % 2 == 0',
    'transforms.high.type': 'io.debezium.transforms.ContentBasedRouter',
    'transforms.high.language': 'cel',
    'transforms.high.topic.expression': "int(value) > 5 ? 'high' : null",
  })
  const port = Number(broker.address.split(':')[1])
  const values = async (topic: string, count: number) =>
    (await readTopic(port, topic, (seen) => seen.length >= count)).map(({ value }) => value)
  expect(await values('numbers', 3)).toEqual(['0', '2', '4'])
  expect(await values('high', 2)).toEqual(['6', '8'])
})
