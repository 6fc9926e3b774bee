import { decodeRecords, RecordBatchBuilder, setProducerState, type ProducerState } from '../protocol/record-batch.ts'
import type { CompressionType } from '../protocol/compression.ts'
import type { OutRecord, ProduceResult } from './client.ts'
import type { LogError } from './client.ts'

/** Size of a record about as it is in a batch, for budgets. */
export function recordBytes(record: OutRecord): number {
  return (record.key?.length ?? 0) + (record.value?.length ?? 0) + 16
}

/** One call of `produce`: settles when all its records have. */
export class ProduceCall {
  readonly records: readonly OutRecord[]
  readonly result: Promise<ProduceResult>
  /** The first record that has not been taken into a batch yet. */
  cursor = 0
  #remaining: number
  readonly #failures: { index: number; error: LogError }[] = []
  readonly #offsets = new Map<string, { topic: string; partition: number; offset: number }>()
  #error: LogError | undefined
  readonly #resolve: (result: ProduceResult) => void
  readonly #reject: (error: LogError) => void

  constructor(records: readonly OutRecord[]) {
    this.records = records
    this.#remaining = records.length
    const { promise, resolve, reject } = Promise.withResolvers<ProduceResult>()
    this.result = promise
    this.#resolve = resolve
    this.#reject = reject
  }

  /** @param offset of the first of them; -1 where the log did not say */
  acknowledge(topic: string, partition: number, offset: number, count: number): void {
    const key = `${topic}-${partition}`
    const known = this.#offsets.get(key)
    if (known === undefined) this.#offsets.set(key, { topic, partition, offset })
    else known.offset = Math.min(known.offset, offset)
    this.#settle(count)
  }

  /** The log will never take this record. */
  refuse(index: number, error: LogError): void {
    this.#failures.push({ index, error })
    this.#settle(1)
  }

  /** What became of these records is unknown, or nothing will: the whole call fails, once the others have settled. */
  fail(count: number, error: LogError): void {
    this.#error ??= error
    this.#settle(count)
  }

  #settle(count: number): void {
    this.#remaining -= count
    if (this.#remaining > 0) return
    if (this.#error !== undefined) this.#reject(this.#error)
    else {
      const offsets = [...this.#offsets.values()].filter((each) => each.offset >= 0)
      this.#resolve({ failures: this.#failures.sort((a, b) => a.index - b.index), offsets })
    }
  }
}

export interface BatchOptions {
  readonly compression: CompressionType
  readonly isTransactional: boolean
  readonly maxBytes: number
}

/**
 * Records of one topic partition, from one call or several, that go to the log together. Open until it is built, which
 * happens when it is first sent; its place in the partition's sequence is given then too.
 */
export class ProducerBatch {
  readonly options: BatchOptions
  /** Where it stands among the batches of its partition. */
  readonly order: number
  readonly createdAt: number
  /** First sequence number, once given. */
  sequence = -1
  attempts = 0
  /** It was sent and the answer is missing: it may or may not be in the log. */
  uncertain = false
  lastError: LogError | undefined
  #width: number
  #builder: RecordBatchBuilder | undefined
  #data: Buffer | undefined
  #count = 0
  #bytes = 0
  /** The calls whose records these are, in runs: `#ends[i]` is where the run of `#calls[i]` ends. */
  readonly #calls: ProduceCall[] = []
  readonly #ends: number[] = []
  /** Of each record: its index in its call. */
  readonly #indexes: number[] = []

  constructor(options: BatchOptions, order: number, createdAt: number, width = 1) {
    this.options = options
    this.order = order
    this.createdAt = createdAt
    this.#width = width
  }

  get count(): number {
    return this.#count
  }

  /** As it is sent; before it is built, without compression. */
  get bytes(): number {
    return this.#data?.length ?? this.#bytes
  }

  /** What it takes of the producer's memory budget: its size without compression. */
  get reserved(): number {
    return this.#bytes
  }

  /** False where it does not fit; the first one always does. */
  tryAppend(call: ProduceCall, index: number, record: OutRecord, now: number): boolean {
    if (this.#data !== undefined) return false
    this.#builder ??= new RecordBatchBuilder(this.options)
    if (!this.#builder.tryAppend(record.key, record.value, record.headers, record.timestamp ?? now)) return false
    this.#bytes = this.#builder.bytes
    this.#track(call, index)
    return true
  }

  /** The batch for the wire, with these numbers in its header. Closes it. */
  build(state: ProducerState): Buffer {
    if (this.#data === undefined) {
      this.#data = this.#builder!.build(state)
      this.#builder = undefined
    } else {
      setProducerState(this.#data, 0, state)
    }
    return this.#data
  }

  acknowledge(topic: string, partition: number, baseOffset: number): void {
    this.#eachRun((call, from, to) => {
      call.acknowledge(topic, partition, baseOffset < 0 ? -1 : baseOffset + from, to - from)
    })
  }

  /** None of its records will ever be in the log. */
  refuse(error: LogError): void {
    this.#eachRun((call, from, to) => {
      for (let i = from; i < to; i++) call.refuse(this.#indexes[i]!, error)
    })
  }

  fail(error: LogError): void {
    this.#eachRun((call, from, to) => call.fail(to - from, error))
  }

  /** Two batches in place of this one, which was too large for the broker. Their sequence numbers continue this one's. */
  split(): [ProducerBatch, ProducerBatch] {
    const half = this.#count >> 1
    return [this.#copy(0, (i) => i < half), this.#copy(1, (i) => i >= half)]
  }

  /**
   * A batch of the records that the broker had nothing against, undefined where there are none; the others are refused.
   */
  without(bad: ReadonlyMap<number, LogError>): ProducerBatch | undefined {
    const rest = this.#copy(0, (i) => !bad.has(i))
    this.#eachRun((call, from, to) => {
      for (let i = from; i < to; i++) {
        const error = bad.get(i)
        if (error !== undefined) call.refuse(this.#indexes[i]!, error)
      }
    })
    return rest.count === 0 ? undefined : rest
  }

  #copy(half: 0 | 1, keep: (position: number) => boolean): ProducerBatch {
    const records = decodeRecords(this.#data!)
    const width = this.#width / 2
    const copy = new ProducerBatch(
      { ...this.options, maxBytes: Infinity },
      this.order + half * width,
      this.createdAt,
      width,
    )
    copy.attempts = this.attempts
    copy.lastError = this.lastError
    const builder = new RecordBatchBuilder(copy.options)
    this.#eachRun((call, from, to) => {
      for (let i = from; i < to; i++) {
        if (!keep(i)) continue
        const { key, value, headers, timestamp } = records[i]!
        builder.tryAppend(key, value, headers, timestamp)
        copy.#track(call, this.#indexes[i]!)
      }
    })
    copy.#builder = builder
    copy.#bytes = builder.bytes
    return copy
  }

  #track(call: ProduceCall, index: number): void {
    const last = this.#calls.length - 1
    this.#count++
    this.#indexes.push(index)
    if (last >= 0 && this.#calls[last] === call) {
      this.#ends[last] = this.#count
    } else {
      this.#calls.push(call)
      this.#ends.push(this.#count)
    }
  }

  #eachRun(visit: (call: ProduceCall, from: number, to: number) => void): void {
    let from = 0
    for (let i = 0; i < this.#calls.length; i++) {
      const to = this.#ends[i]!
      visit(this.#calls[i]!, from, to)
      from = to
    }
  }
}
