import { isConverterSetting } from '../config/connector-settings.ts'
import { parseWorkerConfig, workerSettings } from '../config/worker-settings.ts'
import { createProcessLogger } from '../logging/logger.ts'
import { UserError } from './fatal.ts'
import { gatherSettings, parsePart, type SettingsSources } from './settings-sources.ts'
import { stopOnSignals } from './shutdown.ts'
import { workerCommandSettings } from './start-settings.ts'
import { startWorker } from './worker.ts'

/** `tidewire worker`: a worker alone, on whatever log its `bootstrap.servers` names. */
export async function runWorker(sources: SettingsSources): Promise<void> {
  const known = { ...workerSettings, ...workerCommandSettings }
  // A settings file made for Kafka Connect may hold names that only Java knows: those get a warning from the worker.
  const gathered = await gatherSettings(
    sources,
    known,
    (name) => sources.file !== undefined || isConverterSetting(name),
  )
  const command = parsePart(workerCommandSettings, gathered)
  const logger = createProcessLogger(command['log.level'])
  const parsed = parseWorkerConfig(
    Object.fromEntries(Object.entries(gathered).filter(([name]) => !Object.hasOwn(workerCommandSettings, name))),
  )
  const faults = Object.values(parsed.errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  for (const warning of parsed.warnings) logger.warn(warning)
  const worker = await startWorker(parsed, logger)
  stopOnSignals(async () => worker.close(), console.log)
  console.log(
    `The worker is up: REST on ${worker.url}, the log on ${parsed.config['bootstrap.servers'].join(',')}. Ctrl-C stops it.`,
  )
}
