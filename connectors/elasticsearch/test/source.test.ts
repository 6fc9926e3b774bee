/** elasticsearch-source on real engines: no document lost or twice, whatever the points in time, the indices and the task come to. */
import { readFile } from 'node:fs/promises'
import { isErrorKind, type Logger, type SourceRecord } from '@tidewire/sdk'
import { parseConfig, runSource, sourceConformance, type SourceRun } from '@tidewire/sdk/testing'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { testBroker } from '../../../test/support/broker.ts'
import { elasticsearchMissing, startElasticsearch } from '../../../test/support/elasticsearch.ts'
import { opensearchMissing, startOpensearch } from '../../../test/support/opensearch.ts'
import { readTopic } from '../../../test/support/read-topic.ts'
import type { TestEngine } from '../../../test/support/search-engine.ts'
import { testWorker } from '../../../test/support/worker.ts'
import { elasticsearchSource } from '../source/source.ts'

const timeoutMs = 60_000
const base = Date.UTC(2026, 0, 1)
const nothing = (): void => undefined
const silent: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

const engines = [
  { name: 'Elasticsearch', missing: await elasticsearchMissing(), start: () => startElasticsearch() },
  { name: 'OpenSearch', missing: await opensearchMissing(), start: () => startOpensearch() },
]

interface Document {
  readonly id: string
  readonly [field: string]: unknown
}

describe.each(engines)('elasticsearch-source on $name', ({ missing, start }) => {
  let engine: TestEngine
  const runs: SourceRun[] = []
  let indices = 0

  afterEach(async () => {
    for (const run of runs.splice(0)) await run.stop().catch(() => undefined)
  })

  const newName = (): string => `source-${process.pid}-${++indices}`

  async function createIndex(name = newName(), shards = 1): Promise<string> {
    const properties = {
      time: { type: 'date' },
      nanos: { type: 'date_nanos' },
      number: { type: 'long' },
      word: { type: 'keyword' },
      note: { type: 'text' },
    }
    const settings = { number_of_shards: shards, number_of_replicas: 0 }
    await engine.ask('PUT', `/${name}`, { settings, mappings: { properties } })
    return name
  }

  /** Numbers beyond a double are written as they are. */
  async function write(index: string, documents: readonly Document[]): Promise<void> {
    const lines = documents.flatMap(({ id, ...fields }) => {
      const entries = Object.entries(fields).map(
        ([name, value]) => `${JSON.stringify(name)}:${typeof value === 'bigint' ? value : JSON.stringify(value)}`,
      )
      return [JSON.stringify({ index: { _id: id } }), `{${entries.join()}}`]
    })
    const answer = await engine.ask('POST', `/${index}/_bulk?refresh=true`, `${lines.join('\n')}\n`)
    expect(answer['errors']).toBe(false)
  }

  const settings = (index: string, more: Readonly<Record<string, string | number>> = {}) => ({
    'connection.url': engine.url,
    'index.names': index,
    'timestamp.field.name': 'time',
    'late.documents.delay.ms': 0,
    'poll.interval.ms': 20,
    'index.poll.interval.ms': 100,
    ...more,
  })

  function run(config: Parameters<typeof runSource>[1], offsets?: SourceRun['offsets']): SourceRun {
    const started = runSource(elasticsearchSource, config, { timeoutMs, ...(offsets !== undefined && { offsets }) })
    runs.push(started)
    return started
  }

  /** Reads `total`, with stops of the task at which only a part is acknowledged, so that the rest has to come again. */
  async function readWithStops(config: Parameters<typeof runSource>[1], total: number): Promise<SourceRecord[]> {
    const kept: SourceRecord[] = []
    let offsets: SourceRun['offsets'] | undefined
    for (const [take, acknowledge] of [
      [17, 9],
      [1, 0],
      [40, 40],
      [23, 22],
    ] as const) {
      const part = run(config, offsets)
      kept.push(...(await part.take(take)).slice(0, acknowledge))
      await part.acknowledge(acknowledge)
      await part.stop()
      offsets = part.offsets
    }
    kept.push(...(await run(config, offsets).take(total - kept.length)))
    return kept
  }

  const keys = (records: readonly SourceRecord[]): string[] => records.map(({ key }) => String(key))

  describe.skipIf(missing !== undefined)(missing ?? 'is there', () => {
    beforeAll(async () => {
      engine = await start()
    })
    afterAll(() => engine.close())

    for (const { name, run: runCase } of sourceConformance({
      source: elasticsearchSource,
      timeoutMs,
      identify: ({ key }) => String(key),
      system: async () => {
        const index = await createIndex()
        let written = 0
        return {
          config: settings(index),
          add: async (count: number) => {
            const documents = Array.from({ length: count }, (): Document => {
              const number = ++written
              return { id: `d${number}`, time: base + number, number }
            })
            await write(index, documents)
            return documents.map(({ id }) => id)
          },
          dispose: async () => {
            await engine.ask('DELETE', `/${index}`)
          },
        }
      },
    })) {
      test(name, runCase)
    }

    test('equal times over three shards: each document once, with its contents, whatever the pages and the stops', async () => {
      const index = await createIndex(undefined, 3)
      const documents = Array.from({ length: 120 }, (_, i) => ({
        id: `d${i}`,
        // All the sequence numbers of a shard come again in the others, and so do the times.
        time: base + Math.floor(i / 60),
        number: 2n ** 62n + BigInt(i),
      }))
      await write(index, documents)
      const config = settings(index, { 'batch.max.rows': 3, 'metadata.headers': 'index,version' })
      const records = await readWithStops(config, documents.length)
      expect(keys(records).toSorted()).toEqual(documents.map(({ id }) => id).toSorted())
      for (const { key, value, timestamp, topic, headers } of records) {
        const { id, ...document } = documents[Number(String(key).slice(1))]!
        expect(key).toBe(id)
        expect(value).toEqual(document)
        expect(timestamp).toBe(document.time)
        expect(topic).toBe(index)
        expect(headers?.map((header) => [header.key, header.value])).toEqual([
          ['elasticsearch.index', index],
          ['elasticsearch.version', 1],
        ])
      }
      expect(records.map(({ timestamp }) => timestamp)).toEqual(records.map(({ timestamp }) => timestamp).toSorted())
    })

    test('a point in time that is gone is opened anew, and nothing is left out or read twice', async () => {
      const index = await createIndex(undefined, 3)
      const documents = Array.from({ length: 90 }, (_, i) => ({ id: `d${i}`, time: base + Math.floor(i / 30) }))
      await write(index, documents)
      const part = run(settings(index, { 'batch.max.rows': 5 }))
      const records = await part.take(20)
      await engine.ask('POST', `/${index}/_close`)
      await engine.ask('POST', `/${index}/_open`)
      await engine.ask('GET', `/_cluster/health/${index}?wait_for_status=green&timeout=60s`)
      // Written after the point in time that is gone: at the place where it was read to, and behind it.
      await write(index, [
        { id: 'later', time: base + 2 },
        { id: 'earlier', time: base - 1 },
      ])
      records.push(...(await part.take(71)))
      expect(keys(records).toSorted()).toEqual([...documents.map(({ id }) => id), 'later'].toSorted())
    })

    test('incrementing by long integers beyond a double, by nanoseconds and by words', async () => {
      const index = await createIndex(undefined, 2)
      const documents = Array.from({ length: 90 }, (_, i) => ({
        id: `d${String(i).padStart(3, '0')}`,
        number: 2n ** 62n + BigInt(i),
        nanos: `2026-01-01T00:00:00.1234567${String(i).padStart(2, '0')}Z`,
        word: `w${String(i).padStart(3, '0')}`,
      }))
      await write(index, documents)
      const expected = documents.map(({ id }) => id)
      for (const field of ['number', 'nanos', 'word']) {
        const config = settings(index, { mode: 'incrementing', 'incrementing.field.name': field, 'batch.max.rows': 7 })
        expect(keys(await readWithStops(config, documents.length)), field).toEqual(expected)
      }
      // With the bound of a delay too.
      const delayed = { mode: 'incrementing', 'incrementing.field.name': 'nanos', 'late.documents.delay.ms': 1 }
      expect(keys(await run(settings(index, delayed)).take(90))).toEqual(expected)
    })

    test('once: all documents, and a restart reads no more, but an index made anew', async () => {
      const index = await createIndex(undefined, 3)
      const documents = Array.from({ length: 100 }, (_, i) => ({ id: `d${i}`, word: 'w' }))
      await write(index, documents)
      const config = settings(index, { mode: 'once', 'batch.max.rows': 8 })
      const records = await readWithStops(config, documents.length)
      expect(keys(records).toSorted()).toEqual(documents.map(({ id }) => id).toSorted())
      const first = run(config)
      await first.take(100)
      // The end of the reading comes after the documents.
      expect(await first.take()).toEqual([])
      await first.acknowledge()
      await first.stop()
      await write(index, [{ id: 'more' }])
      const other = await createIndex()
      await write(other, [{ id: 'of-another' }])
      const both = { ...config, 'index.names': `${index},${other}` }
      const second = run(both, first.offsets)
      expect(keys(await second.take(1))).toEqual(['of-another'])
      await second.stop()
      await engine.ask('DELETE', `/${index}`)
      await createIndex(index)
      await write(index, [{ id: 'new' }])
      expect(keys(await run(config, first.offsets).take(1))).toEqual(['new'])
    })

    test('bulk: all documents again, with what has changed', async () => {
      const index = await createIndex()
      await write(index, [
        { id: 'a', number: 1 },
        { id: 'b', number: 1 },
      ])
      const part = run(settings(index, { mode: 'bulk' }))
      expect(keys(await part.take(2))).toEqual(['a', 'b'])
      await engine.ask('DELETE', `/${index}/_doc/a`)
      await write(index, [{ id: 'c', number: 2 }])
      const seen = new Set<string>()
      // One reading may have begun before the change.
      await expect
        .poll(async () => {
          const [record] = await part.take(1)
          seen.add(String(record!.key))
          return seen.has('c')
        })
        .toBe(true)
    })

    test('patterns, data by a query, some fields; an index that comes later; topics', async () => {
      const name = newName()
      const [first, second] = [await createIndex(`${name}-1`), `${name}-2`]
      await write(first, [
        { id: 'a', time: base, word: 'yes', note: 'n', number: 1 },
        { id: 'b', time: base, word: 'no' },
        { id: 'without-time', word: 'yes' },
      ])
      const part = run(
        settings(`${name}-*`, {
          query: '{"query": {"term": {"word": "yes"}}}',
          'source.includes': 'word,n*',
          'source.excludes': 'note',
          topic: 'all',
          'topic.prefix': 'from.',
        }),
      )
      const [record] = await part.take(1)
      expect(record).toMatchObject({ key: 'a', topic: 'from.all', value: { word: 'yes', number: 1 } })
      expect(record!.sourcePartition).toEqual({ index: first })
      await createIndex(second)
      await write(second, [{ id: 'c', time: base, word: 'yes' }])
      expect(keys(await part.take(1))).toEqual(['c'])
    })

    test('a data stream: its indices, and its name as the topic', async () => {
      const stream = `${newName()}-stream`
      await engine.ask('PUT', `/_index_template/${stream}`, {
        index_patterns: [stream],
        data_stream: {},
        priority: 500,
      })
      const add = (id: string, time: number) =>
        engine.ask('PUT', `/${stream}/_create/${id}?refresh=true`, { '@timestamp': time })
      await add('a', base)
      const part = run(settings(stream, { 'timestamp.field.name': '@timestamp' }))
      const [record] = await part.take(1)
      expect(record).toMatchObject({ key: 'a', topic: stream })
      await engine.ask('POST', `/${stream}/_rollover`)
      await add('b', base - 1)
      expect(keys(await part.take(1))).toEqual(['b'])
    })

    test('begins where it is asked to: at a time, at a number, at what is newest', async () => {
      const index = await createIndex()
      const documents = [1, 2, 3].map((n) => ({
        id: `d${n}`,
        time: base + n,
        nanos: `2026-01-01T00:00:00.00${n}000000Z`,
        number: n,
      }))
      await write(index, documents)
      const context = { connector: 'c', signal: new AbortController().signal, log: silent, stored: [] }
      const startAt = async (
        config: ReturnType<typeof settings>,
        from: 'latest' | { timestamp: number } | { offset: number },
      ) => {
        const parsed = parseConfig(elasticsearchSource, config)
        const changes = await elasticsearchSource.offsetsFrom!(parsed, from, context)
        await elasticsearchSource.alterOffsets!(parsed, changes, context)
        const offsets = changes.flatMap(({ partition, offset }) => (offset === null ? [] : [{ partition, offset }]))
        const started = runSource(elasticsearchSource, config, { timeoutMs, offsets })
        runs.push(started)
        return started
      }
      const byNumber = settings(index, { mode: 'incrementing', 'incrementing.field.name': 'number' })
      for (const config of [settings(index), settings(index, { 'timestamp.field.name': 'nanos' })]) {
        expect(keys(await (await startAt(config, { timestamp: base + 2 })).take(2))).toEqual(['d2', 'd3'])
      }
      expect(keys(await (await startAt(byNumber, { offset: 2 })).take(2))).toEqual(['d2', 'd3'])
      expect(keys(await run(settings(index, { 'timestamp.initial': base + 3 })).take(1))).toEqual(['d3'])
      const latest = await startAt(byNumber, 'latest')
      await write(index, [{ id: 'd4', number: 4 }])
      expect(keys(await latest.take(1))).toEqual(['d4'])
      await expect(startAt(settings(index), { offset: 1 })).rejects.toThrow('{"timestamp": <ms>}')
      await expect(startAt(settings(index, { mode: 'once' }), 'latest')).rejects.toThrow('reads all documents')
    })

    test('config/examples/elasticsearch-source.json in a worker: documents are records, and a start anew reads them again', async () => {
      const broker = await testBroker()
      const worker = await testWorker(broker.address)
      try {
        const file = new URL('../../../config/examples/elasticsearch-source.json', import.meta.url)
        const { name, config } = JSON.parse(await readFile(file, 'utf8')) as {
          name: string
          config: Readonly<Record<string, string>>
        }
        const index = newName()
        const documents = [1, 2, 3].map((n) => ({ id: `d${n}`, ts: base + n, number: 2n ** 62n + BigInt(n) }))
        await write(index, documents)
        const here = { 'connection.url': engine.url, 'index.names': index, 'poll.interval.ms': '50' }
        await worker.deploy(name, { ...config, ...here })
        const topic = config['topic']!
        const seen = async (count: number) => {
          const records = await readTopic(Number(broker.address.split(':')[1]), topic, ({ length }) => length >= count)
          return records.map(({ key, value }) => [key, value])
        }
        const expected = documents.map(({ id, ts, number }) => [id, `{"ts":${ts},"number":${number}}`])
        expect(await seen(3)).toEqual(expected)
        await worker.ask('PUT', `/connectors/${name}/stop`)
        await worker.reaches(name, 'STOPPED')
        const offset = { partition: { index }, offset: { value: base + 2 } }
        const altered = await worker.ask('PATCH', `/connectors/${name}/offsets`, { offsets: [offset] })
        expect(altered.status, JSON.stringify(altered.body)).toBe(200)
        await worker.ask('PUT', `/connectors/${name}/resume`)
        expect(await seen(4)).toEqual([...expected, expected[2]])
      } finally {
        await worker.close()
        await broker.close()
      }
    })

    test('a deep validation tells what is wrong, by setting', async () => {
      const index = await createIndex()
      await write(index, [{ id: 'a', time: base, note: 'n' }])
      const tried = (config: ReturnType<typeof settings>) =>
        elasticsearchSource.tryOut!(parseConfig(elasticsearchSource, config), {
          signal: new AbortController().signal,
          log: silent,
        })
      expect(await tried(settings(index))).toEqual({})
      expect(await tried(settings('not-there'))).toEqual({
        'index.names': expect.stringContaining('no index is there'),
      })
      expect(await tried(settings(index, { 'timestamp.field.name': 'note' }))).toEqual({
        'timestamp.field.name': expect.stringContaining('note is of type text'),
      })
      expect(await tried(settings(index, { query: '{"no_such_query": {}}' }))).toEqual({
        query: expect.stringContaining('no_such_query'),
      })
      expect(await tried({ ...settings(index), 'connection.url': 'http://127.0.0.1:1' })).toEqual({
        'connection.url': expect.stringContaining('asking the server'),
      })
      const failing = run(settings(index, { 'timestamp.field.name': 'note' }))
      const problem: unknown = await failing.take(1).catch((error: unknown) => error)
      expect(isErrorKind(problem, 'ConfigError')).toBe(true)
    })
  })
})
