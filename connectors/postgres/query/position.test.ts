import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { offsetOf, positionOf, tablePartitions, timestampText } from './position.ts'

describe('positions', () => {
  test('are Confluent’s offsets', () => {
    const timestamp = { millis: 1_577_836_800_123, micros: 456 }
    expect(offsetOf({ timestamp, incrementing: 7n })).toEqual({
      incrementing: 7,
      timestamp: 1_577_836_800_123,
      timestamp_nanos: 123_456_000,
    })
    expect(offsetOf({ incrementing: 2n ** 60n })).toEqual({ incrementing: '1152921504606846976' })
    expect(offsetOf({})).toEqual({})
  })

  test('come back as they were', () => {
    const instant = fc.record({
      millis: fc.integer({ min: -8.64e15, max: 8.64e15 }),
      micros: fc.integer({ min: 0, max: 999 }),
    })
    fc.assert(
      fc.property(instant, fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (timestamp, incrementing) => {
        expect(positionOf(offsetOf({ timestamp, incrementing }))).toEqual({ timestamp, incrementing })
      }),
    )
  })

  test('of older versions have no nanoseconds', () => {
    expect(positionOf({ timestamp: 5 })).toEqual({ timestamp: { millis: 5, micros: 0 } })
    expect(positionOf({ timestamp: null, incrementing: 3 })).toEqual({ incrementing: 3n })
  })

  test.each([
    [{ incrementing: 2 ** 60 }, 'not exact'],
    [{ incrementing: 'x' }, 'incrementing'],
    [{ incrementing: 1.5 }, 'incrementing'],
    [{ timestamp: '2020' }, 'timestamp'],
    [{ timestamp: 1, timestamp_nanos: 1e9 }, 'timestamp_nanos'],
  ])('%j is none', (offset, message) => {
    expect(() => positionOf(offset)).toThrow(message)
  })

  test.each([
    [0, 0, '1970-01-01 00:00:00.000000+00'],
    [-1, 999, '1969-12-31 23:59:59.999999+00'],
    [Date.UTC(12_345, 0, 2, 3, 4, 5, 6), 7, '12345-01-02 03:04:05.006007+00'],
    [-62_198_755_200_000, 0, '0002-01-01 00:00:00.000000+00 BC'],
  ])('%d ms and %d µs in SQL', (millis, micros, text) => {
    expect(timestampText({ millis, micros })).toBe(text)
  })

  test('a table’s may be stored under other names', () => {
    expect(tablePartitions('db', { schema: 's', table: 't' }).map((partition) => partition['table'])).toEqual([
      'db.s.t',
      's.t',
      's.t',
      't',
    ])
  })
})
