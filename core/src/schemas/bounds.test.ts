import { describe, expect, test } from 'vitest'
import { avroFormat } from './avro/avro-format.ts'
import { jsonFormat } from './json/json-format.ts'
import { protobufFormat } from './protobuf/protobuf-format.ts'
import type { SchemaFormat } from './schema-format.ts'

// Each of these would run for years, or out of stack, if nothing bounded it.

const refused = expect.objectContaining({ name: 'InvalidSchemaError' }) as Error

const tooLarge = [expect.stringMatching(/to be compared$/)]

function incompatible(format: SchemaFormat, old: string, next: string): readonly string[] {
  return format.parse(next, []).compatibility(format.parse(old, []))
}

/** Values that refer to two of the next level each: 2^levels paths through them. */
function lattice(levels: number, leaf: unknown): string {
  const definitions: Record<string, unknown> = { [`d${levels}`]: leaf }
  for (let at = 0; at < levels; at++) {
    const next = { $ref: `#/definitions/d${at + 1}` }
    definitions[`d${at}`] = { type: 'object', properties: { a: next, b: next }, oneOf: [next, { not: next }] }
  }
  return JSON.stringify({ $ref: '#/definitions/d0', definitions })
}

describe('JSON Schema', () => {
  test('deep nesting is refused', () => {
    expect(() => jsonFormat.parse('{"not":'.repeat(100_000) + '{}' + '}'.repeat(100_000), [])).toThrow(refused)
    expect(() => jsonFormat.parse('['.repeat(100_000), [])).toThrow(refused)
  })

  test('what is referred to along many paths is compared once', () => {
    const messages = incompatible(jsonFormat, lattice(60, { type: 'string' }), lattice(60, { type: 'number' }))
    expect(messages.length).toBeGreaterThan(0)
    expect(incompatible(jsonFormat, lattice(60, { type: 'string' }), lattice(60, { type: 'string' }))).toEqual([])
  })

  test('a chain of references that is deeper than any stack', () => {
    const chain = (leaf: string) => {
      const definitions: Record<string, unknown> = { d5000: { type: leaf } }
      for (let at = 0; at < 5_000; at++)
        definitions[`d${at}`] = { type: 'array', items: { $ref: `#/definitions/d${at + 1}` } }
      return JSON.stringify({ $ref: '#/definitions/d0', definitions })
    }
    expect(incompatible(jsonFormat, chain('string'), chain('number'))).toHaveLength(1)
  })

  test('many references into $defs beside definitions', () => {
    const all = (name: (at: number) => string, value: (at: number) => unknown) =>
      Object.fromEntries(Array.from({ length: 10_000 }, (_, at) => [name(at), value(at)]))
    const schema = {
      $defs: all(String, () => ({})),
      definitions: all(
        (at) => `d${at}`,
        () => ({}),
      ),
      properties: all(String, (at) => ({ $ref: `#/$defs/${at % 2 === 0 ? at : `d${at}`}` })),
    }
    expect(jsonFormat.parse(JSON.stringify(schema), []).canonical).toHaveLength(JSON.stringify(schema).length)
  })

  test('references that lead to themselves', () => {
    const loop =
      '{"$ref":"#/definitions/a","definitions":{"a":{"$ref":"#/definitions/b"},"b":{"$ref":"#/definitions/a"}}}'
    expect(incompatible(jsonFormat, loop, loop)).toEqual([])
  })

  test('huge enums and unions', () => {
    const values = Array.from({ length: 100_000 }, (_, at) => `v${at}`)
    const all = JSON.stringify({ enum: values })
    expect(incompatible(jsonFormat, JSON.stringify({ enum: values.slice(1) }), all)).toEqual([])
    expect(incompatible(jsonFormat, all, JSON.stringify({ enum: values.slice(1) }))).toHaveLength(1)
    const union = (from: number) =>
      JSON.stringify({ oneOf: Array.from({ length: 1000 }, (_, at) => ({ type: 'string', maxLength: from + at })) })
    expect(incompatible(jsonFormat, union(1), union(5000))).toHaveLength(1)
  })

  test('alternatives that all refer to one schema', () => {
    const all = Array.from({ length: 20_000 }, (_, at) => ({ $ref: '#/definitions/a', at }))
    const schema = JSON.stringify({ oneOf: all, definitions: { a: { type: 'string' } } })
    expect(incompatible(jsonFormat, schema, schema)).toEqual(tooLarge)
  })

  test('references to references, from everywhere', () => {
    const schema = (type: string) => {
      const definitions: Record<string, unknown> = { d2000: { type } }
      for (let at = 0; at < 2000; at++) definitions[`d${at}`] = { $ref: `#/definitions/d${at + 1}` }
      const properties = Array.from({ length: 20_000 }, (_, at) => [`p${at}`, { $ref: '#/definitions/d0' }])
      return JSON.stringify({ properties: Object.fromEntries(properties), definitions })
    }
    expect(incompatible(jsonFormat, schema('string'), schema('number'))).toEqual(tooLarge)
  })

  test('wide objects, each with each', () => {
    const schema = (prefix: string) => {
      const properties = Array.from({ length: 300 }, (_, at) => [`${prefix}${at}`, {}])
      const one = { type: 'object', properties: Object.fromEntries(properties) }
      return JSON.stringify({ oneOf: Array.from({ length: 300 }, (_, at) => ({ ...one, minProperties: at })) })
    }
    expect(incompatible(jsonFormat, schema('a'), schema('b'))).toEqual(tooLarge)
  })

  test('many patterns for many properties', () => {
    const named = (prefix: string) =>
      Object.fromEntries(Array.from({ length: 5000 }, (_, at) => [`${prefix}${at}`, { type: 'string' }]))
    const schema = { type: 'object', patternProperties: named('^x(a|b)*'), additionalProperties: false }
    const more = JSON.stringify({ ...schema, properties: named('p') })
    expect(incompatible(jsonFormat, JSON.stringify(schema), more)).toEqual(tooLarge)
  })

  test('a pattern that backtracks for ever is matched in linear time', () => {
    const schema = (more: object) =>
      JSON.stringify({
        type: 'object',
        properties: more,
        patternProperties: { '^(a+)+$': { type: 'number' } },
        additionalProperties: false,
      })
    const name = `${'a'.repeat(5000)}b`
    expect(incompatible(jsonFormat, schema({}), schema({ [name]: { type: 'string' } }))).toEqual([])
    expect(incompatible(jsonFormat, schema({}), schema({ aaa: { type: 'string' } }))).toHaveLength(2)
  })

  test('numbers with huge exponents', () => {
    const schema = (value: string) => `{"type":"number","multipleOf":${value}}`
    expect(incompatible(jsonFormat, schema('1e-300'), schema('1e300'))).toHaveLength(1)
    expect(() => jsonFormat.parse(schema('1e-1000000000'), [])).toThrow(refused)
    expect(jsonFormat.parse('{"a":1e-1000000000}', []).canonical).toBe('{"a":1E-1000000000}')
  })
})

describe('Avro', () => {
  const record = (name: string, fields: readonly unknown[]) => ({ type: 'record', name, fields })

  test('deep nesting is refused', () => {
    const text = '{"type":"array","items":'.repeat(50_000) + '"int"' + '}'.repeat(50_000)
    expect(() => avroFormat.parse(text, [])).toThrow(refused)
  })

  test('types that are met along many paths are compared once', () => {
    const chain = (levels: number, leaf: string) => {
      const fields: unknown[] = [{ name: 'f0', type: record('R0', [{ name: 'v', type: leaf }]) }]
      for (let at = 1; at < levels; at++) {
        const inner = [0, 1].map((side) => ({ name: `s${side}`, type: `R${at - 1}` }))
        fields.push({ name: `f${at}`, type: record(`R${at}`, inner) })
      }
      return JSON.stringify(record('Root', fields))
    }
    expect(incompatible(avroFormat, chain(60, 'string'), chain(60, 'int'))).toHaveLength(1)
  })

  test('unions of many records', () => {
    const union = (leaf: string) => {
      const names = Array.from({ length: 1000 }, (_, at) => `R${at}`)
      return JSON.stringify(
        names.map((name, at) => record(name, [{ name: 'v', type: at === 0 ? leaf : `R${at - 1}` }])),
      )
    }
    expect(incompatible(avroFormat, union('string'), union('int')).length).toBeGreaterThan(0)
  })

  test('unions of the same types at many places', () => {
    const schema = (prefix: string) => {
      const names = Array.from({ length: 500 }, (_, at) => `${prefix}${at}`)
      const types = names.map((name) => ({ type: 'fixed', name, size: 1 }))
      const again = Array.from({ length: 500 }, (_, at) => ({ name: `f${at}`, type: names }))
      return JSON.stringify(record('R', [{ name: 'all', type: types }, ...again]))
    }
    expect(incompatible(avroFormat, schema('a'), schema('b'))).toEqual(tooLarge)
  })

  test('wide records, each with each', () => {
    const union = (field: string) => {
      const fields = Array.from({ length: 300 }, (_, at) => ({ name: `${field}${at}`, type: 'int', default: 0 }))
      return JSON.stringify(Array.from({ length: 300 }, (_, at) => record(`R${at}`, fields)))
    }
    expect(incompatible(avroFormat, union('a'), union('b'))).toEqual(tooLarge)
  })

  test('a record in itself', () => {
    const list = (leaf: string) =>
      JSON.stringify(
        record('L', [
          { name: 'next', type: ['null', 'L'] },
          { name: 'v', type: leaf },
        ]),
      )
    expect(incompatible(avroFormat, list('int'), list('long'))).toEqual([])
    expect(incompatible(avroFormat, list('long'), list('int')).length).toBeGreaterThan(0)
  })
})

describe('Protobuf', () => {
  test('deep nesting is refused', () => {
    const nested = (open: string) => `syntax = "proto3"; ${open.repeat(10_000)}${'}'.repeat(10_000)}`
    expect(() => protobufFormat.parse(nested('message A {'), [])).toThrow(refused)
    expect(() => protobufFormat.parse(`option (a) = ${'{a:'.repeat(10_000)}`, [])).toThrow(refused)
    expect(() => protobufFormat.parse(`option (a) = ${'['.repeat(10_000)}`, [])).toThrow(refused)
    expect(() => protobufFormat.parse(`message A { ${'map<int32,'.repeat(10_000)}`, [])).toThrow(refused)
  })

  test('a descriptor that is none, or nests without end, is refused', () => {
    let message = Buffer.from([0x0a, 1, 0x41])
    for (let at = 0; at < 100; at++) {
      const length = message.length
      message = Buffer.concat([Buffer.from([0x0a, 1, 0x41, 0x1a, (length & 0x7f) | 0x80, length >> 7]), message])
    }
    const file = Buffer.concat([Buffer.from([0x22, (message.length & 0x7f) | 0x80, message.length >> 7]), message])
    expect(() => protobufFormat.parse(file.toString('base64'), [])).toThrow(refused)
    expect(() => protobufFormat.parse('AAAA', [])).toThrow(refused)
    expect(() => protobufFormat.parse(Buffer.from('12ff', 'hex').toString('base64'), [])).toThrow(refused)
  })

  test('imported messages along many paths', () => {
    const imported = (leaf: string) => {
      const messages = Array.from({ length: 60 }, (_, at) => `message M${at} { M${at + 1} a = 1; M${at + 1} b = 2; }`)
      return `syntax = "proto3"; package o; ${messages.join(' ')} message M60 { ${leaf} v = 1; }`
    }
    const parse = (version: number, leaf: string) =>
      protobufFormat.parse('syntax = "proto3"; import "o.proto"; message A { o.M0 m = 1; }', [
        { name: 'o.proto', subject: 'o', version, schema: imported(leaf) },
      ])
    expect(parse(2, 'string').compatibility(parse(1, 'int32')).length).toBeGreaterThan(0)
    expect(parse(2, 'int64').compatibility(parse(1, 'int32'))).toEqual([])
  })

  test('many messages, fields and constants', () => {
    const text = `syntax = "proto3"; ${Array.from({ length: 1000 }, (_, at) => `message M${at} { M0 a = 1; }`).join(' ')}
      enum E { ${Array.from({ length: 20_000 }, (_, at) => `C${at} = ${at};`).join(' ')} }`
    expect(incompatible(protobufFormat, text, text)).toEqual([])
  })
})
