/** Tasks whose schema registry takes requests and does not answer: they end when they are told to. */
import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { until } from '../support/until.ts'
import { workerSet } from '../support/worker-set.ts'

const set = workerSet({
  defaults: {
    'plugin.path': join(import.meta.dirname, '../fixtures/plugins/countable'),
    // So that nobody but the task itself ends what it waits for.
    'task.shutdown.graceful.timeout.ms': '120000',
  },
})

let registry: Server
let asked: number
beforeEach(async () => {
  asked = 0
  registry = createServer(() => asked++).listen(0, '127.0.0.1')
  await once(registry, 'listening')
})
afterEach(async () => {
  registry.closeAllConnections()
  await once(registry.close(), 'close')
})

const converters = () => ({
  'key.converter': 'string',
  'value.converter': 'avro',
  'value.converter.schema.registry.url': `http://127.0.0.1:${(registry.address() as AddressInfo).port}`,
  'errors.retry.timeout': '-1',
})

async function stops(name: string, config: Readonly<Record<string, string>>): Promise<void> {
  const worker = await set.start()
  await worker.deploy(name, { ...converters(), ...config })
  await until('the registry to be asked', () => asked > 0)
  expect((await worker.ask('PUT', `/connectors/${name}/stop`)).status).toBeLessThan(300)
  await until('the task to be gone', async () => {
    const { connector, tasks } = await worker.status(name)
    return connector.state === 'STOPPED' && tasks.length === 0
  })
}

test('a source is stopped', async () => {
  await stops('in', { 'connector.class': 'counting', topic: 'numbers', end: '10' })
})

test('a sink is stopped', async () => {
  const client = createClient({ bootstrapServers: [set.broker.address], clientId: 'test' })
  await client.admin.createTopics([{ topic: 'numbers', partitions: 1, replicationFactor: 1 }])
  const producer = client.producer()
  await producer.produce([{ topic: 'numbers', key: null, value: Buffer.of(0, 0, 0, 0, 1, 2) }])
  await producer.close()
  await client.close()
  await stops('out', { 'connector.class': 'lines', topics: 'numbers', file: join(set.folder, 'out.txt') })
})

test('a table of enrich that is being read is given up', async () => {
  const client = createClient({ bootstrapServers: [set.broker.address], clientId: 'test' })
  await client.admin.createTopics([{ topic: 'names', partitions: 1, replicationFactor: 1 }])
  const producer = client.producer()
  await producer.produce([{ topic: 'names', key: Buffer.of(0, 0, 0, 0, 1, 2), value: 'x' }])
  await producer.close()
  await client.close()
  const url = converters()['value.converter.schema.registry.url']
  await stops('joined', {
    'connector.class': 'counting',
    topic: 'numbers',
    end: '10',
    'value.converter': 'string',
    transforms: 'join',
    'transforms.join.type': 'enrich',
    'transforms.join.table.topic': 'names',
    'transforms.join.table.key.converter': 'avro',
    'transforms.join.table.key.converter.schema.registry.url': url,
    'transforms.join.table.value.converter': 'string',
    'transforms.join.key': 'value',
    'transforms.join.field': 'name',
  })
})
