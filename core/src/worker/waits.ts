/** What a task waits for: work that it has, and that does not get on. */

/** Something that a task waits for. */
export interface Wait {
  /** Of which kind it is: does not change while numbers in the text do. */
  readonly kind: string
  /** For people: what it waits for. */
  readonly what: string
  /** Since when nothing of it has moved, in milliseconds since the epoch. */
  readonly since: number
}

/** The one that has lasted longest. */
export function longest(waits: readonly (Wait | undefined)[]): Wait | undefined {
  let found: Wait | undefined
  for (const wait of waits) if (wait !== undefined && (found === undefined || wait.since < found.since)) found = wait
  return found
}

/** Requests to the log that are under way, one at a time or several. */
export class LogWaits {
  readonly #waits = new Set<Wait>()

  async during<T>(what: string, work: Promise<T>): Promise<T> {
    const wait: Wait = { kind: what, what, since: Date.now() }
    this.#waits.add(wait)
    try {
      return await work
    } finally {
      this.#waits.delete(wait)
    }
  }

  get longest(): Wait | undefined {
    return longest([...this.#waits])
  }
}

/** Attempts that fail one after the other, at the same thing. */
export class FailingAttempts {
  readonly #what: string
  #failures = 0
  #since = 0
  #last = ''

  /** @param what is tried, as a sentence begins with it: `put` */
  constructor(what: string) {
    this.#what = what
  }

  failed(reason: string): void {
    if (this.#failures++ === 0) this.#since = Date.now()
    this.#last = reason
  }

  /** Not all of it failed, or not again. */
  progressed(): void {
    this.#failures = 0
  }

  get wait(): Wait | undefined {
    if (this.#failures === 0) return undefined
    const times = this.#failures === 1 ? 'once' : `${this.#failures} times in a row`
    const what = `${this.#what} has failed ${times}, the last time with: ${this.#last}`
    return { kind: `${this.#what} fails`, what, since: this.#since }
  }
}

/** `1 batch (12.0 KiB)` */
export function batchesText(count: number, bytes: number): string {
  return `${count} ${count === 1 ? 'batch' : 'batches'} (${bytesText(bytes)})`
}

function bytesText(bytes: number): string {
  if (bytes < 1024) return `${bytes} bytes`
  const kib = bytes / 1024
  return kib < 1024 ? `${kib.toFixed(1)} KiB` : `${(kib / 1024).toFixed(1)} MiB`
}
