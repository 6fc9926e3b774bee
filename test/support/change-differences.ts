/** Where two readers of one database differ, event by event, field by field, schema by schema. */
import { stringifyExact } from '@tidewire/sdk/exact-json'
import type { ChangeEvent, ConnectSchema, Side } from './change-events.ts'

export interface ChangeDifference {
  /** Topic without its prefix, and what in its records: `public.t_date value.after.v`, `public.t_date value schema.after.v.default`. */
  readonly where: string
  /** What the two have there, as JSON, of the first record in which they differ so. */
  readonly theirs: string
  readonly ours: string
  /** Which one that is, by its key. */
  readonly record: string
}

/** Of a topic, at most so many: who differs in all of them differs in the first. */
const mostOfTopic = 200

export function changeDifferences(
  theirs: ReadonlyMap<string, readonly ChangeEvent[]>,
  ours: ReadonlyMap<string, readonly ChangeEvent[]>,
  prefix: string,
): ChangeDifference[] {
  const topics = [...new Set([...theirs.keys(), ...ours.keys()])].sort()
  return topics.flatMap((topic) => {
    const name = topic.slice(prefix.length)
    // A topic without records and none at all tell consumers the same.
    const [a, b] = [(theirs.get(topic) ?? []).map(settle), (ours.get(topic) ?? []).map(settle)]
    return differencesOfTopic(name, a, b)
  })
}

function differencesOfTopic(topic: string, a: readonly ChangeEvent[], b: readonly ChangeEvent[]): ChangeDifference[] {
  const seen = new Map<string, ChangeDifference>()
  const note = (what: string, theirs: unknown, ours: unknown, record: string): void => {
    const difference = { where: `${topic} ${what}`, theirs: textOf(theirs), ours: textOf(ours), record }
    const id = `${difference.where} ${difference.theirs} ${difference.ours}`
    if (!seen.has(id) && seen.size < mostOfTopic) seen.set(id, difference)
  }
  for (const [x, y] of paired(a, b)) {
    const record = signature((x ?? y)!)
    if (x === undefined || y === undefined) {
      note('record', x === undefined ? undefined : record, y === undefined ? undefined : record, record)
      continue
    }
    for (const side of ['key', 'value'] as const) {
      compare(x[side]?.payload, y[side]?.payload, side, (...found) => note(...found, record))
      compare(byName(x[side]?.schema), byName(y[side]?.schema), `${side} schema`, (...found) => note(...found, record))
    }
    compare(x.headers, y.headers, 'headers', (...found) => note(...found, record))
  }
  return [...seen.values()]
}

/** The records of both that stand for the same event; one alone where the other has none for it. */
function* paired(
  a: readonly ChangeEvent[],
  b: readonly ChangeEvent[],
): Generator<readonly [ChangeEvent | undefined, ChangeEvent | undefined]> {
  const [x, y] = [a.map(signature), b.map(signature)]
  let [i, j] = [0, 0]
  while (i < a.length || j < b.length) {
    if (i < a.length && j < b.length && (x[i] === y[j] || a.length - i === b.length - j)) {
      yield [a[i++], b[j++]]
      continue
    }
    const [atB, atA] = [y.indexOf(x[i]!, j), x.indexOf(y[j]!, i)]
    if (i < a.length && (atB < 0 || j >= b.length || (atA >= 0 && atA - i <= atB - j))) yield [a[i++], undefined]
    else yield [undefined, b[j++]]
  }
}

/** What an event is about. */
function signature({ key, value }: ChangeEvent): string {
  const payload = value?.payload as { readonly op?: string; readonly status?: string } | null | undefined
  const kind = value === null ? 'tombstone' : (payload?.op ?? payload?.status ?? 'record')
  return `${kind} ${textOf(key?.payload)}`
}

type Row = Readonly<Record<string, unknown>>

/**
 * An event without what is each reader's own: when it was processed, the reader's version, and of a snapshot, where and
 * when it was taken. What is left says what kind of value was there.
 */
function settle({ headers, ...event }: ChangeEvent): ChangeEvent {
  const run = '__debezium.context.runId'
  const settled = run in headers ? { ...headers, [run]: typeof headers[run] } : headers
  return { ...event, headers: settled, value: settleValue(event.value) }
}

function settleValue(value: Side): Side {
  const payload = value?.payload as Row | null | undefined
  if (payload === null || payload === undefined || value === null) return value
  const settled: Record<string, unknown> = { ...payload }
  if ('op' in payload) for (const name of ['ts_ms', 'ts_us', 'ts_ns']) settled[name] = kindOf(payload[name])
  const source = payload['source'] as Row | undefined
  if (source !== undefined) {
    const own = source['snapshot'] === 'false' ? [] : ['ts_ms', 'ts_us', 'ts_ns', 'lsn', 'txId', 'sequence']
    const kinds = own.map((name) => [name, kindOf(source[name])] as const)
    settled['source'] = { ...source, ...Object.fromEntries(kinds), version: typeof source['version'] }
  }
  const counts = payload['data_collections'] as readonly Row[] | null | undefined
  // Of a transaction: a list in the order of a hash map.
  if (Array.isArray(counts)) settled['data_collections'] = [...counts].sort((a, b) => (textOf(a) < textOf(b) ? -1 : 1))
  return { ...value, payload: settled }
}

/** Its type, and how long its text is. */
function kindOf(value: unknown): string {
  if (value === undefined || value === null) return String(value)
  return `${typeof value} like ${textOf(value).replace(/\d/g, '0').replace(/0+/g, '0')}`
}

/** A schema with fields by name, and their order apart: one more then differs alone. */
function byName(schema: ConnectSchema | null | undefined): unknown {
  if (schema === null || schema === undefined) return schema
  const { fields = [], ...rest } = schema
  const own = Object.entries(rest).map(([name, value]) => [name, isSchema(value) ? byName(value) : value] as const)
  const named = fields.map((field) => [`.${field.field}`, byName(field)] as const)
  const order = fields.map(({ field }) => field)
  return { ...Object.fromEntries<unknown>(own), ...Object.fromEntries<unknown>(named), order }
}

const isSchema = (value: unknown): value is ConnectSchema =>
  typeof value === 'object' && value !== null && 'type' in value && !Array.isArray(value)

function compare(a: unknown, b: unknown, path: string, note: (path: string, a: unknown, b: unknown) => void): void {
  if (a === b) return
  const [x, y] = [a, b] as [Row, Row]
  if (isObject(a) && isObject(b) && Array.isArray(a) === Array.isArray(b)) {
    if (Array.isArray(a) && a.length !== (b as readonly unknown[]).length) {
      note(path, a, b)
      return
    }
    for (const name of new Set([...Object.keys(x), ...Object.keys(y)])) {
      compare(x[name], y[name], `${path}.${name.replace(/^\./, '')}`, note)
    }
    return
  }
  if (!Object.is(a, b)) note(path, a, b)
}

const isObject = (value: unknown): boolean => typeof value === 'object' && value !== null

function textOf(value: unknown): string {
  return value === undefined ? 'nothing' : stringifyExact(value)
}
