import { Decimal, schema } from '@tidewire/sdk'
import { sinkConformance, sinkRecord, sinkRecords } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { elasticsearchMissing } from '../../../../test/support/elasticsearch.ts'
import { opensearchMissing } from '../../../../test/support/opensearch.ts'
import { elasticsearchSink } from '../../sink/sink.ts'
import { engines, sinkEngine } from './sink-engine.ts'

const missing = { elasticsearch: await elasticsearchMissing(), opensearch: await opensearchMissing() }

describe.each(['elasticsearch', 'opensearch'] as const)('elasticsearch-sink with %s', (kind) => {
  describe.skipIf(missing[kind] !== undefined)(missing[kind] ?? 'started', () => {
    const { engine, name, run, documents } = sinkEngine(() => engines[kind]())

    describe('conformance', () => {
      const cases = sinkConformance({
        sink: elasticsearchSink,
        exactlyOnce: true,
        ordered: false,
        timeoutMs: 90_000,
        record: (text) => ({ value: { text } }),
        system: () => {
          const index = name('conformance')
          return {
            config: { 'connection.url': engine().url, 'index.name.format': index, 'flush.timeout.ms': 60_000 },
            read: async () => (await documents(index)).map(({ source }) => source['text'] as string),
          }
        },
      })
      for (const { name: title, run: runCase } of cases) test(title, runCase)
    })

    test('of two writes of a key the later stays, and a delete deletes', async () => {
      const topic = name('keys')
      const sink = run({ 'behavior.on.null.values': 'delete', 'batch.size': 2, 'max.in.flight.requests': 5 })
      await sink.put([
        sinkRecord({ topic, offset: 0, key: 'a', value: { n: 1 } }),
        sinkRecord({ topic, offset: 1, key: 'b', value: { n: 2 } }),
        sinkRecord({ topic, offset: 2, key: 'a', value: { n: 3 } }),
        sinkRecord({ topic, offset: 3, key: 'b', value: null }),
        sinkRecord({ topic, offset: 4, key: 7, value: { n: 4 } }),
        sinkRecord({ topic, offset: 5, key: 'never there', value: null }),
      ])
      await sink.flush()
      expect(sink.committed.get({ topic, partition: 0 })).toBe(6)
      expect(await documents(topic)).toEqual([
        { id: '7', version: 4, source: { n: 4 } },
        { id: 'a', version: 2, source: { n: 3 } },
      ])
    })

    test('what is read again changes nothing, and is counted', async () => {
      const topic = name('again')
      const records = [1, 2, 3].map((n) => sinkRecord({ topic, offset: n, key: `k${n % 2}`, value: { n } }))
      const first = run({})
      await first.put(records)
      await first.flush()
      const before = await documents(topic)
      const second = run({})
      await second.put(records)
      await second.flush()
      expect(await documents(topic)).toEqual(before)
      expect(second.progress?.figures).toMatchObject({ version_conflicts: 3, documents_written: 0 })
      expect(second.logs.filter(({ level }) => level === 'warn')).toEqual([])
    })

    test('a topic made anew, whose offsets begin anew, is told of', async () => {
      const topic = name('anew')
      const before = run({})
      await before.put([sinkRecord({ topic, offset: 5000, key: 'a', value: { n: 1 } })])
      await before.flush()
      const anew = run({})
      await anew.put([sinkRecord({ topic, offset: 3, key: 'a', value: { n: 2 } })])
      await anew.flush()
      const warning = anew.logs.find(({ level }) => level === 'warn')
      expect(warning?.message).toContain('made anew')
      expect(warning?.details).toMatchObject({ index: topic, offset: 3, version: 5000 })
    })

    test('a version may be from a header', async () => {
      const topic = name('header')
      const versioned = (offset: number, version: unknown, n: number) =>
        sinkRecord({ topic, offset, key: 'a', value: { n }, headers: [{ key: 'v', value: version }] })
      const sink = run({ 'external.version.header': 'v' })
      const { rejected } = await sink.put([
        versioned(0, '20', 1),
        versioned(1, 10n, 2),
        versioned(2, 'ten', 3),
        sinkRecord({ topic, offset: 3, key: 'a', value: { n: 4 } }),
      ])
      await sink.flush()
      expect(rejected?.map(({ record }) => record.offset)).toEqual([2, 3])
      expect(await documents(topic)).toEqual([{ id: 'a', version: 20, source: { n: 1 } }])
    })

    test('without keys each record is a document, however often it is written', async () => {
      const topic = name('keyless')
      for (let at = 0; at < 2; at++) {
        const sink = run({ 'key.ignore': true })
        await sink.put(sinkRecords([{ n: 0 }, { n: 1 }], { topic, partition: 3 }))
        await sink.flush()
      }
      expect((await documents(topic)).map(({ id }) => id)).toEqual([`${topic}+3+0`, `${topic}+3+1`])
    })

    test('without keys, topics that a transform made one keep their records apart', async () => {
      const topic = name('merged')
      const sink = run({ 'key.ignore': true })
      await sink.put(['a', 'b'].map((from) => sinkRecord({ topic, value: { from }, originalTopic: from })))
      await sink.flush()
      expect((await documents(topic)).map(({ id }) => id)).toEqual(['a+0+0', 'b+0+0'])
    })

    test('ids of the server’s own', async () => {
      const topic = name('auto')
      const sink = run({ 'use.autogenerated.ids': true })
      await sink.put(sinkRecords([{ n: 0 }, { n: 1 }], { topic, key: 'same' }))
      await sink.flush()
      expect((await documents(topic)).map(({ source }) => source['n']).sort()).toEqual([0, 1])
    })

    test('upserts change the fields that they have, in order, over many bulks', async () => {
      const topic = name('upserts')
      const sink = run({ 'write.method': 'upsert', 'batch.size': 3, 'behavior.on.null.values': 'delete' })
      const records = Array.from({ length: 60 }, (_, n) =>
        sinkRecord({ topic, offset: n, key: `k${n % 2}`, value: { [`f${n % 3}`]: n, last: n } }),
      )
      await sink.put([...records, sinkRecord({ topic, offset: 60, key: 'k1', value: null })])
      await sink.flush()
      expect(await documents(topic)).toMatchObject([{ id: 'k0', source: { f0: 54, f1: 58, f2: 56, last: 58 } }])
    })

    test('records that make no document are rejected, each with what to do', async () => {
      const topic = name('none')
      const sink = run({})
      const { rejected } = await sink.put([
        sinkRecord({ topic, offset: 0, key: null, value: {} }),
        sinkRecord({ topic, offset: 1, key: { id: 1 }, value: {} }),
        sinkRecord({ topic, offset: 2, key: 'x'.repeat(513), value: {} }),
        sinkRecord({ topic, offset: 3, key: 'a', value: 'text' }),
        sinkRecord({ topic, offset: 4, key: 'a', value: [1] }),
        sinkRecord({ topic, offset: 5, key: 'a', value: null }),
        sinkRecord({ topic, offset: 6, key: 'good', value: { n: 1 } }),
      ])
      await sink.flush()
      expect(rejected?.map(({ error }) => error.message)).toEqual([
        expect.stringContaining('key.ignore'),
        expect.stringContaining('ExtractField$Key'),
        expect.stringContaining('512 bytes'),
        expect.stringContaining('a document is an object'),
        expect.stringContaining('a document is an object'),
        expect.stringContaining('behavior.on.null.values'),
      ])
      expect((await documents(topic)).map(({ id }) => id)).toEqual(['good'])
    })

    test('a mapping conflict concerns its record alone', async () => {
      const topic = name('conflict')
      const values = [{ n: 1 }, { n: 'not a number' }, { n: 2 }, { n: { deep: 1 } }, { n: 3 }]
      const records = values.map((value, offset) => sinkRecord({ topic, offset, key: `k${offset}`, value }))
      const sink = run({})
      await sink.put(records)
      await sink.flush()
      expect(sink.reported.map(({ record }) => record.offset)).toEqual([1, 3])
      expect(sink.reported[0]!.error).toMatchObject({ name: 'DataError', code: 'ELASTICSEARCH_MALFORMED_DOCUMENT' })
      expect(sink.committed.get({ topic, partition: 0 })).toBe(5)
      expect((await documents(topic)).map(({ id }) => id)).toEqual(['k0', 'k2', 'k4'])

      const warned = run({ 'behavior.on.malformed.documents': 'warn' })
      await warned.put([records[1]!])
      await warned.flush()
      expect(warned.reported).toEqual([])
      expect(warned.logs.filter(({ level }) => level === 'warn')).toHaveLength(1)
      const lettered = run({ 'behavior.on.malformed.documents': 'ignore' }, { deadLetters: true })
      await lettered.put([records[1]!])
      await lettered.flush()
      expect(lettered.reported).toHaveLength(1)
    })

    test('fields are mapped as the schema has them, and those of a later schema are added', async () => {
      const topic = name('mapped')
      const fields = {
        id: schema.int64(),
        text: schema.string(),
        price: schema.decimal(2),
        day: schema.date(),
        at: schema.timestamp(),
        raw: schema.bytes(),
        tags: schema.array(schema.string()),
        by: schema.map(schema.int32(), schema.float64()),
        named: schema.map(schema.string(), schema.int32()),
        inner: schema.struct({ small: schema.int8({ default: 3 }) }),
      }
      const value = {
        ...{ id: 9007199254740993n, text: 'x', price: Decimal.parse('12.50'), day: 19_000, at: 1_700_000_000_000 },
        ...{ raw: Buffer.from('ab'), tags: ['a'], by: new Map([[1, 0.5]]), named: new Map([['k', 1]]) },
        inner: { small: 1 },
      }
      const one = schema.struct(fields)
      const two = schema.struct({ ...fields, later: schema.boolean({ optional: true }) })
      const sink = run({})
      await sink.put([sinkRecord({ topic, offset: 0, key: 'a', value, valueSchema: one })])
      await sink.put([sinkRecord({ topic, offset: 1, key: 'b', value: { ...value, later: true }, valueSchema: two })])
      await sink.flush()
      const answer = await engine().ask<Record<string, { mappings: { properties: unknown } }>>(
        'GET',
        `/${topic}/_mapping`,
      )
      const text = { type: 'text', fields: { keyword: { type: 'keyword', ignore_above: 256 } } }
      expect(answer[topic]!.mappings.properties).toEqual({
        ...{ id: { type: 'long' }, text, price: { type: 'double' }, day: { type: 'date' }, at: { type: 'date' } },
        ...{ raw: { type: 'binary' }, tags: text, later: { type: 'boolean' } },
        by: { properties: { key: { type: 'integer' }, value: { type: 'double' } } },
        named: { properties: { k: { type: 'long' } } },
        inner: { properties: { small: { type: 'byte', null_value: 3 } } },
      })
      const [first] = await documents(topic)
      expect(first!.source).toMatchObject({ price: 12.5, day: '2022-01-08', at: 1_700_000_000_000, raw: 'YWI=' })
      expect(first!.source).toMatchObject({ by: [{ key: 1, value: 0.5 }], named: { k: 1 }, tags: ['a'] })
    })

    test('an index a day, of a template with the fields of the schema', async () => {
      const topic = name('daily')
      const valueSchema = schema.struct({ n: schema.int16() })
      const sink = run({ 'index.name.format': '${topic}-${timestamp}', 'index.template': true })
      const day = 86_400_000
      await sink.put(
        [0, 1, 2].map((n) =>
          sinkRecord({ topic, offset: n, key: `k${n}`, value: { n }, valueSchema, timestamp: 19_000 * day + n * day }),
        ),
      )
      await sink.flush()
      expect((await documents(`${topic}-2022.01.*`)).map(({ source }) => source['n'])).toEqual([0, 1, 2])
      await engine().ask('PUT', `/${topic}-by-hand`)
      const answer = await engine().ask('GET', `/${topic}-by-hand/_mapping`)
      expect(answer).toEqual({ [`${topic}-by-hand`]: { mappings: { properties: { n: { type: 'short' } } } } })
    })

    test('data streams: a time of the record’s own or of its fields, each record once', async () => {
      const namespace = name('stream').replaceAll('-', '_')
      const config = {
        ...{ 'data.stream.type': 'logs', 'data.stream.dataset': 'tidewire', 'data.stream.namespace': namespace },
        ...{ 'index.template': true, 'key.ignore': true },
      }
      const stream = `logs-tidewire-${namespace}`
      const records = sinkRecords([{ n: 0, '@timestamp': 'of no use' }, { n: 1 }], { timestamp: 1_700_000_000_000 })
      for (let at = 0; at < 2; at++) {
        const sink = run(config)
        await sink.put(records)
        await sink.flush()
        expect(sink.reported).toEqual([])
      }
      const timed = run({ ...config, 'data.stream.timestamp.field': 'missing,at' })
      await timed.put([sinkRecord({ offset: 2, value: { n: 2, at: '2024-02-29T00:00:00Z' } })])
      await timed.put([sinkRecord({ offset: 3, value: { n: 3 } })])
      await timed.flush()
      // It has none of the fields, and the data stream wants a time.
      expect(timed.reported.map(({ record }) => record.offset)).toEqual([3])
      expect((await documents(stream)).map(({ source }) => source)).toEqual([
        { n: 0, '@timestamp': 1_700_000_000_000 },
        { n: 1, '@timestamp': 1_700_000_000_000 },
        { n: 2, at: '2024-02-29T00:00:00Z', '@timestamp': '2024-02-29T00:00:00Z' },
      ])
    })

    test('an alias that is there is written to, and one that is not fails', async () => {
      const [alias, index] = [name('alias'), name('behind')]
      await engine().ask('PUT', `/${index}`, { aliases: { [alias]: { is_write_index: true } } })
      const config = { 'external.resource.usage': 'ALIAS_INDEX' }
      const sink = run({ ...config, 'topic.to.external.resource.mapping': `topic:${alias}` })
      await sink.put([sinkRecord({ key: 'a', value: { n: 1 } })])
      await sink.flush()
      expect(await documents(index)).toHaveLength(1)
      const none = run({ ...config, 'topic.to.external.resource.mapping': `topic:${name('none')}` })
      await expect(none.put([sinkRecord({ key: 'a', value: { n: 1 } })])).rejects.toThrow(/does not exist/)
      const other = run({ ...config, 'topic.to.external.resource.mapping': `other:${alias}` })
      await expect(other.put([sinkRecord({ key: 'a', value: {} })])).rejects.toThrow(/names no resource for the topic/)
    })

    test('an index with a block is asked again until it is lifted, and nothing is rejected', async () => {
      const topic = name('full')
      const sink = run({ 'retry.backoff.ms': 10, 'flush.timeout.ms': 1000 })
      await sink.put([sinkRecord({ topic, key: 'a', value: { n: 1 } })])
      await sink.flush()
      const block = (value: boolean | null) =>
        engine().ask('PUT', `/${topic}/_settings`, { 'index.blocks.read_only_allow_delete': value })
      await block(true)
      await sink.put([sinkRecord({ topic, offset: 1, key: 'b', value: { n: 2 } })])
      await sink.flush()
      expect(sink.committed.get({ topic, partition: 0 })).toBe(1)
      await expect.poll(() => sink.progress?.text).toContain('cluster_block_exception')
      await block(null)
      await expect.poll(() => sink.progress?.figures['documents_written']).toBe(2)
      await sink.flush()
      expect(sink.committed.get({ topic, partition: 0 })).toBe(2)
      expect(sink.reported).toEqual([])
    })

    test('an index that is deleted meanwhile is made again', async () => {
      const topic = name('gone')
      const valueSchema = schema.struct({ n: schema.int16() })
      const record = (offset: number) => sinkRecord({ topic, offset, key: `k${offset}`, value: { n: 1 }, valueSchema })
      const auto = (value: boolean | null) =>
        engine().ask('PUT', '/_cluster/settings', { persistent: { 'action.auto_create_index': value } })
      await auto(false)
      try {
        const sink = run({ 'retry.backoff.ms': 10 })
        await sink.put([record(0)])
        await sink.flush()
        await engine().ask('DELETE', `/${topic}`)
        await sink.put([record(1)])
        await sink.flush()
        expect((await documents(topic)).map(({ id }) => id)).toEqual(['k1'])
        const answer = await engine().ask('GET', `/${topic}/_mapping`)
        expect(answer).toEqual({ [topic]: { mappings: { properties: { n: { type: 'short' } } } } })
      } finally {
        await auto(null)
      }
    })

    test('a re-drive beside a running task takes nothing newer back', async () => {
      const topic = name('redrive')
      const sink = run({})
      await sink.put([sinkRecord({ topic, offset: 9, key: 'a', value: { n: 9 } })])
      await sink.flush()
      const redrive = run({}, { redrive: 'beside', deadLetters: true })
      await redrive.put([
        sinkRecord({ topic, offset: 4, key: 'a', value: { n: 4 } }),
        sinkRecord({ topic, offset: 5, key: 'b', value: { n: 5 } }),
      ])
      await redrive.flush()
      expect((await documents(topic)).map(({ source }) => source)).toEqual([{ n: 9 }, { n: 5 }])
    })

    test('a deep validation tells what is not right', async () => {
      const tryOut = async (config: Record<string, string>) => {
        const { parseConfig } = await import('@tidewire/sdk/testing')
        const log = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} }
        const parsed = parseConfig(elasticsearchSink, { 'connection.url': engine().url, ...config })
        return elasticsearchSink.tryOut!(parsed, { signal: AbortSignal.timeout(30_000), log })
      }
      expect(await tryOut({})).toEqual({})
      expect(await tryOut({ 'connection.url': 'http://127.0.0.1:1' })).toEqual({
        'connection.url': expect.stringContaining('ECONNREFUSED') as string,
      })
      const external = {
        'external.resource.usage': 'INDEX',
        'topic.to.external.resource.mapping': `topic:${name('nowhere')}`,
      }
      expect(await tryOut(external)).toHaveProperty(['topic.to.external.resource.mapping'])
    })
  })
})
