import { DataError, schema, type Schema } from '@tidewire/sdk'
import type { Mapping, ReadText } from './mapping.ts'
import { civilOf, infinityOf, microsOfDay, readDays, readTime, readTimestamp, toUtc, type Moment } from './moment.ts'
import { integerOf } from './numbers.ts'
import * as structured from './structured-time.ts'

/** `time.precision.mode`. */
export type TimeMode =
  'adaptive' | 'adaptive_time_microseconds' | 'connect' | 'isostring' | 'microseconds' | 'nanoseconds' | 'structured'

/** The precision that time, timestamp and timestamptz have when their declaration names none. */
const fullPrecision = 6

const named = (base: (options: { name: string; version: number }) => Schema, name: string): Schema =>
  base({ name: `io.debezium.time.${name}`, version: 1 })

const schemas = {
  date: named(schema.int32, 'Date'),
  isoDate: named(schema.string, 'IsoDate'),
  time: named(schema.int32, 'Time'),
  microTime: named(schema.int64, 'MicroTime'),
  nanoTime: named(schema.int64, 'NanoTime'),
  isoTime: named(schema.string, 'IsoTime'),
  zonedTime: named(schema.string, 'ZonedTime'),
  timestamp: named(schema.int64, 'Timestamp'),
  microTimestamp: named(schema.int64, 'MicroTimestamp'),
  nanoTimestamp: named(schema.int64, 'NanoTimestamp'),
  isoTimestamp: named(schema.string, 'IsoTimestamp'),
  zonedTimestamp: named(schema.string, 'ZonedTimestamp'),
}

/** One for all readers: a value is read before the next begins. */
const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }

const maxInt64 = 9223372036854775807n
const minInt64 = -9223372036854775808n

// What pgjdbc makes of infinity, and Debezium therefore of its types.
const infiniteDays = { 1: 2146033979, [-1]: -2147472691 }
const infiniteMicros = { 1: maxInt64, [-1]: minInt64 }
const infiniteMillis = { 1: 9223372036825200000n, [-1]: -9223372036832400000n }

export function dateMapping(mode: TimeMode): Mapping {
  switch (mode) {
    case 'isostring':
      return { schema: schemas.isoDate, read: readIsoDate, empty: '1970-01-01Z' }
    case 'structured':
      return structured.date
    case 'connect':
      return { schema: schema.date(), read: readDate, empty: 0 }
    default:
      return { schema: schemas.date, read: readDate, empty: 0 }
  }
}

export function timeMapping(modifier: number, mode: TimeMode): Mapping {
  switch (mode) {
    case 'isostring':
      return { schema: schemas.isoTime, read: readIsoTime, empty: '00:00:00Z' }
    case 'structured':
      return structured.time(precisionOf(modifier))
    case 'connect':
      return { schema: schema.time(), read: readMillisOfDay, empty: 0 }
    case 'nanoseconds':
      return { schema: schemas.nanoTime, read: (...text) => readMicrosOfDay(...text) * 1000, empty: 0 }
    case 'adaptive':
      if (precisionOf(modifier) <= 3) return { schema: schemas.time, read: readMillisOfDay, empty: 0 }
      return { schema: schemas.microTime, read: readMicrosOfDay, empty: 0 }
    case 'adaptive_time_microseconds':
    case 'microseconds':
      return { schema: schemas.microTime, read: readMicrosOfDay, empty: 0 }
  }
}

export function timestampMapping(modifier: number, mode: TimeMode): Mapping {
  switch (mode) {
    case 'isostring':
      return { schema: schemas.isoTimestamp, read: readIsoTimestamp, empty: '1970-01-01T00:00:00Z' }
    case 'structured':
      return structured.timestamp(precisionOf(modifier))
    case 'connect':
      return { schema: schema.timestamp(), read: readEpochMillis, empty: 0 }
    case 'microseconds':
      return { schema: schemas.microTimestamp, read: readEpochMicros, empty: 0 }
    case 'nanoseconds':
      return { schema: schemas.nanoTimestamp, read: readEpochNanos, empty: 0 }
    case 'adaptive':
    case 'adaptive_time_microseconds':
      if (precisionOf(modifier) <= 3) return { schema: schemas.timestamp, read: readEpochMillis, empty: 0 }
      return { schema: schemas.microTimestamp, read: readEpochMicros, empty: 0 }
  }
}

/** timestamptz: ISO text in UTC, with as many digits of the second as the column has; without any, those it needs. */
export function zonedTimestampMapping(modifier: number, mode: TimeMode): Mapping {
  const precision = precisionOf(modifier)
  if (mode === 'structured') return structured.zonedTimestamp(precision)
  return { schema: schemas.zonedTimestamp, read: zonedTimestampReader(precision), empty: '1970-01-01T00:00:00Z' }
}

/** timetz: ISO text in UTC. */
export function zonedTimeMapping(modifier: number, mode: TimeMode): Mapping {
  if (mode === 'structured') return structured.zonedTime(precisionOf(modifier))
  return { schema: schemas.zonedTime, read: readZonedTime, empty: '00:00:00Z' }
}

function precisionOf(modifier: number): number {
  return modifier === -1 ? fullPrecision : modifier
}

const readDate: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  return infinity === 0 ? readDays(bytes, start, end) : infiniteDays[infinity]
}

function readMicrosOfDay(bytes: Buffer, start: number, end: number): number {
  readTime(bytes, start, end, moment)
  return moment.micros
}

function readMillisOfDay(bytes: Buffer, start: number, end: number): number {
  return Math.floor(readMicrosOfDay(bytes, start, end) / 1000)
}

const readEpochMillis: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  if (infinity !== 0) return infiniteMillis[infinity]
  readTimestamp(bytes, start, end, moment)
  const millis = moment.days * 86_400_000 + Math.floor(moment.micros / 1000)
  // Up to the year 287396 they fit into a number.
  if (Number.isSafeInteger(millis)) return millis
  return BigInt(moment.days) * 86_400_000n + BigInt(Math.floor(moment.micros / 1000))
}

// 285 years before and after 1970 fit into a number.
const readEpochMicros: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  if (infinity !== 0) return infiniteMicros[infinity]
  readTimestamp(bytes, start, end, moment)
  const micros = moment.days * microsOfDay + moment.micros
  return Number.isSafeInteger(micros) ? micros : int64Of(epochMicros(), 'microseconds')
}

const readEpochNanos: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  if (infinity !== 0) return infiniteMicros[infinity]
  readTimestamp(bytes, start, end, moment)
  return int64Of(epochMicros() * 1000n, 'nanoseconds')
}

function epochMicros(): bigint {
  return BigInt(moment.days) * BigInt(microsOfDay) + BigInt(moment.micros)
}

/**
 * An int64 counts 292 years of nanoseconds, and 292,277 of microseconds, on either side of 1970; PostgreSQL's timestamps
 * go a little further.
 */
function int64Of(value: bigint, unit: string): number | bigint {
  if (value > maxInt64 || value < minInt64) {
    throw new DataError(
      `a timestamp in the year ${civilOf(moment.days).year} has no place in an int64 of ${unit}: choose another time.precision.mode`,
      { code: 'POSTGRES_TIMESTAMP_RANGE' },
    )
  }
  return integerOf(value)
}

const readIsoDate: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  if (infinity !== 0) return infinity === 1 ? '+5877611-06-21Z' : '-5877611-06-22Z'
  return `${isoDate(readDays(bytes, start, end))}Z`
}

const readIsoTime: ReadText = (bytes, start, end) => `${bytes.toString('latin1', start, end)}Z`

const readIsoTimestamp: ReadText = (bytes, start, end) => {
  const infinity = infinityOf(bytes, start)
  if (infinity !== 0) return infinity === 1 ? '+292278994-08-16T23:00:00Z' : '-292275055-05-16T23:00:00Z'
  // The digits of the second are as few as ISO wants them, so the text of a usual year is it already.
  if (bytes[start + 10] === space && bytes[end - 1] !== 0x43) {
    return `${bytes.toString('latin1', start, start + 10)}T${bytes.toString('latin1', start + 11, end)}Z`
  }
  readTimestamp(bytes, start, end, moment)
  return `${isoDate(moment.days)}T${isoTime(moment.micros)}Z`
}

const space = 0x20

/** `2020-02-29T12:34:56.123456Z`, put together here: one text for a value, where slices and joints would be four. */
const zonedText = Buffer.from('0000-00-00T00:00:00.000000Z')
const afterSeconds = 19

function zonedTimestampReader(precision: number): ReadText {
  return (bytes, start, end) => {
    const infinity = infinityOf(bytes, start)
    if (infinity !== 0) return infinity === 1 ? 'infinity' : '-infinity'
    // A usual year in UTC, as sessions with TimeZone UTC write it: "2020-02-29 12:34:56.123456+00".
    if (bytes[start + 10] === space && bytes[end - 3] === 0x2b && bytes[end - 2] === 0x30 && bytes[end - 1] === 0x30) {
      const length = precision === 0 ? afterSeconds : afterSeconds + 1 + precision
      const given = end - 3 - start
      for (let at = 0; at < given; at++) zonedText[at] = bytes[start + at]!
      zonedText[10] = 0x54
      if (given === afterSeconds) zonedText[given] = 0x2e
      for (let at = Math.max(given, afterSeconds + 1); at < length; at++) zonedText[at] = 0x30
      zonedText[length] = 0x5a
      return zonedText.toString('latin1', 0, length + 1)
    }
    readTimestamp(bytes, start, end, moment)
    toUtc(moment)
    return `${isoDate(moment.days)}T${isoTime(moment.micros, precision)}Z`
  }
}

const readZonedTime: ReadText = (bytes, start, end) => {
  readTime(bytes, start, end, moment)
  toUtc(moment)
  return `${isoTime(moment.micros)}Z`
}

/** java.time's ISO_LOCAL_DATE: four digits or more, a sign before a year beyond 9999 or before 1 BC, which is 0000. */
function isoDate(days: number): string {
  const { year, month, day } = civilOf(days)
  const digits = String(Math.abs(year)).padStart(4, '0')
  return `${year < 0 ? '-' : year > 9999 ? '+' : ''}${digits}-${padded(month)}-${padded(day)}`
}

/** With `precision` digits of the second, or, where that is 0, with those it needs. */
function isoTime(micros: number, precision = 0): string {
  const seconds = Math.floor(micros / 1_000_000)
  const text = `${padded(Math.floor(seconds / 3600))}:${padded(Math.floor(seconds / 60) % 60)}:${padded(seconds % 60)}`
  const fraction = String(micros % 1_000_000).padStart(6, '0')
  if (precision > 0) return `${text}.${fraction.slice(0, precision)}`
  return micros % 1_000_000 === 0 ? text : `${text}.${fraction.replace(/0+$/, '')}`
}

function padded(value: number): string {
  return value < 10 ? `0${value}` : String(value)
}
