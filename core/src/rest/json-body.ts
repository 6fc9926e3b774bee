import { RestError } from './rest-error.ts'

/**
 * Parses a request's body. An empty one is undefined: clients send `Content-Type: application/json` with no body too.
 * @throws RestError 400 with the position of the mistake, and without quoting the text, which may hold secrets
 */
export function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    const offset = firstMistake(text)
    const before = text.slice(0, offset).split('\n')
    const place = `line ${before.length} column ${before.at(-1)!.length + 1} (offset ${offset})`
    const what = offset >= text.trimEnd().length ? 'it ends too early' : `unexpected ${nameOf(text[offset]!)}`
    throw new RestError(400, `The request body is not valid JSON: ${what} at ${place}`)
  }
}

/** Structural characters are safe to show; what may be part of a value is not. */
function nameOf(character: string): string {
  return /[{}[\],:"']/.test(character) ? character : 'character'
}

const space = /[ \t\r\n]*/y
const scalar =
  /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null/y
const string = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y

type Expected = 'value' | 'value or ]' | 'key' | 'key or }' | 'colon' | 'comma or end'

/** Offset of the first thing that JSON's grammar does not allow. JavaScript's own message names it only sometimes. */
function firstMistake(text: string): number {
  const open: ('{' | '[')[] = []
  let at = 0
  let expected: Expected = 'value'
  const skip = (pattern: RegExp): boolean => {
    pattern.lastIndex = at
    const found = pattern.exec(text)
    if (found !== null) at = pattern.lastIndex
    return found !== null
  }
  for (;;) {
    skip(space)
    const character = text[at]
    const closes = (open.at(-1) === '{' ? '}' : ']') === character && open.length > 0
    if (closes && (expected === 'comma or end' || expected === 'key or }' || expected === 'value or ]')) {
      open.pop()
      expected = 'comma or end'
      at++
    } else if (expected === 'value' || expected === 'value or ]') {
      if (character === '{' || character === '[') {
        open.push(character)
        expected = character === '{' ? 'key or }' : 'value or ]'
        at++
      } else if (skip(scalar)) expected = 'comma or end'
      else return at
    } else if (expected === 'key' || expected === 'key or }') {
      if (!skip(string)) return at
      expected = 'colon'
    } else if (expected === 'colon') {
      if (character !== ':') return at
      expected = 'value'
      at++
    } else {
      if (character !== ',' || open.length === 0) return at
      expected = open.at(-1) === '{' ? 'key' : 'value'
      at++
    }
  }
}
