import type { Capture } from './capture.ts'
import { lookAtSlot } from './replication/slot.ts'

/** The slot's xmin, read every `xmin.fetch.interval.ms`, for `source.xmin`. */
export class SlotXmin {
  readonly #capture: Capture
  readonly #intervalMs: number
  #value: number | undefined
  #readAt = 0

  constructor(capture: Capture) {
    this.#capture = capture
    this.#intervalMs = capture.config['xmin.fetch.interval.ms']
  }

  /** Undefined: it is not asked for. */
  get value(): number | undefined {
    return this.#value
  }

  /** Reads it where that is due. @throws ConnectError */
  async refresh(): Promise<void> {
    if (this.#intervalMs === 0 || performance.now() < this.#readAt) return
    this.#readAt = performance.now() + this.#intervalMs
    this.#value = (await lookAtSlot(this.#capture.client, this.#capture.config['slot.name']))?.catalogXmin
  }
}
