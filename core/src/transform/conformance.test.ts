import { transformConformance, predicateConformance } from '@tidewire/sdk/testing'
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

const ours = plugin.transforms!.flatMap((transform) => {
  const config = configs[transform.name] ?? configs[transform.name.replace(/-(key|value)$/, '')]
  return config === undefined ? [] : [{ transform, config }]
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
