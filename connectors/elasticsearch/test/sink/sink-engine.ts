import { runSink, type RawConfig, type SinkRun, type SinkRunOptions } from '@tidewire/sdk/testing'
import { afterAll, beforeAll, onTestFinished } from 'vitest'
import { startElasticsearch } from '../../../../test/support/elasticsearch.ts'
import { startOpensearch } from '../../../../test/support/opensearch.ts'
import type { TestEngine } from '../../../../test/support/search-engine.ts'
import { elasticsearchSink } from '../../sink/sink.ts'

export const engines = { elasticsearch: startElasticsearch, opensearch: startOpensearch } as const

/** A document as a search finds it. */
export interface Hit {
  readonly id: string
  readonly source: Readonly<Record<string, unknown>>
  readonly version: number
}

/** An engine for a file of tests; each test writes to indices of its own. */
export interface SinkEngine {
  readonly engine: () => TestEngine
  /** A name that no other test has. */
  readonly name: (what: string) => string
  /** A run that writes to it; stopped with the test. */
  readonly run: (config: RawConfig, options?: SinkRunOptions) => SinkRun
  /** All documents of an index, by id. */
  readonly documents: (index: string) => Promise<Hit[]>
}

export function sinkEngine(start: () => Promise<TestEngine>): SinkEngine {
  let engine: TestEngine
  beforeAll(async () => {
    engine = await start()
  })
  // Where its start failed there is none.
  afterAll(() => (engine as TestEngine | undefined)?.close())
  let names = 0
  const prefix = `t${process.pid}-${Date.now().toString(36)}`
  return {
    engine: () => engine,
    name: (what) => `${prefix}-${++names}-${what}`,
    run: (config, options) => {
      // A flush on a slow machine takes its time, and then stands for all that was put.
      const settings = { 'connection.url': engine.url, 'flush.timeout.ms': 60_000, ...config }
      const run = runSink(elasticsearchSink, settings, { timeoutMs: 90_000, ...options })
      onTestFinished(() => run.stop())
      return run
    },
    documents: async (index) => {
      await engine.ask('POST', `/${index}/_refresh`)
      const { hits } = await engine.ask<{
        hits: { hits: { _id: string; _version: number; _source: Record<string, unknown> }[] }
      }>('POST', `/${index}/_search`, { size: 10_000, version: true, track_total_hits: true })
      return hits.hits
        .map(({ _id: id, _version: version, _source: source }) => ({ id, version, source }))
        .sort((a, b) => (a.id < b.id ? -1 : 1))
    },
  }
}
