/**
 * Dates as Java's GregorianCalendar counts them: Gregorian from 1582-10-15 on, Julian before. Years are astronomical
 * (0 is 1 BC); days count from 1970-01-01.
 */

export interface CalendarDate {
  readonly year: number
  /** 1 to 12. */
  readonly month: number
  readonly day: number
}

/** 1582-10-15. */
const firstGregorianDay = -141_427

export function dateOfDay(epochDay: number): CalendarDate {
  const isGregorian = epochDay >= firstGregorianDay
  // Years begin in March here, so that the leap day is the last of its year.
  const shifted = epochDay + (isGregorian ? 719_468 : 719_470)
  const cycleDays = isGregorian ? 146_097 : 1461
  const cycle = Math.floor(shifted / cycleDays)
  const dayOfCycle = shifted - cycle * cycleDays
  const centuries = isGregorian ? Math.floor(dayOfCycle / 36_524) - Math.floor(dayOfCycle / 146_096) : 0
  const yearOfCycle = Math.floor((dayOfCycle - Math.floor(dayOfCycle / 1460) + centuries) / 365)
  const leapDays = isGregorian ? Math.floor(yearOfCycle / 4) - Math.floor(yearOfCycle / 100) : 0
  const dayOfYear = dayOfCycle - (365 * yearOfCycle + leapDays)
  const fromMarch = Math.floor((5 * dayOfYear + 2) / 153)
  const month = fromMarch < 10 ? fromMarch + 3 : fromMarch - 9
  const year = yearOfCycle + cycle * (isGregorian ? 400 : 4) + (month <= 2 ? 1 : 0)
  return { year, month, day: dayOfYear - Math.floor((153 * fromMarch + 2) / 5) + 1 }
}

/** Takes months and days out of their range too: they count on into the next year or month, or back. */
export function dayOfDate(year: number, month: number, day: number): number {
  const wholeYear = year + Math.floor((month - 1) / 12)
  const wholeMonth = month - Math.floor((month - 1) / 12) * 12
  // The year decides, not where months and days lead to.
  if (year < 1582) return dayIn(wholeYear, wholeMonth, day, false)
  const gregorian = dayIn(wholeYear, wholeMonth, day, true)
  return gregorian >= firstGregorianDay ? gregorian : dayIn(wholeYear, wholeMonth, day, false)
}

function dayIn(year: number, month: number, day: number, isGregorian: boolean): number {
  const shiftedYear = month <= 2 ? year - 1 : year
  const dayOfYear = Math.floor((153 * (month > 2 ? month - 3 : month + 9) + 2) / 5) + day - 1
  const leapDays = Math.floor(shiftedYear / 4)
  if (!isGregorian) return shiftedYear * 365 + leapDays + dayOfYear - 719_470
  return (
    shiftedYear * 365 + leapDays - Math.floor(shiftedYear / 100) + Math.floor(shiftedYear / 400) + dayOfYear - 719_468
  )
}

/** 0 is Sunday. */
export function weekdayOf(epochDay: number): number {
  return (((epochDay + 4) % 7) + 7) % 7
}
