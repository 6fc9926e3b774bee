/** Validates the transforms and predicates of a connector's config, each by its plugin's declaration. */
import { isErrorKind, type ConfigProblems, type Settings } from '@tidewire/sdk'
import { nearestName } from '../config/nearest-name.ts'
import { compileSettings, type SettingErrors } from '../config/settings.ts'
import {
  aliasOf,
  chainAliases,
  chainParts,
  chainPartSettings,
  type ChainKind,
  type ChainPart,
} from '../config/transform-settings.ts'
import type { PluginRef } from '../plugin/manifest.ts'
import type { PluginRegistry, TransformPlugin } from '../plugin/plugin-registry.ts'

type Config = Readonly<Record<string, string>>

/** Asks a transform or a predicate for what is wrong by its own rules; by setting, without the alias's prefix. */
export type CheckPart = (kind: ChainKind, ref: PluginRef, config: Config) => Promise<ConfigProblems>

export interface ChainValidation {
  /** Of all aliases, by full name. */
  readonly settings: Settings
  readonly errors: SettingErrors
  readonly warnings: readonly string[]
  /** Asks those that have rules of their own; to be called only where every setting is right by itself. */
  readonly check: (ask: CheckPart, given: Config) => Promise<SettingErrors>
}

/** @param config with references resolved */
export async function validateChain(
  plugins: PluginRegistry,
  config: Config,
  isHidden: (name: string) => boolean,
): Promise<ChainValidation> {
  const settings: Record<string, Settings[string]> = {}
  const errors: SettingErrors = {}
  const warnings: string[] = []
  const checks: { readonly part: ChainPart; readonly ref: PluginRef }[] = []
  const add = (name: string, ...problems: string[]): void => void (errors[name] ??= []).push(...problems)
  const predicates = chainAliases(config, 'predicates')

  for (const kind of ['transforms', 'predicates'] as const) {
    for (const problem of aliasProblems(config, kind)) add(kind, problem)
    warnings.push(...strayWarnings(config, kind))
    for (const part of chainParts(config, kind)) {
      const { alias } = part
      const { plugin, problem } = await pluginOf(plugins, part)
      if (problem !== undefined) add(problem.setting, problem.text)
      const declared = chainPartSettings(part, plugin?.manifest.settings)
      // Of an unknown plugin no more can be said than that, as in Kafka Connect.
      Object.assign(settings, plugin === undefined ? placing(part, declared) : declared)
      const below = Object.entries(config).filter(([name]) => aliasOf(name, kind, chainAliases(config, kind)) === alias)
      const parsed = compileSettings(declared, { foreign: () => true })(Object.fromEntries(below), isHidden)
      for (const [name, problems] of Object.entries(parsed.errors))
        if (errors[name] === undefined) add(name, ...problems)
      // Nobody can say what an unknown plugin takes.
      if (plugin !== undefined) warnings.push(...unknownWarnings(part, declared))
      const condition = conditionProblem(part, predicates, config)
      if (condition !== undefined) add(condition.setting, condition.text)
      if (plugin?.manifest.hasCheck === true) checks.push({ part, ref: plugin.ref })
    }
  }

  const check = async (ask: CheckPart, given: Config): Promise<SettingErrors> => {
    const found: SettingErrors = {}
    for (const { part, ref } of checks) {
      // As they were given: references are resolved where the plugin's code runs.
      const own = chainParts(given, part.kind).find(({ alias }) => alias === part.alias)?.config ?? part.config
      for (const [name, texts] of Object.entries(await problemsOf(ask(part.kind, ref, own)))) {
        found[part.prefix + name] = typeof texts === 'string' ? [texts] : [...texts]
      }
    }
    return found
  }
  return { settings, errors, warnings, check }
}

/** The two settings that say what an alias is. */
function placing({ prefix }: ChainPart, declared: Settings): Settings {
  const names = new Set([`${prefix}type`, `${prefix}plugin.version`])
  return Object.fromEntries(Object.entries(declared).filter(([name]) => names.has(name)))
}

/** What a check itself throws is a problem too. */
async function problemsOf(asking: Promise<ConfigProblems>): Promise<ConfigProblems> {
  try {
    return await asking
  } catch (error) {
    const { setting, message } = error as { setting?: unknown; message?: unknown }
    const text = typeof message === 'string' ? message : String(error)
    return { [typeof setting === 'string' ? setting : 'type']: `It could not check its settings: ${text}` }
  }
}

function aliasProblems(config: Config, kind: ChainKind): string[] {
  const aliases = chainAliases(config, kind)
  const invalid = `Invalid value ${config[kind]} for configuration ${kind}:`
  if (aliases.includes('')) return [`${invalid} an alias is empty`]
  const twice = aliases.find((alias, i) => aliases.indexOf(alias) !== i)
  return twice === undefined ? [] : [`${invalid} Duplicate alias provided: ${twice}`]
}

/** Of settings below an alias that is not in the list. */
function strayWarnings(config: Config, kind: ChainKind): string[] {
  const aliases = chainAliases(config, kind)
  return Object.keys(config).flatMap((name) => {
    if (!name.startsWith(`${kind}.`) || aliasOf(name, kind, aliases) !== undefined) return []
    const given = name.split('.')[1]!
    const nearest = nearestName(given, aliases)
    const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
    return [`Configuration ${name} has no effect, since ${given} is not in ${kind}${hint}`]
  })
}

/** The nearest is sought below the alias: what all names there have in common says nothing. */
function unknownWarnings({ prefix, config }: ChainPart, declared: Settings): string[] {
  const known = Object.keys(declared).map((name) => name.slice(prefix.length))
  return Object.keys(config).flatMap((name) => {
    if (known.includes(name)) return []
    const nearest = nearestName(name, known)
    const hint = nearest === undefined ? '' : `: did you mean ${prefix}${nearest}?`
    return [`Unknown configuration ${prefix}${name} has no effect${hint}`]
  })
}

interface Problem {
  readonly setting: string
  readonly text: string
}

async function pluginOf(
  plugins: PluginRegistry,
  { kind, prefix, type, version }: ChainPart,
): Promise<{ plugin?: TransformPlugin; problem?: Problem }> {
  // The declaration says that it is missing.
  if (type === undefined || type === '') return {}
  const find = async (wanted?: string): Promise<TransformPlugin> =>
    kind === 'transforms' ? plugins.transform(type, wanted) : plugins.predicate(type, wanted)
  try {
    return { plugin: await find(version) }
  } catch (error) {
    if (!isErrorKind(error, 'NotFoundError') && !isErrorKind(error, 'ConfigError')) throw error
    const isVersion = version !== undefined && (await find().catch(() => undefined)) !== undefined
    const [setting, value] = isVersion ? [`${prefix}plugin.version`, version] : [`${prefix}type`, type]
    return { problem: { setting, text: `Invalid value ${value} for configuration ${setting}: ${error.message}` } }
  }
}

function conditionProblem(
  { kind, prefix, predicate }: ChainPart,
  predicates: readonly string[],
  config: Config,
): Problem | undefined {
  if (kind === 'predicates') return undefined
  if (predicate === undefined) {
    if (config[`${prefix}negate`] === undefined) return undefined
    // Where Kafka Connect tells it.
    return {
      setting: `${prefix}type`,
      text: `Config '${prefix}negate' was provided but there is no config '${prefix}predicate' defining a predicate to be negated.`,
    }
  }
  if (predicates.includes(predicate)) return undefined
  const nearest = nearestName(predicate, predicates)
  const hint = nearest === undefined ? '' : `; did you mean ${nearest}?`
  return {
    setting: `${prefix}predicate`,
    text: `Invalid value ${predicate} for configuration ${prefix}predicate: it is not in predicates${hint}`,
  }
}
