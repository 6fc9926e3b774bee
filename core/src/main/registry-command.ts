import { parseRegistryConfig, registrySettings } from '../config/registry-settings.ts'
import { createProcessLogger, levelsFrom } from '../logging/logger.ts'
import { exitWith, UserError } from './fatal.ts'
import { startRegistry } from './registry.ts'
import { gatherSettings, parsePart, type SettingsSources } from './settings-sources.ts'
import { stopOnSignals } from './shutdown.ts'
import { workerCommandSettings } from './start-settings.ts'

/** `tidewire registry`: a schema registry alone, on whatever log its `kafkastore.bootstrap.servers` names. */
export async function runRegistry(sources: SettingsSources): Promise<void> {
  const known = { ...registrySettings, ...workerCommandSettings }
  // A settings file made for Confluent's registry may hold names that only Java knows: those get a warning.
  const gathered = await gatherSettings(sources, known, () => sources.file !== undefined)
  const command = parsePart(workerCommandSettings, gathered)
  const logger = createProcessLogger(levelsFrom(command['log.level']))
  const own = Object.entries(gathered).filter(([name]) => !Object.hasOwn(workerCommandSettings, name))
  const { config, errors, warnings } = parseRegistryConfig(Object.fromEntries(own))
  const faults = Object.values(errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  for (const warning of warnings) logger.warn(warning)
  const registry = await startRegistry(config, logger)
  stopOnSignals(async () => registry.close(), console.log)
  registry.ready.then(
    () =>
      console.log(
        `The schema registry is up on ${registry.url}, the log on ${config['kafkastore.bootstrap.servers'].join(',')}. Ctrl-C stops it.`,
      ),
    // Without its topic it is none.
    exitWith,
  )
}
