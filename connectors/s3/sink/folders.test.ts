import { schema, type SinkRecord } from '@tidewire/sdk'
import { parseConfig, sinkRecord } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { jodaFormat } from './joda-format.ts'
import { partitionerOf } from './partitioner.ts'
import { s3Sink } from './sink.ts'
import { nextMultiple, roundedDown, zoneOf } from './zone.ts'

const utc = zoneOf('UTC')
const at = Date.UTC(2026, 0, 3, 14, 5, 9, 7) // a Saturday, in the first week of its year

describe('patterns of Joda-Time', () => {
  test.each([
    ["'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH", 'year=2026/month=01/day=03/hour=14'],
    ['yy-Y-yyyyy', '26-2026-02026'],
    ['M MM MMM MMMM', '1 01 Jan January'],
    ['E EEEE e', 'Sat Saturday 6'],
    ['D DDD', '3 003'],
    ["xxxx'w'ww", '2026w01'],
    ['h K k H a', '2 2 14 14 PM'],
    ['mm:ss.S SS SSS SSSS', '05:09.0 00 007 0070'],
    ['C G', '20 AD'],
    ['Z ZZ ZZZ', '+0000 +00:00 UTC'],
    ["''yyyy 'o''clock'", "'2026 o'clock"],
  ])('%s is %s', (pattern, text) => {
    expect(jodaFormat(pattern, utc, 'en')(at)).toBe(text)
  })

  test('weeks are those of ISO 8601, whose years are not always the calendar’s', () => {
    const format = jodaFormat('xxxx-ww', utc, 'en')
    expect([Date.UTC(2024, 11, 30), Date.UTC(2027, 0, 3), Date.UTC(2026, 11, 31)].map(format)).toEqual([
      '2025-01',
      '2026-53',
      '2026-53',
    ])
  })

  test('names in other languages, and other time zones', () => {
    expect(jodaFormat('MMMM HH ZZ', zoneOf('Europe/Berlin'), 'de')(at)).toBe('Januar 15 +01:00')
    expect(jodaFormat('HH:mm', zoneOf('+05:30'), 'en')(at)).toBe('19:35')
  })

  test.each(['yyyy-bb', "yyyy'open", 'Q'])('%s is none', (pattern) => {
    expect(() => jodaFormat(pattern, utc, 'en')).toThrow(RangeError)
  })
})

describe('time in a zone', () => {
  const newYork = zoneOf('America/New_York')
  const day = 86_400_000

  test('days begin at midnight of the zone, also when clocks change', () => {
    const starts = [Date.UTC(2026, 2, 8, 12), Date.UTC(2026, 10, 1, 12)].map((ms) => roundedDown(ms, day, newYork))
    expect(starts.map((ms) => new Date(ms).toISOString())).toEqual([
      '2026-03-08T05:00:00.000Z',
      '2026-11-01T04:00:00.000Z',
    ])
  })

  test('a midnight that clocks leap over', () => {
    const saoPaulo = zoneOf('America/Sao_Paulo')
    const noon = Date.UTC(2018, 10, 4, 12)
    expect(jodaFormat('yyyy-MM-dd', saoPaulo, 'en')(roundedDown(noon, day, saoPaulo))).toBe('2018-11-04')
  })

  test('the schedule counts from midnight, and begins anew with the next', () => {
    const hours = (interval: number, ms: number): number =>
      (nextMultiple(ms, interval * 3_600_000, utc) - Date.UTC(2026, 0, 3)) / 3_600_000
    expect([hours(1, at), hours(5, at), hours(5, Date.UTC(2026, 0, 3, 21)), hours(48, at)]).toEqual([15, 15, 24, 24])
    // 23 hours long.
    const march = nextMultiple(Date.UTC(2026, 2, 8, 20), 48 * 3_600_000, newYork)
    expect(new Date(march).toISOString()).toBe('2026-03-09T04:00:00.000Z')
  })
})

describe('folders', () => {
  const encode = (more: Record<string, string>, record: Partial<SinkRecord>): string => {
    const config = parseConfig(s3Sink, { 's3.bucket.name': 'b', 'format.class': 'json', 'flush.size': '1', ...more })
    const { extractor, encode } = partitionerOf(config)
    const whole = sinkRecord(record)
    return encode(whole, extractor?.extract(whole, at) ?? 0)
  }
  const byField = {
    'partitioner.class': 'hourly',
    'timestamp.extractor': 'RecordField',
    'timestamp.field': 'meta.time',
  }
  const of = (time: unknown) => encode(byField, { value: { meta: { time } } })

  test('by a field of many forms of time', () => {
    const hour = 'year=2026/month=01/day=03/hour=14'
    const texts = ['2026-01-03T14:05:09.007Z', '2026-01-03T14', '2026-01-03T15:05:09+01:00', '2026-01-03T14:05']
    for (const time of [at, BigInt(at), String(at), ...texts]) expect(of(time)).toBe(hour)
    expect(of('2026-01-03')).toBe('year=2026/month=01/day=03/hour=00')
    for (const time of ['yesterday', '2026-02-30', '2026-01-03T25', '', null, true, [1]])
      expect(() => of(time)).toThrow(/no time/)
  })

  test('by a field with a schema, which has to be one of times', () => {
    const value = { meta: { time: at } }
    const typed = (time: ReturnType<typeof schema.int64>) => schema.struct({ meta: schema.struct({ time }) })
    const hour = 'year=2026/month=01/day=03/hour=14'
    expect(encode(byField, { value, valueSchema: typed(schema.timestamp()) })).toBe(hour)
    expect(encode(byField, { value, valueSchema: typed(schema.int64()) })).toBe(hour)
    expect(() => encode(byField, { value, valueSchema: typed(schema.float64()) })).toThrow(/no time/)
    expect(() => encode(byField, { value, valueSchema: schema.struct({}) })).toThrow(/no field/)
  })

  test('by time, in pieces of any length', () => {
    const time = { 'partitioner.class': 'time', 'path.format': "'at'=HH-mm/", 'timestamp.extractor': 'Record' }
    expect(encode({ ...time, 'partition.duration.ms': '600000' }, { timestamp: at })).toBe('at=14-00')
    expect(encode({ ...time, 'partition.duration.ms': '420000', timezone: 'Asia/Kolkata' }, { timestamp: at })).toBe(
      'at=19-33',
    )
    expect(() => encode({ ...time, 'partition.duration.ms': '600000' }, { timestamp: -1 })).toThrow(/no timestamp/)
  })

  test('by the clock', () => {
    expect(encode({ 'partitioner.class': 'daily' }, {})).toBe('year=2026/month=01/day=03')
  })

  test('by fields: what names a folder and what does not', () => {
    const by = { 'partitioner.class': 'field', 'partition.field.name': 'a' }
    expect([1, 2n ** 60n, 'x/y', true, null].map((a) => encode(by, { value: { a } }))).toEqual([
      'a=1',
      'a=1152921504606846976',
      'a=x/y',
      'a=true',
      'a=null',
    ])
    for (const value of [{ a: 1.5 }, { a: {} }, { b: 1 }, 'text', null]) expect(() => encode(by, { value })).toThrow()
    const typed = (field: ReturnType<typeof schema.int8>) => ({
      value: { a: 1 },
      valueSchema: schema.struct({ a: field }),
    })
    expect(encode(by, typed(schema.int8()))).toBe('a=1')
    expect(() => encode(by, typed(schema.float64()))).toThrow(/neither/)
  })

  test('with the schema’s name, and tombstones apart', () => {
    const valueSchema = schema.struct({}, { name: 'Order' })
    const affix = (type: string) =>
      encode({ 's3.schema.partition.affix.type': type }, { value: {}, valueSchema, partition: 3 })
    expect([affix('PREFIX'), affix('SUFFIX')]).toEqual([
      'schema_name=Order/partition=3',
      'partition=3/schema_name=Order',
    ])
    const write = {
      'behavior.on.null.values': 'write',
      'store.kafka.keys': 'true',
      'tombstone.encoded.partition': 'gone',
    }
    expect(encode(write, { value: null })).toBe('gone')
  })
})
