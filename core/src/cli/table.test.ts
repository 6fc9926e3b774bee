import { expect, test } from 'vitest'
import { formatPairs, formatTable, harmless } from './table.ts'

test('columns are as wide as they need, numbers stand to the right, and nothing follows a line', () => {
  const table = formatTable(
    ['NAME', 'TASKS', 'STATE'],
    [
      ['a', 12, 'RUNNING'],
      ['longer', null, ''],
      ['ä😀', 3, 'FAILED'],
    ],
  )
  expect(table.split('\n')).toEqual([
    'NAME    TASKS  STATE',
    'a          12  RUNNING',
    'longer      –',
    'ä😀         3  FAILED',
  ])
})

test('a table of a terminal ends where that ends', () => {
  const table = formatTable(['A', 'TEXT'], [['x', 'a long text']], 10)
  expect(table.split('\n')).toEqual(['A  TEXT', 'x  a long…'])
  const painted = formatTable(['A', 'TEXT'], [['\u001b[31mx\u001b[39m', 'a long text']], 10)
  expect(painted.split('\n')[1]).toBe('\u001b[31mx\u001b[39m  a long…')
})

test('wide characters take two columns, what is joined to another none', () => {
  const table = formatTable(
    ['NAME', 'X'],
    [
      ['日本', 'x'],
      ['e\u0301a', 'x'],
      ['abcdef', 'x'],
    ],
  )
  expect(table.split('\n')).toEqual(['NAME    X', '日本    x', 'e\u0301a      x', 'abcdef  x'])
  expect(formatTable(['A', 'TEXT'], [['x', '日本語コネクタ']], 10).split('\n')[1]).toBe('x  日本語…')
  expect(
    formatPairs([
      ['名', 'y'],
      ['Name', 'x'],
    ]),
  ).toBe('名    y\nName  x')
})

test('colours take no room', () => {
  const red = '\u001b[31mFAILED\u001b[39m'
  expect(formatTable(['STATE', 'N'], [[red, 1]]).split('\n')).toEqual(['STATE   N', `${red}  1`])
})

test('pairs stand side by side', () => {
  expect(
    formatPairs([
      ['Name', 'x'],
      ['State of it', 'y'],
    ]),
  ).toBe('Name         x\nState of it  y')
})

test('what would steer a terminal is made visible', () => {
  expect(harmless('a\u001b[2Jb\r\n\u202ec')).toBe('a\\u001b[2Jb\\u000d\\u000a\\u202ec')
  expect(harmless('a\n\tb', '\n\t')).toBe('a\n\tb')
})
