import { setTimeout as sleep } from 'node:timers/promises'
import type { LogClient, Producer } from '../client/client.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import { createTopic } from '../worker/internal-topics.ts'

/** A write by REST: who, what, from where, and what came of it. Never what was in it: that may be secret. */
export interface AuditRecord {
  /** When it was answered, ISO 8601. */
  readonly time: string
  /** The name of the request; what it wrote into the config topic has the same in a header. */
  readonly request: string
  /** Null where there is no access control. */
  readonly user: string | null
  readonly login: string
  readonly role: string | null
  /** Of the client. */
  readonly address: string
  readonly method: string
  /** With no query. */
  readonly path: string
  /** What of the query says what was done, such as dryRun. */
  readonly query?: Readonly<Record<string, string>>
  readonly connector?: string
  /** Of the answer. */
  readonly status: number
  /** The worker that the client asked. */
  readonly worker: string
}

export interface AuditLogOptions {
  readonly client: LogClient
  readonly config: Pick<WorkerConfig, 'audit.topic' | 'audit.topic.replication.factor' | 'audit.topic.retention.ms'>
  readonly logger: Logger
}

/** Of records that wait to be written. */
const maxWaitingBytes = 1024 * 1024
const firstPauseMs = 100
const maxPauseMs = 30_000
const closeLimitMs = 2000

/**
 * Writes the audit topic, in the background: no answer waits for it. What waits is bounded; what finds no room is counted,
 * and the count goes into the log and, once there is room, into the topic. The topic is made with the first record.
 */
export class AuditLog {
  readonly #options: AuditLogOptions
  readonly #stop = new AbortController()
  #producer: Producer | undefined
  #waiting: string[] = []
  #waitingBytes = 0
  #lost = 0
  #writing: Promise<void> | undefined

  constructor(options: AuditLogOptions) {
    this.#options = options
  }

  get isOn(): boolean {
    return this.#options.config['audit.topic'] !== ''
  }

  record(record: AuditRecord): void {
    if (!this.isOn || this.#stop.signal.aborted) return
    const text = JSON.stringify(record)
    if (this.#waitingBytes + text.length > maxWaitingBytes) {
      if (this.#lost++ === 0) {
        this.#options.logger.error('audit records are being lost: the topic cannot be written', this.#topic)
      }
      return
    }
    this.#waiting.push(text)
    this.#waitingBytes += text.length
    this.#writing ??= this.#write()
  }

  /** Writes what waits, for a short time at most. */
  async close(): Promise<void> {
    await Promise.race([this.#writing, sleep(closeLimitMs, undefined, { ref: false })])
    this.#stop.abort()
    const left = this.#waiting.length + this.#lost
    if (left > 0) this.#options.logger.error('audit records are lost', { ...this.#topic, records: left })
    await this.#producer?.close().catch(() => undefined)
  }

  get #topic(): { topic: string } {
    return { topic: this.#options.config['audit.topic'] }
  }

  async #write(): Promise<void> {
    const { logger } = this.#options
    for (let failures = 0; this.#waiting.length > 0 && !this.#stop.signal.aborted;) {
      const batch = [...this.#waiting]
      try {
        await this.#produce(batch)
        failures = 0
        this.#waiting.splice(0, batch.length)
        this.#waitingBytes -= batch.reduce((sum, text) => sum + text.length, 0)
        this.#tellLost()
      } catch (error) {
        if (failures === 0) {
          logger.warn('cannot write to the audit topic; trying again', { ...this.#topic, error: messageOf(error) })
        }
        const pauseMs = Math.min(firstPauseMs * 2 ** failures++, maxPauseMs)
        await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => undefined)
      }
    }
    this.#writing = undefined
  }

  #tellLost(): void {
    if (this.#lost === 0) return
    const lost = this.#lost
    this.#lost = 0
    this.#options.logger.error('audit records were lost', { ...this.#topic, records: lost })
    const text = JSON.stringify({ time: new Date().toISOString(), lost })
    this.#waiting.push(text)
    this.#waitingBytes += text.length
  }

  async #produce(batch: readonly string[]): Promise<void> {
    const producer = (this.#producer ??= await this.#open())
    const { topic } = this.#topic
    const { failures } = await producer.produce(batch.map((value) => ({ topic, key: null, value })))
    if (failures[0] !== undefined) throw failures[0].error
  }

  async #open(): Promise<Producer> {
    const { client, config } = this.#options
    const { topic } = this.#topic
    if ((await client.admin.topics([topic])).length === 0) {
      const retention = String(config['audit.topic.retention.ms'])
      const settings = { 'cleanup.policy': 'delete', 'retention.ms': retention }
      await createTopic(
        client.admin,
        { topic, partitions: 1, config: settings },
        config['audit.topic.replication.factor'],
      )
    }
    return client.producer()
  }
}
