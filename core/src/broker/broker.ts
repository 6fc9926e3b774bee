import { createServer, type Server, type Socket } from 'node:net'
import { LogManager } from '../log/log-manager.ts'
import type { Logger } from '../logging/logger.ts'
import { BrokerStartError } from './broker-start-error.ts'
import { systemClock } from './clock.ts'
import { brokerConfig, topicDefaults, type BrokerConfig } from './config.ts'
import { Connection, plainAddress } from './connection.ts'
import { GroupCoordinator } from './group-coordinator.ts'
import { dispatchTo } from './handlers/registry.ts'
import { ProducerIds } from './producer-ids.ts'
import { RequestMemory } from './request-memory.ts'
import type { BrokerServices } from './services.ts'
import { TopicCatalog } from './topic-catalog.ts'
import { TransactionCoordinator } from './transaction-coordinator.ts'

export interface BrokerOptions {
  /** Address to listen on. */
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
  /** Stops listening, ends all connections and closes the log cleanly. What was acknowledged is on disk. */
  close(): Promise<void>
}

/**
 * Starts a broker. It answers as soon as the promise resolves, with all state of groups and transactions loaded.
 * @throws BrokerStartError
 */
export async function startBroker(options: BrokerOptions): Promise<Broker> {
  const { logger } = options
  const config = brokerConfig(options.config)
  // The port first: two brokers of one configuration then fail with what tells the user most.
  const server = createServer({ pauseOnConnect: true })
  server.maxConnections = config['max.connections']
  const early: Socket[] = []
  const keepEarly = (socket: Socket) => early.push(socket)
  server.on('connection', keepEarly)
  const port = await listen(server, options)
  let log: LogManager | undefined
  try {
    log = await openLog(options, config)
    const services = await openServices(options, config, log)
    const connections = acceptOn(server, options, config, port, services)
    server.off('connection', keepEarly)
    for (const socket of early) server.emit('connection', socket)
    return { host: options.host, port, close: () => closeAll(server, connections, services, logger) }
  } catch (error) {
    server.close()
    for (const socket of early) socket.destroy()
    await log?.close().catch(() => undefined)
    throw error
  }
}

async function listen(server: Server, { host, port }: BrokerOptions): Promise<number> {
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
    server.listen(port, host, () => resolve())
  })
  server.removeAllListeners('error')
  const address = server.address()
  return typeof address === 'object' && address !== null ? address.port : port
}

function listenError(error: NodeJS.ErrnoException, host: string, port: number): BrokerStartError {
  const code = error.code ?? 'UNKNOWN'
  const reasons: Record<string, string> = {
    EADDRINUSE: `port ${port} on ${host} is in use by another process`,
    EACCES: `port ${port} on ${host} may not be used by this user`,
    EADDRNOTAVAIL: `${host} is not an address of this machine`,
    ENOTFOUND: `the host name ${host} is not known`,
  }
  return new BrokerStartError(code, reasons[code] ?? `cannot listen on ${host}:${port}: ${error.message}`, {
    cause: error,
  })
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

async function openServices(options: BrokerOptions, config: BrokerConfig, log: LogManager): Promise<BrokerServices> {
  const { dataDir, logger } = options
  const clock = systemClock
  const topics = new TopicCatalog(log, config)
  const producerIds = new ProducerIds(dataDir)
  const groups = new GroupCoordinator({ config, clock, log, logger })
  const transactions = new TransactionCoordinator({ config, clock, log, logger, producerIds, groups })
  topics.onDeleted((name) => groups.onTopicDeleted(name))
  await groups.load()
  await transactions.load()
  return { config, logger, clock, log, topics, groups, transactions, producerIds, dataDir }
}

function acceptOn(
  server: Server,
  options: BrokerOptions,
  config: BrokerConfig,
  port: number,
  services: BrokerServices,
): Set<Connection> {
  const connections = new Set<Connection>()
  const memory = new RequestMemory(config['queued.max.request.bytes'])
  const dispatch = dispatchTo(services)
  const isWildcard = options.host === '0.0.0.0' || options.host === '::' || options.host === ''
  server.on('error', (error) => options.logger.error('The listener failed', { error: error.message }))
  server.on('connection', (socket) => {
    const ownHost = isWildcard ? plainAddress(socket.localAddress) : options.host
    const connection = new Connection(socket, {
      logger: options.logger,
      memory,
      dispatch,
      maxRequestBytes: config['socket.request.max.bytes'],
      maxIdleMs: config['connections.max.idle.ms'],
      advertised: { host: options.advertisedHost ?? ownHost, port: options.advertisedPort ?? port },
    })
    connections.add(connection)
    connection.onClose(() => connections.delete(connection))
    socket.resume()
  })
  return connections
}

async function closeAll(
  server: Server,
  connections: Set<Connection>,
  services: BrokerServices,
  logger: Logger,
): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()))
  for (const connection of connections) connection.close()
  await closed
  services.groups.close()
  await services.transactions.close()
  await services.log.close()
  logger.debug('The broker has stopped')
}
