import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { until } from '../../../test/support/until.ts'
import type { ConnectPacket, Packet, PublishPacket } from '../packet.ts'
import { PacketDecoder } from '../packet-decoder.ts'
import { encodeConnect, encodePublish } from '../packet-encoder.ts'

/** A device in full control of its bytes, for what a proper client would never do. */
export class RawDevice {
  readonly received: Packet[] = []
  closed = false
  readonly socket: Socket
  readonly #decoder = new PacketDecoder(1 << 20)

  private constructor(socket: Socket, version: 4 | 5) {
    this.socket = socket
    this.#decoder.version = version
    socket.on('data', (chunk) => {
      this.#decoder.push(chunk as Buffer)
      for (let packet = this.#decoder.next(); packet !== undefined; packet = this.#decoder.next()) {
        this.received.push(packet)
      }
    })
    socket.on('error', () => undefined)
    socket.on('close', () => {
      this.closed = true
    })
  }

  static async open(port: number, version: 4 | 5 = 4): Promise<RawDevice> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'connect')
    return new RawDevice(socket, version)
  }

  /** Connected as MQTT has it. */
  static async connect(port: number, version: 4 | 5, options: Partial<ConnectPacket> = {}): Promise<RawDevice> {
    const device = await RawDevice.open(port, version)
    device.send(connectBytes(version, options))
    await device.untilPacket('connack')
    return device
  }

  send(bytes: Buffer | string): void {
    this.socket.write(bytes)
  }

  async untilPacket<T extends Packet['type']>(type: T): Promise<Extract<Packet, { type: T }>> {
    return await until(`a ${type}`, () => {
      const found = this.received.findIndex((packet) => packet.type === type)
      if (found >= 0) return this.received.splice(found, 1)[0] as Extract<Packet, { type: T }>
      if (this.closed) throw new Error(`closed before a ${type}; got ${JSON.stringify(this.received)}`)
      return undefined
    })
  }

  async untilClosed(): Promise<void> {
    await until('the connection to be closed', () => this.closed)
  }
}

export function connectBytes(version: 4 | 5, options: Partial<ConnectPacket> = {}): Buffer {
  return encodeConnect({
    type: 'connect',
    protocolLevel: version,
    cleanStart: true,
    keepAliveSeconds: 60,
    clientId: 'raw',
    ...options,
  })
}

export function publishBytes(version: 4 | 5, options: Partial<PublishPacket> = {}): Buffer {
  return encodePublish(version, {
    topic: 'sensors/raw/x',
    qos: 1,
    dup: false,
    retain: false,
    packetId: 1,
    payload: Buffer.from('x'),
    ...options,
  })
}
