import { describe, expect, test } from 'vitest'
import { isTopicCreationSetting, parseTopicCreation } from './topic-creation.ts'

const defaults = { 'topic.creation.default.partitions': '3', 'topic.creation.default.replication.factor': '-1' }

describe('topic.creation.*', () => {
  test('left out: as the broker has it', () => {
    const { creation, errors, settings } = parseTopicCreation({ name: 'x' })
    expect(errors).toEqual({})
    expect(settings).toEqual({})
    expect(creation('any')).toEqual({ group: 'default', partitions: -1, replicationFactor: -1, config: {} })
  })

  test('the first group that matches decides, exclude beats include, and the default is for the rest', () => {
    const { creation, errors } = parseTopicCreation({
      ...defaults,
      'topic.creation.default.compression.type': 'zstd',
      'topic.creation.groups': 'compacted, wide',
      'topic.creation.compacted.include': 'state\\..*, table',
      'topic.creation.compacted.exclude': 'state\\.raw',
      'topic.creation.compacted.partitions': '1',
      'topic.creation.compacted.cleanup.policy': 'compact',
      'topic.creation.wide.include': 'state.*',
      'topic.creation.wide.replication.factor': '2',
    })
    expect(errors).toEqual({})
    const compacted = {
      group: 'compacted',
      partitions: 1,
      replicationFactor: -1,
      config: { 'cleanup.policy': 'compact' },
    }
    expect(creation('state.users')).toEqual(compacted)
    expect(creation('table')).toEqual(compacted)
    expect(creation('state.raw')).toEqual({ group: 'wide', partitions: 3, replicationFactor: 2, config: {} })
    // A name must match as a whole.
    expect(creation('my-table')).toMatchObject({ group: 'default', config: { 'compression.type': 'zstd' } })
  })

  test('any of it asks for the default’s partitions and replicas', () => {
    const { errors, settings } = parseTopicCreation({ 'topic.creation.default.partitions': '1' })
    expect(Object.keys(errors)).toEqual(['topic.creation.default.replication.factor'])
    expect(errors['topic.creation.default.replication.factor']![0]).toContain('Missing required configuration')
    expect(settings).toHaveProperty(['topic.creation.default.replication.factor'])
  })

  test.for([
    ['a group without include', { 'topic.creation.groups': 'a' }, 'topic.creation.a.include'],
    ['no partitions at all', { 'topic.creation.default.partitions': '0' }, 'topic.creation.default.partitions'],
    ['the default named', { 'topic.creation.groups': 'default' }, 'topic.creation.groups'],
    [
      'a group named twice',
      { 'topic.creation.groups': 'a,a', 'topic.creation.a.include': 'x' },
      'topic.creation.groups',
    ],
    [
      'a pattern that is none',
      { 'topic.creation.groups': 'a', 'topic.creation.a.include': '(' },
      'topic.creation.a.include',
    ],
    ['a group that is not listed', { 'topic.creation.b.include': 'x' }, 'topic.creation.b.include'],
  ] as const)('%s is refused by name', ([, config, at]) => {
    const { errors } = parseTopicCreation({ ...defaults, ...config })
    expect(errors[at]?.[0]).toContain(at)
  })

  test('which names are its own', () => {
    expect(isTopicCreationSetting('topic.creation.a.include')).toBe(true)
    expect(isTopicCreationSetting('topic.creation.groups')).toBe(false)
    expect(isTopicCreationSetting('topics')).toBe(false)
  })
})
