import { ConfigError } from '@tidewire/sdk'
import { parseExact, stringifyExact } from '@tidewire/sdk/json'
import { isObject } from '../link/errors.ts'
import { pathOf, type ElasticsearchLink } from '../link/link.ts'
import type { Server } from '../link/server.ts'
import type { SortValue } from './offset.ts'
import { modeOf, type ReadConfig } from './settings.ts'

const timeTypes = ['date', 'date_nanos', 'long']
const growingTypes = [...timeTypes, 'integer', 'short', 'byte', 'unsigned_long', 'double', 'float', 'keyword']
const nanosPerMs = 1_000_000n

/** A field that documents are sorted by. */
export interface SortField {
  readonly name: string
  /** In the index that is read. */
  readonly type: string
}

/**
 * The type of the field in an index; undefined where no document has had it yet.
 * @throws ConfigError for one that documents cannot be read by; ConnectError
 */
export async function sortableType(
  link: ElasticsearchLink,
  index: string,
  field: string,
  config: ReadConfig,
  signal: AbortSignal,
): Promise<string | undefined> {
  const text = await link.get({
    method: 'GET',
    path: `${pathOf(index)}/_field_caps`,
    query: { fields: field },
    what: `asking for the type of the field ${field} of ${index}`,
    signal,
  })
  const answer = JSON.parse(text) as unknown
  const fields = isObject(answer) ? answer['fields'] : undefined
  const types = isObject(fields) ? fields[field] : undefined
  const type = isObject(types) ? Object.keys(types).find((name) => name !== 'unmapped') : undefined
  const mode = modeOf(config)
  const allowed = mode === 'timestamp' ? timeTypes : growingTypes
  if (type === undefined || allowed.includes(type)) return type
  const setting = `${mode}.field.name`
  const hint = type === 'text' ? `. Perhaps ${field}.keyword is meant` : ''
  throw new ConfigError(`${index}: ${field} is of type ${type}; ${setting} has to be of ${allowed.join(', ')}${hint}`, {
    setting,
  })
}

/** The greatest value that can be seen now; undefined where there is none. @throws ConnectError */
export async function greatestValue(
  { link, server, signal }: { readonly link: ElasticsearchLink; readonly server: Server; readonly signal: AbortSignal },
  index: string,
  field: SortField,
  filters: readonly unknown[],
): Promise<SortValue | undefined> {
  const sort = [{ [field.name]: { order: 'desc' } }]
  const there = [...filters, { exists: { field: field.name } }]
  const text = await link.get({
    method: 'POST',
    path: `${pathOf(index)}/_search`,
    query: { allow_partial_search_results: false },
    body: stringifyExact({
      ...(leavesOut(server, field) ? byScore(there, sort) : { query: allOf(there), sort }),
      size: 1,
      _source: false,
      track_total_hits: false,
    }),
    what: `looking for the greatest ${field.name} of ${index}`,
    signal,
  })
  const { hits } = parseExact(text, 'integers') as { hits: { hits: { sort: SortValue[] }[] } }
  return hits.hits[0]?.sort.at(-1)
}

/** A query for the documents that all filters let through. */
export const allOf = (filters: readonly unknown[]): unknown => ({ bool: { filter: filters } })

/**
 * Whether the server leaves out documents of an index with several shards where this field is the first to sort by: OpenSearch
 * (2.19 and 3.8 at least) compares what one shard has found, in nanoseconds, with the bounds of the next one, and passes that over.
 */
export function leavesOut({ product }: Server, { type }: SortField): boolean {
  return product === 'OpenSearch' && type === 'date_nanos'
}

/** What all documents of {@link byScore} have as their first value. */
export const constantScore = 1

/** The same order, with something before it that all documents have in common. */
export function byScore(filters: readonly unknown[], sort: readonly unknown[]): object {
  return {
    query: { constant_score: { filter: allOf(filters), boost: constantScore } },
    sort: [{ _score: { order: 'asc' } }, ...sort],
  }
}

/** A filter for the documents with a value from one on, or up to one. */
export function rangeOf(
  { name, type }: SortField,
  bounds: { readonly gte?: SortValue; readonly lte?: SortValue },
): unknown {
  switch (type) {
    case 'date':
      return { range: { [name]: { ...bounds, format: 'epoch_millis' } } }
    case 'date_nanos': {
      const texts = Object.entries(bounds).map(([bound, value]) => [bound, isoNanos(BigInt(value))] as const)
      return { range: { [name]: { ...Object.fromEntries(texts), format: 'strict_date_optional_time_nanos' } } }
    }
    default:
      return { range: { [name]: bounds } }
  }
}

function isoNanos(nanos: bigint): string {
  const seconds = new Date(Number(nanos / nanosPerMs)).toISOString().slice(0, 19)
  return `${seconds}.${String(nanos % (1000n * nanosPerMs)).padStart(9, '0')}Z`
}

/** The value just before a time, in milliseconds since 1970, so that what comes after it has that time or a later one. */
export function valueOfTime(ms: number, type: string): SortValue {
  return type === 'date_nanos' ? BigInt(ms) * nanosPerMs - 1n : ms - 1
}

/** The time that a value stands for, in milliseconds since 1970; undefined where it is none. */
export function timeOf(value: SortValue, type: string | undefined): number | undefined {
  if (type === 'date') return Number(value)
  if (type === 'date_nanos') return Number(BigInt(value) / nanosPerMs)
  return undefined
}

/** A value as the server gave it: stored, a long integer is a text. @throws ConfigError where it is no such value */
export function exactOf(value: SortValue, type: string): SortValue {
  if (type === 'keyword') return String(value)
  if (typeof value !== 'string') return value
  if (/^-?\d+$/.test(value)) return BigInt(value)
  throw new ConfigError(
    `the stored value ${JSON.stringify(value)} is none of a field of type ${type}: change the offset`,
  )
}
