import { createServer, type Server, type Socket } from 'node:net'
import type { createServer as CreateTlsServer, TLSSocket } from 'node:tls'
import type { SslMaterial } from '../config/ssl-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { BrokerStartError } from './broker-start-error.ts'
import type { ConnectionLimits } from './connection-limits.ts'
import { securityProtocols, type SecurityProtocol } from './security-settings.ts'

interface Endpoint {
  readonly protocol: SecurityProtocol
  readonly host: string
  readonly port: number
}

export const usesTls = (protocol: SecurityProtocol): boolean => protocol === 'SSL' || protocol === 'SASL_SSL'
export const usesSasl = (protocol: SecurityProtocol): boolean => protocol.startsWith('SASL_')

/**
 * `SASL_SSL://host:port`; an empty host stands for all addresses.
 * @throws BrokerStartError
 */
export function parseEndpoint(setting: string, text: string): Endpoint {
  const match = /^(\w+):\/\/(?:\[([^\]]*)\]|([^:/[\]]*)):(\d{1,5})$/.exec(text)
  const protocol = securityProtocols.find((each) => each === match?.[1])
  const port = Number(match?.[4])
  if (match === null || protocol === undefined || port > 65_535) {
    const message = `${setting}: ${text} is not PROTOCOL://host:port with one of ${securityProtocols.join(', ')}`
    throw new BrokerStartError('LISTENER', message)
  }
  return { protocol, host: match[2] ?? match[3] ?? '', port }
}

/** TLS as the broker has it; `ssl.client.auth`. */
export interface ListenerTls extends SslMaterial {
  readonly clientAuth: 'none' | 'requested' | 'required'
}

export interface ListenerOptions {
  /** Undefined where no listener uses it. */
  readonly tls: ListenerTls | undefined
  readonly limits: ConnectionLimits
  readonly logger: Logger
}

/** How long a client may take for the TLS handshake. */
const handshakeTimeoutMs = 10_000

/** One address that is listened on. Sockets come to the one listener of {@link onSocket}, those from before too. */
export class Listener {
  readonly protocol: SecurityProtocol
  readonly host: string
  /** The one listened on, where any was asked for. */
  readonly port: number
  readonly #server: Server
  readonly #logger: Logger
  #early: Socket[] | undefined = []
  #accept: ((socket: Socket) => void) | undefined

  /** @throws BrokerStartError */
  static async open({ protocol, host, port }: Endpoint, options: ListenerOptions): Promise<Listener> {
    const server = await newServer(protocol, options)
    // Before the handshake of TLS, which is what costs most.
    server.prependListener('connection', (socket: Socket) => options.limits.admit(socket))
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
      server.listen(port, host === '' ? undefined : host, () => resolve())
    })
    server.removeAllListeners('error')
    return new Listener(protocol, host, server, options.logger)
  }

  private constructor(protocol: SecurityProtocol, host: string, server: Server, logger: Logger) {
    const address = server.address()
    this.protocol = protocol
    this.host = host
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    this.#server = server
    this.#logger = logger
    server.on('error', (error) => logger.error('A listener failed', { error: error.message, port: this.port }))
    server.on(usesTls(protocol) ? 'secureConnection' : 'connection', (socket: Socket) => this.#onSocket(socket))
  }

  /** Whether it is bound to all addresses, so that only a client knows at which of them it came in. */
  get isWildcard(): boolean {
    return this.host === '' || this.host === '0.0.0.0' || this.host === '::'
  }

  toString(): string {
    return `${this.protocol}://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`
  }

  /** Sockets are paused until then. */
  onSocket(accept: (socket: Socket) => void): void {
    this.#accept = accept
    const early = this.#early ?? []
    this.#early = undefined
    for (const socket of early) accept(socket)
  }

  /** Resolves when all its connections are gone: end them. */
  close(): Promise<void> {
    for (const socket of this.#early ?? []) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #onSocket(socket: Socket): void {
    if (isTls(socket) && presentsBadCertificate(socket)) {
      this.#logger.warn(`Refused the certificate of ${socket.remoteAddress}`, {
        reason: String(socket.authorizationError),
      })
      socket.destroy()
      return
    }
    if (this.#accept !== undefined) this.#accept(socket)
    else this.#early?.push(socket)
  }
}

async function newServer(protocol: SecurityProtocol, { tls, logger }: ListenerOptions): Promise<Server> {
  if (!usesTls(protocol)) return createServer({ pauseOnConnect: true })
  if (tls?.key === undefined || tls.certificate === undefined) {
    const message = `a listener with ${protocol} needs a key and a certificate: ssl.keystore.location`
    throw new BrokerStartError('TLS', message)
  }
  // Loaded where it is used: it costs 6 MiB and a tenth of the start.
  const { createServer: createTlsServer } = await import('node:tls')
  const server = tlsServer(createTlsServer, tls)
  server.on('tlsClientError', (error, socket) => {
    logger.debug('A TLS handshake failed', { client: socket.remoteAddress, error: error.message })
    socket.destroy()
  })
  return server
}

function tlsServer(createTlsServer: typeof CreateTlsServer, tls: ListenerTls): ReturnType<typeof CreateTlsServer> {
  const { key, certificate, passphrase, ca, minVersion, maxVersion, clientAuth } = tls
  try {
    return createTlsServer({
      key,
      cert: certificate,
      passphrase,
      ca,
      minVersion,
      maxVersion,
      handshakeTimeout: handshakeTimeoutMs,
      requestCert: clientAuth !== 'none',
      rejectUnauthorized: clientAuth === 'required',
    })
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    throw new BrokerStartError('TLS', `ssl.*: key and certificate cannot be used: ${reason}`, { cause: error })
  }
}

function isTls(socket: Socket): socket is TLSSocket {
  return 'encrypted' in socket
}

/** With `ssl.client.auth=requested` a client may come without a certificate, but not with one that is not trusted. */
function presentsBadCertificate(socket: TLSSocket): boolean {
  return !socket.authorized && Object.keys(socket.getPeerCertificate()).length > 0
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
