import { readdir, readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseProperties } from '../config/properties.ts'
import { messageOf } from '../logging/message-of.ts'
import { CliError, exitCodes } from './cli-error.ts'

export type GivenConfig = Readonly<Record<string, string | number | boolean>>

/** A connector as a file has it. */
export interface ConnectorFile {
  readonly name: string
  readonly config: GivenConfig
  readonly initialState?: 'RUNNING' | 'PAUSED' | 'STOPPED'
  readonly path: string
}

const initialStates = ['RUNNING', 'PAUSED', 'STOPPED'] as const

/**
 * The connectors of these files, and of the `.json` and `.properties` files of these folders. A file holds
 * `{"name", "config", "initial_state"?}`, a flat config with its `name`, or a list of either; `-` is standard input.
 * @throws CliError that names the file; also where two have one name
 */
export async function readConnectorFiles(paths: readonly string[]): Promise<ConnectorFile[]> {
  const files = (await Promise.all(paths.map(filesOf))).flat()
  const connectors = (await Promise.all(files.map(readConnectors))).flat()
  const byName = new Map<string, ConnectorFile>()
  for (const connector of connectors) {
    const other = byName.get(connector.name)
    if (other !== undefined) {
      throw new CliError(`${connector.path} and ${other.path} both have a connector named ${connector.name}`)
    }
    byName.set(connector.name, connector)
  }
  return connectors
}

/** The one connector of a file. @throws CliError */
export async function readConnectorFile(path: string): Promise<ConnectorFile> {
  const connectors = await readConnectors(path)
  if (connectors.length !== 1) throw new CliError(`${path} has ${connectors.length} connectors, where one is expected`)
  return connectors[0]!
}

/** Whether what a user gave is a file, where the name of a connector would do too. */
export function isFile(given: string): boolean {
  return given === '-' || given.includes('/') || /\.(json|properties)$/.test(given)
}

async function filesOf(path: string): Promise<string[]> {
  if (path === '-') return [path]
  try {
    if (!(await stat(path)).isDirectory()) return [path]
    const names = (await readdir(path)).filter((name) => /\.(json|properties)$/.test(name)).sort()
    return names.map((name) => join(path, name))
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function readConnectors(path: string): Promise<ConnectorFile[]> {
  let content: string
  try {
    content = path === '-' ? await text(process.stdin) : await readFile(path, 'utf8')
  } catch (error) {
    throw unreadable(path, error)
  }
  const where = path === '-' ? 'standard input' : path
  let parsed: unknown
  try {
    parsed = path.endsWith('.properties') ? parseProperties(content) : JSON.parse(content)
  } catch (error) {
    throw new CliError(`${where} is not ${path.endsWith('.properties') ? 'properties' : 'JSON'}: ${messageOf(error)}`)
  }
  return (Array.isArray(parsed) ? parsed : [parsed]).map((each: unknown) => connectorOf(each, where))
}

function connectorOf(value: unknown, path: string): ConnectorFile {
  if (!isObject(value)) throw new CliError(`${path}: expected {"name": …, "config": {…}}, or a flat config with a name`)
  const { config: nested, name: given, initial_state: state, ...others } = value
  const config = isObject(nested) ? nested : value
  const name = given ?? config['name']
  if (typeof name !== 'string' || name.trim() === '') throw new CliError(`${path}: the connector has no name`)
  if (isObject(nested) && Object.keys(others).length > 0) {
    throw new CliError(`${path}: ${Object.keys(others).join(', ')}: expected name, config and initial_state only`)
  }
  for (const [setting, content] of Object.entries(config)) {
    if (!['string', 'number', 'boolean'].includes(typeof content)) {
      throw new CliError(`${path}: ${setting} must be a text, a number, true or false`)
    }
  }
  const initialState = isObject(nested) ? initialStateOf(state, path) : undefined
  return {
    name: name.trim(),
    config: config as GivenConfig,
    path,
    ...(initialState === undefined ? {} : { initialState }),
  }
}

function initialStateOf(state: unknown, path: string): ConnectorFile['initialState'] {
  if (state === undefined || state === null) return undefined
  const found = initialStates.find((each) => typeof state === 'string' && each === state.toUpperCase())
  if (found === undefined) throw new CliError(`${path}: initial_state: expected ${initialStates.join(', ')}`)
  return found
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function unreadable(path: string, error: unknown): CliError {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'ENOENT') return new CliError(`there is no file ${path}`, exitCodes.notFound, { cause: error })
  return new CliError(`${path} cannot be read: ${code ?? messageOf(error)}`, exitCodes.failed, { cause: error })
}
