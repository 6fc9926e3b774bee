/**
 * Header texts as Kafka Connect's SimpleHeaderConverter reads and writes them: the narrowest type that the text is a
 * literal of, else the text itself. Where Kafka Connect would drop what follows a number ("1:2" becomes 1 there) or
 * digits (3.14159265358979 as float32), the text or the wider type is kept.
 */
import { Decimal, logicalNames, schema, type Schema } from '../schema.ts'
import type { SchemaAndValue } from '../converter.ts'
import { doubleText, floatText } from './java-number-text.ts'
import { decimalText } from './java-text.ts'

const schemas = {
  string: schema.string(),
  boolean: schema.boolean(),
  int8: schema.int8(),
  int16: schema.int16(),
  int32: schema.int32(),
  int64: schema.int64(),
  float32: schema.float32(),
  float64: schema.float64(),
  date: schema.date(),
  time: schema.time(),
  timestamp: schema.timestamp(),
}

/** The value that a header's text stands for. */
export function parseHeaderText(text: string): SchemaAndValue {
  const trimmed = text.trim()
  const literal = parseLiteral(trimmed)
  if (literal !== undefined) return literal
  if (trimmed.startsWith('[') || trimmed.startsWith('{')) {
    const parser = new StructureParser(trimmed)
    const structure = parser.parse()
    if (structure !== undefined && parser.atEnd) return structure
  }
  return { schema: schemas.string, value: text }
}

function parseLiteral(text: string): SchemaAndValue | undefined {
  if (text === 'null') return { value: null }
  if (text === 'true' || text === 'false') return { schema: schemas.boolean, value: text === 'true' }
  return parseTemporal(text) ?? parseNumber(text)
}

const datePattern = /^\d{4}-\d{2}-\d{2}$/
const timePattern = /^\d{2}:\d{2}:\d{2}\.\d{3}Z$/
const timestampPattern = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z$/
const dayMs = 86_400_000

function parseTemporal(text: string): SchemaAndValue | undefined {
  const parsed = timePattern.test(text)
    ? { schema: schemas.time, value: Date.parse(`1970-01-01T${text}`) }
    : datePattern.test(text)
      ? { schema: schemas.date, value: Date.parse(text) / dayMs }
      : timestampPattern.test(text)
        ? { schema: schemas.timestamp, value: Date.parse(text) }
        : undefined
  return parsed === undefined || Number.isNaN(parsed.value) ? undefined : parsed
}

const numberPattern = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,4})?$/

function parseNumber(text: string): SchemaAndValue | undefined {
  if (!numberPattern.test(text) || text.startsWith('.')) return undefined
  const exact = Decimal.parse(text)
  const whole = wholeNumber(exact)
  if (whole !== undefined && BigInt.asIntN(64, whole) === whole) return integer(whole)
  const value = Number(text)
  if (exact.scale !== 0 && Number.isFinite(value)) {
    const single = Math.fround(value)
    if (Number.isFinite(single) && Number(floatText(single)) === value) {
      return { schema: schemas.float32, value: single }
    }
    return { schema: schemas.float64, value }
  }
  return { schema: schema.decimal(exact.scale), value: exact }
}

function wholeNumber({ unscaled, scale }: Decimal): bigint | undefined {
  if (scale <= 0) return unscaled * 10n ** BigInt(-scale)
  const divisor = 10n ** BigInt(scale)
  return unscaled % divisor === 0n ? unscaled / divisor : undefined
}

function integer(whole: bigint): SchemaAndValue {
  const type =
    BigInt.asIntN(8, whole) === whole
      ? 'int8'
      : BigInt.asIntN(16, whole) === whole
        ? 'int16'
        : BigInt.asIntN(32, whole) === whole
          ? 'int32'
          : 'int64'
  const value = Number(whole)
  return { schema: schemas[type], value: Number.isSafeInteger(value) ? value : whole }
}

const whitespace = /\s/
const bareWord = /[^,:[\]{}"\s]+/y

/** Deeper than anyone nests what stands in a header. */
const maxDepth = 100

/** Arrays and maps of literals; anything unexpected makes the whole a plain string, as in Kafka Connect. */
class StructureParser {
  readonly #text: string
  #at = 0
  #depth = 0

  constructor(text: string) {
    this.#text = text
  }

  get atEnd(): boolean {
    this.#skipSpace()
    return this.#at === this.#text.length
  }

  parse(): SchemaAndValue | undefined {
    this.#skipSpace()
    if (this.#take('[')) return this.#nested(() => this.#array())
    if (this.#take('{')) return this.#nested(() => this.#map())
    if (this.#take('"')) return this.#quoted()
    // Times hold colons, which otherwise separate; so the longest literal first.
    const temporal = /\d[\d:.TZ-]*/y
    temporal.lastIndex = this.#at
    const long = temporal.exec(this.#text)?.[0] ?? ''
    const parsed = parseTemporal(long)
    if (parsed !== undefined) {
      this.#at += long.length
      return parsed
    }
    bareWord.lastIndex = this.#at
    const word = bareWord.exec(this.#text)?.[0] ?? ''
    this.#at += word.length
    return word === '' ? undefined : parseLiteral(word)
  }

  #nested(parse: () => SchemaAndValue | undefined): SchemaAndValue | undefined {
    if (this.#depth === maxDepth) return undefined
    this.#depth++
    const parsed = parse()
    this.#depth--
    return parsed
  }

  #array(): SchemaAndValue | undefined {
    const items: SchemaAndValue[] = []
    if (!this.#take(']')) {
      do {
        const item = this.parse()
        if (item === undefined) return undefined
        items.push(item)
      } while (this.#take(','))
      if (!this.#take(']')) return undefined
    }
    const values = commonSchema(items)
    return { schema: { type: 'array', ...(values && { values }) }, value: items.map((item) => item.value) }
  }

  #map(): SchemaAndValue | undefined {
    const keys: SchemaAndValue[] = []
    const items: SchemaAndValue[] = []
    if (!this.#take('}')) {
      do {
        const key = this.parse()
        if (key?.value == null || !this.#take(':')) return undefined
        const item = this.parse()
        if (item === undefined) return undefined
        keys.push(key)
        items.push(item)
      } while (this.#take(','))
      if (!this.#take('}')) return undefined
    }
    const keySchema = commonSchema(keys)
    const values = commonSchema(items)
    return {
      schema: { type: 'map', ...(keySchema && { keys: keySchema }), ...(values && { values }) },
      value: new Map(keys.map((key, i) => [key.value, items[i]!.value])),
    }
  }

  #quoted(): SchemaAndValue | undefined {
    let content = ''
    for (; this.#at < this.#text.length; this.#at++) {
      const char = this.#text[this.#at]!
      if (char === '"') {
        this.#at++
        return parseTemporal(content) ?? { schema: schemas.string, value: content }
      }
      if (char === '\\' && this.#at + 1 < this.#text.length) this.#at++
      content += this.#text[this.#at]!
    }
    return undefined
  }

  #take(char: string): boolean {
    this.#skipSpace()
    if (this.#text[this.#at] !== char) return false
    this.#at++
    return true
  }

  #skipSpace(): void {
    while (this.#at < this.#text.length && whitespace.test(this.#text[this.#at]!)) this.#at++
  }
}

const widening = ['int8', 'int16', 'int32', 'int64', 'float32', 'float64']

/** The schema that all of the values fit; undefined where there is none. Nulls fit any. */
function commonSchema(items: readonly SchemaAndValue[]): Schema | undefined {
  let common: Schema | undefined
  for (const { schema: next } of items) {
    if (next === undefined) continue
    if (common === undefined || (common.type === next.type && common.name === next.name)) {
      common ??= next
      continue
    }
    const ranks = [widening.indexOf(common.type), widening.indexOf(next.type)]
    if (ranks.includes(-1) || common.name !== undefined || next.name !== undefined) return undefined
    if (ranks[1]! > ranks[0]!) common = next
  }
  return common
}

/** The text of a header value. Strings inside arrays and maps are quoted, so that they are read back. */
export function headerText(valueSchema: Schema | undefined, value: unknown, embedded = false): string {
  if (value === null || value === undefined) return 'null'
  switch (typeof value) {
    case 'string':
      return embedded ? `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"` : value
    case 'number':
      return numberText(valueSchema, value)
    case 'object':
      return objectText(valueSchema, value, embedded)
    default:
      // What is left: bigint and boolean.
      return (value as bigint | boolean).toString()
  }
}

function numberText(valueSchema: Schema | undefined, value: number): string {
  const name = valueSchema?.name
  if (name === logicalNames.date) return new Date(value * dayMs).toISOString().slice(0, 10)
  if (name === logicalNames.time) return new Date(value).toISOString().slice(11)
  if (name === logicalNames.timestamp) return new Date(value).toISOString()
  if (valueSchema?.type === 'float32') return floatText(value)
  return valueSchema?.type === 'float64' ? doubleText(value) : String(value)
}

function objectText(valueSchema: Schema | undefined, value: object, embedded: boolean): string {
  if (value instanceof Decimal) return decimalText(value)
  if (value instanceof Uint8Array) {
    const base64 = Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')
    return embedded ? `"${base64}"` : base64
  }
  if (Array.isArray(value)) return `[${value.map((item) => headerText(valueSchema?.values, item, true)).join(',')}]`
  const fields = valueSchema?.type === 'struct' ? valueSchema.fields : undefined
  const entries: Iterable<readonly [unknown, unknown, Schema?]> =
    fields !== undefined
      ? fields.map((field) => [field.name, (value as Record<string, unknown>)[field.name], field.schema])
      : value instanceof Map
        ? (value as Map<unknown, unknown>)
        : Object.entries(value)
  const parts: string[] = []
  for (const [key, item, itemSchema = valueSchema?.values] of entries) {
    parts.push(`${headerText(valueSchema?.keys, key, true)}:${headerText(itemSchema, item, true)}`)
  }
  return `{${parts.join(',')}}`
}
