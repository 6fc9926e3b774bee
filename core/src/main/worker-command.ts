import { isConverterSetting } from '../config/connector-settings.ts'
import { parseWorkerConfig, workerSettings, type ParsedWorkerConfig } from '../config/worker-settings.ts'
import type { LogLevels } from '../logging/log-levels.ts'
import { createProcessLogger, levelsFrom, type Logger } from '../logging/logger.ts'
import { UserError } from './fatal.ts'
import { gatherSettings, parsePart, type SettingsSources } from './settings-sources.ts'
import { stopOnSignals } from './shutdown.ts'
import { workerCommandSettings } from './start-settings.ts'
import { startWorker } from './worker.ts'

/** `tidewire worker`: a worker alone, on whatever log its `bootstrap.servers` names. */
export async function runWorker(sources: SettingsSources): Promise<void> {
  const { parsed, logger, levels } = await readWorkerSettings(sources)
  const worker = await startWorker(parsed, logger, undefined, { levels })
  stopOnSignals(async () => worker.close(), console.log)
  console.log(
    `The worker is up: REST on ${worker.url}, the log on ${parsed.config['bootstrap.servers'].join(',')}. Ctrl-C stops it.`,
  )
}

/** What a worker starts with. */
export interface WorkerStart {
  readonly parsed: ParsedWorkerConfig
  readonly gathered: Readonly<Record<string, string>>
  readonly logger: Logger
  /** The logger's, to be changed while it runs. */
  readonly levels: LogLevels
}

/**
 * The settings of a worker that runs by itself, and its log, which has been told what is odd about them.
 * @param defaults in place of the worker's own
 * @param others names that the caller reads from what was gathered
 * @throws UserError with every setting at fault
 */
export async function readWorkerSettings(
  sources: SettingsSources,
  defaults: Readonly<Record<string, string>> = {},
  others: readonly string[] = [],
): Promise<WorkerStart> {
  const known = { ...workerSettings, ...workerCommandSettings }
  // A settings file made for Kafka Connect may hold names that only Java knows: those get a warning from the worker.
  const gathered = await gatherSettings(
    sources,
    known,
    (name) => sources.file !== undefined || isConverterSetting(name),
  )
  const command = parsePart(workerCommandSettings, gathered)
  const levels = levelsFrom(command['log.level'])
  const logger = createProcessLogger(levels)
  const isForWorker = (name: string): boolean => !Object.hasOwn(workerCommandSettings, name) && !others.includes(name)
  const own = Object.entries(gathered).filter(([name]) => isForWorker(name))
  const parsed = parseWorkerConfig({ ...defaults, ...Object.fromEntries(own) })
  const faults = Object.values(parsed.errors).flat()
  if (faults.length > 0) throw new UserError(faults.join('; '))
  for (const warning of parsed.warnings) logger.warn(warning)
  return { parsed, gathered, logger, levels }
}
