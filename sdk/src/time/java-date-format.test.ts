import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { dateOfDay, dayOfDate } from './hybrid-calendar.ts'
import { JavaDateFormat } from './java-date-format.ts'

const file = new URL('../../../test/vectors/transforms/date-formats.json', import.meta.url)
const vectors = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly times: readonly number[]
  readonly texts: readonly string[]
  readonly patterns: readonly {
    readonly pattern: string
    readonly error?: string
    readonly formatted?: readonly string[]
    readonly parsed?: Readonly<Record<string, number>>
  }[]
}

describe('as java.text.SimpleDateFormat', () => {
  const patterns = vectors.patterns.map((each) => [each.pattern, each] as const)

  test.each(patterns.filter(([, { error }]) => error !== undefined))('%s is refused', (pattern) => {
    expect(() => new JavaDateFormat(pattern)).toThrow(RangeError)
  })

  test.each(patterns.filter(([, { error }]) => error === undefined))('%s', (pattern, each) => {
    const format = new JavaDateFormat(pattern)
    // The weeks of the month that had no 5th to 14th are counted anew from the 15th in Java.
    const isInCutMonth = (time: number): boolean => time === -12_219_292_800_000 && /^[FW]$/.test(pattern)
    for (const [i, time] of vectors.times.entries()) {
      if (!isInCutMonth(time)) expect([time, format.format(time)]).toEqual([time, each.formatted![i]])
    }
    if (/[YwWF]/.test(pattern) || (/[Eu]/.test(pattern) && !/[dD]/.test(pattern))) {
      expect(() => format.parse('2024-02-29')).toThrow('writes texts, but does not read them')
      return
    }
    const read = vectors.texts.map((text) => [text, format.parse(text)])
    const inJava = (i: number): number | undefined => {
      const time = each.parsed![i]
      return time !== undefined && Number.isSafeInteger(time) ? time : undefined
    }
    expect(read).toEqual(vectors.texts.map((text, i) => [text, inJava(i)]))
  })
})

test('every date is found again by its day', () => {
  fc.assert(
    fc.property(fc.integer({ min: -4_000_000, max: 4_000_000 }), (epochDay) => {
      const { year, month, day } = dateOfDay(epochDay)
      expect(dayOfDate(year, month, day)).toBe(epochDay)
    }),
  )
})
