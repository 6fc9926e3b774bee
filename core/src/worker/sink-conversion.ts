/**
 * The convert step of a sink: bytes → records, in one synchronous loop for as long as the converters answer at once. A
 * record that fails follows the error policy.
 */
import {
  isRetriable,
  type Header,
  type Schema,
  type SchemaAndValue,
  type SinkRecord,
  type TopicPartition,
} from '@tidewire/sdk'
import type { InHeader, InRecord } from '../client/client.ts'
import type { ErrorPolicy, FailedRecord, Stage } from './error-policy.ts'
import { convertEach, isPending, type RecordConverters } from './record-converters.ts'

/** Records of one topic partition. */
export interface Slice extends TopicPartition {
  readonly records: readonly InRecord[]
  readonly from: number
  readonly to: number
}

const noHeaders: readonly Header[] = []
/** Of dead letters that were not waited for. */
const maxLetterBytes = 1024 * 1024
/** What a letter has beside key and value, roughly: headers, a stack trace among them. */
const letterOverheadBytes = 2048

/**
 * A record with the bytes that it was made from, for its dead letter: they are held for as long as the sink holds the
 * record, which may be long after `put`. A private field, so that the sink sees a plain record.
 */
class ConvertedRecord implements SinkRecord {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  readonly key: unknown
  readonly keySchema: Schema | undefined
  readonly value: unknown
  readonly valueSchema: Schema | undefined
  readonly headers: readonly Header[]
  readonly timestamp: number
  readonly #original: InRecord | undefined

  constructor(
    topic: string,
    partition: number,
    record: InRecord,
    key: SchemaAndValue,
    value: SchemaAndValue,
    headers: readonly Header[],
    keepsOriginal: boolean,
  ) {
    this.topic = topic
    this.partition = partition
    this.offset = record.offset
    this.key = key.value
    this.keySchema = key.schema
    this.value = value.value
    this.valueSchema = value.schema
    this.headers = headers
    this.timestamp = record.timestamp
    this.#original = keepsOriginal ? record : undefined
  }

  static originalOf(record: SinkRecord): InRecord | undefined {
    return #original in record ? record.#original : undefined
  }
}

/** The bytes of a record that a conversion gave, where errors are tolerated; undefined for a copy of it. */
export const originalOf = (record: SinkRecord): InRecord | undefined => ConvertedRecord.originalOf(record)

/** See the head of the file. */
export class SinkConversion {
  readonly #converters: RecordConverters
  readonly #policy: ErrorPolicy
  readonly #signal: AbortSignal
  #deadLetters: Promise<void>[] = []
  /** Of those letters. */
  #letterBytes = 0

  constructor(converters: RecordConverters, policy: ErrorPolicy, signal: AbortSignal) {
    this.#converters = converters
    this.#policy = policy
    this.#signal = signal
  }

  /** Appends the slice's records to `into`. @throws ConnectError when a record fails and errors are not tolerated */
  convert(slice: Slice, into: SinkRecord[]): void | Promise<void> {
    const { topic, partition, records } = slice
    const keepsOriginals = this.#policy.tolerant
    const key = this.#converters.key.converter
    const value = this.#converters.value.converter
    for (let i = slice.from; i < slice.to; i++) {
      const record = records[i]!
      let stage: Stage = 'KEY_CONVERTER'
      try {
        const keyAnswer = key.toConnect(topic, record.key)
        if (isPending(keyAnswer)) return this.#convertWaiting(slice, i, into)
        stage = 'VALUE_CONVERTER'
        const valueAnswer = value.toConnect(topic, record.value)
        if (isPending(valueAnswer)) return this.#convertWaiting(slice, i, into)
        stage = 'HEADER_CONVERTER'
        const headers = record.headers.length === 0 ? noHeaders : this.#headers(topic, record.headers)
        if (isPending(headers)) return this.#convertWaiting(slice, i, into)
        into.push(new ConvertedRecord(topic, partition, record, keyAnswer, valueAnswer, headers, keepsOriginals))
      } catch (error) {
        if (isRetriable(error)) return this.#convertWaiting(slice, i, into)
        this.#fail(slice, record, stage, error)
      }
    }
    return undefined
  }

  async #convertWaiting(slice: Slice, from: number, into: SinkRecord[]): Promise<void> {
    const { topic, partition, records } = slice
    const keepsOriginals = this.#policy.tolerant
    const { key, value } = this.#converters
    for (let i = from; i < slice.to; i++) {
      const record = records[i]!
      let stage: Stage = 'KEY_CONVERTER'
      const attempt = async <T>(at: Stage, run: () => T | Promise<T>): Promise<T> => {
        stage = at
        return this.#policy.attempt(run, this.#signal)
      }
      try {
        const keyAnswer = await attempt('KEY_CONVERTER', () => key.converter.toConnect(topic, record.key))
        const valueAnswer = await attempt('VALUE_CONVERTER', () => value.converter.toConnect(topic, record.value))
        const headers = await attempt('HEADER_CONVERTER', () => this.#headers(topic, record.headers))
        into.push(new ConvertedRecord(topic, partition, record, keyAnswer, valueAnswer, headers, keepsOriginals))
      } catch (error) {
        this.#fail(slice, record, stage, error)
      }
    }
  }

  #headers(topic: string, headers: readonly InHeader[]): Header[] | Promise<Header[]> {
    const { converter } = this.#converters.header
    const convert = ({ value }: InHeader) => converter.toConnect(topic, value)
    return convertEach(headers, convert, ({ value, schema }, { key }) => ({ key, value, schema }))
  }

  #fail(tp: TopicPartition, record: InRecord, stage: Stage, error: unknown): void {
    const { key, value, header } = this.#converters
    const operation = stage === 'KEY_CONVERTER' ? key.name : stage === 'VALUE_CONVERTER' ? value.name : header.name
    void this.refuse(tp, record, stage, operation, error)
  }

  /**
   * Hands a record to the error policy, as it came from the log. The promise, if there is one, resolves when the dead
   * letter is in the log; nobody has to wait for it (see {@link settleDeadLetters}).
   * @throws ConnectError where errors are not tolerated
   */
  refuse(
    tp: TopicPartition,
    record: InRecord,
    stage: Stage,
    operation: string,
    error: unknown,
  ): Promise<void> | undefined {
    const { key, value, offset, timestamp } = record
    const failed: FailedRecord = {
      stage,
      operation,
      error,
      topic: tp.topic,
      partition: tp.partition,
      offset,
      timestamp,
      bytes: () => ({ key, value, headers: record.headers }),
    }
    const letter = this.#policy.handle(failed)
    if (letter === undefined) return undefined
    // Its failure is seen where it is waited for; before that it must not count as nobody's.
    letter.catch(() => undefined)
    this.#deadLetters.push(letter)
    this.#letterBytes += letterOverheadBytes + (key?.length ?? 0) + (value?.length ?? 0)
    return letter
  }

  /** So many dead letters may be on their way that they are to be waited for before there are more. */
  get hasManyDeadLetters(): boolean {
    return this.#letterBytes >= maxLetterBytes
  }

  /** Resolves when all dead letters are in the log: no offset past one may be committed before. */
  async settleDeadLetters(): Promise<void> {
    while (this.#deadLetters.length > 0) {
      const count = this.#deadLetters.length
      await Promise.all(this.#deadLetters)
      // Not before: one that is not in the log keeps every later commit from happening.
      this.#deadLetters = this.#deadLetters.slice(count)
    }
    this.#letterBytes = 0
  }
}
