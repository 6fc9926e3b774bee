import { gzipSync, zstdCompressSync } from 'node:zlib'
import { schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { objectOf, read, sinkRecord, write } from '../testing/objects.ts'
import { openReader } from './open-reader.ts'
import type { ReadFormat } from './object-reader.ts'

const text = (name: string, content: string, pieceBytes?: number): ReturnType<typeof objectOf> =>
  objectOf(name, Buffer.from(content), pieceBytes)
const dataError = expect.objectContaining({ name: 'DataError' }) as Error

describe('lines of JSON', () => {
  test('a bad line is told with its number, and does not end the rest', async () => {
    const records = await read('json', text('a.json', '{"a":1}\n\n{"a":\r\n  \n{"a":3}'))
    expect(records.map(({ value }) => value)).toEqual([{ a: 1 }, Buffer.from('{"a":\r'), { a: 3 }])
    expect(records[1]?.error).toMatchObject({
      name: 'DataError',
      message: expect.stringContaining('line 3 of a.json') as string,
    })
  })

  test('a line that is too long is passed over with its beginning, however it comes', async () => {
    const long = `"${'x'.repeat(5000)}"`
    for (const pieceBytes of [1, 100, 100_000]) {
      const records = await read('json', text('a.json', `1\n${long}\n2\n`, pieceBytes), { maxRecordBytes: 3000 })
      expect(records).toHaveLength(3)
      expect(records[1]?.error?.message).toMatch(/line 2 of a.json is longer than 3000 bytes/)
      expect((records[1]?.value as Buffer).length).toBe(1024)
      expect(records[2]?.value).toBe(2)
    }
  })

  test('a byte order mark is none of the first line', async () => {
    expect(await read('json', text('a.json', '\uFEFF{"a":1}\n'))).toEqual([{ value: { a: 1 } }])
  })

  test('records are given from one on, whatever batches there are', async () => {
    const content = Array.from({ length: 100 }, (_, index) => `${index}\n`).join('')
    for (const from of [0, 1, 50, 99, 100, 200]) {
      const records = await read('json', text('a.json', content, 13), { from, batchBytes: 10 })
      expect(records.map(({ value }) => value)).toEqual(Array.from({ length: 100 }, (_, index) => index).slice(from))
    }
  })
})

describe('lines', () => {
  test('are bytes without their ends', async () => {
    expect(await read('lines', text('a.txt', 'one\r\n\ntwo'))).toEqual(
      ['one', '', 'two'].map((line) => ({ value: Buffer.from(line) })),
    )
  })

  test('keep what is none of a given separator', async () => {
    expect(await read('lines', text('a.txt', 'one\r\ntwo\n'), { separator: '\n' })).toEqual(
      ['one\r', 'two'].map((line) => ({ value: Buffer.from(line) })),
    )
  })
})

describe('CSV', () => {
  test('the first row names the fields', async () => {
    const records = await read('csv', text('a.csv', '\uFEFFid,name\n1,"a ""b""\nc"\n2,\n', 3))
    expect(records.map(({ value }) => value)).toEqual([
      { id: '1', name: 'a "b"\nc' },
      { id: '2', name: '' },
    ])
    const field = schema.string({ optional: true })
    expect(records[0]?.schema).toEqual(schema.struct({ id: field, name: field }))
  })

  test('rows of another length and wrong quotes are told, and do not end the rest', async () => {
    const records = await read('csv', text('a.csv', 'id,name\n1,a\n2\n3,"b"x"\n4,d\n'))
    expect(records.map(({ value, error }) => (error === undefined ? value : 'bad'))).toEqual([
      { id: '1', name: 'a' },
      'bad',
      'bad',
      { id: '4', name: 'd' },
    ])
    expect(records[1]?.error?.message).toMatch(/row 1 of a.csv, which ends in line 3, has 1 fields/)
  })

  test('delimiter, quote, and names given', async () => {
    const csv = { header: false, fields: ['a', 'b'], delimiter: ';', quote: "'" }
    const records = await read('csv', text('a.csv', "1;'x;y'\n2;z\n"), { csv, from: 1 })
    expect(records.map(({ value }) => value)).toEqual([{ a: '2', b: 'z' }])
  })

  test('names that are given take the place of the first row', async () => {
    const records = await read('csv', text('a.csv', 'x,x\n1,2\n'), { csv: { fields: ['a', '__proto__'] } })
    expect(Object.entries(records[0]?.value as object)).toEqual([
      ['a', '1'],
      ['__proto__', '2'],
    ])
  })

  test('without names a row is a list', async () => {
    const records = await read('csv', text('a.csv', '1,2\n3\n'), { csv: { header: false } })
    expect(records.map(({ value }) => value)).toEqual([['1', '2'], ['3']])
  })

  test('two fields of one name', async () => {
    await expect(read('csv', text('a.csv', 'x,x\n1,2\n'))).rejects.toThrow(/name of its own/)
  })

  test('a row that is too long', async () => {
    const records = await read('csv', text('a.csv', `a\n1\n${'x'.repeat(5000)}\n2\n`, 100), { maxRecordBytes: 3000 })
    expect(records.map(({ value, error }) => (error === undefined ? value : 'bad'))).toContainEqual({ a: '1' })
    expect(records.some(({ error }) => error !== undefined)).toBe(true)
  })
})

describe('compression', () => {
  const content = Buffer.from('1\n2\n3\n')

  test.each([
    ['a.json.gz', gzipSync(content), undefined],
    ['a.json.zst', zstdCompressSync(content), undefined],
    ['a.json', gzipSync(content), 'gzip'],
    ['a.json.gz', content, 'none'],
    ['a.json.zst', Buffer.concat([zstdCompressSync('1\n2'), zstdCompressSync('\n3\n')]), undefined],
    ['a.json.gz', Buffer.concat([gzipSync('1\n2'), gzipSync('\n3\n')]), undefined],
  ] as const)('%s', async (name, bytes, compression) => {
    const records = await read('json', objectOf(name, bytes, 5), { ...(compression && { compression }) })
    expect(records.map(({ value }) => value)).toEqual([1, 2, 3])
  })

  test.each([
    ['a.gz', Buffer.from('no gzip at all')],
    ['a.gz', gzipSync('x'.repeat(1000)).subarray(0, -12)],
    ['a.zst', Buffer.from('no zstd at all')],
    [
      'a.zst',
      zstdCompressSync(Buffer.from(Array.from({ length: 5000 }, (_, index) => (index * index) % 251))).subarray(0, -30),
    ],
  ])('%s that is none, or cut off', async (name, bytes) => {
    await expect(read('lines', objectOf(name, bytes))).rejects.toThrow(dataError)
  })
})

test('an object as one record', async () => {
  expect(await read('whole', text('a.png', 'all of it', 2))).toEqual([{ value: Buffer.from('all of it') }])
  expect(await read('whole', text('a.png', 'all of it'), { from: 1 })).toEqual([])
  await expect(read('whole', text('a.png', 'all of it'), { maxRecordBytes: 5 })).rejects.toThrow(/larger than 5 bytes/)
})

test.each(['json', 'csv', 'avro', 'parquet', 'lines', 'whole'] as const)(
  '%s: what fetching fails with comes as it is',
  async (format) => {
    const failure = Object.assign(new Error('connection reset'), { retriable: true })
    const failing = {
      name: 'a',
      size: 100,

      async *stream(): AsyncGenerator<Uint8Array> {
        throw failure
      },
      range: () => Promise.reject(failure),
    }
    await expect(read(format, failing)).rejects.toBe(failure)
    if (format === 'json') await expect(read(format, { ...failing, name: 'a.gz' })).rejects.toBe(failure)
  },
)

test.each(['json', 'lines', 'avro'] as const)('%s: the stream is let go of when nobody reads on', async (format) => {
  const { bytes } = await write({ 'format.class': format === 'lines' ? 'json' : format }, numbers(1000))
  for (const packed of format === 'avro' ? [false] : [false, true]) {
    const object = objectOf(packed ? 'a.gz' : 'a', packed ? gzipSync(bytes) : bytes, 10)
    let isClosed = false
    const endless = async function* (): AsyncGenerator<Uint8Array> {
      try {
        for (;;) yield* object.stream()
      } finally {
        isClosed = true
      }
    }
    for await (const batch of openReader(format, { ...object, stream: endless }, { batchBytes: 1 })) {
      expect(batch.first).toBe(0)
      break
    }
    await expect.poll(() => isClosed).toBe(true)
  }
})

const numbers = (count: number): ReturnType<typeof sinkRecord>[] =>
  Array.from({ length: count }, (_, index) => sinkRecord(index, { id: index }, schema.struct({ id: schema.int32() })))

describe('files that are damaged', () => {
  test.each(['avro', 'parquet'] as ReadFormat[])('%s: each cut is told, and nothing wrong is given', async (format) => {
    const { bytes } = await write({ 'format.class': format }, numbers(40), { takeEvery: 10 })
    for (let length = 0; length < bytes.length; length += 7) {
      const cut = objectOf('cut', bytes.subarray(0, length))
      const records = await read(format, cut).catch((error: unknown) => {
        expect(error).toEqual(dataError)
        return []
      })
      // Where a block ends, a file of Avro may end.
      if (records.length > 0) expect(format).toBe('avro')
      for (const [index, { value }] of records.entries()) expect(value).toEqual({ id: index })
    }
  })

  test('a file of another kind', async () => {
    for (const format of ['avro', 'parquet'] as const) {
      await expect(read(format, text('a.txt', 'not at all what it should be'))).rejects.toThrow(dataError)
    }
  })

  test('a block that unpacks to more than may be held', async () => {
    const value = { text: 'x'.repeat(100_000) }
    const type = schema.struct({ text: schema.string() })
    for (const codec of ['deflate', 'snappy', 'zstandard']) {
      const { bytes } = await write({ 'format.class': 'avro', 'avro.codec': codec }, [sinkRecord(0, value, type)])
      await expect(read('avro', objectOf('a.avro', bytes), { maxRecordBytes: 50_000 })).rejects.toThrow(dataError)
    }
    const { bytes } = await write({ 'format.class': 'parquet' }, [sinkRecord(0, value, type)])
    await expect(read('parquet', objectOf('a.parquet', bytes), { maxRecordBytes: 5000 })).rejects.toThrow(/row group/)
  })
})
