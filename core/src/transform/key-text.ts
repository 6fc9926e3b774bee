import { Decimal } from '@tidewire/sdk'

/**
 * A text that is the same for values which stand for the same key: a number and its digits, structs with the same fields in
 * whatever order.
 */
export function keyText(value: unknown): string {
  return typeof value === 'object' && value !== null && !(value instanceof Decimal) ? partText(value) : String(value)
}

function partText(value: unknown): string {
  if (value instanceof Uint8Array) return bytesText(value)
  if (Array.isArray(value)) return `[${value.map(quoted).join()}]`
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value as object)
  const parts = entries
    .filter(([, part]) => part !== null && part !== undefined)
    .map(([name, part]) => `${JSON.stringify(String(name))}:${quoted(part)}`)
  return `{${parts.sort().join()}}`
}

function quoted(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value)
  // Else what they hold could look like the end of them, and more fields.
  return value instanceof Uint8Array ? JSON.stringify(bytesText(value)) : keyText(value)
}

function bytesText({ buffer, byteOffset, byteLength }: Uint8Array): string {
  return Buffer.from(buffer, byteOffset, byteLength).toString('latin1')
}
