/** The forms a time has in a record, and the way from one to another through milliseconds since the epoch. */
import { DataError } from '@tidewire/sdk'
import type { JavaDateFormat } from './java-date-format.ts'

export type TimestampForm = 'string' | 'unix' | 'Date' | 'Time' | 'Timestamp'
export type UnixPrecision = 'nanoseconds' | 'microseconds' | 'milliseconds' | 'seconds'

const purpose = 'TimestampConverter'
const dayMs = 86_400_000
const maxInt64 = 2n ** 63n - 1n

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

type Read = (time: unknown, precision: UnixPrecision, format: JavaDateFormat | undefined) => number
type Write = (ms: number, precision: UnixPrecision, format: JavaDateFormat | undefined) => unknown

const readers: Readonly<Record<TimestampForm, Read>> = {
  string(time, _precision, format) {
    if (typeof time !== 'string') throw notA('text', time)
    if (format === undefined) throw new DataError(`${purpose}: a text needs the setting format to be read`)
    const ms = format.parse(time)
    if (ms === undefined) throw new DataError(`${purpose}: the text does not match the pattern ${format.pattern}`)
    return ms
  },
  unix(time, precision) {
    const number = numberOf(time)
    switch (precision) {
      case 'nanoseconds':
        return typeof time === 'bigint' ? Number(time / 1_000_000n) : Math.trunc(number / 1_000_000)
      case 'microseconds':
        return typeof time === 'bigint' ? Number(time / 1000n) : Math.trunc(number / 1000)
      case 'milliseconds':
        return number
      case 'seconds':
        return number * 1000
    }
  },
  Date: (time) => numberOf(time) * dayMs,
  Time: numberOf,
  Timestamp: numberOf,
}

const writers: Readonly<Record<TimestampForm, Write>> = {
  // What has no format has no texts either: the settings' check sees to it.
  string: (ms, _precision, format) => format?.format(ms),
  unix(ms, precision) {
    switch (precision) {
      case 'nanoseconds':
        return int64(BigInt(ms) * 1_000_000n)
      case 'microseconds':
        return Number.isSafeInteger(ms * 1000) ? ms * 1000 : int64(BigInt(ms) * 1000n)
      case 'milliseconds':
        return ms
      case 'seconds':
        return Math.trunc(ms / 1000) + 0
    }
  },
  Date: (ms) => Math.floor(ms / dayMs),
  Time: (ms) => ms - Math.floor(ms / dayMs) * dayMs,
  Timestamp: (ms) => ms,
}

function numberOf(time: unknown): number {
  if (typeof time === 'number' && Number.isInteger(time)) return time
  if (typeof time === 'bigint') return Number(time)
  throw notA('whole number', time)
}

function notA(what: string, time: unknown): DataError {
  return new DataError(`${purpose}: a ${what} is expected, not a ${typeof time}`)
}

/** As an int64 is held in values, and no farther than it reaches. */
function int64(value: bigint): number | bigint {
  const within = value > maxInt64 ? maxInt64 : value < -maxInt64 - 1n ? -maxInt64 - 1n : value
  const number = Number(within)
  return Number.isSafeInteger(number) ? number : within
}
