import { jsonText } from './json-text.ts'
import { elementText } from './row-text.ts'

/** A map or an object as hstore: `"a"=>"1","b"=>NULL`. What is neither text nor null becomes JSON. */
export function hstoreText(value: unknown): string {
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value as object)
  return entries.map(([key, item]) => `${elementText(String(key))}=>${elementText(itemText(item))}`).join(',')
}

function itemText(item: unknown): string | null {
  if (item === null || item === undefined) return null
  return typeof item === 'string' ? item : jsonText(item)
}
