import type { ConfigOf, Settings } from '@tidewire/sdk'
import { ConfigProviders, isProviderSetting, parseConfigProviders } from '../config/config-providers.ts'
import { nearestName } from '../config/nearest-name.ts'
import { compileSettings } from '../config/settings.ts'
import { UserError } from './fatal.ts'
import { readSettingsFile } from './properties.ts'

/** What a user said, and where: flags win over the environment, that over the file, that over the defaults. */
export interface SettingsSources {
  /** By setting name; from `--set name=value` and from the flags made for single settings. */
  readonly flags: Readonly<Record<string, string | undefined>>
  readonly env: Readonly<Record<string, string | undefined>>
  readonly file?: string | undefined
}

/** The environment variable of a setting: `data.dir` is `TIDEWIRE_DATA_DIR`. */
export function environmentName(setting: string): string {
  return `TIDEWIRE_${setting.replaceAll(/[^A-Za-z0-9]/g, '_').toUpperCase()}`
}

/** The flag of a setting: `data.dir` is `--data-dir`. */
export function flagName(setting: string): string {
  return `--${setting.replaceAll(/[._]/g, '-')}`
}

/**
 * Gathers settings from all sources and checks that each is known to one of the parts they go to.
 * @param known declarations by part; a name in two of them goes to both
 * @param foreign names that a part reads beside its declared ones (`key.converter.schemas.enable`)
 * Where there are config providers, references to them are resolved, as Kafka's workers do.
 * @throws UserError one line: the setting, its value, what was expected
 */
export async function gatherSettings(
  sources: SettingsSources,
  known: Settings,
  foreign: (name: string) => boolean,
): Promise<Record<string, string>> {
  const gathered: Record<string, string> = sources.file === undefined ? {} : await readSettingsFile(sources.file)
  for (const name of Object.keys(known)) {
    const value = sources.env[environmentName(name)]
    if (value !== undefined) gathered[name] = value
  }
  for (const [name, value] of Object.entries(sources.flags)) {
    if (value !== undefined) gathered[name] = value
  }
  for (const name of Object.keys(gathered)) {
    const ofProviders = isProviderSetting(name) && Object.hasOwn(known, 'config.providers')
    if (Object.hasOwn(known, name) || ofProviders || foreign(name)) continue
    const nearest = nearestName(name, Object.keys(known))
    throw new UserError(`unknown setting ${name}${nearest === undefined ? '' : `; did you mean ${nearest}?`}`)
  }
  return resolved(gathered)
}

async function resolved(gathered: Readonly<Record<string, string>>): Promise<Record<string, string>> {
  const { providers, errors } = parseConfigProviders(gathered)
  const { config, errors: unresolved } = await new ConfigProviders(providers).resolve(gathered)
  const faults = Object.values({ ...unresolved, ...errors }).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  return config
}

/**
 * Parses one part's settings out of what was gathered.
 * @throws UserError with every setting at fault
 */
export function parsePart<const S extends Settings>(
  settings: S,
  gathered: Readonly<Record<string, string>>,
): ConfigOf<S> {
  const { config, errors } = compileSettings(settings, { foreign: () => true })(gathered)
  const faults = Object.values(errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  return config
}
