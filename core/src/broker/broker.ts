import type { Socket } from 'node:net'
import { join } from 'node:path'
import { loadSsl } from '../config/ssl-settings.ts'
import { LogManager } from '../log/log-manager.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { AnswerMemory } from './answer-memory.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { systemClock } from './clock.ts'
import { brokerConfig, topicDefaults, type BrokerConfig } from './config.ts'
import { ConnectionLimits } from './connection-limits.ts'
import { Connection, plainAddress } from './connection.ts'
import { DynamicSettings } from './dynamic-settings.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { GroupSettings } from './group-settings.ts'
import { dispatchTo } from './handlers/registry.ts'
import { Listener, parseEndpoint, protocolsOf, usesSasl, usesTls, type ListenerTls } from './listeners.ts'
import { ProducerIds } from './producer-ids.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { RequestMemory } from './request-memory.ts'
import { Credentials } from './sasl/credentials.ts'
import { SaslSession } from './sasl/session.ts'
import type { BrokerServices } from './services.ts'
import { TopicCatalog } from './topic-catalog.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

export interface BrokerOptions {
  /** Address to listen on; `log.listeners` of the settings names more. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly dataDir: string
  readonly logger: Logger
  /** What clients are told to connect to. Default: `host`, or on a wildcard the address at which the client came in. */
  readonly advertisedHost?: string
  /** Default: the port listened on. */
  readonly advertisedPort?: number
  /** Over the defaults of {@link brokerConfig}. */
  readonly config?: Partial<BrokerConfig>
}

export interface Broker {
  readonly host: string
  readonly port: number
  /** All that is listened on, the one above first; `NAME://host:port`, with the ports in use. */
  readonly listeners: readonly string[]
  /** Stops listening, ends all connections and closes the log cleanly. What was acknowledged is on disk. */
  close(): Promise<void>
}

/**
 * Starts a broker. It answers as soon as the promise resolves, with all state of groups and transactions loaded.
 * @throws BrokerStartError
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { logger } = options
  const settings = new DynamicSettings(brokerConfig(options.config), options.dataDir, logger)
  const { config } = settings
  // The ports first: two brokers of one configuration then fail with what tells the user most.
  const listeners = await openListeners(options, config)
  let log: LogManager | undefined
  try {
    const credentials = await openCredentials(options, config, listeners)
    log = await openLog(options, config)
    const services = await openServices(options, settings, credentials, log)
    acceptOn(listeners, options, services)
    const { port } = listeners[0]!
    return {
      host: options.host,
      port,
      listeners: listeners.map(String),
      close: () => closeAll(listeners, services),
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()))
    await log?.close().catch(() => undefined)
    throw error
  }
}

/** The one of the options, then those of `log.listeners`. */
async function openListeners(options: BrokerOptions, config: BrokerConfig): Promise<Listener[]> {
  const { host, port, logger } = options
  const protocols = protocolsOf(config['listener.security.protocol.map'])
  const endpoints = [
    { name: config['log.security.protocol'], protocol: config['log.security.protocol'], host, port },
    ...config['log.listeners'].map((text) => parseEndpoint('log.listeners', text, protocols)),
  ]
  const tls = endpoints.some(({ protocol }) => usesTls(protocol)) ? await loadTls(config) : undefined
  const listeners: Listener[] = []
  const limits = new ConnectionLimits(config, logger)
  try {
    for (const endpoint of endpoints) {
      listeners.push(await Listener.open(endpoint, { tls, limits, logger }))
    }
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.close()))
    throw error
  }
  return listeners
}

async function loadTls(config: BrokerConfig): Promise<ListenerTls> {
  const clientAuth = config['ssl.client.auth']
  try {
    const material = await loadSsl(config)
    if (clientAuth !== 'none' && material.ca === undefined) {
      throw new Error(`ssl.client.auth=${clientAuth} needs the authorities of ssl.truststore.location`)
    }
    return { ...material, clientAuth }
  } catch (error) {
    throw new BrokerStartError('TLS', messageOf(error), { cause: error })
  }
}

/** Checked at once where a listener asks who the client is. */
async function openCredentials(
  { dataDir }: BrokerOptions,
  config: BrokerConfig,
  listeners: readonly Listener[],
): Promise<Credentials> {
  const path = config['sasl.users.file']
  const credentials = new Credentials(path ?? join(dataDir, 'users'), path === undefined)
  if (!listeners.some(({ protocol }) => usesSasl(protocol))) return credentials
  try {
    const users = await credentials.users()
    // With any other listener users can still be made through the protocol.
    if (path === undefined && users.size === 0 && listeners.every(({ protocol }) => usesSasl(protocol))) {
      throw new Error('nobody could log in: make a user with tidewire user, and set sasl.users.file')
    }
  } catch (error) {
    throw new BrokerStartError('SASL', messageOf(error), { cause: error })
  }
  return credentials
}

async function openLog(options: BrokerOptions, config: BrokerConfig): Promise<LogManager> {
  const { dataDir, logger } = options
  try {
    const flush = config['log.flush.policy']
    return await LogManager.open({ dir: dataDir, logger, flush, defaults: topicDefaults(config) })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const text = message.includes(dataDir) ? message : `data directory ${dataDir}: ${message}`
    throw new BrokerStartError(code ?? 'DATA_DIRECTORY', text.replaceAll('\n', ' '), { cause: error })
  }
}

async function openServices(
  options: BrokerOptions,
  settings: DynamicSettings,
  credentials: Credentials,
  log: LogManager,
): Promise<BrokerServices> {
  const { dataDir, logger } = options
  const { config } = settings
  const clock = systemClock
  const topics = new TopicCatalog(log, config)
  const producerIds = new ProducerIds(dataDir)
  const groupSettings = new GroupSettings(config, dataDir)
  const groups = new GroupCoordinator({ config, clock, log, logger, topics, groupSettings })
  const transactions = new TransactionCoordinator({ config, clock, log, logger, producerIds, groups })
  topics.onDeleted((name) => groups.onTopicDeleted(name))
  settings.onChange(() => log.setDefaults(topicDefaults(config)))
  await groups.load()
  await transactions.load()
  const answers = new AnswerMemory(config['queued.max.response.bytes'])
  const coordinators = { groups, groupSettings, transactions, producerIds }
  return { config, settings, logger, clock, log, topics, ...coordinators, answers, credentials, dataDir }
}

function acceptOn(listeners: readonly Listener[], options: BrokerOptions, services: BrokerServices): void {
  const { config, logger, answers } = services
  const requestBytes = config['queued.max.request.bytes']
  const memories = { known: new RequestMemory(requestBytes), strangers: new RequestMemory(requestBytes / 4) }
  const dispatch = dispatchTo(services)
  const warning = new RareWarning(logger)
  const saslWarning = new RareWarning(logger)
  const protocols = protocolsOf(config['listener.security.protocol.map'])
  const advertised = config['log.advertised.listeners'].map((text) =>
    parseEndpoint('log.advertised.listeners', text, protocols),
  )
  for (const [index, listener] of listeners.entries()) {
    const { name, protocol, host, port, isWildcard } = listener
    const told = advertised.find((endpoint) => endpoint.name === name)
    const toldHost = told?.host ?? (index === 0 ? options.advertisedHost : undefined)
    const toldPort = told?.port ?? (index === 0 ? options.advertisedPort : undefined) ?? port
    const asksWho = usesSasl(protocol)
    listener.onSocket((socket) => {
      // It lasts as long as its socket.
      new Connection(socket, {
        logger,
        warning,
        memories,
        answers,
        dispatch,
        maxRequestBytes: config['socket.request.max.bytes'],
        maxIdleMs: config['connections.max.idle.ms'],
        advertised: { host: toldHost ?? (isWildcard ? plainAddress(socket.localAddress) : host), port: toldPort },
        sasl: asksWho ? newSession(socket, services, saslWarning) : null,
      })
      socket.resume()
    })
  }
}

function newSession(socket: Socket, services: BrokerServices, warning: RareWarning): SaslSession {
  const { config, credentials, logger } = services
  return new SaslSession({
    mechanisms: config['sasl.enabled.mechanisms'],
    credentials,
    maxSessionMs: config['connections.max.reauth.ms'],
    failureDelayMs: config['connection.failed.authentication.delay.ms'],
    logger,
    warning,
    client: `${plainAddress(socket.remoteAddress)}:${socket.remotePort}`,
  })
}

async function closeAll(
  listeners: readonly Listener[],
  { groups, transactions, log, logger }: BrokerServices,
): Promise<void> {
  await Promise.all(listeners.map((listener) => listener.close()))
  groups.close()
  await transactions.close()
  await log.close()
  logger.debug('The broker has stopped')
}
