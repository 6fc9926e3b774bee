import { isErrorKind, schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import plugin from './plugin.ts'
import { bytesConverter } from './bytes-converter.ts'
import { simpleHeaderConverter } from './simple-header-converter.ts'
import { stringConverter } from './string-converter.ts'

test('the plugin gives the converters under their names and those of Kafka Connect', () => {
  const names = plugin.converters!.flatMap(({ name, aliases = [] }) => [name, ...aliases])
  expect(names).toEqual(expect.arrayContaining(['json', 'string', 'bytes', 'simple']))
  expect(names).toEqual(
    expect.arrayContaining([
      'org.apache.kafka.connect.json.JsonConverter',
      'org.apache.kafka.connect.storage.StringConverter',
      'org.apache.kafka.connect.converters.ByteArrayConverter',
      'org.apache.kafka.connect.storage.SimpleHeaderConverter',
    ]),
  )
  expect(new Set(names).size).toBe(names.length)
})

describe('string', () => {
  const converter = stringConverter.create({ 'converter.encoding': 'UTF-8' }, 'value')

  test.each([
    [undefined, 'text é', 'text é'],
    [undefined, 1, '1'],
    [schema.float64(), 1, '1.0'],
    [undefined, 12345678901234567890n, '12345678901234567890'],
    [undefined, { a: 1, b: ['x', null] }, '{a=1, b=[x, null]}'],
    [schema.struct({ a: schema.int32(), b: schema.string({ optional: true }) }), { a: 1, b: null }, 'Struct{a=1}'],
  ])('%o %s is %s', (of, value, text) => {
    expect(converter.fromConnect('t', of, value)).toBe(text)
  })

  test('null stays null, bytes go through', () => {
    expect(converter.fromConnect('t', undefined, null)).toBeNull()
    const bytes = Buffer.from([0xff, 0])
    expect(converter.fromConnect('t', undefined, bytes)).toBe(bytes)
    expect(converter.toConnect('t', null)).toEqual({ schema: schema.string({ optional: true }), value: null })
  })

  test('other encodings', () => {
    const latin = stringConverter.create({ 'converter.encoding': 'ISO-8859-1' }, 'value')
    expect(latin.fromConnect('t', undefined, 'é')).toEqual(Buffer.from([0xe9]))
    expect(latin.toConnect('t', Uint8Array.of(0xe9))).toMatchObject({ value: 'é' })
    expect(() => stringConverter.create({ 'converter.encoding': 'EBCDIC' }, 'value')).toThrow(/EBCDIC/)
  })
})

describe('bytes', () => {
  const converter = bytesConverter.create({}, 'value')

  test('takes bytes and nothing else', () => {
    const bytes = Uint8Array.of(1)
    expect(converter.fromConnect('t', schema.bytes(), bytes)).toBe(bytes)
    expect(converter.fromConnect('t', undefined, null)).toBeNull()
    for (const run of [
      () => converter.fromConnect('t', undefined, 'text'),
      () => converter.fromConnect('t', schema.string(), bytes),
    ]) {
      let thrown: unknown
      try {
        void run()
      } catch (error) {
        thrown = error
      }
      expect(isErrorKind(thrown, 'DataError')).toBe(true)
    }
  })
})

test('simple: the header of an empty text is an empty text, and none is none', () => {
  const converter = simpleHeaderConverter.create({}, 'header')
  expect(converter.toConnect('t', Buffer.alloc(0))).toEqual({ schema: schema.string(), value: '' })
  expect(converter.toConnect('t', null)).toEqual({ value: null })
  expect(converter.fromConnect('t', undefined, null)).toBeNull()
  expect(converter.fromConnect('t', undefined, 5)).toBe('5')
})
