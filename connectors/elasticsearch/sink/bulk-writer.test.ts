import { ConnectError, RetriableError, type SinkRecord } from '@tidewire/sdk'
import { parseConfig, sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Answer } from '../link/errors.ts'
import type { Call, ElasticsearchLink } from '../link/link.ts'
import { ActionWriter } from './action.ts'
import { Assignments, settledOffsets } from './assignments.ts'
import { BulkWriter, type BulkWriterOptions } from './bulk-writer.ts'
import { optionsOf } from './options.ts'
import { elasticsearchSink } from './sink.ts'

/** A request that waits for the test to answer it. */
interface Asked {
  /** The numbers in the documents; a delete is `-`. */
  readonly documents: readonly (number | string)[]
  /** A status for each document: 200, or one that fails with an error of that type. */
  answer(...items: readonly (number | readonly [status: number, type: string, reason?: string])[]): void
  answerWhole(status: number, type: string): void
  fail(error: Error): void
}

class TestLink implements ElasticsearchLink {
  readonly asked: Asked[] = []

  ask(call: Call): Promise<Answer> {
    const { promise, resolve, reject } = Promise.withResolvers<Answer>()
    const lines = call.body!.toString().trimEnd().split('\n')
    const documents = lines.flatMap((line): (number | string)[] => {
      const parsed = JSON.parse(line) as Record<string, unknown>
      if ('delete' in parsed) return ['-']
      const value = (parsed['doc'] ?? parsed) as { n?: number }
      return value.n === undefined ? [] : [value.n]
    })
    this.asked.push({
      documents,
      answer: (...items) => {
        const all = items.map((item) => {
          if (typeof item === 'number') return { index: { status: item } }
          const [status, type, reason = 'because'] = item
          return { index: { status, error: { type, reason } } }
        })
        const errors = items.some((item) => typeof item !== 'number')
        resolve({ status: 200, text: JSON.stringify({ errors, items: all }) })
      },
      answerWhole: (status, type) => resolve({ status, text: JSON.stringify({ error: { type, reason: 'because' } }) }),
      fail: reject,
    })
    return promise
  }

  get(): Promise<string> {
    throw new Error('bulks are asked alone')
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  /** The next request, once there is one. */
  async next(at: number): Promise<Asked> {
    await expect.poll(() => this.asked.length, { interval: 1 }).toBeGreaterThan(at)
    return this.asked[at]!
  }
}

function setUp(config: Record<string, string | number>, options: Partial<BulkWriterOptions> = {}) {
  const parsed = parseConfig(elasticsearchSink, { 'connection.url': 'http://127.0.0.1:1', ...config })
  const link = new TestLink()
  const refused: [offset: number, message: string][] = []
  const overtaken: number[] = []
  const made: string[] = []
  const writer = new BulkWriter(
    link,
    new ActionWriter(optionsOf(parsed)),
    {
      ...{ batchSize: 2, bulkBytes: 1e6, lingerMs: 0, maxInFlight: 5, maxBuffered: 100, maxRetries: undefined },
      ...{ backoffMs: 1, serverTimeoutMs: 1000 },
      ...options,
    },
    {
      refused: (record, error) => refused.push([record.offset, error.message]),
      overtaken: (_, current) => overtaken.push(current),
      makeReady: (action) => Promise.resolve(void made.push(action.resource)),
      changed: () => undefined,
      troubled: () => undefined,
    },
  )
  onTestFinished(() => writer.stop())
  const assignments = new Assignments()
  const add = (...records: readonly Partial<SinkRecord>[]): void => {
    for (const record of records) {
      const whole = sinkRecord(record)
      writer.add(whole, 'index', assignments.of(whole))
    }
  }
  const settled = (offset: number): number =>
    settledOffsets([{ topic: 'topic', partition: 0, offset }], writer.waiting())[0]!.offset
  const drained = (): Promise<void> => writer.drain(30_000, undefined)
  return { link, writer, add, settled, drained, refused, overtaken, made, assignments }
}

const put = (offset: number, key: string): Partial<SinkRecord> => ({ offset, key, value: { n: offset } })
const upserts = { 'write.method': 'upsert', 'behavior.on.null.values': 'delete' }

test('a partition that goes elsewhere waits for updates that are under way, and for nothing else', async () => {
  const { link, add, writer, assignments } = setUp(upserts)
  add(put(0, 'a'), put(1, 'b'), { ...put(0, 'c'), partition: 1 }, { ...put(1, 'd'), partition: 1 })
  const [first] = [await link.next(0), await link.next(1)]
  assignments.close([{ topic: 'topic', partition: 0 }])
  let hasLanded = false
  const landed = writer.landed(60_000).then(() => (hasLanded = true))
  await new Promise((resolve) => setImmediate(resolve))
  expect(hasLanded).toBe(false)
  // It is not tried again: the partition's next task does that.
  first.answer(200, [429, 'es_rejected_execution_exception'])
  await landed
  await expect.poll(() => writer.heldRecords).toBe(2)
  expect(link.asked).toHaveLength(2)
})

describe('retries', () => {
  test('an item that is refused for now is tried again alone, and what is before it is settled', async () => {
    const { link, add, settled, drained, writer } = setUp({})
    add(put(0, 'a'), put(1, 'b'), put(2, 'c'), put(3, 'd'))
    const [first, second] = [await link.next(0), await link.next(1)]
    second.answer(200, 200)
    first.answer(200, [429, 'es_rejected_execution_exception'])
    const again = await link.next(2)
    expect(again.documents).toEqual([1])
    expect(settled(4)).toBe(1)
    again.answer([503, 'unavailable_shards_exception'])
    ;(await link.next(3)).answer(200)
    await drained()
    expect(settled(4)).toBe(4)
    expect(writer.counts).toEqual({ stored: 4, conflicts: 0, retried: 2 })
  })

  test('a block of the index is none of the documents’ fault', async () => {
    const { link, add, drained, refused } = setUp({})
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answer([403, 'cluster_block_exception'], [400, 'index_closed_exception'])
    ;(await link.next(1)).answer(200, 200)
    await drained()
    expect(refused).toEqual([])
  })

  test('a bulk without an answer is sent again', async () => {
    const { link, add, drained } = setUp({})
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).fail(new RetriableError('connection lost'))
    ;(await link.next(1)).answerWhole(503, 'no_master')
    const third = await link.next(2)
    expect(third.documents).toEqual([0, 1])
    third.answer(200, 200)
    await drained()
  })

  test('they come to an end where max.retries says so', async () => {
    const { link, add, drained, writer } = setUp({}, { maxRetries: 1 })
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answerWhole(429, 'busy')
    ;(await link.next(1)).answer(200, [429, 'busy'])
    await expect(drained()).rejects.toThrow(/1 retries, as max.retries says/)
    expect(() => writer.throwFailure()).toThrow(ConnectError)
  })

  test('an index that is missing is made before', async () => {
    const { link, add, drained, made } = setUp({})
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answer(200, [404, 'index_not_found_exception'])
    const again = await link.next(1)
    expect(made).toEqual(['index'])
    again.answer(200)
    await drained()
  })

  test('what this user may not do ends it all', async () => {
    const { link, add, drained } = setUp({})
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answer(200, [403, 'security_exception', 'action [indices:data/write] is unauthorized'])
    await expect(drained()).rejects.toMatchObject({ name: 'ConfigError', code: 'ELASTICSEARCH_FORBIDDEN' })
  })
})

describe('order', () => {
  test('versions let bulks with the same document go side by side', async () => {
    const { link, add, drained } = setUp({})
    add(put(0, 'a'), put(1, 'a'), put(2, 'a'), put(3, 'a'))
    const [first, second] = [await link.next(0), await link.next(1)]
    second.answer(200, 200)
    first.answer([409, 'version_conflict_engine_exception'], [409, 'version_conflict_engine_exception'])
    await drained()
  })

  test('a retry of a version is given up once a newer one is stored, delete or not', async () => {
    const { link, add, drained, writer } = setUp({ 'behavior.on.null.values': 'delete' }, { backoffMs: 0 })
    add(put(0, 'a'), put(1, 'b'), { offset: 2, key: 'a', value: null }, put(3, 'c'))
    const [first, second] = [await link.next(0), await link.next(1)]
    expect(second.documents).toEqual(['-', 3])
    second.answer(200, 200)
    await expect.poll(() => writer.heldRecords).toBe(2)
    first.answer([429, 'busy'], 200)
    await drained()
    expect(link.asked).toHaveLength(2)
    expect(writer.counts.conflicts).toBe(1)
  })

  test('upserts of a document wait for those before, while others overtake them', async () => {
    const { link, add, drained } = setUp(upserts)
    add(put(0, 'a'), put(1, 'b'), put(2, 'a'), put(3, 'c'), put(4, 'd'), put(5, 'e'))
    const first = await link.next(0)
    const other = await link.next(1)
    expect([first.documents, other.documents]).toEqual([
      [0, 1],
      [4, 5],
    ])
    other.answer(200, 200)
    first.answer([429, 'busy'], 200)
    const again = await link.next(2)
    expect(again.documents).toEqual([0])
    again.answer(200)
    const last = await link.next(3)
    expect(last.documents).toEqual([2, 3])
    last.answer(200, 200)
    await drained()
  })

  test('an upsert after one that has to be done again is done again after it', async () => {
    const { link, add, drained } = setUp(upserts, { batchSize: 4 })
    add(put(0, 'a'), put(1, 'b'), put(2, 'a'), put(3, 'c'))
    ;(await link.next(0)).answer([429, 'busy'], 200, 200, 200)
    const again = await link.next(1)
    expect(again.documents).toEqual([0, 2])
    again.answer(200, 200)
    await drained()
  })

  test('halves keep the order of upserts', async () => {
    const { link, add, drained } = setUp(upserts, { batchSize: 2 })
    add(put(0, 'a'), put(1, 'a'))
    ;(await link.next(0)).answerWhole(413, '')
    const half = await link.next(1)
    expect(half.documents).toEqual([0])
    expect(link.asked).toHaveLength(2)
    half.answer(200)
    ;(await link.next(2)).answer(200)
    await drained()
  })
})

describe('what the server does not take', () => {
  test('a bulk that is too large is halved down to the document that is', async () => {
    const { link, add, drained, refused } = setUp({}, { batchSize: 4 })
    add(put(0, 'a'), put(1, 'b'), put(2, 'c'), put(3, 'd'))
    ;(await link.next(0)).answerWhole(413, 'content_too_large')
    for (let at = 1; at < 5; at++) {
      const part = await link.next(at)
      if (part.documents.includes(2)) part.answerWhole(413, 'content_too_large')
      else part.answer(...part.documents.map(() => 200))
    }
    await drained()
    expect(refused).toEqual([[2, expect.stringMatching(/It has \d+ bytes: see http.max_content_length/)]])
  })

  test('a document that is malformed holds nothing up', async () => {
    const { link, add, drained, refused, settled } = setUp({})
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answer([400, 'document_parsing_exception', 'no number'], 200)
    await drained()
    expect(refused).toEqual([[0, expect.stringContaining('document_parsing_exception: no number')]])
    expect(settled(2)).toBe(2)
  })

  test('a whole bulk of documents that are there as newer ones is told of', async () => {
    const { link, add, drained, overtaken } = setUp({})
    const conflict = [409, 'version_conflict_engine_exception', 'current version [70] is higher'] as const
    add(put(0, 'a'), put(1, 'b'))
    ;(await link.next(0)).answer(conflict, conflict)
    add(put(2, 'a'), put(3, 'b'))
    ;(await link.next(1)).answer(conflict, 200)
    await drained()
    expect(overtaken).toEqual([70])
  })
})

describe('limits', () => {
  test('bytes bound a bulk, and a larger document has one of its own', async () => {
    const { link, add, drained } = setUp({}, { batchSize: 100, bulkBytes: 300, maxInFlight: 10 })
    const large = { key: 'large', value: { n: 2, text: 'x'.repeat(400) } }
    add(put(0, 'a'), put(1, 'b'), { ...large, offset: 2 }, put(3, 'c'))
    void drained()
    await link.next(2)
    expect(link.asked.map(({ documents }) => documents)).toEqual([[0, 1], [2], [3]])
    for (const asked of link.asked) asked.answer(...asked.documents.map(() => 200))
  })

  test('there is room again when a bulk is over', async () => {
    const { link, add, writer } = setUp({}, { maxBuffered: 2 })
    const signal = new AbortController().signal
    add(put(0, 'a'), put(1, 'b'))
    expect(await writer.room(1e6, 1, signal)).toBe(false)
    const room = writer.room(1e6, 30_000, signal)
    ;(await link.next(0)).answer(200, 200)
    expect(await room).toBe(true)
    expect([writer.heldRecords, writer.heldBytes]).toEqual([0, 0])
  })

  test('after a flush with nothing to send, the next record is sent without one', async () => {
    const { link, add, drained } = setUp({})
    await drained()
    add(put(0, 'a'))
    ;(await link.next(0)).answer(200)
    await drained()
  })

  test('a server that has too much to do gets fewer requests at a time', async () => {
    const { link, add, drained } = setUp({}, { maxInFlight: 2, backoffMs: 0 })
    add(put(0, 'a'), put(1, 'b'), put(2, 'c'), put(3, 'd'))
    const [first, second] = [await link.next(0), await link.next(1)]
    first.answerWhole(429, 'busy')
    second.answerWhole(429, 'busy')
    const third = await link.next(2)
    const over = drained()
    await new Promise((resolve) => setImmediate(resolve))
    expect(link.asked).toHaveLength(3)
    third.answer(200, 200)
    ;(await link.next(3)).answer(200, 200)
    await over
  })

  test('no more requests at a time than allowed', async () => {
    const { link, add, drained } = setUp({}, { maxInFlight: 1 })
    add(put(0, 'a'), put(1, 'b'), put(2, 'c'))
    const first = await link.next(0)
    const over = drained()
    expect(link.asked).toHaveLength(1)
    first.answer(200, 200)
    ;(await link.next(1)).answer(200)
    await over
  })
})

test('what was put of a partition that went elsewhere is not written any more, nor waited for', async () => {
  const { link, add, drained, settled, assignments } = setUp({})
  add(put(0, 'a'), put(1, 'b'))
  const first = await link.next(0)
  assignments.close([{ topic: 'topic', partition: 0 }])
  expect(settled(2)).toBe(2)
  first.answer(200, [429, 'busy'])
  await drained()
  expect(link.asked).toHaveLength(1)
})
