/**
 * Numbers and values as Java prints them, which is what stands in the topics of an existing Kafka Connect: a double is
 * `1.0` and `1.0E10` there, never `1` and `10000000000`.
 */
import { Decimal, type Schema } from '../schema.ts'
import { doubleText, floatText } from './java-number-text.ts'

/** BigDecimal.toString: scientific for a negative scale and for numbers below 10^−6. */
export function decimalText(value: Decimal): string {
  const sign = value.unscaled < 0n ? '-' : ''
  const digits = (value.unscaled < 0n ? -value.unscaled : value.unscaled).toString()
  const exponent = digits.length - 1 - value.scale
  if (value.scale >= 0 && exponent >= -6) return value.toString()
  const mantissa = digits.length > 1 ? `${digits[0]!}.${digits.slice(1)}` : digits
  return `${sign}${mantissa}${exponent === 0 ? '' : `E${exponent > 0 ? '+' : ''}${exponent}`}`
}

/** What `toString()` gives for a value in Java: `{a=1, b=[x, y]}`, `Struct{id=1}`. For the string converter. */
export function javaToString(schema: Schema | undefined, value: unknown): string {
  if (value === null || value === undefined) return 'null'
  switch (typeof value) {
    case 'string':
      return value
    case 'number':
      if (schema?.type === 'float64') return doubleText(value)
      if (schema?.type === 'float32') return floatText(value)
      return schema === undefined && !Number.isSafeInteger(value) ? doubleText(value) : String(value)
    case 'object':
      return objectToString(schema, value)
    default:
      // What is left: bigint and boolean.
      return (value as bigint | boolean).toString()
  }
}

function objectToString(schema: Schema | undefined, value: object): string {
  if (value instanceof Decimal) return decimalText(value)
  if (value instanceof Uint8Array) return Buffer.from(value).toString('utf8')
  if (Array.isArray(value)) return `[${value.map((item) => javaToString(schema?.values, item)).join(', ')}]`
  if (schema?.type === 'struct') {
    const struct = value as Readonly<Record<string, unknown>>
    const parts = (schema.fields ?? [])
      .filter((field) => struct[field.name] != null)
      .map((field) => `${field.name}=${javaToString(field.schema, struct[field.name])}`)
    return `Struct{${parts.join(',')}}`
  }
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value)
  return `{${entries.map(([key, item]) => `${javaToString(schema?.keys, key)}=${javaToString(schema?.values, item)}`).join(', ')}}`
}
