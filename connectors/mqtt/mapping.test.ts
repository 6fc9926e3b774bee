import { describe, expect, test } from 'vitest'
import { Mapping, MappingError, plainFilter, topicProblem, withoutCovered } from './mapping.ts'
import { covers, filterProblem } from './topic-filter.ts'

const levels = (topic: string): string[] => topic.split('/')

describe('topic filters', () => {
  test.each([
    ['a/b', 'a/b', true],
    ['a/b', 'a/c', false],
    ['a/+', 'a/b', true],
    ['a/+', 'a', false],
    ['a/+', 'a/b/c', false],
    ['a/#', 'a', true],
    ['a/#', 'a/b/c', true],
    ['#', 'a/b', true],
    ['+/b', '/b', true],
    ['#', '$SYS/x', false],
    ['+/x', '$SYS/x', false],
    ['$SYS/#', '$SYS/x', true],
    // Filters covered by filters.
    ['#', 'a/#', true],
    ['a/#', 'a/+/c', true],
    ['a/+', 'a/#', false],
    ['a/b', 'a/+', false],
    ['+/+', '+/b', true],
  ])('%s covers %s: %s', (filter, topic, expected) => {
    expect(covers(levels(filter), levels(topic))).toBe(expected)
  })

  test.each(['', 'a/#/b', 'a#', 'a/b+', 'a\0'])("'%s' is no filter", (filter) => {
    expect(filterProblem(filter)).toBeDefined()
  })

  test.each(['#', '+', 'a/+/#', '/', 'a//b'])("'%s' is one", (filter) => {
    expect(filterProblem(filter)).toBeUndefined()
  })

  test('those that others cover are left out', () => {
    expect(withoutCovered(['a/b', 'a/#', 'c', 'c', 'a/+/x'])).toEqual(['a/#', 'c'])
  })
})

describe('Mapping', () => {
  const target = (rules: string, topic: string, client = 'me') => {
    const found = Mapping.parse(rules.split(',').map((rule) => rule.trim())).target(topic, client)
    return found && [found.topic, found.key]
  }

  test.each([
    ['sensors/{device}/# => sensors : {device}, # => mqtt : {topic}', 'sensors/d1/a/b', ['sensors', 'd1']],
    ['sensors/{device}/# => sensors : {device}, # => mqtt : {topic}', 'other/d1', ['mqtt', 'other/d1']],
    ['sensors/{device}/# => sensors', 'sensors/d1', ['sensors', 'd1']],
    ['sensors/+/# => sensors', 'sensors/d1', ['sensors', 'sensors/d1']],
    ['{site}/{device}/t => {site}.t : {site}-{device}', 'berlin/7/t', ['berlin.t', 'berlin-7']],
    ['# => {topic}', 'a/b c/ü', ['a.b_c._', 'a/b c/ü']],
    ['# => all : {client}', 'a', ['all', 'me']],
    ['a/{x}/# => t : {x}', 'a//b', ['t', '']],
    ['a => t', 'b', undefined],
    ['# => t', '$SYS/x', undefined],
    ['a:b/# => t : k', 'a:b/c', ['t', 'k']],
  ])('%s: %s → %j', (rules, topic, expected) => {
    expect(target(rules, topic)).toEqual(expected)
  })

  test.each([
    ['a', 'form'],
    ['a => ', 'form'],
    ['=> t', 'form'],
    ['a/#/b => t', 'last level'],
    ['a/{x}/{x} => t', 'names two levels'],
    ['a/{topic} => t', 'cannot be named'],
    ['a/{x} => {y}', 'not known'],
    ['a/{x} => t : {', 'brace'],
    ['a => __consumer_offsets', 'internal'],
    ['a => connect-configs', 'internal'],
    [`a => ${'x'.repeat(250)}`, 'legal'],
  ])("'%s' is refused: %s", (rule, reason) => {
    expect(() => Mapping.parse([rule])).toThrow(reason)
  })

  test.each(['__consumer_offsets', 'connect-offsets', '_schemas', '..', 'x'.repeat(300)])(
    'a device cannot choose the topic %s',
    (topic) => {
      const mapping = Mapping.parse(['{any} => {any}'])
      expect(() => mapping.target(topic, '')).toThrow(MappingError)
      // Remembered or not.
      expect(() => mapping.target(topic, '')).toThrow(MappingError)
    },
  )

  test('an MQTT topic cannot be spelled so that it becomes an internal one', () => {
    const mapping = Mapping.parse(['# => {topic}'])
    for (const topic of ['//x', '  x', '_/x', '\u0001\u0001consumer']) {
      const problem = (() => {
        try {
          return topicProblem(mapping.target(topic, '')!.topic)
        } catch (error) {
          return error
        }
      })()
      expect(problem === undefined || problem instanceof MappingError).toBe(true)
    }
  })

  test('knows what it covers and what to subscribe to', () => {
    const mapping = Mapping.parse(['a/{x}/# => t', 'a/b/c => u', 'd => v'])
    expect(mapping.filters).toEqual(['a/+/#', 'd'])
    expect(mapping.coversFilter('a/b/#')).toBe(true)
    expect(mapping.coversFilter('a/#')).toBe(false)
    expect(plainFilter('a/{x}/#')).toBe('a/+/#')
  })

  test('does not remember without bound', () => {
    const mapping = Mapping.parse(['# => t'])
    for (let index = 0; index < 30_000; index++) mapping.target(`a/${index}`, '')
    expect(mapping.target('a/1', '')).toMatchObject({ topic: 't', key: 'a/1' })
  })
})
