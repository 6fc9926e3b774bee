/**
 * Patterns of Java's SimpleDateFormat, in UTC and English (Java's locale en_US), as Kafka Connect's transforms use them:
 * all its letters write; Y, w, W and F do not read, nor do E and u without a day, and time zones are read as offsets, `UTC` or `GMT`. Reading is
 * lenient as there: 13 months are a year and one, and what follows the last field does not matter.
 */
import { dateOfDay, dayOfDate, weekdayOf } from './hybrid-calendar.ts'
import { eraNames, monthNames, parsePattern, weekdayNames, type PatternPart } from './java-date-pattern.ts'
import { compileDateReader, type DateReader } from './java-date-reader.ts'

const dayMs = 86_400_000

/** One pattern, compiled. */
export class JavaDateFormat {
  readonly pattern: string
  readonly #write: readonly ((time: Time) => string)[]
  readonly #parts: readonly PatternPart[]
  #reader: DateReader | undefined

  /** @throws RangeError where the pattern is none of SimpleDateFormat's */
  constructor(pattern: string) {
    this.pattern = pattern
    this.#parts = parsePattern(pattern)
    this.#write = this.#parts.map(compileWriter)
  }

  /** @param ms since the epoch */
  format(ms: number | bigint): string {
    const time = new Time(ms)
    let text = ''
    for (const write of this.#write) text += write(time)
    return text
  }

  /** @returns milliseconds since the epoch; undefined where the text does not follow the pattern */
  parse(text: string): number | undefined {
    this.#reader ??= compileDateReader(this.#parts)
    return this.#reader(text)
  }
}

/** A time taken apart, as far as someone asks. */
class Time {
  readonly epochDay: number
  readonly msOfDay: number
  readonly year: number
  readonly month: number
  readonly day: number

  constructor(ms: number | bigint) {
    const rest = Number(typeof ms === 'number' ? ms % dayMs : ms % BigInt(dayMs))
    this.msOfDay = rest < 0 ? rest + dayMs : rest
    const midnight = typeof ms === 'number' ? (ms - this.msOfDay) / dayMs : (ms - BigInt(this.msOfDay)) / BigInt(dayMs)
    this.epochDay = Number(midnight)
    const { year, month, day } = dateOfDay(this.epochDay)
    this.year = year
    this.month = month
    this.day = day
  }

  get hour(): number {
    return Math.floor(this.msOfDay / 3_600_000)
  }

  get yearOfEra(): number {
    return this.year > 0 ? this.year : 1 - this.year
  }

  get dayOfYear(): number {
    return this.epochDay - dayOfDate(this.year, 1, 1) + 1
  }

  /** Weeks begin on Sunday, and that of January 1st is the first, be it of the year before's last days. */
  get isInNextYearsFirstWeek(): boolean {
    return this.epochDay >= sundayBefore(dayOfDate(this.year + 1, 1, 1))
  }

  get weekOfYear(): number {
    return this.isInNextYearsFirstWeek ? 1 : this.#weekSince(dayOfDate(this.year, 1, 1))
  }

  get weekOfMonth(): number {
    return this.#weekSince(this.epochDay - this.day + 1)
  }

  #weekSince(first: number): number {
    return Math.floor((this.epochDay - sundayBefore(first)) / 7) + 1
  }
}

const sundayBefore = (epochDay: number): number => epochDay - weekdayOf(epochDay)

function compileWriter(part: PatternPart): (time: Time) => string {
  if ('text' in part) return () => part.text
  const { letter, count } = part
  const name = nameWriter(letter, count)
  if (name !== undefined) return name
  const number = numbers[letter]!
  if (count === 2 && (letter === 'y' || letter === 'Y')) return (time) => padded(number(time) % 100, 2)
  return (time) => padded(number(time), count)
}

function padded(value: number, digits: number): string {
  const text = String(Math.abs(value)).padStart(digits, '0')
  return value < 0 ? `-${text}` : text
}

function nameWriter(letter: string, count: number): ((time: Time) => string) | undefined {
  const isLong = count >= 4
  const short = (name: string): string => (isLong ? name : name.slice(0, 3))
  switch (letter) {
    case 'G':
      return ({ year }) => eraNames[year > 0 ? 1 : 0]
    case 'M':
    case 'L':
      return count < 3 ? undefined : ({ month }) => short(monthNames[month - 1]!)
    case 'E':
      return ({ epochDay }) => short(weekdayNames[weekdayOf(epochDay)]!)
    case 'a':
      return ({ hour }) => (hour < 12 ? 'AM' : 'PM')
    case 'z':
      return () => (isLong ? 'Coordinated Universal Time' : 'UTC')
    case 'Z':
      return () => '+0000'
    case 'X':
      return () => 'Z'
    default:
      return undefined
  }
}

const numbers: Readonly<Record<string, (time: Time) => number>> = {
  y: (time) => time.yearOfEra,
  // Unlike y it has no eras.
  Y: (time) => (time.isInNextYearsFirstWeek ? time.year + 1 : time.year),
  M: (time) => time.month,
  L: (time) => time.month,
  d: (time) => time.day,
  k: (time) => time.hour || 24,
  H: (time) => time.hour,
  K: (time) => time.hour % 12,
  h: (time) => time.hour % 12 || 12,
  m: (time) => Math.floor(time.msOfDay / 60_000) % 60,
  s: (time) => Math.floor(time.msOfDay / 1000) % 60,
  S: (time) => time.msOfDay % 1000,
  D: (time) => time.dayOfYear,
  F: (time) => Math.floor((time.day - 1) / 7) + 1,
  w: (time) => time.weekOfYear,
  W: (time) => time.weekOfMonth,
  u: (time) => weekdayOf(time.epochDay) || 7,
}
