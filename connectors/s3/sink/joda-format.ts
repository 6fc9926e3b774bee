/**
 * Patterns of Joda-Time's DateTimeFormat, which `path.format` is written in: `'year'=YYYY/'month'=MM`. They look like those of
 * SimpleDateFormat and differ: Y is the year of the era, weeks are those of ISO 8601.
 */
import type { Zone } from './zone.ts'

/** A local time, taken apart as far as someone asks. */
interface LocalTime {
  /** Milliseconds since the epoch, as if local time were UTC. */
  readonly localMs: number
  readonly ms: number
  readonly date: Date
  readonly zone: Zone
}

type Write = (time: LocalTime) => string

const dayMs = 86_400_000

/**
 * @returns writes an instant, milliseconds since the epoch
 * @throws RangeError where the pattern has a letter that stands for nothing, or an open quote
 */
export function jodaFormat(pattern: string, zone: Zone, locale: string): (ms: number) => string {
  const writers = parse(pattern, locale)
  return (ms) => {
    const localMs = ms + zone.offsetMs(ms)
    const time = { localMs, ms, date: new Date(localMs), zone }
    let text = ''
    for (const write of writers) text += write(time)
    return text
  }
}

function parse(pattern: string, locale: string): Write[] {
  const writers: Write[] = []
  const tokens = /'((?:[^']|'')*)'|([a-zA-Z])\2*|[^a-zA-Z']+/gy
  for (let at = 0; at < pattern.length; at = tokens.lastIndex) {
    tokens.lastIndex = at
    const match = tokens.exec(pattern)
    if (match === null) throw new RangeError(`${pattern}: the quote at ${at} is not closed`)
    const [token, quoted, letter] = match
    if (letter !== undefined) {
      const write = fieldWriter(letter, token.length, locale)
      if (write === undefined) {
        throw new RangeError(`${pattern}: ${token} at ${at} stands for nothing; texts stand in quotes: 'year'=YYYY`)
      }
      writers.push(write)
    } else {
      const text = quoted === undefined ? token : quoted === '' ? "'" : quoted.replaceAll("''", "'")
      writers.push(() => text)
    }
  }
  return writers
}

const padded = (value: number, digits: number): string =>
  value < 0 ? `-${String(-value).padStart(digits, '0')}` : String(value).padStart(digits, '0')

/** Two letters stand for the last two digits, as with all years. */
const yearText = (year: number, count: number): string =>
  count === 2 ? padded(Math.abs(year) % 100, 2) : padded(year, count)

function fieldWriter(letter: string, count: number, locale: string): Write | undefined {
  return numberWriter(letter, count) ?? nameWriter(letter, count, locale)
}

function numberWriter(letter: string, count: number): Write | undefined {
  const number =
    (value: (date: Date) => number): Write =>
    ({ date }) =>
      padded(value(date), count)
  switch (letter) {
    case 'C':
      return number((date) => Math.floor(yearOfEra(date) / 100))
    case 'Y':
      return ({ date }) => yearText(yearOfEra(date), count)
    case 'y':
      return ({ date }) => yearText(date.getUTCFullYear(), count)
    case 'x':
      return ({ date }) => yearText(isoWeek(date).year, count)
    case 'w':
      return number((date) => isoWeek(date).week)
    case 'e':
      return number(isoWeekday)
    case 'D':
      return number(dayOfYear)
    case 'M':
      return count > 2 ? undefined : number((date) => date.getUTCMonth() + 1)
    case 'd':
      return number((date) => date.getUTCDate())
    case 'K':
      return number((date) => date.getUTCHours() % 12)
    case 'h':
      return number((date) => date.getUTCHours() % 12 || 12)
    case 'H':
      return number((date) => date.getUTCHours())
    case 'k':
      return number((date) => date.getUTCHours() || 24)
    case 'm':
      return number((date) => date.getUTCMinutes())
    case 's':
      return number((date) => date.getUTCSeconds())
    case 'S':
      return ({ date }) => String(date.getUTCMilliseconds()).padStart(3, '0').padEnd(count, '0').slice(0, count)
    default:
      return undefined
  }
}

function nameWriter(letter: string, count: number, locale: string): Write | undefined {
  const named = (options: Intl.DateTimeFormatOptions, part: Intl.DateTimeFormatPartTypes): Write => {
    const format = new Intl.DateTimeFormat(locale, { ...options, timeZone: 'UTC' })
    return ({ date }) => format.formatToParts(date).find(({ type }) => type === part)?.value ?? ''
  }
  const length = count >= 4 ? 'long' : 'short'
  switch (letter) {
    case 'M':
      return named({ month: length }, 'month')
    case 'E':
      return named({ weekday: length }, 'weekday')
    case 'a':
      return named({ hour: 'numeric', hourCycle: 'h12' }, 'dayPeriod')
    case 'G':
      return ({ date }) => (date.getUTCFullYear() > 0 ? 'AD' : 'BC')
    case 'z':
      return ({ ms, zone }) => zone.name(ms, length, locale)
    case 'Z':
      return ({ ms, localMs, zone }) => (count > 2 ? zone.id : offsetText(localMs - ms, count === 1 ? '' : ':'))
    default:
      return undefined
  }
}

const yearOfEra = (date: Date): number => {
  const year = date.getUTCFullYear()
  return year > 0 ? year : 1 - year
}

/** Monday is 1. */
const isoWeekday = (date: Date): number => date.getUTCDay() || 7

const dayOfYear = (date: Date): number =>
  Math.floor((date.getTime() - Date.UTC(date.getUTCFullYear(), 0, 1)) / dayMs) + 1

/** A week belongs to the year that its Thursday is in. */
function isoWeek(date: Date): { readonly year: number; readonly week: number } {
  const thursday = new Date(date.getTime() + (4 - isoWeekday(date)) * dayMs)
  return { year: thursday.getUTCFullYear(), week: Math.ceil(dayOfYear(thursday) / 7) }
}

function offsetText(offsetMs: number, between: string): string {
  const minutes = Math.abs(Math.round(offsetMs / 60_000))
  return `${offsetMs < 0 ? '-' : '+'}${padded(Math.floor(minutes / 60), 2)}${between}${padded(minutes % 60, 2)}`
}
