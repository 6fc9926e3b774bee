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

/** What workers sign their requests to one another with. */
export interface SessionKey {
  readonly key: Buffer
  /** As Java names it: HmacSHA256. */
  readonly algorithm: string
  /** Milliseconds since the epoch. */
  readonly createdAt: number
}

type Properties = Readonly<Record<string, string>>

export type ConfigRecord =
  | { readonly kind: 'connector'; readonly connector: string; readonly properties: Properties | null }
  | { readonly kind: 'task'; readonly connector: string; readonly task: number; readonly properties: Properties }
  | { readonly kind: 'commit'; readonly connector: string; readonly tasks: number }
  | { readonly kind: 'target-state'; readonly connector: string; readonly state: TargetState | null }
  | { readonly kind: 'restart'; readonly connector: string; readonly request: RestartRequest }
  /** All transactional producers of earlier tasks are fenced; so many are there from now on. */
  | { readonly kind: 'fenced'; readonly connector: string; readonly tasks: number }
  | { readonly kind: 'session-key'; readonly sessionKey: SessionKey }
  /** KIP-976: for all workers that are there when it is written. */
  | { readonly kind: 'logger-level'; readonly logger: string; readonly level: string }
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

/** KIP-618: the tasks of the commit before it may start. */
export function fencedRecord(connector: string, tasks: number): TopicLogRecord {
  return { key: `tasks-fencing-${connector}`, value: JSON.stringify({ 'task-count': tasks }) }
}

export function sessionKeyRecord({ key, algorithm, createdAt }: SessionKey): TopicLogRecord {
  return {
    key: 'session-key',
    value: JSON.stringify({ key: key.toString('base64'), algorithm, 'creation-timestamp': createdAt }),
  }
}

export function loggerLevelRecord(logger: string, level: string): TopicLogRecord {
  return { key: `logger-cluster-${logger}`, value: JSON.stringify({ level }) }
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
    return { kind: 'commit', connector, tasks: number(content, 'tasks') }
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
  connector = connectorOf('tasks-fencing-')
  if (connector !== undefined) return { kind: 'fenced', connector, tasks: number(content, 'task-count') }
  const logger = connectorOf('logger-cluster-')
  if (logger !== undefined && content !== null) return { kind: 'logger-level', logger, level: text(content, 'level') }
  if (key === 'session-key') return { kind: 'session-key', sessionKey: sessionKey(content) }
  return { kind: 'other' }
}

function sessionKey(content: unknown): SessionKey {
  const key = field(content, 'key')
  const algorithm = field(content, 'algorithm')
  if (typeof key !== 'string' || typeof algorithm !== 'string') throw new Error("it has no 'key' and 'algorithm'")
  return { key: Buffer.from(key, 'base64'), algorithm, createdAt: number(content, 'creation-timestamp') }
}

function text(content: unknown, name: string): string {
  const value = field(content, name)
  if (typeof value !== 'string') throw new Error(`it has no text '${name}'`)
  return value
}

function number(content: unknown, name: string): number {
  const value = field(content, name)
  if (typeof value !== 'number') throw new Error(`it has no number '${name}'`)
  return value
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
