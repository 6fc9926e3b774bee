import { createHash, randomBytes } from 'node:crypto'
import { isRetriable } from '@tidewire/sdk'
import type { Cluster } from '../cluster/cluster.ts'
import type { WorkerConfig } from '../config/worker-settings.ts'
import type { Logger } from '../logging/logger.ts'
import { messageOf } from '../logging/message-of.ts'
import type { ConfigStore } from './config-store.ts'
import { hashOf, isSignedWith, signatureHeaders, type RequestSignature } from './request-signature.ts'

export interface SessionKeysOptions {
  readonly store: ConfigStore
  readonly cluster: Cluster
  readonly config: WorkerConfig
  readonly logger: Logger
}

const retryMs = 1000

/**
 * The keys that workers sign their requests to one another with. The leader makes them, and a new one when the last is too
 * old; all workers read them in the config topic, so that who may write there may speak for a worker, and nobody else.
 */
export class SessionKeys {
  readonly #options: SessionKeysOptions
  #timer: NodeJS.Timeout | undefined

  constructor(options: SessionKeysOptions) {
    this.#options = options
  }

  /** For a worker that has begun to lead, and has read the config topic: makes a key where one is due, from now on. */
  keepFresh(): void {
    clearTimeout(this.#timer)
    const { store, cluster, config } = this.#options
    if (!cluster.leads) return
    const age = Date.now() - (store.sessionKeys[0]?.createdAt ?? -Infinity)
    const dueMs = config['inter.worker.key.ttl.ms'] - age
    if (dueMs <= 0) void this.#make()
    else this.#later(dueMs)
  }

  close(): void {
    clearTimeout(this.#timer)
  }

  /** Undefined while no key has been read. */
  sign(body: string): Record<string, string> | undefined {
    const { store, config } = this.#options
    const [key] = store.sessionKeys
    return key === undefined ? undefined : signatureHeaders(key, config['inter.worker.signature.algorithm'], body)
  }

  get hasKey(): boolean {
    return this.#options.store.sessionKeys.length > 0
  }

  /** Whether this worker takes signatures of this kind. */
  knows({ algorithm }: RequestSignature): boolean {
    return this.#options.config['inter.worker.verification.algorithms'].some((known) => known === algorithm)
  }

  /** Whether a worker of the cluster signed this. Reads the topic again before it says no. */
  async verify(signature: RequestSignature, body: string): Promise<boolean> {
    const { store } = this.#options
    const isRight = (): boolean => store.sessionKeys.some((key) => isSignedWith(key, signature, body))
    if (!this.knows(signature)) return false
    if (isRight()) return true
    await store.refresh()
    return isRight()
  }

  async #make(): Promise<void> {
    const { store, config, logger } = this.#options
    const algorithm = config['inter.worker.key.generation.algorithm']
    const size = config['inter.worker.key.size']
    const bytes = size === undefined ? createHash(hashOf(algorithm)).digest().length : Math.ceil(size / 8)
    try {
      await store.putSessionKey({ key: randomBytes(bytes), algorithm, createdAt: Date.now() })
      this.keepFresh()
    } catch (error) {
      if (!isRetriable(error)) logger.error('cannot write a session key', { error: messageOf(error) })
      this.#later(retryMs)
    }
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => this.keepFresh(), Math.min(ms, 2 ** 31 - 1))
    this.#timer.unref()
  }
}
