/**
 * What happens to a record that cannot be dealt with: `errors.*`, with Kafka Connect's names and meaning. Sources have
 * dead letters too, which Kafka Connect does not give them.
 */
import { ConnectError, DataError, isErrorKind, isRetriable } from '@tidewire/sdk'
import type { OutHeader } from '../client/client.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { SourceForm } from './dead-letter.ts'
import { backoffMs, pause } from './time-limit.ts'

/** Where in a record's way the error arose; Kafka Connect's names. */
export type Stage =
  | 'TASK_POLL'
  | 'TASK_PUT'
  | 'TRANSFORMATION'
  | 'KEY_CONVERTER'
  | 'VALUE_CONVERTER'
  | 'HEADER_CONVERTER'
  | 'KAFKA_PRODUCE'
  | 'KAFKA_CONSUME'

/** A record that failed. Of a source's record, partition and offset are those of the source, as text. */
export interface FailedRecord {
  readonly stage: Stage
  /** What failed: the converter, the connector. */
  readonly operation: string
  /** Where a transform failed: the setting that names it, since there may be several of one type. */
  readonly setting?: string | undefined
  readonly error: unknown
  readonly topic: string
  readonly partition?: number | string | undefined
  readonly offset?: number | string | undefined
  readonly timestamp?: number | undefined
  /** The record as it was, for the dead letter topic. Called only if there is one. */
  readonly bytes: () => RecordBytes
}

export interface RecordBytes {
  readonly key: Uint8Array | string | null
  readonly value: Uint8Array | string | null
  readonly headers: readonly OutHeader[]
  /** Of a source's record: what it takes to make it again from these bytes. */
  readonly source?: SourceForm
}

/** Where the records go that are passed over. */
export interface DeadLetters {
  /** Resolves when the record is in the log. */
  send(failed: FailedRecord): Promise<void>
  close(): Promise<void>
}

export interface ErrorPolicyOptions {
  /** `errors.tolerance`. */
  readonly tolerance: 'none' | 'all'
  /** Lets go of records that are not to blame as well: where failures are only noted. */
  readonly passesBlameless?: true
  /** `errors.retry.timeout`: 0 for no retries, -1 for ever. */
  readonly retryTimeoutMs: number
  /** `errors.retry.delay.max.ms`. */
  readonly retryDelayMaxMs: number
  /** `errors.log.enable`. */
  readonly log: boolean
  /** `errors.log.include.messages`. */
  readonly logMessages: boolean
  readonly deadLetters?: DeadLetters | undefined
  readonly logger: Logger
}

/** Kafka Connect's first pause between retries. */
const firstRetryMs = 300

/** See the head of the file. */
export class ErrorPolicy {
  readonly #options: ErrorPolicyOptions

  constructor(options: ErrorPolicyOptions) {
    this.#options = options
  }

  /** Whether records that are passed over go to a dead letter topic. */
  get hasDeadLetters(): boolean {
    return this.tolerant && this.#options.deadLetters !== undefined
  }

  /** Whether a record may be passed over. */
  get tolerant(): boolean {
    return this.#options.tolerance === 'all'
  }

  /**
   * Lets go of a record, if errors are tolerated. The promise, if there is one, resolves when the dead letter is in the
   * log: until then the record must not count as dealt with.
   * @throws ConnectError that fails the task, where they are not, or where the record is not to blame
   */
  handle(failed: FailedRecord): Promise<void> | undefined {
    const { tolerance, passesBlameless, log, logger, deadLetters } = this.#options
    const fails = tolerance === 'none' || (passesBlameless !== true && isBlameless(failed))
    if (log) {
      const fate = fails ? 'and its task with it' : 'and is passed over'
      logger.error(`a record failed, ${fate}`, this.#details(failed))
    }
    // No dead letter: the record is read again when the task is, and would be there twice.
    if (fails) throw failure(failed, tolerance)
    return deadLetters?.send(failed)
  }

  /**
   * Runs a conversion, again and again while it fails in passing and `errors.retry.timeout` allows.
   * @throws what the last attempt threw
   */
  async attempt<T>(run: () => T | Promise<T>, signal: AbortSignal): Promise<T> {
    const { retryTimeoutMs, retryDelayMaxMs } = this.#options
    const deadline = retryTimeoutMs < 0 ? Infinity : performance.now() + retryTimeoutMs
    for (let failures = 1; ; failures++) {
      try {
        return await run()
      } catch (error) {
        if (!isRetriable(error) || performance.now() >= deadline || signal.aborted) throw error
        const waitMs = Math.min(backoffMs(failures, firstRetryMs, retryDelayMaxMs), deadline - performance.now())
        await pause(waitMs, signal)
      }
    }
  }

  /** When the task has ended. */
  async close(): Promise<void> {
    await this.#options.deadLetters?.close()
  }

  #details(failed: FailedRecord): Record<string, unknown> {
    const { stage, operation, setting, error, topic, partition, offset, timestamp } = failed
    const details = { stage, operation, setting, error: error instanceof Error ? error.stack : String(error) }
    return this.#options.logMessages ? { ...details, topic, partition, offset, timestamp } : details
  }
}

/**
 * Whether a converter or a transform failed over what has nothing to do with the record: a schema registry is away, or does
 * not let it in. Every other record would fail as this one did; to pass them over would empty the topic into the dead letters.
 */
function isBlameless({ stage, error }: FailedRecord): boolean {
  const isConversion = stage.endsWith('_CONVERTER') || stage === 'TRANSFORMATION'
  return isConversion && (isRetriable(error) || isErrorKind(error, 'ConfigError'))
}

/** The error that a task fails with over one record. Not to be restarted, unless the cause may pass. */
function failure(failed: FailedRecord, tolerance: 'none' | 'all'): ConnectError {
  const { stage, operation, setting, error, topic, partition, offset } = failed
  const place = [
    `topic ${topic}`,
    ...(partition === undefined ? [] : [`partition ${partition}`]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
  ].join(', ')
  const reason = messageOf(error)
  const why = tolerance === 'none' ? ', and errors.tolerance is none' : ', for which it is not to blame'
  const at = setting === undefined ? operation : `${operation}, ${setting}`
  const message = `record (${place}) failed at ${stage} (${at})${why}: ${reason}`
  return isRetriable(error) ? new ConnectError(message, { cause: error }) : new DataError(message, { cause: error })
}
