/** What a task's settings are once config providers have said theirs, which is known in the thread of the task alone. */
import type { Settings } from '@tidewire/sdk'
import type { ConfigProviders } from '../config/config-providers.ts'
import { frameworkSettings } from '../config/connector-settings.ts'
import { secretValues, type Secrets } from '../config/secrets.ts'
import { isChainSetting } from '../config/transform-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { loadPredicate, loadTransform } from '../plugin/load.ts'
import { requireValid } from './connector-config.ts'
import type { ChainPartSpec, ConverterSpec, TaskSpec, TransformSpec } from './task-spec.ts'

/**
 * The spec with references resolved; what came of them is noted as secret.
 * @throws ConfigError that names every reference which cannot be resolved
 */
export async function resolveTask(spec: TaskSpec, providers: ConfigProviders, secrets: Secrets): Promise<TaskSpec> {
  const resolved = async (config: ConverterSpec['config'], prefix = '') => {
    const { config: full, values, errors } = await providers.resolve(config)
    secrets.add(values.values())
    requireValid(Object.fromEntries(Object.entries(errors).map(([name, texts]) => [prefix + name, texts])))
    return full
  }
  const converter = async (own: ConverterSpec, use: string): Promise<ConverterSpec> => ({
    ...own,
    config: await resolved(own.config, `${use}.converter.`),
  })
  const predicate = async (own: ChainPartSpec): Promise<ChainPartSpec> => ({
    ...own,
    config: await resolved(own.config, `predicates.${own.alias}.`),
  })
  const transform = async (own: TransformSpec): Promise<TransformSpec> => ({
    ...own,
    config: await resolved(own.config, `transforms.${own.alias}.`),
    predicate: own.predicate && (await predicate(own.predicate)),
  })
  return {
    ...spec,
    config: await resolved(spec.config),
    keyConverter: await converter(spec.keyConverter, 'key'),
    valueConverter: await converter(spec.valueConverter, 'value'),
    headerConverter: await converter(spec.headerConverter, 'header'),
    transforms: await Promise.all(spec.transforms.map(transform)),
  }
}

/**
 * Notes what a connector, its converters and its transforms declare as secret.
 * @throws Error where a plugin cannot be loaded any more
 */
export async function noteSecrets(secrets: Secrets, spec: TaskSpec, declared: Settings): Promise<void> {
  const { type, keyConverter, valueConverter, headerConverter, transforms } = spec
  const config = Object.fromEntries(Object.entries(spec.config).filter(([name]) => !isChainSetting(name)))
  secrets.add(secretValues(config, declared, frameworkSettings(type)))
  for (const { config: own } of [keyConverter, valueConverter, headerConverter]) secrets.add(secretValues(own, {}, {}))
  for (const { ref, config: own, predicate } of transforms) {
    secrets.add(secretValues(own, (await loadTransform(ref)).config, {}))
    if (predicate === undefined) continue
    secrets.add(secretValues(predicate.config, (await loadPredicate(predicate.ref)).config, {}))
  }
}

/** A logger from whose lines secrets are taken out, also those that are noted later. */
export function scrubbedLogger(logger: Logger, secrets: Secrets): Logger {
  const write =
    (level: 'debug' | 'info' | 'warn' | 'error') => (message: string, details?: Readonly<Record<string, unknown>>) =>
      logger[level](secrets.scrub(message), secrets.scrubAll(details))
  return {
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
    child: (bindings) => scrubbedLogger(logger.child(bindings), secrets),
  }
}
