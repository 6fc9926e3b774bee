import { describe, expect, test } from 'vitest'
import { topicNaming } from '../../test/event-fixtures.ts'
import { fieldNameAdjuster, schemaNameAdjuster } from './name-adjuster.ts'
import { TopicNames } from './topic-names.ts'

describe('names for Avro', () => {
  test.each([
    ['server-1.public.my-table.Value', 'server_1.public.my_table.Value'],
    ['1st.t', '_1st.t'],
    ['ü.t', '_.t'],
    ['a_b.c', 'a_b.c'],
  ])('schema name %s becomes %s', (name, adjusted) => {
    expect(schemaNameAdjuster('avro')(name)).toBe(adjusted)
  })

  test.each([
    ['a.b', 'a_b'],
    ['2nd', '_2nd'],
    ['with space', 'with_space'],
    ['-x', '_x'],
  ])('field name %s becomes %s', (name, adjusted) => {
    expect(fieldNameAdjuster('avro')(name)).toBe(adjusted)
  })

  test.each([
    ['a-b.c', 'a_u002db.c'],
    ['a_b', 'a_u005fb'],
    ['1a', '_u0031a'],
    ['ń', '_u144'],
    ['値', '_u5024'],
  ])('schema name %s is escaped as %s', (name, adjusted) => {
    expect(schemaNameAdjuster('avro_unicode')(name)).toBe(adjusted)
  })

  test('none leaves every name', () => {
    expect(schemaNameAdjuster('none')('1-ü')).toBe('1-ü')
  })
})

describe('TopicNames', () => {
  test('of tables have prefix, schema and table', () => {
    expect(new TopicNames(topicNaming).ofTable({ schema: 'public', table: 'orders' })).toBe('server.public.orders')
    expect(new TopicNames({ ...topicNaming, delimiter: '_' }).ofTable({ schema: 'a', table: 'b' })).toBe('server_a_b')
  })

  test('what Kafka refuses is replaced', () => {
    expect(new TopicNames(topicNaming).ofTable({ schema: 'a b', table: 'größe$' })).toBe('server.a_b.gr__e_')
    const unicode = new TopicNames({ ...topicNaming, strategy: 'SchemaUnicodeTopicNamingStrategy' })
    expect(unicode.ofTable({ schema: 'a b', table: 'c_d' })).toBe('server.a_u0020b.c_u005fd')
    expect(new TopicNames(topicNaming).ofTable({ schema: 's'.repeat(63), table: 't'.repeat(250) })).toHaveLength(249)
  })

  test('without the schema where the strategy has none', () => {
    const names = new TopicNames({ ...topicNaming, strategy: 'DefaultTopicNamingStrategy' })
    expect(names.ofTable({ schema: 'public', table: 'orders' })).toBe('server.orders')
  })

  test('transactions, heartbeats and messages', () => {
    const names = new TopicNames(topicNaming)
    expect(names.transactions).toBe('server.transaction')
    expect(names.heartbeats).toBe('__debezium-heartbeat.server')
    expect(names.messages).toBe('server.message')
    expect(new TopicNames({ ...topicNaming, heartbeatName: 'beats' }).heartbeats).toBe('beats')
  })
})
