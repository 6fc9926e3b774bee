import { ConnectError } from '@tidewire/sdk'
import { parseExact, stringifyExact } from '@tidewire/sdk/json'
import { codes, isObject, problemOfAnswer } from '../link/errors.ts'
import { pathOf, type ElasticsearchLink } from '../link/link.ts'
import type { Server } from '../link/server.ts'
import type { SortValue } from './offset.ts'

/** A document as an answer has it. */
export interface Hit {
  readonly id: string
  /** undefined where the index does not keep what it was given. */
  readonly source: unknown
  /** Less the last one, which is the sequence number. */
  readonly sort: readonly SortValue[]
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
  readonly query: unknown
  /** The field to sort by, before the sequence number. */
  readonly field: string | undefined
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
        query: search.query,
        size,
        sort: [
          ...(search.field === undefined ? [] : [{ [search.field]: { order: 'asc' } }]),
          { _seq_no: { order: 'asc' } },
        ],
        ...(after !== undefined && { search_after: after }),
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
    return { hits: found.hits.hits.map(hitOf), length: answer.text.length }
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

function hitOf(hit: RawHit): Hit {
  return {
    id: hit._id,
    source: isObject(hit._source) ? hit._source : undefined,
    sort: hit.sort.slice(0, -1),
    seqNo: hit._seq_no,
    version: hit._version,
    primaryTerm: hit._primary_term,
    routing: hit._routing,
  }
}
