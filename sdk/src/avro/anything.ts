/** Values without a schema: a record of Confluent's with one field for each type, of which one is set. */
import { DataError } from '../errors.ts'
import { setProperty } from '../values/property.ts'
import type { AvroInput } from './avro-input.ts'
import type { AvroOutput } from './avro-output.ts'

/** boolean, bytes, double, float, int, long, string, array, map: each an optional field, in this order. */
const fieldCount = 9
const [booleanField, bytesField, doubleField, longField, stringField, arrayField, mapField] = [0, 1, 2, 5, 6, 7, 8]

const maxDepth = 200

/** @throws DataError for what has no JSON form */
export function writeAnything(output: AvroOutput, value: unknown): void {
  writeAt(output, value, 0)
}

function writeAt(output: AvroOutput, value: unknown, depth: number): void {
  if (depth > maxDepth) throw new DataError(`a value nested deeper than ${maxDepth} levels`)
  const field = fieldOf(value)
  for (let index = 0; index < fieldCount; index++) {
    if (index !== field) {
      output.byte(0)
      continue
    }
    output.int(1)
    writeField(output, index, value, depth)
  }
}

function fieldOf(value: unknown): number {
  switch (typeof value) {
    case 'undefined':
      return -1
    case 'boolean':
      return booleanField
    case 'number':
      return Number.isSafeInteger(value) && !Object.is(value, -0) ? longField : doubleField
    case 'bigint':
      if (BigInt.asIntN(64, value) !== value) throw new DataError(`${value} has more than 64 bits`)
      return longField
    case 'string':
      return stringField
    case 'object':
      if (value === null) return -1
      if (value instanceof Uint8Array) return bytesField
      return Array.isArray(value) ? arrayField : mapField
    default:
      throw new DataError(`a ${typeof value} is not a value`)
  }
}

function writeField(output: AvroOutput, field: number, value: unknown, depth: number): void {
  if (typeof value === 'boolean') output.byte(value ? 1 : 0)
  else if (typeof value === 'string') output.string(value)
  else if (typeof value === 'bigint') output.bigLong(value)
  else if (typeof value === 'number') {
    if (field === longField) output.long(value)
    else output.double(value)
  } else if (value instanceof Uint8Array) output.sized(value)
  else if (Array.isArray(value)) {
    if (value.length > 0) output.int(value.length)
    for (const item of value as unknown[]) writeAt(output, item, depth + 1)
    output.byte(0)
  } else {
    const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value as object)
    if (entries.length > 0) output.int(entries.length)
    for (const [key, item] of entries) {
      writeAt(output, key, depth + 1)
      writeAt(output, item, depth + 1)
    }
    output.byte(0)
  }
}

/** Objects for maps whose keys are all strings. @throws DataError */
export function readAnything(input: AvroInput, depth = 0): unknown {
  if (depth > maxDepth) throw new DataError(`a value nested deeper than ${maxDepth} levels`)
  let found: unknown = null
  for (let index = 0; index < fieldCount; index++) {
    if (input.int() === 0) continue
    const value = readField(input, index, depth)
    // Were several set, Confluent's converter would take the first.
    found ??= value
  }
  return found
}

function readField(input: AvroInput, field: number, depth: number): unknown {
  switch (field) {
    case 0:
      return input.boolean()
    case 1:
      return input.sized()
    case 2:
      return input.double()
    case 3:
      return input.float()
    case 4:
      return input.int()
    case 5:
      return input.long()
    case 6:
      return input.string()
    case 7: {
      const items: unknown[] = []
      for (let count = input.block(); count > 0; count = input.block()) {
        for (let index = 0; index < count; index++) items.push(readAnything(input, depth + 1))
      }
      return items
    }
    default:
      return readEntries(input, depth)
  }
}

function readEntries(input: AvroInput, depth: number): unknown {
  const entries: [unknown, unknown][] = []
  for (let count = input.block(); count > 0; count = input.block()) {
    for (let index = 0; index < count; index++) {
      const key = readAnything(input, depth + 1)
      entries.push([key, readAnything(input, depth + 1)])
    }
  }
  if (!entries.every(([key]) => typeof key === 'string')) return new Map(entries)
  const object: Record<string, unknown> = {}
  for (const [key, value] of entries) setProperty(object, key as string, value)
  return object
}
