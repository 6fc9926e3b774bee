/**
 * JSON texts of schemas, parsed and written as the reference does (Jackson with exact decimals): members keep their order
 * and numbers their digits, which JSON.parse loses.
 */
import { InvalidSchemaError } from '../schema-format.ts'

/** A number by its text in Java's form: `1`, `1.50`, `1E+3`. */
export class JsonNumber {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  get value(): number {
    return Number(this.text)
  }
}

export type JsonObject = ReadonlyMap<string, Json>
export type Json = null | boolean | string | JsonNumber | readonly Json[] | JsonObject

/** How deep objects and arrays may be nested; also what bounds the recursion of all that walks a schema. */
const maxDepth = 500

/** @throws InvalidSchemaError */
export function parseJson(text: string): Json {
  const parser = new JsonParser(text)
  const json = parser.value(0)
  parser.end()
  return json
}

const whiteSpace = /[ \t\r\n]*/y
const number = /-?(?:0|[1-9]\d*)(\.\d+)?(?:[eE][-+]?\d+)?/y
const plainText = /[^"\\\u0000-\u001f]*/y
const words: Readonly<Record<string, Json>> = { true: true, false: false, null: null }

class JsonParser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  value(depth: number): Json {
    if (depth > maxDepth) throw this.#fault(`nested deeper than ${maxDepth} levels`)
    this.#match(whiteSpace)
    const sign = this.#text.charAt(this.#at)
    if (sign === '{') return this.#object(depth)
    if (sign === '[') return this.#array(depth)
    if (sign === '"') return this.#string()
    if (sign === '-' || (sign >= '0' && sign <= '9')) return this.#number()
    for (const [word, value] of Object.entries(words)) {
      if (!this.#text.startsWith(word, this.#at)) continue
      this.#at += word.length
      return value
    }
    throw this.#fault('a value is missing')
  }

  end(): void {
    this.#match(whiteSpace)
    if (this.#at < this.#text.length) throw this.#fault('the text goes on after its end')
  }

  #object(depth: number): JsonObject {
    const object = new Map<string, Json>()
    this.#at++
    if (this.#take('}')) return object
    do {
      this.#match(whiteSpace)
      if (this.#text.charAt(this.#at) !== '"') throw this.#fault('a name is missing')
      const name = this.#string()
      if (!this.#take(':')) throw this.#fault("':' is missing")
      object.set(name, this.value(depth + 1))
    } while (this.#take(','))
    if (!this.#take('}')) throw this.#fault("'}' is missing")
    return object
  }

  #array(depth: number): readonly Json[] {
    const array: Json[] = []
    this.#at++
    if (this.#take(']')) return array
    do array.push(this.value(depth + 1))
    while (this.#take(','))
    if (!this.#take(']')) throw this.#fault("']' is missing")
    return array
  }

  #string(): string {
    const from = this.#at++
    for (;;) {
      this.#match(plainText)
      const sign = this.#text.charAt(this.#at)
      if (sign === '"') break
      if (sign !== '\\') throw this.#fault('a string has no end')
      this.#at += 2
    }
    this.#at++
    const text = this.#text.slice(from, this.#at)
    try {
      return JSON.parse(text) as string
    } catch {
      this.#at = from
      throw this.#fault('a string is no valid one')
    }
  }

  #number(): JsonNumber {
    const text = this.#match(number)
    if (text === '') throw this.#fault('a number is no valid one')
    return new JsonNumber(/[.eE]/.test(text) ? bigDecimalText(text) : text === '-0' ? '0' : text)
  }

  #take(sign: string): boolean {
    this.#match(whiteSpace)
    if (this.#text.charAt(this.#at) !== sign) return false
    this.#at++
    return true
  }

  #match(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #fault(problem: string): InvalidSchemaError {
    return new InvalidSchemaError(`Invalid JSON at character ${this.#at}: ${problem}`)
  }
}

/** As BigDecimal.toString() of Java has it: with all its digits, and an exponent where the scale asks for one. */
function bigDecimalText(text: string): string {
  const [, sign = '', whole = '', fraction = '', exponent = '0'] =
    /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([-+]?\d+))?$/.exec(text) ?? []
  const digits = (whole + fraction).replace(/^0+(?=\d)/, '')
  const scale = fraction.length - Number(exponent)
  const adjusted = digits.length - 1 - scale
  const shownSign = digits === '0' ? '' : sign
  if (scale >= 0 && adjusted >= -6) {
    const padded = digits.padStart(scale + 1, '0')
    return `${shownSign}${padded.slice(0, padded.length - scale)}${scale === 0 ? '' : `.${padded.slice(padded.length - scale)}`}`
  }
  const mantissa = digits.length > 1 ? `${digits.charAt(0)}.${digits.slice(1)}` : digits
  return `${shownSign}${mantissa}${adjusted === 0 ? '' : `E${adjusted > 0 ? '+' : ''}${adjusted}`}`
}

/** @param sorted whether the members of objects stand in the order of their names */
export function jsonText(json: Json, sorted = false): string {
  if (typeof json === 'string') return quoted(json)
  if (json instanceof JsonNumber) return json.text
  if (json === null || typeof json === 'boolean') return String(json)
  if (Array.isArray(json)) return `[${(json as readonly Json[]).map((item) => jsonText(item, sorted)).join(',')}]`
  const members = [...(json as JsonObject)]
  if (sorted) members.sort(([a], [b]) => (a < b ? -1 : Number(a > b)))
  return `{${members.map(([name, value]) => `${quoted(name)}:${jsonText(value, sorted)}`).join(',')}}`
}

const short: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\b': '\\b',
  '\f': '\\f',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
}

function quoted(text: string): string {
  const escaped = text.replaceAll(
    /["\\\u0000-\u001f]/g,
    (sign) => short[sign] ?? `\\u${sign.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}`,
  )
  return `"${escaped}"`
}

export function isJsonObject(json: Json | undefined): json is JsonObject {
  return json instanceof Map
}
