import { describe, expect, test } from 'vitest'
import { levelNamed, loggerOf, LogLevels } from './log-levels.ts'

describe('levels of loggers', () => {
  const at = 1000
  const levels = () => new LogLevels('INFO', () => at)

  test('a logger without a level of its own has its nearest parent’s', () => {
    const some = levels()
    expect(some.set('a.b', 'DEBUG')).toEqual(['a.b'])
    expect(some.isEnabled('a.b.c', 'DEBUG')).toBe(true)
    expect(some.isEnabled('a.b', 'TRACE')).toBe(false)
    expect(some.isEnabled('a.bc', 'DEBUG')).toBe(false)
    expect(some.isEnabled('a', 'INFO')).toBe(true)
    expect(some.get('a.b')).toEqual({ level: 'DEBUG', last_modified: at })
    expect(some.get('a.b.c')).toEqual({ level: 'DEBUG', last_modified: null })
    expect(some.get('a.c')).toBeUndefined()
  })

  test('a level reaches all that is known below, also what had another', () => {
    const some = levels()
    some.set('a.b', 'DEBUG')
    expect(some.set('a', 'ERROR')).toEqual(['a', 'a.b'])
    expect(some.isEnabled('a.b', 'WARN')).toBe(false)
    expect(some.set('a', 'ERROR')).toEqual([])
    expect(some.set('Root', 'WARN')).toEqual(['a', 'a.b', 'root'])
    expect(some.all()).toEqual({
      a: { level: 'WARN', last_modified: at },
      'a.b': { level: 'WARN', last_modified: at },
      root: { level: 'WARN', last_modified: at },
    })
  })

  test('what has logged is listed, and hears of a change at once', () => {
    const some = levels()
    expect(some.isEnabled('a.b', 'DEBUG')).toBe(false)
    expect(some.all()).toEqual({
      'a.b': { level: 'INFO', last_modified: null },
      root: { level: 'INFO', last_modified: null },
    })
    some.set('a', 'ALL')
    expect(some.isEnabled('a.b', 'DEBUG')).toBe(true)
    some.set('a.b', 'OFF')
    expect(some.isEnabled('a.b', 'ERROR')).toBe(false)
  })

  test('names that come by without end are not all kept', () => {
    const some = levels()
    for (let i = 0; i < 3000; i++) some.isEnabled(`a.${i}`, 'INFO')
    expect(Object.keys(some.all()).length).toBeLessThan(1100)
    some.set('a', 'ERROR')
    expect(some.isEnabled('a.2999', 'INFO')).toBe(false)
  })
})

test('lines are named by their connector, else by the part of the platform', () => {
  expect(loggerOf({ connector: 'orders', part: 'worker' })).toBe('tidewire.connectors.orders')
  expect(loggerOf({ part: 'log' })).toBe('tidewire.log')
  expect(loggerOf({})).toBe('tidewire')
})

test('levels go by their names in any case', () => {
  expect(levelNamed('debug')).toBe('DEBUG')
  expect(levelNamed('LOUD')).toBeUndefined()
})
