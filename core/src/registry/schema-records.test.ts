import { describe, expect, test } from 'vitest'
import {
  clearSubjectRecord,
  configRecord,
  contextRecord,
  deleteSubjectRecord,
  modeRecord,
  parseRecord,
  schemaRecord,
  schemaTombstone,
} from './schema-records.ts'

const plain = {
  subject: 's',
  version: 1,
  id: 7,
  schemaType: 'AVRO',
  references: [],
  schema: '"int"',
  deleted: false,
} as const

describe('records are written as the Confluent registry writes them, byte for byte', () => {
  test('versions', () => {
    expect(schemaRecord(plain)).toEqual({
      key: '{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}',
      value: '{"subject":"s","version":1,"id":7,"schemaType":"AVRO","schema":"\\"int\\"","deleted":false}',
    })
    const full = {
      ...plain,
      references: [{ name: 'N', subject: 'r', version: 2 }],
      metadata: { tags: { 'a.b': ['PII'] }, properties: { owner: 'me' }, sensitive: [] },
      ruleSet: { domainRules: [{ name: 'r', kind: 'CONDITION', mode: 'WRITE', type: 'CEL', disabled: false }] },
      deleted: true,
    }
    expect(schemaRecord(full).value).toBe(
      '{"subject":"s","version":1,"id":7,"schemaType":"AVRO","references":[{"name":"N","subject":"r","version":2}],' +
        '"metadata":{"tags":{"a.b":["PII"]},"properties":{"owner":"me"}},' +
        '"ruleSet":{"domainRules":[{"name":"r","kind":"CONDITION","mode":"WRITE","type":"CEL","disabled":false}]},' +
        '"schema":"\\"int\\"","deleted":true}',
    )
    expect(schemaTombstone('s', 3)).toEqual({
      key: '{"keytype":"SCHEMA","subject":"s","version":3,"magic":1}',
      value: null,
    })
  })

  test('settings', () => {
    expect(configRecord(null, { compatibilityLevel: 'FULL' })).toEqual({
      key: '{"keytype":"CONFIG","magic":0}',
      value: '{"compatibilityLevel":"FULL"}',
    })
    expect(configRecord('s', { compatibilityGroup: 'g', compatibilityLevel: 'FULL', alias: 'a' })).toEqual({
      key: '{"keytype":"CONFIG","subject":"s","magic":0}',
      value: '{"subject":"s","alias":"a","compatibilityLevel":"FULL","compatibilityGroup":"g"}',
    })
    expect(modeRecord('s', 'READONLY')).toEqual({
      key: '{"keytype":"MODE","subject":"s","magic":0}',
      value: '{"subject":"s","mode":"READONLY"}',
    })
    expect(modeRecord(null, null)).toEqual({ key: '{"keytype":"MODE","magic":0}', value: null })
  })

  test('subjects and contexts', () => {
    expect(deleteSubjectRecord('s', 3)).toEqual({
      key: '{"keytype":"DELETE_SUBJECT","subject":"s","magic":0}',
      value: '{"subject":"s","version":3}',
    })
    expect(clearSubjectRecord('s')).toEqual({
      key: '{"keytype":"CLEAR_SUBJECT","subject":"s","magic":0}',
      value: '{"subject":"s"}',
    })
    expect(contextRecord('.c', true)).toEqual({
      key: '{"keytype":"CONTEXT","tenant":"default","context":".c","magic":0}',
      value: '{"tenant":"default","context":".c"}',
    })
  })
})

describe('records are read', () => {
  test('as they were written', () => {
    const { key, value } = schemaRecord(plain)
    expect(parseRecord({ key, value })).toEqual({
      kind: 'SCHEMA',
      subject: 's',
      version: 1,
      value: { ...plain, md5: undefined, metadata: undefined, ruleSet: undefined },
    })
  })

  test('of older releases, which leave the type out', () => {
    const value = '{"subject":"s","version":1,"id":7,"schema":"\\"int\\"","deleted":false}'
    const key = '{"keytype":"SCHEMA","subject":"s","version":1,"magic":0}'
    expect(parseRecord({ key, value })).toMatchObject({ value: { schemaType: 'AVRO' } })
  })

  test('of others: they are passed over', () => {
    expect(parseRecord({ key: '{"keytype":"NOOP","magic":0}', value: null })).toEqual({ kind: 'OTHER' })
    expect(parseRecord({ key: '{"keytype":"ASSOC","tenant":"default"}', value: '{}' })).toEqual({ kind: 'OTHER' })
  })

  test('unless they make no sense', () => {
    expect(() => parseRecord({ key: 'no json', value: null })).toThrow()
    expect(() => parseRecord({ key: '{"keytype":"SCHEMA","subject":"s"}', value: null })).toThrow(/version/)
    const key = '{"keytype":"SCHEMA","subject":"s","version":1,"magic":1}'
    expect(() => parseRecord({ key, value: '{"id":1,"schemaType":"XML","schema":""}' })).toThrow(/XML/)
  })
})
