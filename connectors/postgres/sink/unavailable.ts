import type { Schema } from '@tidewire/sdk'
import { nameUuid } from '../types/unavailable.ts'

/**
 * Tells whether a value is Debezium's placeholder for one that was not sent (TOAST), in whatever form the schema gives it.
 * @returns undefined for a type that cannot say so
 */
export function unavailableTest(
  schema: Schema | undefined,
  placeholder: string,
): ((value: unknown) => boolean) | undefined {
  if (schema === undefined) return plainTest(placeholder)
  const bytes = Buffer.from(placeholder)
  switch (schema.type) {
    case 'string':
      // An hstore as JSON has the placeholder as its key and its value.
      if (schema.name !== 'io.debezium.data.Json') return (value) => value === placeholder
      return (value) => value === placeholder || value === `{"${placeholder}":"${placeholder}"}`
    case 'bytes':
      return schema.name === undefined ? (value) => value instanceof Uint8Array && bytes.equals(value) : undefined
    case 'map':
      return (value) => value instanceof Map && value.size === 1 && value.has(placeholder)
    case 'array':
      return elementsTest(schema.values!, placeholder, bytes)
    default:
      return undefined
  }
}

/** One element that is the placeholder; of numbers, its bytes. */
function elementsTest(element: Schema, placeholder: string, bytes: Buffer): ((value: unknown) => boolean) | undefined {
  if (/^int(16|32|64)$/.test(element.type)) {
    return (value) => Array.isArray(value) && isListOf(bytes, value)
  }
  // Not any text is a UUID: the name of one stands for it.
  const uuid = nameUuid(placeholder)
  const isOne =
    element.name === 'io.debezium.data.Uuid'
      ? (value: unknown) => value === uuid || value === placeholder
      : unavailableTest(element, placeholder)
  return isOne && ((value) => Array.isArray(value) && value.length === 1 && isOne(value[0]))
}

/** As Java has bytes: from -128 to 127. */
function isListOf(bytes: Buffer, items: readonly unknown[]): boolean {
  return (
    items.length === bytes.length &&
    items.every((item, at) => (Number(item) & 0xff) === bytes[at] && Math.abs(Number(item)) <= 0x80)
  )
}

/** Any of the forms, as JSON without a schema has them: bytes are base64 there. */
function plainTest(placeholder: string): (value: unknown) => boolean {
  const bytes = Buffer.from(placeholder)
  const texts = new Set([placeholder, bytes.toString('base64'), `{"${placeholder}":"${placeholder}"}`])
  const elements = new Set<unknown>([...texts, nameUuid(placeholder)])
  return (value) => {
    if (typeof value === 'string') return texts.has(value)
    if (typeof value !== 'object' || value === null) return false
    if (Array.isArray(value)) return value.length === 1 ? elements.has(value[0]) : isListOf(bytes, value)
    if (value instanceof Uint8Array) return bytes.equals(value)
    if (value instanceof Map) return value.size === 1 && value.has(placeholder)
    return Object.hasOwn(value, placeholder) && Object.keys(value).length === 1
  }
}
