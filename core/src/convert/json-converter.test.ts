import { Decimal, isErrorKind, schema, type Converter, type Schema, type SchemaAndValue } from '@tidewire/sdk'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonConverter } from './json-converter.ts'

const defaults = {
  'schemas.enable': true,
  'schemas.cache.size': 1000,
  'decimal.format': 'BASE64',
  'replace.null.with.default': true,
  'schema.content': undefined as string | undefined,
}

const make = (settings: Partial<typeof defaults> = {}): Converter =>
  jsonConverter.create({ ...defaults, ...settings }, 'value')

const write = (converter: Converter, of: Schema | undefined, value: unknown): string | null =>
  (converter.fromConnect('t', of, value) as Buffer | null)?.toString() ?? null

const read = (converter: Converter, text: string | null): SchemaAndValue =>
  converter.toConnect('t', text === null ? null : Buffer.from(text)) as SchemaAndValue

function problem(run: () => unknown): string {
  try {
    run()
  } catch (error) {
    expect(isErrorKind(error, 'DataError')).toBe(true)
    return (error as Error).message
  }
  throw new Error('nothing was thrown')
}

describe('the envelope', () => {
  const converter = make()

  test('has the keys of Kafka Connect in its order', () => {
    const struct = schema.struct(
      {
        id: schema.int64({ doc: 'the id' }),
        name: schema.string({ optional: true, default: 'x' }),
        tags: schema.array(schema.string()),
        counts: schema.map(schema.string(), schema.int32({ optional: true })),
        at: schema.timestamp({ parameters: { a: 'b' } }),
      },
      { name: 'com.example.Thing', version: 3, optional: true },
    )
    const value = { id: 7, name: null, tags: ['a'], counts: new Map([['k', null]]), at: 1 }
    expect(write(converter, struct, value)).toBe(
      '{"schema":{"type":"struct","fields":[' +
        '{"type":"int64","optional":false,"doc":"the id","field":"id"},' +
        '{"type":"string","optional":true,"default":"x","field":"name"},' +
        '{"type":"array","items":{"type":"string","optional":false},"optional":false,"field":"tags"},' +
        '{"type":"map","keys":{"type":"string","optional":false},"values":{"type":"int32","optional":true},"optional":false,"field":"counts"},' +
        '{"type":"int64","optional":false,"name":"org.apache.kafka.connect.data.Timestamp","version":1,"parameters":{"a":"b"},"field":"at"}' +
        '],"optional":true,"name":"com.example.Thing","version":3},' +
        '"payload":{"id":7,"name":"x","tags":["a"],"counts":{"k":null},"at":1}}',
    )
  })

  test.each([
    [schema.float64(), 1, '1.0', 'double'],
    [schema.float64(), 1e10, '1.0E10', 'double'],
    [schema.float64(), 1.5e-7, '1.5E-7', 'double'],
    [schema.float64(), -123456.789, '-123456.789', 'double'],
    [schema.float64(), 12345678.9, '1.23456789E7', 'double'],
    [schema.float64(), 0.001, '0.001', 'double'],
    [schema.float64(), Number.NaN, '"NaN"', 'double'],
    [schema.float32(), Math.fround(3.14), '3.14', 'float'],
    [schema.float32(), Math.fround(0.1), '0.1', 'float'],
    [schema.float32(), 16777216, '1.6777216E7', 'float'],
    [schema.bytes(), Buffer.from('hi'), '"aGk="', 'bytes'],
    [schema.boolean(), true, 'true', 'boolean'],
    [schema.int64(), 9223372036854775807n, '9223372036854775807', 'int64'],
    [schema.string(), 'é "x" \u001f 😀', '"é \\"x\\" \\u001F \\uD83D\\uDE00"', 'string'],
    [schema.map(schema.int32(), schema.string()), new Map([[1, 'a']]), '[[1,"a"]]', 'map'],
  ] as const)('%o %s is %s', (of, value, payload, type) => {
    const text = write(converter, of, value)!
    expect(text.slice(text.indexOf('"payload":'))).toBe(`"payload":${payload}}`)
    expect(text).toContain(`{"schema":{"type":"${type}"`)
    expect(read(converter, text).value).toEqual(value)
  })

  test('a tombstone is no message; a null of an optional schema is one', () => {
    expect(write(converter, undefined, null)).toBeNull()
    expect(write(converter, schema.string({ optional: true }), null)).toBe(
      '{"schema":{"type":"string","optional":true},"payload":null}',
    )
    expect(read(converter, null)).toEqual({ value: null })
  })

  test('a value without schema has schema null', () => {
    expect(write(converter, undefined, { a: 1 })).toBe('{"schema":null,"payload":{"a":1}}')
    expect(read(converter, '{"schema":null,"payload":{"a":12345678901234567890,"b":0.1234567890123456789}}')).toEqual({
      value: { a: 12345678901234567890n, b: 0.1234567890123456789 },
    })
  })

  test.each(['{"a":1}', '5', '{"schema":null}', '{"schema":null,"payload":1,"more":1}', '[1,2]', 'null'])(
    '%s is refused with the way out',
    (text) => {
      expect(problem(() => read(converter, text))).toMatch(/topic t: .*schemas\.enable=false/)
    },
  )

  test('what is not JSON is refused with its first bytes', () => {
    expect(problem(() => read(converter, 'hello {'))).toMatch(/topic t: not JSON: .*"hello \{"/)
    expect(problem(() => read(converter, ''))).toMatch(/topic t: not JSON/)
  })

  test('names the field at fault', () => {
    const nested = schema.struct({ a: schema.array(schema.struct({ n: schema.int8() })) })
    expect(problem(() => write(converter, nested, { a: [{ n: 200 }] }))).toContain(
      'value.a[].n has to be int8, not 200',
    )
    const text = write(converter, nested, { a: [{ n: 1 }] })!
    expect(problem(() => read(converter, text.replace('"n":1', '"n":"x"')))).toContain('value.a[].n has to be int8')
    expect(problem(() => write(converter, nested, { a: [{}] }))).toContain('value.a[].n is null')
  })

  test('the same schema text is the same Schema object, and a fault after a known prefix is still named', () => {
    const of = schema.struct({ a: schema.int32() })
    const first = read(converter, write(converter, of, { a: 1 }))
    const second = read(converter, write(converter, of, { a: 2 }))
    expect(second.schema).toBe(first.schema)
    expect(second.value).toEqual({ a: 2 })
    const text = write(converter, of, { a: 2 })!
    expect(read(converter, text + '\n').value).toEqual({ a: 2 })
    expect(problem(() => read(converter, text.slice(0, -1) + ',"x":1}'))).toContain('nothing more')
    expect(problem(() => read(converter, text.slice(0, -2)))).toContain('not JSON')
  })

  test('fields that every object inherits are only read when they are there', () => {
    const of = schema.struct({
      constructor: schema.string({ optional: true }),
      ['__proto__']: schema.int32({ optional: true }),
    })
    expect(write(converter, of, {})).toContain('"payload":{"constructor":null,"__proto__":null}')
    const back = read(converter, write(converter, of, JSON.parse('{"__proto__":5}')))
    expect(Object.getOwnPropertyDescriptor(back.value, '__proto__')?.value).toBe(5)
  })

  test('drops what the schema does not know, fills in what has a default', () => {
    const of = schema.struct({ a: schema.int32(), b: schema.string({ default: 'dflt' }) })
    const text = write(converter, of, { a: 1, b: 'x' })!.replace('"b":"x"', '"c":9')
    expect(read(converter, text).value).toEqual({ a: 1, b: 'dflt' })
  })

  const flat = schema.struct({
    s: schema.string({ optional: true }),
    i: schema.int8({ optional: true }),
    l: schema.int64({ optional: true }),
    d: schema.float64({ optional: true }),
    b: schema.boolean({ optional: true }),
    dflt: schema.string({ optional: true, default: 'x' }),
  })
  const flatValue = { s: 'a', i: 1, l: 2, d: 0.5, b: true, dflt: 'y' }
  const payloadOf = (value: unknown) => write(make({ 'schemas.enable': false }), flat, value)

  test('a struct is written alike whatever the order of its fields', () => {
    const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value)
    const double = fc.oneof(fc.double(), fc.float(), fc.integer(), fc.constantFrom(-0, 1e-3, 9.99e-4, 9999999.5, 1e7))
    const any = fc.record({
      s: orNull(fc.string({ unit: 'binary' })),
      i: orNull(fc.integer({ min: -128, max: 127 })),
      l: orNull(fc.maxSafeInteger()),
      d: orNull(double),
      b: orNull(fc.boolean()),
      dflt: orNull(fc.string()),
    })
    fc.assert(
      fc.property(any, ({ s, i, l, d, b, dflt }) => {
        expect(payloadOf({ s, i, l, d, b, dflt })).toBe(payloadOf({ dflt, b, d, l, i, s }))
      }),
      { numRuns: 500 },
    )
    expect(payloadOf({ ...flatValue, more: 1 })).toBe(payloadOf(flatValue))
    expect(payloadOf(Object.create(flatValue))).toBe(payloadOf(flatValue))
    expect(payloadOf({ ...flatValue, d: undefined })).toBe(payloadOf({ ...flatValue, d: null }))
    expect(payloadOf({ ...flatValue, d: 1, dflt: null })).toBe('{"s":"a","i":1,"l":2,"d":1.0,"b":true,"dflt":"x"}')
  })

  test.each([
    ['s', 0],
    ['s', -1],
    ['s', true],
    ['i', 128],
    ['i', 0.5],
    ['i', '1'],
    ['l', 2 ** 53],
    ['l', -(2 ** 53)],
    ['d', '0.5'],
    ['b', 0],
    ['b', 'true'],
  ])('field %s takes no %o', (name, value) => {
    expect(problem(() => payloadOf({ ...flatValue, [name]: value }))).toContain(`value.${name} has to be`)
  })

  test('replace.null.with.default=false leaves nulls', () => {
    const keeps = make({ 'replace.null.with.default': false })
    const of = schema.struct({ b: schema.string({ default: 'dflt', optional: true }) })
    const text = write(keeps, of, { b: null })
    expect(text).toContain('"payload":{"b":null}')
    expect(read(keeps, text).value).toEqual({ b: null })
  })

  test('a schema cache that is full still reads right', () => {
    const small = make({ 'schemas.cache.size': 1 })
    for (const round of [1, 2]) {
      for (const of of [schema.int8(), schema.int16(), schema.int32()]) {
        expect(read(small, write(make(), of, round))).toEqual({ schema: of, value: round })
      }
    }
  })
})

describe('decimals', () => {
  const text = '-12345678901234567890.123456789'
  const decimal = Decimal.parse(text)
  const of = schema.struct({ d: schema.decimal(9), f: schema.float64() })

  test.each(['BASE64', 'numeric'])('%s keeps every digit', (format) => {
    const converter = make({ 'decimal.format': format })
    const message = write(converter, of, { d: decimal, f: 0.1234567890123456 })!
    for (const again of [1, 2]) {
      expect([again, read(converter, message).value]).toEqual([again, { d: decimal, f: 0.1234567890123456 }])
    }
  })

  test('bytes and numbers as in Kafka Connect', () => {
    expect(write(make({ 'schemas.enable': false }), schema.decimal(2), Decimal.parse('1.28'))).toBe('"AIA="')
    expect(write(make({ 'schemas.enable': false }), schema.decimal(2), Decimal.parse('-1.28'))).toBe('"gA=="')
    const numeric = make({ 'schemas.enable': false, 'decimal.format': 'NUMERIC' })
    expect(write(numeric, schema.decimal(2), Decimal.parse('1.50'))).toBe('1.50')
    expect(write(numeric, schema.decimal(9), new Decimal(12n, 9))).toBe('1.2E-8')
    expect(write(numeric, schema.decimal(-2), new Decimal(15n, -2))).toBe('1.5E+3')
  })

  test('more decimals than the schema allows are refused, not rounded', () => {
    const message = write(make({ 'decimal.format': 'NUMERIC' }), schema.decimal(2), Decimal.parse('1.25'))!
    expect(problem(() => read(make(), message.replace('1.25', '1.255')))).toContain('has more than 2 decimals')
  })

  test('round trip of any Decimal', () => {
    fc.assert(
      fc.property(fc.bigInt(), fc.integer({ min: 0, max: 40 }), fc.boolean(), (unscaled, scale, numeric) => {
        const converter = make({ 'decimal.format': numeric ? 'NUMERIC' : 'BASE64' })
        const value = new Decimal(unscaled, scale)
        expect(read(converter, write(converter, schema.decimal(scale), value)).value).toEqual(value)
      }),
    )
  })
})

describe('without envelope', () => {
  const converter = make({ 'schemas.enable': false })

  test('JSON as it is, integers exact', () => {
    const value = { id: 9007199254740993n, small: 1, at: 1700000000000000, text: '12345678901234567890' }
    const text = write(converter, undefined, value)
    expect(text).toBe('{"id":9007199254740993,"small":1,"at":1700000000000000,"text":"12345678901234567890"}')
    expect(read(converter, text)).toEqual({ value })
  })

  test('what JSON has no form for is refused', () => {
    expect(problem(() => write(converter, undefined, () => 1))).toContain('topic t')
    const circular: unknown[] = []
    circular.push(circular)
    expect(problem(() => write(converter, undefined, circular))).toContain('topic t')
  })

  test('round trip of any JSON value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const text = write(converter, undefined, value)
        if (value === null) expect(text).toBeNull()
        else expect(read(converter, text)).toEqual({ value: JSON.parse(JSON.stringify(value), beyondSafe) })
      }),
    )
  })

  /** An integral double beyond 2^53 is an integer in JSON, and so a bigint. */
  function beyondSafe(_key: string, value: unknown): unknown {
    const unsafe = Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value as number) < 1e21
    return unsafe ? BigInt(String(value)) : value
  }

  test('no integer of any size loses a digit, wherever it stands', () => {
    const integer = fc
      .bigInt({ min: -(10n ** 30n), max: 10n ** 30n })
      .map((n) => (n <= 9007199254740991n && n >= -9007199254740991n ? Number(n) : n))
    const { value: json } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        integer,
        fc.string(),
        fc.stringMatching(/^[0-9:,.-]{0,40}$/),
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(fc.string({ minLength: 1 }), tie('value'), { maxKeys: 4 }),
      ),
    }))
    fc.assert(
      fc.property(json, (value) => {
        const text = write(converter, undefined, value)!
        expect(read(converter, text).value).toEqual(value)
      }),
      { numRuns: 500 },
    )
  })
})

describe('round trip with a schema', () => {
  interface Typed {
    readonly of: Schema
    readonly value: unknown
  }

  const int64 = fc
    .bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
    .map((n) => (Number.isSafeInteger(Number(n)) ? Number(n) : n))
  const text = fc.string({ unit: 'binary' }).map((s) => s.toWellFormed())
  const leaf = fc.oneof(
    fc.integer({ min: -128, max: 127 }).map((value) => ({ of: schema.int8(), value })),
    fc.integer({ min: -32768, max: 32767 }).map((value) => ({ of: schema.int16(), value })),
    fc.integer().map((value) => ({ of: schema.int32(), value })),
    int64.map((value) => ({ of: schema.int64(), value })),
    fc.float().map((value) => ({ of: schema.float32(), value })),
    fc.double().map((value) => ({ of: schema.float64(), value })),
    fc.boolean().map((value) => ({ of: schema.boolean(), value })),
    text.map((value) => ({ of: schema.string({ doc: value }), value })),
    fc.uint8Array().map((bytes) => ({ of: schema.bytes(), value: Buffer.from(bytes) })),
    fc.constant({ of: schema.string({ optional: true }), value: null }),
  )
  const { typed } = fc.letrec<{ typed: Typed }>((tie) => ({
    typed: fc.oneof(
      { maxDepth: 3 },
      leaf,
      fc.dictionary(text, tie('typed'), { maxKeys: 4 }).map((fields) => ({
        of: schema.struct(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.of]))),
        value: Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.value])),
      })),
      tie('typed').map(({ of, value }) => ({ of: schema.array(of), value: [value, value] })),
      fc.tuple(text, tie('typed')).map(([key, { of, value }]) => ({
        of: schema.map(schema.string(), of),
        value: new Map([[key, value]]),
      })),
      fc.tuple(int64, tie('typed')).map(([key, { of, value }]) => ({
        of: schema.map(schema.int64(), of),
        value: new Map([[key, value]]),
      })),
    ),
  }))

  test('gives the same value and the same schema, the first time and from the cache', () => {
    fc.assert(
      fc.property(typed, ({ of, value }) => {
        const converter = make()
        const message = write(converter, of, value)
        for (const again of [1, 2]) {
          const back = read(converter, message)
          expect([again, back.schema, normal(back.value)]).toEqual([again, of, normal(value)])
        }
      }),
      { numRuns: 300 },
    )
  })

  /** −0 has no JSON form in integers. */
  function normal(value: unknown): unknown {
    return Object.is(value, -0) ? 0 : value
  }
})

describe('schema.content', () => {
  const content =
    '{"type":"struct","fields":[{"type":"int64","field":"id"},{"type":"string","optional":true,"field":"s"}]}'

  test('messages are payloads of that schema', () => {
    const converter = make({ 'schema.content': content })
    expect(converter.toConnect('t', Buffer.from('{"id":9007199254740993,"s":null}'))).toEqual({
      schema: {
        type: 'struct',
        fields: [
          { name: 'id', schema: { type: 'int64' } },
          { name: 's', schema: { type: 'string', optional: true } },
        ],
      },
      value: { id: 9007199254740993n, s: null },
    })
    expect(converter.toConnect('t', null)).toEqual({ value: null })
    expect(() => converter.toConnect('t', Buffer.from('{"id":"x"}'))).toThrow(/^topic t: /)
  })

  test('what is written carries its schema all the same, as in Kafka Connect', () => {
    const text = '{"schema":{"type":"int32","optional":false},"payload":1}'
    expect(write(make({ 'schema.content': content }), { type: 'int32' }, 1)).toBe(text)
  })

  test('text that is no schema is a fault of the config', () => {
    expect(() => make({ 'schema.content': '{"type":"what"}' })).toThrow(/schema\.content/)
    expect(() => make({ 'schema.content': '{' })).toThrow(/schema\.content/)
  })

  test('without schemas.enable it says nothing', () => {
    const converter = make({ 'schema.content': content, 'schemas.enable': false })
    expect(converter.toConnect('t', Buffer.from('1'))).toEqual({ value: 1 })
  })
})
