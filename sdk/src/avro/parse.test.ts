import { describe, expect, test } from 'vitest'
import { ExactFraction } from '../json/exact-json.ts'
import { InvalidAvroError, parseAvro } from './parse.ts'
import type { AvroPrimitive, AvroRecord, AvroUnion } from './schema.ts'

const parse = (json: unknown) => parseAvro(JSON.stringify(json)).schema
const record = (fields: unknown[], rest: object = {}) => ({ type: 'record', name: 'R', fields, ...rest })

describe('names', () => {
  test('a namespace holds for what is inside, a dotted name brings its own', () => {
    const { schema, names } = parseAvro(
      JSON.stringify(
        record(
          [
            { name: 'a', type: { type: 'enum', name: 'E', symbols: ['X'] } },
            { name: 'b', type: { type: 'fixed', name: 'other.F', size: 2, aliases: ['G', 'x.H'] } },
            { name: 'c', type: 'E' },
            { name: 'd', type: ['null', 'other.F', { type: 'E' }] },
          ],
          { namespace: 'com.x', aliases: ['Old', 'y.Older'] },
        ),
      ),
    )
    expect([...names.keys()]).toEqual(['com.x.R', 'com.x.E', 'other.F'])
    const { name, aliases, fields } = schema as AvroRecord
    expect({ name, aliases }).toEqual({ name: 'com.x.R', aliases: ['com.x.Old', 'y.Older'] })
    expect(fields[1]!.schema).toMatchObject({ name: 'other.F', size: 2, aliases: ['other.G', 'x.H'] })
    expect(fields[2]!.schema).toBe(fields[0]!.schema)
    expect((fields[3]!.schema as AvroUnion).branches[1]).toBe(fields[1]!.schema)
    expect((fields[3]!.schema as AvroUnion).branches[2]).toBe(fields[0]!.schema)
  })

  test('an empty namespace is none, and a name without one is found from inside one', () => {
    const { names } = parseAvro(
      JSON.stringify([
        { type: 'fixed', name: 'F', namespace: '', size: 1 },
        record([{ name: 'f', type: 'F' }], { namespace: 'com.x' }),
      ]),
    )
    expect([...names.keys()]).toEqual(['F', 'com.x.R'])
  })

  test('types of texts parsed before are known', () => {
    const first = parseAvro('{"type":"enum","name":"x.E","symbols":["A"]}')
    const { schema } = parseAvro('{"type":"array","items":"x.E"}', { names: first.names })
    expect(schema).toMatchObject({ type: 'array', items: { name: 'x.E' } })
    expect(() => parseAvro('{"type":"fixed","name":"x.E","size":1}', { names: first.names })).toThrow(
      /x\.E is defined twice/,
    )
  })

  test('letters are those of Unicode, as in Java', () => {
    expect(parse(record([{ name: 'größe', type: 'int' }]))).toMatchObject({ fields: [{ name: 'größe' }] })
  })
})

test('a recursive type leads back to itself', () => {
  const list = parse(record([{ name: 'next', type: ['null', 'R'], default: null }])) as AvroRecord
  expect((list.fields[0]!.schema as AvroUnion).branches[1]).toBe(list)
  expect(list.fields[0]!.default).toBeNull()
})

test('all that Avro does not know is kept, in its order; docs, orders and defaults have their place', () => {
  const schema = parse(
    record(
      [
        {
          name: 'a',
          type: { type: 'string', z: 1, a: [1.5] },
          doc: 'of a',
          order: 'Descending',
          aliases: ['b'],
          extra: {},
        },
        { name: 'e', type: { type: 'enum', name: 'E', symbols: ['X', 'Y'], default: 'Y', doc: 'of E' } },
      ],
      { 'connect.name': 'n', default: 'a property, of a record' },
    ),
  ) as AvroRecord
  expect([...schema.props]).toEqual([
    ['connect.name', 'n'],
    ['default', 'a property, of a record'],
  ])
  const [a, e] = schema.fields
  expect(a).toMatchObject({ doc: 'of a', order: 'descending', aliases: ['b'], schema: { type: 'string' } })
  expect(a).not.toHaveProperty('default')
  expect([...a!.props.keys()]).toEqual(['extra'])
  expect([...(a!.schema as AvroPrimitive).props]).toEqual([
    ['z', 1],
    ['a', [new ExactFraction('1.5')]],
  ])
  expect(e!.schema).toMatchObject({ default: 'Y', doc: 'of E', symbols: ['X', 'Y'] })
})

describe('logical types', () => {
  test.each([
    [
      { type: 'bytes', logicalType: 'decimal', precision: 9, scale: 2 },
      { name: 'decimal', precision: 9, scale: 2 },
    ],
    [
      { type: 'bytes', logicalType: 'decimal', precision: 9 },
      { name: 'decimal', precision: 9, scale: 0 },
    ],
    [
      { type: 'fixed', name: 'F', size: 4, logicalType: 'decimal', precision: 9 },
      { name: 'decimal', precision: 9, scale: 0 },
    ],
    [{ type: 'fixed', name: 'F', size: 4, logicalType: 'decimal', precision: 10 }, undefined],
    [{ type: 'bytes', logicalType: 'decimal', precision: 2, scale: 3 }, undefined],
    [{ type: 'string', logicalType: 'decimal', precision: 2 }, undefined],
    [{ type: 'int', logicalType: 'date' }, { name: 'date' }],
    [{ type: 'long', logicalType: 'date' }, undefined],
    [{ type: 'string', logicalType: 'uuid' }, { name: 'uuid' }],
    [{ type: 'fixed', name: 'D', size: 12, logicalType: 'duration' }, { name: 'duration' }],
    [{ type: 'string', logicalType: 'constructor' }, undefined],
  ])('%j', (json, logicalType) => {
    expect((parse(json) as AvroRecord).logicalType).toEqual(logicalType)
  })
})

describe('defaults', () => {
  const withDefault = (type: unknown, value: string) =>
    parseAvro(`{"type":"record","name":"R","fields":[{"name":"f","type":${JSON.stringify(type)},"default":${value}}]}`)
  const point = {
    type: 'record',
    name: 'P',
    fields: [
      { name: 'x', type: 'int' },
      { name: 'y', type: 'int', default: 0 },
    ],
  }

  test.each([
    ['int', '2147483647'],
    ['long', '9223372036854775807'],
    ['double', '1'],
    ['double', '1.50'],
    ['float', '"NaN"'],
    [['null', 'string'], '"any branch"'],
    ['bytes', '"\\u00ff"'],
    [{ type: 'array', items: 'int' }, '[1]'],
    [{ type: 'map', values: 'boolean' }, '{"a":true}'],
    [point, '{"x":1}'],
    [['null', point], 'null'],
  ])('%j takes %s', (type, value) => {
    expect(() => withDefault(type, value)).not.toThrow()
  })

  test.each([
    ['int', '2147483648'],
    ['int', '1.0'],
    ['long', '9223372036854775808'],
    ['string', 'null'],
    ['boolean', '"true"'],
    ['double', '"many"'],
    [['int'], '"1"'],
    [{ type: 'array', items: 'int' }, '["1"]'],
    [point, '{"y":1}'],
    [['null', point], '{"x":"1"}'],
  ])('%j refuses %s', (type, value) => {
    expect(() => withDefault(type, value)).toThrow(/^\$\.fields\[0\]: the default .* of field f is not of type/)
  })

  test('they are kept exactly', () => {
    const { fields } = withDefault('double', '1.50').schema as AvroRecord
    expect(JSON.stringify(fields[0]!.default)).toBe('1.50')
    expect((withDefault('long', '9007199254740993').schema as AvroRecord).fields[0]!.default).toBe(9007199254740993n)
  })

  test('are not looked at on demand', () => {
    const text = '{"type":"record","name":"R","fields":[{"name":"f","type":"int","default":"1"}]}'
    expect(parseAvro(text, { validateDefaults: false }).schema).toMatchObject({ fields: [{ default: '1' }] })
  })

  test('many ways to the same type are walked once', () => {
    let type: unknown = 'int'
    for (let level = 0; level < 60; level++) {
      type = [
        { type: 'record', name: `A${level}`, fields: [{ name: 'f', type }] },
        {
          type: 'record',
          name: `B${level}`,
          fields: [{ name: 'f', type: [`A${level - 1}`, `B${level - 1}`].filter(() => level > 0) }],
        },
      ]
    }
    const value = '{"f":'.repeat(60) + '"no int"' + '}'.repeat(60)
    expect(() => withDefault(type, value)).toThrow(/is not of type union/)
  })
})

describe('refused, with the place', () => {
  test.each<[unknown, RegExp]>([
    ['nothing', /^\$: 'nothing' is no type of Avro's/],
    [1, /^\$: a schema is a name/],
    [{ type: ['int'] }, /^\$: the schema has no "type"/],
    [
      record([{ name: 'a', type: ['null', { type: 'array', items: 'x.Y' }] }]),
      /^\$\.fields\[0\]\.type\[1\]\.items: 'x\.Y'/,
    ],
    [{ type: 'record', name: 'R' }, /record R has no "fields"/],
    [{ type: 'record', fields: [] }, /the record has no "name"/],
    [record([{ type: 'int' }]), /^\$\.fields\[0\]: a field has no "name"/],
    [record([{ name: 'a' }]), /field a has no "type"/],
    [record([{ name: 'a-b', type: 'int' }]), /"a-b" is not a name/],
    [
      record([
        { name: 'a', type: 'int' },
        { name: 'a', type: 'int' },
      ]),
      /^\$\.fields\[1\]: record R has a field a before/,
    ],
    [record([{ name: 'a', type: 'int', order: 'up' }]), /"order" of field a/],
    [record([{ name: 'a', type: record([]) }]), /R is defined twice/],
    [record([], { aliases: 'x' }), /"aliases" is not an array/],
    [{ type: 'record', name: 'string', fields: [] }, /string is the name of a primitive type/],
    [{ type: 'enum', name: 'E', symbols: ['A', 'A'] }, /the symbol A twice/],
    [{ type: 'enum', name: 'E', symbols: ['A'], default: 'B' }, /none of its symbols/],
    [{ type: 'enum', name: 'E', symbols: ['A B'] }, /"A B" is not a name/],
    [{ type: 'enum', name: 'E' }, /has no "symbols"/],
    [{ type: 'fixed', name: 'F', size: -1 }, /no valid "size"/],
    [{ type: 'fixed', name: 'F' }, /no valid "size"/],
    [{ type: 'array' }, /has no "items"/],
    [{ type: 'map' }, /has no "values"/],
    [['int', 'int'], /^\$\[1\]: the union has int twice/],
    [['int', ['null']], /a union directly in a union/],
  ])('%j', (json, message) => {
    expect(() => parse(json)).toThrow(InvalidAvroError)
    expect(() => parse(json)).toThrow(message)
  })

  test('what is no JSON, and what is nested without end', () => {
    expect(() => parseAvro('string')).toThrow(/^not JSON/)
    expect(() => parseAvro('{"type":"array","items":'.repeat(300) + '"int"' + '}'.repeat(300))).toThrow(/nested deeper/)
    expect(() => parseAvro('['.repeat(1_000_000))).toThrow(InvalidAvroError)
    expect(() => parseAvro('['.repeat(1_000_000) + ']'.repeat(1_000_000))).toThrow(InvalidAvroError)
    const selfNested = '{"f":'.repeat(100_000) + 'null' + '}'.repeat(100_000)
    const text = `{"type":"record","name":"R","fields":[{"name":"f","type":["null","R"]}],"x":${selfNested}}`
    expect(() => parseAvro(`[${text}]`)).toThrow(InvalidAvroError)
  })
})
