import { describe, expect, test } from 'vitest'
import type { ConnectorInfo, ConnectorStatus } from '../core/src/rest-client/operations.ts'
import { ClusterState } from './cluster-state.ts'

const info = (name: string): ConnectorInfo => ({ name, config: { name }, tasks: [], type: 'source' })
const status = (name: string, ...states: ('RUNNING' | 'PAUSED')[]): ConnectorStatus => ({
  name,
  type: 'source',
  connector: { state: 'RUNNING', worker_id: 'w:1' },
  tasks: states.map((state, id) => ({ id, state, worker_id: 'w:1' })),
})

function known(...names: string[]): ClusterState {
  const state = new ClusterState()
  state.replaceAll(
    Object.fromEntries(names.map((name) => [name, { info: info(name), status: status(name, 'RUNNING') }])),
  )
  return state
}

const told = (state: ClusterState, event: string, data: object) =>
  state.apply({ id: 'x-1', event, data: JSON.stringify(data) })

describe('events', () => {
  test('change a connector, or one task of it', () => {
    const state = known('a', 'b')
    expect(told(state, 'status', { connector: 'a', state: 'PAUSED', worker_id: 'w:2' })).toEqual({ connector: 'a' })
    told(state, 'status', { connector: 'a', task: 0, state: 'FAILED', worker_id: 'w:2', trace: 'why' })
    expect(state.get('a')).toMatchObject({
      state: { state: 'PAUSED', worker_id: 'w:2' },
      tasks: [{ id: 0, state: 'FAILED', worker_id: 'w:2', trace: 'why' }],
    })
    // What was said before, and is no longer, is gone.
    told(state, 'status', { connector: 'a', task: 0, state: 'RUNNING', worker_id: 'w:2' })
    expect(state.get('a')!.tasks).toEqual([{ id: 0, state: 'RUNNING', worker_id: 'w:2' }])
    expect(state.get('b')!.state!.state).toBe('RUNNING')
  })

  test('tell of what has to be read: new connectors, tasks that nobody knew, other numbers of them', () => {
    const state = known('a')
    const stale = { connector: 'a', isStale: true }
    const running = { state: 'RUNNING', worker_id: 'w:1' }
    expect(told(state, 'config', { connector: 'new', change: 'created', config: {} }).isStale).toBe(true)
    expect(told(state, 'status', { connector: 'new', ...running }).isStale).toBe(true)
    expect(state.get('new')).toBeUndefined()
    expect(told(state, 'status', { connector: 'a', task: 1, ...running })).toEqual(stale)
    expect(told(state, 'tasks', { connector: 'a', tasks: 2 })).toEqual(stale)
    expect(told(state, 'target-state', { connector: 'a', state: 'STOPPED' })).toEqual(stale)
    expect(state.get('a')!.tasks).toHaveLength(1)
    expect(told(state, 'workers', { workers: [] })).toEqual({ workers: true })
    expect(told(state, 'ready', {})).toEqual({})
  })

  test('take the config and the connector with them', () => {
    const state = known('a')
    told(state, 'config', { connector: 'a', change: 'updated', config: { name: 'a', topic: 't' } })
    expect(state.get('a')!.config).toEqual({ name: 'a', topic: 't' })
    expect(told(state, 'config', { connector: 'a', change: 'deleted' })).toEqual({ connector: 'a', isStale: false })
    expect(state.connectors()).toEqual([])
  })
})

test('connectors are in order, also of names that objects have', () => {
  expect(
    known('b', 'constructor', 'a')
      .connectors()
      .map(({ name }) => name),
  ).toEqual(['a', 'b', 'constructor'])
})
