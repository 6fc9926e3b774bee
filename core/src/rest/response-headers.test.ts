import { expect, test } from 'vitest'
import { parseHeaderRules } from './response-headers.ts'

test('rules as Kafka Connect takes them', () => {
  expect(
    parseHeaderRules(
      'add Cache-Control: no-cache, set X-Frame-Options:DENY, "add X-List: a, b", add X-More: "c, d", setDate Expires: 31540000000',
    ),
  ).toEqual([
    { action: 'add', name: 'cache-control', value: 'no-cache' },
    { action: 'set', name: 'x-frame-options', value: 'DENY' },
    { action: 'add', name: 'x-list', value: 'a, b' },
    { action: 'add', name: 'x-more', value: 'c, d' },
    { action: 'setDate', name: 'expires', value: '31540000000' },
  ])
  expect(parseHeaderRules('')).toEqual([])
})

test.each(['put X: y', 'set X', 'set X Y: z', 'set :y', 'setDate X: soon', 'set X: a\r\nY: b'])(
  '%j is refused',
  (text) => {
    expect(() => parseHeaderRules(text)).toThrow(/^response\.http\.headers\.config: /)
  },
)
