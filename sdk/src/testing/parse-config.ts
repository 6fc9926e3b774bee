import { settingOf, type ConfigOf, type Setting, type Settings } from '../config.ts'
import type { ConfigProblems } from '../config.ts'
import { ConfigError } from '../errors.ts'

/** A config as a test writes it. Values may be of their own type or, as in a REST call, all strings. */
export type RawConfig = Readonly<Record<string, string | number | boolean>>

/** Settings that the worker reads, not the connector; they may stand in a config and say nothing here. */
const workerSettings =
  /^(name|connector\.class|tasks\.max|topics|topics\.regex|errors\..+|(key|value|header)\.converter(\..+)?|transforms(\..+)?|predicates(\..+)?|exactly\.once\.support|transaction\.boundary(\..+)?|(producer|consumer|admin)\.override\..+)$/

/** The parts of a connector that say what a valid config is. */
interface Configurable<S extends Settings> {
  readonly name: string
  readonly config: S
  readonly unsupported?: Readonly<Record<string, string>>
  readonly check?: (config: ConfigOf<S>) => ConfigProblems
}

/**
 * Makes of a raw config what a task gets: strings turned into the declared types, defaults filled in. Stricter than
 * the worker in one point: a setting that nobody knows is refused, since in a test it is a slip of the pen.
 * @throws ConfigError naming every setting at fault
 */
export function parseConfig<S extends Settings>(connector: Configurable<S>, raw: RawConfig): ConfigOf<S> {
  const problems: string[] = []
  const parsed: Record<string, unknown> = {}
  for (const name of Object.keys(raw)) {
    const unsupported = connector.unsupported?.[name]
    if (unsupported !== undefined) problems.push(`${name}: is not supported: ${unsupported}`)
    else if (settingOf(connector.config, name) === undefined && !workerSettings.test(name))
      problems.push(`${name}: is not a setting`)
  }
  const manyNames = Object.entries(connector.config).filter(([, { names }]) => names !== undefined)
  for (const [declared] of manyNames) parsed[declared] = {}
  const single = Object.entries(connector.config).filter(([, { names }]) => names === undefined)
  const many = Object.keys(raw).flatMap((name) => {
    const found = settingOf(connector.config, name)
    return found?.[1].names === undefined ? [] : [{ name, declared: found[0], setting: found[1] }]
  })
  for (const { name, declared, setting } of many) {
    try {
      parsed[declared] = { ...(parsed[declared] as object), [name]: coerce(setting, raw[name]!) }
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`)
    }
  }
  for (const [name, setting] of single) {
    const given = raw[name] ?? setting.default
    if (given === undefined) {
      if (setting.required === true) problems.push(`${name}: is required`)
      continue
    }
    try {
      parsed[name] = coerce(setting, given)
    } catch (error) {
      problems.push(`${name}: ${(error as Error).message}`)
    }
  }
  const config = parsed as ConfigOf<S>
  if (problems.length === 0) {
    for (const [name, found] of Object.entries(connector.check?.(config) ?? {})) {
      for (const problem of [found].flat()) problems.push(`${name}: ${problem}`)
    }
  }
  if (problems.length > 0) throw new ConfigError(`config of ${connector.name}: ${problems.join('; ')}`)
  return config
}

type Given = string | number | boolean | readonly string[]

function coerce(setting: Setting, given: Given): unknown {
  switch (setting.type) {
    case 'int':
    case 'long':
    case 'double':
      return number(setting, given)
    case 'boolean': {
      const text = String(given).trim().toLowerCase()
      if (text !== 'true' && text !== 'false') throw new Error(`'${text}' is neither true nor false`)
      return text === 'true'
    }
    case 'list': {
      const items = typeof given === 'object' ? given : String(given).split(',')
      return items
        .map((item) => item.trim())
        .filter((item) => item !== '')
        .map((item) => checkText(setting, item))
    }
    case 'string':
    case 'password':
    case 'class':
      return checkText(setting, setting.type === 'password' ? String(given) : String(given).trim())
  }
}

function number(setting: Setting, given: Given): number {
  const text = String(given).trim()
  const value = text === '' ? NaN : Number(text)
  if (!Number.isFinite(value)) throw new Error(`'${text}' is not a number`)
  if (setting.type !== 'double' && !Number.isSafeInteger(value)) throw new Error(`'${text}' is not a whole number`)
  const [low, high] = setting.type === 'int' ? [-(2 ** 31), 2 ** 31 - 1] : [-Infinity, Infinity]
  if (value < (setting.minimum ?? low) || value < low) throw new Error(`${text} is less than ${setting.minimum ?? low}`)
  if (value > (setting.maximum ?? high) || value > high) {
    throw new Error(`${text} is more than ${setting.maximum ?? high}`)
  }
  return value
}

function checkText(setting: Setting, text: string): string {
  if (setting.enum !== undefined && !setting.enum.includes(text)) {
    throw new Error(`'${text}' is none of ${setting.enum.join(', ')}`)
  }
  if (setting.pattern !== undefined && !new RegExp(setting.pattern).test(text)) {
    throw new Error(`'${text}' does not match ${setting.pattern}`)
  }
  return text
}
