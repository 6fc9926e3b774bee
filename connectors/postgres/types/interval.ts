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

// A month of 365.25 / 12 days, as Debezium counts it: a whole number of seconds.
const secondsOfMonth = 2_629_800n

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
    const text = bytes.toString('latin1', start, end)
    // PostgreSQL 17 and later.
    if (text === 'infinity') return 9223372036854775807n
    if (text === '-infinity') return -9223372036854775808n
    return microsOf(partsOf(text))
  },
  empty: 0,
}

/** Exact, where Debezium counts in doubles and may be a microsecond off. */
function microsOf(parts: Parts): number | bigint {
  const months = BigInt(parts.years) * 12n + BigInt(parts.months)
  const minutes = (BigInt(parts.days) * 24n + BigInt(parts.hours)) * 60n + BigInt(parts.minutes)
  const micros = (months * secondsOfMonth + minutes * 60n) * 1_000_000n + BigInt(parts.micros)
  return integerOf(BigInt.asIntN(64, micros) === micros ? micros : micros < 0n ? -(2n ** 63n) : 2n ** 63n - 1n)
}

const stringMapping: Mapping = {
  schema: schema.string({ name: 'io.debezium.time.Interval', version: 1 }),
  read: (bytes, start, end) => {
    const text = bytes.toString('latin1', start, end)
    if (text.endsWith('infinity')) return text
    const { years, months, days, hours, minutes, micros } = partsOf(text)
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
      const text = bytes.toString('latin1', start, end)
      if (text.endsWith('infinity')) {
        throw new DataError(
          `the interval ${text} has no place in io.debezium.time.StructuredDuration: choose another time.precision.mode`,
          { code: 'POSTGRES_INTERVAL_INFINITE' },
        )
      }
      const { micros, ...larger } = partsOf(text)
      return { ...larger, seconds: Math.trunc(micros / 1_000_000), nanos: (micros % 1_000_000) * 1000, precision }
    },
    empty: { years: 0, months: 0, days: 0, hours: 0, minutes: 0, seconds: 0, nanos: 0, precision },
  }
}

/** `1 year -2 mons +3 days -04:05:06.789`: IntervalStyle postgres. */
function partsOf(text: string): Parts {
  const parts: Parts = { years: 0, months: 0, days: 0, hours: 0, minutes: 0, micros: 0 }
  const words = text.split(' ')
  for (let at = 0; at < words.length; at++) {
    const word = words[at]!
    if (word.includes(':')) {
      readClock(word, parts)
      continue
    }
    const unit = words[++at] ?? ''
    if (unit.startsWith('year')) parts.years = Number(word)
    else if (unit.startsWith('mon')) parts.months = Number(word)
    else if (unit.startsWith('day')) parts.days = Number(word)
  }
  return parts
}

function readClock(text: string, parts: Parts): void {
  const sign = text.startsWith('-') ? -1 : 1
  const [hours = '0', minutes = '0', seconds = '0'] = text.replace(/^[+-]/, '').split(':')
  const [whole = '0', fraction = ''] = seconds.split('.')
  // `|| 0`: no negative zero.
  parts.hours = sign * Number(hours) || 0
  parts.minutes = sign * Number(minutes) || 0
  parts.micros = sign * (Number(whole) * 1_000_000 + Number(fraction.padEnd(6, '0'))) || 0
}
