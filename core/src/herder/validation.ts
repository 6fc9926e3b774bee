/** Validates a connector's config as a whole: the framework's settings, the connector's, its converters', its transforms', and its rules across them. */
import {
  ConfigError,
  isErrorKind,
  settingOf,
  type ConfigOf,
  type ConfigProblems,
  type Setting,
  type Settings,
} from '@tidewire/sdk'
import type { ConfigProviders } from '../config/config-providers.ts'
import { isOverride, parseOverrides, type OverridePolicy } from '../config/client-settings.ts'
import {
  connectorNameProblem,
  frameworkSettings,
  isConverterSetting,
  sinkProblems,
  type SinkConnectorConfig,
} from '../config/connector-settings.ts'
import { kafkaDefinition, kafkaGroups, type ConfigKeyInfo } from '../config/kafka-definition.ts'
import { Secrets, secretMask } from '../config/secrets.ts'
import { compileSettings, type ParsedSettings, type RawConfig, type SettingErrors } from '../config/settings.ts'
import { isTopicCreationSetting, parseTopicCreation } from '../config/topic-creation.ts'
import { isChainSetting } from '../config/transform-settings.ts'
import type { ConnectorManifest, PluginRef } from '../plugin/manifest.ts'
import type { ConnectorPlugin, ConverterPlugin, PluginRegistry } from '../plugin/plugin-registry.ts'
import { validateChain, type CheckPart } from './chain-validation.ts'
import { encryptionProblems } from './config-encryption.ts'

type Config = Readonly<Record<string, string>>

export const converterUses = ['key', 'value', 'header'] as const

export interface Validation {
  readonly plugin: ConnectorPlugin
  /** All settings that the config may have, by full name. */
  readonly settings: Settings
  readonly errors: SettingErrors
  readonly warnings: readonly string[]
}

/** A config was refused. The message lists every problem, as Kafka Connect words it. */
export class InvalidConfigError extends ConfigError {
  readonly errors: SettingErrors

  /** The warnings are told as well: an unknown setting is often a required one, mistyped. */
  constructor(errors: SettingErrors, warnings: readonly string[] = []) {
    const messages = Object.entries(errors).flatMap(([name, texts]) =>
      // What a plugin's own check says is often about the value alone.
      texts.map((text) => (text.includes(name) ? text : `${name}: ${text}`)),
    )
    super(
      `Connector configuration is invalid and contains the following ${messages.length} error(s):\n${[...messages, ...warnings].join('\n')}\n` +
        'You can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`',
      { code: 'INVALID_CONFIG' },
    )
    this.errors = errors
  }
}

/** Kafka Connect's answer to a validation. */
export interface ConfigInfos {
  readonly name: string
  readonly error_count: number
  readonly groups: readonly string[]
  readonly configs: readonly { readonly definition: ConfigKeyInfo | null; readonly value: ConfigValueInfo }[]
}

interface ConfigValueInfo {
  readonly name: string
  readonly value: string | null
  readonly recommended_values: readonly string[]
  readonly errors: readonly string[]
  readonly visible: boolean
}

type Parse = (raw: RawConfig, isHidden: (name: string) => boolean) => ParsedSettings<ConfigOf<Settings>>

export interface ValidatorOptions {
  /** Asks the connector for what is wrong by its own rules; in a host thread, since it is the connector's code. */
  readonly check: (ref: PluginRef, config: Config) => Promise<ConfigProblems>
  /** As {@link ValidatorOptions.check}, of a transform or a predicate. */
  readonly checkPart: CheckPart
  /** Whether the worker's `exactly.once.source.support` is enabled. */
  readonly exactlyOnce: boolean
  readonly providers: ConfigProviders
  /** The worker's `connector.client.config.override.policy`. */
  readonly overridePolicy: OverridePolicy
}

export class ConfigValidator {
  readonly #plugins: PluginRegistry
  readonly #worker: ValidatorOptions
  /** By the manifest of the plugin's present version, then by what the settings are used for. */
  readonly #parsers = new WeakMap<object, Map<string, Parse>>()

  constructor(plugins: PluginRegistry, worker: ValidatorOptions) {
    this.#plugins = plugins
    this.#worker = worker
  }

  /**
   * Finds all that is wrong with a config. The connector's own `check` is asked only when each setting is right by
   * itself.
   * @throws ConfigError when it names no connector, or one that does not exist
   */
  async validate(given: Config): Promise<Validation> {
    const { providers } = this.#worker
    const plugin = await this.#connectorOf(given)
    const { type, settings: own } = plugin.manifest
    const { config, values, errors: unresolved } = await providers.resolve(given)
    const isHidden = (name: string): boolean => Object.hasOwn(given, name) && providers.hasReference(given[name]!)
    const { config: parsed, errors, warnings } = this.#parser(plugin.manifest)(config, isHidden)
    const settings: Record<string, Setting> = { ...frameworkSettings(type), ...own }
    const add = (name: string, ...problems: string[]): void => void (errors[name] ??= []).push(...problems)

    const name = parsed['name']
    const nameProblem = typeof name === 'string' ? connectorNameProblem(name) : undefined
    if (nameProblem !== undefined) add('name', nameProblem)
    if (type === 'sink' && errors['topics'] === undefined) {
      addAll(errors, sinkProblems(parsed as unknown as SinkConnectorConfig))
    }
    if (type === 'source') {
      addAll(errors, this.#exactlyOnceProblems(plugin.manifest, parsed))
      const topics = parseTopicCreation(config)
      addAll(errors, topics.errors)
      Object.assign(settings, topics.settings)
    }
    const overrides = parseOverrides(config, this.#worker.overridePolicy)
    addAll(errors, overrides.errors)
    warnings.push(...overrides.warnings)
    Object.assign(settings, overrides.settings)
    for (const use of converterUses) {
      const converter = await this.#validateConverter(config, use, isHidden, add, warnings)
      if (converter !== undefined) Object.assign(settings, prefixed(use, converter.manifest.settings))
    }
    const chain = await validateChain(this.#plugins, config, isHidden)
    Object.assign(settings, chain.settings)
    addAll(errors, chain.errors)
    warnings.push(...chain.warnings)
    Object.assign(errors, unresolved, referenceProblems(isHidden), encryptionProblems(given))
    for (const [key, value] of Object.entries(given)) {
      if (value !== secretMask || settings[key]?.type !== 'password') continue
      add(
        key,
        `Configuration ${key} holds the mask that stands for a stored value, and there is none stored: give the value itself`,
      )
    }
    if (Object.keys(errors).length === 0 && plugin.manifest.hasCheck) {
      addAll(errors, await this.#ownProblems(plugin, given))
    }
    if (Object.keys(errors).length === 0) addAll(errors, await chain.check(this.#worker.checkPart, given))
    const secrets = new Secrets()
    secrets.add(values.values())
    return { plugin, settings, errors: secrets.scrubAll(errors), warnings: warnings.map(secrets.scrub) }
  }

  /** Whether the value holds no secret, but says where one is. */
  isReference(value: string): boolean {
    return this.#worker.providers.isReference(value)
  }

  #exactlyOnceProblems(manifest: ConnectorManifest, config: ConfigOf<Settings>): ConfigProblems {
    const possible = manifest.exactlyOnce && this.#worker.exactlyOnce
    if (config['exactly.once.support'] === 'required' && !possible) {
      const reason = manifest.exactlyOnce
        ? 'this worker runs with exactly.once.source.support disabled'
        : `connector ${manifest.name} cannot read its records again with the same result`
      return { 'exactly.once.support': `Invalid value required for configuration exactly.once.support: ${reason}` }
    }
    if (possible && config['transaction.boundary'] === 'connector' && !manifest.transactionBoundaries) {
      return {
        'transaction.boundary': `Invalid value connector for configuration transaction.boundary: connector ${manifest.name} does not define transactions; use poll or interval`,
      }
    }
    return {}
  }

  async #connectorOf(config: Config): Promise<ConnectorPlugin> {
    const name = config['connector.class']?.trim() ?? ''
    if (name === '') {
      throw new InvalidConfigError({
        'connector.class': [
          'Missing required configuration "connector.class" which has no default value: the config names no connector',
        ],
      })
    }
    const version = config['connector.plugin.version']
    try {
      return await this.#plugins.connector(name, version)
    } catch (error) {
      if (!isErrorKind(error, 'NotFoundError') && !isErrorKind(error, 'ConfigError')) throw error
      const isVersion = this.#plugins.knownConnector(name) !== undefined
      const [setting, value] = isVersion ? ['connector.plugin.version', version] : ['connector.class', name]
      throw new InvalidConfigError({
        [setting]: [`Invalid value ${value} for configuration ${setting}: ${error.message}`],
      })
    }
  }

  #parser(manifest: ConnectorManifest): Parse {
    return this.#cached(manifest, 'connector', () =>
      compileSettings(
        { ...frameworkSettings(manifest.type), ...manifest.settings },
        {
          unsupported: manifest.unsupported,
          foreign: isCheckedApart(manifest.type),
        },
      ),
    )
  }

  #cached(manifest: object, use: string, compile: () => Parse): Parse {
    const parsers = this.#parsers.get(manifest) ?? new Map<string, Parse>()
    const known = parsers.get(use)
    if (known !== undefined) return known
    const parse = compile()
    this.#parsers.set(manifest, parsers.set(use, parse))
    return parse
  }

  async #validateConverter(
    config: Config,
    use: (typeof converterUses)[number],
    isHidden: (name: string) => boolean,
    add: (name: string, ...problems: string[]) => void,
    warnings: string[],
  ): Promise<ConverterPlugin | undefined> {
    const setting = `${use}.converter`
    const below = Object.entries(config).filter(([name]) => name.startsWith(`${setting}.`) && isConverterSetting(name))
    const name = config[setting]?.trim()
    if (name === undefined) {
      for (const [key] of below) warnings.push(`Configuration ${key} has no effect, since ${setting} is not set`)
      return undefined
    }
    const version = config[`${setting}.plugin.version`]
    try {
      const converter = await this.#plugins.converter(name, version)
      const parse = this.#cached(converter.manifest, use, () =>
        compileSettings(prefixed(use, converter.manifest.settings), {
          unsupported: prefixed(use, converter.manifest.unsupported),
        }),
      )
      const parsed = parse(Object.fromEntries(below), isHidden)
      for (const [key, problems] of Object.entries(parsed.errors)) add(key, ...problems)
      warnings.push(...parsed.warnings)
      return converter
    } catch (error) {
      if (!isErrorKind(error, 'NotFoundError') && !isErrorKind(error, 'ConfigError')) throw error
      if (version === undefined || (await this.#plugins.converter(name).catch(() => undefined)) === undefined) {
        add(setting, `Invalid value ${name} for configuration ${setting}: ${error.message}`)
      } else {
        add(
          `${setting}.plugin.version`,
          `Invalid value ${version} for configuration ${setting}.plugin.version: ${error.message}`,
        )
      }
      return undefined
    }
  }

  async #ownProblems(plugin: ConnectorPlugin, config: Config): Promise<ConfigProblems> {
    try {
      return await this.#worker.check(plugin.ref, config)
    } catch (error) {
      const { setting, message } = error as { setting?: unknown; message?: unknown }
      const name = typeof setting === 'string' ? setting : 'connector.class'
      return {
        [name]: `The connector could not check the config: ${typeof message === 'string' ? message : String(error)}`,
      }
    }
  }
}

/**
 * The answer to `PUT /connector-plugins/{plugin}/config/validate`.
 * @param recommended values by setting, of those that are not one of a few
 */
export function configInfos(
  config: Config,
  { settings, errors }: Pick<Validation, 'settings' | 'errors'>,
  isReference: (value: string) => boolean,
  recommended: Readonly<Record<string, readonly string[]>> = {},
): ConfigInfos {
  const definitions = kafkaDefinition(settings)
  const names = new Set(Object.keys(settings))
  const unknown = [...new Set([...Object.keys(config), ...Object.keys(errors)])].filter((name) => !names.has(name))
  const value = (name: string, text: string | null, setting?: Setting): ConfigValueInfo => ({
    name,
    value: setting?.type === 'password' && text !== null && !isReference(text) ? secretMask : text,
    recommended_values: setting?.enum ?? recommended[name] ?? [],
    errors: errors[name] ?? [],
    visible: true,
  })
  const shown = (name: string, text: string): string =>
    settingOf(settings, name) !== undefined || isReference(text) ? text : secretMask
  return {
    name: config['connector.class'] ?? '',
    error_count: Object.values(errors).flat().length,
    groups: kafkaGroups(definitions),
    configs: [
      // What no declaration knows may be a mistyped secret.
      ...unknown.map((name) => ({
        definition: null,
        value: value(name, name in config ? shown(name, config[name]!) : null, settingOf(settings, name)?.[1]),
      })),
      ...definitions.map((definition) => ({
        definition,
        value: value(definition.name, config[definition.name] ?? definition.default_value, settings[definition.name]),
      })),
    ],
  }
}

/** Read by the worker itself, all the time: what providers say is known only where a task, or a check, has asked them. */
const readByWorker = [
  'connector.class',
  'connector.plugin.version',
  'task.weight',
  'task.isolation',
  'task.stalled.after.ms',
] as const

function referenceProblems(hasReference: (name: string) => boolean): SettingErrors {
  const wrong = readByWorker.filter(hasReference)
  return Object.fromEntries(
    wrong.map((name) => [name, [`Configuration ${name} cannot refer to a config provider: give the value itself`]]),
  )
}

/** Names whose declaration depends on the config itself. */
function isCheckedApart(type: ConnectorManifest['type']): (name: string) => boolean {
  return (name) =>
    isConverterSetting(name) ||
    isOverride(name) ||
    isChainSetting(name) ||
    (type === 'source' && isTopicCreationSetting(name))
}

function prefixed<T>(use: string, named: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(named).map(([name, value]) => [`${use}.converter.${name}`, value]))
}

function addAll(errors: SettingErrors, problems: ConfigProblems): void {
  for (const [name, texts] of Object.entries(problems))
    (errors[name] ??= []).push(...(typeof texts === 'string' ? [texts] : texts))
}
