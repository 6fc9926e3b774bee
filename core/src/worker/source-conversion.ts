/**
 * The transform and convert steps of a source: records → bytes, a whole batch in one synchronous loop for as long as the
 * transforms and converters answer at once. A record that fails follows the error policy, as it was before the transforms.
 */
import { isRetriable, type Bytes, type Header, type SourceRecord } from '@tidewire/sdk'
import type { OutHeader, OutRecord } from '../client/client.ts'
import { sourceLetter } from './dead-letter.ts'
import type { ErrorPolicy, Stage } from './error-policy.ts'
import { convertEach, isPending, type RecordConverters } from './record-converters.ts'
import type { SourceTopics } from './source-topics.ts'
import { canonicalJson } from './source-partition.ts'
import type { TransformChain } from './transform-chain.ts'

/** A batch on its way into the log. */
export interface ConvertedBatch {
  readonly out: OutRecord[]
  /** The record behind each of `out`, as the source gave it. */
  readonly origins: SourceRecord[]
  /** Dead letters under way: the batch is not delivered before they are. */
  readonly deadLetters: Promise<void>[]
  bytes: number
  /** The task ended before all of it was converted: it is to go nowhere, and is read again. */
  cutOff?: true
}

/** What a record occupies beside its key and value, roughly. */
const recordOverheadBytes = 64

/** See the head of the file. */
export class SourceConversion {
  readonly #converters: RecordConverters
  readonly #policy: ErrorPolicy
  readonly #topics: SourceTopics
  readonly #signal: AbortSignal
  readonly #chain: TransformChain | undefined

  /** @param chain where the connector has transforms */
  #lastHeaders: { given?: readonly Header[]; topic: string; converted: OutHeader[] } = { topic: '', converted: [] }

  constructor(
    converters: RecordConverters,
    policy: ErrorPolicy,
    topics: SourceTopics,
    signal: AbortSignal,
    chain?: TransformChain,
  ) {
    this.#converters = converters
    this.#policy = policy
    this.#topics = topics
    this.#signal = signal
    this.#chain = chain
  }

  /** @throws ConnectError when a record fails and errors are not tolerated */
  convert(records: readonly SourceRecord[]): ConvertedBatch | Promise<ConvertedBatch> {
    const batch: ConvertedBatch = { out: [], origins: [], deadLetters: [], bytes: 0 }
    const chain = this.#chain
    const key = this.#converters.key.converter
    const value = this.#converters.value.converter
    let lastTopic: string | undefined
    for (let i = 0; i < records.length; i++) {
      const given = records[i]!
      let record = given
      let stage: Stage = 'TASK_POLL'
      try {
        if (given.error !== undefined) throw given.error
        if (chain !== undefined) {
          stage = 'TRANSFORMATION'
          const transformed = chain.apply(given)
          if (isPending(transformed)) return this.#convertWaiting(records, i, batch, transformed)
          if (transformed === null) continue
          record = transformed
        }
        const { topic } = record
        if (topic !== lastTopic || i === 0) {
          this.#topics.check(topic)
          lastTopic = topic
        }
        stage = 'KEY_CONVERTER'
        const keyBytes = key.fromConnect(topic, record.keySchema, record.key)
        if (isPending(keyBytes)) return this.#convertWaiting(records, i, batch, record)
        stage = 'VALUE_CONVERTER'
        const valueBytes = value.fromConnect(topic, record.valueSchema, record.value)
        if (isPending(valueBytes)) return this.#convertWaiting(records, i, batch, record)
        let headers: OutHeader[] | undefined
        if (record.headers !== undefined && record.headers.length > 0) {
          stage = 'HEADER_CONVERTER'
          const converted = this.#headers(topic, record.headers)
          if (isPending(converted)) return this.#convertWaiting(records, i, batch, record)
          headers = converted
        }
        add(batch, given, record, keyBytes, valueBytes, headers)
      } catch (error) {
        const isPassing = stage !== 'TASK_POLL' && stage !== 'TRANSFORMATION' && isRetriable(error)
        if (isPassing) return this.#convertWaiting(records, i, batch, record)
        this.#fail(batch, given, stage, error)
      }
    }
    return batch
  }

  /**
   * Goes on from a record for which something has to be waited for, or which failed in passing.
   * @param first what the transforms made, or will have made, of it: they are not asked twice
   */
  async #convertWaiting(
    records: readonly SourceRecord[],
    from: number,
    batch: ConvertedBatch,
    first: SourceRecord | Promise<SourceRecord | null>,
  ): Promise<ConvertedBatch> {
    const { key, value } = this.#converters
    for (let i = from; i < records.length; i++) {
      if (this.#isEnding()) return { ...batch, cutOff: true }
      const given = records[i]!
      let stage: Stage = 'TASK_POLL'
      const attempt = async <T>(at: Stage, run: () => T | Promise<T>): Promise<T> => {
        stage = at
        return this.#policy.attempt(run, this.#signal)
      }
      try {
        if (given.error !== undefined) throw given.error
        if (this.#chain !== undefined) stage = 'TRANSFORMATION'
        const record = await (i === from ? first : this.#chain === undefined ? given : this.#chain.apply(given))
        if (record === null) continue
        const { topic } = record
        this.#topics.check(topic)
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
        add(batch, given, record, keyBytes, valueBytes, headerBytes)
      } catch (error) {
        // It would have been tried again.
        if (this.#isEnding() && isRetriable(error)) return { ...batch, cutOff: true }
        this.#fail(batch, given, stage, error)
      }
    }
    return batch
  }

  #isEnding(): boolean {
    return this.#signal.aborted
  }

  /** A source that gives many records the same list of headers has it converted once. */
  #headers(topic: string, headers: readonly Header[]): OutHeader[] | Promise<OutHeader[]> {
    if (headers === this.#lastHeaders.given && topic === this.#lastHeaders.topic) return this.#lastHeaders.converted
    const { converter } = this.#converters.header
    const convert = ({ schema, value }: Header) => converter.fromConnect(topic, schema, value)
    const converted = convertEach(headers, convert, (value, { key }) => ({ key, value }))
    if (!isPending(converted)) this.#lastHeaders = { given: headers, topic, converted }
    return converted
  }

  /** @throws ConnectError where errors are not tolerated */
  #fail(batch: ConvertedBatch, record: SourceRecord, stage: Stage, error: unknown): void {
    const { key, value, header } = this.#converters
    const operations: Partial<Record<Stage, string | undefined>> = {
      TRANSFORMATION: this.#chain?.operation,
      KEY_CONVERTER: key.name,
      VALUE_CONVERTER: value.name,
      HEADER_CONVERTER: header.name,
    }
    const operation = operations[stage] ?? 'source task'
    this.refuse(batch, record, stage, operation, error)
  }

  /** Hands a record that cannot be delivered to the error policy. @throws ConnectError where errors are not tolerated */
  refuse(batch: ConvertedBatch, record: SourceRecord, stage: Stage, operation: string, error: unknown): void {
    const { topic, sourcePartition, sourceOffset, timestamp } = record
    const letter = this.#policy.handle({
      stage,
      operation,
      setting: stage === 'TRANSFORMATION' ? this.#chain?.setting : undefined,
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
  given: SourceRecord,
  record: SourceRecord,
  key: Bytes,
  value: Bytes,
  headers: OutHeader[] | undefined,
): void {
  const { topic, partition, timestamp } = record
  batch.out.push({ topic, partition, key, value, headers, timestamp })
  batch.origins.push(given)
  batch.bytes += recordOverheadBytes + (key === null ? 0 : key.length) + (value === null ? 0 : value.length)
  if (headers !== undefined)
    for (const header of headers) batch.bytes += header.key.length + (header.value?.length ?? 0)
}
