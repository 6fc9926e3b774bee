/** Values without a schema to JSON. */
import { Decimal } from '../schema.ts'
import { stringifyExact, stringifyPlain } from './exact-json.ts'
import type { JsonOutput } from './json-output.ts'
import { asJackson } from './json-text.ts'

const openingBracket = 0x5b
const closingBracket = 0x5d
const openingBrace = 0x7b
const closingBrace = 0x7d
const comma = 0x2c
const colon = 0x3a

/** Deeper ones are left to JSON.stringify, which also notices what contains itself. */
const maxDepth = 200

/**
 * A function that writes any value that {@link stringifyExact} takes, to the same text. It throws a TypeError for what JSON
 * cannot express.
 */
export function schemalessWriter(): (output: JsonOutput, value: unknown) => void {
  // JSON.stringify is the quickest where it will do, and a waste of time where it will not: as the last value, so the next.
  let isPlain = true
  return (output, value) => {
    const given = value ?? null
    const text = isPlain ? stringifyPlain(given) : undefined
    if (text !== undefined) {
      output.text(asJackson(text))
      return
    }
    const { length } = output
    const met = { beyondJson: false }
    const isWritten = writeData(output, given, met, 0)
    isPlain = !met.beyondJson
    if (isWritten) return
    output.truncate(length)
    output.text(asJackson(stringifyExact(given)))
  }
}

/** Whether there was anything that JSON.stringify has no form for. */
interface Met {
  beyondJson: boolean
}

/** @returns whether it was plain data; if not, part of it may be written */
function writeData(output: JsonOutput, value: unknown, met: Met, depth: number): boolean {
  switch (typeof value) {
    case 'string':
      output.quoted(value)
      return true
    case 'number':
      if (Number.isFinite(value)) output.number(value)
      else {
        met.beyondJson = true
        output.quoted(String(value))
      }
      return true
    case 'boolean':
      output.ascii(value ? 'true' : 'false')
      return true
    case 'bigint':
      met.beyondJson = true
      output.ascii(value.toString())
      return true
    case 'object':
      if (value !== null) return depth < maxDepth && writeObject(output, value, met, depth + 1)
      output.ascii('null')
      return true
    default:
      return false
  }
}

function writeObject(output: JsonOutput, value: object, met: Met, depth: number): boolean {
  if (value instanceof Uint8Array) {
    met.beyondJson = true
    output.base64(value)
    return true
  }
  if (value instanceof Decimal) {
    met.beyondJson = true
    output.ascii(value.toString())
    return true
  }
  if (value instanceof Map) return writeMap(output, value, met, depth)
  // Whatever says itself how it is written, and anything that is not just data, is JSON.stringify's.
  if (typeof (value as { readonly toJSON?: unknown }).toJSON === 'function') return false
  if (Array.isArray(value)) return writeArray(output, value, met, depth)
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) return false
  return writeProperties(output, value as Readonly<Record<string, unknown>>, met, depth)
}

function writeProperties(
  output: JsonOutput,
  value: Readonly<Record<string, unknown>>,
  met: Met,
  depth: number,
): boolean {
  let before = openingBrace
  for (const name of Object.keys(value)) {
    const part = value[name]
    if (isLeftOut(part)) continue
    output.byte(before)
    before = comma
    output.quoted(name)
    output.byte(colon)
    if (!writeData(output, part, met, depth)) return false
  }
  if (before === openingBrace) output.byte(openingBrace)
  output.byte(closingBrace)
  return true
}

function writeArray(output: JsonOutput, items: readonly unknown[], met: Met, depth: number): boolean {
  output.byte(openingBracket)
  for (let index = 0; index < items.length; index++) {
    if (index > 0) output.byte(comma)
    const item = items[index]
    if (!writeData(output, isLeftOut(item) ? null : item, met, depth)) return false
  }
  output.byte(closingBracket)
  return true
}

/** An object; an array of pairs where a key is no string. */
function writeMap(output: JsonOutput, map: ReadonlyMap<unknown, unknown>, met: Met, depth: number): boolean {
  met.beyondJson = true
  const entries = [...map]
  return entries.every(([name]) => typeof name === 'string')
    ? writeProperties(output, Object.fromEntries(entries) as Readonly<Record<string, unknown>>, met, depth)
    : writeArray(output, entries, met, depth)
}

/** What JSON.stringify leaves out of an object, and takes for null in an array. */
function isLeftOut(value: unknown): boolean {
  return value === undefined || typeof value === 'function' || typeof value === 'symbol'
}
