import { schema, type ConnectRecord, type Settings } from '@tidewire/sdk'
import { predicateConformance, transformConformance, type TransformConformance } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import plugin from './plugin.ts'

/** Kafka Connect's own, by their short names, with settings that do something to records of many kinds. */
const configs: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  cast: { spec: 'id:string' },
  'drop-headers': { headers: 'trace' },
  'extract-field': { field: 'id' },
  filter: {},
  flatten: {},
  'header-from': { fields: 'id', headers: 'id', operation: 'move' },
  'hoist-field': { field: 'all' },
  'insert-field': { 'static.field': 'site!', 'static.value': 'north', 'topic.field': 'from', 'timestamp.field': 'at' },
  'insert-header': { header: 'site', 'value.literal': '12' },
  'mask-field': { fields: 'id' },
  'regex-router': { regex: '(.*)', replacement: 'x-$1' },
  'replace-field': { renames: 'id:key', exclude: 'name' },
  'set-schema-metadata': { 'schema.name': 'Other' },
  'timestamp-converter': { field: 'at', 'target.type': 'string', format: 'yyyy' },
  'timestamp-router': {},
  'value-to-key': { fields: 'id' },
}

const row = schema.struct({ id: schema.int64(), type: schema.string() }, { name: 'db.customers.Value', optional: true })
const envelope = schema.struct(
  {
    before: row,
    after: row,
    source: schema.struct({ ts_ms: schema.int64(), table: schema.string() }),
    op: schema.string(),
    ts_ms: schema.int64({ optional: true }),
  },
  { name: 'db.customers.Envelope' },
)
const at = 1_700_000_000_000
const change = (op: string, before: unknown, after: unknown, of = envelope): ConnectRecord => ({
  topic: 'db.customers',
  key: { id: 2n ** 60n },
  keySchema: schema.struct({ id: schema.int64() }, { name: 'db.customers.Key' }),
  value: { before, after, source: { ts_ms: at, table: 'customers' }, op, ts_ms: at },
  valueSchema: of,
  timestamp: at,
})
const customer = { id: 2n ** 60n, type: 'new' }
const changes = [
  change('c', null, customer),
  change('u', customer, { ...customer, type: 'old' }),
  change('d', customer, null),
  change('t', null, null),
]
const outboxRow = schema.struct(
  { id: schema.string(), aggregatetype: schema.string(), aggregateid: schema.string(), payload: schema.string() },
  { name: 'db.outbox.Value', optional: true },
)
const outbox = schema.struct(
  { before: outboxRow, after: outboxRow, op: schema.string(), ts_ms: schema.int64({ optional: true }) },
  { name: 'db.outbox.Envelope' },
)
const event = { id: 'e1', aggregatetype: 'order', aggregateid: '7', payload: '{"total":5,"lines":[{"n":1},null]}' }

/** Debezium's and our own, with the records that they are for. */
const others: Readonly<Record<string, Omit<TransformConformance<Settings>, 'transform'>>> = {
  'content-based-router': { config: { language: 'cel', 'topic.expression': "value.op == 'c' ? 'new' : null" } },
  dedupe: { config: {} },
  enrich: {
    config: { 'table.topic': 'names', 'table.value.converter': 'string', key: 'topic', field: 'found' },
    options: { topics: { names: [{ key: 'topic', value: 'x' }] } },
  },
  'outbox-event-router': {
    config: { 'table.expand.json.payload': 'true', 'table.fields.additional.placement': 'aggregatetype:envelope:type' },
    records: [change('c', null, event, outbox), change('c', null, { ...event, payload: 'no JSON' }, outbox)],
  },
  expression: { config: { filter: 'topic != ""', fields: '{"twice": string(value.id)}', headers: '{"from": topic}' } },
  'expression-filter': { config: { language: 'cel', condition: "value.op == 'c'" } },
  'extract-new-record-state': {
    config: { 'delete.tombstone.handling.mode': 'rewrite', 'add.fields': 'op,source.ts_ms', 'add.headers': 'op' },
  },
  'by-logical-table-router': { config: { 'topic.regex': '(.*)', 'topic.replacement': 'all.$1' } },
  'to-logical-topic-router': { config: { 'topic.regex': '(.*)', 'topic.replacement': 'all.$1' } },
  throttle: { config: { 'records.per.second': '1000000', 'bytes.per.second': '1000000000' } },
}

const ours = plugin.transforms!.map((transform) => {
  const config = configs[transform.name] ?? configs[transform.name.replace(/-(key|value)$/, '')]
  const spec = config === undefined ? others[transform.name] : { config }
  if (spec === undefined) throw new Error(`no settings for ${transform.name}`)
  return { transform, ...spec, records: [...changes, ...(spec.records ?? [])] }
})

describe.each(ours.map((each) => [each.transform.name, each] as const))('%s', (_name, each) => {
  for (const { name, run } of transformConformance(each)) {
    // As in Kafka Connect: of a null there is no field, and the schema is the field's, be it required.
    const isLost = each.transform.name === 'extract-field-value' && name === 'gives values that fit their schemas'
    test(name, isLost ? () => expect(run()).rejects.toThrow('a null with a schema') : run)
  }
})

describe('predicates', () => {
  const [hasHeaderKey, recordIsTombstone, topicNameMatches] = plugin.predicates!
  for (const [predicate, config] of [
    [hasHeaderKey!, { name: 'trace' }],
    [recordIsTombstone!, {}],
    [topicNameMatches!, { pattern: 't.*' }],
  ] as const) {
    for (const { name, run } of predicateConformance({ predicate, config })) test(`${predicate.name}: ${name}`, run)
  }
})
