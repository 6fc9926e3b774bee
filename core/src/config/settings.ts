/**
 * Makes a declaration of settings (sdk/src/config.ts) into a validator: strings become the values that are meant, and
 * every setting at fault is found at once.
 */
import { settingOf, type ConfigOf, type Setting, type Settings } from '@tidewire/sdk'
import { nearestName } from './nearest-name.ts'

/** A configuration as users give it. REST clients send strings; numbers, booleans and, for lists, arrays do as well. */
export type RawConfig = Readonly<Record<string, unknown>>

/** By setting; never with the value of a password in it. */
export type SettingErrors = Record<string, string[]>

export interface ParsedSettings<C> {
  /** With defaults. Settings at fault are left out, so use it only where `errors` is empty. */
  readonly config: C
  readonly errors: SettingErrors
  readonly warnings: string[]
}

export interface CompileOptions {
  /**
   * Settings that exist elsewhere and would change the result if they were ignored, with the reason. A name that ends
   * in `*` stands for all that begin so.
   */
  readonly unsupported?: Readonly<Record<string, string>>
  /** Names that someone else reads and checks: no warning for them. */
  readonly foreign?: (name: string) => boolean
}

/**
 * Compiles a declaration once; the function it returns is called for each configuration.
 * Null values count as left out. Strings are trimmed, as Kafka does. Errors do not name values that `isHidden`, beside
 * those of passwords.
 * @throws TypeError where a declaration contradicts itself (a default that its own rules refuse, a bad pattern)
 */
export function compileSettings<const S extends Settings>(
  settings: S,
  options: CompileOptions = {},
): (raw: RawConfig, isHidden?: (name: string) => boolean) => ParsedSettings<ConfigOf<S>> {
  const { check, defaults } = checkerOf(settings)
  const unsupported = Object.entries(options.unsupported ?? {})

  return (raw, isHidden = () => false) => {
    const config: Record<string, unknown> = { ...defaults }
    const errors: SettingErrors = {}
    const warnings: string[] = []
    for (const [name, value] of Object.entries(raw)) {
      if (value === null || value === undefined) continue
      const declared = settingOf(settings, name)
      if (declared !== undefined) {
        const [key, setting] = declared
        if (setting.names === undefined) config[name] = coerce(setting, value)
        else config[key] = { ...(config[key] as object), [name]: coerce(setting, value) }
        continue
      }
      const refused = unsupported.find(([key]) =>
        key.endsWith('*') ? name.startsWith(key.slice(0, -1)) : key === name,
      )
      if (refused !== undefined) {
        errors[name] = [`Configuration ${name} is not supported: ${refused[1]}`]
      } else if (options.foreign?.(name) !== true) {
        warnings.push(unknownSetting(name, Object.keys(settings)))
      }
    }
    for (const name of check(config)) {
      const [, setting] = settingOf(settings, name)!
      errors[name] = [problem(name, setting, raw[name], setting.type === 'password' || isHidden(name))]
      // eslint-disable-next-line @typescript-eslint/no-dynamic-delete -- a value at fault must not be used
      delete config[name]
    }
    return { config: config as ConfigOf<S>, errors, warnings }
  }
}

interface Checker {
  /** The settings at fault. */
  readonly check: (config: Readonly<Record<string, unknown>>) => string[]
  readonly defaults: Readonly<Record<string, unknown>>
}

/** Whether a value already of its type is one that the setting takes. */
type Rule = (value: unknown) => boolean

// A host thread needs the same few for each of its tasks.
const checkers = new WeakMap<Settings, Checker>()

function checkerOf(settings: Settings): Checker {
  const known = checkers.get(settings)
  if (known !== undefined) return known
  const rules = Object.entries(settings).map(([name, setting]) => ({
    name,
    isRequired: setting.required === true,
    hasManyNames: setting.names !== undefined,
    accepts: ruleOf(name, setting),
  }))
  const check = (config: Readonly<Record<string, unknown>>) =>
    rules.flatMap(({ name, isRequired, hasManyNames, accepts }) => {
      const value = config[name]
      if (hasManyNames) {
        return Object.entries(value as object).flatMap(([given, one]) => (accepts(one) ? [] : [given]))
      }
      return (value === undefined ? isRequired : !accepts(value)) ? [name] : []
    })
  const defaults = Object.fromEntries(
    Object.entries(settings).flatMap(([name, setting]) => {
      if (setting.names !== undefined) return [[name, {}]]
      return setting.default === undefined ? [] : [[name, setting.default]]
    }),
  )
  for (const name of check(defaults)) {
    const setting = settings[name]!
    if (setting.required !== true) throw new TypeError(`setting ${name}: its default is not ${expected(setting)}`)
  }
  const checker = { check, defaults }
  checkers.set(settings, checker)
  return checker
}

/** @throws TypeError where the declaration is none */
function ruleOf(name: string, setting: Setting): Rule {
  switch (setting.type) {
    case 'int':
      return numberRule(setting, (value) => value === (value | 0))
    case 'long':
      return numberRule(setting, Number.isSafeInteger)
    case 'double':
      return numberRule(setting, Number.isFinite)
    case 'boolean':
      return (value) => typeof value === 'boolean'
    case 'list': {
      const accepts = textRule(name, setting, 0)
      const isFilled = (items: readonly unknown[]) => items.length > 0 || setting.required !== true
      return (value) => Array.isArray(value) && isFilled(value) && value.every(accepts)
    }
    case 'class':
      return textRule(name, setting, 1)
    case 'string':
    case 'password':
      return textRule(name, setting, setting.required === true ? 1 : 0)
    default:
      // A plugin written without types.
      throw new TypeError(`setting ${name}: there is no type ${String(setting.type satisfies never)}`)
  }
}

function numberRule({ minimum = -Infinity, maximum = Infinity }: Setting, isOfType: (value: number) => boolean): Rule {
  return (value) => typeof value === 'number' && isOfType(value) && value >= minimum && value <= maximum
}

function textRule(name: string, { enum: choices, pattern }: Setting, minLength: number): Rule {
  const matcher = pattern === undefined ? undefined : regExpOf(name, pattern)
  return (value) =>
    typeof value === 'string' &&
    value.length >= minLength &&
    choices?.includes(value) !== false &&
    matcher?.test(value) !== false
}

function regExpOf(name: string, pattern: string): RegExp {
  try {
    return new RegExp(pattern)
  } catch (error) {
    throw new TypeError(`setting ${name}: ${(error as Error).message}`, { cause: error })
  }
}

/** What a setting accepts, in words that end the sentence "expected …". */
function expected(setting: Setting): string {
  const range = rangeText(setting)
  const choice = setting.enum === undefined ? '' : setting.enum.join(', ')
  switch (setting.type) {
    case 'int':
    case 'long':
      return `a whole number${range === '' ? (setting.type === 'int' ? ' of 32 bits' : '') : range}`
    case 'double':
      return `a number${range}`
    case 'boolean':
      return 'true or false'
    case 'list':
      if (choice !== '') return `a comma-separated list of: ${choice}`
      return `a${setting.required === true ? ' non-empty' : ''} comma-separated list${patternText(setting, ' of items')}`
    case 'class':
      return 'the name of a plugin'
    case 'string':
    case 'password':
      if (choice !== '') return `one of: ${choice}`
      return `${setting.required === true ? 'non-empty ' : ''}text${patternText(setting, '')}`
  }
}

/** What a string stands for; a value that stands for nothing is returned as it is, for the schema to refuse. */
function coerce(setting: Setting, value: unknown): unknown {
  const text = typeof value === 'string' ? value.trim() : value
  switch (setting.type) {
    case 'int':
    case 'long':
      return typeof text === 'string' && /^[+-]?\d+$/.test(text) ? Number(text) : text
    case 'double':
      return typeof text === 'string' && /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : text
    case 'boolean': {
      const lower = typeof text === 'string' ? text.toLowerCase() : text
      return lower === 'true' ? true : lower === 'false' ? false : text
    }
    case 'list':
      if (text === '') return []
      if (typeof text === 'string') return text.split(/\s*,\s*/)
      return Array.isArray(text) ? text.map((item: unknown) => scalarText(item)) : scalarList(text)
    case 'string':
    case 'password':
    case 'class':
      return spelling(setting, scalarText(text))
  }
}

/** Kafka matches choices such as `exactly.once.support` whatever their case; the declared spelling is what code sees. */
function spelling(setting: Setting, value: unknown): unknown {
  if (typeof value !== 'string' || setting.enum === undefined || setting.enum.includes(value)) return value
  return setting.enum.find((choice) => choice.toLowerCase() === value.toLowerCase()) ?? value
}

function scalarText(value: unknown): unknown {
  return typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint' ? String(value) : value
}

function scalarList(value: unknown): unknown {
  const text = scalarText(value)
  return typeof text === 'string' ? [text] : value
}

function problem(name: string, setting: Setting, value: unknown, isHidden: boolean): string {
  if (value === null || value === undefined) {
    return `Missing required configuration "${name}" which has no default value: expected ${expected(setting)}`
  }
  const given = isHidden ? '[hidden]' : shorten(typeof value === 'string' ? value : JSON.stringify(value))
  return `Invalid value ${given} for configuration ${name}: expected ${expected(setting)}`
}

function shorten(text: string): string {
  return text.length <= 200 ? text : `${text.slice(0, 200)}…`
}

function unknownSetting(name: string, known: readonly string[]): string {
  const nearest = nearestName(name, known)
  return `Unknown configuration ${shorten(name)} has no effect${nearest === undefined ? '' : `: did you mean ${nearest}?`}`
}

function rangeText({ minimum, maximum }: Setting): string {
  if (minimum !== undefined && maximum !== undefined) return ` from ${minimum} to ${maximum}`
  if (minimum !== undefined) return `, at least ${minimum}`
  return maximum === undefined ? '' : `, at most ${maximum}`
}

function patternText({ pattern }: Setting, what: string): string {
  return pattern === undefined ? '' : `${what} matching /${pattern}/`
}
