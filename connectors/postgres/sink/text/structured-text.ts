import type { Encode } from './encode.ts'

/** The structs of Debezium's `time.precision.mode=structured`: dates and times as their parts. */
interface Parts {
  readonly year?: number | null
  readonly month?: number | null
  readonly day?: number | null
  readonly hour?: number | null
  readonly minute?: number | null
  readonly second?: number | null
  readonly nanos?: number | null
  readonly offsetSeconds?: number | null
  readonly specialValue?: string | null
}

interface DurationParts {
  readonly years?: number | null
  readonly months?: number | null
  readonly days?: number | null
  readonly hours?: number | null
  readonly minutes?: number | null
  readonly seconds?: number | bigint | null
  readonly nanos?: number | null
}

/** Of `StructuredDate`, `StructuredTimestamp` and so on. */
export function structuredEncoder(name: string): Encode | undefined {
  switch (name) {
    case 'StructuredDate':
      return (value) => momentText(value as Parts, (parts) => dateOf(parts))
    case 'StructuredTime':
    case 'StructuredZonedTime':
      return (value) => momentText(value as Parts, (parts) => timeOf(parts) + zoneOf(parts))
    case 'StructuredTimestamp':
    case 'StructuredZonedTimestamp':
      return (value) => momentText(value as Parts, (parts) => `${dateOf(parts)} ${timeOf(parts)}${zoneOf(parts)}`)
    case 'StructuredDuration':
      return (value) => durationText(value as DurationParts)
    default:
      return undefined
  }
}

function momentText(parts: Parts, text: (parts: Parts) => string): string {
  if (parts.specialValue !== undefined && parts.specialValue !== null) {
    return parts.specialValue.startsWith('NEG') ? '-infinity' : 'infinity'
  }
  const year = parts.year ?? 1
  return year > 0 ? text(parts) : `${text({ ...parts, year: 1 - year })} BC`
}

function dateOf({ year, month, day }: Parts): string {
  return `${String(year ?? 1970).padStart(4, '0')}-${two(month ?? 1)}-${two(day ?? 1)}`
}

function timeOf({ hour, minute, second, nanos }: Parts): string {
  const micros = String(Math.floor((nanos ?? 0) / 1000)).padStart(6, '0')
  return `${two(hour ?? 0)}:${two(minute ?? 0)}:${two(second ?? 0)}.${micros}`
}

function zoneOf({ offsetSeconds }: Parts): string {
  if (offsetSeconds === undefined || offsetSeconds === null) return ''
  const seconds = Math.abs(offsetSeconds)
  const clock = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60].map(two)
  return `${offsetSeconds < 0 ? '-' : '+'}${clock.join(':')}`
}

/** Each part with its own sign, as an interval keeps them. */
function durationText({ years, months, days, hours, minutes, seconds, nanos }: DurationParts): string {
  const micros = BigInt(seconds ?? 0) * 1_000_000n + BigInt(Math.trunc((nanos ?? 0) / 1000))
  const magnitude = micros < 0n ? -micros : micros
  const fraction = String(magnitude % 1_000_000n).padStart(6, '0')
  const clock = `${micros < 0n ? '-' : ''}${magnitude / 1_000_000n}.${fraction} secs`
  return `${years ?? 0} years ${months ?? 0} mons ${days ?? 0} days ${hours ?? 0} hours ${minutes ?? 0} mins ${clock}`
}

function two(value: number): string {
  return String(value).padStart(2, '0')
}
