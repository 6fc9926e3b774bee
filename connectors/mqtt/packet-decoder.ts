import { isUtf8 } from 'node:buffer'
import {
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  type DisconnectPacket,
  MqttProtocolError,
  type Packet,
  type Properties,
  propertyTable,
  type ProtocolVersion,
  type PublishPacket,
  type Qos,
  reasons,
  type SubackPacket,
  type SubscribePacket,
  type Subscription,
  type UnsubscribePacket,
} from './packet.ts'

const propertyById = new Map(propertyTable.map((entry) => [entry[0] as number, entry]))

/**
 * Cuts a stream of bytes into MQTT packets. Payloads are views of the chunks given; nothing is copied unless a packet
 * spans several chunks. What it holds is bounded by the largest packet allowed plus one chunk.
 *
 * Usage: `push` a chunk, then call `next` until it gives undefined.
 */
export class PacketDecoder {
  /** Set once the CONNECT has told it; from then on properties are expected or not. */
  version: ProtocolVersion = 4
  /** Largest packet, fixed header included, in bytes. */
  maxPacketSize: number

  #buffer: Buffer = Buffer.alloc(0)
  #at = 0
  #waiting: Buffer[] = []
  #waitingBytes = 0
  /** Bytes from #at on that the next packet needs, as far as known. */
  #needed = 2

  constructor(maxPacketSize: number) {
    this.maxPacketSize = maxPacketSize
  }

  push(chunk: Buffer): void {
    const left = this.#buffer.length - this.#at
    if (left === 0 && this.#waiting.length === 0) {
      this.#buffer = chunk
      this.#at = 0
      return
    }
    // Chunks are joined once, when the packet they belong to is whole: joining each time would be quadratic.
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    if (left + this.#waitingBytes < this.#needed) return
    this.#buffer = Buffer.concat([this.#buffer.subarray(this.#at), ...this.#waiting], left + this.#waitingBytes)
    this.#at = 0
    this.#waiting = []
    this.#waitingBytes = 0
  }

  /**
   * The next whole packet, or undefined when more bytes are needed.
   * @throws MqttProtocolError when the bytes are not MQTT or exceed a limit; the decoder is of no use after that
   */
  next(): Packet | undefined {
    if (this.#waiting.length > 0) return undefined
    const buffer = this.#buffer
    const start = this.#at
    const available = buffer.length - start
    if (available < 2) {
      this.#needed = 2
      return undefined
    }
    const first = buffer[start]!
    // At once, so that what is not MQTT does not get to have its rest waited for.
    checkFlags(first)
    let bodyLength = 0
    let at = start + 1
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw new MqttProtocolError('remaining length of more than four bytes')
      if (at === buffer.length) {
        this.#needed = available + 1
        return undefined
      }
      const byte = buffer[at++]!
      bodyLength |= (byte & 0x7f) << shift
      if (byte < 0x80) break
    }
    const size = at - start + bodyLength
    if (size > this.maxPacketSize) {
      throw new MqttProtocolError(
        `packet of ${size} bytes, at most ${this.maxPacketSize} are allowed`,
        reasons.packetTooLarge,
      )
    }
    if (available < size) {
      this.#needed = size
      return undefined
    }
    this.#at = start + size
    return this.#decode(first, buffer, at, start + size)
  }

  #decode(first: number, buffer: Buffer, at: number, end: number): Packet {
    const type = first >> 4
    if (type === 3) return decodePublish(first, new Reader(buffer, at, end), this.version)
    const reader = new Reader(buffer, at, end)
    switch (type) {
      case 1:
        return decodeConnect(reader)
      case 2:
        return decodeConnack(reader, this.version)
      case 4:
        return decodeAck('puback', reader, this.version)
      case 5:
        return decodeAck('pubrec', reader, this.version)
      case 6:
        return decodeAck('pubrel', reader, this.version)
      case 7:
        return decodeAck('pubcomp', reader, this.version)
      case 8:
        return decodeSubscribe(reader, this.version)
      case 9:
        return decodeSuback('suback', reader, this.version)
      case 10:
        return decodeUnsubscribe(reader, this.version)
      case 11:
        return decodeSuback('unsuback', reader, this.version)
      case 12:
        return { type: 'pingreq' }
      case 13:
        return { type: 'pingresp' }
      case 14:
        return decodeDisconnect(reader, this.version)
      case 15:
        return { type: 'auth' }
      default:
        throw new MqttProtocolError(`packet type ${type}`)
    }
  }
}

function checkFlags(first: number): void {
  const type = first >> 4
  const flags = first & 0x0f
  if (type === 3) return
  const expected = type === 6 || type === 8 || type === 10 ? 2 : 0
  if (type === 0 || flags !== expected) throw new MqttProtocolError(`packet type ${type} with flags ${flags}`)
}

/** Reads MQTT's primitives within the bounds of one packet. */
class Reader {
  readonly #buffer: Buffer
  #at: number
  #end: number

  constructor(buffer: Buffer, at: number, end: number) {
    this.#buffer = buffer
    this.#at = at
    this.#end = end
  }

  get left(): number {
    return this.#end - this.#at
  }

  #take(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#end) throw new MqttProtocolError('packet ends too early')
    this.#at = at + bytes
    return at
  }

  byte(): number {
    return this.#buffer[this.#take(1)]!
  }

  uint16(): number {
    const at = this.#take(2)
    return (this.#buffer[at]! << 8) | this.#buffer[at + 1]!
  }

  uint32(): number {
    return this.#buffer.readUInt32BE(this.#take(4))
  }

  varint(): number {
    let value = 0
    for (let shift = 0; ; shift += 7) {
      if (shift > 21) throw new MqttProtocolError('variable byte integer of more than four bytes')
      const byte = this.byte()
      value |= (byte & 0x7f) << shift
      if (byte < 0x80) return value
    }
  }

  binary(): Buffer {
    const length = this.uint16()
    const at = this.#take(length)
    return this.#buffer.subarray(at, at + length)
  }

  string(): string {
    const length = this.uint16()
    const at = this.#take(length)
    const text = this.#buffer.toString('utf8', at, at + length)
    // Broken UTF-8 decodes to U+FFFD, so only a text that has one needs the closer look.
    if (text.includes('\ufffd') && !isUtf8(this.#buffer.subarray(at, at + length))) {
      throw new MqttProtocolError('string is not UTF-8')
    }
    if (text.includes('\0')) throw new MqttProtocolError('string holds a zero character')
    return text
  }

  rest(): Buffer {
    const at = this.#at
    this.#at = this.#end
    return this.#buffer.subarray(at, this.#end)
  }

  /** A reader over the next bytes, which this one skips. */
  part(bytes: number): Reader {
    const at = this.#take(bytes)
    return new Reader(this.#buffer, at, at + bytes)
  }
}

function readProperties(reader: Reader): Properties | undefined {
  const length = reader.varint()
  if (length === 0) return undefined
  const part = reader.part(length)
  const properties: Properties = {}
  while (part.left > 0) readProperty(part, properties)
  return properties
}

function readProperty(reader: Reader, properties: Properties): void {
  const id = reader.varint()
  const entry = propertyById.get(id)
  if (entry === undefined) throw new MqttProtocolError(`unknown property ${id}`)
  const [, name, type] = entry
  if (type === 'pair') {
    ;(properties.userProperties ??= []).push([reader.string(), reader.string()])
    return
  }
  if (type === 'varint') {
    ;(properties.subscriptionIds ??= []).push(reader.varint())
    return
  }
  if (properties[name] !== undefined) {
    throw new MqttProtocolError(`property ${name} given twice`, reasons.protocolError)
  }
  switch (type) {
    case 'byte':
      properties[name] = reader.byte()
      break
    case 'uint16':
      properties[name] = reader.uint16()
      break
    case 'uint32':
      properties[name] = reader.uint32()
      break
    case 'string':
      properties[name] = reader.string()
      break
    case 'binary':
      properties[name] = reader.binary()
      break
  }
}

function toQos(value: number): Qos {
  if (value > 2) throw new MqttProtocolError('QoS 3')
  return value as Qos
}

function decodePublish(first: number, reader: Reader, version: ProtocolVersion): PublishPacket {
  const qos = toQos((first >> 1) & 3)
  const topic = reader.string()
  const packetId = qos === 0 ? 0 : reader.uint16()
  if (qos > 0 && packetId === 0) throw new MqttProtocolError('packet identifier 0', reasons.protocolError)
  const properties = version === 5 ? readProperties(reader) : undefined
  return {
    type: 'publish',
    topic,
    qos,
    dup: (first & 8) !== 0,
    retain: (first & 1) !== 0,
    packetId,
    payload: reader.rest(),
    properties,
  }
}

function decodeConnect(reader: Reader): ConnectPacket {
  const protocol = reader.string()
  if (protocol !== 'MQTT' && protocol !== 'MQIsdp') throw new MqttProtocolError('not MQTT')
  const protocolLevel = reader.byte()
  // The rest of an unknown version has an unknown form; the level alone is enough to refuse it properly.
  if (protocolLevel < 3 || protocolLevel > 5) {
    return { type: 'connect', protocolLevel, cleanStart: true, keepAliveSeconds: 0, clientId: '' }
  }
  const flags = reader.byte()
  if ((flags & 1) !== 0) throw new MqttProtocolError('reserved CONNECT flag set')
  const hasWill = (flags & 4) !== 0
  if (!hasWill && (flags & 0x38) !== 0) throw new MqttProtocolError('will flags without a will')
  const keepAliveSeconds = reader.uint16()
  const properties = protocolLevel === 5 ? readProperties(reader) : undefined
  const clientId = reader.string()
  let will: ConnectPacket['will']
  if (hasWill) {
    const willProperties = protocolLevel === 5 ? readProperties(reader) : undefined
    will = {
      topic: reader.string(),
      payload: reader.binary(),
      qos: toQos((flags >> 3) & 3),
      retain: (flags & 0x20) !== 0,
      properties: willProperties,
    }
  }
  return {
    type: 'connect',
    protocolLevel,
    cleanStart: (flags & 2) !== 0,
    keepAliveSeconds,
    clientId,
    will,
    username: (flags & 0x80) !== 0 ? reader.string() : undefined,
    password: (flags & 0x40) !== 0 ? reader.binary() : undefined,
    properties,
  }
}

function decodeConnack(reader: Reader, version: ProtocolVersion): ConnackPacket {
  const sessionPresent = (reader.byte() & 1) !== 0
  const code = reader.byte()
  // A broker that does not speak MQTT 5 answers a CONNECT 5 in the older form, without properties.
  const properties = version === 5 && reader.left > 0 ? readProperties(reader) : undefined
  return { type: 'connack', sessionPresent, code, properties }
}

function decodeAck(type: AckPacket['type'], reader: Reader, version: ProtocolVersion): AckPacket {
  const packetId = reader.uint16()
  return { type, packetId, code: version === 5 && reader.left > 0 ? reader.byte() : 0 }
}

function decodeSubscribe(reader: Reader, version: ProtocolVersion): SubscribePacket {
  const packetId = reader.uint16()
  if (version === 5) readProperties(reader)
  const subscriptions: Subscription[] = []
  do {
    const filter = reader.string()
    const options = reader.byte()
    if ((options & (version === 5 ? 0xc0 : 0xfc)) !== 0) throw new MqttProtocolError('reserved subscription bits set')
    const retainHandling = (options >> 4) & 3
    if (retainHandling > 2) throw new MqttProtocolError('retain handling 3', reasons.protocolError)
    subscriptions.push({
      filter,
      qos: toQos(options & 3),
      retainAsPublished: (options & 8) !== 0,
      retainHandling: retainHandling as 0 | 1 | 2,
    })
  } while (reader.left > 0)
  return { type: 'subscribe', packetId, subscriptions }
}

function decodeUnsubscribe(reader: Reader, version: ProtocolVersion): UnsubscribePacket {
  const packetId = reader.uint16()
  if (version === 5) readProperties(reader)
  const filters: string[] = []
  do filters.push(reader.string())
  while (reader.left > 0)
  return { type: 'unsubscribe', packetId, filters }
}

function decodeSuback(type: SubackPacket['type'], reader: Reader, version: ProtocolVersion): SubackPacket {
  const packetId = reader.uint16()
  const properties = version === 5 ? readProperties(reader) : undefined
  return { type, packetId, codes: [...reader.rest()], properties }
}

function decodeDisconnect(reader: Reader, version: ProtocolVersion): DisconnectPacket {
  if (version !== 5 || reader.left === 0) return { type: 'disconnect', code: 0 }
  const code = reader.byte()
  return { type: 'disconnect', code, properties: reader.left > 0 ? readProperties(reader) : undefined }
}
