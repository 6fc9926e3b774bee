import { hash } from 'node:crypto'

const MAX_LOAD = 0.75
/** 16 bytes of hash and 8 of offset. */
const ENTRY_BYTES = 24
const NO_OFFSET = -1

/**
 * The last offset of each key, for compaction, in a fixed amount of memory: a hash table over 128 bits of SHA-256 of the key, in
 * place of the key. Two keys that share those bits would lose a record; nobody can find such a pair.
 */
export class OffsetMap {
  readonly #slots: number
  readonly #hashes: Uint32Array
  readonly #offsets: Float64Array
  #size = 0
  /** Every record up to this offset is in the map. */
  latestOffset = -1

  /** @param entries as many as will be needed at most; fewer are kept where `maxBytes` does not allow that many */
  constructor(entries: number, maxBytes: number) {
    const wanted = Math.ceil((Math.max(entries, 1) + 1) / MAX_LOAD)
    this.#slots = Math.max(8, Math.min(wanted, Math.floor(maxBytes / ENTRY_BYTES)))
    this.#hashes = new Uint32Array(this.#slots * 4)
    this.#offsets = new Float64Array(this.#slots).fill(NO_OFFSET)
  }

  get size(): number {
    return this.#size
  }

  get full(): boolean {
    return this.#size >= this.#slots * MAX_LOAD
  }

  /** Sets the offset of a key. Not when {@link full}. */
  put(key: Buffer, offset: number): void {
    const words = wordsOf(key)
    const slot = this.#find(words)
    if (this.#offsets[slot] === NO_OFFSET) {
      this.#hashes.set(words, slot * 4)
      this.#size++
    }
    this.#offsets[slot] = offset
  }

  /** The last offset put for a key; -1 where there is none. */
  get(key: Buffer): number {
    return this.#offsets[this.#find(wordsOf(key))]!
  }

  /** The slot of a hash, or the free one where it belongs. */
  #find(words: Uint32Array): number {
    for (let slot = words[0]! % this.#slots; ; slot = (slot + 1) % this.#slots) {
      if (this.#offsets[slot] === NO_OFFSET) return slot
      const at = slot * 4
      const hashes = this.#hashes
      if (
        hashes[at] === words[0] &&
        hashes[at + 1] === words[1] &&
        hashes[at + 2] === words[2] &&
        hashes[at + 3] === words[3]
      ) {
        return slot
      }
    }
  }
}

const scratch = new Uint32Array(4)

/** Valid until the next call. */
function wordsOf(key: Buffer): Uint32Array {
  const digest = hash('sha256', key, 'buffer')
  for (let i = 0; i < 4; i++) scratch[i] = digest.readUInt32LE(i * 4)
  return scratch
}
