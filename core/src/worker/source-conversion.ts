/**
 * The convert step of a source: records → bytes, a whole batch in one synchronous loop for as long as the converters
 * answer at once. A record that fails follows the error policy.
 */
import { isRetriable, type Bytes, type Header, type SourceRecord } from '@tidewire/sdk'
import type { OutHeader, OutRecord } from '../client/client.ts'
import { sourceLetter } from './dead-letter.ts'
import type { ErrorPolicy, Stage } from './error-policy.ts'
import { convertEach, isPending, type RecordConverters } from './record-converters.ts'
import type { SourceTopics } from './source-topics.ts'
import { canonicalJson } from './source-partition.ts'

/** A batch on its way into the log. */
export interface ConvertedBatch {
  readonly out: OutRecord[]
  /** The record behind each of `out`. */
  readonly origins: SourceRecord[]
  /** Dead letters under way: the batch is not delivered before they are. */
  readonly deadLetters: Promise<void>[]
  bytes: number
}

/** What a record occupies beside its key and value, roughly. */
const recordOverheadBytes = 64

/** See the head of the file. */
export class SourceConversion {
  readonly #converters: RecordConverters
  readonly #policy: ErrorPolicy
  readonly #topics: SourceTopics
  readonly #signal: AbortSignal

  constructor(converters: RecordConverters, policy: ErrorPolicy, topics: SourceTopics, signal: AbortSignal) {
    this.#converters = converters
    this.#policy = policy
    this.#topics = topics
    this.#signal = signal
  }

  /** @throws ConnectError when a record fails and errors are not tolerated */
  convert(records: readonly SourceRecord[]): ConvertedBatch | Promise<ConvertedBatch> {
    const batch: ConvertedBatch = { out: [], origins: [], deadLetters: [], bytes: 0 }
    const key = this.#converters.key.converter
    const value = this.#converters.value.converter
    let lastTopic: string | undefined
    for (let i = 0; i < records.length; i++) {
      const record = records[i]!
      let stage: Stage = 'TASK_POLL'
      try {
        const { topic } = record
        if (topic !== lastTopic || i === 0) {
          this.#topics.check(topic)
          lastTopic = topic
        }
        if (record.error !== undefined) throw record.error
        stage = 'KEY_CONVERTER'
        const keyBytes = key.fromConnect(topic, record.keySchema, record.key)
        if (isPending(keyBytes)) return this.#convertWaiting(records, i, batch)
        stage = 'VALUE_CONVERTER'
        const valueBytes = value.fromConnect(topic, record.valueSchema, record.value)
        if (isPending(valueBytes)) return this.#convertWaiting(records, i, batch)
        let headers: OutHeader[] | undefined
        if (record.headers !== undefined && record.headers.length > 0) {
          stage = 'HEADER_CONVERTER'
          const converted = this.#headers(topic, record.headers)
          if (isPending(converted)) return this.#convertWaiting(records, i, batch)
          headers = converted
        }
        add(batch, record, keyBytes, valueBytes, headers)
      } catch (error) {
        if (isRetriable(error) && record.error === undefined) return this.#convertWaiting(records, i, batch)
        this.#fail(batch, record, stage, error)
      }
    }
    return batch
  }

  /** Goes on from a record whose converter has to fetch something first, or failed in passing. */
  async #convertWaiting(
    records: readonly SourceRecord[],
    from: number,
    batch: ConvertedBatch,
  ): Promise<ConvertedBatch> {
    const { key, value } = this.#converters
    for (let i = from; i < records.length; i++) {
      const record = records[i]!
      const { topic } = record
      let stage: Stage = 'TASK_POLL'
      const attempt = async <T>(at: Stage, run: () => T | Promise<T>): Promise<T> => {
        stage = at
        return this.#policy.attempt(run, this.#signal)
      }
      try {
        this.#topics.check(topic)
        if (record.error !== undefined) throw record.error
        const keyBytes = await attempt('KEY_CONVERTER', () =>
          key.converter.fromConnect(topic, record.keySchema, record.key),
        )
        const valueBytes = await attempt('VALUE_CONVERTER', () =>
          value.converter.fromConnect(topic, record.valueSchema, record.value),
        )
        const { headers = [] } = record
        const headerBytes =
          headers.length === 0
            ? undefined
            : await attempt('HEADER_CONVERTER', async () => this.#headers(topic, headers))
        add(batch, record, keyBytes, valueBytes, headerBytes)
      } catch (error) {
        this.#fail(batch, record, stage, error)
      }
    }
    return batch
  }

  #headers(topic: string, headers: readonly Header[]): OutHeader[] | Promise<OutHeader[]> {
    const { converter } = this.#converters.header
    const convert = ({ schema, value }: Header) => converter.fromConnect(topic, schema, value)
    return convertEach(headers, convert, (value, { key }) => ({ key, value }))
  }

  /** @throws ConnectError where errors are not tolerated */
  #fail(batch: ConvertedBatch, record: SourceRecord, stage: Stage, error: unknown): void {
    const operation =
      stage === 'KEY_CONVERTER'
        ? this.#converters.key.name
        : stage === 'VALUE_CONVERTER'
          ? this.#converters.value.name
          : stage === 'HEADER_CONVERTER'
            ? this.#converters.header.name
            : 'source task'
    this.refuse(batch, record, stage, operation, error)
  }

  /** Hands a record that cannot be delivered to the error policy. @throws ConnectError where errors are not tolerated */
  refuse(batch: ConvertedBatch, record: SourceRecord, stage: Stage, operation: string, error: unknown): void {
    const { topic, sourcePartition, sourceOffset, timestamp } = record
    const letter = this.#policy.handle({
      stage,
      operation,
      error,
      topic,
      partition: sourcePartition && canonicalJson(sourcePartition),
      offset: sourceOffset && canonicalJson(sourceOffset),
      timestamp,
      bytes: () => sourceLetter(record),
    })
    if (letter === undefined) return
    // Its failure is seen where the batch waits for it; before that it must not count as nobody's.
    letter.catch(() => undefined)
    batch.deadLetters.push(letter)
  }
}

function add(
  batch: ConvertedBatch,
  record: SourceRecord,
  key: Bytes,
  value: Bytes,
  headers: OutHeader[] | undefined,
): void {
  const { topic, partition, timestamp } = record
  batch.out.push({ topic, partition, key, value, headers, timestamp })
  batch.origins.push(record)
  batch.bytes += recordOverheadBytes + (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
  if (headers !== undefined)
    for (const header of headers) batch.bytes += header.key.length + (header.value?.length ?? 0)
}
