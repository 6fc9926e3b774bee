/**
 * One budget of bytes for all tasks of a worker, in all its threads: what consumers have fetched, what sources have under
 * way, what sources and sinks say they hold. A task has a little for sure, and borrows the rest from what is left while anything is.
 *
 * What is left is one number in shared memory, taken from and given back to by atomic additions, once for a batch or a
 * fetch. Two who take at the same time may take a batch more than there is; nobody waits for anybody.
 */

/** What each task has whatever the others do: enough to go on, if slowly. */
export const guaranteedBytes = 512 * 1024
/** Unit of the shared number, which an Int32 holds. */
const unitBytes = 1024

/** @param bytes `worker.max.buffered.bytes` */
export function budgetBuffer(bytes: number): SharedArrayBuffer {
  const buffer = loansBuffer()
  new Int32Array(buffer)[0] = Math.min(0x7fffffff, Math.floor(bytes / unitBytes))
  return buffer
}

/** What one thread has borrowed, so that it can be given back when the thread is gone. */
export function loansBuffer(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)
}

/** Gives back all that a thread that has ended had borrowed. */
export function settleLoans(budget: SharedArrayBuffer, loans: SharedArrayBuffer): void {
  Atomics.add(new Int32Array(budget), 0, Atomics.exchange(new Int32Array(loans), 0, 0))
}

/** One thread's side of the budget. */
export class ByteBudget {
  readonly #left: Int32Array
  readonly #loans: Int32Array

  constructor(budget: SharedArrayBuffer, loans: SharedArrayBuffer) {
    this.#left = new Int32Array(budget)
    this.#loans = new Int32Array(loans)
  }

  /** @param maxBytes what the task may hold at most, however much is left */
  share(maxBytes: number): ByteShare {
    return new ByteShare(this, maxBytes)
  }

  /** May be negative: what has been taken already cannot be refused. */
  get leftBytes(): number {
    return Atomics.load(this.#left, 0) * unitBytes
  }

  /** @param units more, or with a minus less, than before */
  borrow(units: number): void {
    Atomics.add(this.#loans, 0, units)
    Atomics.sub(this.#left, 0, units)
  }
}

/** A holder of bytes within a task. */
export interface ShareHolder {
  /** Says how much it holds now. */
  holds(bytes: number): void
  /** How much it may hold now, if the others keep what they have. */
  readonly mostBytes: number
}

/** One task's part of the budget. */
export class ByteShare {
  readonly #budget: ByteBudget
  readonly #maxBytes: number
  #bytes = 0
  #units = 0
  #isFull = false
  #closed = false

  constructor(budget: ByteBudget, maxBytes: number) {
    this.#budget = budget
    this.#maxBytes = maxBytes
  }

  /** Whether there was no room for more when something was last taken or given back. */
  get isFull(): boolean {
    return this.#isFull
  }

  /** How much the task may hold at this moment; what it holds already included. */
  get mostBytes(): number {
    const borrowable = Math.max(this.#bytes, guaranteedBytes) + Math.max(0, this.#budget.leftBytes)
    return Math.min(this.#maxBytes, borrowable)
  }

  holder(): ShareHolder {
    let held = 0
    const add = (bytes: number): void => this.#add(bytes)
    const most = (): number => Math.max(0, this.mostBytes - this.#bytes + held)
    return {
      holds: (bytes) => {
        add(bytes - held)
        held = bytes
      },
      get mostBytes() {
        return most()
      },
    }
  }

  /** The task has ended: all is given back, and nothing is taken any more. */
  close(): void {
    this.#add(-this.#bytes)
    this.#closed = true
  }

  #add(bytes: number): void {
    if (this.#closed) return
    this.#bytes += bytes
    const units = Math.max(0, Math.ceil((this.#bytes - guaranteedBytes) / unitBytes))
    if (units !== this.#units) this.#budget.borrow(units - this.#units)
    this.#units = units
    this.#isFull = this.#bytes >= this.#maxBytes || (units > 0 && this.#budget.leftBytes <= 0)
  }
}

/** A share of nothing in particular: for what runs outside of a worker's tasks. */
export function shareOfItsOwn(maxBytes: number): ByteShare {
  return budgetOfItsOwn().share(maxBytes)
}

/** As {@link shareOfItsOwn}. */
export function budgetOfItsOwn(): ByteBudget {
  return new ByteBudget(budgetBuffer(Number.MAX_SAFE_INTEGER), loansBuffer())
}
