/**
 * Reads texts by the parts of a SimpleDateFormat pattern (java-date-format.ts), with that class's leniency. A time so far
 * away that Java's calendar overflows is no time here.
 */
import { DataError } from '../errors.ts'
import { dayOfDate } from './hybrid-calendar.ts'
import { monthNames, weekdayNames, type PatternPart } from './java-date-pattern.ts'

/** @returns milliseconds since the epoch; undefined where the text does not follow the pattern */
export type DateReader = (text: string) => number | undefined

/** What a text said, by the letter it was said with; of two letters for the same, the later one counts. */
class Fields {
  readonly values = new Map<string, number>()

  set(letter: string, value: number): void {
    this.values.delete(letter)
    this.values.set(letter, value)
  }
}

/** Reads one part from `at` on. @returns where the next begins; −1 where the text is no such part */
type PartReader = (text: string, at: number, fields: Fields) => number

export function compileDateReader(parts: readonly PatternPart[]): DateReader {
  const hasDay = parts.some((part) => 'letter' in part && /[dD]/.test(part.letter))
  const readers = parts.map((part, i) => {
    if ('letter' in part && (/[YwWF]/.test(part.letter) || (/[Eu]/.test(part.letter) && !hasDay))) {
      return () => {
        throw new DataError(`a date pattern with the letter ${part.letter} writes texts, but does not read them`)
      }
    }
    return compilePart(part, isNumber(parts[i + 1]))
  })
  return (text) => {
    const fields = new Fields()
    let at = 0
    for (const read of readers) {
      at = read(text, at, fields)
      if (at < 0) return undefined
    }
    // Java wants something of the text, though the pattern may want nothing.
    if (at === 0) return undefined
    let ms = timeOf(fields.values)
    if (fields.values.get(maybeLater) === 1 && ms < centuryStart().getTime()) {
      ms = timeOf(fields.values.set('y', fields.values.get('y')! + 100))
    }
    return Number.isSafeInteger(ms) ? ms : undefined
  }
}

function isNumber(part: PatternPart | undefined): boolean {
  if (part === undefined || 'text' in part) return false
  return /[ML]/.test(part.letter) ? part.count < 3 : /[ydDkHKhmsSu]/.test(part.letter)
}

/** @param isAbutting whether another number follows at once, so that only as many digits as letters belong to this one */
function compilePart(part: PatternPart, isAbutting: boolean): PartReader {
  if ('text' in part) return (text, at) => (text.startsWith(part.text, at) ? at + part.text.length : -1)
  const { letter, count } = part
  const read = compileField(letter, count, isAbutting ? count : undefined)
  return (text, at, fields) => {
    let start = at
    while (text[start] === ' ' || text[start] === '\t') start++
    return start >= text.length ? -1 : read(text, start, at, fields)
  }
}

/** As {@link PartReader}, from after blanks. @param begin before the blanks */
type FieldReader = (text: string, at: number, begin: number, fields: Fields) => number

function compileField(letter: string, count: number, width: number | undefined): FieldReader {
  switch (letter) {
    case 'G':
      return nameReader('G', [['BC'], ['AD']])
    case 'M':
    case 'L':
      return count < 3 ? numberReader('M', width) : nameReader('M', ['', ...monthNames].map(shortAndLong))
    case 'E':
      return nameReader('E', weekdayNames.map(shortAndLong))
    case 'a':
      return nameReader('a', [['AM'], ['PM']])
    case 'z':
    case 'Z':
      return readZone
    case 'X':
      return isoZoneReader(count)
    case 'y':
      return yearReader(count, width)
    default:
      return numberReader(letter, width)
  }
}

const shortAndLong = (name: string): readonly string[] => (name === '' ? [] : [name.slice(0, 3), name])

function numberReader(letter: string, width: number | undefined): FieldReader {
  const field = letter === 'k' ? 'H' : letter === 'h' ? 'K' : letter
  return (text, at, begin, fields) => {
    const digits = digitsAt(text, at, begin, width)
    if (digits === undefined) return -1
    const value = int32(digits)
    const isMidnight = (letter === 'k' && value === 24) || (letter === 'h' && value === 12)
    fields.set(field, isMidnight ? 0 : value)
    return at + digits.length
  }
}

function yearReader(count: number, width: number | undefined): FieldReader {
  const firstYear = centuryStart().getUTCFullYear()
  return (text, at, begin, fields) => {
    const digits = digitsAt(text, at, begin, width)
    if (digits === undefined) return -1
    let value = int32(digits)
    if (count <= 2 && /^\d\d$/.test(digits)) {
      const century = Math.floor(firstYear / 100) * 100
      // The first year of the hundred is only partly one of them.
      fields.set(maybeLater, value === firstYear % 100 ? 1 : 0)
      value += century + (value < firstYear % 100 ? 100 : 0)
    }
    fields.set('y', value)
    return at + digits.length
  }
}

/** Set beside a year that is a hundred years later where its time is before {@link centuryStart}. */
const maybeLater = '~'

/** The hundred years that two digits may mean begin 80 years before now. */
function centuryStart(): Date {
  const start = new Date()
  start.setUTCFullYear(start.getUTCFullYear() - 80)
  return start
}

const signedDigits = /-?\d+/y

function digitsAt(text: string, at: number, begin: number, width: number | undefined): string | undefined {
  if (width !== undefined && begin + width > text.length) return undefined
  const visible = width === undefined ? text : text.slice(0, begin + width)
  signedDigits.lastIndex = at
  return signedDigits.exec(visible)?.[0]
}

/** Java's Number.intValue() of the digits. */
function int32(digits: string): number {
  const number = Number(digits)
  if (Number.isSafeInteger(number)) return number | 0
  const exact = BigInt(digits)
  if (BigInt.asIntN(64, exact) === exact) return Number(BigInt.asIntN(32, exact))
  return exact > 0n ? 0x7fffffff : -0x80000000
}

/** The longest of the names that stands there, in capitals or not, with no blank before it; its value is the place of its list. */
function nameReader(letter: string, names: readonly (readonly string[])[]): FieldReader {
  const known = names.flatMap((list, value) => list.map((name) => ({ name: name.toLowerCase(), value })))
  known.sort((a, b) => b.name.length - a.name.length)
  return (text, _at, begin, fields) => {
    const rest = text.slice(begin, begin + 30).toLowerCase()
    const found = known.find(({ name }) => rest.startsWith(name))
    if (found === undefined) return -1
    fields.set(letter, found.value)
    return begin + found.name.length
  }
}

const rfc822Zone = /([+-])(\d\d)(\d\d)/y
const gmtZone = /GMT(?:([+-])(\d?\d):(\d\d))?/iy
const utcZone = /UTC|Coordinated Universal Time/iy

const readZone: FieldReader = (text, at, _begin, fields) => {
  for (const pattern of [rfc822Zone, gmtZone, utcZone]) {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    if (match === null) continue
    if (match[1] === undefined && pattern === gmtZone && /[+-]/.test(text[pattern.lastIndex] ?? '')) return -1
    // The name of the zone that counts anyway changes nothing, and no offset before it either.
    if (pattern === utcZone) return pattern.lastIndex
    return setZone(match, fields) ? pattern.lastIndex : -1
  }
  return -1
}

function isoZoneReader(count: number): FieldReader {
  const pattern = [/Z|([+-])(\d\d)/y, /Z|([+-])(\d\d)(\d\d)/y, /Z|([+-])(\d\d):(\d\d)/y][count - 1]!
  return (text, at, _begin, fields) => {
    pattern.lastIndex = at
    const match = pattern.exec(text)
    return match !== null && setZone(match, fields) ? pattern.lastIndex : -1
  }
}

function setZone([, sign, hours = '0', minutes = '0']: RegExpExecArray, fields: Fields): boolean {
  if (Number(hours) > 23 || Number(minutes) > 59) return false
  const offset = Number(hours) * 60 + Number(minutes)
  fields.set('Z', sign === '-' ? -offset : offset)
  return true
}

const dayMs = 86_400_000

function timeOf(fields: ReadonlyMap<string, number>): number {
  const order = [...fields.keys()]
  const isLater = (a: string, b: string): boolean => order.indexOf(a) > order.indexOf(b)
  const get = (letter: string, otherwise: number): number => fields.get(letter) ?? otherwise
  const yearOfEra = get('y', 1970)
  const year = fields.get('G') === 0 ? 1 - yearOfEra : yearOfEra
  // Of the two ways to tell the hour the later one counts, one of which needs both its fields.
  const isHalfDay = !fields.has('H') || (fields.has('K') && fields.has('a') && (isLater('K', 'H') || isLater('a', 'H')))
  const hour = isHalfDay ? get('K', 0) + 12 * get('a', 0) : get('H', 0)
  const ms = hour * 3_600_000 + get('m', 0) * 60_000 + get('s', 0) * 1000 + get('S', 0)
  // Hours beyond a day move the date before it is looked at which calendar it is of.
  const moreDays = Math.floor(ms / dayMs)
  // Of the day of the year and the day of the month the later one counts; a weekday adds nothing to either.
  const epochDay = isLater('D', 'd')
    ? dayOfDate(year, 1, get('D', 1) + moreDays)
    : dayOfDate(year, get('M', 1), get('d', 1) + moreDays)
  return epochDay * dayMs + (ms - moreDays * dayMs) - get('Z', 0) * 60_000
}
