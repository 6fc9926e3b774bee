import { requireDecrypted } from './config-encryption.ts'
import type { Config } from './config-store.ts'
import { ConfigError } from '@tidewire/sdk'
import type { ConfigProviders } from '../config/config-providers.ts'
import { isConverterSetting } from '../config/connector-settings.ts'
import { chainParts, isChainPlugin } from '../config/transform-settings.ts'
import type { ConnectorManifest } from '../plugin/manifest.ts'
import type { ConnectorPlugin, PluginRegistry } from '../plugin/plugin-registry.ts'
import type { ConverterSpec, TaskSpec, TransformSpec } from '../worker/task-spec.ts'
import type { TaskRunner } from './task-runner.ts'
import { withTimeLimit } from './time-limit.ts'

/** What connectors have of the worker: its converters, where they name none of their own, and its config providers. */
export interface WorkerParts {
  readonly providers: ConfigProviders
  readonly config: {
    readonly 'key.converter': string
    readonly 'value.converter': string
    readonly 'header.converter': string
  }
  /** By full name, prefix included. */
  readonly converterSettings: Config
}

/** The plugins that a task is made of, as they are on disk now. @throws NotFoundError */
export async function taskPlugins(
  plugins: PluginRegistry,
  worker: WorkerParts,
  given: Config,
): Promise<{
  readonly manifest: ConnectorManifest
  readonly spec: Pick<
    TaskSpec,
    'type' | 'plugin' | 'keyConverter' | 'valueConverter' | 'headerConverter' | 'transforms'
  >
}> {
  const config = await workerRead(worker, given)
  const [{ manifest, ref }, keyConverter, valueConverter, headerConverter, transforms] = await Promise.all([
    connectorOf(plugins, config),
    converterSpec(plugins, worker, config, 'key.converter'),
    converterSpec(plugins, worker, config, 'value.converter'),
    converterSpec(plugins, worker, config, 'header.converter'),
    transformSpecs(plugins, config),
  ])
  const { type } = manifest
  return { manifest, spec: { type, plugin: ref, keyConverter, valueConverter, headerConverter, transforms } }
}

/**
 * Asks the connector how its work splits, and gives each task its full config.
 * @throws ConfigError where the config cannot work as it is; NotFoundError where the plugin is gone or broken
 */
export async function planTasks(
  plugins: PluginRegistry,
  runner: TaskRunner,
  worker: WorkerParts,
  config: Config,
  limitMs: number,
): Promise<readonly Config[]> {
  const plugin = await connectorOf(plugins, config)
  const read = await workerRead(worker, config)
  const maxTasks = Number(read['tasks.max'] ?? '1')
  const parts = await withTimeLimit(runner.planTasks(plugin.ref, config, maxTasks), limitMs, 'Planning the tasks')
  const enforced = read['tasks.max.enforce']?.trim().toLowerCase() !== 'false'
  if (enforced && parts.length > maxTasks) {
    throw new ConfigError(`The connector asks for ${parts.length} tasks, and tasks.max allows ${maxTasks}`, {
      setting: 'tasks.max',
    })
  }
  return parts.map((part) => ({ ...config, ...part }))
}

/**
 * The config with references resolved in what the worker itself has to know of it. The rest is the tasks' business.
 * @throws ConfigError that names every reference which cannot be resolved, and every secret that cannot be decrypted
 */
export async function workerRead({ providers }: WorkerParts, config: Config): Promise<Config> {
  requireDecrypted(config)
  const own = Object.entries(config).filter(([name]) => isReadByWorker(name))
  const { config: resolved, errors } = await providers.resolve(Object.fromEntries(own))
  const faults = Object.values(errors).flat()
  if (faults.length > 0) throw new ConfigError(faults.join('; '), { setting: Object.keys(errors)[0]! })
  return { ...config, ...resolved }
}

function isReadByWorker(name: string): boolean {
  return (
    name === 'tasks.max' ||
    name === 'tasks.max.enforce' ||
    name === 'errors.deadletterqueue.topic.name' ||
    /^(key|value|header)\.converter(\.plugin\.version)?$/.test(name) ||
    isChainPlugin(name)
  )
}

async function connectorOf(plugins: PluginRegistry, config: Config): Promise<ConnectorPlugin> {
  return plugins.connector(config['connector.class']?.trim() ?? '', config['connector.plugin.version'])
}

/** The connector's own converter with the connector's settings for it, or the worker's with the worker's: never mixed. */
async function converterSpec(
  plugins: PluginRegistry,
  worker: WorkerParts,
  config: Config,
  setting: 'key.converter' | 'value.converter' | 'header.converter',
): Promise<ConverterSpec> {
  const own = config[setting]?.trim()
  const from = own === undefined ? worker.converterSettings : config
  const { ref } = await (own === undefined
    ? plugins.converter(worker.config[setting])
    : plugins.converter(own, config[`${setting}.plugin.version`]))
  const prefix = `${setting}.`
  const settings = Object.entries(from).flatMap(([name, value]) =>
    name.startsWith(prefix) && isConverterSetting(name) ? [[name.slice(prefix.length), value]] : [],
  )
  return { ref, config: Object.fromEntries(settings) as Config }
}

/** @throws ConfigError for a predicate that there is not; NotFoundError */
async function transformSpecs(plugins: PluginRegistry, config: Config): Promise<TransformSpec[]> {
  const predicates = chainParts(config, 'predicates')
  return Promise.all(
    chainParts(config, 'transforms').map(async (part) => {
      const { alias, prefix, type = '', version, negate, config: own } = part
      const { ref } = await plugins.transform(type, version)
      const spec = { ref, alias, config: own, negate }
      if (part.predicate === undefined) return { ...spec, predicate: undefined }
      const predicate = predicates.find((each) => each.alias === part.predicate)
      if (predicate === undefined) {
        const setting = `${prefix}predicate`
        throw new ConfigError(`${setting}: ${part.predicate} is not in predicates`, { setting })
      }
      const { ref: predicateRef } = await plugins.predicate(predicate.type ?? '', predicate.version)
      return { ...spec, predicate: { ref: predicateRef, alias: predicate.alias, config: predicate.config } }
    }),
  )
}
