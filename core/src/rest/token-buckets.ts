interface Bucket {
  tokens: number
  filledAt: number
}

/** How many clients are kept in mind; those not seen for longest are forgotten first. */
const maxBuckets = 10_000

/** Lets each of many do something so many times a second on average, and up to `burst` times at once. */
export class TokenBuckets {
  readonly #perSecond: number
  readonly #burst: number
  readonly #now: () => number
  readonly #buckets = new Map<string, Bucket>()

  constructor(perSecond: number, burst: number, now: () => number = () => performance.now()) {
    this.#perSecond = perSecond
    this.#burst = burst
    this.#now = now
  }

  /** Takes one: 0 where there was one, else the milliseconds until there is. */
  take(who: string): number {
    const bucket = this.#filled(who)
    if (bucket.tokens < 1) return this.#waitMs(bucket)
    bucket.tokens--
    return 0
  }

  /** As {@link take}, without taking. */
  look(who: string): number {
    const bucket = this.#filled(who)
    return bucket.tokens < 1 ? this.#waitMs(bucket) : 0
  }

  #waitMs({ tokens }: Bucket): number {
    return Math.ceil(((1 - tokens) / this.#perSecond) * 1000)
  }

  #filled(who: string): Bucket {
    const now = this.#now()
    const known = this.#buckets.get(who)
    const tokens = known === undefined ? this.#burst : known.tokens + ((now - known.filledAt) / 1000) * this.#perSecond
    const bucket = { tokens: Math.min(tokens, this.#burst), filledAt: now }
    // Put in anew, so that the map's order is that of use.
    this.#buckets.delete(who)
    this.#buckets.set(who, bucket)
    if (this.#buckets.size > maxBuckets) this.#buckets.delete(this.#buckets.keys().next().value!)
    return bucket
  }
}
