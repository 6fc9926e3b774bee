import { initProducerId } from '../protocol/messages/init-producer-id.ts'
import { retry } from './backoff.ts'
import { LogError } from './client.ts'
import type { Cluster } from './cluster.ts'
import { throwBrokerError } from './connection.ts'
import type { ProducerSession } from './sender.ts'

const MAX_EPOCH = 0x7fff

/**
 * The producer id of an idempotent producer without transactions. It is nobody else's, so the next epoch is ours to
 * take (KIP-360); an id is asked for only at first and when its epochs are used up.
 */
export class IdempotentSession implements ProducerSession {
  readonly transactional = false
  producerId = -1
  producerEpoch = -1
  readonly #cluster: Cluster
  readonly #wake: () => void
  readonly #onFatal: (error: LogError) => void
  readonly #closing: AbortSignal
  #asking = false

  constructor(cluster: Cluster, closing: AbortSignal, wake: () => void, onFatal: (error: LogError) => void) {
    this.#cluster = cluster
    this.#closing = closing
    this.#wake = wake
    this.#onFatal = onFatal
  }

  admits(): boolean {
    if (this.producerId < 0) this.#ask()
    // Batches numbered under an earlier id may go in the meantime; those without a number wait for the new one.
    return true
  }

  acknowledged(): void {
    // Nothing depends on it.
  }

  bumpEpoch(): void {
    if (this.producerEpoch >= MAX_EPOCH) this.replace()
    else this.producerEpoch++
  }

  replace(): void {
    this.producerId = -1
    this.#ask()
  }

  failed(): void {
    // The call has failed with it; the next one may fare better.
  }

  #ask(): void {
    if (this.#asking) return
    this.#asking = true
    retry(() => this.#init(), { what: 'producer id', timeoutMs: Infinity, signal: this.#closing }).then(
      () => {
        this.#asking = false
        this.#wake()
      },
      (error: unknown) => {
        this.#asking = false
        if (this.#closing.aborted) return
        this.#onFatal(
          error instanceof LogError
            ? error
            : new LogError('PROTOCOL', String(error), { retriable: false, cause: error }),
        )
      },
    )
  }

  async #init(): Promise<void> {
    const connection = await this.#cluster.any()
    const response = await connection.request(initProducerId, {
      transactionalId: null,
      transactionTimeoutMs: 0x7fffffff,
    })
    throwBrokerError(response.errorCode, 'producer id')
    this.producerId = response.producerId
    this.producerEpoch = response.producerEpoch
  }
}
