import { ConfigError, NotFoundError } from '@tidewire/sdk'
import { frameworkSettings } from '../config/connector-settings.ts'
import { kafkaDefinition, type ConfigKeyInfo } from '../config/kafka-definition.ts'
import { unmaskSecrets } from '../config/secrets.ts'
import type { SettingErrors } from '../config/settings.ts'
import { chainParts, type ChainKind } from '../config/transform-settings.ts'
import type { PluginRegistry } from '../plugin/plugin-registry.ts'
import type { TryEnd } from '../worker/errand-messages.ts'
import type { Config } from './config-store.ts'
import { validateDeeply, type DeepResult } from './deep-validation.ts'
import { configInfos, type ConfigInfos, type ConfigValidator } from './validation.ts'

/** An entry of `GET /connector-plugins`. */
export interface PluginInfo {
  /** The well-known class that it stands in for, or its short name where there is none. */
  readonly class: string
  readonly type: 'source' | 'sink' | 'converter' | 'header_converter' | 'transformation' | 'predicate' | 'unknown'
  readonly version?: string
  /** The short name; `connector.class` takes either. */
  readonly name: string
  /** Set where a connector takes signals. */
  readonly signals?: true
  /** Why the plugin cannot be used. Its type is then unknown. */
  readonly error?: string
  /** Where the plugin that cannot be used is. */
  readonly location?: string
}

/** The plugins of this worker, and what they say about configs. */
export class PluginViews {
  readonly #plugins: PluginRegistry
  readonly #validator: ConfigValidator
  readonly #storedConfig: (connector: string) => Config | undefined
  readonly #tryOut: (config: Config, signal: AbortSignal) => Promise<TryEnd>

  constructor(
    plugins: PluginRegistry,
    validator: ConfigValidator,
    storedConfig: (connector: string) => Config | undefined,
    tryOut: (config: Config, signal: AbortSignal) => Promise<TryEnd>,
  ) {
    this.#plugins = plugins
    this.#validator = validator
    this.#storedConfig = storedConfig
    this.#tryOut = tryOut
  }

  /** Broken plugins included, with the reason. */
  async list(connectorsOnly: boolean): Promise<PluginInfo[]> {
    const { connectors, converters, transforms, predicates, broken } = await this.#plugins.list()
    const entry = (
      plugin: { className: string; manifest: { name: string; version: string } },
      type: PluginInfo['type'],
    ) => ({
      class: plugin.className,
      type,
      version: plugin.manifest.version,
      name: plugin.manifest.name,
    })
    return [
      ...connectors.map((plugin) => ({
        ...entry(plugin, plugin.manifest.type),
        ...(plugin.manifest.hasSignals ? { signals: true as const } : {}),
      })),
      ...(connectorsOnly
        ? []
        : [
            ...converters.flatMap((plugin) => [entry(plugin, 'converter'), entry(plugin, 'header_converter')]),
            ...transforms.map((plugin) => entry(plugin, 'transformation')),
            ...predicates.map((plugin) => entry(plugin, 'predicate')),
          ]),
      ...broken.map(({ name, path, reason }) => ({
        class: name,
        type: 'unknown' as const,
        name,
        error: reason,
        location: path,
      })),
    ]
  }

  /**
   * The settings of a connector, with the framework's, or of a converter, a transform or a predicate.
   * @throws NotFoundError; ConfigError where it is there, but not in that version
   */
  async settings(name: string, version?: string): Promise<ConfigKeyInfo[]> {
    try {
      return await this.#settingsOf(name, version)
    } catch (error) {
      const isThere = version !== undefined && (await this.#settingsOf(name).catch(() => undefined)) !== undefined
      throw isThere && error instanceof NotFoundError ? new ConfigError(error.message, { cause: error }) : error
    }
  }

  async #settingsOf(name: string, version?: string): Promise<ConfigKeyInfo[]> {
    try {
      const { manifest } = await this.#plugins.connector(name, version)
      return kafkaDefinition({ ...frameworkSettings(manifest.type), ...manifest.settings })
    } catch (error) {
      if (!(error instanceof NotFoundError)) throw error
      const part =
        (await this.#plugins.converter(name, version).catch(() => undefined)) ??
        (await this.#plugins.transform(name, version).catch(() => undefined)) ??
        (await this.#plugins.predicate(name, version).catch(() => undefined))
      if (part === undefined) throw error
      return kafkaDefinition(part.manifest.settings)
    }
  }

  /**
   * Validates without storing anything. A mask stands for the value stored for the connector of that name.
   * @param deep the connector is to try it too, until this is aborted
   * @throws NotFoundError, ConfigError; ErrandsBusyError
   */
  async validate(
    pluginName: string,
    config: Config,
    deep?: AbortSignal,
  ): Promise<{ infos: ConfigInfos & { readonly deep?: DeepResult }; warnings: readonly string[] }> {
    const { manifest } = await this.#plugins.connector(pluginName)
    const given = config['connector.class']
    const meant = given === undefined ? manifest : this.#plugins.knownConnector(given)?.manifest
    if (meant?.name !== manifest.name) {
      throw new ConfigError(`Included connector type ${given} does not match request type ${pluginName}`)
    }
    const stored = this.#storedConfig(config['name']?.trim() ?? '')
    const full = { 'connector.class': pluginName, ...unmaskSecrets(config, stored) }
    const validation = await this.#validator.validate(full)
    const { warnings } = validation
    const isReference = (value: string): boolean => this.#validator.isReference(value)
    const recommended = await this.#recommended(manifest.name, full)
    const infosWith = (errors: SettingErrors): ConfigInfos =>
      configInfos(full, { ...validation, errors }, isReference, recommended)
    if (deep === undefined) return { infos: infosWith(validation.errors), warnings }
    const tried = await validateDeeply(validation, full, (whole) => this.#tryOut(whole, deep))
    return { infos: { ...infosWith(tried.errors), deep: tried.deep }, warnings }
  }

  /** What Kafka Connect recommends: the converters, transforms and predicates that there are, and the versions of the connector. */
  async #recommended(connector: string, config: Config): Promise<Readonly<Record<string, readonly string[]>>> {
    const { connectors, converters, transforms, predicates } = await this.#plugins.list()
    const classesOf = (parts: readonly { readonly className: string }[]): string[] =>
      [...new Set(parts.map(({ className }) => className))].sort()
    const classes = classesOf(converters)
    const types = (kind: ChainKind, known: readonly string[]) =>
      chainParts(config, kind).map(({ prefix }) => [`${prefix}type`, known] as const)
    const versions = connectors.filter(({ manifest }) => manifest.name === connector)
    return {
      'key.converter': classes,
      'value.converter': classes,
      'header.converter': classes,
      'connector.plugin.version': versions.map(({ manifest }) => manifest.version),
      ...Object.fromEntries(types('transforms', classesOf(transforms))),
      ...Object.fromEntries(types('predicates', classesOf(predicates))),
    }
  }
}
