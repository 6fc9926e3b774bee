import { resolve } from 'node:path'
import type { Settings } from '@tidewire/sdk'
import { startBroker } from '../broker/broker.ts'
import { brokerSettings } from '../broker/config.ts'
import { createProcessLogger } from '../logging/logger.ts'
import { gatherSettings, parsePart, type SettingsSources } from './settings-sources.ts'
import { stopOnSignals } from './shutdown.ts'
import { logCommandSettings } from './start-settings.ts'

/** `tidewire log`: the log alone, in this process. */
export async function runLog(sources: SettingsSources): Promise<void> {
  const known: Settings = { ...brokerSettings, ...logCommandSettings }
  const gathered = await gatherSettings(sources, known, () => false)
  const config = parsePart(logCommandSettings, gathered)
  const dataDir = resolve(config['data.dir'], 'log')
  const log = await startBroker({
    host: config['bind.address'],
    port: config['log.port'],
    dataDir,
    config: parsePart(brokerSettings, gathered),
    logger: createProcessLogger(config['log.level']),
  })
  stopOnSignals(async () => log.close(), console.log)
  const further = log.listeners.slice(1).map((listener) => `, ${listener}`)
  console.log(`The log is up on ${log.host}:${log.port}${further.join('')}, data in ${dataDir}. Ctrl-C stops it.`)
}
