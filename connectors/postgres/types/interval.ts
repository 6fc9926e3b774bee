import { DataError, schema } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'
import { integerOf } from './numbers.ts'
import type { TimeMode } from './temporal.ts'

/** As PostgreSQL keeps it and writes it; each part may have its own sign. */
interface Parts {
  years: number
  months: number
  days: number
  hours: number
  minutes: number
  /** Of the clock's seconds, with their sign. */
  micros: number
}

// A month of 365.25 / 12 days, as Debezium counts it.
const microsOfMonth = 2_629_800_000_000

/** interval, by `interval.handling.mode`, or as a struct where `time.precision.mode` is structured. */
export function intervalMapping(modifier: number, handling: 'numeric' | 'string', mode: TimeMode): Mapping {
  if (mode === 'structured') return structuredMapping(precisionOf(modifier))
  return handling === 'string' ? stringMapping : numericMapping
}

/** The modifier holds the fields (`interval day to second`) in its upper half, and 0xffff for no precision. */
function precisionOf(modifier: number): number {
  const precision = modifier & 0xffff
  return precision === 0xffff ? 6 : precision
}

const numericMapping: Mapping = {
  schema: schema.int64({ name: 'io.debezium.time.MicroDuration', version: 1 }),
  read: (bytes, start, end) => {
    if (isInfinite(bytes, start)) return bytes[start] === minus ? -(2n ** 63n) : 2n ** 63n - 1n
    return microsOf(readParts(bytes, start, end))
  },
  empty: 0,
}

/** Exact, where Debezium counts in doubles and may be a microsecond off. */
function microsOf(parts: Parts): number | bigint {
  const months = parts.years * 12 + parts.months
  const minutes = (parts.days * 24 + parts.hours) * 60 + parts.minutes
  const [ofMonths, ofMinutes] = [months * microsOfMonth, minutes * 60_000_000]
  const micros = ofMonths + ofMinutes + parts.micros
  // Below 2^53 each sum is exact.
  if (Math.abs(ofMonths) + Math.abs(ofMinutes) + Math.abs(parts.micros) <= Number.MAX_SAFE_INTEGER) return micros
  const exact = BigInt(months) * BigInt(microsOfMonth) + BigInt(minutes) * 60_000_000n + BigInt(parts.micros)
  return integerOf(BigInt.asIntN(64, exact) === exact ? exact : exact < 0n ? -(2n ** 63n) : 2n ** 63n - 1n)
}

const stringMapping: Mapping = {
  schema: schema.string({ name: 'io.debezium.time.Interval', version: 1 }),
  read: (bytes, start, end) => {
    if (isInfinite(bytes, start)) return bytes.toString('latin1', start, end)
    const { years, months, days, hours, minutes, micros } = readParts(bytes, start, end)
    return `P${years}Y${months}M${days}DT${hours}H${minutes}M${secondsText(micros)}S`
  },
  empty: 'P0Y0M0DT0H0M0S',
}

function secondsText(micros: number): string {
  const magnitude = Math.abs(micros)
  const fraction = String(magnitude % 1_000_000)
    .padStart(6, '0')
    .replace(/0+$/, '')
  return `${micros < 0 ? '-' : ''}${Math.floor(magnitude / 1_000_000)}${fraction === '' ? '' : `.${fraction}`}`
}

function structuredMapping(precision: number): Mapping {
  const int32 = schema.int32({ optional: true })
  return {
    schema: schema.struct(
      {
        years: int32,
        months: int32,
        days: int32,
        hours: int32,
        minutes: int32,
        seconds: schema.int64({ optional: true }),
        nanos: int32,
        precision: int32,
      },
      { name: 'io.debezium.time.StructuredDuration', version: 1 },
    ),
    read: (bytes, start, end) => {
      if (isInfinite(bytes, start)) {
        throw new DataError(
          'an infinite interval has no place in io.debezium.time.StructuredDuration: choose another time.precision.mode',
          { code: 'POSTGRES_INTERVAL_INFINITE' },
        )
      }
      const { micros, ...larger } = readParts(bytes, start, end)
      // `+ 0`: no negative zero.
      const [seconds, nanos] = [Math.trunc(micros / 1_000_000) + 0, (micros % 1_000_000) * 1000 + 0]
      return { ...larger, seconds, nanos, precision }
    },
    empty: { years: 0, months: 0, days: 0, hours: 0, minutes: 0, seconds: 0, nanos: 0, precision },
  }
}

const minus = 0x2d
const plus = 0x2b
const colon = 0x3a
const space = 0x20
const point = 0x2e

/** `infinity` and `-infinity`, which PostgreSQL 17 and later have. */
function isInfinite(bytes: Buffer, start: number): boolean {
  return bytes[bytes[start] === minus ? start + 1 : start] === 0x69
}

/** `1 year -2 mons +3 days -04:05:06.789`: IntervalStyle postgres. */
function readParts(bytes: Buffer, start: number, end: number): Parts {
  const parts: Parts = { years: 0, months: 0, days: 0, hours: 0, minutes: 0, micros: 0 }
  for (let at = start; at < end; at++) {
    const negative = bytes[at] === minus
    if (negative || bytes[at] === plus) at++
    const numberAt = at
    while (isDigit(bytes[at])) at++
    const magnitude = integerAt(bytes, numberAt, at)
    const value = negative && magnitude !== 0 ? -magnitude : magnitude
    if (bytes[at] === colon) {
      parts.hours = value
      readMinutes(bytes, at + 1, end, negative, parts)
      break
    }
    const unit = bytes[at + 1]
    if (unit === 0x79) parts.years = value
    else if (unit === 0x6d) parts.months = value
    else parts.days = value
    at++
    while (at < end && bytes[at] !== space) at++
  }
  return parts
}

/** What is behind the hours: `05:06.789`. */
function readMinutes(bytes: Buffer, start: number, end: number, negative: boolean, parts: Parts): void {
  const minutes = integerAt(bytes, start, start + 2)
  let micros = integerAt(bytes, start + 3, start + 5) * 1_000_000
  if (bytes[start + 5] === point) {
    const digits = Math.min(end, start + 12) - (start + 6)
    micros += integerAt(bytes, start + 6, start + 6 + digits) * 10 ** (6 - digits)
  }
  parts.minutes = negative && minutes !== 0 ? -minutes : minutes
  parts.micros = negative && micros !== 0 ? -micros : micros
}

function integerAt(bytes: Buffer, start: number, end: number): number {
  let value = 0
  for (let at = start; at < end; at++) value = value * 10 + bytes[at]! - 0x30
  return value
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}
