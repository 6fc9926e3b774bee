import { hostname } from 'node:os'
import { createClient } from '../client/log-client.ts'
import { loadLogSecurity, type LogSecurity } from '../config/log-security.ts'
import type { ParsedWorkerConfig, WorkerConfig } from '../config/worker-settings.ts'
import { Herder } from '../herder/herder.ts'
import type { Logger } from '../logging/logger.ts'
import { PluginRegistry } from '../plugin/plugin-registry.ts'
import { startRest } from '../rest/server.ts'
import { TaskHosts } from '../worker/task-hosts.ts'
import { UserError } from './fatal.ts'
import { version } from './version.ts'

/** A worker that is ready: its connectors are on their way up, and REST answers. */
export interface RunningWorker {
  /** Of REST. */
  readonly url: string
  readonly herder: Herder
  /** Answers what is under way, stops all tasks within the graceful timeout, and says so in the status topic. */
  close(): Promise<void>
}

/**
 * Starts a worker. REST listens from the first moment and answers 503 until all is read from the log; a log that does
 * not answer yet is waited for.
 * @throws Error when the listener's address is taken, or an internal topic has settings that would lose state
 */
export async function startWorker(
  { config, converterSettings }: ParsedWorkerConfig,
  logger: Logger,
): Promise<RunningWorker> {
  const security = await readSecurity(config)
  const plugins = new PluginRegistry({ paths: config['plugin.path'], logger })
  // Takes a while, in a thread of its own: begun before it is needed.
  void plugins.list().catch(() => undefined)
  const listener = listenerOf(config.listeners)
  const advertisedHost = config['rest.advertised.host.name']
  const rest = await startRest({ ...listener, logger, version, advertisedHost })
  const client = createClient({
    bootstrapServers: config['bootstrap.servers'],
    clientId: `connect-${config['group.id']}`,
    requestTimeoutMs: config['request.timeout.ms'],
    logger,
    ...security,
  })
  const workerId = `${advertisedHost ?? reachableName(listener.host)}:${config['rest.advertised.port'] ?? rest.port}`
  const herder = new Herder({
    client,
    config,
    converterSettings,
    plugins,
    startRunner: (onStatus) => {
      const hosts = new TaskHosts({ config, security, workerId, logger, onStatus })
      hosts.warmUp()
      return hosts
    },
    workerId,
    logger,
  })
  const close = async (): Promise<void> => {
    await rest.close()
    await herder.close()
    await client.close()
  }
  try {
    await herder.start()
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
  rest.serve(herder)
  return { url: rest.url, herder, close }
}

async function readSecurity(config: WorkerConfig): Promise<LogSecurity> {
  try {
    return await loadLogSecurity(config)
  } catch (error) {
    throw new UserError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** Host and port of the one listener. */
function listenerOf(listeners: readonly string[]): { host: string; port: number } {
  const [listener] = listeners
  const match = /^http:\/\/(?:\[([^\]]*)\]|([^:/]*)):(\d+)$/.exec(listener ?? '')
  const port = Number(match?.[3])
  if (match === null || listeners.length !== 1 || port > 65_535) {
    throw new Error(`listeners: expected one http://host:port, not ${listeners.join(',') || 'none'}`)
  }
  return { host: match[1] ?? match[2]!, port }
}

/** What others call this machine by, where the listener is bound to no address in particular. */
function reachableName(host: string): string {
  if (['', '0.0.0.0', '::'].includes(host)) return hostname()
  return host.includes(':') ? `[${host}]` : host
}
