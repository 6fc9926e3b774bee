import type { SinkRecord } from '@tidewire/sdk'
import { FailingAttempts, longest, LogWaits, type Wait } from './waits.ts'

/** What a sink task has to do and cannot, as far as it shows outside of its own calls. */
export class SinkWaits {
  readonly log = new LogWaits()
  readonly starts = new FailingAttempts('the start')
  readonly flushes = new FailingAttempts('flush')
  readonly commits = new FailingAttempts('the commit of offsets')
  readonly #puts = new FailingAttempts('put')
  #toPutAgain = 0
  #keptBack: Wait | undefined
  #lastFlush = { state: '', at: 0 }
  #withoutLease: Wait | undefined

  /** What became of a put. The fewer records are left, the further it has come. */
  putAnswered(left: readonly SinkRecord[], reason: string): void {
    if (left.length === 0 || left.length < this.#toPutAgain) this.#puts.progressed()
    this.#toPutAgain = left.length
    if (left.length > 0) this.#puts.failed(reason)
  }

  /**
   * A flush has returned. A task may keep records to itself for a while, as long as anything moves from one flush to the
   * next: what it is given, or what it says is durable.
   * @param behind how far it is in each partition of which not all is durable
   */
  flushed(behind: readonly string[]): void {
    this.flushes.progressed()
    const state = behind.join()
    if (behind.length === 0 || state !== this.#lastFlush.state) {
      this.#lastFlush = { state, at: Date.now() }
      this.#keptBack = undefined
      return
    }
    const partitions = behind.length === 1 ? '1 partition' : `${behind.length} partitions`
    const what = `the sink keeps back what it was given of ${partitions}: flush does not make it durable`
    this.#keptBack ??= { kind: 'kept back', what, since: this.#lastFlush.at }
  }

  /** Whether there are records, and no right to put them. */
  waitsForLease(waits: boolean): void {
    if (!waits) this.#withoutLease = undefined
    else
      this.#withoutLease ??= {
        kind: 'lease',
        what: 'waits until this worker is part of its cluster again',
        since: Date.now(),
      }
  }

  get longest(): Wait | undefined {
    return longest([
      this.starts.wait,
      this.#puts.wait,
      this.flushes.wait,
      this.commits.wait,
      this.#keptBack,
      this.#withoutLease,
      this.log.longest,
    ])
  }
}
