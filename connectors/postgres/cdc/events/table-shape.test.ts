import { describe, expect, test } from 'vitest'
import { change, column, notSent, shapeOf, tuple, types } from '../../test/event-fixtures.ts'

const columns = [column('id', 'int4', { nullable: false }), column('name', 'text'), column('note', 'text')]

const copy = (shape: ReturnType<typeof shapeOf>, line: string): unknown => {
  const bytes = Buffer.from(`before\n${line}\nafter`)
  return shape.readCopyRow(bytes, 7, bytes.length - 6)
}

describe('schemas', () => {
  test('key, row and envelope have their names and fields', () => {
    const shape = shapeOf({ columns, key: ['id'] })
    expect(shape.topic).toBe('server.public.t')
    expect(shape.keySchema).toEqual({
      type: 'struct',
      name: 'server.public.t.Key',
      fields: [{ name: 'id', schema: { type: 'int32' } }],
    })
    expect(shape.rowSchema).toMatchObject({ name: 'server.public.t.Value', optional: true })
    expect(shape.rowSchema.fields?.map(({ name, schema }) => [name, schema.optional ?? false])).toEqual([
      ['id', false],
      ['name', true],
      ['note', true],
    ])
    expect(shape.valueSchema).toMatchObject({ name: 'server.public.t.Envelope', version: 2 })
    expect(shape.valueSchema.fields?.map(({ name }) => name)).toEqual([
      'before',
      'after',
      'source',
      'transaction',
      'op',
      'ts_ms',
      'ts_us',
      'ts_ns',
    ])
    expect(shape.valueSchema.fields?.[0]?.schema).toBe(shape.rowSchema)
  })

  test('a key keeps the order of its columns, and what rules do not change', () => {
    const named = { 'column.mask.with.2.chars': '.*\\.name' }
    const shape = shapeOf({ columns, key: ['name', 'id'], named })
    expect(shape.keySchema?.fields?.map(({ name }) => name)).toEqual(['name', 'id'])
    expect(shape.keySchema?.fields?.[0]?.schema.parameters).toBeUndefined()
    expect(shape.rowSchema.fields?.[1]?.schema.parameters).toEqual({ masked: 'true' })
    const bytes = tuple(['1', 'Ann', null])
    expect(shape.readTuple(bytes, 0)).toEqual({
      key: { id: 1, name: 'Ann' },
      value: { id: 1, name: '**', note: null },
    })
  })

  test('keys of one’s own, by expressions', () => {
    const settings = { 'message.key.columns': 'public.other:x;(.*).t:note,i.' }
    expect(shapeOf({ columns, key: ['name'], settings }).keySchema?.fields?.map(({ name }) => name)).toEqual([
      'note',
      'id',
    ])
    expect(shapeOf({ columns, key: ['name'], settings: { 'message.key.columns': 'a.b:c' } }).keySchema).toMatchObject({
      fields: [{ name: 'name' }],
    })
  })

  test('without a key, and with one that has gone', () => {
    expect(shapeOf({ columns }).keySchema).toBeUndefined()
    expect(shapeOf({ columns, key: ['dropped'] }).keySchema).toBeUndefined()
  })

  test('a column that is left out of events stays in the key', () => {
    const shape = shapeOf({ columns, key: ['id'], settings: { 'column.include.list': 'public.t.name' } })
    expect(shape.readTuple(tuple(['1', 'Ann', 'x']), 0)).toEqual({ key: { id: 1 }, value: { name: 'Ann' } })
    expect(shape.readColumns.map(({ name }) => name)).toEqual(['id', 'name'])
    expect(copy(shape, '1\tAnn')).toEqual({ key: { id: 1 }, value: { name: 'Ann' } })
  })

  test('names are adjusted on demand, and two columns must not become one', () => {
    const settings = { 'field.name.adjustment.mode': 'avro' } as const
    const shape = shapeOf({ columns: [column('my-id', 'int4')], key: ['my-id'], settings })
    expect(shape.readTuple(tuple(['1']), 0)).toEqual({ key: { my_id: 1 }, value: { my_id: 1 } })
    expect(() => shapeOf({ columns: [column('a-b', 'int4'), column('a_b', 'int4')], settings })).toThrow(
      /two columns the name a_b/,
    )
  })

  test('a type that has no place in events is left out, and told once', () => {
    const warnings: string[] = []
    const shape = shapeOf({ columns: [...columns, { ...column('odd', 'int4'), typeOid: 99_999 }], warnings })
    expect(shape.rowSchema.fields).toHaveLength(3)
    expect(shape.readTuple(tuple(['1', 'a', null, 'odd']), 0)?.value).toEqual({ id: 1, name: 'a', note: null })
    expect(warnings).toEqual([expect.stringContaining('column odd')])
  })

  test('a mask that has no effect is told', () => {
    const warnings: string[] = []
    shapeOf({ columns, named: { 'column.mask.with.2.chars': 'public.t.id' }, warnings })
    expect(warnings).toEqual([expect.stringContaining('column id is NOT masked')])
  })
})

describe('rows of COPY', () => {
  const shape = shapeOf({ columns, key: ['id'] })

  test.each([
    ['1\tAnn\tx', { id: 1, name: 'Ann', note: 'x' }],
    ['1\t\\N\t', { id: 1, name: null, note: '' }],
    ['1\t\\\\N\t\\\\', { id: 1, name: '\\N', note: '\\' }],
    ['1\ta\\tb\\nc\\\\d\\re\\bf\\fg\\vh\tü€', { id: 1, name: 'a\tb\nc\\d\re\bf\fg\vh', note: 'ü€' }],
  ])('%j', (line, value) => {
    expect(copy(shape, line)).toEqual({ key: { id: 1 }, value })
  })

  test('a long value with escapes', () => {
    const name = 'x\\\\'.repeat(10_000)
    expect(copy(shape, `1\t${name}\ta`)).toMatchObject({ value: { name: 'x\\'.repeat(10_000), note: 'a' } })
  })

  test.each(['1\ta', '1\ta\tb\tc'])('%j is not of this table', (line) => {
    expect(() => copy(shape, line)).toThrow(/public\.t/)
  })
})

describe('tuples', () => {
  test('another number of columns than was announced is an error', () => {
    expect(() => shapeOf({ columns }).readTuple(tuple(['1']), 0)).toThrow(/1 columns where 3 were announced/)
  })

  test('a value in binary form is an error', () => {
    const bytes = Buffer.from([0, 1, 0x62, 0, 0, 0, 1, 9])
    expect(() => shapeOf({ columns: [column('id', 'int4')] }).readTuple(bytes, 0)).toThrow(/binary form/)
  })

  test('keys are compared as they stand in the tuples', () => {
    const shape = shapeOf({ columns, key: ['id'] })
    const same = change('update', { new: ['1', 'b', notSent], old: ['1', 'a', 'x'] })
    expect(shape.hasSameKey(same.bytes, same.oldAt, same.newAt)).toBe(true)
    const other = change('update', { new: ['11', 'a', 'x'], old: ['1', 'a', 'x'] })
    expect(shape.hasSameKey(other.bytes, other.oldAt, other.newAt)).toBe(false)
  })
})

describe('values that cannot be told', () => {
  const bad = [column('id', 'int4', { nullable: false }), { ...column('n', 'int4'), typeOid: types.int8 }]
  const overlong = tuple(['1', 'not a number at all'])

  test('null is in their place, and that is logged once', () => {
    const warnings: string[] = []
    const shape = shapeOf({ columns: bad, warnings })
    expect(shape.readTuple(overlong, 0)?.value).toEqual({ id: 1, n: null })
    shape.readTuple(overlong, 0)
    expect(warnings).toEqual([expect.stringContaining('column n')])
  })

  test('the task fails on demand, or where null has no place', () => {
    const failing = shapeOf({ columns: bad, settings: { 'event.converting.failure.handling.mode': 'fail' } })
    expect(() => failing.readTuple(overlong, 0)).toThrow(/column n/)
    const required = shapeOf({ columns: bad.map((each) => ({ ...each, nullable: false })) })
    expect(() => required.readTuple(overlong, 0)).toThrow(/allows no NULL/)
  })
})
