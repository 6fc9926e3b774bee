import { schema } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { pgType } from '../../test/event-fixtures.ts'
import { TypeCatalog } from '../../types/type-catalog.ts'
import { ColumnRules, type RuledColumn } from './column-rules.ts'
import { javaSerialized } from './java-serialized.ts'
import { sourceTypeOf, type SourceType } from './source-type.ts'

const table = { schema: 'public', table: 'people' }
const text: SourceType = { name: 'text', length: 2_147_483_647, scale: 0, isText: true }
const column = (name: string, more: Partial<RuledColumn> = {}): RuledColumn => ({
  name,
  type: text,
  schema: schema.string(),
  ...more,
})

describe('ColumnRules', () => {
  test('masks with asterisks, null too', () => {
    const rule = new ColumnRules({ 'column.mask.with.3.chars': 'public.people.name' }).of(table, column('name'))
    expect(rule?.parameters).toEqual({ masked: 'true' })
    expect(rule?.apply?.('secret')).toBe('***')
    expect(rule?.apply?.(null)).toBe('***')
  })

  test('says so where it masks nothing', () => {
    const rules = new ColumnRules({ 'column.mask.with.3.chars': 'public.people.*' })
    const rule = rules.of(
      table,
      column('age', { type: { ...text, name: 'int4', isText: false }, schema: schema.int32() }),
    )
    expect(rule).toEqual({ parameters: { masked: 'true' }, isIdle: true })
  })

  test('hashes with salt, as of Java’s serialized strings and, in version 2, of UTF-8', () => {
    // Made by java.security.MessageDigest and java.io.ObjectOutputStream.
    const v1 = new ColumnRules({ 'column.mask.hash.SHA-256.with.salt.CzQMA0cB5K': 'public.people.name' })
    const v2 = new ColumnRules({ 'column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K': 'public.people.name' })
    expect(v1.of(table, column('name'))?.apply?.('some text')).toBe(
      '50df5b070506a7f8c9eaaaee2b926ed73e95c402ca22ee9c957cdb30a927e442',
    )
    expect(v2.of(table, column('name'))?.apply?.('some text')).toBe(
      '4e7d7a894e43cfe268f412641595c62218804a9c0421b0add4cfde774e11cfc4',
    )
    expect(v2.of(table, column('name'))?.apply?.(null)).toBeNull()
  })

  test('a hash is no longer than its column', () => {
    const rules = new ColumnRules({ 'column.mask.hash.v2.SHA-256.with.salt.CzQMA0cB5K': '.*' })
    expect(rules.of(table, column('name', { type: { ...text, length: 10 } }))?.apply?.('some text')).toBe('4e7d7a894e')
  })

  test('truncates text and bytes that may be longer, and nothing else', () => {
    const rules = new ColumnRules({ 'column.truncate.to.4.chars': '.*' })
    expect(rules.of(table, column('a'))).toMatchObject({ parameters: { truncateLength: '4' } })
    expect(rules.of(table, column('a'))?.apply?.('abcdef')).toBe('abcd')
    expect(rules.of(table, column('a'))?.apply?.('abc')).toBe('abc')
    expect(rules.of(table, column('a'))?.apply?.(null)).toBeNull()
    const bytes = rules.of(
      table,
      column('b', { schema: schema.bytes(), type: { ...text, name: 'bytea', isText: false } }),
    )
    expect(bytes?.apply?.(Buffer.from('abcdef'))).toEqual(Buffer.from('abcd'))
    expect(rules.of(table, column('short', { type: { ...text, length: 4 } }))).toEqual({ parameters: {} })
  })

  test('tells source types, by column or by type', () => {
    const type: SourceType = { name: 'numeric', length: 10, scale: 2, isText: false }
    const parameters = {
      '__debezium.source.column.type': 'NUMERIC',
      '__debezium.source.column.length': '10',
      '__debezium.source.column.scale': '2',
      '__debezium.source.column.name': 'price',
    }
    const byName = new ColumnRules({ 'column.propagate.source.type': 'public.people.price' })
    expect(byName.of(table, column('price', { type }))).toEqual({ parameters })
    const byType = new ColumnRules({ 'datatype.propagate.source.type': '.+\\.numeric' })
    expect(byType.of(table, column('price', { type }))).toEqual({ parameters })
    expect(byType.of(table, column('name'))).toBeUndefined()
  })

  test('of several rules the first counts: truncation, then masks, then types, then hashes', () => {
    const rules = new ColumnRules({
      'column.mask.hash.v2.MD5.with.salt.x': '.*',
      'column.propagate.source.type': '.*\\.b',
      'column.mask.with.1.chars': '.*\\.a',
    })
    expect(rules.of(table, column('a'))?.apply?.('x')).toBe('*')
    expect(rules.of(table, column('b'))?.apply).toBeUndefined()
    expect(rules.of(table, column('c'))?.apply?.('x')).toHaveLength(32)
  })

  test.each([
    ['column.mask.hash.NOPE.with.salt.x', 'a', /NOPE is no hash algorithm/],
    ['column.truncate.to.4.chars', '(', /not a regular expression/],
  ])('%s=%s is refused', (name, list, message) => {
    expect(() => new ColumnRules({ [name]: list })).toThrow(message)
  })
})

describe('javaSerialized', () => {
  test.each([
    ['', 'aced0005740000'],
    ['abc', 'aced0005740003616263'],
    ['größe €', 'aced000574000b6772c3b6c39f6520e282ac'],
    ['a\0b', 'aced000574000461c08062'],
    ['😀x', 'aced0005740007eda0bdedb88078'],
  ])('%j as ObjectOutputStream writes it', (value, hex) => {
    expect(javaSerialized(value).toString('hex')).toBe(hex)
  })

  test('a long string has a longer length', () => {
    const bytes = javaSerialized('x'.repeat(70_000))
    expect(bytes.toString('hex', 0, 16)).toBe('aced00057c0000000000011170787878')
    expect(bytes).toHaveLength(70_013)
  })
})

const catalog = TypeCatalog.of([
  pgType(23, 'int4'),
  pgType(25, 'text'),
  pgType(1043, 'varchar'),
  pgType(1700, 'numeric'),
  pgType(1114, 'timestamp'),
  pgType(1009, '_text', { kind: 'array', elementOid: 25 }),
  pgType(9001, 'mood', { kind: 'enum', labels: ['sad'] }),
  pgType(9002, 'short_text', { kind: 'domain', baseOid: 1043, baseModifier: 14 }),
  pgType(9003, 'vector'),
])

describe('sourceTypeOf', () => {
  test.each([
    [23, -1, undefined, { name: 'int4', length: 10, scale: 0, isText: false }],
    [23, -1, "nextval('s'::regclass)", { name: 'serial', length: 10, scale: 0, isText: false }],
    [25, -1, undefined, { name: 'text', length: 2_147_483_647, scale: 0, isText: true }],
    [1043, 259, undefined, { name: 'varchar', length: 255, scale: 0, isText: true }],
    [1700, ((10 << 16) | 2) + 4, undefined, { name: 'numeric', length: 10, scale: 2, isText: false }],
    [1114, -1, undefined, { name: 'timestamp', length: 29, scale: 6, isText: false }],
    [1114, 3, undefined, { name: 'timestamp', length: 26, scale: 3, isText: false }],
    [1009, -1, undefined, { name: '_text', length: 2_147_483_647, scale: 0, isText: false }],
    [9001, -1, undefined, { name: 'mood', length: 2_147_483_647, scale: 0, isText: true }],
    [9002, -1, undefined, { name: 'short_text', length: 10, scale: 0, isText: true }],
    [9003, 3, undefined, { name: 'vector', length: 3, scale: 0, isText: false }],
  ])('type %i, modifier %i, default %s', (typeOid, typeModifier, defaultSql, expected) => {
    expect(sourceTypeOf({ typeOid, typeModifier, defaultSql }, catalog)).toEqual(expected)
  })
})
