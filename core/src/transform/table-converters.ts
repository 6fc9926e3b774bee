/** The converters that read the topic which a transform follows: the built-in ones, with the settings that a connector has for them. */
import {
  ConfigError,
  isErrorKind,
  type ConfigOf,
  type Converter,
  type ConverterContext,
  type ConverterDefinition,
  type Setting,
  type Settings,
} from '@tidewire/sdk'
import { compileSettings } from '../config/settings.ts'
import plugin from '../convert/plugin.ts'

const definitions = plugin.converters as readonly ConverterDefinition[]

/**
 * What all of them have, below `<setting>.`, so that passwords are known as such. What is required is so for some of them
 * only, which {@link tableConverter} sees to.
 */
export function converterSettings(setting: string): Settings {
  const all: Record<string, Setting> = {}
  for (const { config } of definitions) {
    for (const [name, declared] of Object.entries(config)) {
      const rest = Object.entries(declared).filter(([property]) => property !== 'required')
      all[`${setting}.${name}`] ??= {
        ...(Object.fromEntries(rest) as unknown as Setting),
        group: `Settings of ${setting}`,
      }
    }
  }
  return all
}

/**
 * @param setting what names it; a short name or a class name
 * @throws ConfigError with the full name of the setting at fault
 */
export function tableConverter(
  setting: string,
  config: Readonly<Record<string, unknown>>,
  use: 'key' | 'value',
  context?: ConverterContext,
): Converter {
  const given = String(config[setting])
  const definition = definitions.find(({ name, aliases }) => name === given || aliases?.includes(given) === true)
  if (definition === undefined) {
    const names = definitions.map(({ name }) => name).join(', ')
    throw new ConfigError(`there is no built-in converter '${given}': expected one of ${names}, or a class name`, {
      setting,
    })
  }
  const own = Object.keys(definition.config).map((name) => [name, config[`${setting}.${name}`]])
  const { config: parsed, errors } = compileSettings(definition.config)(Object.fromEntries(own) as ConfigOf<Settings>)
  for (const [name, [problem = '']] of Object.entries(errors)) {
    throw new ConfigError(problem, { setting: `${setting}.${name}` })
  }
  try {
    return definition.create(parsed, use, context)
  } catch (error) {
    if (!isErrorKind(error, 'ConfigError')) throw error
    const { setting: name } = error as { setting?: string }
    throw new ConfigError(error.message, { setting: name === undefined ? setting : `${setting}.${name}`, cause: error })
  }
}

/** What is wrong with it, as a transform's `check` tells. */
export function tableConverterProblems(
  ...[setting, ...more]: Parameters<typeof tableConverter>
): Record<string, string> {
  try {
    tableConverter(setting, ...more)
    return {}
  } catch (error) {
    if (!isErrorKind(error, 'ConfigError')) throw error
    return { [(error as { setting?: string }).setting ?? setting]: error.message }
  }
}
