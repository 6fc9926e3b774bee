import type { TaskProgress } from '@tidewire/sdk'
import { currentLsn } from './replication/server.ts'
import type { Capture } from './capture.ts'

type Kind = 'insert' | 'update' | 'delete' | 'truncate' | 'message'

/** How often the server is asked how far its log is. */
const askMs = 5_000

/** What the stream tells of itself: events by kind, and how far it is behind. */
export class StreamProgress {
  readonly #capture: Capture
  readonly #position: () => number
  readonly #beside: () => TaskProgress | undefined
  readonly #counts: Record<Kind, number> = { insert: 0, update: 0, delete: 0, truncate: 0, message: 0 }
  #transactions = 0
  #lastCommitMs: number | undefined
  #lagMs = 0
  #lagBytes = 0
  #askAt = 0

  /**
   * @param position how far the stream is
   * @param beside what else the task does
   */
  constructor(capture: Capture, position: () => number, beside: () => TaskProgress | undefined) {
    this.#capture = capture
    this.#position = position
    this.#beside = beside
  }

  count(kind: Kind): void {
    this.#counts[kind]++
  }

  /** A transaction has been read whole. */
  ended(commitTimeUs: number | undefined): void {
    this.#transactions++
    if (commitTimeUs === undefined) return
    this.#lastCommitMs = commitTimeUs / 1000
    this.#lagMs = Math.max(0, Date.now() - this.#lastCommitMs)
  }

  /** Tells the figures; now and then asks the server for its position, and waits for no answer. */
  tell(): void {
    if (performance.now() < this.#askAt) return
    this.#askAt = performance.now() + askMs
    void this.#ask()
  }

  async #ask(): Promise<void> {
    const { client, context } = this.#capture
    try {
      this.#lagBytes = Math.max(0, (await currentLsn(client)) - this.#position())
    } catch {
      // The stream itself tells when the server is gone; a figure is not worth a failure.
      return
    }
    // With nothing behind, what was committed last is no longer late.
    if (this.#lagBytes === 0) this.#lagMs = 0
    const events = Object.values(this.#counts).reduce((sum, count) => sum + count, 0)
    const text = `streaming: ${events.toLocaleString('en')} changes, ${this.#lagBytes.toLocaleString('en')} bytes behind the server`
    const beside = this.#beside()
    context.progress({
      text: beside === undefined ? text : `${beside.text}; ${text}`,
      figures: {
        lag_bytes: this.#lagBytes,
        lag_ms: Math.round(this.#lagMs),
        transactions: this.#transactions,
        inserts: this.#counts.insert,
        updates: this.#counts.update,
        deletes: this.#counts.delete,
        truncates: this.#counts.truncate,
        messages: this.#counts.message,
        ...beside?.figures,
        ...(this.#lastCommitMs === undefined ? {} : { last_commit_ms: Math.round(this.#lastCommitMs) }),
      },
    })
  }
}
