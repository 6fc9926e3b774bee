/** The sockets that REST listens on: http and https, with limits for connections and for clients that dawdle. */
import { lookup } from 'node:dns/promises'
import {
  createServer as createHttpServer,
  type IncomingMessage,
  type Server,
  type ServerOptions,
  type ServerResponse,
} from 'node:http'
import { createServer as createHttpsServer, Server as HttpsServer } from 'node:https'
import { isIP, type AddressInfo, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import type { Duplex } from 'node:stream'
import { createSecureContext, type SecureContextOptions, type TLSSocket } from 'node:tls'
import type { SslMaterial } from '../config/ssl-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { clientOf, isLoopback } from './client-address.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import type { ErrorBody } from './rest-error.ts'
import type { TrustedProxies } from './trusted-proxies.ts'

/** Where REST is to listen. */
export interface ListenerOptions {
  readonly protocol: 'http' | 'https'
  /** Empty: all addresses. */
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Of `admin.listeners`. */
  readonly isAdmin?: boolean
}

/** A listener that listens. */
export interface Listener extends ListenerOptions {
  readonly url: string
}

/** What the server shows with https, and whether clients must show something too. */
export interface ServerTls extends SslMaterial {
  readonly clientAuth: 'none' | 'requested' | 'required'
}

export interface ConnectionSettings {
  /** At a time, over all listeners. */
  readonly maxConnections: number
  /** Of one address that is not loopback; 0: no limit. */
  readonly maxConnectionsPerIp: number
  readonly headerTimeoutMs: number
  readonly requestTimeoutMs: number
  readonly idleTimeoutMs: number
}

type Handler = (request: IncomingMessage, response: ServerResponse) => void

export interface ListenersOptions {
  readonly listeners: readonly ListenerOptions[]
  /** Needed for https. */
  readonly tls?: ServerTls | undefined
  readonly connections: ConnectionSettings
  /** Each brings many clients, and has no limit of its own. Default: none. */
  readonly proxies?: TrustedProxies
  readonly logger: Logger
}

/** Every request of these listeners goes to one handler; by {@link Listeners.of} it can be told which one it came by. */
export class Listeners {
  readonly #options: ListenersOptions
  readonly #warning: RareWarning
  readonly #servers: Server[] = []
  readonly #cameBy = new WeakMap<IncomingMessage, Listener>()
  readonly #byClient = new Map<string, number>()
  /** Whose request is in work, or its answer on its way. */
  readonly #busy = new WeakSet<Duplex>()
  #connections = 0
  #underWay = 0
  #closing = false

  constructor(options: ListenersOptions) {
    this.#options = options
    this.#warning = new RareWarning(options.logger)
  }

  /** Undefined: it did not come through a socket. */
  of(request: IncomingMessage): Listener | undefined {
    return this.#cameBy.get(request)
  }

  /** @throws Error when an address is taken or cannot be had; then nothing listens */
  async open(handler: Handler): Promise<Listener[]> {
    const opened: Listener[] = []
    try {
      for (const listener of this.#options.listeners) opened.push(await this.#open(listener, handler))
    } catch (error) {
      await this.close()
      throw error
    }
    return opened
  }

  /** For connections from now on. @throws Error where the key does not fit the certificate */
  renewTls(tls: SslMaterial): void {
    // Tried out first, so that all listeners have it, or none.
    createSecureContext(contextOf(tls))
    for (const server of this.#servers) if (server instanceof HttpsServer) server.setSecureContext(contextOf(tls))
  }

  /** No more connections are taken; resolves when what is under way has been answered. */
  async close(): Promise<void> {
    this.#closing = true
    const closed = this.#servers.map((server) => new Promise<void>((done) => server.close(() => done())))
    this.#endOthers()
    await Promise.all(closed)
  }

  /** Connections with no request, or with half of one, would be waited for without end. */
  #endOthers(): void {
    if (!this.#closing || this.#underWay > 0) return
    for (const server of this.#servers) server.closeAllConnections()
  }

  async #open(options: ListenerOptions, handler: Handler): Promise<Listener> {
    const { protocol, host } = options
    const [address, ...others] = await addressesOf(host)
    const listener = { ...options, url: '' }
    const handle: Handler = (request, response) => {
      this.#cameBy.set(request, listener)
      this.#underWay++
      this.#busy.add(request.socket)
      response.once('close', () => {
        this.#underWay--
        this.#busy.delete(request.socket)
        this.#endOthers()
      })
      handler(request, response)
    }
    const first = await this.#listen(protocol, address!, options.port, handle)
    listener.port = (first.address() as AddressInfo).port
    // localhost: of both families, as far as the machine has both.
    for (const other of others) await this.#listen(protocol, other, listener.port, handle).catch(() => undefined)
    const name = host === '' ? 'localhost' : host
    listener.url = `${protocol}://${isIP(name) === 6 ? `[${name}]` : name}:${listener.port}`
    return listener
  }

  async #listen(protocol: 'http' | 'https', host: string, port: number, handler: Handler): Promise<Server> {
    const server = protocol === 'https' ? this.#secureServer(handler) : createHttpServer(this.#settings(), handler)
    server.on('connection', (socket) => this.#admit(socket))
    server.on('clientError', answerClientError)
    server.timeout = this.#options.connections.idleTimeoutMs
    server.on('timeout', (socket: Socket) => this.#silent(socket))
    await new Promise<void>((listening, failed) => {
      server.once('error', failed)
      server.listen(port, host, () => {
        server.off('error', failed)
        // Too many open files, for one: that passes, and the process is to live through it.
        server.on('error', (error) => this.#warning.tell('A connection to REST could not be taken', { error }))
        listening()
      })
    })
    this.#servers.push(server)
    return server
  }

  #settings(): ServerOptions {
    const { headerTimeoutMs, requestTimeoutMs, idleTimeoutMs } = this.#options.connections
    return {
      headersTimeout: Math.min(headerTimeoutMs, requestTimeoutMs),
      requestTimeout: requestTimeoutMs,
      keepAliveTimeout: idleTimeoutMs,
      // Node looks every 30 s, which would make long limits of short ones.
      connectionsCheckingInterval: Math.min(Math.max(Math.floor(headerTimeoutMs / 5), 10), 5000),
    }
  }

  #secureServer(handler: Handler): HttpsServer {
    const { tls } = this.#options
    if (tls === undefined) throw new Error('https needs a key and a certificate')
    const server = createHttpsServer(
      {
        ...this.#settings(),
        handshakeTimeout: this.#options.connections.headerTimeoutMs,
        ...contextOf(tls),
        requestCert: tls.clientAuth !== 'none',
        rejectUnauthorized: tls.clientAuth === 'required',
      },
      handler,
    )
    server.on('secureConnection', (socket: TLSSocket) => {
      // As in Kafka: none need be shown, but one that nobody vouches for is no better than with required.
      if (tls.clientAuth !== 'requested' || socket.authorized || socket.getPeerX509Certificate() === undefined) return
      this.#warning.tell('A client of REST was turned away', {
        reason: `its certificate: ${String(socket.authorizationError)}`,
        client: socket.remoteAddress,
      })
      socket.destroy()
    })
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket: TLSSocket) => {
      this.#warning.tell('A TLS handshake of a client of REST failed', {
        reason: error.code ?? error.message,
        client: socket.remoteAddress,
      })
    })
    return server
  }

  /** An answer may take its time; a client that does not read it may not. */
  #silent(socket: Socket): void {
    if (this.#busy.has(socket) && socket.writableLength === 0)
      socket.setTimeout(this.#options.connections.idleTimeoutMs)
    else socket.destroy()
  }

  #admit(socket: Socket): void {
    const address = socket.remoteAddress ?? ''
    const client = clientOf(address)
    const fromThere = this.#byClient.get(client) ?? 0
    const { maxConnections, maxConnectionsPerIp } = this.#options.connections
    const isLimited = maxConnectionsPerIp > 0 && !isLoopback(address) && this.#options.proxies?.has(address) !== true
    const tooManyFromThere = isLimited && fromThere >= maxConnectionsPerIp
    if (this.#connections >= maxConnections || tooManyFromThere) {
      const reason = tooManyFromThere
        ? `rest.max.connections.per.ip is ${maxConnectionsPerIp}`
        : `rest.max.connections is ${maxConnections}`
      this.#warning.tell('A connection to REST was turned away', { reason, client: address })
      socket.destroy()
      return
    }
    this.#connections++
    this.#byClient.set(client, fromThere + 1)
    socket.once('close', () => {
      this.#connections--
      const left = this.#byClient.get(client)! - 1
      if (left === 0) this.#byClient.delete(client)
      else this.#byClient.set(client, left)
    })
  }
}

function contextOf({ key, certificate, passphrase, ca, minVersion, maxVersion }: SslMaterial): SecureContextOptions {
  return { key, cert: certificate, passphrase, ca, minVersion, maxVersion }
}

/** What is no HTTP, or does not come in time: answered as far as there is someone to answer, in the shape of all errors. */
function answerClientError(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  const [status, text] =
    error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
      ? [408, 'Request Timeout']
      : error.code === 'HPE_HEADER_OVERFLOW'
        ? [431, 'Request Header Fields Too Large']
        : [400, 'Bad Request']
  const body = JSON.stringify({ error_code: status, message: `HTTP ${status} ${text}` } satisfies ErrorBody)
  if (socket.writable) {
    socket.write(
      `HTTP/1.1 ${status} ${text}\r\ncontent-type: application/json; charset=utf-8\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
    )
  }
  socket.destroy(error)
}

/** @throws Error where the host has no address */
async function addressesOf(host: string): Promise<string[]> {
  if (host === '') return [anyAddress()]
  if (host !== 'localhost') return [host]
  const found = await lookup(host, { all: true })
  return [...new Set(found.map(({ address }) => address))]
}

/** All addresses: of both families, where the machine has both. */
function anyAddress(): string {
  const addresses = Object.values(networkInterfaces()).flat()
  return addresses.some((address) => address?.family === 'IPv6') ? '::' : '0.0.0.0'
}
