import { Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { debeziumEncoder } from './debezium-text.ts'
import type { Encode } from './encode.ts'
import { hstoreText } from './hstore-text.ts'
import { jsonText } from './json-text.ts'
import { dateText, timestampText, timeText, zoneClock } from './moment-text.ts'
import { elementText } from './row-text.ts'
import { isBits, isJson, isNumber, isText, type TargetType } from './target-type.ts'

export interface EncodeOptions {
  /** `db.timezone`. */
  readonly timeZone: string
}

/**
 * How values of a schema are written to a column of a type. Where the two do not fit, the value's plain text is written, and the
 * server says what it thinks of it.
 * @param schema undefined: the value has none, and is written by what it is
 */
export function encoderOf(schema: Schema | undefined, target: TargetType, options: EncodeOptions): Encode {
  if (schema === undefined) return plainEncoder(target)
  const named = schema.name === undefined ? undefined : namedEncoder(schema, target, options)
  if (named !== undefined) return named
  switch (schema.type) {
    case 'array':
      return arrayEncoder(schema.values, target, options)
    case 'map':
      return target.name === 'hstore' ? hstoreText : jsonText
    case 'struct':
      return jsonText
    case 'bytes':
      return bytesText
    case 'boolean':
      return booleanEncoder(target)
    case 'float32':
    case 'float64':
      return floatText
    case 'string':
      return stringText
    default:
      return String
  }
}

function namedEncoder(schema: Schema, target: TargetType, options: EncodeOptions): Encode | undefined {
  switch (schema.name) {
    case logicalNames.decimal:
      return String
    case logicalNames.date:
      return isNumber(target) ? String : (days) => dateText(days as number)
    case logicalNames.time:
      return isNumber(target) ? String : (millis) => timeText((millis as number) * 1000)
    case logicalNames.timestamp:
      return isNumber(target) ? String : instantEncoder(target, options)
    default:
      return debeziumEncoder(schema, target)
  }
}

/** An instant: itself where the column keeps one, else what the wall clock of `db.timezone` shows. */
function instantEncoder(target: TargetType, { timeZone }: EncodeOptions): Encode {
  if (target.name === 'timestamptz' || isText(target)) {
    return (millis) => timestampText(millis as number | bigint, 'millis', '+00')
  }
  const offsetAt = zoneClock(timeZone)
  return (millis) => {
    if (typeof millis === 'bigint') return timestampText(millis, 'millis')
    return timestampText((millis as number) + offsetAt(millis as number), 'millis')
  }
}

function booleanEncoder(target: TargetType): Encode {
  if (isNumber(target) || isBits(target)) return (value) => (value === true ? '1' : '0')
  return (value) => (value === true ? 'true' : 'false')
}

const stringText: Encode = (value) => value as string

const bytesText: Encode = (value) => {
  const bytes = value as Uint8Array
  return String.raw`\x${Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('hex')}`
}

/** String() forgets the sign of a negative zero. */
const floatText: Encode = (value) => (Object.is(value, -0) ? '-0' : String(value))

function arrayEncoder(element: Schema | undefined, target: TargetType, options: EncodeOptions): Encode {
  if (target.elements === undefined) return jsonText
  // PostgreSQL's arrays have dimensions, and one type of elements.
  let innermost = element
  while (innermost?.type === 'array' && innermost.name === undefined) innermost = innermost.values
  return arrayText(encoderOf(innermost, target.elements, options), target.elements.delimiter)
}

/** `{"1",NULL,{"2"}}`. */
function arrayText(encode: Encode, delimiter: string): Encode {
  const text = (value: unknown): string => {
    const items = (value as readonly unknown[]).map((item) => {
      if (item === null || item === undefined) return 'NULL'
      return Array.isArray(item) ? text(item) : elementText(encode(item))
    })
    return `{${items.join(delimiter)}}`
  }
  return text
}

/** By what the value is: of records without a schema. */
function plainEncoder(target: TargetType): Encode {
  if (isJson(target)) return jsonText
  const array = target.elements && arrayText(plainEncoder(target.elements), target.elements.delimiter)
  const boolean = booleanEncoder(target)
  return (value) => {
    switch (typeof value) {
      case 'string':
        return value
      case 'boolean':
        return boolean(value)
      case 'object':
        if (value instanceof Uint8Array) return bytesText(value)
        if (array !== undefined && Array.isArray(value)) return array(value)
        if (target.name === 'hstore') return hstoreText(value)
        return value instanceof Decimal ? value.toString() : jsonText(value)
      default:
        return floatText(value)
    }
  }
}
