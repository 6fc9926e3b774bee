import { schema, type Schema } from '@tidewire/sdk'
import type { Mapping } from './mapping.ts'
import { civilOf, infinityOf, readDays, readTime, readTimestamp, toUtc, type Moment } from './moment.ts'

/**
 * `time.precision.mode=structured`: dates and times as structs of their parts, infinity as a value of its own, and
 * nothing rounded (Debezium 3.7, io.debezium.time.Structured*).
 */

const optional = { optional: true }
const int8 = schema.int8(optional)
const int32 = schema.int32(optional)
const string = schema.string(optional)

const dateFields = { year: int32, month: int8, day: int8 }
const timeFields = { hour: int8, minute: int8, second: int8, nanos: int32 }
const named = (name: string, fields: Record<string, Schema>): Schema =>
  schema.struct(fields, { name: `io.debezium.time.${name}`, version: 1 })

const schemas = {
  date: named('StructuredDate', { ...dateFields, specialValue: string }),
  time: named('StructuredTime', { ...timeFields, precision: int32 }),
  zonedTime: named('StructuredZonedTime', { ...timeFields, offsetSeconds: int32, precision: int32 }),
  timestamp: named('StructuredTimestamp', { ...dateFields, ...timeFields, specialValue: string, precision: int32 }),
  zonedTimestamp: named('StructuredZonedTimestamp', {
    ...dateFields,
    ...timeFields,
    offsetSeconds: int32,
    zoneId: string,
    specialValue: string,
    precision: int32,
  }),
}

const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }

export const date: Mapping = {
  schema: schemas.date,
  read: (bytes, start, end) => special(infinityOf(bytes, start)) ?? civilOf(readDays(bytes, start, end)),
  empty: { year: 1970, month: 1, day: 1 },
}

export function time(precision: number): Mapping {
  return {
    schema: schemas.time,
    read: (bytes, start, end) => {
      readTime(bytes, start, end, moment)
      return { ...clockOf(moment.micros), precision }
    },
    empty: { ...clockOf(0), precision },
  }
}

/** The offset is the value's own, and 24:00:00 stays. */
export function zonedTime(precision: number): Mapping {
  return {
    schema: schemas.zonedTime,
    read: (bytes, start, end) => {
      readTime(bytes, start, end, moment)
      return { ...clockOf(moment.micros), offsetSeconds: moment.offsetSeconds, precision }
    },
    empty: { ...clockOf(0), offsetSeconds: 0, precision },
  }
}

export function timestamp(precision: number): Mapping {
  return {
    schema: schemas.timestamp,
    read: (bytes, start, end) => {
      const infinite = special(infinityOf(bytes, start))
      if (infinite !== undefined) return { ...infinite, precision }
      readTimestamp(bytes, start, end, moment)
      return { ...civilOf(moment.days), ...clockOf(moment.micros), precision }
    },
    empty: { ...civilOf(0), ...clockOf(0), precision },
  }
}

/** The server keeps no zone, so it is UTC. */
export function zonedTimestamp(precision: number): Mapping {
  return {
    schema: schemas.zonedTimestamp,
    read: (bytes, start, end) => {
      const infinite = special(infinityOf(bytes, start))
      if (infinite !== undefined) return { ...infinite, precision }
      readTimestamp(bytes, start, end, moment)
      toUtc(moment)
      return { ...civilOf(moment.days), ...clockOf(moment.micros), offsetSeconds: 0, zoneId: 'Z', precision }
    },
    empty: { ...civilOf(0), ...clockOf(0), offsetSeconds: 0, precision },
  }
}

function special(infinity: 1 | -1 | 0): { specialValue: string } | undefined {
  if (infinity === 0) return undefined
  return { specialValue: infinity === 1 ? 'POSITIVE_INFINITY' : 'NEGATIVE_INFINITY' }
}

function clockOf(micros: number): { hour: number; minute: number; second: number; nanos: number } {
  const seconds = Math.floor(micros / 1_000_000)
  return {
    hour: Math.floor(seconds / 3600),
    minute: Math.floor(seconds / 60) % 60,
    second: seconds % 60,
    nanos: (micros % 1_000_000) * 1000,
  }
}
