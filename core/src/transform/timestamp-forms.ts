/** The forms a time has in a record, and the way from one to another through milliseconds since the epoch. */
import { DataError } from '@tidewire/sdk'
import type { JavaDateFormat } from '@tidewire/sdk/time'

export type TimestampForm = 'string' | 'unix' | 'Date' | 'Time' | 'Timestamp'
export type UnixPrecision = 'nanoseconds' | 'microseconds' | 'milliseconds' | 'seconds'

const purpose = 'TimestampConverter'
const dayMs = 86_400_000
const maxInt64 = 2n ** 63n - 1n

/** Milliseconds since the epoch; a bigint beyond what a number holds exactly. */
type Ms = number | bigint

/**
 * Makes a function from one form to another.
 * @param format of texts; undefined where none is set, so that a text cannot be read
 * @returns a function that throws a DataError for what is not of its form
 */
export function compileTimestampConversion(
  from: TimestampForm,
  to: TimestampForm,
  precision: UnixPrecision,
  format: JavaDateFormat | undefined,
): (time: unknown) => unknown {
  const read = readers[from]
  const write = writers[to]
  return (time) => write(read(time, precision, format), precision, format)
}

type Read = (time: unknown, precision: UnixPrecision, format: JavaDateFormat | undefined) => Ms
type Write = (ms: Ms, precision: UnixPrecision, format: JavaDateFormat | undefined) => unknown

const readers: Readonly<Record<TimestampForm, Read>> = {
  string(time, _precision, format) {
    if (typeof time !== 'string') throw notA('text', time)
    if (format === undefined) throw new DataError(`${purpose}: a text needs the setting format to be read`)
    const ms = format.parse(time)
    if (ms === undefined) throw new DataError(`${purpose}: the text does not match the pattern ${format.pattern}`)
    return ms
  },
  unix(time, precision) {
    const count = wholeOf(time)
    switch (precision) {
      case 'nanoseconds':
        return quotient(count, 1_000_000)
      case 'microseconds':
        return quotient(count, 1000)
      case 'milliseconds':
        return count
      case 'seconds':
        return product(count, 1000)
    }
  },
  Date: (time) => product(wholeOf(time), dayMs),
  Time: wholeOf,
  Timestamp: wholeOf,
}

const writers: Readonly<Record<TimestampForm, Write>> = {
  // What has no format has no texts either: the settings' check sees to it.
  string: (ms, _precision, format) => format?.format(ms),
  unix(ms, precision) {
    switch (precision) {
      case 'nanoseconds':
        return product(ms, 1_000_000)
      case 'microseconds':
        return product(ms, 1000)
      case 'milliseconds':
        return ms
      case 'seconds':
        return quotient(ms, 1000)
    }
  },
  Date: (ms) =>
    typeof ms === 'number' ? Math.floor(ms / dayMs) : Number((ms - BigInt(timeOfDay(ms))) / BigInt(dayMs)),
  Time: timeOfDay,
  Timestamp: (ms) => ms,
}

function timeOfDay(ms: Ms): number {
  const rest = Number(typeof ms === 'number' ? ms % dayMs : ms % BigInt(dayMs))
  return rest < 0 ? rest + dayMs : rest + 0
}

function wholeOf(time: unknown): number | bigint {
  if (typeof time === 'bigint' || Number.isInteger(time)) return time as number | bigint
  throw notA('whole number', time)
}

function notA(what: string, time: unknown): DataError {
  return new DataError(`${purpose}: a ${what} is expected, not a ${typeof time}`)
}

/** Toward zero, as Java's TimeUnit rounds. */
function quotient(value: number | bigint, divisor: number): number | bigint {
  return typeof value === 'number' ? Math.trunc(value / divisor) + 0 : int64(value / BigInt(divisor))
}

/** No farther than an int64 reaches, as with Java's TimeUnit. */
function product(value: number | bigint, factor: number): number | bigint {
  const quick = Number(value) * factor
  return Number.isSafeInteger(quick) ? quick : int64(BigInt(value) * BigInt(factor))
}

function int64(value: bigint): number | bigint {
  const within = value > maxInt64 ? maxInt64 : value < -maxInt64 - 1n ? -maxInt64 - 1n : value
  const number = Number(within)
  return Number.isSafeInteger(number) ? number : within
}
