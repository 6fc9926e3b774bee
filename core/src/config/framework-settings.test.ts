import { describe, expect, test } from 'vitest'
import { connectorNameProblem, sinkProblems, sinkSettings, sourceSettings } from './connector-settings.ts'
import { compileSettings } from './settings.ts'
import { parseWorkerConfig } from './worker-settings.ts'

describe('connector settings', () => {
  const source = compileSettings(sourceSettings)
  const sink = compileSettings(sinkSettings)
  const base = { name: 'a', 'connector.class': 'file-source' }

  test('have Kafka Connect’s defaults', () => {
    const { config, errors, warnings } = source({ ...base, 'exactly.once.support': 'REQUESTED' })
    expect({ errors, warnings }).toEqual({ errors: {}, warnings: [] })
    expect(config['tasks.max']).toBe(1)
    expect(config['errors.tolerance']).toBe('none')
    expect(config['exactly.once.support']).toBe('requested')
  })

  test('take topics or topics.regex, not both and not neither', () => {
    const problems = (more: object) => Object.keys(sinkProblems(sink({ ...base, ...more }).config))
    expect(problems({ topics: 'a,b' })).toEqual([])
    expect(problems({ 'topics.regex': 'a.*' })).toEqual([])
    expect(problems({})).toEqual(['topics', 'topics.regex'])
    expect(problems({ topics: 'a', 'topics.regex': 'a' })).toEqual(['topics', 'topics.regex'])
    expect(problems({ 'topics.regex': '(' })).toEqual(['topics.regex'])
    expect(problems({ topics: 'a b' })).toEqual(['topics'])
    expect(problems({ topics: 'a,,b' })).toEqual(['topics'])
    const dead = 'errors.deadletterqueue.topic.name'
    expect(problems({ topics: 'a', [dead]: 'b' })).toEqual([])
    expect(problems({ topics: 'a', [dead]: 'a' })).toEqual(['topics'])
    expect(problems({ 'topics.regex': 'a.*', [dead]: 'ab' })).toEqual(['topics.regex'])
    expect(problems({ 'topics.regex': 'a.*', [dead]: 'b' })).toEqual([])
  })

  test('know which names a connector may have', () => {
    expect(connectorNameProblem('a/b ü')).toBeUndefined()
    expect(connectorNameProblem(' ')).toMatch(/empty/)
    expect(connectorNameProblem('a\nb')).toMatch(/control/)
  })
})

describe('worker settings', () => {
  test('run on loopback with nothing set', () => {
    const { config, errors } = parseWorkerConfig({})
    expect(errors).toEqual({})
    expect(config.listeners).toEqual(['http://127.0.0.1:8083'])
    expect(config['group.id']).toBe('connect-cluster')
    expect(config['plugin.path']).toEqual([])
  })

  test('keep converter settings apart and refuse what would be ignored', () => {
    const parsed = parseWorkerConfig({
      'value.converter.schemas.enable': false,
      'producer.acks': '0',
    })
    expect(parsed.converterSettings).toEqual({ 'value.converter.schemas.enable': 'false' })
    expect(Object.keys(parsed.errors)).toEqual(['producer.acks'])
    expect(parsed.warnings).toEqual([])
    expect(parseWorkerConfig({ listeners: 'ftp://:8443' }).errors).toHaveProperty('listeners')
  })
})
