/** One connection with a large request on its way in. */
export interface Arrival {
  /** More may be read. */
  resume(): void
  /** The connection has to end. */
  refuse(reason: string): void
}

interface Progress {
  /** That have come. */
  bytes: number
  /** Told to read no more. */
  waits: boolean
  readonly begun: number
  /** When the second began that it is looked at, and how many bytes there were then. */
  since: number
  bytesThen: number
}

/** Requests up to this size are let in at once, so that heartbeats and metadata pass while large ones wait. */
export const smallRequestBytes = 64 * 1024

/** What a large request has to bring, and may bring, in a second while memory is short. */
const bytesPerLook = 64 * 1024
const lookEveryMs = 1000

/**
 * The bytes of requests that all connections together may hold (`queued.max.request.bytes`): those in work, and what
 * has come of those that are not complete, whatever size they announce. Beyond it, incomplete requests come on at
 * 64 KiB a second, which tells those that send from those that only hold memory: the latter lose their connections. At
 * twice the limit all wait for those in work, and where incomplete ones are what fills it, the eldest lose theirs. With
 * none in work the eldest goes on, so that one always gets through.
 */
export class RequestMemory {
  readonly #limit: number
  readonly #now: () => number
  #used = 0
  /** Of large requests in work. */
  #working = 0
  /** The eldest first. */
  readonly #arriving = new Map<Arrival, Progress>()
  #timer: NodeJS.Timeout | undefined

  constructor(limit: number, now: () => number = () => performance.now()) {
    this.#limit = limit
    this.#now = now
  }

  get used(): number {
    return this.#used
  }

  /**
   * So many bytes of a large request that is not complete have come.
   * @returns whether more may be read; else {@link Arrival.resume} is called
   */
  arrived(arrival: Arrival, bytes: number): boolean {
    let progress = this.#arriving.get(arrival)
    if (progress === undefined) {
      const now = this.#now()
      progress = { bytes: 0, waits: false, begun: now, since: now, bytesThen: 0 }
      this.#arriving.set(arrival, progress)
    }
    this.#used += bytes - progress.bytes
    progress.bytes = bytes
    const mayNotGoOn = this.#used > 2 * this.#limit || bytes - progress.bytesThen >= bytesPerLook
    progress.waits = this.#used > this.#limit && mayNotGoOn && this.#exempt() !== arrival
    if (progress.waits) this.#timer ??= setInterval(() => this.dropSlow(), lookEveryMs).unref()
    return !progress.waits
  }

  /** A request is complete, and is worked on until {@link release}. */
  begin(arrival: Arrival, bytes: number): void {
    this.#used += bytes - (this.#arriving.get(arrival)?.bytes ?? 0)
    this.#arriving.delete(arrival)
    if (bytes > smallRequestBytes) this.#working += bytes
    this.#resume()
  }

  /** A connection ended, maybe in the middle of a request. */
  forget(arrival: Arrival): void {
    const bytes = this.#arriving.get(arrival)?.bytes
    if (bytes === undefined) return
    this.#arriving.delete(arrival)
    this.#used -= bytes
    this.#resume()
  }

  /** A request that began is answered. */
  release(bytes: number): void {
    this.#used -= bytes
    if (bytes > smallRequestBytes) this.#working -= bytes
    this.#resume()
  }

  /** Ends those who hardly send while others wait. Runs once a second while anyone waits. */
  dropSlow(): void {
    const now = this.#now()
    for (const [arrival, { bytes, waits, since, bytesThen }] of [...this.#arriving]) {
      if (!waits && now - since >= lookEveryMs && bytes - bytesThen < bytesPerLook) this.#refuse(arrival, bytes)
    }
    if (this.#used > 2 * this.#limit) this.#refuseEldest(now)
    for (const [arrival, progress] of [...this.#arriving]) {
      if (now - progress.since >= lookEveryMs && this.#used <= 2 * this.#limit) this.#goOn(arrival, progress)
    }
    this.#resume()
  }

  #refuseEldest(now: number): void {
    for (const [arrival, { bytes, begun }] of [...this.#arriving]) {
      if (this.#used - this.#working <= this.#limit || now - begun < lookEveryMs) return
      this.#refuse(arrival, bytes)
    }
  }

  #refuse(arrival: Arrival, bytes: number): void {
    this.#arriving.delete(arrival)
    this.#used -= bytes
    arrival.refuse('a large request came too slowly while others waited for memory')
  }

  /** Begins a new second. */
  #goOn(arrival: Arrival, progress: Progress): void {
    const { waits } = progress
    progress.waits = false
    progress.since = this.#now()
    progress.bytesThen = progress.bytes
    if (waits) arrival.resume()
  }

  /** The one that may go on whatever is used: nobody else would give anything back. */
  #exempt(): Arrival | undefined {
    if (this.#working > 0) return undefined
    for (const arrival of this.#arriving.keys()) return arrival
    return undefined
  }

  #resume(): void {
    if (this.#timer === undefined) return
    const exempt = this.#exempt()
    let left = this.#limit - this.#used
    for (const [arrival, progress] of [...this.#arriving]) {
      if (!progress.waits || (left <= 0 && arrival !== exempt)) continue
      left -= bytesPerLook
      this.#goOn(arrival, progress)
    }
    if (this.#used > this.#limit) return
    clearInterval(this.#timer)
    this.#timer = undefined
  }
}

/**
 * Connections that were never answered, or have not shown who they are where that is asked for, have memory of their
 * own: however many of them come and go with half a request, those who do their work do not wait for them.
 */
export interface RequestMemories {
  readonly known: RequestMemory
  readonly strangers: RequestMemory
}
