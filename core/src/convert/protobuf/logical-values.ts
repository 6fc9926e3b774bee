/** Connect's logical types as the messages that Protobuf has for them. */
import { DataError, Decimal, logicalNames, type Schema } from '@tidewire/sdk'
import { decodeUnscaled, encodeUnscaled, rescale } from '@tidewire/sdk/values'
import { ProtoInput } from './proto-input.ts'
import type { ProtoOutput } from './proto-output.ts'

const dayMs = 86_400_000
/** Of 0001-01-01 and 9999-12-31: what google.protobuf.Timestamp holds. */
const firstMs = -62_135_596_800_000
const lastMs = 253_402_300_799_999

type WriteMessage = (output: ProtoOutput, value: unknown) => void

/** Writes the fields of the message that stands for a logical type; undefined where the schema is none with a message. */
export function logicalWriter({ name, parameters }: Schema, path: string): WriteMessage | undefined {
  switch (name) {
    case logicalNames.decimal:
      return decimalWriter(Number(parameters?.['scale'] ?? 0), path)
    case logicalNames.date:
      return dateWriter(path)
    case logicalNames.time:
      return timeWriter(path)
    case logicalNames.timestamp:
      return timestampWriter(path)
    default:
      return undefined
  }
}

function timestampWriter(path: string): WriteMessage {
  return (output, value) => {
    if (!Number.isInteger(value) || (value as number) < firstMs || (value as number) > lastMs) {
      throw new DataError(`${path} is ${String(value)}, not a time in the years 1 to 9999 in milliseconds`)
    }
    const seconds = Math.floor((value as number) / 1_000)
    if (seconds !== 0) {
      output.uint32(1 << 3)
      output.int64(seconds)
    }
    int32Field(output, 2, ((value as number) - seconds * 1_000) * 1_000_000)
  }
}

/** The calendar is Gregorian throughout, as google.type.Date has it. */
function dateWriter(path: string): WriteMessage {
  return (output, value) => {
    const date = new Date(Number.isInteger(value) ? (value as number) * dayMs : NaN)
    const year = date.getUTCFullYear()
    if (!(year >= 1)) throw new DataError(`${path} is ${String(value)}, not a day of year 1 or later`)
    int32Field(output, 1, year)
    int32Field(output, 2, date.getUTCMonth() + 1)
    int32Field(output, 3, date.getUTCDate())
  }
}

function timeWriter(path: string): WriteMessage {
  return (output, value) => {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= dayMs) {
      throw new DataError(`${path} is ${String(value)}, not a millisecond of a day`)
    }
    const ms = value as number
    int32Field(output, 1, Math.floor(ms / 3_600_000))
    int32Field(output, 2, Math.floor(ms / 60_000) % 60)
    int32Field(output, 3, Math.floor(ms / 1_000) % 60)
    int32Field(output, 4, (ms % 1_000) * 1_000_000)
  }
}

function decimalWriter(scale: number, path: string): WriteMessage {
  return (output, value) => {
    if (!(value instanceof Decimal)) throw new DataError(`${path} is not a Decimal, but ${typeof value}`)
    const { unscaled } = scaled(value, scale, path)
    const digits = (unscaled < 0n ? -unscaled : unscaled).toString().length
    output.uint32(0x0a)
    output.sized(encodeUnscaled(unscaled))
    int32Field(output, 2, digits)
    int32Field(output, 3, scale)
  }
}

function scaled(value: Decimal, scale: number, path: string): Decimal {
  try {
    return rescale(value, scale)
  } catch (cause) {
    throw new DataError(`${path}: ${(cause as Error).message}`, { cause })
  }
}

function int32Field(output: ProtoOutput, number: number, value: number): void {
  if (value === 0) return
  output.uint32(number << 3)
  output.int32(value)
}

/** Fields 1 to 4 of a message that holds integers alone. */
type Integers = readonly [number | bigint, number | bigint, number | bigint, number | bigint]

function integers(input: ProtoInput, end: number): Integers {
  const fields: [number | bigint, number | bigint, number | bigint, number | bigint] = [0, 0, 0, 0]
  while (input.at < end) {
    const tag = input.uint32()
    const index = (tag >>> 3) - 1
    if ((tag & 7) === 0 && index >= 0 && index < 4) fields[index] = input.int64()
    else input.skip(tag)
  }
  return fields
}

export function readTimestamp(input: ProtoInput, end: number): number {
  const [seconds, nanos] = integers(input, end)
  const ms = Number(seconds) * 1_000 + Math.floor(Number(nanos) / 1_000_000)
  if (Number.isSafeInteger(ms)) return ms
  throw new DataError(`a timestamp of ${seconds} seconds`)
}

export function readDate(input: ProtoInput, end: number): number {
  const [year, month, day] = integers(input, end).map(Number) as [number, number, number, number]
  const ms = new Date(0).setUTCFullYear(year, month - 1, day)
  const date = new Date(ms)
  if (date.getUTCFullYear() === year && date.getUTCMonth() === month - 1 && date.getUTCDate() === day) return ms / dayMs
  throw new DataError(`year ${year}, month ${month}, day ${day} is no date`)
}

export function readTime(input: ProtoInput, end: number): number {
  const [hours, minutes, seconds, nanos] = integers(input, end).map(Number) as [number, number, number, number]
  if (inRange(hours, 24) && inRange(minutes, 60) && inRange(seconds, 60) && inRange(nanos, 1_000_000_000)) {
    return ((hours * 60 + minutes) * 60 + seconds) * 1_000 + Math.floor(nanos / 1_000_000)
  }
  throw new DataError(`${hours}:${minutes}:${seconds} and ${nanos} ns is no time of day`)
}

function inRange(value: number, limit: number): boolean {
  return value >= 0 && value < limit
}

/** @param scale of the schema; a value with more digits after the point keeps them */
export function decimalReader(scale: number): (input: ProtoInput, end: number) => Decimal {
  return (input, end) => {
    let unscaled = 0n
    let own = 0
    while (input.at < end) {
      const tag = input.uint32()
      if (tag === 0x0a) unscaled = decodeUnscaled(input.sized())
      else if (tag === 0x18) own = input.int32()
      else input.skip(tag)
    }
    if (Math.abs(own) > maxScale) throw new DataError(`a decimal with a scale of ${own}`)
    const value = new Decimal(unscaled, own)
    return own < scale ? rescale(value, scale) : value
  }
}

/** More digits than any database has; a scale of the wire could ask for gigabytes. */
const maxScale = 100_000

const empty = new ProtoInput()

/** What an empty message is read as; undefined where it is no value. */
export function emptyValue(read: (input: ProtoInput, end: number) => unknown): unknown {
  empty.start(Buffer.alloc(0), 0)
  try {
    return read(empty, 0)
  } catch (error) {
    if (error instanceof DataError) return undefined
    throw error
  }
}
