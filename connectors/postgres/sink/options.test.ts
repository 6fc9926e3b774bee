import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { optionsOf } from './options.ts'
import { postgresSink } from './sink.ts'
import { parseTableName, TableNames } from './table-name.ts'
import { sinkRecord } from '@tidewire/sdk/testing'

const url = { 'connection.url': 'jdbc:postgresql://db/shop', 'connection.user': 'app' }
const parsed = (more: Record<string, unknown>) => parseConfig(postgresSink, { ...url, ...more })

describe('settings', () => {
  test.each([
    [{ 'insert.mode': 'upsert' }, 'pk.mode'],
    [{ 'delete.enabled': true, 'pk.mode': 'record_value' }, 'delete.enabled'],
    [{ 'pk.mode': 'kafka', 'pk.fields': 'a,b' }, 'pk.fields'],
    [{ 'pk.mode': 'none', 'primary.key.mode': 'none' }, 'primary.key.mode'],
    [{ 'table.name.format': 'a', 'collection.name.format': 'b' }, 'collection.name.format'],
    [{ 'db.timezone': 'Nowhere/City' }, 'db.timezone'],
    [{ 'connection.url': 'jdbc:mysql://db/shop' }, 'connection.url'],
    [{ 'column.naming.strategy': 'x.Y' }, 'column.naming.strategy'],
  ])('%o is refused', (config, setting) => {
    expect(() => parsed(config)).toThrow(setting)
  })

  test('Debezium’s names say the same', () => {
    const debezium = parsed({
      'connection.username': 'app',
      'connection.user': undefined,
      'insert.mode': 'upsert',
      'primary.key.mode': 'record_key',
      'primary.key.fields': 'id',
      'schema.evolution': 'basic',
      'quote.identifiers': false,
      'collection.name.format': 'x_${topic}',
    })
    expect(optionsOf(debezium)).toMatchObject({
      keyMode: 'record_key',
      keyFields: ['id'],
      creates: true,
      evolves: true,
      foldsNames: true,
      tableFormat: 'x_${topic}',
      topicDots: 'underscore',
    })
  })
})

describe('table names', () => {
  const nameOf = (config: Record<string, unknown>, topic: string) =>
    new TableNames(optionsOf(parsed(config)), 'shop').of(sinkRecord({ topic, value: {} }))?.sql

  test.each([
    [{}, 'orders', '"orders"'],
    [{}, 'public.orders', '"public"."orders"'],
    [{}, 'shop.public.orders', '"public"."orders"'],
    [{ 'table.name.format': 'kafka_${topic}' }, 'orders', '"kafka_orders"'],
    [{ 'table.name.format': 'ops.${topic}' }, 'Orders', '"ops"."Orders"'],
    [{ 'table.name.format': 'ops."${topic}"' }, 'a.b', '"ops"."a.b"'],
    [{ 'quote.sql.identifiers': 'never' }, 'Orders', '"orders"'],
    [{ 'collection.name.format': 'ops.${topic}' }, 'a.b.c', '"ops"."a_b_c"'],
  ])('%o of %s', (config, topic, expected) => {
    expect(nameOf(config, topic)).toBe(expected)
  })

  test('a topic of three parts needs a format', () => {
    expect(() => nameOf({}, 'server.public.orders')).toThrow('collection.name.format')
  })

  test.each(['', 'a.', '.a', 'a..b', 'a"b"', '"a"b', '"a', '""', 'x.a.b'])('%j is none', (text) => {
    expect(() => parseTableName(text, false, 'shop')).toThrow('no name of a table')
  })

  test('dots and quotes in what the origin is called are its own', () => {
    const value = { op: 'c', after: {}, source: { schema: 'my.schema', table: 'odd"t.$&' } }
    const options = optionsOf(parsed({ 'table.name.format': '${source.schema}."x_${source.table}"' }))
    expect(new TableNames(options, 'shop').of(sinkRecord({ topic: 'a.b.c', value }))?.sql).toBe(
      '"my.schema"."x_odd""t.$&"',
    )
  })
})
