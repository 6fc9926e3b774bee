import { expect, test } from 'vitest'
import { defineConfig } from '../config.ts'
import { isErrorKind } from '../errors.ts'
import { parseConfig } from './parse-config.ts'

const connector = {
  name: 'c',
  config: defineConfig({
    url: { type: 'string', required: true, pattern: '^http', doc: 'x' },
    size: { type: 'int', default: 5, minimum: 1, maximum: 9, doc: 'x' },
    wait: { type: 'long', doc: 'x' },
    share: { type: 'double', doc: 'x' },
    on: { type: 'boolean', default: false, doc: 'x' },
    tags: { type: 'list', default: [], enum: ['a', 'b'], doc: 'x' },
    secret: { type: 'password', doc: 'x' },
  }),
  unsupported: { 'old.url': 'use url' },
}

test('turns strings into their types and fills in defaults', () => {
  const raw = { url: ' http://x ', size: '7', wait: '-1', share: '0.5', on: 'TRUE', tags: 'a, b,', secret: ' s ' }
  expect(parseConfig(connector, raw)).toEqual({
    url: 'http://x',
    size: 7,
    wait: -1,
    share: 0.5,
    on: true,
    tags: ['a', 'b'],
    secret: ' s ',
  })
  expect(parseConfig(connector, { url: 'http://x' })).toEqual({ url: 'http://x', size: 5, on: false, tags: [] })
  expect(parseConfig(connector, { url: 'http://x', size: 7, on: true })).toMatchObject({ size: 7, on: true })
})

test("takes the worker's own settings without a word", () => {
  parseConfig(connector, { url: 'http', 'connector.class': 'c', topics: 't', 'value.converter.schemas.enable': false })
})

test.each([
  [{}, 'url: is required'],
  [{ url: 'ftp' }, "url: 'ftp' does not match ^http"],
  [{ url: 'http', size: 'x' }, "size: 'x' is not a number"],
  [{ url: 'http', size: '' }, "size: '' is not a number"],
  [{ url: 'http', size: '1.5' }, "size: '1.5' is not a whole number"],
  [{ url: 'http', size: '0' }, 'size: 0 is less than 1'],
  [{ url: 'http', size: '10' }, 'size: 10 is more than 9'],
  [{ url: 'http', wait: '9007199254740993' }, 'wait:'],
  [{ url: 'http', on: 'yes' }, "on: 'yes' is neither true nor false"],
  [{ url: 'http', tags: 'a,c' }, "tags: 'c' is none of a, b"],
  [{ url: 'http', 'old.url': 'x' }, 'old.url: is not supported: use url'],
  [{ url: 'http', urll: 'x' }, 'urll: is not a setting'],
])('refuses %j', (raw, problem) => {
  expect(() => parseConfig(connector, raw)).toThrow(problem)
})

test('names all problems at once, those of check after them', () => {
  const checked = { ...connector, check: () => ({ url: ['unreachable', 'too long'] }) }
  expect(() => parseConfig(checked, { url: 'ftp', size: '0' })).toThrow(/url: .*; size: /)
  let thrown
  try {
    parseConfig(checked, { url: 'http' })
  } catch (error) {
    thrown = error
  }
  expect(isErrorKind(thrown, 'ConfigError')).toBe(true)
  expect(thrown).toHaveProperty('message', 'config of c: url: unreachable; url: too long')
})
