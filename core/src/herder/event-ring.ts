import { randomUUID } from 'node:crypto'

/** Something that happened, as it is told. */
export interface RingEvent {
  /** Names its place, of this worker since its start. */
  readonly id: string
  readonly event: string
  /** Whom it is about; undefined: all. */
  readonly connector: string | undefined
  /** JSON. */
  readonly data: string
}

export interface RingLimits {
  readonly maxEvents: number
  readonly maxBytes: number
}

/** The last events, for those who were away for a moment, and those who listen now. Bounded in number and bytes. */
export class EventRing {
  readonly #limits: RingLimits
  /** Ids of before the worker's start mean nothing now. */
  readonly #life = randomUUID().slice(0, 8)
  readonly #events: RingEvent[] = []
  readonly #listeners = new Set<(event: RingEvent) => void>()
  #bytes = 0
  #first = 1

  constructor(limits: RingLimits) {
    this.#limits = limits
  }

  /** Of the newest event, or of the place before the first. */
  get lastId(): string {
    return this.#id(this.#first + this.#events.length - 1)
  }

  add(event: string, connector: string | undefined, data: object): void {
    const id = this.#id(this.#first + this.#events.length)
    const added = { id, event, connector, data: JSON.stringify(data) }
    this.#events.push(added)
    this.#bytes += added.data.length
    const { maxEvents, maxBytes } = this.#limits
    let dropped = 0
    while (this.#events.length - dropped > maxEvents || this.#bytes > maxBytes) {
      this.#bytes -= this.#events[dropped++]!.data.length
    }
    this.#events.splice(0, dropped)
    this.#first += dropped
    for (const listener of this.#listeners) listener(added)
  }

  /** What came after the event of this id; undefined where that is not known any more. */
  since(id: string): readonly RingEvent[] | undefined {
    const [, life, number] = /^(\w+)-(\d{1,15})$/.exec(id) ?? []
    const after = Number(number) + 1
    if (life !== this.#life || after < this.#first || after > this.#first + this.#events.length) return undefined
    return this.#events.slice(after - this.#first)
  }

  /** @returns ends it */
  listen(listener: (event: RingEvent) => void): () => void {
    this.#listeners.add(listener)
    return () => void this.#listeners.delete(listener)
  }

  #id(number: number): string {
    return `${this.#life}-${number}`
  }
}
