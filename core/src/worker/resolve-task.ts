/** What a task's settings are once config providers have said theirs, which is known in the thread of the task alone. */
import type { Settings } from '@tidewire/sdk'
import type { ConfigProviders } from '../config/config-providers.ts'
import { frameworkSettings } from '../config/connector-settings.ts'
import { secretValues, type Secrets } from '../config/secrets.ts'
import type { Logger } from '../logging/logger.ts'
import { requireValid } from './connector-config.ts'
import type { ConverterSpec, TaskSpec } from './task-spec.ts'

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
  return {
    ...spec,
    config: await resolved(spec.config),
    keyConverter: await converter(spec.keyConverter, 'key'),
    valueConverter: await converter(spec.valueConverter, 'value'),
    headerConverter: await converter(spec.headerConverter, 'header'),
  }
}

/** Notes what a connector and its converters declare as secret. */
export function noteSecrets(
  secrets: Secrets,
  { type, config, keyConverter, valueConverter, headerConverter }: TaskSpec,
  declared: Settings,
): void {
  secrets.add(secretValues(config, declared, frameworkSettings(type)))
  for (const { config: own } of [keyConverter, valueConverter, headerConverter]) secrets.add(secretValues(own, {}, {}))
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
