/**
 * Topics into OpenSearch (and with TIDEWIRE_SOAK_SECONDS, which makes it longer, into Elasticsearch too), while platform and
 * engine are killed amid bulks: at the end each record is one document, and of each key the last record is there.
 */
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ownElasticsearchMissing, startElasticsearch } from '../support/elasticsearch.ts'
import { ownOpensearchMissing, startOpensearch } from '../support/opensearch.ts'
import { seedOfRun } from '../support/random.ts'
import type { SeenRecord } from '../support/read-topic.ts'
import type { TestEngine } from '../support/search-engine.ts'
import { killFor, storeKill, type Message, type StoreKill } from '../support/store-kill.ts'
import { until } from '../support/until.ts'

const soakSeconds = process.env['TIDEWIRE_SOAK_SECONDS']
const seconds = Number(soakSeconds ?? 0)
const seed = seedOfRun()
const partitions = 3
const recordsPerRound = 1500

const engines = [
  { name: 'OpenSearch', missing: await ownOpensearchMissing(), start: () => startOpensearch() },
  {
    name: 'Elasticsearch',
    missing: soakSeconds === undefined ? 'only in a soak' : await ownElasticsearchMissing(),
    start: () => startElasticsearch(),
  },
]

interface Document {
  readonly version: number
  readonly source: unknown
}

describe.each(engines)(`elasticsearch-sink on $name, with seed ${seed}`, ({ missing, start }) => {
  describe.skipIf(missing !== undefined)(missing ?? 'killed', () => {
    let engine: TestEngine
    let kill: StoreKill

    beforeAll(async () => {
      engine = await start()
      kill = await storeKill({ kill: () => engine.kill!(), restart: () => engine.restart() }, seed)
    })
    afterAll(async () => {
      await kill.close()
      await engine.close()
    })

    /** All documents of an index, by id. */
    async function documents(index: string): Promise<Map<string, Document>> {
      await engine.ask('POST', `/${index}/_refresh`)
      const found = new Map<string, Document>()
      let after: unknown[] | undefined
      for (;;) {
        const { hits } = await engine.ask<{
          hits: { hits: { _id: string; _version: number; _source: unknown; sort: unknown[] }[] }
        }>('POST', `/${index}/_search`, {
          size: 5000,
          version: true,
          sort: [{ n: 'asc' }],
          ...(after && { search_after: after }),
        })
        if (hits.hits.length === 0) return found
        for (const { _id, _version, _source } of hits.hits) found.set(_id, { version: _version, source: _source })
        after = hits.hits.at(-1)!.sort
      }
    }

    test(
      'each record is one document, and of each key the last record is there',
      { timeout: 600_000 + seconds * 1000 },
      async () => {
        await kill.topic('events', partitions)
        const common = {
          'connector.class': 'elasticsearch-sink',
          topics: 'events',
          'tasks.max': '2',
          'connection.url': engine.url,
          'key.converter': 'string',
          'value.converter': 'json',
          'value.converter.schemas.enable': 'false',
          // Bulks enough to be killed in.
          'batch.size': '50',
          'max.in.flight.requests': '4',
        }
        await kill.deploy('each', {
          ...common,
          'key.ignore': 'true',
          'index.name.format': 'each',
          'behavior.on.null.values': 'ignore',
        })
        await kill.deploy('last', {
          ...common,
          'index.name.format': 'last',
          'behavior.on.null.values': 'delete',
        })
        let written = 0
        await killFor(kill, seconds, async (whom) => {
          const messages = Array.from({ length: recordsPerRound }, (): Message => {
            const n = written++
            const key = kill.random.below(200)
            const value = kill.random.below(10) === 0 ? null : JSON.stringify({ n, text: `record ${n} of ${key}` })
            // As a producer would: a key's records are all in one partition.
            return { partition: key % partitions, key: `k${key}`, value }
          })
          await kill.write('events', messages)
          await kill.killOne(whom)
        })
        const records = await kill.read('events', written)
        const each = new Map(records.filter(hasValue).map((record) => [idOf(record), { source: sourceOf(record) }]))
        const last = new Map<string, { source: unknown; version: number }>()
        for (const record of records.toSorted((a, b) => a.offset - b.offset)) {
          if (hasValue(record)) last.set(record.key!, { source: sourceOf(record), version: record.offset })
          else last.delete(record.key!)
        }
        const settleMs = 240_000
        await until(
          'the last record of each partition to be in the index',
          async () => {
            const [all, lasts] = [await count('each'), await count('last')]
            return all >= each.size && lasts === last.size
          },
          settleMs,
        ).catch(async (error: unknown) => {
          await kill.expectRunning(['each', 'last'])
          throw error
        })
        // Of the second index the number may be right before the contents are.
        const lastIsThere = async (): Promise<boolean> => {
          const found = await documents('last')
          return [...last].every(([key, { version }]) => found.get(key)?.version === version)
        }
        await until('the last record of each key to be there', lastIsThere, settleMs)
        const found = await documents('each')
        expect([...found.keys()].toSorted()).toEqual([...each.keys()].toSorted())
        for (const [id, { source }] of each) expect(found.get(id)?.source, id).toEqual(source)
        expect(await documents('last')).toEqual(last)
        await kill.expectRunning(['each', 'last'])
      },
    )

    async function count(index: string): Promise<number> {
      await engine.ask('POST', `/${index}/_refresh`)
      return (await engine.ask<{ count: number }>('GET', `/${index}/_count`)).count
    }
  })
})

const hasValue = ({ value }: SeenRecord): boolean => value !== ''
const sourceOf = ({ value }: SeenRecord): unknown => JSON.parse(value)
const idOf = ({ partition, offset }: SeenRecord): string => `events+${partition}+${offset}`
