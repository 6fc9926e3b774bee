import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseConfig, sinkRecord, type SinkRun } from '@tidewire/sdk/testing'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownElasticsearchMissing, startElasticsearch, superuser } from '../../../../test/support/elasticsearch.ts'
import { elasticsearchSink } from '../../sink/sink.ts'
import { sinkEngine } from './sink-engine.ts'

const missing = await ownElasticsearchMissing()
const password = 'a-password-of-no-use'

/** An Elasticsearch with TLS, users and narrow limits, which the tests kill too. */
describe.skipIf(missing !== undefined)(`elasticsearch-sink in trouble ${missing ?? ''}`, () => {
  const { engine, name, run, documents } = sinkEngine(() =>
    startElasticsearch({
      tls: true,
      settings: { 'http.max_content_length': '64kb', 'thread_pool.write.size': 1, 'thread_pool.write.queue_size': 1 },
      users: {
        reader: { password, roles: ['may-read'] },
        writer: { password, roles: ['may-write'] },
      },
      roles: {
        'may-read': { indices: [{ names: ['*'], privileges: ['read', 'view_index_metadata'] }] },
        'may-write': { cluster: ['monitor'], indices: [{ names: ['*'], privileges: ['index', 'create_index'] }] },
      },
    }),
  )
  let folder: string
  let trusting: Record<string, string>
  let secured: Record<string, string>
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'tidewire-sink-'))
    const file = join(folder, 'ca.pem')
    await writeFile(file, engine().ca!)
    trusting = { 'elastic.security.protocol': 'SSL', 'elastic.https.ssl.truststore.location': file }
    secured = { ...trusting, 'connection.username': superuser.username, 'connection.password': superuser.password }
  })
  afterAll(() => rm(folder, { recursive: true, force: true }))

  const tryOut = (config: Record<string, string>) => {
    const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
    const parsed = parseConfig(elasticsearchSink, { 'connection.url': engine().url, ...config })
    return elasticsearchSink.tryOut!(parsed, { signal: AbortSignal.timeout(60_000), log })
  }
  const record = (topic: string, offset: number, value: object = { n: offset }) =>
    sinkRecord({ topic, offset, key: `k${offset}`, value })

  test('a certificate of nobody that is trusted', async () => {
    const { username, password } = superuser
    const config = { 'connection.username': username, 'connection.password': password }
    await expect(run(config).put([record('t', 0)])).rejects.toMatchObject({
      name: 'ConfigError',
      code: 'ELASTICSEARCH_TLS',
    })
    expect(await tryOut(config)).toHaveProperty(['elastic.https.ssl.truststore.location'])
  })

  test('a wrong password', async () => {
    const config = { ...secured, 'connection.password': 'wrong' }
    const problem = run(config).put([record('t', 0)])
    await expect(problem).rejects.toMatchObject({ name: 'ConfigError', code: 'ELASTICSEARCH_LOGIN_REFUSED' })
    await expect(problem).rejects.not.toThrow('wrong')
    expect(await tryOut(config)).toHaveProperty(['connection.username'])
  })

  test('a user who may read only fails the task, and rejects nothing', async () => {
    const topic = name('forbidden')
    await engine().ask('PUT', `/${topic}`)
    const config = { ...trusting, 'connection.username': 'reader', 'connection.password': password }
    const sink = run(config)
    await expect(
      (async () => {
        await sink.put([record(topic, 0)])
        await sink.flush()
      })(),
    ).rejects.toMatchObject({ name: 'ConfigError', code: 'ELASTICSEARCH_FORBIDDEN' })
    expect(sink.reported).toEqual([])
    const problems = await tryOut({ ...config, 'topic.index.map': `t:${topic}` })
    expect(problems['connection.username']).toContain(`index, create_index, manage on ${topic}`)
  })

  test('a user who may write and nothing else does', async () => {
    const topic = name('writer')
    const config = { ...trusting, 'connection.username': 'writer', 'connection.password': password }
    const sink = run({ ...config, 'schema.ignore': true })
    await sink.put([record(topic, 0)])
    await sink.flush()
    expect(sink.committed.get({ topic, partition: 0 })).toBe(1)
    expect(await documents(topic)).toHaveLength(1)
    expect(await tryOut({ ...config, 'schema.ignore': 'true', 'topic.index.map': `t:${topic}` })).toEqual({})
  })

  test('a document larger than the server takes is refused, the others of its bulk are not', async () => {
    const topic = name('large')
    const sink = run({ ...secured, 'connection.compression': true })
    const values = [{ n: 0 }, { text: 'x'.repeat(70_000) }, { n: 2 }]
    await sink.put(values.map((value, offset) => record(topic, offset, value)))
    await sink.flush()
    expect(sink.reported.map(({ record }) => record.offset)).toEqual([1])
    expect(sink.reported[0]!.error.message).toContain('http.max_content_length')
    expect((await documents(topic)).map(({ id }) => id)).toEqual(['k0', 'k2'])
  })

  /** Flushes until all is committed: while the server is away or busy, a flush commits what there is. */
  const commitAll = async (sink: SinkRun, topic: string, end: number): Promise<void> => {
    while (sink.committed.get({ topic, partition: 0 }) !== end) await sink.flush()
  }

  test('more than its queue takes is tried again until all is there', async () => {
    const topic = name('busy')
    const sink = run({ ...secured, 'batch.size': 20, 'max.in.flight.requests': 20, 'retry.backoff.ms': 20 })
    await sink.put(Array.from({ length: 1000 }, (_, offset) => record(topic, offset)))
    await commitAll(sink, topic, 1000)
    expect(sink.reported).toEqual([])
    expect(await documents(topic)).toHaveLength(1000)
  })

  test('killed amid bulks, it gets each record once', { timeout: 240_000 }, async () => {
    const topic = name('killed')
    const sink = run({ ...secured, 'batch.size': 50, 'flush.timeout.ms': 1000, 'max.retries': 1000 })
    const records = Array.from({ length: 3000 }, (_, offset) => record(topic, offset))
    for (let at = 0; at < 1000; at += 250) await sink.put(records.slice(at, at + 250))
    await engine().kill!()
    for (let at = 1000; at < 3000; at += 250) await sink.put(records.slice(at, at + 250))
    await sink.flush()
    await engine().restart()
    await commitAll(sink, topic, 3000)
    expect(sink.reported).toEqual([])
    const found = await documents(topic)
    expect(found).toHaveLength(3000)
    expect(new Set(found.map(({ version }) => version)).size).toBe(3000)
  })
})
