/** Values and bytes as they can be shown in JSON. Integers that JSON's reader would cut stay bigints. */
import { Decimal, type Bytes, type Schema } from '@tidewire/sdk'
import { schemaText, type JsonOptions } from '@tidewire/sdk/json'
import type { ShownBytes } from './errand-messages.ts'

const options: JsonOptions = { decimalFormat: 'NUMERIC', replaceNullWithDefault: false }
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Cut to `maxBytes`; text where it is UTF-8, else base64. */
export function shownBytes(bytes: Bytes, maxBytes: number): ShownBytes | null {
  if (bytes === null) return null
  const all = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
  const size = all.byteLength
  const cut = size > maxBytes
  const text = textOf(all.subarray(0, cut ? maxBytes : size), cut)
  const part = Buffer.from(all.buffer, all.byteOffset, cut ? maxBytes : size)
  return {
    encoding: text === undefined ? 'base64' : 'utf-8',
    data: text ?? part.toString('base64'),
    size,
    ...(cut ? { truncated: true } : {}),
  }
}

/** Undefined where it is no text. Of text that was cut, the last character may be in pieces. */
function textOf(bytes: Uint8Array, cut: boolean): string | undefined {
  for (let less = 0; less <= (cut ? Math.min(3, bytes.byteLength - 1) : 0); less++) {
    try {
      return utf8.decode(bytes.subarray(0, bytes.byteLength - less))
    } catch {
      // Not at this length.
    }
  }
  return undefined
}

/**
 * Plain JSON data. Byte arrays become base64, Decimals text, dates their ISO form, maps with other keys than text pairs, and
 * NaN and the infinities text.
 * @throws RangeError where it is nested without end
 */
export function plainValue(value: unknown): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value
    case 'number':
      return Number.isFinite(value) ? value : String(value)
    case 'object':
      return value === null ? null : plainObject(value)
    case 'undefined':
      return null
    default:
      return String(value)
  }
}

function plainObject(value: object): unknown {
  if (Array.isArray(value)) return value.map(plainValue)
  if (value instanceof Uint8Array)
    return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (value instanceof Map) {
    const entries = [...value.entries()] as [unknown, unknown][]
    const hasTextKeys = entries.every(([key]) => typeof key === 'string')
    const plain = entries.map(([key, entry]) => [hasTextKeys ? key : plainValue(key), plainValue(entry)])
    return hasTextKeys ? Object.fromEntries(plain as [string, unknown][]) : plain
  }
  // By its form: it may be of another copy of the SDK.
  if ('unscaled' in value && typeof value.unscaled === 'bigint' && 'scale' in value) return decimalText(value)
  return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plainValue(field)]))
}

function decimalText({ unscaled, scale }: { readonly unscaled: unknown; readonly scale: unknown }): string {
  return new Decimal(unscaled as bigint, Number(scale)).toString()
}

/** In the JSON converter's notation; null for none, or one that cannot be written down. */
export function plainSchema(schema: Schema | undefined): unknown {
  if (schema === undefined) return null
  try {
    return JSON.parse(schemaText(schema, options)) as unknown
  } catch {
    return null
  }
}
