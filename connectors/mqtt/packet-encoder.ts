import {
  type AckPacket,
  type ConnackPacket,
  type ConnectPacket,
  packetTypes,
  type Properties,
  propertyTable,
  type ProtocolVersion,
  type PublishPacket,
  type SubackPacket,
  type SubscribePacket,
  type UnsubscribePacket,
} from './packet.ts'

/** Collects the parts of one packet. Packets written here are small or rare; acknowledgements have a way of their own. */
class Writer {
  readonly #parts: Buffer[] = []
  #length = 0

  bytes(part: Buffer): this {
    this.#parts.push(part)
    this.#length += part.length
    return this
  }

  byte(value: number): this {
    return this.bytes(Buffer.of(value))
  }

  uint16(value: number): this {
    return this.bytes(Buffer.of(value >> 8, value & 0xff))
  }

  uint32(value: number): this {
    const part = Buffer.allocUnsafe(4)
    part.writeUInt32BE(value)
    return this.bytes(part)
  }

  varint(value: number): this {
    return this.bytes(varint(value))
  }

  /** @throws RangeError above 65,535 bytes, which MQTT cannot express */
  binary(value: Buffer): this {
    if (value.length > 0xffff) throw new RangeError(`${value.length} bytes do not fit an MQTT field of 65535`)
    return this.uint16(value.length).bytes(value)
  }

  string(value: string): this {
    return this.binary(Buffer.from(value))
  }

  properties(properties: Properties | undefined): this {
    const inner = new Writer()
    if (properties !== undefined) for (const entry of propertyTable) inner.#property(entry, properties)
    return this.varint(inner.#length).bytes(Buffer.concat(inner.#parts))
  }

  #property([id, name, type]: (typeof propertyTable)[number], properties: Properties): void {
    if (properties[name] === undefined) return
    switch (type) {
      case 'byte':
        this.byte(id).byte(properties[name])
        break
      case 'uint16':
        this.byte(id).uint16(properties[name])
        break
      case 'uint32':
        this.byte(id).uint32(properties[name])
        break
      case 'string':
        this.byte(id).string(properties[name])
        break
      case 'binary':
        this.byte(id).binary(properties[name])
        break
      case 'varint':
        for (const value of properties[name]) this.byte(id).varint(value)
        break
      case 'pair':
        for (const [key, value] of properties[name]) this.byte(id).string(key).string(value)
        break
    }
  }

  packet(firstByte: number): Buffer {
    return Buffer.concat([Buffer.of(firstByte), varint(this.#length), ...this.#parts])
  }
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  do {
    const low = left & 0x7f
    left >>>= 7
    bytes.push(left > 0 ? low | 0x80 : low)
  } while (left > 0)
  return Buffer.from(bytes)
}

export function encodeConnect(packet: ConnectPacket): Buffer {
  const { will, username, password } = packet
  const flags =
    (packet.cleanStart ? 2 : 0) |
    (will === undefined ? 0 : 4 | (will.qos << 3) | (will.retain ? 0x20 : 0)) |
    (password === undefined ? 0 : 0x40) |
    (username === undefined ? 0 : 0x80)
  const writer = new Writer()
    .string(packet.protocolLevel === 3 ? 'MQIsdp' : 'MQTT')
    .byte(packet.protocolLevel)
    .byte(flags)
    .uint16(packet.keepAliveSeconds)
  if (packet.protocolLevel === 5) writer.properties(packet.properties)
  writer.string(packet.clientId)
  if (will !== undefined) {
    if (packet.protocolLevel === 5) writer.properties(will.properties)
    writer.string(will.topic).binary(will.payload)
  }
  if (username !== undefined) writer.string(username)
  if (password !== undefined) writer.binary(password)
  return writer.packet(packetTypes.connect)
}

export function encodeConnack(version: ProtocolVersion, packet: Omit<ConnackPacket, 'type'>): Buffer {
  const writer = new Writer().byte(packet.sessionPresent ? 1 : 0).byte(packet.code)
  if (version === 5) writer.properties(packet.properties)
  return writer.packet(packetTypes.connack)
}

export function encodePublish(version: ProtocolVersion, packet: Omit<PublishPacket, 'type'>): Buffer {
  const writer = new Writer().string(packet.topic)
  if (packet.qos > 0) writer.uint16(packet.packetId)
  if (version === 5) writer.properties(packet.properties)
  writer.bytes(packet.payload)
  return writer.packet(packetTypes.publish | (packet.dup ? 8 : 0) | (packet.qos << 1) | (packet.retain ? 1 : 0))
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP. The code is left out where it is 0, as both versions allow. */
export function encodeAck(version: ProtocolVersion, type: AckPacket['type'], packetId: number, code = 0): Buffer {
  const writer = new Writer().uint16(packetId)
  if (version === 5 && code !== 0) writer.byte(code)
  return writer.packet(type === 'pubrel' ? packetTypes.pubrel | 2 : packetTypes[type])
}

export function encodeSubscribe(version: ProtocolVersion, packet: Omit<SubscribePacket, 'type'>): Buffer {
  const writer = new Writer().uint16(packet.packetId)
  if (version === 5) writer.properties(undefined)
  for (const { filter, qos, retainAsPublished, retainHandling } of packet.subscriptions) {
    const extra = version === 5 ? (retainAsPublished === true ? 8 : 0) | ((retainHandling ?? 0) << 4) : 0
    writer.string(filter).byte(qos | extra)
  }
  return writer.packet(packetTypes.subscribe | 2)
}

export function encodeUnsubscribe(version: ProtocolVersion, packet: Omit<UnsubscribePacket, 'type'>): Buffer {
  const writer = new Writer().uint16(packet.packetId)
  if (version === 5) writer.properties(undefined)
  for (const filter of packet.filters) writer.string(filter)
  return writer.packet(packetTypes.unsubscribe | 2)
}

export function encodeSuback(
  version: ProtocolVersion,
  type: SubackPacket['type'],
  packetId: number,
  codes: readonly number[],
): Buffer {
  const writer = new Writer().uint16(packetId)
  if (version === 5) writer.properties(undefined)
  // MQTT 3.1.1's UNSUBACK has no payload.
  if (version === 5 || type === 'suback') writer.bytes(Buffer.from(codes))
  return writer.packet(packetTypes[type])
}

/** MQTT 3.1.1 knows no reason, and no DISCONNECT from the server at all. */
export function encodeDisconnect(version: ProtocolVersion, code = 0): Buffer {
  return version === 5 && code !== 0 ? Buffer.of(packetTypes.disconnect, 1, code) : Buffer.of(packetTypes.disconnect, 0)
}

export const pingRequest: Buffer = Buffer.of(packetTypes.pingreq, 0)
export const pingResponse: Buffer = Buffer.of(packetTypes.pingresp, 0)

/**
 * Collects the acknowledgements that become due together, so that they leave in one write. Not a byte is allocated
 * for each but the four or five on the wire.
 */
export class AckBuffer {
  #bytes: Buffer = Buffer.alloc(0)
  #length = 0

  add(version: ProtocolVersion, type: 'puback' | 'pubrec' | 'pubcomp', packetId: number, code = 0): void {
    if (this.#length + 5 > this.#bytes.length) this.#grow()
    const bytes = this.#bytes
    let at = this.#length
    const withCode = version === 5 && code !== 0
    bytes[at++] = packetTypes[type]
    bytes[at++] = withCode ? 3 : 2
    bytes[at++] = packetId >> 8
    bytes[at++] = packetId & 0xff
    if (withCode) bytes[at++] = code
    this.#length = at
  }

  #grow(): void {
    const larger = Buffer.allocUnsafe(Math.max(256, this.#bytes.length * 2))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }

  /** What was added since the last call, for one write; undefined when there is nothing. */
  take(): Buffer | undefined {
    if (this.#length === 0) return undefined
    const taken = this.#bytes.subarray(0, this.#length)
    // The socket keeps what it was given until it is written, so the next round starts with bytes of its own.
    this.#bytes = this.#bytes.subarray(this.#length)
    this.#length = 0
    return taken
  }
}
