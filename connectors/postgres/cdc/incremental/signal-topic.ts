import {
  isRetriable,
  type ConnectError,
  type FollowedRecord,
  type SourceOffset,
  type SourcePartition,
} from '@tidewire/sdk'
import { problemOf } from '../../link/errors.ts'
import type { Capture } from '../capture.ts'
import { signalTopic } from './settings.ts'
import { parseSignal, type Signal } from './signal.ts'

/** Under which it is stored how far the topic was read. */
const topicPartition = (prefix: string, topic: string): SourcePartition => ({ server: prefix, signals: topic })

/** More of a topic is not kept waiting. */
const maxWaitingBytes = 262_144
/** A signal that was sent as long before the connector began for the first time was meant for another one. */
const sentBeforeMs = 60_000

/** The signals of the topic `signal.kafka.topic`, each of them once. */
export class SignalTopic {
  readonly #capture: Capture
  readonly #topic: string
  readonly #wake: () => void
  readonly #waiting: FollowedRecord[] = []
  #waitingBytes = 0
  #roomMade: (() => void) | undefined
  #offset: number
  /** Signals that were sent before this time, milliseconds since 1970, are not for us. */
  readonly #since: number
  #isChanged: boolean
  #failure: ConnectError | undefined

  private constructor(capture: Capture, topic: string, wake: () => void, stored: SourceOffset | undefined) {
    this.#capture = capture
    this.#topic = topic
    this.#wake = wake
    this.#offset = Number(stored?.['offset'] ?? -1)
    this.#since = Number(stored?.['since'] ?? Date.now() - sentBeforeMs)
    this.#isChanged = stored === undefined
  }

  /**
   * Begins to read where the last task ended.
   * @param wake called when there is something to take
   * @returns undefined: there is no such topic in the config
   */
  static async follow(capture: Capture, wake: () => void): Promise<SignalTopic | undefined> {
    const { config, context } = capture
    const topic = signalTopic(config)
    if (topic === undefined) return undefined
    const stored = await context.offsets.get(topicPartition(config['topic.prefix'], topic))
    const signals = new SignalTopic(capture, topic, wake, stored)
    // The stream need not wait for it.
    void context
      .followTopic(topic, signals.#offset + 1, (record) => signals.#arrived(record))
      .catch((error: unknown) => {
        signals.#failed(error)
      })
    return signals
  }

  /**
   * The signals that have come since.
   * @throws ConnectError where the topic cannot be read, and that may pass
   */
  take(): Signal[] {
    if (this.#failure !== undefined) throw this.#failure
    const signals = this.#waiting.splice(0).flatMap((record) => {
      this.#offset = record.offset
      this.#isChanged = true
      return this.#signalOf(record) ?? []
    })
    this.#waitingBytes = 0
    this.#roomMade?.()
    this.#roomMade = undefined
    return signals
  }

  /** How far the topic was read, if that has changed. */
  takeOffset(): { partition: SourcePartition; offset: SourceOffset } | undefined {
    if (!this.#isChanged) return undefined
    this.#isChanged = false
    return {
      partition: topicPartition(this.#capture.config['topic.prefix'], this.#topic),
      offset: { offset: this.#offset, since: this.#since },
    }
  }

  #arrived(record: FollowedRecord): void | Promise<void> {
    this.#waiting.push(record)
    this.#waitingBytes += record.value?.length ?? 0
    this.#wake()
    if (this.#waitingBytes < maxWaitingBytes) return
    return new Promise((resolve) => (this.#roomMade = resolve))
  }

  #failed(error: unknown): void {
    const { context } = this.#capture
    if (context.signal.aborted) return
    if (isRetriable(error)) {
      this.#failure = problemOf(error, `reading signals from topic ${this.#topic}`)
      this.#wake()
    } else {
      context.log.warn(`signals are not taken from topic ${this.#topic}: ${String(error)}`)
    }
  }

  #signalOf({ key, value, offset, timestamp }: FollowedRecord): Signal | undefined {
    const { config, context } = this.#capture
    const keyText = key === null ? '' : Buffer.from(key).toString()
    // As it is, or as the JSON text that a converter makes of it.
    if (keyText !== config['topic.prefix'] && keyText !== JSON.stringify(config['topic.prefix'])) return undefined
    if (value === null || timestamp < this.#since) return undefined
    try {
      const { id, type, data } = JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>
      if (typeof type !== 'string') throw new TypeError('it has no "type"')
      context.log.info('a signal has come', { topic: this.#topic, offset, id, type })
      return parseSignal(type, data)
    } catch (error) {
      context.log.warn(`the signal at offset ${offset} of topic ${this.#topic} is passed over: ${String(error)}`)
      return undefined
    }
  }
}
