import type { Logger, SourceOffset } from '@tidewire/sdk'
import { parseConfig } from '@tidewire/sdk/testing'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { Answer } from '../link/errors.ts'
import type { Call, ElasticsearchLink } from '../link/link.ts'
import { IndexReader, type Session } from './index-reader.ts'
import { positionOf } from './offset.ts'
import { elasticsearchSource } from './source.ts'

interface Stored {
  readonly id: string
  readonly value: number
  readonly seqNo: number
}

interface Asked {
  readonly size: number
  readonly pit?: { readonly id: string }
  readonly search_after?: readonly [number, number]
  readonly query: {
    readonly bool: { readonly filter: readonly { readonly range?: { readonly n: { readonly lte: number } } }[] }
  }
}

const index = { name: 'orders', uuid: 'u1' }
const delayMs = 100
const nothing = (): void => undefined
const log: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** An index with two shards, as far as a reader asks it; its points in time are lost when a test wants it so. */
class FakeIndex implements ElasticsearchLink {
  readonly documents: Stored[] = []
  readonly #pits = new Map<string, readonly Stored[]>()
  readonly #seqNos = [0, 0]
  #opened = 0
  /** After how many pages the points in time are lost, once. */
  losesAfter = Infinity

  add(id: string, value: number, shard: number): void {
    this.documents.push({ id, value, seqNo: this.#seqNos[shard]!++ })
  }

  async get(call: Call): Promise<string> {
    return (await this.ask(call)).text
  }

  async ask({ method, path, body }: Call): Promise<Answer> {
    if (path === '/orders/_field_caps') return answer({ fields: { n: { long: {} } } })
    if (path === '/orders/_pit') {
      const id = String(++this.#opened)
      this.#pits.set(id, [...this.documents])
      return answer({ id })
    }
    if (method === 'DELETE') return answer({})
    const asked = JSON.parse(String(body)) as Asked
    if (asked.pit === undefined) {
      const greatest = Math.max(...this.documents.map(({ value }) => value))
      return answer({ hits: { hits: this.documents.length === 0 ? [] : [{ sort: [greatest] }] } })
    }
    if (this.losesAfter-- <= 0) {
      this.losesAfter = Infinity
      this.#pits.clear()
    }
    const pit = this.#pits.get(asked.pit.id)
    return pit === undefined ? { status: 404, text: '{}' } : answer(page(pit, asked))
  }

  close(): Promise<void> {
    return Promise.resolve()
  }
}

const answer = (body: unknown): Answer => ({ status: 200, text: JSON.stringify(body) })

function page(documents: readonly Stored[], { size, search_after: after, query }: Asked): unknown {
  const bound = query.bool.filter.find(({ range }) => range !== undefined)?.range?.n.lte ?? Infinity
  const hits = documents
    .filter(({ value }) => value <= bound)
    .filter(({ value, seqNo }) => after === undefined || value > after[0] || (value === after[0] && seqNo > after[1]))
    .toSorted((a, b) => a.value - b.value || a.seqNo - b.seqNo)
    .slice(0, size)
  return {
    timed_out: false,
    _shards: { failed: 0 },
    hits: {
      hits: hits.map(({ id, value, seqNo }) => ({
        ...{ _id: id, _seq_no: seqNo, _version: 1, _primary_term: 1, _source: { n: value } },
        sort: [value, seqNo],
      })),
    },
  }
}

/** A reader of an index, with a clock, and with restarts at which it goes on from the last offset that it gave. */
class Scene {
  readonly link = new FakeIndex()
  readonly read: string[] = []
  now = 1_000_000
  #offset: SourceOffset | undefined
  readonly #session: Session
  #reader: IndexReader

  constructor(settings: Readonly<Record<string, string | number>>) {
    const config = parseConfig(elasticsearchSource, {
      'connection.url': 'http://127.0.0.1:9200',
      'index.names': index.name,
      'late.documents.delay.ms': delayMs,
      'batch.max.rows': 2,
      ...settings,
    })
    const { signal } = new AbortController()
    const server = { product: 'Elasticsearch' } as const
    this.#session = { link: this.link, server, config, log, signal, now: () => this.now }
    this.#reader = new IndexReader(this.#session, index, { ids: [] })
  }

  async poll(): Promise<void> {
    for await (const { records, offsets = [] } of this.#reader.poll()) {
      for (const { key, sourceOffset } of records) {
        this.read.push(String(key))
        this.#offset = sourceOffset
      }
      for (const { offset } of offsets) this.#offset = offset
    }
  }

  restart(): void {
    const position = this.#offset === undefined ? { ids: [] } : positionOf(this.#offset)
    this.#reader = new IndexReader(this.#session, index, position)
  }
}

const step = fc.record({
  advanceMs: fc.nat(60),
  /** Of documents that are begun in this step: how late they can be seen, and in which shard. */
  begun: fc.array(fc.record({ lateMs: fc.nat(delayMs - 1), shard: fc.nat(1), isEqual: fc.boolean() }), {
    maxLength: 4,
  }),
  restarts: fc.boolean(),
  losesAfter: fc.option(fc.nat(3)),
})

describe.each(['incrementing', 'timestamp'] as const)('mode %s', (mode) => {
  test('of documents that come late, but within the delay, each is read once, in spite of restarts and lost points in time', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 15 }), async (steps) => {
        const scene = new Scene({ mode, [`${mode}.field.name`]: 'n' })
        const waiting: { readonly id: string; readonly value: number; readonly shard: number; readonly at: number }[] =
          []
        const show = (): void => {
          for (const due of waiting.filter(({ at }) => at <= scene.now)) {
            waiting.splice(waiting.indexOf(due), 1)
            scene.link.add(due.id, due.value, due.shard)
          }
        }
        let begun = 0
        let number = 0
        for (const { advanceMs, begun: documents, restarts, losesAfter } of steps) {
          scene.now += advanceMs
          for (const [i, { lateMs, shard, isEqual }] of documents.entries()) {
            // A number comes again only at the time of its first document: later it would be one that comes too late.
            if (i === 0 || !isEqual) number++
            const value = mode === 'timestamp' ? scene.now : number
            waiting.push({ id: `d${begun++}`, value, shard, at: scene.now + lateMs })
          }
          show()
          if (restarts) scene.restart()
          if (losesAfter !== null) scene.link.losesAfter = losesAfter
          await scene.poll()
        }
        for (let i = 0; i < 4; i++) {
          scene.now += delayMs
          show()
          await scene.poll()
        }
        expect(scene.read.toSorted()).toEqual(Array.from({ length: begun }, (_, i) => `d${i}`).toSorted())
      }),
    )
  })

  test('what is younger than the delay is not read yet', async () => {
    const scene = new Scene({ mode, [`${mode}.field.name`]: 'n' })
    scene.link.add('a', scene.now, 0)
    await scene.poll()
    scene.now += delayMs - 1
    await scene.poll()
    expect(scene.read).toEqual([])
    scene.now += 1
    await scene.poll()
    expect(scene.read).toEqual(['a'])
  })
})

test('timestamp.initial=-1 leaves out what is older than the first look, also after a restart', async () => {
  const scene = new Scene({ mode: 'timestamp', 'timestamp.field.name': 'n', 'timestamp.initial': -1 })
  scene.link.add('old', scene.now - 1, 0)
  scene.now += delayMs
  await scene.poll()
  scene.link.add('new', scene.now, 1)
  scene.now += delayMs
  scene.restart()
  await scene.poll()
  expect(scene.read).toEqual(['new'])
})
