/** One connection with answers that its client has not read. */
export interface AnswerHolder {
  /** The connection has to end. */
  refuse(reason: string): void
}

/** The least that a fetch is given to read. */
const leastGrant = 64 * 1024
/** A client that took nothing for so long, while others wait for memory, loses its connection. */
const stalledMs = 1000
const lookEveryMs = 250

/**
 * The bytes of answers that all connections together may hold (`queued.max.response.bytes`): those that clients have
 * not read, and what fetches are about to read. The fuller it is, the smaller the answers to fetches get. When it is
 * used up, fetches wait, and clients that take nothing lose their connections; at twice as much the slowest do at once.
 */
export class AnswerMemory {
  readonly #limit: number
  readonly #now: () => number
  #used = 0
  /** Those first that took something longest ago. */
  readonly #holders = new Map<AnswerHolder, { readonly bytes: number; readonly since: number }>()
  readonly #waiting: { readonly wanted: number; readonly go: (granted: number) => void }[] = []
  #timer: NodeJS.Timeout | undefined

  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit
    this.#now = now
  }

  get used(): number {
    return this.#used
  }

  /** How much of `wanted` a fetch may read now; to be given back with {@link release} when it has its answer. */
  reserve(wanted: number): number | Promise<number> {
    if (this.#hasRoom()) return this.#grant(wanted)
    return new Promise((go) => {
      this.#waiting.push({ wanted, go })
      this.#watch()
    })
  }

  release(bytes: number): void {
    this.#used -= bytes
    this.#serve()
  }

  /** So many bytes of answers wait to be read by the client now. */
  hold(holder: AnswerHolder, bytes: number): void {
    const before = this.#holders.get(holder)
    if (bytes === (before?.bytes ?? 0)) return
    const tookSome = before === undefined || bytes < before.bytes
    if (tookSome) this.#holders.delete(holder)
    if (bytes > 0) this.#holders.set(holder, { bytes, since: tookSome ? this.#now() : before.since })
    this.#used += bytes - (before?.bytes ?? 0)
    if (this.#used > this.#limit) {
      this.#watch()
      if (this.#used > 2 * this.#limit) this.#refuseSlowest(2 * this.#limit, 0, holder)
    }
    this.#serve()
  }

  /** Ends the connections of clients that take nothing. Runs while there is no room. */
  dropStalled(): void {
    this.#refuseSlowest(this.#limit - leastGrant, stalledMs)
    this.#serve()
    if (this.#waiting.length > 0 || this.#used > this.#limit) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }

  #refuseSlowest(wantedUse: number, leastMs: number, except?: AnswerHolder): void {
    const now = this.#now()
    for (const [holder, { bytes, since }] of [...this.#holders]) {
      if (this.#used <= wantedUse || now - since < leastMs) return
      if (holder === except) continue
      this.#holders.delete(holder)
      this.#used -= bytes
      holder.refuse('the client does not read its answers while others wait for memory')
    }
  }

  #hasRoom(): boolean {
    return this.#used === 0 || this.#used + leastGrant <= this.#limit
  }

  /** No more than a quarter of what is left, so that one reader leaves room for the next. */
  #grant(wanted: number): number {
    const granted = Math.min(wanted, Math.max(leastGrant, Math.floor((this.#limit - this.#used) / 4)))
    this.#used += granted
    return granted
  }

  #serve(): void {
    while (this.#waiting.length > 0 && this.#hasRoom()) {
      const { wanted, go } = this.#waiting.shift()!
      go(this.#grant(wanted))
    }
  }

  #watch(): void {
    this.#timer ??= setInterval(() => this.dropStalled(), lookEveryMs).unref()
  }
}
