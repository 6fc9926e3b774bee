import { expect, test } from 'vitest'
import { parseFieldPath } from './field-path.ts'

// KIP-821, and what SingleFieldPath makes of the rest.
test.each([
  ['a', ['a']],
  ['a.b.c', ['a', 'b', 'c']],
  ['a..b.', ['a', '', 'b', '']],
  ['.a', ['', 'a']],
  ['`a.b`.c', ['a.b', 'c']],
  ['a.`b.c`', ['a', 'b.c']],
  ['`a`b`', ['a`b']],
  ['`a\\`.b`.c', ['a`.b', 'c']],
  ['a`b.c', ['a`b', 'c']],
])('%s', (path, steps) => {
  expect(parseFieldPath(path)).toEqual(steps)
})

test.each(['`a', 'a.`b', '`a\\`', '`a`.`'])('%s is refused', (path) => {
  expect(() => parseFieldPath(path)).toThrow(/the backtick at \d+ is not closed/)
})
