import { Decimal, schema } from '@tidewire/sdk'
import { stringifyExact } from '@tidewire/sdk/exact-json'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { parseConfig } from '@tidewire/sdk/testing'
import { objectFormat } from './choose-format.ts'
import { checkFormats, formatSettings } from './settings.ts'
import { anyStructs } from './testing/any-records.ts'
import { objectOf, read, sinkRecord, write } from './testing/objects.ts'

const reading = schema.struct({ id: schema.int64(), room: schema.string({ optional: true }) }, { name: 'Reading' })
const readings = Array.from({ length: 50 }, (_, id) =>
  sinkRecord(id, { id, room: id % 3 > 0 ? `room ${id}` : null }, reading),
)

const dataError = expect.objectContaining({ name: 'DataError' }) as Error

describe('what is written is read again', () => {
  const formats = [
    { 'format.class': 'avro' },
    { 'format.class': 'avro', 'avro.codec': 'deflate' },
    { 'format.class': 'avro', 'avro.codec': 'snappy' },
    { 'format.class': 'avro', 'avro.codec': 'zstandard' },
    { 'format.class': 'parquet' },
    { 'format.class': 'parquet', 'parquet.codec': 'none' },
    { 'format.class': 'parquet', 'parquet.codec': 'gzip' },
    { 'format.class': 'parquet', 'parquet.codec': 'zstd' },
    { 'format.class': 'parquet', 'parquet.codec': 'brotli' },
  ] as const
  test.each(formats)('$["format.class"] $["avro.codec"] $["parquet.codec"]', async (settings) => {
    await fc.assert(
      fc.asyncProperty(anyStructs, fc.nat(20), fc.nat(20), async ({ schema: type, values }, takeEvery, from) => {
        const records = values.map((value, offset) => sinkRecord(offset, value, type))
        const { extension, bytes } = await write(settings, records, { takeEvery: takeEvery + 1 })
        const back = await read(settings['format.class'], objectOf(`x${extension}`, bytes), { from, batchBytes: 50 })
        expect(back.map(({ value }) => value)).toEqual(values.slice(from))
        for (const record of back) expect(record.schema).toEqual(type)
      }),
      { numRuns: 40 },
    )
  })

  test.each(['none', 'gzip', 'zstd'])('json, %s', async (compression) => {
    const line = fc.jsonValue({ noUnicodeString: false }).filter((value) => value !== null)
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1 }), fc.nat(20), fc.nat(20), async (values, takeEvery, from) => {
        const records = values.map((value, offset) => sinkRecord(offset, value))
        const settings = { 'format.class': 'json', 's3.compression.type': compression }
        const { extension, bytes } = await write(settings, records, { takeEvery: takeEvery + 1 })
        const back = await read('json', objectOf(`x${extension}`, bytes, 7), { from, batchBytes: 50 })
        expect(back.map(({ value }) => stringifyExact(value))).toEqual(
          values.slice(from).map((value) => stringifyExact(value)),
        )
      }),
      { numRuns: 40 },
    )
  })

  test('bytes, with a separator of several bytes', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.uint8Array({ max: 99 }), { minLength: 1 }),
        fc.integer({ min: 1, max: 9 }),
        async (values, pieceBytes) => {
          const records = values.map((value, offset) => sinkRecord(offset, value))
          const separator = '\u007f<|>'
          const { bytes } = await write({ 'format.class': 'bytes', 'format.bytearray.separator': separator }, records)
          const back = await read('lines', objectOf('x.bin', bytes, pieceBytes), { separator })
          expect(back.map(({ value }) => Buffer.from(value as Buffer))).toEqual(
            values.map((value) => Buffer.from(value)),
          )
        },
      ),
    )
  })

  test('int64 beyond 2^53 in json', async () => {
    const { bytes } = await write({ 'format.class': 'json' }, [
      sinkRecord(0, { id: 2n ** 62n + 1n, room: null }, reading),
    ])
    expect(bytes.toString()).toBe('{"id":4611686018427387905,"room":null}\n')
    expect((await read('json', objectOf('x.json', bytes)))[0]?.value).toEqual({ id: 2n ** 62n + 1n, room: null })
  })
})

describe('names of objects', () => {
  test.each([
    [{ 'format.class': 'json' }, 'value', '.json'],
    [
      { 'format.class': 'io.confluent.connect.s3.format.json.JsonFormat', 's3.compression.type': 'gzip' },
      'value',
      '.json.gz',
    ],
    [
      { 'format.class': 'io.confluent.connect.s3.format.avro.AvroFormat', 's3.compression.type': 'gzip' },
      'value',
      '.avro',
    ],
    [{ 'format.class': 'parquet' }, 'value', '.snappy.parquet'],
    [{ 'format.class': 'parquet', 'parquet.codec': 'gzip' }, 'value', '.gz.parquet'],
    [{ 'format.class': 'parquet', 'parquet.codec': 'none' }, 'value', '.parquet'],
    [{ 'format.class': 'bytes', 's3.compression.type': 'zstd' }, 'value', '.bin.zst'],
    [{ 'format.class': 'parquet' }, 'key', '.keys.avro'],
    [{ 'format.class': 'parquet', 'keys.format.class': 'parquet' }, 'key', '.keys.snappy.parquet'],
    [{ 'format.class': 'avro', 'headers.format.class': 'json' }, 'headers', '.headers.json'],
  ] as const)('%j, %s: %s', async (settings, part, extension) => {
    const format = await objectFormat(parseConfig({ name: 'formats', config: formatSettings }, settings), part)
    expect(format.extension).toBe(extension)
  })
})

describe('keys and headers', () => {
  const headers = [
    { key: 'trace', value: 'a1' },
    { key: 'try', value: 2, schema: schema.int32() },
  ]
  const record = sinkRecord(0, null, undefined, { key: 'k1', keySchema: schema.string(), headers })

  test.each(['json', 'avro'] as const)('keys as %s', async (format) => {
    const { bytes, extension } = await write({ 'format.class': 'json', 'keys.format.class': format }, [record], {
      part: 'key',
    })
    expect((await read(format, objectOf(`x${extension}`, bytes))).map(({ value }) => value)).toEqual(['k1'])
  })

  test('a key that is no struct is wrapped for Parquet', async () => {
    const { bytes } = await write({ 'format.class': 'json', 'keys.format.class': 'parquet' }, [record], { part: 'key' })
    const [back] = await read('parquet', objectOf('x.parquet', bytes))
    expect(back).toMatchObject({ value: { key: 'k1' }, schema: { name: 'RecordKey' } })
  })

  test.each([
    [
      'json',
      {
        headers: [
          { key: 'trace', value: 'a1' },
          { key: 'try', value: '2' },
        ],
      },
    ],
    [
      'avro',
      [
        { key: 'trace', value: 'a1' },
        { key: 'try', value: '2' },
      ],
    ],
    [
      'parquet',
      {
        headers: [
          { key: 'trace', value: 'a1' },
          { key: 'try', value: '2' },
        ],
      },
    ],
  ] as const)('headers as %s', async (format, expected) => {
    const settings = { 'format.class': 'json', 'headers.format.class': format }
    const { bytes, extension } = await write(settings, [record], { part: 'headers' })
    expect((await read(format, objectOf(`x${extension}`, bytes)))[0]?.value).toEqual(expected)
  })

  test('headers have no form in bytes', () => {
    const config = parseConfig(
      { name: 'formats', config: formatSettings },
      { 'format.class': 'json', 'headers.format.class': 'bytes' },
    )
    expect(checkFormats(config)).toHaveProperty(['headers.format.class'])
  })
})

describe('records that cannot be written', () => {
  test.each(['json', 'avro', 'parquet'])('one of another type leaves nothing in %s', async (name) => {
    const format = await objectFormat(
      parseConfig({ name: 'formats', config: formatSettings }, { 'format.class': name }),
      'value',
    )
    const writer = format.open(readings[0]!)
    writer.append(readings[0]!)
    expect(() => {
      writer.append(sinkRecord(1, { id: 1, room: 7 }, reading))
    }).toThrow(dataError)
    expect(() => {
      writer.append(sinkRecord(1, null, reading))
    }).toThrow(dataError)
    writer.append(readings[2]!)
    const bytes = Buffer.concat(await writer.end())
    const back = await read(name as 'json', objectOf(`x${format.extension}`, bytes))
    expect(back.map(({ value }) => value)).toEqual([readings[0]!.value, readings[2]!.value])
  })

  test('Parquet needs structs', async () => {
    await expect(write({ 'format.class': 'parquet' }, [sinkRecord(0, { id: 1 })])).rejects.toThrow(dataError)
    await expect(write({ 'format.class': 'parquet' }, [sinkRecord(0, 'x', schema.string())])).rejects.toThrow(/structs/)
  })

  test('bytes are bytes or texts', async () => {
    await expect(write({ 'format.class': 'bytes' }, [sinkRecord(0, { id: 1 })])).rejects.toThrow(/ByteArrayConverter/)
  })

  test('a decimal of more digits than its column', async () => {
    const type = schema.struct({ price: schema.decimal(0, { parameters: { 'connect.decimal.precision': '3' } }) })
    const { bytes } = await write({ 'format.class': 'parquet' }, [
      sinkRecord(0, { price: new Decimal(-999n, 0) }, type),
    ])
    expect((await read('parquet', objectOf('x.parquet', bytes)))[0]?.value).toEqual({ price: new Decimal(-999n, 0) })
    await expect(
      write({ 'format.class': 'parquet' }, [sinkRecord(0, { price: new Decimal(1000n, 0) }, type)]),
    ).rejects.toThrow(/3 digits/)
  })
})

test.each([
  { 'format.class': 'avro' },
  { 'format.class': 'parquet' },
  { 'format.class': 'json', 's3.compression.type': 'gzip' },
])('the same records give the same object: $["format.class"]', async (settings) => {
  const [once, again] = [await write(settings, readings), await write(settings, readings)]
  expect(once.bytes.equals(again.bytes)).toBe(true)
})

test.each(['json', 'avro', 'parquet', 'bytes'])(
  '%s: what is held is told, and given away under pressure',
  async (name) => {
    const format = await objectFormat(
      parseConfig({ name: 'formats', config: formatSettings }, { 'format.class': name }),
      'value',
    )
    const text = 'x'.repeat(1000)
    const record = (offset: number): ReturnType<typeof sinkRecord> =>
      name === 'bytes' ? sinkRecord(offset, text) : sinkRecord(offset, { id: offset, room: text }, reading)
    const writer = format.open(record(0))
    for (let offset = 0; offset < 300; offset++) writer.append(record(offset))
    const held = writer.heldBytes
    expect(held).toBeGreaterThan(300_000)
    expect(held).toBeLessThan(1_200_000)
    writer.squeeze()
    const taken = await writer.take()
    expect(taken.length).toBeGreaterThan(0)
    expect(writer.heldBytes).toBeLessThan(150_000)
    writer.append(record(300))
    await writer.end()
  },
)

test('settings that contradict each other', () => {
  const problems = (settings: Record<string, string>): object =>
    checkFormats(parseConfig({ name: 'formats', config: formatSettings }, { 'format.class': 'json', ...settings }))
  expect(problems({ 's3.compression.type': 'gzip', 's3.compression.level': '10' })).toHaveProperty([
    's3.compression.level',
  ])
  expect(problems({ 's3.compression.type': 'zstd', 's3.compression.level': '0' })).toHaveProperty([
    's3.compression.level',
  ])
  expect(problems({ 's3.compression.type': 'gzip', 's3.compression.level': '9' })).toEqual({})
})
