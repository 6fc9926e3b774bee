import { Decimal } from '@tidewire/sdk'

/**
 * One record's value as one line, without its end: a string as it is, anything else as JSON. A string with a line
 * break in it becomes a JSON string, for it would otherwise be two lines.
 */
export function lineOf(value: unknown): string {
  if (typeof value === 'string' && !value.includes('\n') && !value.includes('\r')) return value
  return JSON.stringify(jsonable(value))
}

/**
 * The value with what JSON.stringify cannot write replaced by what stands for it in Kafka Connect's JSON: bytes as
 * base64, a map as an object, or as an array of pairs where its keys are not strings. Integers and decimals keep all
 * their digits. Answers the value itself where nothing needs replacing, which is nearly always.
 */
function jsonable(value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof Decimal) return rawJson(value.toString())
  if (typeof value !== 'object' || value === null) return value ?? null
  if (value instanceof Uint8Array) {
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  }
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)]
    const named = entries.every(([key]) => typeof key === 'string')
    return jsonable(named ? Object.fromEntries(entries) : entries)
  }
  const items = value as Readonly<Record<string, unknown>>
  let changed: Record<string, unknown> | undefined
  for (const key in items) {
    const replacement = jsonable(items[key])
    if (replacement === items[key]) continue
    changed ??= (Array.isArray(value) ? [...(value as unknown[])] : { ...items }) as Record<string, unknown>
    changed[key] = replacement
  }
  return changed ?? value
}

/** JSON.rawJSON of ES2026: text that stringify writes as it stands. TypeScript does not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }
