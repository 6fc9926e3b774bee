import { ConnectError } from '@tidewire/sdk'
import { parseExact, stringifyExact } from '@tidewire/sdk/json'
import { codes, isObject, problemOfAnswer } from '../link/errors.ts'
import { pathOf, type ElasticsearchLink } from '../link/link.ts'
import type { Server } from '../link/server.ts'
import type { SortValue } from './offset.ts'
import { allOf, byScore, constantScore, leavesOut, rangeOf, type SortField } from './sort-field.ts'

/** A document as an answer has it. */
export interface Hit {
  readonly id: string
  /** undefined where the index does not keep what it was given. */
  readonly source: unknown
  /** Of the field that documents are sorted by. */
  readonly value: SortValue | undefined
  readonly seqNo: number
  readonly version: number
  readonly primaryTerm: number
  readonly routing: string | undefined
}

export interface Page {
  readonly hits: readonly Hit[]
  /** Length of the answer, which is about its size in bytes. */
  readonly length: number
}

/** What is asked of an index: the parts of a request that the settings decide. */
export interface Search {
  readonly filters: readonly unknown[]
  /** The field to sort by, before the sequence number. */
  readonly field: SortField | undefined
  readonly includes: readonly string[]
  readonly excludes: readonly string[]
}

/** The server has given up the point in time: its time was over, or the node it was on is gone. */
export class PointInTimeGone extends Error {}

/** An index as it was at one time, however it changes. */
export class PointInTime {
  readonly #link: ElasticsearchLink
  readonly #server: Server
  readonly #index: string
  readonly #keepAlive: string
  #id: string

  private constructor(link: ElasticsearchLink, server: Server, index: string, keepAlive: string, id: string) {
    this.#link = link
    this.#server = server
    this.#index = index
    this.#keepAlive = keepAlive
    this.#id = id
  }

  /** @throws ConnectError, also where a shard of the index cannot be read: what is missing would count as read */
  static async open(
    { link, server }: { readonly link: ElasticsearchLink; readonly server: Server },
    index: string,
    keepAliveMs: number,
    signal: AbortSignal,
  ): Promise<PointInTime> {
    const keepAlive = `${keepAliveMs}ms`
    const isOpenSearch = server.product === 'OpenSearch'
    const what = `opening a point in time of ${index}`
    const answer = await link.ask({
      method: 'POST',
      path: `${pathOf(index)}/${isOpenSearch ? '_search/point_in_time' : '_pit'}`,
      query: { keep_alive: keepAlive, ...(isOpenSearch && { allow_partial_pit_creation: false }) },
      what,
      signal,
    })
    if (answer.status === 405) {
      const hint = 'this server has no points in time, which came with Elasticsearch 7.10 and OpenSearch 2.4'
      throw new ConnectError(`${what}: ${hint}`, { code: codes.refused })
    }
    if (answer.status >= 400) throw problemOfAnswer(answer, what)
    const opened = JSON.parse(answer.text) as Record<string, unknown>
    return new PointInTime(link, server, index, keepAlive, opened[isOpenSearch ? 'pit_id' : 'id'] as string)
  }

  /**
   * The next documents in the order of field and sequence number.
   * @param after only those that come after it
   * @throws PointInTimeGone; ConnectError, also where a shard gave no answer
   */
  async read(
    search: Search,
    after: readonly SortValue[] | undefined,
    size: number,
    signal: AbortSignal,
  ): Promise<Page> {
    const what = `reading ${this.#index}`
    const answer = await this.#link.ask({
      method: 'POST',
      path: '/_search',
      query: { allow_partial_search_results: false },
      body: stringifyExact({
        pit: { id: this.#id, keep_alive: this.#keepAlive },
        ...sorted(this.#server, search, after),
        size,
        ...(search.includes.length + search.excludes.length > 0 && {
          _source: { includes: search.includes, excludes: search.excludes },
        }),
        version: true,
        seq_no_primary_term: true,
        track_total_hits: false,
      }),
      what,
      signal,
    })
    if (answer.status === 404) throw new PointInTimeGone(answer.text)
    if (answer.status >= 400) throw problemOfAnswer(answer, what)
    const found = parseExact(answer.text, 'integers') as Answered
    if (found.timed_out || found._shards.failed > 0) {
      throw problemOfAnswer({ status: 503, text: 'some shards gave no answer in time' }, what)
    }
    if (typeof found.pit_id === 'string') this.#id = found.pit_id
    const at = search.field === undefined ? undefined : leavesOut(this.#server, search.field) ? 1 : 0
    return { hits: found.hits.hits.map((hit) => hitOf(hit, at)), length: answer.text.length }
  }

  /** Leaves to its end what cannot be ended quickly. */
  async close(): Promise<void> {
    const isOpenSearch = this.#server.product === 'OpenSearch'
    await this.#link
      .ask({
        method: 'DELETE',
        path: isOpenSearch ? '/_search/point_in_time' : '/_pit',
        body: JSON.stringify(isOpenSearch ? { pit_id: [this.#id] } : { id: this.#id }),
        what: `closing a point in time of ${this.#index}`,
        // Also at the end of a task, which cannot wait.
        signal: AbortSignal.timeout(2000),
      })
      .catch(() => undefined)
  }
}

interface Answered {
  readonly pit_id?: unknown
  readonly timed_out: boolean
  readonly _shards: { readonly failed: number }
  readonly hits: { readonly hits: readonly RawHit[] }
}

interface RawHit {
  readonly _id: string
  readonly _source?: unknown
  readonly _seq_no: number
  readonly _version: number
  readonly _primary_term: number
  readonly _routing?: string
  readonly sort: readonly SortValue[]
}

/** The parts of a request that say which documents come, and in which order. */
function sorted(server: Server, { filters, field }: Search, after: readonly SortValue[] | undefined): object {
  const bySeqNo = { _seq_no: { order: 'asc' } }
  if (field === undefined) return { query: allOf(filters), sort: [bySeqNo], ...(after && { search_after: after }) }
  const sort = [{ [field.name]: { order: 'asc' } }, bySeqNo]
  if (!leavesOut(server, field)) return { query: allOf(filters), sort, ...(after && { search_after: after }) }
  // Without a first page's shortcut each page looks at all that the filters let through.
  const behind = after === undefined ? [] : [rangeOf(field, { gte: after[0]! })]
  return { ...byScore(filters.concat(behind), sort), ...(after && { search_after: [constantScore, ...after] }) }
}

/** @param valueAt where the field's value is among those sorted by; counted from the first, since Elasticsearch may add some */
function hitOf(hit: RawHit, valueAt: number | undefined): Hit {
  return {
    id: hit._id,
    source: isObject(hit._source) ? hit._source : undefined,
    value: valueAt === undefined ? undefined : hit.sort[valueAt],
    seqNo: hit._seq_no,
    version: hit._version,
    primaryTerm: hit._primary_term,
    routing: hit._routing,
  }
}
