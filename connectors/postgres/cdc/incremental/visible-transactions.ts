/** What a snapshot sees, of the text of `txid_current_snapshot()`: `xmin:xmax:xip,xip`. */
export class VisibleTransactions {
  readonly #next: number
  readonly #running: ReadonlySet<number>

  constructor(text: string) {
    const [, next, running] = /^\d+:(\d+):([\d,]*)$/.exec(text) ?? []
    if (next === undefined || running === undefined) throw new TypeError(`"${text}" is no snapshot`)
    this.#next = Number(next)
    this.#running = new Set(running === '' ? [] : running.split(',').map(Number))
  }

  /**
   * Whether what a transaction did is seen, if it was committed.
   * @param xid its lowest 32 bits, as the stream has it; a transaction within 2^31 of the snapshot's
   */
  sees(xid: number): boolean {
    // The difference of two numbers of 32 bits, with its sign, is right across their overflow.
    const xidFromNext = (xid - (this.#next % 0x1_0000_0000)) | 0
    return xidFromNext < 0 && !this.#running.has(this.#next + xidFromNext)
  }
}

/** The transactions that the stream has told last, the newest so many of them. */
export class RecentTransactions {
  readonly #xids: Uint32Array
  #count = 0

  constructor(capacity = 16_384) {
    this.#xids = new Uint32Array(capacity)
  }

  add(xid: number): void {
    this.#xids[this.#count++ % this.#xids.length] = xid
  }

  list(): number[] {
    return Array.from(this.#xids.subarray(0, Math.min(this.#count, this.#xids.length)))
  }
}
