import type { ReadBatch, ReadRecord } from './object-reader.ts'

/** Gathers records to batches, numbering them; those before `from` are passed over. */
export class Batches {
  readonly #from: number
  readonly #batchBytes: number
  #number = 0
  #records: ReadRecord[] = []
  #bytes = 0

  constructor(from: number, batchBytes: number) {
    this.#from = from
    this.#batchBytes = batchBytes
  }

  /** Of the next record. */
  get number(): number {
    return this.#number
  }

  /** Whether the next record is one that nobody asked for, and need not be made. */
  get isBefore(): boolean {
    return this.#number < this.#from
  }

  skip(count: number): void {
    this.#number += count
  }

  add(record: ReadRecord, bytes: number): void {
    this.#number++
    this.#records.push(record)
    this.#bytes += bytes
  }

  get isFull(): boolean {
    return this.#bytes >= this.#batchBytes
  }

  /** What there is, as a batch; undefined where there is nothing. */
  take(): ReadBatch | undefined {
    const records = this.#records
    if (records.length === 0) return undefined
    this.#records = []
    this.#bytes = 0
    return { first: this.#number - records.length, records }
  }
}
