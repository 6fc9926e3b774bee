import type { Socket } from 'node:net'
import type { Header, SourceRecord } from '@tidewire/sdk'
import type { GatewayHost } from './gateway-host.ts'
import type { GatewaySession, SessionConnection } from './gateway-session.ts'
import { noTicket } from './ingest-queue.ts'
import { MappingError, type Target } from './mapping.ts'
import {
  type ConnectPacket,
  describeCode,
  MqttProtocolError,
  type Packet,
  type ProtocolVersion,
  type PublishPacket,
  reasons,
  returnCodes,
  type SubscribePacket,
  type UnsubscribePacket,
  type Will,
} from './packet.ts'
import { PacketDecoder } from './packet-decoder.ts'
import { AckBuffer, encodeConnack, encodeDisconnect, encodeSuback, pingResponse } from './packet-encoder.ts'
import { clientHeader, recordOverheadBytes, toRecord } from './record.ts'
import { isTopicName } from './topic-filter.ts'

/** A connection that has not introduced itself may not send more than this. */
const maxConnectBytes = 256 * 1024
/** A device that does not read its acknowledgements is not read from, beyond this. */
const maxUnreadBytes = 64 * 1024
const topicAliasMaximum = 64
/** How long a connection that is being ended has to take what is still written to it. */
const closeTimeoutMs = 1000

// A ticket is a packet identifier, whether it is QoS 2, and the reason code to answer with.
const qos2Ticket = 1 << 16
const ticketOf = (packet: PublishPacket, code: number): number =>
  packet.packetId | (packet.qos === 2 ? qos2Ticket : 0) | (code << 17)

const refusals: Readonly<Record<number, number>> = {
  [reasons.unsupportedProtocolVersion]: returnCodes.unacceptableProtocolVersion,
  [reasons.clientIdNotValid]: returnCodes.identifierRejected,
  [reasons.serverBusy]: returnCodes.serverUnavailable,
  [reasons.badUserNameOrPassword]: returnCodes.badUserNameOrPassword,
}

/** One device's connection: MQTT as far as a device that publishes needs it. */
export class GatewayConnection implements SessionConnection {
  heldBytes = 0
  flushDue = false
  /** The gateway's tick in which bytes last came. */
  lastHeard: number
  /** One and a half times what the device promised, as MQTT has it; 0 is no limit. Until CONNECT: the time for that. */
  silenceLimitSeconds: number

  readonly #socket: Socket
  readonly #gateway: GatewayHost
  readonly #decoder: PacketDecoder
  readonly #acks = new AckBuffer()
  #version: ProtocolVersion = 4
  #session: GatewaySession | undefined
  #client: Header | undefined
  #will: Will | undefined
  #aliases: Map<number, string> | undefined
  /** QoS 1 messages not yet acknowledged. */
  #unacknowledged = 0
  #waitsForRoom = false
  #waitsForReader = false
  #ended = false
  #warnedOfDrop = false

  constructor(socket: Socket, gateway: GatewayHost) {
    this.#socket = socket
    this.#gateway = gateway
    this.#decoder = new PacketDecoder(Math.min(maxConnectBytes, gateway.limits.maxPacketSize))
    this.lastHeard = gateway.tick
    this.silenceLimitSeconds = gateway.limits.connectTimeoutSeconds
    socket.on('data', (chunk) => {
      this.#receive(chunk as Buffer)
    })
    socket.on('drain', () => {
      this.#waitsForReader = false
      this.#readOn()
    })
    socket.on('error', (error) => {
      gateway.log.debug('connection failed', { device: this.name, error: error.message })
    })
    socket.on('close', () => {
      this.#closed()
    })
  }

  /** For log lines. */
  get name(): string {
    const address = `${this.#socket.remoteAddress ?? 'gone'}:${this.#socket.remotePort ?? 0}`
    return this.#session === undefined ? address : `${this.#session.clientId} (${address})`
  }

  get isPaused(): boolean {
    return this.#waitsForRoom || this.#waitsForReader
  }

  get isConnected(): boolean {
    return this.#session !== undefined
  }

  #receive(chunk: Buffer): void {
    if (this.#ended || this.#gateway.stopping) return
    this.lastHeard = this.#gateway.tick
    this.#decoder.push(chunk)
    try {
      const now = Date.now()
      for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
        this.#handle(packet, now)
        // Whatever follows a DISCONNECT or an error in the same chunk is not to be looked at.
        if (this.#wasEnded()) return
      }
    } catch (error) {
      if (!(error instanceof MqttProtocolError)) throw error
      this.end(error.reason, error.message)
    }
    this.flush()
    if (this.isPaused) this.#socket.pause()
  }

  /** Apart, since the compiler does not see that a call may change the field. */
  #wasEnded(): boolean {
    return this.#ended
  }

  #handle(packet: Packet, now: number): void {
    if (packet.type === 'connect') {
      this.#connect(packet)
      return
    }
    if (this.#session === undefined) throw new MqttProtocolError('not a CONNECT first', reasons.protocolError)
    switch (packet.type) {
      case 'publish':
        this.#publish(packet, now)
        break
      case 'pubrel': {
        const known = this.#session.exactlyOnce.get(packet.packetId) === 'received'
        if (known) this.#session.exactlyOnce.delete(packet.packetId)
        this.#acks.add(this.#version, 'pubcomp', packet.packetId, known ? 0 : reasons.packetIdNotFound)
        break
      }
      case 'subscribe':
        this.#refuseSubscriptions(packet)
        break
      case 'unsubscribe':
        this.#unsubscribe(packet)
        break
      case 'pingreq':
        this.#write(pingResponse)
        break
      case 'disconnect':
        // 4 is "disconnect with will message".
        if (packet.code !== 4) this.#will = undefined
        if (packet.properties?.sessionExpiry !== undefined && this.#session.expirySeconds > 0) {
          this.#session.expirySeconds = this.#gateway.sessionExpiry(packet.properties.sessionExpiry)
        }
        this.flush()
        this.#close()
        break
      default:
        throw new MqttProtocolError(`${packet.type} from a device`, reasons.protocolError)
    }
  }

  #connect(packet: ConnectPacket): void {
    if (this.#session !== undefined) throw new MqttProtocolError('a second CONNECT', reasons.protocolError)
    this.#version = packet.protocolLevel >= 5 ? 5 : 4
    this.#decoder.version = this.#version
    const refusal = this.#gateway.refusal(packet)
    if (refusal !== undefined) {
      this.#refuseConnect(refusal.code, refusal.text)
      return
    }
    const { session, present } = this.#gateway.attach(this, packet)
    this.#session = session
    this.#client = clientHeader(session.clientId)
    this.#will = packet.will
    this.#decoder.maxPacketSize = this.#gateway.limits.maxPacketSize
    this.silenceLimitSeconds = packet.keepAliveSeconds * 1.5
    this.#write(
      encodeConnack(this.#version, {
        sessionPresent: present && packet.protocolLevel > 3,
        code: 0,
        properties: {
          receiveMaximum: this.#gateway.limits.receiveMaximum,
          maximumPacketSize: this.#gateway.limits.maxPacketSize,
          topicAliasMaximum,
          sessionExpiry: session.expirySeconds,
          // Nothing can be subscribed to; these say as much as MQTT lets a server say ahead.
          wildcardSubscriptionAvailable: 0,
          subscriptionIdsAvailable: 0,
          sharedSubscriptionAvailable: 0,
          ...(packet.clientId === '' ? { assignedClientId: session.clientId } : {}),
        },
      }),
    )
  }

  #refuseConnect(code: number, text: string): void {
    this.#gateway.warn(`refused a connection: ${text}`, { device: this.name })
    const answer = this.#version === 5 ? code : (refusals[code] ?? returnCodes.notAuthorized)
    this.#write(encodeConnack(this.#version, { sessionPresent: false, code: answer }))
    this.#close()
  }

  #publish(packet: PublishPacket, now: number): void {
    if (this.#version === 5) this.#resolveAlias(packet)
    if (!isTopicName(packet.topic)) {
      throw new MqttProtocolError(`'${packet.topic}' is no topic name`, reasons.topicNameInvalid)
    }
    const session = this.#session!
    if (packet.qos === 2) {
      const known = session.exactlyOnce.get(packet.packetId)
      if (known === 'received') this.#acks.add(this.#version, 'pubrec', packet.packetId)
      if (known !== undefined) return
    }
    if (packet.qos > 0) {
      const inFlight = this.#unacknowledged + session.exactlyOnce.size
      if (this.#version === 5 && inFlight >= this.#gateway.limits.receiveMaximum) {
        throw new MqttProtocolError('more messages on their way than allowed', reasons.receiveMaximumExceeded)
      }
      if (packet.qos === 2) session.exactlyOnce.set(packet.packetId, 'pending')
      else this.#unacknowledged++
    }
    const target = this.#target(packet)
    if (target === undefined) return
    const { payloadFormat, deadLetters } = this.#gateway
    const record = toRecord(packet, target, payloadFormat, now, this.#client, deadLetters)
    const ticket = packet.qos === 0 ? noTicket : ticketOf(packet, 0)
    this.#take(record, packet.payload.length + recordOverheadBytes, ticket)
  }

  #take(record: SourceRecord | undefined, bytes: number, ticket: number): void {
    if (!this.#gateway.queue.add(this, record, bytes, ticket)) this.#waitsForRoom = true
  }

  /** Where a message goes; undefined when it was refused. */
  #target(packet: PublishPacket): Target | undefined {
    let why: string
    let code: number = reasons.notAuthorized
    if (packet.topic.startsWith('$')) {
      why = 'topics that begin with $ belong to servers'
    } else {
      try {
        const target = this.#gateway.mapping.target(packet.topic, this.#session!.clientId)
        if (target !== undefined) return target
        why = 'no rule of mqtt.mappings covers it'
      } catch (error) {
        if (!(error instanceof MappingError)) throw error
        why = error.message
        code = reasons.topicNameInvalid
      }
    }
    this.#refuse(packet, code, `publish to '${packet.topic.slice(0, 200)}': ${why}`)
    return undefined
  }

  /** MQTT 5 can say no to one message; MQTT 3.1.1 cannot, and its way is to end the connection. */
  #refuse(packet: PublishPacket, code: number, text: string): void {
    if (packet.qos > 0 && this.#version === 4) {
      this.end(code, text)
      return
    }
    if (!this.#warnedOfDrop) this.#gateway.warn(`refused a ${text}`, { device: this.name })
    this.#warnedOfDrop = true
    if (packet.qos > 0) this.#take(undefined, recordOverheadBytes, ticketOf(packet, code))
  }

  #resolveAlias(packet: PublishPacket): void {
    const alias = packet.properties?.topicAlias
    if (alias === undefined) return
    if (alias === 0 || alias > topicAliasMaximum) {
      throw new MqttProtocolError(`topic alias ${alias}`, reasons.topicAliasInvalid)
    }
    this.#aliases ??= new Map()
    if (packet.topic !== '') {
      this.#aliases.set(alias, packet.topic)
      return
    }
    const topic = this.#aliases.get(alias)
    if (topic === undefined) throw new MqttProtocolError(`topic alias ${alias} was never set`, reasons.protocolError)
    packet.topic = topic
  }

  #refuseSubscriptions(packet: SubscribePacket): void {
    const codes = packet.subscriptions.map(({ filter }) => {
      if (this.#version === 4) return reasons.unspecified
      return filter.startsWith('$share/') ? reasons.sharedSubscriptionsNotSupported : reasons.implementationSpecific
    })
    this.#gateway.warn('refused a subscription: the gateway only takes messages', { device: this.name })
    this.#write(encodeSuback(this.#version, 'suback', packet.packetId, codes))
  }

  #unsubscribe(packet: UnsubscribePacket): void {
    const codes = packet.filters.map(() => reasons.noSubscriptionExisted)
    this.#write(encodeSuback(this.#version, 'unsuback', packet.packetId, codes))
  }

  acknowledge(ticket: number): void {
    const packetId = ticket & 0xffff
    const code = ticket >>> 17
    if ((ticket & qos2Ticket) === 0) {
      this.#unacknowledged--
      this.#acks.add(this.#version, 'puback', packetId, code)
      return
    }
    const session = this.#session!
    if (code === 0) session.exactlyOnce.set(packetId, 'received')
    else session.exactlyOnce.delete(packetId)
    // The device may have come back on another connection meanwhile; QoS 2 goes on there.
    const connection = session.connection
    if (connection === undefined) return
    connection.acknowledgeReceipt(packetId, code)
    if (connection !== this) connection.flush()
  }

  acknowledgeReceipt(packetId: number, code: number): void {
    this.#acks.add(this.#version, 'pubrec', packetId, code)
  }

  flush(): void {
    const bytes = this.#acks.take()
    if (bytes !== undefined) this.#write(bytes)
  }

  resume(): void {
    this.#waitsForRoom = false
    this.#readOn()
  }

  #readOn(): void {
    if (this.isPaused || this.#gateway.stopping) return
    // While nothing was read, silence was not the device's.
    this.lastHeard = this.#gateway.tick
    this.#socket.resume()
  }

  stopReading(): void {
    this.#socket.pause()
  }

  #write(bytes: Buffer): void {
    if (!this.#socket.writable) return
    this.#socket.write(bytes)
    if (this.#socket.writableLength <= maxUnreadBytes || this.#waitsForReader) return
    this.#waitsForReader = true
    this.#socket.pause()
  }

  /** See {@link SessionConnection.end}. The will, if any, is published. */
  end(code: number, text: string): void {
    if (this.#ended) return
    const shutdown = code === reasons.serverShuttingDown
    if (!shutdown) this.#gateway.warn(`ended a connection: ${text}`, { device: this.name, code: describeCode(code) })
    this.flush()
    if (this.#session !== undefined && this.#version === 5) this.#write(encodeDisconnect(5, code))
    this.#close()
  }

  #close(): void {
    this.#ended = true
    // Closing at once with bytes unread would reset the connection, and the device might not see why it was ended.
    this.#socket.end()
    this.#socket.resume()
    setTimeout(() => this.#socket.destroy(), closeTimeoutMs).unref()
  }

  #closed(): void {
    this.#ended = true
    this.#gateway.detach(this, this.#session, this.#will)
  }
}
