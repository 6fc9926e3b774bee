import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { civilOf, infinityOf, readDays, readTime, readTimestamp, toUtc, type Moment } from './moment.ts'

const within = <T>(text: string, read: (bytes: Buffer, start: number, end: number) => T): T => {
  const bytes = Buffer.from(`12${text}34`)
  return read(bytes, 2, bytes.length - 2)
}
const days = (text: string): number => within(text, readDays)
const timestamp = (text: string): Moment => {
  const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }
  within(text, (...bytes) => readTimestamp(...bytes, moment))
  return moment
}
const time = (text: string): Moment => {
  const moment: Moment = { days: 0, micros: 0, offsetSeconds: 0 }
  within(text, (...bytes) => readTime(...bytes, moment))
  return moment
}

describe('dates', () => {
  test('are days since 1970, as the calendar of Date counts them', () => {
    fc.assert(
      fc.property(fc.integer({ min: -90_000_000, max: 90_000_000 }), (day) => {
        const date = new Date(day * 86_400_000)
        const year = date.getUTCFullYear()
        expect(civilOf(day)).toEqual({ year, month: date.getUTCMonth() + 1, day: date.getUTCDate() })
        const shown = String(year > 0 ? year : 1 - year).padStart(4, '0')
        const month = String(date.getUTCMonth() + 1).padStart(2, '0')
        const text = `${shown}-${month}-${String(date.getUTCDate()).padStart(2, '0')}${year > 0 ? '' : ' BC'}`
        expect(days(text)).toBe(day)
      }),
    )
  })

  test('the first and the last that the server has', () => {
    expect(days('4713-11-24 BC')).toBe(-2440222)
    expect(days('5874897-12-31')).toBe(2145042905)
  })

  test('infinity', () => {
    expect(['infinity', '-infinity', '2020-02-29'].map((text) => within(text, infinityOf))).toEqual([1, -1, 0])
  })
})

describe('times', () => {
  test('up to the end of the day, with all digits', () => {
    expect(time('00:00:00').micros).toBe(0)
    expect(time('23:59:59.999999').micros).toBe(86_399_999_999)
    expect(time('24:00:00').micros).toBe(86_400_000_000)
    expect(time('01:02:03.5').micros).toBe(3_723_500_000)
    expect(time('01:02:03.000004').micros).toBe(3_723_000_004)
  })

  test('offsets of hours, minutes and seconds', () => {
    const offsets = ['+00', '+05:30', '-08', '+00:19:32', '-15:59:59'].map((zone) => time(`12:00:00.5${zone}`))
    expect(offsets.map(({ offsetSeconds }) => offsetSeconds)).toEqual([0, 19_800, -28_800, 1172, -57_599])
    expect(offsets.map(({ micros }) => micros)).toEqual(offsets.map(() => 43_200_500_000))
  })
})

describe('timestamps', () => {
  test('of long years, and before Christ', () => {
    expect(timestamp('12345-06-07 01:02:03')).toEqual({ days: 3789548, micros: 3_723_000_000, offsetSeconds: 0 })
    expect(timestamp('0044-03-15 12:00:00.25+00 BC')).toEqual({
      days: -735160,
      micros: 43_200_250_000,
      offsetSeconds: 0,
    })
  })

  test('in UTC they may be of another day', () => {
    const utc = (text: string): Moment => {
      const moment = timestamp(text)
      toUtc(moment)
      return moment
    }
    expect(utc('1970-01-01 01:00:00+05:30')).toEqual({ days: -1, micros: 70_200_000_000, offsetSeconds: 0 })
    expect(utc('1970-01-01 23:00:00-02')).toEqual({ days: 1, micros: 3_600_000_000, offsetSeconds: 0 })
    expect(utc('1970-01-01 12:00:00-02')).toEqual({ days: 0, micros: 50_400_000_000, offsetSeconds: 0 })
  })
})
