import { createHash, randomUUID, timingSafeEqual } from 'node:crypto'
import { createServer as createTcpServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { setTimeout as sleep } from 'node:timers/promises'
import { ConfigError, type Logger, type SourceTaskContext } from '@tidewire/sdk'
import type { GatewayConfig } from './gateway-config.ts'
import { GatewayConnection } from './gateway-connection.ts'
import type { GatewayHost, GatewayLimits } from './gateway-host.ts'
import { GatewaySession } from './gateway-session.ts'
import { type IngestQueue, noTicket } from './ingest-queue.ts'
import { Mapping, MappingError } from './mapping.ts'
import { type ConnectPacket, reasons, type Will } from './packet.ts'
import { clientHeader, type PayloadFormat, recordOverheadBytes, toRecord } from './record.ts'
import type { TlsMaterial } from './tls-files.ts'
import { isTopicName } from './topic-filter.ts'

const maxClientIdLength = 1024
const maxWarningsPerSecond = 10
/** How long a port may stay taken: the task before this one may still be letting go of it. */
const portRetryMs = 2000

/**
 * An MQTT server for devices that publish: 3.1, 3.1.1 and 5, QoS 0 to 2. It hands what it receives to the queue and
 * acknowledges when the queue says that it is in the log. There are no subscriptions.
 */
export class Gateway implements GatewayHost {
  readonly queue: IngestQueue
  readonly mapping: Mapping
  readonly payloadFormat: PayloadFormat
  readonly deadLetters: boolean
  readonly limits: GatewayLimits
  readonly log: Logger
  tick = 0
  stopping = false

  readonly #config: GatewayConfig
  readonly #server: Server
  readonly #connections = new Set<GatewayConnection>()
  /** Beneath the connections; with TLS also those still shaking hands. */
  readonly #sockets = new Set<Socket>()
  readonly #sessions = new Map<string, GatewaySession>()
  readonly #ticker: NodeJS.Timeout
  #onLastGone: (() => void) | undefined
  #warnings = 0
  #suppressed = 0

  /** @param tls given, the port speaks TLS only */
  constructor(
    { config, log, deadLetters }: Pick<SourceTaskContext<GatewayConfig>, 'config' | 'log' | 'deadLetters'>,
    queue: IngestQueue,
    tls: TlsMaterial | undefined,
  ) {
    this.#config = config
    this.queue = queue
    this.log = log
    this.deadLetters = deadLetters
    this.mapping = Mapping.parse(config['mqtt.mappings'])
    this.payloadFormat = config['mqtt.payload.format']
    this.limits = {
      maxConnections: config['mqtt.max.connections'],
      maxPacketSize: config['mqtt.max.packet.size'],
      receiveMaximum: config['mqtt.receive.maximum'],
      connectTimeoutSeconds: config['mqtt.connect.timeout.seconds'],
      sessionExpirySeconds: config['mqtt.session.expiry.max.seconds'],
    }
    this.#server = this.#createServer(tls)
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    // Sockets that only wait to be refused are few.
    this.#server.maxConnections = this.limits.maxConnections + 100
    this.#ticker = setInterval(() => {
      this.#onTick()
    }, 1000)
  }

  #createServer(tls: TlsMaterial | undefined): Server {
    const accept = (socket: Socket): void => {
      this.#connections.add(new GatewayConnection(socket, this))
    }
    if (tls === undefined) return createTcpServer({ noDelay: true }, accept)
    const handshakeTimeout = this.limits.connectTimeoutSeconds * 1000
    try {
      const mutual = tls.ca !== undefined
      const options = { ...tls, noDelay: true, handshakeTimeout, requestCert: mutual, rejectUnauthorized: mutual }
      return createTlsServer(options, accept).on('tlsClientError', (error) => {
        this.warn('refused a connection: TLS handshake failed', { error: error.message })
      })
    } catch (cause) {
      throw new ConfigError(`the certificate or key of the MQTT gateway is of no use: ${(cause as Error).message}`, {
        setting: 'mqtt.ssl.certificate.path',
        cause,
      })
    }
  }

  /**
   * Listens. A port still taken is tried again for two seconds.
   * @throws ConfigError when the address cannot be had
   */
  async listen(signal: AbortSignal): Promise<void> {
    const host = this.#config['mqtt.host']
    const port = this.#config['mqtt.port']
    const deadline = performance.now() + portRetryMs
    for (;;) {
      const error = await this.#tryListen(host, port)
      if (error === undefined) break
      if (error.code === 'EADDRINUSE' && performance.now() < deadline && !signal.aborted) {
        await sleep(100, undefined, { signal }).catch(() => undefined)
        continue
      }
      throw new ConfigError(`the MQTT gateway cannot listen on ${host}:${port}: ${listenProblem(error)}`, {
        setting: error.code === 'EADDRINUSE' || error.code === 'EACCES' ? 'mqtt.port' : 'mqtt.host',
        code: 'MQTT_CANNOT_LISTEN',
        cause: error,
      })
    }
    this.#server.on('error', (error) => {
      this.queue.fail(error)
    })
    this.log.info('MQTT gateway listens', { host, port })
  }

  #tryListen(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
    return new Promise((resolve) => {
      const listening = (): void => {
        this.#server.off('error', failed)
        resolve(undefined)
      }
      const failed = (error: Error): void => {
        this.#server.off('listening', listening)
        resolve(error)
      }
      this.#server.once('error', failed)
      this.#server.once('listening', listening)
      this.#server.listen({ host, port, backlog: 1024 })
    })
  }

  refusal(packet: ConnectPacket): { code: number; text: string } | undefined {
    const { protocolLevel, clientId, cleanStart, will } = packet
    if (protocolLevel < 3 || protocolLevel > 5) {
      return { code: reasons.unsupportedProtocolVersion, text: `protocol level ${protocolLevel}` }
    }
    if (packet.properties?.authenticationMethod !== undefined) {
      return { code: reasons.badAuthenticationMethod, text: 'extended authentication is not supported' }
    }
    if (!this.#authenticated(packet)) {
      const code = packet.username === undefined ? reasons.notAuthorized : reasons.badUserNameOrPassword
      return { code, text: packet.username === undefined ? 'no user name given' : 'wrong user name or password' }
    }
    if (clientId.length > maxClientIdLength || (clientId === '' && protocolLevel < 5 && !cleanStart)) {
      return { code: reasons.clientIdNotValid, text: 'client identifier missing or too long' }
    }
    if (will !== undefined) {
      const problem = this.#willProblem(will, clientId)
      if (problem !== undefined) return { code: reasons.topicNameInvalid, text: `will: ${problem}` }
    }
    // A device that comes back replaces itself.
    if (this.#connected() >= this.limits.maxConnections && this.#sessions.get(clientId)?.connection === undefined) {
      return { code: reasons.serverBusy, text: `all ${this.limits.maxConnections} connections are in use` }
    }
    return undefined
  }

  #connected(): number {
    // Every connection counts, also those that have yet to introduce themselves, save the one that asks.
    return this.#connections.size - 1
  }

  #authenticated(packet: ConnectPacket): boolean {
    const username = this.#config['mqtt.username']
    if (username === undefined) return true
    const sameName = sameText(packet.username ?? '', username)
    const samePassword = sameText(packet.password ?? '', this.#config['mqtt.password'] ?? '')
    return sameName && samePassword
  }

  #willProblem(will: Will, clientId: string): string | undefined {
    if (!isTopicName(will.topic) || will.topic.startsWith('$')) return `'${will.topic}' cannot be published to`
    try {
      if (this.mapping.target(will.topic, clientId) === undefined) return 'no rule of mqtt.mappings covers its topic'
    } catch (error) {
      if (error instanceof MappingError) return error.message
      throw error
    }
    return undefined
  }

  sessionExpiry(wantedSeconds: number): number {
    return Math.min(wantedSeconds, this.limits.sessionExpirySeconds)
  }

  attach(connection: GatewayConnection, packet: ConnectPacket): { session: GatewaySession; present: boolean } {
    const clientId = packet.clientId === '' ? `auto-${randomUUID()}` : packet.clientId
    let session = this.#sessions.get(clientId)
    if (session?.connection !== undefined) {
      const older = session.connection
      session.connection = undefined
      older.end(reasons.sessionTakenOver, 'the device connected again')
    }
    if (session?.delayedWill !== undefined) {
      // MQTT 5, 3.1.3.2.2: a device that is back in time needs no will, unless it gave its session up.
      if (packet.cleanStart) this.#publishWill(session.delayedWill.will, clientId)
      session.delayedWill = undefined
    }
    const present = session !== undefined && !packet.cleanStart
    if (session === undefined || packet.cleanStart) session = new GatewaySession(clientId)
    // Put anew, so that the map keeps the order of last use.
    this.#sessions.delete(clientId)
    this.#sessions.set(clientId, session)
    session.connection = connection
    session.expirySeconds = this.sessionExpiry(
      packet.protocolLevel === 5 ? (packet.properties?.sessionExpiry ?? 0) : packet.cleanStart ? 0 : Infinity,
    )
    return { session, present }
  }

  detach(connection: GatewayConnection, session: GatewaySession | undefined, will: Will | undefined): void {
    this.#connections.delete(connection)
    if (this.#connections.size === 0) this.#onLastGone?.()
    this.queue.forget(connection)
    if (session === undefined || this.stopping) return
    const current = session.connection === connection
    if (current) {
      session.connection = undefined
      session.expiresAt = this.tick + session.expirySeconds
      if (session.expirySeconds === 0) this.#sessions.delete(session.clientId)
      else this.#dropSurplusSessions()
    }
    if (will === undefined) return
    const delay = Math.min(will.properties?.willDelay ?? 0, session.expirySeconds)
    if (delay === 0) this.#publishWill(will, session.clientId)
    else if (current) session.delayedWill = { will, dueAt: this.tick + delay }
  }

  /** Sessions without a connection take memory for whatever names devices choose, so they are bounded: oldest first. */
  #dropSurplusSessions(): void {
    let surplus = this.#sessions.size - 2 * this.limits.maxConnections
    for (const [clientId, session] of this.#sessions) {
      if (surplus <= 0) return
      if (session.connection !== undefined) continue
      this.#endSession(clientId, session)
      surplus--
    }
  }

  #endSession(clientId: string, session: GatewaySession): void {
    if (session.delayedWill !== undefined) this.#publishWill(session.delayedWill.will, clientId)
    this.#sessions.delete(clientId)
  }

  #publishWill(will: Will, clientId: string): void {
    const target = this.mapping.target(will.topic, clientId)
    if (target === undefined) return
    const packet = { ...will, type: 'publish', dup: false, packetId: 0 } as const
    const client = clientHeader(clientId)
    const record = toRecord(packet, target, this.payloadFormat, Date.now(), client, this.deadLetters)
    this.queue.add(willOrigin(), record, will.payload.length + recordOverheadBytes, noTicket)
  }

  #onTick(): void {
    this.tick++
    this.#warnings = 0
    if (this.#suppressed > 0) {
      this.log.warn('more of the same were not logged', { count: this.#suppressed })
      this.#suppressed = 0
    }
    for (const connection of this.#connections) {
      const limit = connection.silenceLimitSeconds
      if (limit === 0 || connection.isPaused || this.tick - connection.lastHeard <= limit) continue
      const what = connection.isConnected ? 'nothing heard for longer than its keep-alive' : 'no CONNECT in time'
      connection.end(reasons.keepAliveTimeout, what)
    }
    for (const [clientId, session] of this.#sessions) {
      const { delayedWill } = session
      if (delayedWill !== undefined && delayedWill.dueAt <= this.tick) {
        session.delayedWill = undefined
        this.#publishWill(delayedWill.will, clientId)
      }
      if (session.connection === undefined && session.expiresAt <= this.tick) this.#endSession(clientId, session)
    }
  }

  warn(message: string, details: Readonly<Record<string, unknown>>): void {
    if (this.#warnings >= maxWarningsPerSecond) {
      this.#suppressed++
      return
    }
    this.#warnings++
    this.log.warn(message, details)
  }

  /** No new devices, and nothing more from those that are there. What was taken can still be acknowledged. */
  stopReading(): void {
    if (this.stopping) return
    this.stopping = true
    clearInterval(this.#ticker)
    this.#server.close()
    for (const connection of this.#connections) connection.stopReading()
  }

  /** Ends all connections and gives the port back. */
  async close(): Promise<void> {
    this.stopReading()
    const closed = new Promise<void>((resolve) => {
      this.#onLastGone = resolve
      if (this.#connections.size === 0) resolve()
    })
    for (const connection of this.#connections) connection.end(reasons.serverShuttingDown, 'the gateway stops')
    await closed
    for (const socket of this.#sockets) socket.destroy()
  }
}

function willOrigin(): Parameters<IngestQueue['add']>[0] {
  const nothing = (): void => undefined
  return { heldBytes: 0, flushDue: false, acknowledge: nothing, flush: nothing, resume: nothing }
}

/** Takes as long wherever the difference is. */
function sameText(given: string | Buffer, wanted: string): boolean {
  const digest = (text: string | Buffer): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(given), digest(wanted))
}

function listenProblem(error: NodeJS.ErrnoException): string {
  switch (error.code) {
    case 'EADDRINUSE':
      return 'the port is taken by another program (or another gateway); choose another mqtt.port'
    case 'EACCES':
      return 'not allowed for this user; choose a port above 1023'
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return 'this machine has no such address; check mqtt.host'
    default:
      return error.message
  }
}
