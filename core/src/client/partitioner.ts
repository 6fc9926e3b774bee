const SEED = 0x9747b28c
const M = 0x5bd1e995
const R = 24

/** Bytes given to one partition before records without a key go on to the next (KIP-794). */
const STICKY_BYTES = 16_384

/**
 * MurmurHash2, 32 bits, with the seed of Kafka's Java client; a signed 32-bit number. A string stands for its UTF-8
 * bytes.
 */
export function murmur2(data: Uint8Array | string): number {
  if (typeof data === 'string') return isAscii(data) ? murmur2Ascii(data) : murmur2(Buffer.from(data))
  const length = data.length
  let hash = SEED ^ length
  let at = 0
  for (; length - at >= 4; at += 4) {
    hash = mix(hash, data[at]! | (data[at + 1]! << 8) | (data[at + 2]! << 16) | (data[at + 3]! << 24))
  }
  let rest = 0
  for (let i = length - 1; i >= at; i--) rest = (rest << 8) | data[i]!
  return finish(length > at ? Math.imul(hash ^ rest, M) : hash)
}

/** The same over the characters, which saves a buffer for each record. */
function murmur2Ascii(text: string): number {
  const length = text.length
  let hash = SEED ^ length
  let at = 0
  for (; length - at >= 4; at += 4) {
    const low = text.charCodeAt(at) | (text.charCodeAt(at + 1) << 8)
    hash = mix(hash, low | (text.charCodeAt(at + 2) << 16) | (text.charCodeAt(at + 3) << 24))
  }
  let rest = 0
  for (let i = length - 1; i >= at; i--) rest = (rest << 8) | text.charCodeAt(i)
  return finish(length > at ? Math.imul(hash ^ rest, M) : hash)
}

function mix(hash: number, block: number): number {
  let k = Math.imul(block, M)
  k = Math.imul(k ^ (k >>> R), M)
  return Math.imul(hash, M) ^ k
}

function finish(hash: number): number {
  const h = Math.imul(hash ^ (hash >>> 13), M)
  return h ^ (h >>> 15)
}

function isAscii(text: string): boolean {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 127) return false
  return true
}

/** The partition of a key, as Kafka's default partitioner and Kafka Connect choose it. */
export function partitionOfKey(key: Uint8Array | string, partitions: number): number {
  return (murmur2(key) & 0x7fffffff) % partitions
}

/**
 * Chooses the partition of records without a key, one topic: they stay on one until it has had a batch's worth, which
 * makes fewer and larger batches than spreading each record does (KIP-480, KIP-794).
 */
export class StickyPartitioner {
  readonly #random: () => number
  #partition = -1
  #given = 0

  constructor(random: () => number = Math.random) {
    this.#random = random
  }

  /** @param bytes about the size of the record */
  next(partitions: number, bytes: number): number {
    if (this.#partition < 0 || this.#partition >= partitions || this.#given >= STICKY_BYTES) {
      this.#partition = this.#other(partitions)
      this.#given = 0
    }
    this.#given += bytes
    return this.#partition
  }

  #other(partitions: number): number {
    if (this.#partition < 0 || this.#partition >= partitions) return Math.floor(this.#random() * partitions)
    return (this.#partition + 1 + Math.floor(this.#random() * Math.max(1, partitions - 1))) % partitions
  }
}
