/**
 * Devices that publish as fast as they are answered, or at a fixed rate: a child process of its own, with hardly any
 * work of its own a message, so that the server is what is measured. Prints one line of JSON.
 */
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { encodeConnect, encodePublish } from '../../connectors/mqtt/packet-encoder.ts'

export interface PublisherOptions {
  readonly port: number
  readonly connections: number
  /** Unacknowledged messages that each connection has on its way. */
  readonly window: number
  readonly payloadBytes: number
  readonly messages: number
  /** Messages a second over all connections; 0: as fast as they are acknowledged. */
  readonly rate: number
}

export interface PublisherResult {
  readonly messages: number
  readonly seconds: number
  /** PUBLISH to PUBACK, in ms. */
  readonly p50: number
  readonly p99: number
  readonly max: number
}

const maxSamples = 500_000

class Device {
  readonly #socket: Socket
  readonly #packet: Buffer
  readonly #idAt: number
  readonly #sentAt = new Float64Array(65_536)
  readonly #latencies: number[]
  #nextId = 1
  #rest: Buffer = Buffer.alloc(0)
  inFlight = 0
  onAcknowledged: (count: number) => void = () => undefined

  constructor(socket: Socket, index: number, payload: Buffer, latencies: number[]) {
    this.#socket = socket
    this.#latencies = latencies
    const topic = `sensors/device-${index}/reading`
    this.#packet = encodePublish(4, { topic, qos: 1, dup: false, retain: false, packetId: 1, payload })
    this.#idAt = this.#packet.length - payload.length - 2
    socket.on('data', (chunk) => {
      this.#receive(chunk as Buffer)
    })
  }

  publish(count: number): void {
    if (count <= 0) return
    const { length } = this.#packet
    const bytes = Buffer.allocUnsafe(length * count)
    const now = performance.now()
    for (let index = 0; index < count; index++) {
      const id = this.#nextId
      this.#nextId = id === 65_535 ? 1 : id + 1
      this.#packet.copy(bytes, index * length)
      bytes.writeUInt16BE(id, index * length + this.#idAt)
      // For a reader of the topic, to know when each was published.
      bytes.writeDoubleBE(performance.timeOrigin + now, index * length + this.#idAt + 2)
      this.#sentAt[id] = now
    }
    this.inFlight += count
    this.#socket.write(bytes)
  }

  #receive(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    const now = performance.now()
    let at = 0
    let acknowledged = 0
    for (; at + 4 <= bytes.length; at += 4) {
      if (bytes[at] !== 0x40) throw new Error(`expected a PUBACK, got ${bytes[at]}`)
      if (this.#latencies.length < maxSamples) this.#latencies.push(now - this.#sentAt[bytes.readUInt16BE(at + 2)]!)
      acknowledged++
    }
    this.#rest = bytes.subarray(at)
    this.inFlight -= acknowledged
    this.onAcknowledged(acknowledged)
  }
}

async function openDevice(port: number, index: number, payload: Buffer, latencies: number[]): Promise<Device> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    encodeConnect({
      type: 'connect',
      protocolLevel: 4,
      cleanStart: true,
      keepAliveSeconds: 0,
      clientId: `bench-${index}`,
    }),
  )
  await once(socket, 'data')
  return new Device(socket, index, payload, latencies)
}

async function run(options: PublisherOptions): Promise<PublisherResult> {
  const latencies: number[] = []
  const payload = Buffer.alloc(options.payloadBytes, '{"temperature":21.5}')
  const devices: Device[] = []
  for (let index = 0; index < options.connections; index++) {
    devices.push(await openDevice(options.port, index, payload, latencies))
  }
  let toSend = options.messages
  let toAcknowledge = options.messages
  const done = new Promise<void>((resolve) => {
    for (const device of devices) {
      device.onAcknowledged = (count) => {
        toAcknowledge -= count
        if (toAcknowledge === 0) resolve()
        if (options.rate > 0) return
        const more = Math.min(count, toSend)
        toSend -= more
        device.publish(more)
      }
    }
  })
  const start = performance.now()
  if (options.rate > 0) {
    for (let sent = 0; sent < options.messages;) {
      const due = Math.min(options.messages, Math.floor(((performance.now() - start) / 1000) * options.rate))
      for (; sent < due; sent++) devices[sent % devices.length]!.publish(1)
      await sleep(1)
    }
  } else {
    for (const device of devices) {
      const first = Math.min(options.window, toSend)
      toSend -= first
      device.publish(first)
    }
  }
  await done
  const seconds = (performance.now() - start) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))]!
  return { messages: options.messages, seconds, p50: at(0.5), p99: at(0.99), max: latencies.at(-1)! }
}

if (import.meta.main) {
  const result = await run(JSON.parse(process.argv[2]!) as PublisherOptions)
  process.stdout.write(JSON.stringify(result), () => process.exit(0))
}
