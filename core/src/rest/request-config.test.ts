import { expect, test } from 'vitest'
import { wantedConnectorOf } from './request-config.ts'

test('what a connector of many is to be: its config, or its config with what it begins as', () => {
  expect(wantedConnectorOf('one', { topic: 'x', 'tasks.max': 1 })).toEqual({
    config: { name: 'one', topic: 'x', 'tasks.max': '1' },
  })
  expect(wantedConnectorOf('one', { config: { topic: 'x' }, initial_state: 'paused' })).toEqual({
    config: { name: 'one', topic: 'x' },
    initialState: 'PAUSED',
  })
  expect(wantedConnectorOf('one', { config: 'a setting of this name' }).config['config']).toBe('a setting of this name')
})

test.each([
  [{ config: {}, initial_state: 'asleep' }, 'Unknown initial_state "asleep": expected RUNNING, PAUSED or STOPPED'],
  [{ config: {}, state: 'PAUSED' }, 'Unrecognized field state: expected config and, optionally, initial_state'],
  [{ config: { name: 'two' } }, "Connector name configuration (two) doesn't match connector name in the URL (one)"],
  [{ config: [] }, 'The request body must be a JSON object: a connector config'],
  [null, 'The request body must be a JSON object: a connector config'],
])('%j is refused', (given, message) => {
  expect(() => wantedConnectorOf('one', given)).toThrow(message)
})
