import type { Schema } from '@tidewire/sdk'

/**
 * Tells whether a value is Debezium's placeholder for one that was not sent (TOAST), in whatever form the schema gives it.
 * @returns undefined for a type that cannot say so
 */
export function unavailableTest(
  schema: Schema | undefined,
  placeholder: string,
): ((value: unknown) => boolean) | undefined {
  if (schema === undefined) return (value) => value === placeholder
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
    return (value) =>
      Array.isArray(value) &&
      value.length === bytes.length &&
      value.every((item, at) => (Number(item) & 0xff) === bytes[at] && Math.abs(Number(item)) <= 0x80)
  }
  const isOne = unavailableTest(element, placeholder)
  return isOne && ((value) => Array.isArray(value) && value.length === 1 && isOne(value[0]))
}
