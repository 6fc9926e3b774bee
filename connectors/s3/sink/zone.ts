/** A time zone, and the rounding of times in it. */
export interface Zone {
  /** As it was given. */
  readonly id: string
  /** Of local time from UTC at an instant. */
  offsetMs(ms: number): number
  /** What it is called at an instant. */
  name(ms: number, length: 'short' | 'long', locale: string): string
}

/** @throws RangeError where there is no such zone */
export function zoneOf(id: string): Zone {
  const format = new Intl.DateTimeFormat('en-US', {
    timeZone: id,
    calendar: 'iso8601',
    hourCycle: 'h23',
    era: 'short',
    year: 'numeric',
    month: 'numeric',
    day: 'numeric',
    hour: 'numeric',
    minute: 'numeric',
    second: 'numeric',
  })
  const isUtc = /^(?:UTC|GMT|Z|Etc\/(?:UTC|GMT))$/i.test(id)
  return {
    id,
    offsetMs: (ms) => (isUtc ? 0 : localMs(format, ms) - ms),
    name: (ms, length, locale) =>
      new Intl.DateTimeFormat(locale, { timeZone: id, timeZoneName: length })
        .formatToParts(ms)
        .find(({ type }) => type === 'timeZoneName')?.value ?? id,
  }
}

function localMs(format: Intl.DateTimeFormat, ms: number): number {
  const fields: Record<string, number> = {}
  for (const { type, value } of format.formatToParts(ms)) fields[type] = Number(value)
  const { year = 0, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = fields
  const local = new Date(0)
  local.setUTCFullYear(year, month - 1, day)
  local.setUTCHours(hour, minute, second, ((ms % 1000) + 1000) % 1000)
  return local.getTime()
}

/** The start of the piece of time, `durationMs` long and counted in local time, that an instant is in. */
export function roundedDown(ms: number, durationMs: number, zone: Zone): number {
  const local = ms + zone.offsetMs(ms)
  return instantOf(Math.trunc(local / durationMs) * durationMs, zone)
}

/**
 * The instant at which clocks show a local time. One that they leap over is taken as Joda-Time takes it; of two that show
 * it, either will do here, since both are written alike.
 */
function instantOf(local: number, zone: Zone): number {
  const first = zone.offsetMs(local)
  const second = zone.offsetMs(local - first)
  if (first === second) return local - first
  const isLeaptOver = zone.offsetMs(local - second) !== second
  return local - (first < 0 && isLeaptOver ? first : second)
}

/**
 * The next of the times that are whole multiples of an interval after midnight; the next midnight is one of them.
 * @param intervalMs above 0
 */
export function nextMultiple(ms: number, intervalMs: number, zone: Zone): number {
  const dayMs = 86_400_000
  const midnight = roundedDown(ms, dayMs, zone)
  // Days that are longer or shorter by an hour are over in between.
  const nextMidnight = roundedDown(midnight + dayMs * 1.5, dayMs, zone)
  const next = midnight + (Math.floor((ms - midnight) / intervalMs) + 1) * intervalMs
  return Math.min(next, nextMidnight)
}
