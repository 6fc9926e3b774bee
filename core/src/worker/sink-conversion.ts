/**
 * The convert and transform steps of a sink: bytes → records, in one synchronous loop for as long as the converters and
 * transforms answer at once. A record that fails follows the error policy, as it came from the log.
 */
import {
  isRetriable,
  type ConnectRecord,
  type Header,
  type Schema,
  type SchemaAndValue,
  type SinkRecord,
  type TopicPartition,
} from '@tidewire/sdk'
import type { InHeader, InRecord } from '../client/client.ts'
import type { ErrorPolicy, FailedRecord, Stage } from './error-policy.ts'
import { convertEach, isPending, type RecordConverters } from './record-converters.ts'
import type { TransformChain } from './transform-chain.ts'

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
    timestamp: number,
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
    this.timestamp = timestamp
    this.#original = keepsOriginal ? record : undefined
  }

  static originalOf(record: SinkRecord): InRecord | undefined {
    return #original in record ? record.#original : undefined
  }
}

/** A record to which a transform gave another topic or partition. */
class RoutedRecord extends ConvertedRecord {
  readonly originalTopic: string
  readonly originalKafkaPartition: number

  constructor(
    from: TopicPartition,
    topic: string,
    partition: number,
    record: InRecord,
    key: SchemaAndValue,
    value: SchemaAndValue,
    headers: readonly Header[],
    timestamp: number,
    keepsOriginal: boolean,
  ) {
    super(topic, partition, record, key, value, headers, timestamp, keepsOriginal)
    this.originalTopic = from.topic
    this.originalKafkaPartition = from.partition
  }
}

/** The bytes of a record that a conversion gave, where errors are tolerated; undefined for a copy of it. */
export const originalOf = (record: SinkRecord): InRecord | undefined => ConvertedRecord.originalOf(record)

/** What transforms are given: they make copies, which of an object with a private field take three times as long. */
function plainRecord(
  { topic, partition }: TopicPartition,
  { offset, timestamp }: InRecord,
  key: SchemaAndValue,
  value: SchemaAndValue,
  headers: readonly Header[],
): SinkRecord {
  return {
    topic,
    partition,
    offset,
    key: key.value,
    keySchema: key.schema,
    value: value.value,
    valueSchema: value.schema,
    headers,
    timestamp,
  }
}

/** So long a slice is waited for at a time, where its records keep one waiting: the task has other things to do. */
const maxWaitMs = 1000

/** See the head of the file. */
export class SinkConversion {
  readonly #converters: RecordConverters
  readonly #policy: ErrorPolicy
  readonly #signal: AbortSignal
  readonly #chain: TransformChain | undefined
  #deadLetters: Promise<void>[] = []
  /** Of those letters. */
  #letterBytes = 0
  #dropped = 0

  /** @param chain where the connector has transforms */
  constructor(converters: RecordConverters, policy: ErrorPolicy, signal: AbortSignal, chain?: TransformChain) {
    this.#converters = converters
    this.#policy = policy
    this.#signal = signal
    this.#chain = chain
  }

  /** How many records transforms have dropped so far. */
  get dropped(): number {
    return this.#dropped
  }

  /**
   * Appends the slice's records to `into`. A promise tells where in the slice to go on: it may not be the end, where
   * transforms or converters took their time.
   * @throws ConnectError when a record fails and errors are not tolerated
   */
  convert(slice: Slice, into: SinkRecord[]): undefined | Promise<number> {
    const { topic, partition, records } = slice
    const keepsOriginals = this.#policy.tolerant
    const chain = this.#chain
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
        if (chain === undefined) {
          const { timestamp } = record
          into.push(
            new ConvertedRecord(topic, partition, record, keyAnswer, valueAnswer, headers, timestamp, keepsOriginals),
          )
          continue
        }
        stage = 'TRANSFORMATION'
        const transformed = chain.apply(plainRecord(slice, record, keyAnswer, valueAnswer, headers))
        if (isPending(transformed)) return this.#convertWaiting(slice, i, into, transformed)
        this.#add(into, slice, record, transformed)
      } catch (error) {
        if (stage !== 'TRANSFORMATION' && isRetriable(error)) return this.#convertWaiting(slice, i, into)
        this.#fail(slice, record, stage, error)
      }
    }
    return undefined
  }

  /** @param first what the transforms will have made of the first record: they are not asked twice */
  async #convertWaiting(
    slice: Slice,
    from: number,
    into: SinkRecord[],
    first?: Promise<SinkRecord | null>,
  ): Promise<number> {
    const { records } = slice
    const until = performance.now() + maxWaitMs
    for (let i = from; i < slice.to; i++) {
      // The task ends: the rest is read again.
      if (this.#isEnding()) return i
      const record = records[i]!
      let stage: Stage = 'TRANSFORMATION'
      const attempt = async <T>(at: Stage, run: () => T | Promise<T>): Promise<T> => {
        stage = at
        return this.#policy.attempt(run, this.#signal)
      }
      try {
        if (i === from && first !== undefined) {
          this.#add(into, slice, record, await first)
        } else {
          const converted = await this.#convertOne(slice, record, attempt)
          stage = 'TRANSFORMATION'
          this.#add(into, slice, record, this.#chain === undefined ? converted : await this.#chain.apply(converted))
        }
      } catch (error) {
        // It would have been tried again.
        if (this.#isEnding() && isRetriable(error)) return i
        this.#fail(slice, record, stage, error)
      }
      if (performance.now() >= until) return i + 1
    }
    return slice.to
  }

  async #convertOne(
    tp: TopicPartition,
    record: InRecord,
    attempt: <T>(at: Stage, run: () => T | Promise<T>) => Promise<T>,
  ): Promise<SinkRecord> {
    const { key, value } = this.#converters
    const { topic } = tp
    const keyAnswer = await attempt('KEY_CONVERTER', () => key.converter.toConnect(topic, record.key))
    const valueAnswer = await attempt('VALUE_CONVERTER', () => value.converter.toConnect(topic, record.value))
    const headers = await attempt('HEADER_CONVERTER', () => this.#headers(topic, record.headers))
    return plainRecord(tp, record, keyAnswer, valueAnswer, headers)
  }

  /** What the transforms made of a record, with what the runtime has to know of it. */
  #add(into: SinkRecord[], from: TopicPartition, original: InRecord, made: SinkRecord | null): void {
    if (made === null) {
      this.#dropped++
      return
    }
    // What transforms may leave out has no place in a sink's record.
    const given: ConnectRecord = made
    const { topic, partition = from.partition, headers = noHeaders, timestamp = -1 } = given
    const key: SchemaAndValue = { schema: made.keySchema, value: made.key }
    const value: SchemaAndValue = { schema: made.valueSchema, value: made.value }
    const { tolerant } = this.#policy
    const stays = topic === from.topic && partition === from.partition
    into.push(
      stays
        ? new ConvertedRecord(topic, partition, original, key, value, headers, timestamp, tolerant)
        : new RoutedRecord(from, topic, partition, original, key, value, headers, timestamp, tolerant),
    )
  }

  #isEnding(): boolean {
    return this.#signal.aborted
  }

  #headers(topic: string, headers: readonly InHeader[]): Header[] | Promise<Header[]> {
    const { converter } = this.#converters.header
    const convert = ({ value }: InHeader) => converter.toConnect(topic, value)
    return convertEach(headers, convert, ({ value, schema }, { key }) => ({ key, value, schema }))
  }

  #fail(tp: TopicPartition, record: InRecord, stage: Stage, error: unknown): void {
    const { key, value, header } = this.#converters
    const operations: Partial<Record<Stage, string | undefined>> = {
      KEY_CONVERTER: key.name,
      VALUE_CONVERTER: value.name,
      HEADER_CONVERTER: header.name,
      TRANSFORMATION: this.#chain?.operation,
    }
    void this.refuse(tp, record, stage, operations[stage] ?? 'transforms', error)
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
      setting: stage === 'TRANSFORMATION' ? this.#chain?.setting : undefined,
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
