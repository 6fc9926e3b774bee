/** A map that forgets the entry that was used longest ago when it is full, and entries whose time is up. */
export class BoundedCache<K, V> {
  readonly #entries = new Map<K, { readonly value: V; readonly until: number }>()
  readonly #maxEntries: number
  readonly #now: () => number

  constructor(maxEntries: number, now: () => number = () => performance.now()) {
    this.#maxEntries = maxEntries
    this.#now = now
  }

  get(key: K): V | undefined {
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    this.#entries.delete(key)
    if (entry.until <= this.#now()) return undefined
    this.#entries.set(key, entry)
    return entry.value
  }

  /** @param ttlMs for how long; Infinity by default, nothing is kept for 0 */
  set(key: K, value: V, ttlMs = Infinity): void {
    this.#entries.delete(key)
    if (ttlMs <= 0) return
    if (this.#entries.size >= this.#maxEntries) {
      const oldest = this.#entries.keys().next()
      if (oldest.done !== true) this.#entries.delete(oldest.value)
    }
    this.#entries.set(key, { value, until: this.#now() + ttlMs })
  }
}
