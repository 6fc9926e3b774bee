import { NamePatterns } from '../events/name-patterns.ts'

/** What somebody asks of the task while it streams. Told again after a crash as long as it is not dealt with, so plain data. */
export type Signal =
  | ExecuteSignal
  | {
      readonly kind: 'stop'
      /** Expressions for `schema.table`; undefined: all. */
      readonly collections: readonly string[] | undefined
    }
  | { readonly kind: 'pause' }
  | { readonly kind: 'resume' }
  | { readonly kind: 'log'; readonly message: string }

export interface ExecuteSignal {
  readonly kind: 'execute'
  readonly type: 'incremental' | 'blocking'
  /** Expressions for `schema.table`. */
  readonly collections: readonly string[]
  readonly conditions: readonly SignalCondition[]
  readonly surrogateKey: string | undefined
}

/** Which rows of a table are wanted. */
export interface SignalCondition {
  /** An expression for `schema.table`. */
  readonly collection: string
  /** A condition in SQL; of a blocking snapshot also a whole SELECT, as Debezium has it. */
  readonly filter: string
}

type Json = Readonly<Record<string, unknown>>

/**
 * Makes of a signal's type and data what it asks for.
 * @param data an object, or its JSON text
 * @throws TypeError with what is wrong
 */
export function parseSignal(type: string, data: unknown): Signal {
  const fields = objectOf(data)
  switch (type.trim()) {
    case 'execute-snapshot':
      return execute(fields)
    case 'stop-snapshot': {
      incrementalOnly(fields)
      const collections = expressions(fields)
      return { kind: 'stop', collections: collections.length === 0 ? undefined : collections }
    }
    case 'pause-snapshot':
      incrementalOnly(fields)
      return { kind: 'pause' }
    case 'resume-snapshot':
      incrementalOnly(fields)
      return { kind: 'resume' }
    case 'log':
      return { kind: 'log', message: textOf(fields, 'message') ?? '' }
    default:
      throw new TypeError(
        `there is no signal ${JSON.stringify(type)}; there are execute-snapshot, stop-snapshot, pause-snapshot, resume-snapshot and log`,
      )
  }
}

/** Whether one of these expressions covers the whole of `schema.table`. */
export function covers(expressions: readonly string[], table: string): boolean {
  return patternsOf(expressions).covers(table)
}

/**
 * The filters for a table, as one condition; undefined: all of its rows.
 * @param names of the table, and of what it is a partition of
 */
export function conditionFor(conditions: readonly SignalCondition[], names: readonly string[]): string | undefined {
  const isFor = ({ collection }: SignalCondition): boolean => names.some((name) => covers([collection], name))
  const filters = conditions.filter(isFor).map(({ filter }) => filter)
  return filters.length === 0 ? undefined : filters.map((filter) => `(${filter})`).join(' AND ')
}

/** A comma is part of an expression here, where a list of settings parts them by it. */
const patternsOf = (expressions: readonly string[]): NamePatterns =>
  new NamePatterns(expressions.map((expression) => expression.replaceAll(',', '\\,')).join(','))

function execute(fields: Json): ExecuteSignal {
  const collections = expressions(fields)
  if (collections.length === 0) throw new TypeError('"data-collections" has to name tables, as in ["public.orders"]')
  const type = (textOf(fields, 'type') ?? 'incremental').toLowerCase()
  if (type !== 'incremental' && type !== 'blocking') {
    throw new TypeError(`there is no snapshot of type ${JSON.stringify(type)}; there are incremental and blocking`)
  }
  const conditions = listOf(fields, 'additional-conditions').map((item) => {
    const condition = typeof item === 'object' && item !== null ? (item as Json) : {}
    const collection = textOf(condition, 'data-collection')
    const filter = textOf(condition, 'filter')
    if (collection === undefined || filter === undefined) {
      throw new TypeError('each of "additional-conditions" has to have a "data-collection" and a "filter"')
    }
    patternsOf([collection])
    return { collection, filter }
  })
  return { kind: 'execute', type, collections, conditions, surrogateKey: textOf(fields, 'surrogate-key') }
}

function incrementalOnly(fields: Json): void {
  const type = textOf(fields, 'type')
  if (type !== undefined && type.toLowerCase() !== 'incremental') {
    throw new TypeError('only incremental snapshots can be stopped, paused and resumed')
  }
}

function expressions(fields: Json): string[] {
  const found = listOf(fields, 'data-collections').map((item) => {
    if (typeof item !== 'string' || item.trim() === '')
      throw new TypeError('"data-collections" has to be a list of texts')
    return item.trim()
  })
  patternsOf(found)
  return found
}

function objectOf(data: unknown): Json {
  const value: unknown = typeof data === 'string' && data.trim() !== '' ? JSON.parse(data) : (data ?? {})
  if (value === '') return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new TypeError('its data is no JSON object')
  return value as Json
}

function listOf(fields: Json, name: string): readonly unknown[] {
  const value = fields[name] ?? []
  if (!Array.isArray(value)) throw new TypeError(`"${name}" has to be a list`)
  return value
}

function textOf(fields: Json, name: string): string | undefined {
  const value = fields[name] ?? undefined
  if (value === undefined) return undefined
  if (typeof value !== 'string') throw new TypeError(`"${name}" has to be a text`)
  return value.trim() === '' ? undefined : value
}
