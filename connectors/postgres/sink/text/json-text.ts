import { Decimal } from '@tidewire/sdk'

/**
 * A value as JSON, with every digit of integers and decimals, bytes as base64, a map as an object, or as an array of pairs
 * where its keys are not texts. Floats that JSON has no form for become null.
 */
export function jsonText(value: unknown): string {
  return JSON.stringify(jsonable(value))
}

function jsonable(value: unknown): unknown {
  if (typeof value === 'bigint' || value instanceof Decimal) return rawJson(value.toString())
  if (typeof value !== 'object' || value === null) return value ?? null
  if (value instanceof Uint8Array) return Buffer.from(value.buffer, value.byteOffset, value.length).toString('base64')
  if (value instanceof Map) {
    const entries = [...(value as Map<unknown, unknown>)]
    const isObject = entries.every(([key]) => typeof key === 'string')
    return isObject
      ? Object.fromEntries(entries.map(([key, item]) => [key as string, jsonable(item)]))
      : entries.map((entry) => entry.map(jsonable))
  }
  if (Array.isArray(value)) return value.map(jsonable)
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, jsonable(item)]))
}

/** JSON.rawJSON of ES2026: text that stringify writes as it stands. TypeScript does not know it yet. */
const { rawJSON: rawJson } = JSON as unknown as { readonly rawJSON: (text: string) => unknown }
