import { expect, test } from 'vitest'
import {
  AlreadyExistsError,
  ConfigError,
  ConnectError,
  DataError,
  isErrorKind,
  isRetriable,
  NotFoundError,
  RetriableError,
} from './errors.ts'

test.each([
  [new ConnectError('m'), 'ConnectError', false],
  [new RetriableError('m'), 'RetriableError', true],
  [new DataError('m'), 'DataError', false],
  [new ConfigError('m'), 'ConfigError', false],
  [new NotFoundError('m'), 'NotFoundError', false],
  [new AlreadyExistsError('m'), 'AlreadyExistsError', false],
] as const)('%s has its name, a code, and says whether to try again', (error, name, retriable) => {
  expect(error).toMatchObject({ name, code: 'CONNECT_ERROR', message: 'm' })
  expect(error).toBeInstanceOf(ConnectError)
  expect(isRetriable(error)).toBe(retriable)
  expect(String(error)).toBe(`${name}: m`)
  expect('cause' in error).toBe(false)
})

test('an error keeps its cause, its code and its setting', () => {
  const cause = new Error('socket')
  expect(new RetriableError('m', { cause, code: 'ECONNRESET' })).toMatchObject({ cause, code: 'ECONNRESET' })
  expect(new ConfigError('m', { setting: 'file' }).setting).toBe('file')
})

test('kinds are known by their fields: from another copy of the SDK, or a clone that crossed a thread', () => {
  expect(isRetriable({ retriable: true })).toBe(true)
  expect(isErrorKind({ name: 'DataError' }, 'DataError')).toBe(true)
  for (const nothing of [null, undefined, 'DataError', 1, {}, { retriable: 'true' }]) {
    expect(isRetriable(nothing)).toBe(false)
    expect(isErrorKind(nothing, 'DataError')).toBe(false)
  }
  expect(isErrorKind(new DataError('m'), 'ConfigError')).toBe(false)
})
