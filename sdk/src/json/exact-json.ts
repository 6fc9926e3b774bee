/**
 * JSON text to values and back without losing a digit: an integer outside ±(2^53 − 1) is a bigint. The price of that is
 * paid only by texts that hold such a number, which a scan of every sixteenth character finds out.
 */
import { Decimal } from '../schema.ts'
import { parseLongIntegers } from './long-integers.ts'

/** A number with a fraction or exponent, kept by its text; only {@link parseExact} with `'all'` or `'texts'` makes it. */
export class ExactFraction {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }

  /** Written again with the same digits. */
  toJSON(): unknown {
    return rawJson(this.text)
  }
}

const rawJson = (JSON as unknown as { rawJSON: (text: string) => unknown }).rawJSON

const integerText = /^-?\d+$/

/** From how many characters on a number may lose digits as a float64, which holds any fifteen. */
const longNumber = 16

/** The reviver's third argument (JSON.parse with source text access), which lib.es2024 does not declare yet. */
type Reviver = (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown

const reviveIntegers: Reviver = (_key, value, { source }) =>
  typeof value === 'number' && !Number.isSafeInteger(value) && source !== undefined && integerText.test(source)
    ? BigInt(source)
    : value

const reviveAll: Reviver = (_key, value, { source }) => {
  if (typeof value !== 'number' || source === undefined || source.length < longNumber) return value
  if (!integerText.test(source)) return new ExactFraction(source)
  return Number.isSafeInteger(value) ? value : BigInt(source)
}

const reviveTexts: Reviver = (_key, value, { source }) => {
  if (typeof value !== 'number' || source === undefined) return value
  if (!integerText.test(source)) return new ExactFraction(source)
  return Number.isSafeInteger(value) ? value : BigInt(source)
}

/**
 * Parses JSON. `integers` keeps every integer exact, and gives fractions as float64; `all` gives fractions of more
 * digits than a float64 holds as {@link ExactFraction}, for who reads decimals from them; `texts` gives each fraction so,
 * for who writes the same text again (`1.0`, `1e3`).
 * @throws SyntaxError
 */
export function parseExact(text: string, exact: 'integers' | 'all' | 'texts'): unknown {
  if (exact === 'texts') return JSON.parse(text, reviveTexts as Parameters<typeof JSON.parse>[1])
  const fractions = exact === 'all'
  if (!hasLongNumber(text, fractions)) return JSON.parse(text)
  if (fractions) return JSON.parse(text, reviveAll as Parameters<typeof JSON.parse>[1])
  return parseLongIntegers(text) ?? JSON.parse(text, reviveIntegers as Parameters<typeof JSON.parse>[1])
}

const digit0 = 0x30
const digit9 = 0x39
const dot = 0x2e
const minus = 0x2d

/**
 * Whether the text may hold a number that a float64 does not. Errs only towards yes. A run of sixteen digits covers one
 * of any sixteen places in a row, so one probe in sixteen characters misses none.
 */
function hasLongNumber(text: string, fractions: boolean): boolean {
  for (let at = longNumber - 1; at < text.length; at += longNumber) {
    if (!inRun(text.charCodeAt(at), fractions)) continue
    let from = at
    while (from > 0 && inRun(text.charCodeAt(from - 1), fractions)) from--
    let to = at + 1
    while (to < text.length && inRun(text.charCodeAt(to), fractions)) to++
    if (to - from >= longNumber && isLossy(text, from, to, fractions)) return true
    at = to
  }
  return false
}

function inRun(code: number, fractions: boolean): boolean {
  return (code >= digit0 && code <= digit9) || (fractions && code === dot)
}

function isLossy(text: string, from: number, to: number, fractions: boolean): boolean {
  const start = from > 0 && text.charCodeAt(from - 1) === minus ? from - 1 : from
  const before = start === 0 ? ',' : text[start - 1]!
  // Inside a string, or the digits after a point or an exponent, where only the caller for fractions looks.
  if (!'[:, \n\r\t'.includes(before)) return false
  const after = to === text.length ? ',' : text[to]!
  if (!fractions && (after === '.' || after === 'e' || after === 'E')) return false
  return !Number.isSafeInteger(Number(text.slice(from, to)))
}

/**
 * JSON text of a JSON value that may hold bigints, Decimals (as numbers), byte arrays (in base64), Maps (objects, or
 * arrays of pairs where keys are not strings) and numbers that are not finite (the texts "NaN", "Infinity", "-Infinity").
 * @throws TypeError for what JSON cannot express
 */
export function stringifyExact(value: unknown): string {
  const text: unknown = stringifyPlain(value) ?? JSON.stringify(value, replaceBeyondJson)
  if (typeof text !== 'string') throw new TypeError(`${typeof value} is not a JSON value`)
  return text
}

/** What JSON.stringify makes of a value; undefined where that is not what {@link stringifyExact} makes of it. */
export function stringifyPlain(value: unknown): string | undefined {
  try {
    // Undefined for a function, whatever its declaration says.
    const text: unknown = JSON.stringify(value)
    return typeof text === 'string' && !(maySayTooLittle(text) && isBeyondJson(value)) ? text : undefined
  } catch {
    // A bigint, most likely.
    return undefined
  }
}

const quote = 0x22
const closingBrace = 0x7d
const letterT = 0x74

/**
 * Whether JSON.stringify may have met what it knows nothing of: a Map is `{}` to it, and bytes are `{"0":1}` or
 * `{"type":"Buffer","data":[1]}`, and a number that is not finite is null. Errs only towards yes. To look for that in the text takes less than to look through the
 * value.
 */
function maySayTooLittle(text: string): boolean {
  if (text.includes('null')) return true
  for (let at = text.indexOf('{'); at >= 0; at = text.indexOf('{', at + 1)) {
    const next = text.charCodeAt(at + 1)
    if (next === closingBrace) return true
    if (next !== quote) continue
    const first = text.charCodeAt(at + 2)
    if (first === digit0 && text.charCodeAt(at + 3) === quote) return true
    if (first === letterT && text.startsWith('type":"Buffer"', at + 2)) return true
  }
  return false
}

function isBeyondJson(value: unknown): boolean {
  if (typeof value === 'number') return !Number.isFinite(value)
  if (typeof value !== 'object' || value === null) return false
  if (Array.isArray(value)) return value.some(isBeyondJson)
  if (value instanceof Uint8Array || value instanceof Map) return true
  const object = value as Readonly<Record<string, unknown>>
  for (const name in object) {
    const part = object[name]
    // Most are texts and numbers: those take no call.
    if (typeof part === 'number' ? !Number.isFinite(part) : typeof part === 'object' && isBeyondJson(part)) return true
  }
  return false
}

function replaceBeyondJson(this: unknown, key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return rawJson(value.toString())
  if (typeof value === 'number') return Number.isFinite(value) ? value : String(value)
  if (value instanceof Decimal) return rawJson(value.toString())
  // A Buffer arrives here as what its toJSON made of it; the holder has the original.
  const original = (this as Record<string, unknown>)[key]
  if (original instanceof Uint8Array) return Buffer.from(original).toString('base64')
  if (original instanceof Map) {
    const entries = [...(original as Map<unknown, unknown>)]
    return entries.every(([name]) => typeof name === 'string') ? Object.fromEntries(entries) : entries
  }
  return value
}
