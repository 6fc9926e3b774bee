interface Entry<V> {
  readonly value: V
  readonly bytes: number
  readonly until: number
}

/**
 * A map that forgets what was used longest ago when it is full, by number or by bytes, and entries whose time is up. The
 * last entry stays however large it is: without it whoever needs it would ask for it each time.
 */
export class BoundedCache<K, V> {
  readonly #entries = new Map<K, Entry<V>>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #now: () => number
  #bytes = 0

  constructor(maxEntries: number, maxBytes: number, now: () => number = () => performance.now()) {
    this.#maxEntries = maxEntries
    this.#maxBytes = maxBytes
    this.#now = now
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until <= this.#now()) {
      this.#delete(key)
      return undefined
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    return entry.value
  }

  /**
   * @param bytes that key and value take, roughly
   * @param ttlMs for how long; Infinity by default, nothing is kept for 0
   */
  set(key: K, value: V, bytes: number, ttlMs = Infinity): void {
    this.#delete(key)
    if (ttlMs <= 0) return
    this.#entries.set(key, { value, bytes, until: this.#now() + ttlMs })
    this.#bytes += bytes
    for (const oldest of this.#entries.keys()) {
      const fits = this.#entries.size <= this.#maxEntries && this.#bytes <= this.#maxBytes
      if (fits || this.#entries.size === 1) return
      this.#delete(oldest)
    }
  }

  #delete(key: K): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0
    this.#entries.delete(key)
  }
}
