/** Days and time of day as read from a text; reused from value to value, so that none is made for each. */
export interface Moment {
  /** Since 1970-01-01, in the proleptic Gregorian calendar. */
  days: number
  /** Of the day: up to 86,400,000,000, since PostgreSQL knows 24:00:00. */
  micros: number
  /** East of UTC. */
  offsetSeconds: number
}

const minus = 0x2d
const plus = 0x2b
const colon = 0x3a
const point = 0x2e
const space = 0x20

export const microsOfDay = 86_400_000_000

/** Whether it is `infinity` or `-infinity`, which date, timestamp and timestamptz have, and no finite value begins so. */
export function infinityOf(bytes: Buffer, start: number): 1 | -1 | 0 {
  const first = bytes[start]
  return first === 0x69 ? 1 : first === minus ? -1 : 0
}

/** `2020-02-29`, `12345-01-01`, `0044-03-15 BC`: days since the epoch. */
export function readDays(bytes: Buffer, start: number, end: number): number {
  const before = beforeChrist(bytes, end)
  return daysAt(bytes, start, dateEnd(bytes, start), before)
}

/** `2020-02-29 12:34:56.123456+05:30 BC`; without an offset it is taken as UTC. */
export function readTimestamp(bytes: Buffer, start: number, end: number, into: Moment): void {
  const before = beforeChrist(bytes, end)
  const dateEnds = dateEnd(bytes, start)
  into.days = daysAt(bytes, start, dateEnds, before)
  readTime(bytes, dateEnds + 1, before ? end - 3 : end, into)
}

/** `12:34:56.123456+05:30:15`. */
export function readTime(bytes: Buffer, start: number, end: number, into: Moment): void {
  const seconds = two(bytes, start) * 3600 + two(bytes, start + 3) * 60 + two(bytes, start + 6)
  let at = start + 8
  let fraction = 0
  if (bytes[at] === point) {
    let unit = 100_000
    for (at++; at < end && isDigit(bytes[at]!); at++) {
      fraction += (bytes[at]! - 0x30) * unit
      unit /= 10
    }
  }
  into.micros = seconds * 1_000_000 + fraction
  into.offsetSeconds = at < end ? offsetAt(bytes, at, end) : 0
}

/** Moves it to UTC, into the day before or after where that is so. */
export function toUtc(moment: Moment): void {
  if (moment.offsetSeconds === 0) return
  moment.micros -= moment.offsetSeconds * 1_000_000
  if (moment.micros < 0) {
    moment.micros += microsOfDay
    moment.days--
  } else if (moment.micros >= microsOfDay) {
    moment.micros -= microsOfDay
    moment.days++
  }
  moment.offsetSeconds = 0
}

/** Year (1 BC is 0), month and day of days since the epoch: the calendar of java.time and of PostgreSQL. */
export function civilOf(days: number): { year: number; month: number; day: number } {
  // Years begin in March here, so that the leap day is the last: eras of 400 years, all alike.
  const shifted = days + 719_468
  const era = Math.floor(shifted / 146_097)
  const dayOfEra = shifted - era * 146_097
  const yearOfEra = Math.floor(
    (dayOfEra - Math.floor(dayOfEra / 1460) + Math.floor(dayOfEra / 36_524) - Math.floor(dayOfEra / 146_096)) / 365,
  )
  const dayOfYear = dayOfEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100))
  const shiftedMonth = Math.floor((5 * dayOfYear + 2) / 153)
  const month = shiftedMonth < 10 ? shiftedMonth + 3 : shiftedMonth - 9
  return {
    year: yearOfEra + era * 400 + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * shiftedMonth + 2) / 5) + 1,
  }
}

function daysOf(year: number, month: number, day: number): number {
  const shiftedYear = month <= 2 ? year - 1 : year
  const era = Math.floor(shiftedYear / 400)
  const yearOfEra = shiftedYear - era * 400
  const dayOfYear = Math.floor((153 * (month + (month > 2 ? -3 : 9)) + 2) / 5) + day - 1
  return era * 146_097 + yearOfEra * 365 + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100) + dayOfYear - 719_468
}

function daysAt(bytes: Buffer, start: number, end: number, beforeChrist: boolean): number {
  let year = 0
  for (let at = start; at < end - 6; at++) year = year * 10 + bytes[at]! - 0x30
  return daysOf(beforeChrist ? 1 - year : year, two(bytes, end - 5), two(bytes, end - 2))
}

/** The year has four digits or more; month and day have two. */
function dateEnd(bytes: Buffer, start: number): number {
  let at = start + 4
  while (bytes[at] !== minus) at++
  return at + 6
}

function beforeChrist(bytes: Buffer, end: number): boolean {
  return bytes[end - 1] === 0x43 && bytes[end - 3] === space
}

function offsetAt(bytes: Buffer, start: number, end: number): number {
  if (bytes[start] !== plus && bytes[start] !== minus) return 0
  let seconds = two(bytes, start + 1) * 3600
  if (start + 3 < end && bytes[start + 3] === colon) seconds += two(bytes, start + 4) * 60
  if (start + 6 < end && bytes[start + 6] === colon) seconds += two(bytes, start + 7)
  return bytes[start] === minus ? -seconds : seconds
}

function two(bytes: Buffer, at: number): number {
  return (bytes[at]! - 0x30) * 10 + bytes[at + 1]! - 0x30
}

function isDigit(byte: number): boolean {
  return byte >= 0x30 && byte <= 0x39
}
