import type { Sink, Source } from '@tidewire/sdk'
import { loadConnector } from '../plugin/load.ts'
import { parseConnectorConfig, problemLists, requireValid } from './connector-config.ts'
import type { TryEnd, TryErrand } from './errand-messages.ts'
import type { ErrandSurroundings } from './errand-task.ts'
import { unlessAborted } from './time-limit.ts'

/** Has the connector try its config on the external system. @throws ConfigError where it is wrong by itself */
export async function tryOut({ spec }: TryErrand, { logger: log, signal }: ErrandSurroundings): Promise<TryEnd> {
  const connector: Source | Sink = await loadConnector(spec.plugin)
  const { config, problems } = parseConnectorConfig(connector, spec.config)
  requireValid(problems)
  const trying = Promise.resolve(connector.tryOut?.(config, { signal, log }) ?? {})
  const found = await unlessAborted(trying, signal)
  return found === undefined ? { ended: 'timeout', problems: {} } : { ended: 'tried', problems: problemLists(found) }
}
