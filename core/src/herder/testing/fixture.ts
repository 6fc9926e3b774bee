import { parseWorkerConfig } from '../../config/worker-settings.ts'
import { silentLogger } from '../../logging/logger.ts'
import { PluginRegistry } from '../../plugin/plugin-registry.ts'
import { Herder, type HerderOptions } from '../herder.ts'
import { FakeRunner } from './fake-runner.ts'
import { MemoryLog } from './memory-log.ts'
import { SoleCluster } from './sole-cluster.ts'

/** A herder over a log in memory and task hosts that run nothing. */
export interface Fixture {
  readonly herder: Herder
  readonly runner: FakeRunner
  readonly log: MemoryLog
  readonly cluster: SoleCluster
}

/** The plugins of ./plugin.ts, read once for all tests of a file. */
const testPlugins = new PluginRegistry({
  paths: [],
  builtIns: [new URL('./plugin.ts', import.meta.url).href, new URL('../../convert/plugin.ts', import.meta.url).href],
  logger: silentLogger,
})

export async function startHerder(log = new MemoryLog(), options: Partial<HerderOptions> = {}): Promise<Fixture> {
  let runner: FakeRunner | undefined
  const { config, converterSettings } = parseWorkerConfig({ 'value.converter.schemas.enable': 'false' })
  const cluster = new SoleCluster(log)
  const herder = new Herder({
    cluster,
    client: log.client(),
    config,
    converterSettings,
    plugins: testPlugins,
    startRunner: (onStatus, _mayRun, _onTopic, onProgress) => (runner = new FakeRunner(onStatus, onProgress)),
    workerId: '127.0.0.1:8083',
    logger: silentLogger,
    planTimeoutMs: 1000,
    ...options,
  })
  await herder.start()
  return { herder, runner: runner!, log, cluster }
}

/** Waits until the condition holds, looking again after each turn of the loop. */
export async function until(condition: () => boolean): Promise<void> {
  const limit = Date.now() + 30_000
  while (!condition()) {
    if (Date.now() > limit) throw new Error(`the condition did not come to hold: ${condition.toString()}`)
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
}
