import { describe, expect, test } from 'vitest'
import type { Mapping } from './mapping.ts'
import * as temporal from './temporal.ts'

const read = (mapping: Mapping, text: string): unknown => {
  const bytes = Buffer.from(`0${text}0`)
  return mapping.read(bytes, 1, bytes.length - 1)
}

/** The values are Debezium 3.7's, except where a comment says otherwise. */
describe('dates and times', () => {
  test.each([
    ['adaptive', 'io.debezium.time.Date', 18321, 2146033979, -735160],
    ['connect', 'org.apache.kafka.connect.data.Date', 18321, 2146033979, -735160],
    ['isostring', 'io.debezium.time.IsoDate', '2020-02-29Z', '+5877611-06-21Z', '-0043-03-15Z'],
  ] as const)('date, %s', (mode, name, usual, infinity, old) => {
    const mapping = temporal.dateMapping(mode)
    expect(mapping.schema).toMatchObject({ name, version: 1 })
    expect(['2020-02-29', 'infinity', '0044-03-15 BC'].map((text) => read(mapping, text))).toEqual([
      usual,
      infinity,
      old,
    ])
  })

  test.each([
    ['adaptive', -1, 'io.debezium.time.MicroTime', 3723500000, 86400000000],
    ['adaptive', 6, 'io.debezium.time.MicroTime', 3723500000, 86400000000],
    ['adaptive', 3, 'io.debezium.time.Time', 3723500, 86400000],
    ['adaptive_time_microseconds', 0, 'io.debezium.time.MicroTime', 3723500000, 86400000000],
    ['microseconds', 0, 'io.debezium.time.MicroTime', 3723500000, 86400000000],
    ['nanoseconds', 0, 'io.debezium.time.NanoTime', 3723500000000, 86400000000000],
    ['connect', 6, 'org.apache.kafka.connect.data.Time', 3723500, 86400000],
    // Debezium makes 00:00:00Z of the last.
    ['isostring', 6, 'io.debezium.time.IsoTime', '01:02:03.5Z', '24:00:00Z'],
  ] as const)('time, %s, %i', (mode, modifier, name, usual, last) => {
    const mapping = temporal.timeMapping(modifier, mode)
    expect(mapping.schema).toMatchObject({ name, version: 1 })
    expect([read(mapping, '01:02:03.5'), read(mapping, '24:00:00')]).toEqual([usual, last])
  })

  test.each([
    ['adaptive', -1, 'io.debezium.time.MicroTimestamp', -1, -62135596800000000n, 9223372036854775807n],
    ['adaptive', 3, 'io.debezium.time.Timestamp', -1, -62135596800000, 9223372036825200000n],
    ['adaptive_time_microseconds', 6, 'io.debezium.time.MicroTimestamp', -1, -62135596800000000n, 9223372036854775807n],
    ['microseconds', 0, 'io.debezium.time.MicroTimestamp', -1, -62135596800000000n, 9223372036854775807n],
    ['connect', 6, 'org.apache.kafka.connect.data.Timestamp', -1, -62135596800000, 9223372036825200000n],
    [
      ...(['isostring', 6, 'io.debezium.time.IsoTimestamp'] as const),
      ...(['1969-12-31T23:59:59.999999Z', '0001-01-01T00:00:00Z', '+292278994-08-16T23:00:00Z'] as const),
    ],
  ] as const)('timestamp, %s, %i', (mode, modifier, name, usual, old, infinity) => {
    const mapping = temporal.timestampMapping(modifier, mode)
    expect(mapping.schema).toMatchObject({ name, version: 1 })
    expect(read(mapping, '1969-12-31 23:59:59.999999')).toBe(usual)
    expect(read(mapping, '0001-01-01 00:00:00')).toBe(old)
    expect(read(mapping, 'infinity')).toBe(infinity)
  })

  test('timestamps in nanoseconds, and what their int64 does not reach', () => {
    const mapping = temporal.timestampMapping(-1, 'nanoseconds')
    expect(read(mapping, '2020-02-29 12:34:56.123456')).toBe(1582979696123456000n)
    expect(read(mapping, '1969-12-31 23:59:59.999999')).toBe(-1000)
    expect(read(mapping, '-infinity')).toBe(-9223372036854775808n)
    expect(() => read(mapping, '9999-12-31 00:00:00')).toThrow(/year 9999/)
  })

  test('timestamps at the ends of what the server has', () => {
    const micros = temporal.timestampMapping(-1, 'adaptive')
    expect(read(micros, '4713-11-24 00:00:00 BC')).toBe(-210835180800000000n)
    expect(() => read(micros, '294276-12-31 23:59:59.999999')).toThrow(/year 294276/)
    const millis = temporal.timestampMapping(-1, 'connect')
    expect(read(millis, '294276-12-31 23:59:59.999999')).toBe(9224318015999999n)
    expect(read(temporal.timestampMapping(-1, 'isostring'), '12345-06-07 01:02:03 BC')).toBe('-12344-06-07T01:02:03Z')
  })

  test.each([
    [-1, '2020-02-29 12:34:56+00', '2020-02-29T12:34:56.000000Z'],
    [-1, '2020-02-29 12:34:56.12+00', '2020-02-29T12:34:56.120000Z'],
    [-1, '0044-03-15 12:00:00+00 BC', '-0043-03-15T12:00:00.000000Z'],
    [-1, '12345-06-07 01:02:03+00', '+12345-06-07T01:02:03.000000Z'],
    [-1, '0001-01-01 00:00:00+00 BC', '0000-01-01T00:00:00.000000Z'],
    [0, '2020-02-29 12:34:56+00', '2020-02-29T12:34:56Z'],
    [3, '2020-02-29 12:34:56.12+00', '2020-02-29T12:34:56.120Z'],
    // As a default expression may be, of a session in another zone.
    [-1, '2020-02-29 23:34:56.123456-08', '2020-03-01T07:34:56.123456Z'],
    [-1, 'infinity', 'infinity'],
    [-1, '-infinity', '-infinity'],
  ] as const)('timestamptz(%i), %s', (modifier, text, expected) => {
    expect(read(temporal.zonedTimestampMapping(modifier, 'adaptive'), text)).toBe(expected)
  })

  test.each([
    ['23:59:59.999999+05:30', '18:29:59.999999Z'],
    ['12:00:00-08', '20:00:00Z'],
    ['24:00:00+00', '24:00:00Z'],
    // What Debezium cannot read.
    ['12:00:00+00:19:32', '11:40:28Z'],
    ['24:00:00-05:30', '05:30:00Z'],
  ])('timetz, %s', (text, expected) => {
    expect(read(temporal.zonedTimeMapping(-1, 'adaptive'), text)).toBe(expected)
  })

  test('structured', () => {
    const clock = { hour: 12, minute: 34, second: 56, nanos: 123_456_000 }
    expect(read(temporal.dateMapping('structured'), '0044-03-15 BC')).toEqual({ year: -43, month: 3, day: 15 })
    expect(read(temporal.dateMapping('structured'), '-infinity')).toEqual({ specialValue: 'NEGATIVE_INFINITY' })
    expect(read(temporal.timeMapping(-1, 'structured'), '12:34:56.123456')).toEqual({ ...clock, precision: 6 })
    expect(read(temporal.zonedTimeMapping(0, 'structured'), '24:00:00-05:30')).toEqual({
      ...{ hour: 24, minute: 0, second: 0, nanos: 0 },
      ...{ offsetSeconds: -19_800, precision: 0 },
    })
    const zoned = temporal.zonedTimestampMapping(-1, 'structured')
    expect(read(zoned, '2020-02-29 12:34:56.123456+00')).toEqual({
      ...{ year: 2020, month: 2, day: 29, ...clock },
      ...{ offsetSeconds: 0, zoneId: 'Z', precision: 6 },
    })
    expect(read(zoned, 'infinity')).toEqual({ specialValue: 'POSITIVE_INFINITY', precision: 6 })
    const timestamp = temporal.timestampMapping(3, 'structured')
    expect(timestamp.schema).toMatchObject({ name: 'io.debezium.time.StructuredTimestamp', version: 1 })
    expect(timestamp.schema.fields?.map(({ name, schema }) => `${name} ${schema.type}`)).toEqual([
      ...['year int32', 'month int8', 'day int8', 'hour int8', 'minute int8', 'second int8', 'nanos int32'],
      ...['specialValue string', 'precision int32'],
    ])
  })
})
