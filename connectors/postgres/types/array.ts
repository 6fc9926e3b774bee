import { schema } from '@tidewire/sdk'
import type { Mapping, ReadText } from './mapping.ts'

const quote = 0x22
const backslash = 0x5c
const open = 0x7b
const close = 0x7d

/**
 * Arrays, whose elements may always be NULL. The dimensions of an array are a matter of its value, not of its type, and
 * the schema has one: where an element is itself an array, it is null, or its text where the elements are text.
 */
export function arrayMapping(element: Mapping, delimiter: string): Mapping {
  const inner: ReadText =
    element.schema.type === 'string' ? (bytes, start, end) => bytes.toString('utf8', start, end) : () => null
  return {
    schema: schema.array({ ...element.schema, optional: true }),
    read: arrayReader(element.read, inner, delimiter.charCodeAt(0)),
    empty: [],
  }
}

/** `{1,NULL,"a b","q\"x"}`, with `[0:1]=` before it where the first index is not 1. */
function arrayReader(element: ReadText, inner: ReadText, delimiter: number): ReadText {
  return (bytes, start, end) => {
    const values: unknown[] = []
    let at = bytes.indexOf(open, start) + 1
    while (at < end && bytes[at] !== close) {
      const first = bytes[at]
      let after: number
      if (first === quote) {
        after = quotedEnd(bytes, at)
        values.push(readQuoted(element, bytes, at + 1, after - 1))
      } else if (first === open) {
        after = nestedEnd(bytes, at, end)
        values.push(inner(bytes, at, after))
      } else {
        after = plainEnd(bytes, at, delimiter)
        values.push(isNull(bytes, at, after) ? null : element(bytes, at, after))
      }
      at = bytes[after] === delimiter ? after + 1 : after
    }
    return values
  }
}

function readQuoted(element: ReadText, bytes: Buffer, start: number, end: number): unknown {
  const escape = bytes.indexOf(backslash, start)
  if (escape < 0 || escape >= end) return element(bytes, start, end)
  const plain = Buffer.allocUnsafe(end - start)
  let length = 0
  for (let at = start; at < end; at++) {
    if (bytes[at] === backslash) at++
    plain[length++] = bytes[at]!
  }
  return element(plain, 0, length)
}

/** Behind the closing quote. */
function quotedEnd(bytes: Buffer, start: number): number {
  let at = start + 1
  while (bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1
  return at + 1
}

/** Behind the brace that closes the one at `start`. */
function nestedEnd(bytes: Buffer, start: number, end: number): number {
  let depth = 0
  for (let at = start; at < end; at++) {
    if (bytes[at] === quote) at = quotedEnd(bytes, at) - 1
    else if (bytes[at] === open) depth++
    else if (bytes[at] === close && --depth === 0) return at + 1
  }
  return end
}

function plainEnd(bytes: Buffer, start: number, delimiter: number): number {
  let at = start
  while (bytes[at] !== delimiter && bytes[at] !== close) at++
  return at
}

function isNull(bytes: Buffer, start: number, end: number): boolean {
  return end - start === 4 && bytes.toString('latin1', start, end) === 'NULL'
}
