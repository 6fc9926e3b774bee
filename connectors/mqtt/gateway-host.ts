import type { Logger } from '@tidewire/sdk'
import type { GatewaySession, SessionConnection } from './gateway-session.ts'
import type { IngestQueue } from './ingest-queue.ts'
import type { Mapping } from './mapping.ts'
import type { ConnectPacket, Will } from './packet.ts'
import type { PayloadFormat } from './record.ts'

export interface GatewayLimits {
  readonly maxConnections: number
  readonly maxPacketSize: number
  readonly receiveMaximum: number
  readonly connectTimeoutSeconds: number
  readonly sessionExpirySeconds: number
}

/** The gateway, as its connections see it. */
export interface GatewayHost {
  readonly queue: IngestQueue
  readonly mapping: Mapping
  readonly payloadFormat: PayloadFormat
  /** Whether payloads that are not of the format go to a dead letter topic. */
  readonly deadLetters: boolean
  readonly limits: GatewayLimits
  readonly log: Logger
  /** Seconds since the start: one timer for all that has to happen in time. */
  readonly tick: number
  /** Nothing is read any more. */
  readonly stopping: boolean
  /** Why a device may not connect, with MQTT 5's code; undefined when it may. */
  refusal(packet: ConnectPacket): { code: number; text: string } | undefined
  /** Gives a connection its session, and takes that from an older connection of the same device. */
  attach(connection: SessionConnection, packet: ConnectPacket): { session: GatewaySession; present: boolean }
  /** A connection is gone. */
  detach(connection: SessionConnection, session: GatewaySession | undefined, will: Will | undefined): void
  /** Longest time to keep a session that a device asks so many seconds for. */
  sessionExpiry(wantedSeconds: number): number
  /** Logs what devices did wrong, but lets none of them fill the log. */
  warn(message: string, details: Readonly<Record<string, unknown>>): void
}
