import { Decimal, schema, type ConnectRecord, type Transform, type TransformDefinition } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { compileSettings } from '../config/settings.ts'
import { expression } from './expression.ts'
import { contentBasedRouter, expressionFilter } from './script-filters.ts'

function configured(definition: TransformDefinition, raw: Readonly<Record<string, string>>) {
  const { config, errors } = compileSettings(definition.config)(raw)
  return { config, errors: { ...errors, ...(Object.keys(errors).length > 0 ? {} : definition.check?.(config)) } }
}

function make(raw: Readonly<Record<string, string>>, definition: unknown = expression): Transform {
  const known = definition as TransformDefinition
  const { config, errors } = configured(known, raw)
  expect(errors).toEqual({})
  return known.create(config, {} as never) as Transform
}

const problems = (raw: Readonly<Record<string, string>>, definition: unknown = expression) =>
  configured(definition as TransformDefinition, raw).errors

const record = (value: unknown, more: Partial<ConnectRecord> = {}): ConnectRecord => ({ topic: 't', value, ...more })

describe('without schemas', () => {
  test('a decimal of very many zeros takes no time, whatever is made of it', () => {
    const of = (made: string) => make({ fields: JSON.stringify({ x: 0 }).replace('0', made) })
    const { value } = of('int(decimal(value.a))').apply(record({ a: '-12.99' })) as ConnectRecord
    expect(value).toMatchObject({ x: -12 })
    for (const [text, whole] of [
      ['1.5e3', 1500],
      ['1e-999999999', 0],
      ['0e999999999', 0],
      ['99.9', 99],
    ] as const) {
      expect(of('int(decimal(value.a))').apply(record({ a: text }))).toMatchObject({ value: { x: whole } })
    }
    expect(() => of('int(decimal(value.a))').apply(record({ a: '1e100000000' }))).toThrow(/is no int/)
    expect(of('string(decimal(value.a))').apply(record({ a: '1e100000000' }))).toMatchObject({
      value: { x: '1E+100000000' },
    })
  })

  test('filters', () => {
    const filter = make({ filter: 'value.amount >= 5 && value.kind in ["a", "b"] && topic.startsWith("t")' })
    const kept = record({ amount: 5, kind: 'a' })
    expect(filter.apply(kept)).toMatchObject(kept)
    expect(filter.apply(record({ amount: 4, kind: 'a' }))).toBeNull()
    expect(filter.apply(record({ amount: 5, kind: 'c' }))).toBeNull()
  })

  test('computes fields from the record as it comes, and leaves that as it is', () => {
    const given = record({ a: 7, b: 2, s: 'x' })
    const made = make({
      fields: '{"sum": value.a + value.b, "twice": value.a * 2, "a": value.s + "!", "half": value.a / 2}',
    })
    expect(made.apply(given)).toEqual({ topic: 't', value: { a: 'x!', b: 2, s: 'x', sum: 9, twice: 14, half: 3.5 } })
    expect(given.value).toEqual({ a: 7, b: 2, s: 'x' })
  })

  test('reshapes the value and sets key, topic and headers', () => {
    const made = make({
      value: '{"id": value.id, "tags": value.tags.filter(t, t != "")}',
      key: 'value.id',
      topic: '"by-" + string(value.id)',
      headers: '{"kind": "order", "gone": null, "was": topic}',
    })
    const headers = [
      { key: 'gone', value: 1 },
      { key: 'kept', value: 2 },
    ]
    expect(made.apply(record({ id: 9, tags: ['a', '', 'b'] }, { headers }))).toEqual({
      topic: 'by-9',
      key: 9,
      value: { id: 9, tags: ['a', 'b'] },
      headers: [
        { key: 'kept', value: 2 },
        { key: 'kind', value: 'order' },
        { key: 'was', value: 't' },
      ],
    })
  })

  test('loses no digit of integers and decimals', () => {
    const made = make({
      value:
        '{"next": value.big + 1, "same": value.big, "limit": 9007199254740991 + 2, "sum": value.price + decimal("0.05")}',
    })
    expect(made.apply(record({ big: 9007199254740993n, price: new Decimal(1250n, 2) }))?.['value' as never]).toEqual({
      next: 9007199254740994n,
      same: 9007199254740993n,
      limit: 9007199254740993n,
      sum: new Decimal(1255n, 2),
    })
  })

  test('bytes, absent fields and times', () => {
    const made = make({
      value:
        '{"hex": value.raw.hex(), "or": value.?none.orValue("-"), "is": has(value.none), "hour": fromMillis(value.at).getHours()}',
    })
    expect(made.apply(record({ raw: Buffer.from('hi'), at: 3_600_000 }))).toEqual(
      record({ hex: '6869', or: '-', is: false, hour: 1 }),
    )
  })

  test.each([
    ['value.none == 1', 'No such key: none; has(…) tells whether it is there'],
    ['value.constructor == 1', 'No such key: constructor'],
    ['value["__proto__"] == 1', 'No such key: __proto__'],
    ['value.a', 'gives no true or false'],
    ['value.a + value.s == 1', 'no such overload'],
  ])('%s is an error of the record', (filter, message) => {
    expect(() => make({ filter }).apply(record({ a: 1, s: 'x' }))).toThrow(message)
  })

  test('null stays null', () => {
    expect(make({ fields: '{"a": 1}' }).apply(record(null))).toEqual(record(null))
    expect(make({ value: '{"a": 1}' }).apply(record(null))).toEqual(record(null))
  })
})

describe('with schemas', () => {
  const line = schema.struct({ price: schema.decimal(2), count: schema.int32() })
  const order = schema.struct(
    {
      id: schema.int64(),
      note: schema.string({ optional: true }),
      at: schema.timestamp(),
      lines: schema.array(line),
      ratio: schema.float32(),
      kind: schema.string({ default: 'plain' }),
    },
    { name: 'Order', version: 3 },
  )
  const value = {
    id: 5,
    at: 1000,
    lines: [{ price: new Decimal(100n, 2), count: 2 }],
    ratio: 0.5,
  }
  const given = record(value, { valueSchema: order, keySchema: schema.int32(), key: 3 })

  test('fields are added with the types that they have, and the rest stays as it is', () => {
    const made = make({
      fields:
        '{"next": value.id + 1, "when": value.at, "first": value.lines[0].price, "counts": value.lines.map(l, l.count), ' +
        '"has": value.note != null, "half": value.id / 2, "note": value.note == null ? "none" : value.note, "k": value.kind}',
    }).apply(given) as ConnectRecord
    expect(made.value).toEqual({
      ...value,
      note: 'none',
      next: 6,
      when: 1000,
      first: new Decimal(100n, 2),
      counts: [2],
      has: false,
      half: 2.5,
      k: 'plain',
    })
    expect(made.valueSchema).toMatchObject({ name: 'Order', version: 3 })
    const types = Object.fromEntries(made.valueSchema!.fields!.map((field) => [field.name, field.schema]))
    expect(types).toEqual({
      id: schema.int64(),
      note: schema.string({ optional: true }),
      at: schema.timestamp(),
      lines: schema.array(line),
      ratio: schema.float32(),
      kind: schema.string({ default: 'plain' }),
      next: schema.int64(),
      when: schema.timestamp(),
      first: schema.decimal(2),
      counts: schema.array(schema.int32()),
      has: schema.boolean(),
      half: schema.float64(),
      k: schema.string({ default: 'plain' }),
    })
  })

  test('the schema is made once for all records of a schema', () => {
    const made = make({ fields: '{"next": value.id + 1}' })
    const [a, b] = [made.apply(given), made.apply(given)] as [ConnectRecord, ConnectRecord]
    expect(a.valueSchema).toBe(b.valueSchema)
  })

  test('a field as a key keeps its own schema; a header has one', () => {
    const made = make({ key: 'value.lines[0]', headers: '{"id": value.id}', filter: 'key == 3' }).apply(given)
    expect(made).toMatchObject({ keySchema: line, key: value.lines[0], valueSchema: order })
    expect((made as ConnectRecord).headers).toEqual([{ key: 'id', value: 5, schema: schema.int64() }])
  })

  test('what cannot be told is said, and can be given', () => {
    const untold = { value: '{"x": value.lines[0].count > 1 ? dyn(value.id) : dyn(value.note)}' }
    expect(() => make(untold).apply(given)).toThrow('cannot be told')
    const told = make({
      ...untold,
      'value.schema': '{"type":"struct","fields":[{"field":"x","type":"int32","optional":false}]}',
    }).apply(given) as ConnectRecord
    expect(told.value).toEqual({ x: 5 })
    expect(told.valueSchema!.fields).toEqual([{ name: 'x', schema: { type: 'int32' } }])
  })

  test('a value that does not fit its schema is an error', () => {
    const made = make({
      value: '{"x": value.id}',
      'value.schema': '{"type":"struct","fields":[{"field":"x","type":"int8","optional":false}]}',
    })
    expect(() => made.apply(record({ ...value, id: 300 }, { valueSchema: order }))).toThrow('out of the range of int8')
  })
})

describe('limits', () => {
  const many = Array.from({ length: 2000 }, (_, i) => i)

  test.each([
    'value.l.all(a, value.l.all(b, value.l.all(c, a + b + c >= 0)))',
    'value.l.exists(a, value.l.exists(b, value.l.exists(c, a + b + c < 0)))',
    'value.l.map(a, value.l.map(b, value.l.map(c, c)))[0][0][0] == 1',
    'value.l.exists(a, value.l.filter(b, value.l.exists_one(c, c == -1)).size() > 0)',
    '[0].exists(z, value.l.all(a, value.l.map(b, b > 0, value.l.all(c, c in value.l)).size() >= 0))',
  ])('%s is stopped', (filter) => {
    expect(() => make({ filter }).apply(record({ l: many }))).toThrow('takes too long')
  })

  test('and the next record is dealt with as if nothing had been', () => {
    const made = make({ filter: 'value.l.all(a, value.l.all(b, value.l.all(c, a + b + c >= 0)))' })
    expect(() => made.apply(record({ l: many }))).toThrow('takes too long')
    expect(made.apply(record({ l: [1, 2] }))).not.toBeNull()
  })

  test('texts and lists that are joined with themselves do not take all memory', () => {
    const doubled = (start: string): string =>
      Array.from({ length: 25 }, (_, i) => i)
        .reduceRight((inner, i) => `cel.bind(v${i + 1}, v${i} + v${i}, ${inner})`, 'true')
        .replaceAll('v0', start)
    expect(() => make({ filter: doubled('value.s') }).apply(record({ s: 'ab' }))).toThrow('grows too large')
    expect(() => make({ filter: doubled('value.l') }).apply(record({ l: [1, 2] }))).toThrow('grows too large')
  })

  test('a pathological regular expression is stopped', () => {
    const made = make({ filter: String.raw`value.s.matches("^(a+)+$")` })
    expect(made.apply(record({ s: 'aaa' }))).not.toBeNull()
    expect(() => made.apply(record({ s: 'a'.repeat(50) + '!' }))).toThrow('took longer')
  })
})

describe('settings', () => {
  test.each([
    [{}, 'filter', 'nothing to do'],
    [{ filter: 'value.a ==' }, 'filter', 'Unexpected token'],
    [{ filter: '1 + "a" == 2' }, 'filter', 'no such overload'],
    [{ filter: 'process.exit()' }, 'filter', 'process'],
    [{ filter: 'tidewireHasTime()' }, 'filter', 'tidewireHasTime'],
    [{ fields: 'value' }, 'fields', 'is to be written as'],
    [{ fields: '{"constructor": 1}' }, 'fields', 'cannot be named'],
    [{ fields: '{"a": 1}', value: 'value' }, 'fields', 'exclude each other'],
    [{ value: 'value', 'value.schema': '{"type":"no"}' }, 'value.schema', 'no'],
  ])('%j: %s', (raw, setting, message) => {
    expect(problems(raw)[setting]?.toString()).toContain(message)
  })
})

describe("Debezium's transforms with scripts", () => {
  test('a filter keeps what its condition holds for; null values as null.handling.mode says', () => {
    const raw = { language: 'cel', condition: "value.op == 'u' && value.after.id == 2" }
    const filter = make(raw, expressionFilter)
    const kept = record({ op: 'u', after: { id: 2 } })
    expect(filter.apply(kept)).toBe(kept)
    expect(filter.apply(record({ op: 'u', after: { id: 3 } }))).toBeNull()
    expect(filter.apply(record(null))).not.toBeNull()
    expect(make({ ...raw, 'null.handling.mode': 'drop' }, expressionFilter).apply(record(null))).toBeNull()
    const evaluated = make({ ...raw, 'null.handling.mode': 'evaluate', condition: 'value != null' }, expressionFilter)
    expect(evaluated.apply(record(null))).toBeNull()
    const other = { ...record({ op: 'd' }), topic: 'other' }
    expect(make({ ...raw, 'topic.regex': 't.*' }, expressionFilter).apply(other)).toBe(other)
  })

  test('a router sends where its expression says', () => {
    const raw = { language: 'cel', 'topic.expression': "value.op == 'u' ? 'updates' : null" }
    const router = make(raw, contentBasedRouter)
    expect(router.apply(record({ op: 'u' }))).toEqual({ ...record({ op: 'u' }), topic: 'updates' })
    expect(router.apply(record({ op: 'c' }))).toEqual(record({ op: 'c' }))
  })

  test('a script in another language is refused with what to write instead', () => {
    const raw = { language: 'jsr223.groovy', condition: "value.op == 'u'" }
    expect(problems(raw, expressionFilter)['language']).toContain('set language to cel and write condition in CEL')
  })
})
