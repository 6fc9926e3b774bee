import { hostname } from 'node:os'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { LogError, type LogClient } from '../client/client.ts'
import { createClient } from '../client/log-client.ts'
import { loadLogSecurity, type LogSecurity } from '../config/log-security.ts'
import { storeSecurityOf, type RegistryConfig } from '../config/registry-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { Registry } from '../registry/registry.ts'
import type { RegistryServer } from '../registry/registry-server.ts'
import { Listeners, type Listener } from '../rest/listeners.ts'
import { TrustedProxies } from '../rest/trusted-proxies.ts'
import { ensureInternalTopics, InternalTopicError } from '../worker/internal-topics.ts'
import { UserError } from './fatal.ts'
import { restSecurity, type RestSecurity } from './rest-security.ts'
import { renewTls } from './tls-renewal.ts'
import { commitId, version } from './version.ts'

/** A registry that listens. */
export interface RunningRegistry {
  readonly url: string
  /** Resolves when all that the topic holds has been read. */
  readonly ready: Promise<void>
  /** Answers what is under way, and hands the lead over. */
  close(): Promise<void>
}

export interface RegistryStart {
  /** Nothing is loaded, and nothing asked of the log, before somebody asks the registry. */
  readonly whenAsked?: boolean
}

interface Loaded {
  readonly server: RegistryServer
  readonly registry: Registry
  readonly client: LogClient
  readonly renewTls: (tls: NonNullable<RestSecurity['tls']>['worker']) => void
}

/** How long writes that are under way may take when it stops; then they are answered that nobody knows. */
const GRACE_MS = 5000
/** How soon a log that does not answer is asked again. */
const RETRY_MS = 1000

/**
 * Starts a registry. It listens from the first moment, and answers 503 until all has been read from the log; a log that
 * does not answer yet is waited for.
 * @throws UserError that names the setting at fault
 * @throws Error when the listener's address is taken
 */
export async function startRegistry(
  config: RegistryConfig,
  logger: Logger,
  { whenAsked = false }: RegistryStart = {},
): Promise<RunningRegistry> {
  const [security, access] = await Promise.all([readSecurity(config), restSecurity(config, logger)])
  const proxies = new TrustedProxies(config['rest.trusted.proxies'])
  const listeners = new Listeners({
    proxies,
    listeners: access.listeners,
    tls: access.tls?.server,
    logger,
    connections: {
      maxConnections: config['rest.max.connections'],
      maxConnectionsPerIp: config['rest.max.connections.per.ip'],
      headerTimeoutMs: config['rest.header.timeout.ms'],
      requestTimeoutMs: config['rest.request.timeout.ms'],
      idleTimeoutMs: config['rest.idle.timeout.ms'],
    },
  })
  const closing = new AbortController()
  let opened: readonly Listener[] = []
  let loading: Promise<Loaded> | undefined
  let reading: Promise<void> | undefined
  const load = (): Promise<Loaded> =>
    (loading ??= loadRegistry({ config, logger, security, access, listeners, proxies, opened }))
  const read = (): Promise<void> => {
    reading ??= load().then(async (loaded) => serve(loaded, config, closing.signal, logger))
    // What is wrong with the topic may be mended: who asks next finds out.
    reading.catch(() => (reading = undefined))
    return reading
  }
  opened = await listeners.open((request, response) => {
    const start = whenAsked ? read() : Promise.resolve()
    start.then(load).then(
      ({ server }) => server.handle(request, response),
      (error: unknown) => unavailable(request, response, error, logger),
    )
  })
  const ready = whenAsked ? Promise.resolve() : read()
  const renewing =
    access.tls &&
    renewTls(access.tls, access.reloadTls, logger, ({ server, worker }) => {
      listeners.renewTls(server)
      void loading?.then((loaded) => loaded.renewTls(worker))
    })
  return {
    url: opened[0]!.url,
    ready,
    close: async () => {
      closing.abort()
      renewing?.stop()
      const loaded = await loading?.catch(() => undefined)
      loaded?.registry.stopWaiting()
      const answered = Promise.all([listeners.close(), loaded?.server.close()])
      await Promise.race([answered, sleep(GRACE_MS, undefined, { ref: false })])
      await loaded?.registry.close()
      await answered
      await Promise.race([loaded?.client.close(), sleep(GRACE_MS, undefined, { ref: false })])
    },
  }
}

interface RegistryParts {
  readonly config: RegistryConfig
  readonly logger: Logger
  readonly security: LogSecurity
  readonly access: RestSecurity
  readonly listeners: Listeners
  readonly proxies: TrustedProxies
  readonly opened: readonly Listener[]
}

async function loadRegistry(parts: RegistryParts): Promise<Loaded> {
  const { config, logger, security, access, listeners, proxies, opened } = parts
  const [{ Registry: Store }, { createRegistryServer }, { LeaderRequests }, { loadFormat }, commit] = await Promise.all(
    [
      import('../registry/registry.ts'),
      import('../registry/registry-server.ts'),
      import('../registry/leader-requests.ts'),
      import('../schemas/load-format.ts'),
      commitId(),
    ],
  )
  const client = createClient({
    bootstrapServers: config['kafkastore.bootstrap.servers'],
    clientId: `sr-${config['schema.registry.group.id']}`,
    requestTimeoutMs: config['request.timeout.ms'],
    logger,
    ...security,
  })
  const requests = new LeaderRequests({
    connectTimeoutMs: config['leader.connect.timeout.ms'],
    readTimeoutMs: config['leader.read.timeout.ms'],
    tls: access.tls?.worker,
  })
  const registry = new Store({ client, config, identity: identityOf(config, opened), requests, loadFormat, logger })
  const server = await createRegistryServer({
    config,
    access: access.access,
    headers: access.headers,
    proxies,
    listenerOf: (request) => listeners.of(request),
    advertisedHost: config['host.name'],
    about: { version, commit: commit ?? 'unknown', clusterId: () => client.admin.clusterId() },
    logger,
  })
  return { server, registry, client, renewTls: (tls) => requests.renewTls(tls) }
}

/** @throws InternalTopicError where the topic would lose what is kept in it */
async function serve(loaded: Loaded, config: RegistryConfig, signal: AbortSignal, logger: Logger): Promise<void> {
  const { registry, server, client } = loaded
  const topic = {
    topic: config['kafkastore.topic'],
    partitions: 1,
    replicationFactor: config['kafkastore.topic.replication.factor'],
    setting: 'kafkastore.topic',
  }
  for (let failures = 0; ; failures++) {
    try {
      await ensureInternalTopics(client.admin, [topic], signal)
      await registry.start()
      server.serve(registry)
      return
    } catch (error) {
      if (error instanceof InternalTopicError) throw new UserError(error.message, { cause: error })
      if (signal.aborted || !(error instanceof LogError && error.retriable)) throw error
      if (failures === 0) logger.warn('the log does not answer; trying again', { error: error.message })
      await sleep(RETRY_MS, undefined, { signal })
    }
  }
}

function identityOf(config: RegistryConfig, opened: readonly Listener[]) {
  const wanted = config['inter.instance.protocol']
  const listener = opened.find(({ protocol }) => protocol === wanted) ?? opened[0]!
  return {
    scheme: listener.protocol,
    host: config['host.name'] ?? reachableName(listener.host),
    port: config['host.port'] ?? listener.port,
    eligible: config['leader.eligibility'],
  }
}

/** What others call this machine by, where the listener is bound to no address in particular. */
function reachableName(host: string): string {
  return ['', '0.0.0.0', '::'].includes(host) ? hostname() : host
}

async function readSecurity(config: RegistryConfig): Promise<LogSecurity> {
  try {
    return await loadLogSecurity(storeSecurityOf(config))
  } catch (error) {
    throw new UserError(`kafkastore.${messageOf(error)}`, { cause: error })
  }
}

/** It could not be started; what is wrong is in the log, and may be mended. */
function unavailable(request: IncomingMessage, response: ServerResponse, error: unknown, logger: Logger): void {
  logger.error('the schema registry could not be started', { error: messageOf(error) })
  request.resume()
  const body = JSON.stringify({ error_code: 50300, message: 'The schema registry could not be started' })
  response.writeHead(503, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }).end(body)
}
