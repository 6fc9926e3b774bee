/** What the schema registry keeps: through restarts and compaction, in its own topic and nowhere else. */
import { rm } from 'node:fs/promises'
import { afterEach, expect, test } from 'vitest'
import { createClient } from '../../core/src/client/log-client.ts'
import { openLog } from '../../core/src/log/testing/test-log.ts'
import { temporaryFolder, testBroker } from '../support/broker.ts'
import { readTopic } from '../support/read-topic.ts'
import { testRegistry, type AskRegistry } from '../support/registry.ts'

let folder: string | undefined

afterEach(async () => {
  if (folder !== undefined) await rm(folder, { recursive: true, force: true })
})

const schema = (name: string) => ({ schema: JSON.stringify({ type: 'record', name, fields: [] }) })

async function makeTopic(address: string, config: Readonly<Record<string, string>>): Promise<void> {
  const client = createClient({ bootstrapServers: [address], clientId: 'test' })
  await client.admin.createTopics([{ topic: '_schemas', partitions: 1, replicationFactor: 1, config }])
  await client.close()
}

/** All that can be seen of a registry. */
async function seen(ask: AskRegistry): Promise<unknown> {
  const subjects = (await ask('GET', '/subjects?deleted=true')).body as string[]
  const settings = subjects.flatMap((subject) => [`/config/${subject}`, `/mode/${subject}`])
  const paths = ['/schemas?deleted=true&subjectPrefix=:*:', '/contexts', '/config', '/mode', ...settings]
  return Promise.all(paths.map(async (path) => (await ask('GET', path)).body as unknown))
}

test('after compaction and a restart all is as it was', async () => {
  folder = await temporaryFolder()
  let broker = await testBroker({ dataDir: folder })
  // So small that nearly all of it is compacted.
  await makeTopic(broker.address, {
    'cleanup.policy': 'compact',
    'segment.bytes': '2000',
    'min.cleanable.dirty.ratio': '0',
    'delete.retention.ms': '0',
  })
  let registry = await testRegistry(broker.address)
  const { ask } = registry
  await ask('PUT', '/config', { compatibility: 'NONE' })
  for (let i = 0; i < 12; i++) await ask('POST', `/subjects/s${i % 4}/versions`, schema(`R${i >> 2}`))
  await ask('PUT', '/config/s1', { compatibility: 'FULL' })
  await ask('PUT', '/config/s1', { compatibility: 'NONE' })
  await ask('PUT', '/mode/s2', { mode: 'READONLY' })
  await ask('DELETE', '/subjects/s0')
  await ask('POST', '/subjects/s0/versions', schema('R0'))
  await ask('DELETE', '/subjects/s1/versions/1')
  await ask('DELETE', '/subjects/s1/versions/1?permanent=true')
  await ask('DELETE', '/subjects/s3')
  await ask('DELETE', '/subjects/s3?permanent=true')
  await ask('POST', '/contexts/.c/subjects/s0/versions', schema('C'))
  for (let i = 0; i < 40; i++) await ask('PUT', '/config/filler', { compatibility: i % 2 === 0 ? 'FULL' : 'NONE' })
  const before = await seen(ask)
  await registry.close()
  await broker.close()

  const manager = await openLog(folder)
  const sizeBefore = manager.partition('_schemas', 0)!.sizeBytes
  await manager.compact()
  expect(manager.partition('_schemas', 0)!.sizeBytes).toBeLessThan(sizeBefore / 2)
  await manager.close()

  broker = await testBroker({ dataDir: folder })
  registry = await testRegistry(broker.address)
  try {
    expect(await seen(registry.ask)).toEqual(before)
    const ids = [
      (await registry.ask('POST', '/subjects/s9/versions', schema('R1'))).body.id as number,
      (await registry.ask('POST', '/subjects/s9/versions', schema('New'))).body.id as number,
    ]
    expect(ids).toEqual([2, 4])
  } finally {
    await registry.close()
    await broker.close()
  }
})

test('a subject that is deleted again, with lower numbers, keeps the earlier ones deleted after compaction', async () => {
  const broker = await testBroker()
  const registry = await testRegistry(broker.address)
  try {
    const { ask } = registry
    const imported = (version: number) => ({ ...schema(`I${version}`), id: 100 + version, version })
    await ask('PUT', '/mode/s', { mode: 'IMPORT' })
    await ask('POST', '/subjects/s/versions', imported(5))
    expect((await ask('DELETE', '/subjects/s')).body).toEqual([5])
    await ask('POST', '/subjects/s/versions', imported(2))
    expect((await ask('DELETE', '/subjects/s')).body).toEqual([2])
    const isDelete = ({ key }: { readonly key: string | null }) => key?.includes('DELETE_SUBJECT') === true
    const records = await readTopic(broker.port, '_schemas', (seen) => seen.filter(isDelete).length === 2)
    expect(JSON.parse(records.findLast(isDelete)!.value)).toEqual({ subject: 's', version: 5 })
  } finally {
    await registry.close()
    await broker.close()
  }
})

test('records are those of the Confluent registry, and records of other registries are understood', async () => {
  const broker = await testBroker()
  const registry = await testRegistry(broker.address)
  try {
    const { ask } = registry
    await ask('POST', '/subjects/a/versions', schema('R'))
    await ask('PUT', '/config/a', { compatibility: 'FULL' })
    await ask('DELETE', '/subjects/a')
    const written = await readTopic(broker.port, '_schemas', (records) => records.length >= 3)
    expect(written.map(({ key, value }) => [key, value])).toEqual([
      [
        '{"keytype":"SCHEMA","subject":"a","version":1,"magic":1}',
        '{"subject":"a","version":1,"id":1,"schemaType":"AVRO","schema":"{\\"type\\":\\"record\\",\\"name\\":\\"R\\",\\"fields\\":[]}","deleted":false}',
      ],
      ['{"keytype":"CONFIG","subject":"a","magic":0}', '{"subject":"a","compatibilityLevel":"FULL"}'],
      ['{"keytype":"DELETE_SUBJECT","subject":"a","magic":0}', '{"subject":"a","version":1}'],
    ])

    const client = createClient({ bootstrapServers: [broker.address], clientId: 'another registry' })
    const put = (key: string, value: string | null) => ({ topic: '_schemas', partition: 0, key, value })
    await client
      .producer()
      .produce([
        put('{"keytype":"NOOP","magic":0}', null),
        put(
          '{"keytype":"SCHEMA","subject":"b","version":1,"magic":1}',
          '{"subject":"b","version":1,"id":8,"schema":"\\"int\\"","deleted":false}',
        ),
        put('not even JSON', 'nor this'),
        put('{"keytype":"SCHEMA","subject":"c","version":1,"magic":1}', '{"schema":{}}'),
      ])
    await client.close()
    await expect.poll(async () => (await ask('GET', '/schemas/ids/8')).status).toBe(200)
    expect((await ask('POST', '/subjects/d/versions', schema('Next'))).body.id).toBe(9)
    expect((await ask('GET', '/subjects/c/versions')).status).toBe(404)
  } finally {
    await registry.close()
    await broker.close()
  }
})

test('a topic that would lose schemas is refused, with the way out', async () => {
  const broker = await testBroker()
  try {
    await makeTopic(broker.address, { 'cleanup.policy': 'delete' })
    await expect(testRegistry(broker.address)).rejects.toThrow(/kafkastore.topic.*cleanup.policy=delete/)
  } finally {
    await broker.close()
  }
})
