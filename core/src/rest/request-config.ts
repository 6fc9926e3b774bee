import { connectorNameProblem } from '../config/connector-settings.ts'
import type { TargetState } from '../herder/config-records.ts'
import type { WantedConnector } from '../herder/connector-writes.ts'
import { InvalidConfigError } from '../herder/validation.ts'
import { RestError } from './rest-error.ts'

type Config = Record<string, string>

/**
 * A flat config out of a request's body. Texts, numbers and booleans are taken; they are stored as text.
 * @throws InvalidConfigError that names every value of another kind
 */
export function configOf(body: unknown): Config {
  const errors: Record<string, string[]> = {}
  const entries = Object.entries(objectOf(body, 'a connector config')).map(([name, value]): [string, string] => {
    const text = textOf(value)
    if (text === undefined) errors[name] = [wrongKind(name, value)]
    return [name, text ?? '']
  })
  if (Object.keys(errors).length > 0) throw new InvalidConfigError(errors)
  return Object.fromEntries(entries)
}

/** As {@link configOf}, with null for a setting to remove. */
export function configChangesOf(body: unknown): Record<string, string | null> {
  const changes = Object.entries(objectOf(body, 'changes to a connector config'))
  const removed = changes.filter(([, value]) => value === null)
  const given = configOf(Object.fromEntries(changes.filter(([, value]) => value !== null)))
  return { ...given, ...(Object.fromEntries(removed) as Record<string, null>) }
}

/** @throws RestError, InvalidConfigError */
export function createRequestOf(body: unknown): {
  name: string
  config: Config
  initialState: TargetState | undefined
} {
  const { name: given, config: givenConfig, initial_state, ...others } = objectOf(body, '{"name": …, "config": {…}}')
  refuseOthers(others, 'name, config')
  if (givenConfig === undefined || givenConfig === null) throw new RestError(400, 'The request has no config')
  const config = configOf(givenConfig)
  const name = (textOf(given ?? '') ?? '').trim()
  const problem = connectorNameProblem(name)
  if (problem !== undefined) throw new InvalidConfigError({ name: [problem] })
  return { name, config: withName(name, config), initialState: targetStateOf(initial_state) }
}

/**
 * What a connector is to be, of many: its flat config, or `{"config", "initial_state"?}`.
 * @throws RestError, InvalidConfigError
 */
export function wantedConnectorOf(name: string, given: unknown): WantedConnector {
  const body = objectOf(given, 'a connector config')
  const { config, initial_state, ...others } = body
  // A setting may be named config too; it is no object.
  if (typeof config !== 'object' || config === null) return { config: withName(name, configOf(body)) }
  refuseOthers(others, 'config')
  return { config: withName(name, configOf(config)), initialState: targetStateOf(initial_state) }
}

function refuseOthers(others: Readonly<Record<string, unknown>>, expected: string): void {
  const unknown = Object.keys(others)
  if (unknown.length === 0) return
  throw new RestError(
    400,
    `Unrecognized field ${unknown.join(', ')}: expected ${expected} and, optionally, initial_state`,
  )
}

/**
 * The config with the connector's name in it.
 * @throws RestError when it has another
 */
export function withName(name: string, config: Config): Config {
  const own = config['name']
  if (own !== undefined && own !== name) {
    throw new RestError(400, `Connector name configuration (${own}) doesn't match connector name in the URL (${name})`)
  }
  return { ...config, name }
}

function targetStateOf(initialState: unknown): TargetState | undefined {
  if (initialState === undefined || initialState === null) return undefined
  switch (typeof initialState === 'string' ? initialState.toUpperCase() : '') {
    case 'RUNNING':
      return 'STARTED'
    case 'PAUSED':
      return 'PAUSED'
    case 'STOPPED':
      return 'STOPPED'
    default:
      throw new RestError(
        400,
        `Unknown initial_state ${JSON.stringify(initialState)}: expected RUNNING, PAUSED or STOPPED`,
      )
  }
}

function textOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined
}

function wrongKind(name: string, value: unknown): string {
  if (value === null) return `Null value can not be supplied as the configuration value of ${name}`
  const hint = Array.isArray(value) ? ': a list is given as one text with commas' : ''
  return `Configuration ${name} must be text, a number, true or false, not ${Array.isArray(value) ? 'an array' : 'an object'}${hint}`
}

function objectOf(body: unknown, what: string): Record<string, unknown> {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) {
    throw new RestError(400, `The request body must be a JSON object: ${what}`)
  }
  return body as Record<string, unknown>
}
