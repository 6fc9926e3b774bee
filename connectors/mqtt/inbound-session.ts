import type { BrokerLink } from './broker-link.ts'
import type { PublishPacket } from './packet.ts'

interface Message {
  readonly qos: 1 | 2
  /** `pending`: on its way to the log. `durable`: in the log, acknowledgement owed. `received`: QoS 2 after PUBREC. */
  state: 'pending' | 'durable' | 'received'
  /** The connection on which it last came. */
  link: BrokerLink
}

/**
 * The receiving half of an MQTT session, over as many connections as it lasts: which QoS 1 and 2 messages came and are
 * not yet settled. A message that the broker repeats after a lost connection is known here and not taken twice.
 *
 * What is withheld until a message is in the log: PUBACK for QoS 1, PUBREC for QoS 2. PUBREC, because on it the broker
 * forgets the payload.
 */
export class InboundSession {
  readonly #messages = new Map<number, Message>()
  #generation = 0

  /** The broker knows nothing of this session: what it was owed is owed no more. */
  reset(): void {
    this.#messages.clear()
    this.#generation = (this.#generation + 1) & 0xfff
  }

  /**
   * A message has come. Answers the ticket for {@link InboundSession.settle} when it is to be taken, undefined when it
   * is a repetition of one that was.
   */
  arrive(packet: PublishPacket, link: BrokerLink): number | undefined {
    const known = this.#messages.get(packet.packetId)
    if (known !== undefined && (packet.dup || known.qos === 2)) {
      known.link = link
      if (known.state === 'durable') this.#acknowledge(packet.packetId, known, 0)
      else if (known.state === 'received') link.acknowledge('pubrec', packet.packetId)
      return undefined
    }
    this.#messages.set(packet.packetId, { qos: packet.qos === 2 ? 2 : 1, state: 'pending', link })
    return packet.packetId | (this.#generation << 16)
  }

  /**
   * A message is in the log, or was refused with a code. It is acknowledged on the connection it came on last; if that
   * is gone, when the broker repeats it.
   * @returns the connection to flush
   */
  settle(ticket: number, current: BrokerLink | undefined, code = 0): void {
    if (ticket >>> 16 !== this.#generation) return
    const packetId = ticket & 0xffff
    const message = this.#messages.get(packetId)
    if (message?.state !== 'pending') return
    message.state = 'durable'
    if (message.link === current) this.#acknowledge(packetId, message, code)
  }

  #acknowledge(packetId: number, message: Message, code: number): void {
    if (message.qos === 1) {
      message.link.acknowledge('puback', packetId, code)
      this.#messages.delete(packetId)
      return
    }
    message.link.acknowledge('pubrec', packetId, code)
    if (code >= 0x80) this.#messages.delete(packetId)
    else message.state = 'received'
  }

  /** The broker released a QoS 2 message: its identifier is free again. */
  release(packetId: number, link: BrokerLink): void {
    const known = this.#messages.get(packetId)
    if (known?.state === 'received') this.#messages.delete(packetId)
    link.acknowledge('pubcomp', packetId)
  }
}
