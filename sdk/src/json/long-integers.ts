/**
 * Integers that a float64 does not hold, out of a text that JSON.parse reads without a reviver, which takes several times as
 * long: they are made strings that begin with a mark, and those are turned into bigints in what was read.
 */

/** A character for private use. */
const mark = '\ue000'
const markCode = 0xe000

/** The mark in a JSON text, as it is or escaped. */
const marked = /\ue000|\\u[eE]000/

const longInteger = /^-?[1-9]\d{15,}$/

const quote = 0x22
const comma = 0x2c
const minus = 0x2d
const digit0 = 0x30
const digit9 = 0x39
const backslash = 0x5c
const closingBracket = 0x5d
const closingBrace = 0x7d

/**
 * The value of a JSON text, its integers beyond ±(2^53 − 1) as bigints; undefined where it cannot be had in this way, or is no
 * JSON.
 */
export function parseLongIntegers(text: string): unknown {
  if (marked.test(text)) return undefined
  const pieces: string[] = []
  let taken = 0
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) {
      at = endOfString(text, at)
      continue
    }
    if (!isDigit(code) && code !== minus) continue
    const end = endOfNumber(text, at)
    if (end - at >= 16 && isMarkable(text, at, end)) {
      pieces.push(text.slice(taken, at), `"${mark}${text.slice(at, end)}"`)
      taken = end
    }
    at = end - 1
  }
  try {
    const root = [JSON.parse(pieces.join('') + text.slice(taken)) as unknown]
    unmark(root, pieces.length / 2)
    return root[0]
  } catch {
    return undefined
  }
}

/** Where the string ends that begins there: its closing quotation mark. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (code === quote) return at
    if (code === backslash) at++
  }
  return text.length
}

/** Where no more characters of a number, with its fraction and exponent, follow. */
function endOfNumber(text: string, from: number): number {
  let at = from + 1
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    if (!isDigit(code) && !'+-.eE'.includes(text[at]!)) break
  }
  return at
}

function isDigit(code: number): boolean {
  return code >= digit0 && code <= digit9
}

/** Whether it is an integer to be marked, where a string may stand as well as a number: a text that is no JSON stays none. */
function isMarkable(text: string, from: number, to: number): boolean {
  const token = text.slice(from, to)
  if (!longInteger.test(token) || Number.isSafeInteger(Number(token))) return false
  let next = to
  while (' \n\r\t'.includes(text[next] ?? '–')) next++
  if (next === text.length) return true
  const code = text.charCodeAt(next)
  return code === comma || code === closingBracket || code === closingBrace
}

/** Puts bigints where marked strings are. @returns how many of them are still to be found */
function unmark(holder: unknown[] | Record<string, unknown>, count: number): number {
  let left = count
  if (Array.isArray(holder)) {
    for (let index = 0; index < holder.length && left > 0; index++) {
      const part = holder[index]
      if (isMarked(part)) {
        holder[index] = unmarked(part)
        left--
      } else if (isHolder(part)) left = unmark(part, left)
    }
    return left
  }
  for (const name of Object.keys(holder)) {
    if (left === 0) break
    const part = holder[name]
    if (isMarked(part)) {
      // An assignment to __proto__ would be none.
      if (name === '__proto__') Object.defineProperty(holder, name, { value: unmarked(part) })
      else holder[name] = unmarked(part)
      left--
    } else if (isHolder(part)) left = unmark(part, left)
  }
  return left
}

function isHolder(value: unknown): value is unknown[] | Record<string, unknown> {
  return typeof value === 'object' && value !== null
}

function isMarked(value: unknown): value is string {
  return typeof value === 'string' && value.charCodeAt(0) === markCode
}

function unmarked(text: string): bigint {
  return BigInt(text.slice(1))
}
