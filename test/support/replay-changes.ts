import type { SeenRecord } from './read-topic.ts'

interface Change {
  readonly op: string
  readonly after: Readonly<Record<string, unknown>> | null
  readonly source: { readonly lsn: number | null }
}

/** What the change events of a table make of it, applied in order. */
export interface Replayed {
  /** By the text of the key. */
  readonly table: ReadonlyMap<string, unknown>
  /** Events that were told before: of one operation, key, and place in the stream; of a row that was read, its key. */
  readonly twice: readonly string[]
}

/** @param records of a topic with JSON converters that write no schemas */
export function replayChanges(records: readonly SeenRecord[]): Replayed {
  const table = new Map<string, unknown>()
  const seen = new Set<string>()
  const twice: string[] = []
  for (const { key, value } of records) {
    // A tombstone.
    if (value === '') continue
    const { op, after, source } = JSON.parse(value) as Change
    if (after === null) table.delete(key!)
    else table.set(key!, after)
    const event = `${op} ${key} ${op === 'r' ? '' : source.lsn}`
    if (seen.has(event)) twice.push(event)
    seen.add(event)
  }
  return { table, twice }
}
