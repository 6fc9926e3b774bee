import { hostname } from 'node:os'
import { createClient } from '../client/log-client.ts'
import { LogCluster } from '../cluster/log-cluster.ts'
import { MembershipError } from '../cluster/membership-error.ts'
import { loadLogSecurity, type LogSecurity } from '../config/log-security.ts'
import type { ParsedWorkerConfig, WorkerConfig } from '../config/worker-settings.ts'
import { ConfigEncryption, readEncryptionKeys } from '../herder/config-encryption.ts'
import { Herder } from '../herder/herder.ts'
import type { LogLevels } from '../logging/log-levels.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { PluginRegistry } from '../plugin/plugin-registry.ts'
import { isElsewhere } from '../rest/rest-error.ts'
import type { Listener } from '../rest/listeners.ts'
import { startRest, type RestServer } from '../rest/server.ts'
import { InternalTopicError } from '../worker/internal-topics.ts'
import { TaskHosts } from '../worker/task-hosts.ts'
import { exitWith, UserError } from './fatal.ts'
import { restSecurity } from './rest-security.ts'
import { renewTls } from './tls-renewal.ts'
import { commitId, version } from './version.ts'

/** A worker that is ready: its connectors are on their way up, and REST answers. */
export interface RunningWorker {
  /** Of REST. */
  readonly url: string
  readonly herder: Herder
  /** Creates or changes a connector, as `PUT /connectors/{name}/config` does: whichever worker leads. */
  putConfig(name: string, config: Readonly<Record<string, string>>): Promise<void>
  /**
   * Answers what is under way, stops all tasks within the graceful timeout, says so in the status topic, and hands its
   * work over to the rest of the cluster.
   */
  close(): Promise<void>
}

/**
 * Starts a worker. REST listens from the first moment and answers 503 until all is read from the log; a log that does
 * not answer yet is waited for.
 * @param filesOnly REST refuses what would change connectors
 * @param onFatal the worker cannot be part of its cluster any more, and writes nothing from now on
 * @throws UserError when another worker of the cluster has its name, the group belongs to something else, or an internal
 *   topic has settings that would lose state
 * @throws Error when the listener's address is taken
 */
export async function startWorker(
  { config, converterSettings, clientSettings, configProviders }: ParsedWorkerConfig,
  logger: Logger,
  onFatal: (error: Error) => void = exitWith,
  { filesOnly = false, levels }: { readonly filesOnly?: boolean; readonly levels?: LogLevels } = {},
): Promise<RunningWorker> {
  const [security, { tls, reloadTls, ...secured }, commit, encryption] = await Promise.all([
    readSecurity(config),
    restSecurity(config, logger),
    commitId(),
    configEncryption(config),
  ])
  const plugins = new PluginRegistry({ paths: config['plugin.path'], logger })
  // Takes a while, in a thread of its own: begun before it is needed.
  void plugins.list().catch(() => undefined)
  const advertisedHost = config['rest.advertised.host.name']
  const writeHoldMs = config['rest.write.hold.ms']
  const rest = await startRest({
    ...secured,
    tls: tls?.server,
    config,
    logger,
    version,
    commit,
    advertisedHost,
    writeHoldMs,
    filesOnly,
  })
  const listener = advertised(rest.listeners, config['rest.advertised.listener'])
  const client = createClient({
    bootstrapServers: config['bootstrap.servers'],
    clientId: `connect-${config['group.id']}`,
    requestTimeoutMs: config['request.timeout.ms'],
    logger,
    ...security,
  })
  const workerId = `${advertisedHost ?? reachableName(listener.host)}:${config['rest.advertised.port'] ?? listener.port}`
  const cluster = new LogCluster({
    client,
    config,
    workerId,
    url: `${listener.protocol}://${workerId}`,
    logger,
    onFatal: (error) => onFatal(userError(error)),
  })
  const herder = new Herder({
    client,
    cluster,
    config,
    converterSettings,
    configProviders,
    encryption,
    clientSettings,
    plugins,
    startRunner: (onStatus, mayRun, onTopic, onProgress) => {
      const { lease } = cluster
      const hosts = new TaskHosts({
        onTopic,
        onProgress,
        config,
        clientSettings,
        configProviders,
        security,
        workerId,
        logger,
        onStatus,
        mayRun,
        lease,
      })
      hosts.warmUp()
      return hosts
    },
    workerId,
    workerTls: tls?.worker,
    levels,
    logger,
  })
  const renewing =
    tls &&
    renewTls(tls, reloadTls, logger, ({ server, worker }) => {
      rest.renewTls(server)
      herder.requests.renewTls(worker)
    })
  const close = async (): Promise<void> => {
    renewing?.stop()
    await rest.close()
    await herder.close()
    await client.close()
  }
  try {
    await herder.start()
  } catch (error) {
    await close().catch(() => undefined)
    throw userError(error)
  }
  rest.serve(herder)
  return { url: rest.url, herder, close, putConfig: (name, given) => putConfig(herder, rest, name, given) }
}

async function putConfig(herder: Herder, rest: RestServer, name: string, config: Readonly<Record<string, string>>) {
  try {
    await herder.writes.putConfig(name, config)
  } catch (error) {
    if (!isElsewhere(error)) throw error
    const { status, body } = await rest.askItself('PUT', `/connectors/${encodeURIComponent(name)}/config`, config)
    if (status >= 300) throw new UserError(`connector ${name}: ${body}`)
  }
}

function userError(error: unknown): Error {
  if (error instanceof MembershipError || error instanceof InternalTopicError)
    return new UserError(error.message, { cause: error })
  return error instanceof Error ? error : new Error(String(error))
}

async function configEncryption(config: WorkerConfig): Promise<ConfigEncryption> {
  const { 'config.storage.encryption.key': keys, 'config.storage.encryption.key.file': file } = config
  try {
    return new ConfigEncryption(await readEncryptionKeys(keys, file))
  } catch (error) {
    throw new UserError(messageOf(error), { cause: error })
  }
}

async function readSecurity(config: WorkerConfig): Promise<LogSecurity> {
  try {
    return await loadLogSecurity(config)
  } catch (error) {
    throw new UserError(error instanceof Error ? error.message : String(error), { cause: error })
  }
}

/** The listener that others are told to ask: as in Kafka Connect one with http, unless another is asked for. */
function advertised(listeners: readonly Listener[], protocol: 'http' | 'https' = 'http'): Listener {
  return listeners.find((listener) => listener.protocol === protocol && listener.isAdmin !== true) ?? listeners[0]!
}

/** What others call this machine by, where the listener is bound to no address in particular. */
function reachableName(host: string): string {
  if (['', '0.0.0.0', '::'].includes(host)) return hostname()
  return host.includes(':') ? `[${host}]` : host
}
