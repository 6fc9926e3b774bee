/** A connector's own part of its config, parsed and checked in the thread that runs the connector. */
import { ConfigError, type ConfigOf, type ConfigProblems, type Settings, type Sink, type Source } from '@tidewire/sdk'
import { frameworkSettings, isConverterSetting } from '../config/connector-settings.ts'
import { compileSettings } from '../config/settings.ts'
import { isChainSetting } from '../config/transform-settings.ts'

type Config = Readonly<Record<string, string>>
type Problems = Record<string, string[]>

/** The parsed settings and all that is wrong with them, the connector's own `check` included. */
export function parseConnectorConfig(
  connector: Source | Sink,
  raw: Config,
): { config: ConfigOf<Settings>; problems: Problems } {
  const framework = frameworkSettings(connector.type)
  const parse = compileSettings(connector.config, {
    ...(connector.unsupported === undefined ? {} : { unsupported: connector.unsupported }),
    foreign: (name) => Object.hasOwn(framework, name) || isConverterSetting(name) || isChainSetting(name),
  })
  const { config, errors } = parse(raw)
  // Rules across settings presuppose that each is in order by itself.
  const problems = Object.keys(errors).length > 0 ? errors : problemLists(connector.check?.(config) ?? {})
  return { config, problems }
}

/** @throws ConfigError that names every setting at fault */
export function requireValid(problems: Problems): void {
  const faults = Object.entries(problems)
  if (faults.length === 0) return
  const [[setting]] = faults as [[string, string[]]]
  throw new ConfigError(faults.map(([name, texts]) => `${name}: ${texts.join('; ')}`).join('\n'), { setting })
}

/** Each as a list. */
export function problemLists(problems: ConfigProblems): Problems {
  return Object.fromEntries(
    Object.entries(problems).map(([name, texts]) => [name, typeof texts === 'string' ? [texts] : [...texts]]),
  )
}
