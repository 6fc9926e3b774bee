/**
 * Records of the config topic, as Kafka Connect writes them: text keys, JSON values without a schema envelope, null for
 * "deleted". An existing cluster's topic can be read, and its tools can read ours.
 */
import type { TopicLogRecord } from '../cluster/topic-log.ts'

/** What the user wants of a connector. */
export type TargetState = 'STARTED' | 'PAUSED' | 'STOPPED'

export interface RestartRequest {
  readonly includeTasks: boolean
  readonly onlyFailed: boolean
}

type Properties = Readonly<Record<string, string>>

export type ConfigRecord =
  | { readonly kind: 'connector'; readonly connector: string; readonly properties: Properties | null }
  | { readonly kind: 'task'; readonly connector: string; readonly task: number; readonly properties: Properties }
  | { readonly kind: 'commit'; readonly connector: string; readonly tasks: number }
  | { readonly kind: 'target-state'; readonly connector: string; readonly state: TargetState | null }
  | { readonly kind: 'restart'; readonly connector: string; readonly request: RestartRequest }
  /** Kafka Connect's own that mean nothing here so far: session keys, fencing, logger levels. */
  | { readonly kind: 'other' }

export function connectorRecord(connector: string, properties: Properties | null): TopicLogRecord {
  return { key: `connector-${connector}`, value: properties === null ? null : JSON.stringify({ properties }) }
}

export function taskRecord(connector: string, task: number, properties: Properties): TopicLogRecord {
  return { key: `task-${connector}-${task}`, value: JSON.stringify({ properties }) }
}

/** Makes the task records before it take effect, all at once. */
export function commitRecord(connector: string, tasks: number): TopicLogRecord {
  return { key: `commit-${connector}`, value: JSON.stringify({ tasks }) }
}

export function targetStateRecord(connector: string, state: TargetState | null): TopicLogRecord {
  // Workers of before STOPPED existed read `state`, and take it for PAUSED.
  const value =
    state === null ? null : JSON.stringify({ state: state === 'STOPPED' ? 'PAUSED' : state, 'state.v2': state })
  return { key: `target-state-${connector}`, value }
}

export function restartRecord(connector: string, request: RestartRequest): TopicLogRecord {
  return {
    key: `restart-connector-${connector}`,
    value: JSON.stringify({ 'include-tasks': request.includeTasks, 'only-failed': request.onlyFailed }),
  }
}

/** @throws Error that says what is wrong with the record */
export function parseConfigRecord({ key, value }: TopicLogRecord): ConfigRecord {
  const content = value === null ? null : (JSON.parse(value) as unknown)
  const connectorOf = (prefix: string): string | undefined =>
    key.startsWith(prefix) ? key.slice(prefix.length) : undefined

  let connector = connectorOf('connector-')
  if (connector !== undefined) {
    return { kind: 'connector', connector, properties: content === null ? null : properties(content) }
  }
  connector = connectorOf('task-')
  if (connector !== undefined) {
    const dash = connector.lastIndexOf('-')
    const task = Number(connector.slice(dash + 1))
    if (dash < 1 || !Number.isInteger(task)) throw new Error('its key is not task-<connector>-<number>')
    return { kind: 'task', connector: connector.slice(0, dash), task, properties: properties(content) }
  }
  connector = connectorOf('commit-')
  if (connector !== undefined) {
    const tasks = field(content, 'tasks')
    if (typeof tasks !== 'number') throw new Error("it has no number 'tasks'")
    return { kind: 'commit', connector, tasks }
  }
  connector = connectorOf('target-state-')
  if (connector !== undefined)
    return { kind: 'target-state', connector, state: content === null ? null : targetState(content) }
  connector = connectorOf('restart-connector-')
  if (connector !== undefined) {
    const request = {
      includeTasks: field(content, 'include-tasks') === true,
      onlyFailed: field(content, 'only-failed') === true,
    }
    return { kind: 'restart', connector, request }
  }
  return { kind: 'other' }
}

function targetState(content: unknown): TargetState {
  const state = field(content, 'state.v2') ?? field(content, 'state')
  if (state !== 'STARTED' && state !== 'PAUSED' && state !== 'STOPPED') throw new Error('its state is not known')
  return state
}

function properties(content: unknown): Properties {
  const found = field(content, 'properties')
  if (typeof found !== 'object' || found === null) throw new Error("it has no map 'properties'")
  // Kafka Connect can store null for a value; it counts as left out.
  return Object.fromEntries(
    Object.entries(found).flatMap(([name, value]) => (value == null ? [] : [[name, String(value)]])),
  )
}

function field(content: unknown, name: string): unknown {
  return typeof content === 'object' && content !== null ? (content as Record<string, unknown>)[name] : undefined
}
