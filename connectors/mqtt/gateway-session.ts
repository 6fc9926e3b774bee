import type { MessageOrigin } from './ingest-queue.ts'
import type { Will } from './packet.ts'

/** What a session, and the gateway, need of a connection. */
export interface SessionConnection extends MessageOrigin {
  /** A QoS 2 message of this session is in the log, whichever connection it came on: PUBREC with the next flush. */
  acknowledgeReceipt(packetId: number, code: number): void
  /** Ends the connection with a reason, which MQTT 5 devices are told. */
  end(code: number, text: string): void
}

/**
 * What outlives a device's connection: which QoS 2 messages it has handed over but not released. (A gateway has no
 * subscriptions to remember.) It lives in memory: after a restart of the task a device is told that there is none.
 */
export class GatewaySession {
  readonly clientId: string
  connection: SessionConnection | undefined
  /** Kept this long after the connection is gone. 0: ends with it. */
  expirySeconds = 0
  /** When a session without a connection ends, in the gateway's ticks. */
  expiresAt = 0
  /**
   * QoS 2 packet identifiers between PUBLISH and PUBREL. `pending`: on the way to the log, so a repetition is neither
   * taken again nor answered yet. `received`: in the log; a repetition is answered and not taken again.
   */
  readonly exactlyOnce = new Map<number, 'pending' | 'received'>()
  /** A will whose delay runs (MQTT 5). */
  delayedWill: { will: Will; dueAt: number } | undefined

  constructor(clientId: string) {
    this.clientId = clientId
  }
}
