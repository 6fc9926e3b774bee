import { connect as connectTcp, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import {
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  describeCode,
  MqttProtocolError,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  reasons,
  type Subscription,
} from './packet.ts'
import { PacketDecoder } from './packet-decoder.ts'
import {
  AckBuffer,
  encodeConnect,
  encodeDisconnect,
  encodeSubscribe,
  encodeUnsubscribe,
  pingRequest,
} from './packet-encoder.ts'
import type { BrokerAddress } from './source-config.ts'
import type { TlsMaterial } from './tls-files.ts'

/** The broker answered CONNECT with a no. */
export class ConnectRefusedError extends Error {
  override readonly name = 'ConnectRefusedError'
  readonly code: number

  constructor(code: number) {
    super(`the broker refused the connection: ${describeCode(code)}`)
    this.code = code
  }
}

/** A connection that is no more, with the reason that the broker gave, if it did. */
export class LinkClosedError extends Error {
  override readonly name = 'LinkClosedError'
  readonly reason: number | undefined

  constructor(message: string, options: { reason?: number; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = options.reason
  }
}

export interface LinkOptions {
  readonly address: BrokerAddress
  readonly tls: TlsMaterial
  readonly version: ProtocolVersion
  readonly connect: Omit<ConnectPacket, 'type' | 'protocolLevel'>
  readonly connectTimeoutMs: number
  readonly maxPacketSize: number
  /** Called with the accepting CONNACK, before any message that may have come with it. */
  readonly onConnected: (link: BrokerLink, connack: ConnackPacket) => void
  /** Called for each message, in order. */
  readonly onPublish: (packet: PublishPacket) => void
  /** The broker lets a QoS 2 message go. */
  readonly onRelease: (packetId: number) => void
}

/** The message of a {@link LinkClosedError} when the broker just ended the connection. */
export const hungUp = 'the broker closed the connection'

/** How long after a ping a broker may be silent. */
const pingTimeoutMs = 20_000
const closeTimeoutMs = 1000

/**
 * One connection to a broker, for a client that only receives. It acknowledges nothing by itself: that is the
 * caller's, when a message is safe. Made by {@link BrokerLink.open}.
 */
export class BrokerLink {
  readonly version: ProtocolVersion
  /** Settles when the connection is over: with the reason, an Error, unless {@link BrokerLink.close} ended it. */
  readonly closed: Promise<Error | undefined>

  readonly #socket: Socket
  readonly #options: LinkOptions
  readonly #decoder: PacketDecoder
  readonly #acks = new AckBuffer()
  readonly #waiting = new Map<number, { resolve: (codes: readonly number[]) => void; reject: (error: Error) => void }>()
  #onConnack: ((packet: ConnackPacket) => void) | undefined
  #settleClosed!: (error: Error | undefined) => void
  #failure: Error | undefined
  #ended = false
  #paused = false
  #nextPacketId = 1
  #keepAlive: NodeJS.Timeout | undefined
  #lastSent = 0
  #lastHeard = 0

  private constructor(socket: Socket, options: LinkOptions) {
    this.#socket = socket
    this.#options = options
    this.version = options.version
    this.#decoder = new PacketDecoder(options.maxPacketSize)
    this.#decoder.version = options.version
    this.closed = new Promise((resolve) => {
      this.#settleClosed = resolve
    })
    socket.on('data', (chunk) => {
      this.#receive(chunk as Buffer)
    })
    socket.on('error', (cause) => {
      this.#failure ??= cause
    })
    socket.on('close', () => {
      this.#onClose()
    })
  }

  /**
   * Connects, and gives the link with the broker's CONNACK.
   * @throws ConnectRefusedError, or the error of the socket or of TLS
   */
  static async open(options: LinkOptions, signal: AbortSignal): Promise<{ link: BrokerLink; connack: ConnackPacket }> {
    signal.throwIfAborted()
    const { address, tls } = options
    const target = { host: address.host, port: address.port, noDelay: true }
    const socket = address.tls
      ? connectTls({ ...target, ...tls, servername: servername(address.host) })
      : connectTcp(target)
    const link = new BrokerLink(socket, options)
    const onAbort = (): void => link.#fail(new LinkClosedError('stopped while connecting'))
    signal.addEventListener('abort', onAbort)
    const timer = setTimeout(() => {
      link.#fail(new LinkClosedError(`no connection within ${options.connectTimeoutMs} ms`))
    }, options.connectTimeoutMs)
    try {
      const connack = await link.#handshake(address.tls ? 'secureConnect' : 'connect')
      if (connack.code !== 0) throw new ConnectRefusedError(connack.code)
      link.#startKeepAlive(connack.properties?.serverKeepAlive ?? options.connect.keepAliveSeconds)
      return { link, connack }
    } catch (error) {
      socket.destroy()
      throw error
    } finally {
      clearTimeout(timer)
      signal.removeEventListener('abort', onAbort)
    }
  }

  async #handshake(ready: 'connect' | 'secureConnect'): Promise<ConnackPacket> {
    const connack = new Promise<ConnackPacket>((resolve) => {
      this.#onConnack = resolve
    })
    this.#socket.once(ready, () => {
      this.#write(encodeConnect({ type: 'connect', protocolLevel: this.version, ...this.#options.connect }))
    })
    const first = await Promise.race([connack, this.closed])
    if (first !== undefined && !(first instanceof Error)) return first
    throw first ?? new LinkClosedError('closed while connecting')
  }

  #receive(chunk: Buffer): void {
    if (this.#ended) return
    this.#lastHeard = performance.now()
    this.#decoder.push(chunk)
    try {
      for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
        this.#handle(packet)
        if (this.#failure !== undefined) return
      }
    } catch (error) {
      if (!(error instanceof MqttProtocolError)) throw error
      this.#write(encodeDisconnect(this.version, error.reason))
      this.#fail(error)
      return
    }
    this.flush()
  }

  #handle(packet: Packet): void {
    if (packet.type === 'connack') {
      const onConnack = this.#onConnack
      if (onConnack === undefined) throw new MqttProtocolError('a second CONNACK', reasons.protocolError)
      this.#onConnack = undefined
      if (packet.code === 0) this.#options.onConnected(this, packet)
      onConnack(packet)
      return
    }
    if (this.#onConnack !== undefined) throw new MqttProtocolError('not a CONNACK first', reasons.protocolError)
    switch (packet.type) {
      case 'publish':
        this.#options.onPublish(packet)
        break
      case 'pubrel':
        this.#options.onRelease(packet.packetId)
        break
      case 'suback':
      case 'unsuback':
        this.#waiting.get(packet.packetId)?.resolve(packet.codes)
        this.#waiting.delete(packet.packetId)
        break
      case 'disconnect':
        this.#fail(
          new LinkClosedError(`the broker ended the connection: ${describeCode(packet.code)}`, { reason: packet.code }),
        )
        break
      case 'pingresp':
        break
      default:
        throw new MqttProtocolError(`${packet.type} from a broker`, reasons.protocolError)
    }
  }

  /** The broker's codes, one a subscription: the QoS granted, or 128 and more for a refusal. */
  async subscribe(subscriptions: Subscription[]): Promise<readonly number[]> {
    const packetId = this.#nextPacketId++
    return await this.#ask(packetId, encodeSubscribe(this.version, { packetId, subscriptions }))
  }

  async unsubscribe(filters: string[]): Promise<void> {
    const packetId = this.#nextPacketId++
    await this.#ask(packetId, encodeUnsubscribe(this.version, { packetId, filters }))
  }

  #ask(packetId: number, request: Buffer): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      if (this.#ended) {
        reject(this.#failure ?? new LinkClosedError('the connection is closed'))
        return
      }
      this.#waiting.set(packetId, { resolve, reject })
      this.#write(request)
    })
  }

  /** Acknowledges with the next {@link BrokerLink.flush}. */
  acknowledge(type: Exclude<AckPacket['type'], 'pubrel'>, packetId: number, code = 0): void {
    this.#acks.add(this.version, type, packetId, code)
  }

  flush(): void {
    const bytes = this.#acks.take()
    if (bytes !== undefined) this.#write(bytes)
  }

  /** Reads no further; the broker is held back by TCP. */
  pause(): void {
    this.#paused = true
    this.#socket.pause()
  }

  resume(): void {
    if (!this.#paused) return
    this.#paused = false
    this.#lastHeard = performance.now()
    this.#socket.resume()
  }

  #startKeepAlive(seconds: number): void {
    this.#lastHeard = performance.now()
    if (seconds === 0) return
    // Asking a little early leaves room for the way there.
    const intervalMs = seconds * 900
    this.#keepAlive = setInterval(
      () => {
        const now = performance.now()
        if (!this.#paused && now - this.#lastHeard > intervalMs + pingTimeoutMs) {
          this.#fail(new LinkClosedError('the broker does not answer pings'))
          return
        }
        if (now - this.#lastSent >= intervalMs || now - this.#lastHeard >= intervalMs) this.#write(pingRequest)
      },
      Math.min(intervalMs / 2, 10_000),
    )
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return
    this.#lastSent = performance.now()
    this.#socket.write(bytes)
  }

  #fail(error: Error): void {
    this.#failure ??= error
    this.#socket.destroy()
  }

  #onClose(): void {
    const failure = this.#failure ?? (this.#ended ? undefined : new LinkClosedError(hungUp))
    this.#ended = true
    clearInterval(this.#keepAlive)
    for (const { reject } of this.#waiting.values()) reject(failure ?? new LinkClosedError('the connection is closed'))
    this.#waiting.clear()
    this.#settleClosed(failure)
  }

  /** Says goodbye; the broker keeps the session as long as it was asked to. */
  async close(): Promise<void> {
    if (!this.#ended) {
      this.#ended = true
      this.flush()
      this.#write(encodeDisconnect(this.version))
      this.#socket.end()
      // Reading away what still comes lets the end be seen.
      this.#socket.resume()
    }
    const timer = setTimeout(() => this.#socket.destroy(), closeTimeoutMs)
    await this.closed
    clearTimeout(timer)
  }
}

/** For the certificate check; an IP address must not be sent as a server name. */
function servername(host: string): string {
  return /^[\d.]+$|:/.test(host) ? '' : host
}
