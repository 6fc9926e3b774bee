import { DataError, Decimal, schema, type SourceRecord } from '@tidewire/sdk'
import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { InRecord, OutHeader } from '../client/client.ts'
import { stringifyExact } from '@tidewire/sdk/exact-json'
import { originHeader, readLetter, sourceLetter, sourceRecordOf, type DeadLetter } from './dead-letter.ts'
import type { FailedRecord, RecordBytes } from './error-policy.ts'

const bytes = (value: Uint8Array | string | null): Buffer | null => (value === null ? null : Buffer.from(value))

/** The letter as it is read back. */
function posted(record: RecordBytes, more: readonly OutHeader[] = [], failed: Partial<FailedRecord> = {}): DeadLetter {
  const origin = originHeader(
    'c',
    { stage: 'VALUE_CONVERTER', operation: 'json', error: new Error('no'), topic: 't', bytes: () => record, ...failed },
    record,
  )
  const stored: InRecord = {
    offset: 7,
    timestamp: 5,
    key: bytes(record.key),
    value: bytes(record.value),
    headers: [...record.headers, ...more, origin].map(({ key, value }) => ({ key, value: bytes(value) })),
  }
  return readLetter(0, stored)
}

const again = (record: Partial<SourceRecord>): SourceRecord =>
  sourceRecordOf(posted(sourceLetter({ topic: 't', value: null, timestamp: 5, ...record })))

describe('a letter of a source', () => {
  const struct = schema.struct({
    id: schema.int64(),
    price: schema.decimal(2),
    tags: schema.map(schema.string(), schema.bytes()),
    note: schema.string({ optional: true }),
  })

  test.each<[string, Partial<SourceRecord>]>([
    ['text', { value: 'a', valueSchema: schema.string() }],
    ['text without schema', { value: 'a', key: 'k' }],
    ['bytes', { value: Buffer.from([0, 255, 1]), valueSchema: schema.bytes() }],
    ['nothing', { value: null, key: null }],
    ['a large integer', { value: { n: 2n ** 62n, list: [1, 'x', null, true] } }],
    [
      'a struct',
      {
        value: { id: 2n ** 60n, price: new Decimal(1250n, 2), tags: new Map([['a', Buffer.from([1])]]), note: null },
        valueSchema: struct,
      },
    ],
    [
      'its partition and headers',
      { value: 1, partition: 3, headers: [{ key: 'h', value: 5, schema: schema.int32() }] },
    ],
  ])('gives the record back: %s', (_, record) => {
    const made = again(record)
    expect(made).toMatchObject({ topic: 't', timestamp: 5, value: record.value })
    expect(made.valueSchema).toEqual(record.valueSchema)
    expect(made.partition).toBe(record.partition)
    expect(made.headers ?? []).toEqual(record.headers ?? [])
  })

  test.each([
    ['a value that is no JSON', { value: { as: 'json' } }, 'value'],
    ['a schema that is no JSON', { value: { as: 'text', schema: '{' } }, 'value'],
    ['no word on its key', { key: undefined }, 'key'],
    ['no word on its headers', { headers: undefined }, 'letter'],
    ['no source', null, 'letter'],
  ])('that somebody else wrote is not put back: %s', (_, source, what) => {
    const form = source && { key: { as: 'text' }, value: { as: 'text' }, headers: [], ...source }
    const origin = JSON.stringify({ version: 1, connector: 'c', stage: 's', topic: 't', headers: 0, source: form })
    const letter = readLetter(0, {
      offset: 0,
      timestamp: 0,
      key: Buffer.from('k'),
      value: Buffer.from('{'),
      headers: [{ key: '__tidewire.dead.letter', value: Buffer.from(origin) }],
    })
    const read = (): unknown => sourceRecordOf(letter)
    expect(read).toThrow(what)
    expect(read).toThrow(DataError)
  })

  test('any JSON value comes back as it was', () => {
    fc.assert(
      fc.property(fc.jsonValue({ noUnicodeString: false }), fc.jsonValue(), (key, value) => {
        // JSON has no negative zero. A large integer comes back as a bigint: as text they are the same.
        const plain = JSON.parse(JSON.stringify({ key, value })) as { key: unknown; value: unknown }
        const made = again(plain)
        expect(stringifyExact({ key: made.key, value: made.value })).toBe(JSON.stringify(plain))
      }),
    )
  })

  test('that could not be written down is refused, and not made up', () => {
    const endless: Record<string, unknown> = {}
    endless['self'] = endless
    expect(() => again({ value: endless })).toThrow(/does not hold the value/)
  })
})

describe('a letter of a sink', () => {
  const record = {
    key: Buffer.from('k'),
    value: Buffer.from('v'),
    headers: [{ key: '__connect.errors.topic', value: 'other' }],
  }

  test('keeps the record’s own headers apart, though they are those of a letter', () => {
    const context = [{ key: '__connect.errors.topic', value: 't' }]
    const letter = posted(record, context, { partition: 2, offset: 9 })
    expect(letter).toMatchObject({
      connector: 'c',
      stage: 'VALUE_CONVERTER',
      origin: { topic: 't', partition: 2, offset: 9 },
    })
    expect(letter.headers).toEqual([{ key: '__connect.errors.topic', value: Buffer.from('other') }])
    expect(() => sourceRecordOf(letter)).toThrow(/does not say how/)
  })

  test('of Kafka Connect is known by its headers; without them by nothing', () => {
    const header = (name: string, value: string) => ({ key: `__connect.errors.${name}`, value: Buffer.from(value) })
    const headers = [
      { key: 'own', value: null },
      header('topic', 't'),
      header('partition', '1'),
      header('offset', '12'),
      header('connector.name', 'old'),
      header('exception.message', 'why'),
    ]
    const stored = { offset: 0, timestamp: 0, key: null, value: null }
    expect(readLetter(0, { ...stored, headers })).toMatchObject({
      connector: 'old',
      message: 'why',
      origin: { topic: 't', partition: 1, offset: 12 },
      headers: [{ key: 'own' }],
    })
    expect(readLetter(0, { ...stored, headers: [] })).toMatchObject({
      connector: undefined,
      origin: { topic: undefined },
    })
  })

  test.each(['', 'null', '{"version":2}', '[1]', '{"version":1,"connector":"c","topic":"t"}'])(
    'with %j in place of what we write is a foreign one',
    (text) => {
      const headers = [{ key: '__tidewire.dead.letter', value: Buffer.from(text) }]
      expect(readLetter(0, { offset: 0, timestamp: 0, key: null, value: null, headers }).connector).toBeUndefined()
    },
  )
})
