import type { SourceRecord } from '@tidewire/sdk'
import { describe, expect, test } from 'vitest'
import { change, column, notSent, shapeOf, state, writerOf, type TableUnderTest } from '../../test/event-fixtures.ts'

const columns = [
  column('id', 'int4', { nullable: false }),
  column('name', 'text', { nullable: false }),
  column('note', 'text'),
]
const keyed: TableUnderTest = { columns, key: ['id'] }

const source = {
  version: '1.2.3',
  connector: 'postgresql',
  name: 'server',
  ts_ms: 1_700_000_000_000,
  snapshot: null,
  db: 'db',
  sequence: '["90","100"]',
  ts_us: 1_700_000_000_000_456,
  ts_ns: 1_700_000_000_000_456_000n,
  schema: 'public',
  table: 't',
  txId: 7,
  lsn: 100,
  xmin: null,
  origin: null,
  origin_lsn: null,
}
const processed = { ts_ms: 1_700_000_000_123, ts_us: 1_700_000_000_123_000, ts_ns: 1_700_000_000_123_000_000n }

/** What matters of records, in short. */
const told = (records: readonly SourceRecord[]): unknown[] =>
  records.map(({ key, value, headers }) => {
    const event = value as { op: string; before: unknown; after: unknown } | null
    const heads = headers?.map((header) => [header.key, header.value])
    return [event === null ? 'tombstone' : event.op, key, event?.before, event?.after, heads]
  })

function tell(table: TableUnderTest, ...changes: Parameters<typeof change>[]): unknown[] {
  const records: SourceRecord[] = []
  const shape = shapeOf(table)
  const writer = writerOf(table.settings)
  for (const each of changes) expect(writer.change(records, shape, change(...each), state)).toBe(true)
  return told(records)
}

describe('EventWriter', () => {
  test('an insert', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    writerOf().change(records, shape, change('insert', { new: ['1', 'Ann', null] }), state)
    expect(records).toEqual([
      {
        topic: 'server.public.t',
        key: { id: 1 },
        keySchema: shape.keySchema,
        value: {
          before: null,
          after: { id: 1, name: 'Ann', note: null },
          source,
          transaction: null,
          op: 'c',
          ...processed,
        },
        valueSchema: shape.valueSchema,
        headers: undefined,
      },
    ])
  })

  test('an update has what the server tells of the old row', () => {
    const current = ['1', 'Bob', 'x']
    const key = { id: 1 }
    const after = { id: 1, name: 'Bob', note: 'x' }
    expect(
      tell(
        keyed,
        ['update', { new: current }],
        ['update', { new: current, old: ['1', 'Ann', null] }],
        ['update', { new: current, old: ['1', null, null], oldKind: 'K' }],
      ),
    ).toEqual([
      ['u', key, null, after, undefined],
      ['u', key, { id: 1, name: 'Ann', note: null }, after, undefined],
      ['u', key, { id: 1, name: '', note: null }, after, undefined],
    ])
  })

  test('a delete is followed by a tombstone', () => {
    const gone: Parameters<typeof change> = ['delete', { old: ['1', null, null], oldKind: 'K' }]
    const before = { id: 1, name: '', note: null }
    expect(tell(keyed, gone)).toEqual([
      ['d', { id: 1 }, before, null, undefined],
      ['tombstone', { id: 1 }, undefined, undefined, undefined],
    ])
    expect(tell({ ...keyed, settings: { 'tombstones.on.delete': false } }, gone)).toHaveLength(1)
  })

  test('a change of the key is a delete and an insert, which tell of each other', () => {
    const moved: Parameters<typeof change> = [
      'update',
      { new: ['2', 'Ann', null], old: ['1', null, null], oldKind: 'K' },
    ]
    const newKey = [['__debezium.newkey', { id: 2 }]]
    expect(tell(keyed, moved)).toEqual([
      ['d', { id: 1 }, { id: 1, name: '', note: null }, null, newKey],
      ['tombstone', { id: 1 }, undefined, undefined, newKey],
      ['c', { id: 2 }, null, { id: 2, name: 'Ann', note: null }, [['__debezium.oldkey', { id: 1 }]]],
    ])
  })

  test('with the whole old row, a key that is the same is no change of it', () => {
    expect(tell(keyed, ['update', { new: ['1', 'b', null], old: ['1', 'a', null] }])).toMatchObject([
      ['u', { id: 1 }, { name: 'a' }, { name: 'b' }, undefined],
    ])
    expect(tell({ columns }, ['update', { new: ['2', 'b', null], old: ['1', 'a', null] }])).toMatchObject([
      ['u', null, {}, {}, undefined],
    ])
  })

  test('a value that was not sent is the old row’s where it has it, else its placeholder', () => {
    const placeholder = '__debezium_unavailable_value'
    expect(
      tell(
        keyed,
        ['update', { new: ['1', 'b', notSent], old: ['1', 'a', 'long'] }],
        ['update', { new: ['1', 'b', notSent] }],
        ['update', { new: ['2', 'b', notSent], old: ['1', null, null], oldKind: 'K' }],
      ).map((event) => (event as [string, unknown, unknown, { note?: string } | null])[3]?.note),
    ).toEqual(['long', placeholder, undefined, undefined, placeholder])
  })

  test('skipped operations make no events, each part of a changed key for itself', () => {
    const moved: Parameters<typeof change> = ['update', { new: ['2', 'a', null], old: ['1', 'a', null] }]
    const without = (...skipped: ('c' | 'u' | 'd')[]): unknown[] =>
      tell(
        { ...keyed, settings: { 'skipped.operations': skipped } },
        ['insert', { new: ['1', 'a', null] }],
        ['update', { new: ['1', 'b', null] }],
        ['delete', { old: ['1', 'a', null] }],
        moved,
      ).map((event) => (event as [string])[0])
    expect(without()).toEqual(['c', 'u', 'd', 'tombstone', 'd', 'tombstone', 'c'])
    expect(without('c')).toEqual(['u', 'd', 'tombstone', 'd', 'tombstone'])
    expect(without('d', 'u')).toEqual(['c', 'c'])
  })

  test('an update that changes nothing captured is passed over on demand', () => {
    const settings = { 'skip.messages.without.change': true, 'column.exclude.list': 'public.t.note' }
    const named = { 'column.truncate.to.2.chars': 'public.t.name' }
    const kinds = tell(
      { ...keyed, settings, named },
      ['update', { new: ['1', 'abx', 'b'], old: ['1', 'aby', 'a'] }],
      ['update', { new: ['1', 'b', 'b'], old: ['1', 'a', 'b'] }],
      ['update', { new: ['1', 'b', 'b'] }],
    )
    expect(kinds).toMatchObject([
      ['u', { id: 1 }, { name: 'a' }, { name: 'b' }, undefined],
      ['u', { id: 1 }, null, { name: 'b' }, undefined],
    ])
  })

  test('a truncate has neither key nor row', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    writerOf().truncate(records, shape, state)
    expect(records).toEqual([])
    writerOf({ 'skipped.operations': ['none'] }).truncate(records, shape, state)
    expect(records).toMatchObject([{ key: null, keySchema: undefined, value: { op: 't', before: null, after: null } }])
  })

  test('a row of a snapshot says so, and where in it it is', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    const line = Buffer.from('1\tAnn\t\\N\n')
    writerOf().read(records, shape, shape.readCopyRow(line, 0, line.length - 1), { ...state, snapshot: 'first' })
    expect(records).toMatchObject([
      { key: { id: 1 }, value: { op: 'r', after: { id: 1, name: 'Ann', note: null }, source: { snapshot: 'first' } } },
    ])
  })

  test('a row of an incremental snapshot is of no transaction', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    const row = { key: { id: 1 }, value: {} }
    writerOf().read(records, shape, row, { ...state, xmin: 5, snapshot: 'incremental' })
    expect(records).toMatchObject([
      { value: { source: { snapshot: 'incremental', txId: null, lsn: null, xmin: null } } },
    ])
  })

  test('what is not known of the position is null', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    const nowhere = { ...state, lastCommitLsn: undefined, txId: undefined, origin: 'node_2', originLsn: 3, xmin: 4 }
    writerOf().change(records, shape, change('insert', { new: ['1', 'a', null] }), nowhere)
    expect(records).toMatchObject([
      { value: { source: { sequence: '[null,"100"]', txId: null, origin: 'node_2', origin_lsn: 3, xmin: 4 } } },
    ])
  })

  test('a logical message', () => {
    const records: SourceRecord[] = []
    writerOf().message(records, { prefix: 'audit', content: Buffer.from([1, 2]) }, state)
    expect(records).toMatchObject([
      {
        topic: 'server.message',
        key: { prefix: 'audit' },
        value: {
          op: 'm',
          ts_ms: 1_700_000_000_123,
          source: { schema: '', table: '' },
          transaction: null,
          message: { prefix: 'audit', content: Buffer.from([1, 2]) },
        },
      },
    ])
  })

  test.each([
    ['base64', '+/8='],
    ['base64-url-safe', '-_8='],
    ['hex', 'fbff'],
  ] as const)('contents of messages as %s', (binary, content) => {
    const records: SourceRecord[] = []
    writerOf({}, { binary }).message(records, { prefix: 'p', content: Buffer.from([0xfb, 0xff]) }, state)
    expect(records).toMatchObject([{ value: { message: { content } } }])
  })

  test('a heartbeat', () => {
    const records: SourceRecord[] = []
    writerOf().heartbeat(records)
    expect(records).toMatchObject([
      {
        topic: '__debezium-heartbeat.server',
        partition: 0,
        key: { serverName: 'server' },
        value: { ts_ms: 1_700_000_000_123 },
      },
    ])
  })

  test('headers tell connector and task, after those of a changed key', () => {
    const records: SourceRecord[] = []
    const writer = writerOf({ 'extended.headers.enabled': true })
    writer.change(records, shapeOf(keyed), change('update', { new: ['2', 'a', null], old: ['1', 'a', null] }), state)
    const context = ['connectorLogicalName', 'taskId', 'connectorName', 'runId'].map(
      (name) => `__debezium.context.${name}`,
    )
    expect(records.map(({ headers }) => headers?.map(({ key }) => key))).toEqual([
      ['__debezium.newkey', ...context],
      ['__debezium.newkey', ...context],
      ['__debezium.oldkey', ...context],
    ])
    expect(records[0]?.headers?.slice(1).map(({ value }) => value)).toEqual(['server', '0', 'postgresql', 'run'])
  })

  test('a shape with an enum that has got a label is out of date, and nothing is told', () => {
    const records: SourceRecord[] = []
    const moods: TableUnderTest = { columns: [column('mood', 'mood')] }
    const inserted = change('insert', { new: ['angry'] })
    expect(writerOf().change(records, shapeOf(moods), inserted, state)).toBe(false)
    expect(records).toEqual([])
    expect(writerOf().change(records, shapeOf({ ...moods, checksLabels: false }), inserted, state)).toBe(true)
    expect(writerOf().change(records, shapeOf(moods), change('update', { new: ['sad'], old: [null] }), state)).toBe(
      true,
    )
    expect(writerOf().change(records, shapeOf(moods), change('update', { new: [notSent] }), state)).toBe(true)
    expect(records).toHaveLength(3)
  })
})

describe('metadata of transactions', () => {
  test('its beginning, its events in order, and its end with counts', () => {
    const records: SourceRecord[] = []
    const shape = shapeOf(keyed)
    const writer = writerOf({ 'provide.transaction.metadata': true })
    const at = (lsn: number): typeof state => ({ ...state, lsn })
    writer.begin(records, at(95))
    writer.change(records, shape, change('insert', { new: ['1', 'a', null] }), at(100))
    writer.change(records, shape, change('update', { new: ['2', 'a', null], old: ['1', 'a', null] }), at(110))
    writer.message(records, { prefix: 'p', content: Buffer.alloc(0) }, at(120))
    writer.end(records, at(130))
    const events = records.map(({ topic, value }) => [
      topic,
      value as { transaction?: unknown; status?: string } | null,
    ])
    expect(
      events.map(([topic, value]) =>
        topic === 'server.transaction' ? value : (value as { transaction?: unknown } | null)?.transaction,
      ),
    ).toEqual([
      { status: 'BEGIN', id: '7:95', event_count: null, data_collections: null, ts_ms: 1_700_000_000_000 },
      { id: '7:100', total_order: 1, data_collection_order: 1 },
      { id: '7:110', total_order: 2, data_collection_order: 2 },
      undefined,
      { id: '7:110', total_order: 3, data_collection_order: 3 },
      { id: '7:120', total_order: 4, data_collection_order: 1 },
      {
        status: 'END',
        id: '7:130',
        event_count: 4,
        data_collections: [
          { data_collection: 'public.t', event_count: 3 },
          { data_collection: 'LOGICAL_DECODING_MESSAGE', event_count: 1 },
        ],
        ts_ms: 1_700_000_000_000,
      },
    ])
    expect(records[0]?.key).toEqual({ id: '7:95' })
  })

  test('is not told where nobody asked for it', () => {
    const records: SourceRecord[] = []
    const writer = writerOf()
    writer.begin(records, state)
    writer.end(records, state)
    expect(records).toEqual([])
  })
})
