import type { LogClient, OutHeader, Producer, ProducerOptions } from '../client/client.ts'
import { LogError } from '../client/client.ts'
import { originHeader } from './dead-letter.ts'
import type { DeadLetters, FailedRecord } from './error-policy.ts'
import { createTopic } from './internal-topics.ts'

export interface DeadLetterOptions {
  readonly client: Pick<LogClient, 'admin' | 'producer'>
  readonly producerOptions?: ProducerOptions
  /** `errors.deadletterqueue.topic.name`. */
  readonly topic: string
  /** `errors.deadletterqueue.topic.replication.factor`; undefined: 3, or the broker's default where it has fewer. */
  readonly replicationFactor: number | undefined
  /** `errors.deadletterqueue.context.headers.enable`. */
  readonly contextHeaders: boolean
  readonly connector: string
  readonly task: number
  /** Takes secrets out of what an error says. */
  readonly scrub: (error: unknown) => unknown
}

/**
 * Writes failed records, as they were, to the dead letter topic, with Kafka Connect's `__connect.errors.*` headers if
 * asked for, and always with one header that says where they belong (see dead-letter.ts), so that they can be put back.
 * The topic is made with one partition when the first record fails.
 */
export class DeadLetterQueue implements DeadLetters {
  readonly #options: DeadLetterOptions
  #producer: Promise<Producer> | undefined

  constructor(options: DeadLetterOptions) {
    this.#options = options
  }

  /**
   * Resolves when the record is in the log.
   * @throws LogError when the log does not take it: it must not be lost, so the task fails
   */
  async send(given: FailedRecord): Promise<void> {
    const failed = { ...given, error: this.#options.scrub(given.error) }
    this.#producer ??= this.#open()
    const producer = await this.#producer
    const bytes = failed.bytes()
    const { key, value, headers } = bytes
    const origin = originHeader(this.#options.connector, failed, bytes)
    const { failures } = await producer.produce([
      {
        topic: this.#options.topic,
        key,
        value,
        headers: [...headers, ...(this.#options.contextHeaders ? this.#context(failed) : []), origin],
        timestamp: failed.timestamp !== undefined && failed.timestamp >= 0 ? failed.timestamp : undefined,
      },
    ])
    const [refused] = failures
    if (refused === undefined) return
    const { code, message } = refused.error
    throw new LogError(code, `dead letter topic ${this.#options.topic}: ${message}`, {
      retriable: refused.error.retriable,
      cause: refused.error,
    })
  }

  async close(): Promise<void> {
    const producer = await this.#producer?.catch(() => undefined)
    await producer?.close()
  }

  async #open(): Promise<Producer> {
    const { client, producerOptions, topic, replicationFactor } = this.#options
    const { admin } = client
    if ((await admin.topics([topic])).length === 0) {
      await createTopic(admin, { topic, partitions: 1 }, replicationFactor)
    }
    return client.producer({ deliveryTimeoutMs: 0, ...producerOptions })
  }

  #context(failed: FailedRecord): OutHeader[] {
    const { error } = failed
    const thrown = error instanceof Error ? error : new Error(String(error))
    const context: readonly (readonly [string, string | number | undefined])[] = [
      ['topic', failed.topic],
      ['partition', failed.partition],
      ['offset', failed.offset],
      ['connector.name', this.#options.connector],
      ['task.id', this.#options.task],
      ['stage', failed.stage],
      ['class.name', failed.operation],
      ['exception.class.name', thrown.name],
      ['exception.message', thrown.message],
      ['exception.stacktrace', thrown.stack],
    ]
    return context.map(([name, value]) => ({
      key: `__connect.errors.${name}`,
      value: value === undefined ? null : String(value),
    }))
  }
}
