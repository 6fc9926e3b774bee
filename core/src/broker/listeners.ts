import { createServer, type Server, type Socket } from 'node:net'
import type { createServer as CreateTlsServer, TLSSocket } from 'node:tls'
import type { SslMaterial } from '../config/ssl-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { BrokerStartError } from './broker-start-error.ts'
import type { ConnectionLimits } from './connection-limits.ts'
import { RareWarning } from '../logging/rare-warning.ts'
import { securityProtocols, type SecurityProtocol } from './security-settings.ts'

interface Endpoint {
  /** What the settings call it; clients never see it. */
  readonly name: string
  readonly protocol: SecurityProtocol
  readonly host: string
  readonly port: number
}

export const usesTls = (protocol: SecurityProtocol): boolean => protocol === 'SSL' || protocol === 'SASL_SSL'
export const usesSasl = (protocol: SecurityProtocol): boolean => protocol.startsWith('SASL_')

/**
 * The protocols of the names in `listener.security.protocol.map`; each protocol is also the name of itself.
 * @throws BrokerStartError
 */
export function protocolsOf(map: readonly string[]): ReadonlyMap<string, SecurityProtocol> {
  const protocols = new Map<string, SecurityProtocol>(securityProtocols.map((each) => [each, each]))
  for (const entry of map) {
    const [name = '', protocol, ...rest] = entry.split(':')
    const known = securityProtocols.find((each) => each === protocol?.trim())
    if (name.trim() === '' || known === undefined || rest.length > 0) {
      const message = `listener.security.protocol.map: ${entry} is not NAME:PROTOCOL with one of ${securityProtocols.join(', ')}`
      throw new BrokerStartError('LISTENER', message)
    }
    protocols.set(name.trim(), known)
  }
  return protocols
}

/**
 * `SASL_SSL://host:port` or `NAME://host:port`; an empty host stands for all addresses.
 * @throws BrokerStartError
 */
export function parseEndpoint(
  setting: string,
  text: string,
  protocols: ReadonlyMap<string, SecurityProtocol>,
): Endpoint {
  const match = /^([\w.-]+):\/\/(?:\[([^\]]*)\]|([^:/[\]]*)):(\d{1,5})$/.exec(text)
  const name = match?.[1] ?? ''
  const protocol = protocols.get(name)
  const port = Number(match?.[4])
  if (match === null || protocol === undefined || port > 65_535) {
    const names = [...protocols.keys()].join(', ')
    throw new BrokerStartError('LISTENER', `${setting}: ${text} is not PROTOCOL://host:port with one of ${names}`)
  }
  return { name, protocol, host: match[2] ?? match[3] ?? '', port }
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
  readonly name: string
  readonly protocol: SecurityProtocol
  readonly host: string
  /** The one listened on, where any was asked for. */
  readonly port: number
  readonly #server: Server
  /** Below TLS, so that those in the middle of a handshake are among them. */
  readonly #sockets: ReadonlySet<Socket>
  readonly #warning: RareWarning
  readonly #early: Socket[] = []
  #accept: ((socket: Socket) => void) | undefined

  /** @throws BrokerStartError */
  static async open(endpoint: Endpoint, options: ListenerOptions): Promise<Listener> {
    const { protocol, host, port } = endpoint
    const warning = new RareWarning(options.logger)
    const server = await newServer(protocol, options.tls, warning)
    const sockets = new Set<Socket>()
    // Before the handshake of TLS, which is what costs most.
    server.prependListener('connection', (socket: Socket) => {
      if (!options.limits.admit(socket)) return
      sockets.add(socket)
      socket.once('close', () => sockets.delete(socket))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error: NodeJS.ErrnoException) => reject(listenError(error, host, port)))
      server.listen(port, host === '' ? undefined : host, () => resolve())
    })
    server.removeAllListeners('error')
    const listener = new Listener(endpoint, server, sockets, warning)
    server.on('error', ({ message }) =>
      options.logger.error('A listener failed', { error: message, port: listener.port }),
    )
    return listener
  }

  private constructor(
    { name, protocol, host }: Endpoint,
    server: Server,
    sockets: ReadonlySet<Socket>,
    warning: RareWarning,
  ) {
    const address = server.address()
    this.name = name
    this.protocol = protocol
    this.host = host
    this.port = typeof address === 'object' && address !== null ? address.port : 0
    this.#server = server
    this.#sockets = sockets
    this.#warning = warning
    server.on(usesTls(protocol) ? 'secureConnection' : 'connection', (socket: Socket) => this.#onSocket(socket))
  }

  /** Whether it is bound to all addresses, so that only a client knows at which of them it came in. */
  get isWildcard(): boolean {
    return this.host === '' || this.host === '0.0.0.0' || this.host === '::'
  }

  toString(): string {
    return `${this.name}://${this.host.includes(':') ? `[${this.host}]` : this.host}:${this.port}`
  }

  /** Sockets are paused until then. */
  onSocket(accept: (socket: Socket) => void): void {
    this.#accept = accept
    for (const socket of this.#early.splice(0)) this.#onSocket(socket)
  }

  /** Ends all its connections; resolves when they are gone. */
  close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    return new Promise((resolve) => this.#server.close(() => resolve()))
  }

  #onSocket(socket: Socket): void {
    // Turned away, or gone before anyone greeted it.
    if (socket.destroyed) return
    if (isTls(socket) && presentsBadCertificate(socket)) {
      this.#warning.tell(`Refused the certificate of ${socket.remoteAddress}`, {
        reason: String(socket.authorizationError),
      })
      socket.destroy()
      return
    }
    if (this.#accept !== undefined) this.#accept(socket)
    else this.#early.push(socket)
  }
}

async function newServer(
  protocol: SecurityProtocol,
  tls: ListenerTls | undefined,
  warning: RareWarning,
): Promise<Server> {
  if (!usesTls(protocol)) return createServer({ pauseOnConnect: true })
  if (tls?.key === undefined || tls.certificate === undefined) {
    const message = `a listener with ${protocol} needs a key and a certificate: ssl.keystore.location`
    throw new BrokerStartError('TLS', message)
  }
  // Loaded where it is used: it costs 6 MiB and a tenth of the start.
  const { createServer: createTlsServer } = await import('node:tls')
  const server = tlsServer(createTlsServer, tls)
  server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
    warning.tell('A TLS handshake failed', { client: socket.remoteAddress, reason: handshakeFailure(error) })
    socket.destroy()
  })
  return server
}

/** In words, as far as it is the usual. */
function handshakeFailure({ code = '', message }: NodeJS.ErrnoException): string {
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|HTTP_REQUEST|PACKET_LENGTH_TOO_LONG|RECORD_LAYER_FAILURE)$/.test(code)) {
    return 'the client does not speak TLS'
  }
  if (/ALERT_(UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_UNKNOWN|CERTIFICATE_EXPIRED)$/.test(code)) {
    return `the client does not accept the certificate of the log (${code})`
  }
  if (code === 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE') return 'the client shows no certificate'
  return message
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
    const reason = messageOf(error)
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
