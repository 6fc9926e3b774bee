/** What routes find in paths and queries. */
import type { FastifyRequest } from 'fastify'
import { errors, RegistryError } from './registry-error.ts'
import type { Which } from './registry-state.ts'

type Query = Readonly<Record<string, string | readonly string[] | undefined>>

/** Reads the query as the Confluent registry does: what is not `true` is false. */
export class QueryReader {
  readonly #query: Query

  constructor(request: FastifyRequest) {
    this.#query = request.query as Query
  }

  text(name: string): string | undefined {
    return this.texts(name)[0]
  }

  texts(name: string): readonly string[] {
    const value = this.#query[name]
    return value === undefined ? [] : typeof value === 'string' ? [value] : value
  }

  flag(name: string): boolean {
    return this.text(name)?.toLowerCase() === 'true'
  }

  /** @throws RegistryError 404, as for a path that there is not */
  integer(name: string, preset: number): number {
    const text = this.text(name)
    return text === undefined || text === '' ? preset : integerOf(text)
  }

  get which(): Which {
    return this.flag('deleted') ? 'all' : 'live'
  }
}

export interface PageLimits {
  readonly preset: number
  readonly max: number
}

/** What `offset` and `limit` ask for. */
export function page<T>(all: Iterable<T>, query: QueryReader, { preset, max }: PageLimits): T[] {
  const offset = Math.max(0, query.integer('offset', 0))
  const asked = query.integer('limit', -1)
  const limit = asked > 0 && asked <= max ? asked : preset
  return Iterator.from(all).drop(offset).take(limit).toArray()
}

export function parameter(request: FastifyRequest, name: string): string {
  return (request.params as Readonly<Record<string, string>>)[name] ?? ''
}

/** @throws RegistryError 404 */
export function idOf(request: FastifyRequest): number {
  return integerOf(parameter(request, 'id'))
}

/** -1: the latest. @throws RegistryError 42202 */
export function versionOf(request: FastifyRequest): number {
  const given = parameter(request, 'version')
  const text = given.trim().toLowerCase()
  if (text === 'latest') return -1
  const version = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : NaN
  if ((version | 0) !== version || (version <= 0 && version !== -1)) throw errors.invalidVersion(given)
  return version
}

function integerOf(text: string): number {
  const number = /^[+-]?\d{1,10}$/.test(text) ? Number(text) : NaN
  if ((number | 0) !== number) throw new RegistryError(404, 404, 'HTTP 404 Not Found')
  return number
}
