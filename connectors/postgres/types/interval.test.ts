import { describe, expect, test } from 'vitest'
import { intervalMapping } from './interval.ts'
import type { Mapping } from './mapping.ts'

const read = (mapping: Mapping, text: string): unknown => mapping.read(Buffer.from(text), 0, text.length)

const numeric = intervalMapping(-1, 'numeric', 'adaptive')
const string = intervalMapping(-1, 'string', 'adaptive')
const structured = intervalMapping(-1, 'numeric', 'structured')

describe('intervals', () => {
  test.each([
    ['00:00:00', 0, 'P0Y0M0DT0H0M0S'],
    ['1 year 2 mons 3 days 04:05:06.789', 37091106789000, 'P1Y2M3DT4H5M6.789S'],
    ['-1 years -2 mons +3 days -04:05:06.789', -36572706789000, 'P-1Y-2M3DT-4H-5M-6.789S'],
    ['-00:00:00.5', -500000, 'P0Y0M0DT0H0M-0.5S'],
    ['1 mon', 2629800000000, 'P0Y1M0DT0H0M0S'],
    ['100000 days', 8640000000000000, 'P0Y0M100000DT0H0M0S'],
    ['3000000:00:00', 10800000000000000n, 'P0Y0M0DT3000000H0M0S'],
    ['178000000 years', 9223372036854775807n, 'P178000000Y0M0DT0H0M0S'],
    // Debezium's doubles lose this microsecond.
    ['00:00:01.000001', 1000001, 'P0Y0M0DT0H0M1.000001S'],
    ['infinity', 9223372036854775807n, 'infinity'],
    ['-infinity', -9223372036854775808n, '-infinity'],
  ])('%s', (text, micros, iso) => {
    expect(read(numeric, text)).toBe(micros)
    expect(read(string, text)).toBe(iso)
  })

  test('as a struct', () => {
    expect(read(structured, '1 year -2 days -00:00:01.5')).toEqual({
      ...{ years: 1, months: 0, days: -2, hours: 0, minutes: 0 },
      ...{ seconds: -1, nanos: -500_000_000, precision: 6 },
    })
    expect(read(structured, '-00:00:00.5')).toMatchObject({ hours: 0, minutes: 0, seconds: 0, nanos: -500_000_000 })
    expect(() => read(structured, 'infinity')).toThrow(/no place/)
    // `interval(0)`, and `interval day to second`, which names fields and no precision.
    const precision = (modifier: number): unknown =>
      (intervalMapping(modifier, 'numeric', 'structured').empty as { precision: number }).precision
    expect([precision(0x7fff0000), precision(0x1c08ffff)]).toEqual([0, 6])
  })
})
