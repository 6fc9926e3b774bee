import { describe, expect, test } from 'vitest'
import { conditionFor, covers, parseSignal } from './signal.ts'

describe('parseSignal', () => {
  test('reads a snapshot that is asked for, from an object or its text', () => {
    const data = {
      'data-collections': [' public.orders ', 'public\\.item{1,2}'],
      type: 'BLOCKING',
      'additional-conditions': [{ 'data-collection': 'public.orders', filter: "state = 'new'" }],
      'surrogate-key': 'place',
    }
    const expected = {
      kind: 'execute',
      type: 'blocking',
      collections: ['public.orders', 'public\\.item{1,2}'],
      conditions: [{ collection: 'public.orders', filter: "state = 'new'" }],
      surrogateKey: 'place',
    }
    expect(parseSignal('execute-snapshot', data)).toEqual(expected)
    expect(parseSignal(' execute-snapshot ', JSON.stringify(data))).toEqual(expected)
  })

  test('reads the others', () => {
    expect(parseSignal('execute-snapshot', { 'data-collections': ['a.b'] })).toMatchObject({ type: 'incremental' })
    expect(parseSignal('stop-snapshot', '')).toEqual({ kind: 'stop', collections: undefined })
    expect(parseSignal('stop-snapshot', { 'data-collections': ['a.b'], type: 'incremental' })).toEqual({
      kind: 'stop',
      collections: ['a.b'],
    })
    expect(parseSignal('pause-snapshot', undefined)).toEqual({ kind: 'pause' })
    expect(parseSignal('resume-snapshot', '{"type": "INCREMENTAL"}')).toEqual({ kind: 'resume' })
    expect(parseSignal('log', { message: 'at {}' })).toEqual({ kind: 'log', message: 'at {}' })
  })

  test.each<[string, unknown, RegExp]>([
    ['schema-changes', {}, /there is no signal "schema-changes"/],
    ['execute-snapshot', {}, /"data-collections" has to name tables/],
    ['execute-snapshot', { 'data-collections': 'a.b' }, /"data-collections" has to be a list/],
    ['execute-snapshot', { 'data-collections': [1] }, /list of texts/],
    ['execute-snapshot', { 'data-collections': ['('] }, /is not a regular expression/],
    ['execute-snapshot', { 'data-collections': ['a.b'], type: 'quick' }, /no snapshot of type "quick"/],
    ['execute-snapshot', { 'data-collections': ['a.b'], 'additional-conditions': [{}] }, /"filter"/],
    ['stop-snapshot', { type: 'blocking' }, /only incremental/],
    ['log', '[]', /no JSON object/],
    ['log', { message: 1 }, /"message" has to be a text/],
  ])('refuses %s %j', (type, data, problem) => {
    expect(() => parseSignal(type, data)).toThrow(problem)
  })
})

test('covers whole names, with commas in expressions', () => {
  expect(covers(['public\\.item{1,2}'], 'public.itemm')).toBe(true)
  expect(covers(['public\\.item'], 'public.items')).toBe(false)
  expect(covers([], 'public.items')).toBe(false)
})

test('conditionFor joins the filters for a table', () => {
  const conditions = [
    { collection: 'a.b', filter: 'x = 1 OR y = 2' },
    { collection: 'a.*', filter: 'z' },
    { collection: 'b.*', filter: 'w' },
  ]
  expect(conditionFor(conditions, ['a.b'])).toBe('(x = 1 OR y = 2) AND (z)')
  expect(conditionFor(conditions, ['c.d'])).toBeUndefined()
  // A partition of b.c.
  expect(conditionFor(conditions, ['c.d', 'b.c'])).toBe('(w)')
})
