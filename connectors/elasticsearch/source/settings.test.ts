import { parseConfig } from '@tidewire/sdk/testing'
import { describe, expect, test } from 'vitest'
import { intervalMs, publicName, shareOf } from './indices.ts'
import { modeOf, queryOf, wantedIndices } from './settings.ts'
import { elasticsearchSource } from './source.ts'

const parse = (settings: Readonly<Record<string, string>>) =>
  parseConfig(elasticsearchSource, { 'connection.url': 'http://127.0.0.1:9200', ...settings })

describe('settings', () => {
  test.each([
    [{}, 'names no index'],
    [{ 'index.names': 'a', 'index.prefix': 'b' }, 'in place of index.names'],
    [{ 'index.names': 'a b' }, 'character'],
    [{ 'index.names': '-a,b' }, 'comes after'],
    [{ 'index.names': 'a', mode: 'incrementing' }, 'incrementing.field.name'],
    [{ 'index.names': 'a', mode: 'bulk', 'timestamp.initial': '0' }, 'is for mode timestamp'],
    [{ 'index.names': 'a', query: '{' }, 'is no JSON'],
    [{ 'index.names': 'a', query: '[]' }, 'is no JSON object'],
    [{ 'index.names': 'a', query: '{"query": {}, "sort": []}' }, 'has sort besides the query'],
    [{ 'index.names': 'a', topic: 'x-${id}' }, '${id} is not known'],
    [{ 'index.names': 'a', 'es.host': 'h' }, 'use connection.url'],
  ])('%j is refused', (settings, problem) => {
    expect(() => parse(settings)).toThrow(problem)
  })

  test('the mode follows from the field where it is left out', () => {
    expect(modeOf(parse({ 'index.names': 'a' }))).toBe('timestamp')
    expect(modeOf(parse({ 'index.names': 'a', 'incrementing.field.name': 'n' }))).toBe('incrementing')
  })

  test('a prefix stands for a pattern, and a query may be given as a request has it', () => {
    const config = parse({ 'index.prefix': 'logs-', query: '{"query": {"term": {"a": 1}}}' })
    expect(wantedIndices(config)).toEqual(['logs-*'])
    expect(queryOf(config)).toEqual({ term: { a: 1 } })
    expect(queryOf(parse({ 'index.names': 'a', query: '{"term": {"a": 1}}' }))).toEqual({ term: { a: 1 } })
  })
})

test('each index is the share of one task', () => {
  const indices = Array.from({ length: 50 }, (_, i) => ({ name: `logs-${i}`, uuid: 'u' }))
  const shares = [0, 1, 2].map((task) =>
    indices.filter(shareOf(parse({ 'index.names': 'logs-*', 'task.share': `${task}/3` }))),
  )
  expect(shares.flat().toSorted((a, b) => indices.indexOf(a) - indices.indexOf(b))).toEqual(indices)
  for (const share of shares) expect(share.length).toBeGreaterThan(5)
})

test('an index behind a data stream goes by the name of that', () => {
  expect(publicName('.ds-logs-app-default-2026.01.01-000001')).toBe('logs-app-default')
  expect(publicName('.ds-logs-000012')).toBe('logs')
  expect(publicName('logs-2026.01.01-000001')).toBe('logs-2026.01.01-000001')
})

test('refresh intervals', () => {
  expect(['1s', '500ms', '2m', '-1', '1'].map(intervalMs)).toEqual([1000, 500, 120_000, undefined, undefined])
})
