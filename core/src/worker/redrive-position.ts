import type { LogClient, OutRecord, ProduceResult, Producer } from '../client/client.ts'
import type { RedriveErrand } from './errand-messages.ts'
import type { ErrandTask } from './errand-task.ts'
import type { HostSettings } from './host-messages.ts'
import { redriveGroup } from './letter-reader.ts'
import type { RedriveLock } from './redrive-lock.ts'
import type { LetterPosition } from './redrive-outcome.ts'
import { redriveTransactionalId } from './transactional-ids.ts'

/**
 * Writes records together with the position of re-drives: in one transaction where the worker supports exactly once, and
 * else the position after the records. Its transactional id is the same for every re-drive of the connector, so that one that
 * has lost the lock without knowing it writes nothing more.
 */
export class RedrivePosition {
  readonly #group: string
  readonly #topic: string
  readonly #client: LogClient
  readonly #transactional: boolean
  readonly #producer: Producer
  readonly #lock: RedriveLock | undefined

  constructor(
    { clients }: ErrandTask,
    { spec, topic, timeoutMs }: RedriveErrand,
    { groupId, exactlyOnce }: HostSettings,
    lock: RedriveLock | undefined,
  ) {
    this.#lock = lock
    this.#group = redriveGroup(spec.connector)
    this.#topic = topic
    this.#client = clients.producer
    this.#transactional = exactlyOnce
    this.#producer = clients.producer.producer({
      deliveryTimeoutMs: timeoutMs,
      ...clients.producerOptions,
      clientId: `connector-redrive-${spec.connector}`,
      ...(exactlyOnce ? { transactionalId: redriveTransactionalId(groupId, spec.connector) } : {}),
    })
  }

  /** Ends what an earlier re-drive of the connector has under way. @throws LogError */
  async open(): Promise<void> {
    if (this.#transactional) await this.#producer.initTransactions()
  }

  /** Whether nothing is written where the log refuses some of the records for good. */
  get isAtomic(): boolean {
    return this.#transactional
  }

  /**
   * Writes the records, and moves the position; see {@link isAtomic}. The answers are those to each record.
   * @throws LogError, with nothing certain
   */
  async write(records: readonly OutRecord[], moveTo: LetterPosition | undefined): Promise<readonly ProduceResult[]> {
    const positions = moveTo === undefined ? [] : [{ topic: this.#topic, ...moveTo }]
    if (!this.#transactional) {
      const results = await this.#produce(records)
      if (positions.length > 0) {
        // There is nothing that refuses a position which comes late.
        await this.#lock?.check()
        await this.#client.admin.alterGroupOffsets(this.#group, positions)
      }
      return results
    }
    if (records.length === 0 && positions.length === 0) return []
    this.#producer.begin()
    try {
      const results = await this.#produce(records)
      if (hasFailures(results)) {
        await this.#producer.abort()
        return results
      }
      if (positions.length > 0) await this.#producer.sendOffsets(this.#group, positions)
      await this.#producer.commit()
      return results
    } catch (error) {
      await this.#producer.abort().catch(() => undefined)
      throw error
    }
  }

  /** One by one, to learn the place of each; the client sends them together all the same. */
  async #produce(records: readonly OutRecord[]): Promise<ProduceResult[]> {
    return Promise.all(records.map((record) => this.#producer.produce([record])))
  }

  async close(): Promise<void> {
    await this.#producer.close()
  }
}

function hasFailures(results: readonly ProduceResult[]): boolean {
  return results.some(({ failures }) => failures.length > 0)
}
