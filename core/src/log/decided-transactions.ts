import type { BatchHeader, ControlRecord } from '../protocol/record-batch.ts'
import type { AbortedTransactionEntry } from './transaction-index.ts'

/**
 * Follows the batches of a part of the log in which every transaction is decided, and tells what belongs to aborted ones. Each batch
 * has to be shown in order.
 */
export class DecidedTransactions {
  /** By first offset, the earliest last. */
  readonly #coming: AbortedTransactionEntry[]
  /** Aborted transactions that are open at this point, by producer. */
  readonly #aborted = new Map<number, AbortedTransactionEntry & { seen?: boolean }>()
  /** Producers with batches in a transaction that will be committed. */
  readonly #committed = new Set<number>()

  constructor(aborted: readonly AbortedTransactionEntry[]) {
    this.#coming = aborted.toSorted((a, b) => b.firstOffset - a.firstOffset)
  }

  /** Whether the records of a batch were aborted. */
  isAborted(header: BatchHeader): boolean {
    this.#open(header.baseOffset + header.lastOffsetDelta)
    if (!header.isTransactional) return false
    const transaction = this.#aborted.get(header.producerId)
    if (transaction === undefined) {
      this.#committed.add(header.producerId)
      return false
    }
    transaction.seen = true
    return true
  }

  /**
   * Takes a marker. `obsolete`: no batch of its transaction was shown, so it says nothing any more. `aborted`: the entry that the
   * transaction index has for it, where batches of it were shown.
   */
  marker(header: BatchHeader, marker: ControlRecord | null): { obsolete: boolean; aborted?: AbortedTransactionEntry } {
    this.#open(header.baseOffset + header.lastOffsetDelta)
    if (marker === null) return { obsolete: true }
    if (marker.type === 'COMMIT') return { obsolete: !this.#committed.delete(header.producerId) }
    const transaction = this.#aborted.get(header.producerId)
    this.#aborted.delete(header.producerId)
    return transaction?.seen === true ? { obsolete: false, aborted: transaction } : { obsolete: true }
  }

  #open(offset: number): void {
    while (this.#coming.length > 0 && this.#coming.at(-1)!.firstOffset <= offset) {
      const transaction = this.#coming.pop()!
      if (!this.#aborted.has(transaction.producerId)) this.#aborted.set(transaction.producerId, { ...transaction })
    }
  }
}
