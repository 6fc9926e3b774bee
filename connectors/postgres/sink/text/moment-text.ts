import { civilOf, microsOfDay } from '../../types/moment.ts'

/** Dates and times in PostgreSQL's text form, from counts since 1970-01-01. */

const twoDigits = Array.from({ length: 100 }, (_, value) => String(value).padStart(2, '0'))

// What Debezium makes of PostgreSQL's infinities.
const infinities = {
  days: { latest: 2146033979n, earliest: -2147472691n },
  millis: { latest: 9223372036825200000n, earliest: -9223372036832400000n },
  micros: { latest: 9223372036854775807n, earliest: -9223372036854775808n },
}

/** Of a count since the epoch. */
export type TimeUnit = 'millis' | 'micros' | 'nanos'

/** `2020-02-29`, `0044-03-15 BC`, `infinity`. */
export function dateText(days: number): string {
  if (days === Number(infinities.days.latest)) return 'infinity'
  if (days === Number(infinities.days.earliest)) return '-infinity'
  return ofYear(days, '')
}

/** `12:34:56.123456`, `24:00:00`. */
export function timeText(micros: number): string {
  const seconds = Math.floor(micros / 1_000_000)
  const fraction = micros - seconds * 1_000_000
  const text = `${twoDigits[Math.floor(seconds / 3600)]!}:${twoDigits[Math.floor(seconds / 60) % 60]!}:${twoDigits[seconds % 60]!}`
  if (fraction === 0) return text
  return `${text}.${String(fraction).padStart(6, '0')}`
}

/**
 * `2020-02-29 12:34:56.123456`. Nanoseconds are cut to microseconds, since PostgreSQL keeps no more.
 * @param zone what is put behind the time: `+00`, or nothing
 */
export function timestampText(count: number | bigint, unit: TimeUnit, zone = ''): string {
  const special = typeof count === 'bigint' ? infinityText(count, unit) : undefined
  if (special !== undefined) return special
  const micros = microsOf(count, unit)
  if (typeof micros === 'number') {
    const days = Math.floor(micros / microsOfDay)
    return ofYear(days, ` ${timeText(micros - days * microsOfDay)}${zone}`)
  }
  const day = BigInt(microsOfDay)
  const rest = ((micros % day) + day) % day
  return ofYear(Number((micros - rest) / day), ` ${timeText(Number(rest))}${zone}`)
}

/** Microseconds, as a number where they fit into one. */
export function microsOf(count: number | bigint, unit: TimeUnit): number | bigint {
  if (typeof count === 'number') {
    const micros = unit === 'millis' ? count * 1000 : unit === 'micros' ? count : Math.floor(count / 1000)
    if (Number.isSafeInteger(micros)) return micros
  }
  const exact = BigInt(count)
  if (unit !== 'nanos') return unit === 'micros' ? exact : exact * 1000n
  return (exact - (((exact % 1000n) + 1000n) % 1000n)) / 1000n
}

function infinityText(count: bigint, unit: TimeUnit): string | undefined {
  const { latest, earliest } = unit === 'millis' ? infinities.millis : infinities.micros
  if (count === latest) return 'infinity'
  return count === earliest ? '-infinity' : undefined
}

function ofYear(days: number, rest: string): string {
  const { year, month, day } = civilOf(days)
  const digits = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return `${digits}-${twoDigits[month]!}-${twoDigits[day]!}${rest}${year > 0 ? '' : ' BC'}`
}

/**
 * A date or a timestamp as Debezium writes it in ISO 8601, in PostgreSQL's form: without the Z of a date or a local time, and
 * with years beyond 9999 and before Christ as PostgreSQL has them.
 */
export function isoText(text: string, isLocal: boolean): string {
  const local = isLocal && text.endsWith('Z') ? text.slice(0, -1) : text
  const first = local[0]
  if (first !== '+' && first !== '-' && !local.startsWith('0000')) return local
  const match = /^([+-]?\d+)(-\d\d-\d\d.*)$/.exec(local)
  if (match === null) return local
  const year = Number(match[1])
  if (year >= 5_877_611 || local.startsWith('+292278994')) return 'infinity'
  if (year <= -5_877_611 || local.startsWith('-292275055')) return '-infinity'
  const digits = String(year > 0 ? year : 1 - year).padStart(4, '0')
  return `${digits}${match[2]!}${year > 0 ? '' : ' BC'}`
}

/** The offset of a zone's wall clock at an instant, in milliseconds; remembered by the quarter of an hour. */
export function zoneClock(timeZone: string): (epochMillis: number) => number {
  if (timeZone === 'UTC') return () => 0
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
    era: 'short',
  })
  const known = new Map<number, number>()
  return (epochMillis) => {
    const quarter = Math.floor(epochMillis / 900_000)
    const found = known.get(quarter)
    if (found !== undefined) return found
    const parts = Object.fromEntries(format.formatToParts(quarter * 900_000).map(({ type, value }) => [type, value]))
    const year = Number(parts['year'])
    const clock = new Date(0)
    clock.setUTCFullYear(parts['era'] === 'BC' ? 1 - year : year, Number(parts['month']) - 1, Number(parts['day']))
    clock.setUTCHours(Number(parts['hour']), Number(parts['minute']), Number(parts['second']))
    const offset = clock.getTime() - quarter * 900_000
    if (known.size > 10_000) known.clear()
    known.set(quarter, offset)
    return offset
  }
}
